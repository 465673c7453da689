package servicenow_test

import (
	"strings"
	"testing"

	"jitney/sim/hosted"
	sim "jitney/sim/servicenow"
	"jitney/ticket"
)

func TestStatusAfterAnAccess(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddCompany("Aviary"), "Printer")
	sys := connect(t, url)
	mover, _ := ticket.As[ticket.Mover](sys)
	tests := []struct {
		name, id, status string
		sw               sim.Switches
		kind             ticket.TroubleKind // empty if it has the status then
		says             string
	}{
		{"none of that name", id, "Nonsense", sim.Switches{}, ticket.Rejected, "called Nonsense"},
		{"none that the account sees", id, "On Hold", sim.Switches{NoChoices: true}, ticket.Rejected, "0 states"},
		{"no ticket", strings.Repeat("0", 32), "On Hold", sim.Switches{}, ticket.Gone, ""},
		{"no number", "a/b", "On Hold", sim.Switches{}, ticket.Gone, ""},
		{"a code is demanded", id, "Resolved", sim.Switches{Demands: true}, ticket.Rejected, "Resolution code"},
		{"a right is missing", id, "On Hold", sim.Switches{NoWrites: true}, ticket.Forbidden, ""},
		{"it is dropped in silence", id, "On Hold", sim.Switches{StateDropped: true}, ticket.Forbidden, "does not show it"},
		{"a lost request", id, "On Hold", sim.Switches{Network: hosted.Network{LoseRequests: 1}}, ticket.Doubtful, ""},
		{"a lost answer", id, "On Hold", sim.Switches{Network: hosted.Network{LoseAnswers: 1}}, ticket.Doubtful, ""},
		{"it has it already", id, " on hold", sim.Switches{Network: hosted.Network{LoseAnswers: 1}}, "", ""},
		{"another one", id, "Resolved", sim.Switches{}, "", ""},
	}
	for _, tt := range tests {
		s.Set(tt.sw)
		err := mover.SetStatus(t.Context(), tt.id, tt.status)
		if (err == nil) != (tt.kind == "") || err != nil && (ticket.TroubleOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.kind)
		}
	}
	if found, err := sys.Find(t.Context(), id); err != nil || found[id].Status != "Resolved" || found[id].Open {
		t.Errorf("%+v, %v", found, err)
	}
}
