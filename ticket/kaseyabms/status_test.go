package kaseyabms_test

import (
	"testing"

	"jitney/sim/hosted"
	sim "jitney/sim/kaseyabms"
	"jitney/ticket"
)

func TestStatusAfterAnAccess(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddAccount("Aviary"), "Printer")
	sys := connect(t, url)
	mover, _ := ticket.As[ticket.Mover](sys)
	tests := []struct {
		name, id, status string
		sw               sim.Switches
		kind             ticket.TroubleKind // empty if it has the status then
	}{
		{"none of that name", id, "Nonsense", sim.Switches{}, ticket.Rejected},
		{"no ticket", "99999", "Billed", sim.Switches{}, ticket.Gone},
		{"no number", "a/b", "Billed", sim.Switches{}, ticket.Gone},
		{"a right is missing", id, "Billed", sim.Switches{NoNotes: true}, ticket.Forbidden},
		{"a workflow takes it back", id, "Billed", sim.Switches{KeepStatus: true}, ticket.Rejected},
		{"a lost request", id, "Billed", sim.Switches{Network: hosted.Network{LoseRequests: 1}}, ticket.Doubtful},
		{"a lost answer", id, "Billed", sim.Switches{Network: hosted.Network{LoseAnswers: 1}}, ticket.Doubtful},
		{"it has it already", id, " billed", sim.Switches{Network: hosted.Network{LoseAnswers: 1}}, ""},
		{"another one", id, "Completed", sim.Switches{}, ""},
	}
	for _, tt := range tests {
		s.Set(tt.sw)
		if err := mover.SetStatus(t.Context(), tt.id, tt.status); (err == nil) != (tt.kind == "") || err != nil && ticket.TroubleOf(err) != tt.kind {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.kind)
		}
	}
	if found, err := sys.Find(t.Context(), id); err != nil || found[id].Status != "Completed" || found[id].Open {
		t.Errorf("%+v, %v", found, err)
	}
}
