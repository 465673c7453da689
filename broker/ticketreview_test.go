package broker_test

import (
	"testing"

	"jitney/access"
	"jitney/broker"
	"jitney/ticket"
)

func TestWhatTheTicketSystemRefusesIsNotUnverified(t *testing.T) {
	tests := []struct {
		name string
		kind ticket.TroubleKind
		ok   bool
	}{
		{"a number that it does not take", ticket.Rejected, false},
		{"a ticket that it does not show", ticket.Forbidden, false},
		{"a ticket that is gone", ticket.Gone, false},
		{"it is down", ticket.Down, true},
		{"it gives no clear answer", ticket.Doubtful, true},
		{"it asks for fewer calls", ticket.Throttled, true},
		{"it does not let us in", ticket.Misconfigured, true},
	}
	w := newWorld(t)
	w.change(func(p *access.Policy) { p.Tickets.Unverified = true })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.desk.fails = &ticket.Trouble{Kind: tt.kind, Text: "No."}
			s := w.ask()
			s.Ticket, s.Number = "", "4711\""
			p, err := w.Access.Preview(w.ctx, w.maya, s)
			check(t, err)
			if taken := len(p.Wrong) == 0; taken != tt.ok {
				t.Errorf("taken: %v: %+v", taken, p.Wrong)
			}
		})
	}
	w.desk.fails = &ticket.Trouble{Kind: ticket.Rejected, Text: "No."}
	s := w.ask()
	s.Ticket, s.Number = "", "4711"
	if _, err := w.Access.Submit(w.ctx, w.maya, s); len(broker.FieldsOf(err)) != 1 {
		t.Errorf("%v", err)
	}
}
