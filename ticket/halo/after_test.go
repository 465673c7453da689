package halo_test

import (
	"strings"
	"testing"
	"time"

	sim "jitney/sim/halo"
	"jitney/ticket"
)

func TestTimeIsBooked(t *testing.T) {
	s, url := serve(t, sim.Switches{LoseAnswers: 2})
	id := s.AddTicket(s.AddClient("Aviary"), "Printer")
	timer, ok := ticket.As[ticket.Timer](connect(t, url))
	if !ok {
		t.Fatal("it books no time")
	}
	for i, key := range []string{"jitney:g1:time:1", "jitney:g2:time:1"} { // the second answer is lost
		_, err := timer.BookTime(t.Context(), id, ticket.TimeEntry{Key: key, Text: "Access, 15 min\n[" + key + "]", Minutes: 15, From: time.Now()})
		if i == 0 && err != nil || i == 1 && ticket.TroubleOf(err) != ticket.Doubtful {
			t.Errorf("%s: %v", key, err)
		}
		if refs, err := timer.Times(t.Context(), id, key); err != nil || len(refs) != 1 {
			t.Errorf("%s: %+v, %v", key, refs, err)
		}
	}
	if all := s.Minutes(id); len(all) != 2 || all[0] != 15 || all[1] != 15 {
		t.Errorf("%v minutes", all)
	}
}

func TestStatusAfterAnAccess(t *testing.T) {
	s, url := serve(t, sim.Switches{TwoWaiting: true})
	id := s.AddTicket(s.AddClient("Aviary"), "Printer")
	sys := connect(t, url)
	mover, ok := ticket.As[ticket.Mover](sys)
	if !ok {
		t.Fatal("it sets no status")
	}
	for _, status := range []string{"Nonsense", "Waiting", ""} {
		if err := mover.SetStatus(t.Context(), id, status); ticket.TroubleOf(err) != ticket.Rejected || !strings.Contains(err.Error(), "called") {
			t.Errorf("%q: %v", status, err)
		}
	}
	for _, gone := range []string{"99999", "a/b"} {
		if err := mover.SetStatus(t.Context(), gone, "Billed"); ticket.TroubleOf(err) != ticket.Gone {
			t.Errorf("%s: %v", gone, err)
		}
	}
	for _, sw := range []struct {
		sim.Switches
		kind ticket.TroubleKind
	}{{sim.Switches{Mandatory: true}, ticket.Rejected}, {sim.Switches{NoActions: true}, ticket.Forbidden}, {sim.Switches{KeepStatus: true}, ticket.Rejected},
		{sim.Switches{LoseRequests: 1}, ticket.Doubtful}, {sim.Switches{LoseAnswers: 1}, ticket.Doubtful}} {
		s.Set(sw.Switches)
		if err := mover.SetStatus(t.Context(), id, "billed"); ticket.TroubleOf(err) != sw.kind {
			t.Errorf("%+v: %v; want %s", sw.Switches, err, sw.kind)
		}
	}
	if err := mover.SetStatus(t.Context(), id, " billed"); err != nil { // it is so since the answer was lost
		t.Error(err)
	}
	if found, err := sys.Find(t.Context(), id); err != nil || found[id].Status != "Billed" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAgentsHaveNames(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a := s.AddClient("Aviary")
	one, two := s.AddTicket(a, "1"), s.AddTicket(a, "2")
	s.AssignNumber(one, 8)
	s.AssignNumber(two, 99)
	sys := connect(t, url)
	for range 2 {
		found, err := sys.Find(t.Context(), one, two)
		if err != nil || found[one].Assignee != "Bree Smith" || found[two].Assignee != "99" {
			t.Errorf("%+v, %v", found, err)
		}
	}
	before, _ := s.Calls()
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a}); err != nil || len(page.Tickets) != 2 || page.Tickets[1].Assignee != "Bree Smith" {
		t.Errorf("%+v, %v", page, err)
	}
	if after, _ := s.Calls(); after-before != 1 {
		t.Errorf("%d calls; want one", after-before)
	}
}
