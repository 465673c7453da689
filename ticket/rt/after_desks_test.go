//go:build desks

package rt_test

import (
	"testing"
	"time"

	"jitney/lab"
	sim "jitney/sim/rt"
	"jitney/ticket"
)

// TestTheRealOneTakesTimeAndStatus does what follows an access on Request
// Tracker itself.
func TestTheRealOneTakesTimeAndStatus(t *testing.T) {
	real := lab.RequestTracker(t)
	ours, theirs := real.Queue(t), real.Queue(t)
	a, b, other := open(t, real, ours, "A", ""), open(t, real, ours, "B", ""), open(t, real, theirs, "C", "")

	t.Run("time is booked, and found again, also after a merge", func(t *testing.T) {
		for _, way := range []string{sim.KeyField, ""} {
			timer, _ := ticket.As[ticket.Timer](connect(t, real.URL, real.Token, "key_field", way))
			part, whole := open(t, real, ours, "Part", ""), open(t, real, ours, "Whole", "")
			key := "jitney:g" + way + ":time:1"
			e := ticket.TimeEntry{Key: key, Text: "Access, 15 min\n[" + key + "]", Minutes: 15, From: time.Now()}
			if _, err := timer.BookTime(t.Context(), part, e); err != nil {
				t.Fatal(err)
			}
			change(t, real, part, map[string]any{"MergeInto": whole})
			for _, id := range []string{part, whole} {
				if refs, err := timer.Times(t.Context(), id, key); err != nil || len(refs) != 1 {
					t.Errorf("key field %q, %s: %+v, %v", way, id, refs, err)
				}
			}
			var shown struct{ TimeWorked any }
			ask(t, real, "GET", "ticket/"+whole, nil, &shown)
			if n, _ := shown.TimeWorked.(string); n != "15" {
				t.Errorf("time worked: %v", shown.TimeWorked)
			}
		}
	})
	t.Run("a status is set, or refused with words", func(t *testing.T) {
		sys := connect(t, real.URL, real.Token)
		mover, _ := ticket.As[ticket.Mover](connect(t, real.URL, real.Root))
		weak, _ := ticket.As[ticket.Mover](sys)
		if err := weak.SetStatus(t.Context(), a, "resolved"); ticket.TroubleOf(err) != ticket.Rejected { // it lacks ModifyTicket
			t.Errorf("without the right: %v", err)
		}
		if err := mover.SetStatus(t.Context(), a, "Nonsense"); ticket.TroubleOf(err) != ticket.Rejected {
			t.Errorf("a status that is none: %v", err)
		}
		if err := mover.SetStatus(t.Context(), "99999", "resolved"); ticket.TroubleOf(err) != ticket.Gone {
			t.Errorf("no such ticket: %v", err)
		}
		for range 2 {
			if err := mover.SetStatus(t.Context(), a, "Resolved"); err != nil {
				t.Error(err)
			}
		}
		if got, ok := find(t, sys, a); !ok || got.Open || got.Status != "resolved" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a ticket is sought by its number, of its company only", func(t *testing.T) {
		sys := connect(t, real.URL, real.Token)
		for _, number := range []string{a, "#" + a, b} { // the first is resolved by now, and in no list
			if got, ok, err := ticket.Seek(t.Context(), sys, ours, "", number); err != nil || !ok || "#"+got.ID != number && got.ID != number {
				t.Errorf("%s: %+v, %v, %v", number, got, ok, err)
			}
		}
		if got, ok, err := ticket.Seek(t.Context(), sys, ours, "", other); err != nil || ok {
			t.Errorf("another's: %+v, %v", got, err)
		}
	})
}
