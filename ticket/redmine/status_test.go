package redmine_test

import (
	"strings"
	"testing"

	sim "jitney/sim/redmine"
	"jitney/ticket"
)

func TestStatusAfterAnAccess(t *testing.T) {
	s, url := serve(t)
	ours := s.AddProject("Aviary", "")
	id := s.AddIssue(ours, "Printer")
	weak, _ := ticket.As[ticket.Mover](connect(t, url, s.Key("weak", full, ours)))
	able, ok := ticket.As[ticket.Mover](connect(t, url, s.Key("jitney", append([]string{sim.EditIssues}, full...), ours)))
	if !ok {
		t.Fatal("it cannot set a status")
	}
	if err := weak.SetStatus(t.Context(), id, "Closed"); ticket.TroubleOf(err) != ticket.Forbidden {
		t.Errorf("without the right: %v", err)
	}
	if err := able.SetStatus(t.Context(), id, "Nonsense"); ticket.TroubleOf(err) != ticket.Rejected {
		t.Errorf("a status that is none: %v", err)
	}
	s.Set(sim.Switches{TwoWaiting: true})
	if err := able.SetStatus(t.Context(), id, "Waiting"); ticket.TroubleOf(err) != ticket.Rejected || !strings.Contains(err.Error(), "Redmine has 2 statuses") {
		t.Errorf("a status that is there twice: %v", err)
	}
	for range 2 {
		if err := able.SetStatus(t.Context(), id, "closed"); err != nil {
			t.Error(err)
		}
	}
	if one, ok := find(t, connect(t, url, s.Key("other", full, ours)), id); !ok || one.Open {
		t.Errorf("%+v", one)
	}
}
