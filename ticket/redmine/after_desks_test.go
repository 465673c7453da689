//go:build desks

package redmine_test

import (
	"net/http"
	"testing"

	"jitney/lab"
	"jitney/ticket"
)

// TestTheRealOneTakesTimeAndStatus does what follows an access on Redmine
// itself.
func TestTheRealOneTakesTimeAndStatus(t *testing.T) {
	real := lab.RunRedmine(t)
	ours, theirs := real.Project(t), real.Project(t)
	id, other := open(t, real, ours, "Printer"), open(t, real, theirs, "Phone")
	able, weak := connect(t, real.URL, real.Worker), connect(t, real.URL, real.Key)

	t.Run("time is booked, and found again", func(t *testing.T) {
		timer, _ := ticket.As[ticket.Timer](able)
		all, err := able.(ticket.Picker).Options(t.Context(), "activity")
		if err != nil || len(all) < 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		chosen, _ := ticket.As[ticket.Timer](connect(t, real.URL, real.Worker, "activity", all[1].Value))
		wrong, _ := ticket.As[ticket.Timer](connect(t, real.URL, real.Worker, "activity", "4711"))
		if _, err := wrong.BookTime(t.Context(), id, spent(20)); ticket.TroubleOf(err) != ticket.Rejected {
			t.Errorf("an activity that is none: %v", err)
		}
		if refs, err := timer.Times(t.Context(), id, spent(20).Key); err != nil || len(refs) != 0 {
			t.Errorf("before: %+v, %v", refs, err)
		}
		ref, err := chosen.BookTime(t.Context(), id, spent(20))
		if err != nil || ref.ID == "" {
			t.Fatalf("%+v, %v", ref, err)
		}
		for ticketID, want := range map[string]int{id: 1, other: 0, "99999": 0} {
			if refs, err := timer.Times(t.Context(), ticketID, spent(20).Key); err != nil || len(refs) != want {
				t.Errorf("%s: %+v, %v", ticketID, refs, err)
			}
		}
		var shown struct {
			Entry struct{ Hours float64 } `json:"time_entry"`
		}
		ask(t, real, http.MethodGet, "time_entries/"+ref.ID+".json", nil, &shown)
		if shown.Entry.Hours != 0.33 {
			t.Errorf("%v hours", shown.Entry.Hours)
		}
		small, _ := ticket.As[ticket.Timer](weak)
		if _, err := small.BookTime(t.Context(), id, spent(20)); ticket.TroubleOf(err) != ticket.Forbidden {
			t.Errorf("without the right: %v", err)
		}
	})
	t.Run("a status is set, or refused with words", func(t *testing.T) {
		mover, _ := ticket.As[ticket.Mover](able)
		small, _ := ticket.As[ticket.Mover](weak)
		if err := mover.SetStatus(t.Context(), id, "Nonsense"); ticket.TroubleOf(err) != ticket.Rejected {
			t.Errorf("a status that is none: %v", err)
		}
		if err := small.SetStatus(t.Context(), id, "Resolved"); ticket.TroubleOf(err) != ticket.Forbidden {
			t.Errorf("without the right: %v", err)
		}
		for range 2 {
			if err := mover.SetStatus(t.Context(), id, "closed"); err != nil {
				t.Error(err)
			}
		}
		if got, ok := find(t, able, id); !ok || got.Open || got.Status != "Closed" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a ticket is sought by its number, of its company only", func(t *testing.T) {
		for _, number := range []string{id, "#" + id} { // it is closed by now, and in no list
			if got, ok, err := ticket.Seek(t.Context(), able, ours, "", number); err != nil || !ok || got.ID != id {
				t.Errorf("%s: %+v, %v, %v", number, got, ok, err)
			}
		}
		if got, ok, err := ticket.Seek(t.Context(), able, ours, "", other); err != nil || ok {
			t.Errorf("another's: %+v, %v", got, err)
		}
	})
}
