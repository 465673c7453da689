package rt_test

import (
	"testing"
	"time"

	sim "jitney/sim/rt"
	"jitney/ticket"
)

func TestTimeAndStatusAfterAnAccess(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	queue := s.AddQueue("Aviary")
	sys := connect(t, url, s.Token("jitney", true))
	timer, ok := ticket.As[ticket.Timer](sys)
	mover, can := ticket.As[ticket.Mover](sys)
	if !ok || !can {
		t.Fatal("it can neither book time nor set a status")
	}
	id := s.AddTicket(queue, "Printer", "")
	e := ticket.TimeEntry{Key: "jitney:g1:time:1", Text: "Access, 15 min\n[jitney:g1:time:1]", Minutes: 15, From: time.Now()}
	if _, err := timer.BookTime(t.Context(), id, e); err != nil {
		t.Fatal(err)
	}
	if refs, err := timer.Times(t.Context(), id, e.Key); err != nil || len(refs) != 1 {
		t.Errorf("%+v, %v", refs, err)
	}
	for range 2 {
		if err := mover.SetStatus(t.Context(), id, "Resolved"); err != nil {
			t.Error(err)
		}
	}
	if minutes, status := s.Minutes(id); minutes != 15 || status != "resolved" {
		t.Errorf("%d minutes, %s", minutes, status)
	}
	if err := mover.SetStatus(t.Context(), id, "nonsense"); ticket.TroubleOf(err) != ticket.Rejected {
		t.Errorf("a status that is none: %v", err)
	}
	if err := mover.SetStatus(t.Context(), "99", "resolved"); ticket.TroubleOf(err) != ticket.Gone {
		t.Errorf("a ticket that is none: %v", err)
	}
}
