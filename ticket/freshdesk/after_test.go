package freshdesk_test

import (
	"strings"
	"testing"
	"time"

	sim "jitney/sim/freshdesk"
	"jitney/sim/hosted"
	"jitney/ticket"
)

func TestTimeIsBooked(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddCompany("Aviary"), "Printer")
	timer, _ := ticket.As[ticket.Timer](connect(t, url))
	billed, _ := ticket.As[ticket.Timer](connect(t, url, "billable", "billable"))
	book := func(timer ticket.Timer, key string, minutes int64) error {
		_, err := timer.BookTime(t.Context(), id, ticket.TimeEntry{Key: key, Text: "Access with {{ticket.subject}}\n[" + key + "]", Minutes: minutes, From: time.Now().Add(-25 * time.Hour)})
		return err
	}
	for i, minutes := range []int64{1, 75, 24 * 60} {
		key := "jitney:g" + string(rune('1'+i)) + ":time:1"
		if err := book([]ticket.Timer{timer, billed, timer}[i], key, minutes); err != nil {
			t.Errorf("%d minutes: %v", minutes, err)
		}
		if refs, err := timer.Times(t.Context(), id, key); err != nil || len(refs) != 1 {
			t.Errorf("%s: %+v, %v", key, refs, err)
		}
	}
	all := s.Entries(id)
	if len(all) != 3 || all[0].Spent != "00:01" || all[1].Spent != "01:15" || all[2].Spent != "24:00" || all[0].Billable || !all[1].Billable || strings.Contains(all[0].Note, "{{") {
		t.Errorf("%+v", all)
	}
	for sw, kind := range map[sim.Switches]ticket.TroubleKind{{NoTime: true}: ticket.Forbidden, {Network: hosted.Network{LoseAnswers: 1}}: ticket.Doubtful} {
		s.Set(sw)
		if err := book(timer, "jitney:g9:time:1", 1); ticket.TroubleOf(err) != kind {
			t.Errorf("%+v: %v; want %s", sw, err, kind)
		}
	}
}

func TestStatusAfterAnAccess(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddCompany("Aviary"), "Printer")
	mover, _ := ticket.As[ticket.Mover](connect(t, url))
	tests := []struct {
		name, id, status string
		sw               sim.Switches
		kind             ticket.TroubleKind // empty if it has the status then
	}{
		{"none of that name", id, "Nonsense", sim.Switches{}, ticket.Rejected},
		{"no ticket", "99999", "Resolved", sim.Switches{}, ticket.Gone},
		{"no number", "a/b", "Resolved", sim.Switches{}, ticket.Gone},
		{"a field is demanded", id, "Resolved", sim.Switches{Demands: true}, ticket.Rejected},
		{"an automation takes it back", id, "Resolved", sim.Switches{KeepStatus: true}, ticket.Rejected},
		{"a lost request", id, "Resolved", sim.Switches{Network: hosted.Network{LoseRequests: 1}}, ticket.Doubtful},
		{"a lost answer", id, "Resolved", sim.Switches{Network: hosted.Network{LoseAnswers: 1}}, ticket.Doubtful},
		{"it has it already", id, " resolved", sim.Switches{Network: hosted.Network{LoseAnswers: 1}}, ""},
		{"another one", id, "Billed", sim.Switches{}, ""},
	}
	for _, tt := range tests {
		s.Set(tt.sw)
		if err := mover.SetStatus(t.Context(), tt.id, tt.status); (err == nil) != (tt.kind == "") || err != nil && ticket.TroubleOf(err) != tt.kind {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.kind)
		}
	}
	if got := s.Status(id); got != sim.StatusBilled {
		t.Errorf("its status is %d", got)
	}
}
