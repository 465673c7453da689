package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/reconcile"
	"jitney/target/fake"
)

// TestANoteThatWasInDoubtIsCountedAfterADay loses the answer to a note, which
// lands, and which lands once more when nobody looks for it any more.
func TestANoteThatWasInDoubtIsCountedAfterADay(t *testing.T) {
	for name, late := range map[string]bool{"once": false, "twice": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
				w.paper.fault = func(call int) paperFault {
					if call == 1 {
						return paperDoneLost
					}
					return paperFine
				}
				g := w.activate(fake.Admin, 15)
				w.until(g.ID, access.Ended, 30*time.Minute)
				time.Sleep(time.Minute)
				if late {
					w.paper.mu.Lock()
					w.paper.notes["1001"] = append(w.paper.notes["1001"], w.paper.notes["1001"][0])
					w.paper.mu.Unlock()
				}
				time.Sleep(23 * time.Hour)
				if n := w.count(g.ID, access.EventNoteTwice); n != 0 {
					t.Error("it was counted early")
				}
				w.paper.down(90 * time.Minute) // and cannot be asked when it should be
				time.Sleep(4 * time.Hour)
				records, err := w.store.Log.Records(t.Context(), access.RecordQuery{Kind: access.EventNoteTwice, Subject: "paper"})
				if err != nil || (len(records) == 1) != late || late && !strings.Contains(records[0].Text, "jitney:"+g.ID+":granted:1 is on ticket N-1001 2 times") {
					t.Errorf("told %+v, %v", records, err)
				}
				works, err := w.store.Outbox.WorkOf(t.Context(), g.ID)
				check(t, err)
				counted := 0
				for _, one := range works {
					if one.Kind == reconcile.WorkRecount && !one.DoneAt.IsZero() {
						counted++
					}
				}
				if counted != 1 || len(w.paper.carried("jitney:"+g.ID+":granted:1")) > 2 {
					t.Errorf("%d notes were counted again: %+v", counted, works)
				}
			})
		})
	}
}

// TestWhatCannotBeCountedIsGivenUp has a ticket that is gone for days.
func TestWhatCannotBeCountedIsGivenUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.paper.fault = func(call int) paperFault { return []paperFault{paperFine, paperDoneLost, paperFine}[min(call, 2)] }
		g := w.activate(fake.Admin, 15)
		w.until(g.ID, access.Ended, 30*time.Minute)
		time.Sleep(time.Hour)
		w.paper.down(72 * time.Hour)
		time.Sleep(50 * time.Hour)
		works, err := w.store.Outbox.WorkOf(t.Context(), g.ID)
		check(t, err)
		for _, one := range works {
			if one.DoneAt.IsZero() || one.Kind == reconcile.WorkRecount && one.Result != "not counted" {
				t.Errorf("%s: %q, done %v", one.Key, one.Result, one.DoneAt)
			}
		}
	})
}
