package kaseyabms

import (
	"context"
	"net/http"

	"jitney/ticket"
	"jitney/ticket/reach"
)

var _ ticket.Mover = (*system)(nil)

// A change is one step of a PATCH. PUT would blank what it does not hold.
type change struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value int64  `json:"value"`
}

// SetStatus gives a ticket the status of that name, and looks whether it has it
// then.
//
// Time is not booked in BMS: an entry demands a work type, a role and clock
// times, and it is not documented in which zone those are and how it goes over
// midnight.
func (s *system) SetStatus(ctx context.Context, ticketID, status string) error {
	if _, ok := parseID(ticketID); !ok {
		return trouble(ticket.Gone, "Kaseya BMS has no ticket with such a number.", nil)
	}
	names, err := s.statuses(ctx)
	if err != nil {
		return err
	}
	wanted, err := reach.StatusNamed(names, status, "Kaseya BMS")
	if err != nil {
		return err
	}
	now, err := s.read(ctx, ticketID)
	if err != nil || now.StatusID == wanted {
		return err
	}
	var changed record
	if _, err := s.do(ctx, reach.Call{Method: http.MethodPatch, Path: "v2/servicedesk/tickets/" + ticketID, Body: []change{{"replace", "/StatusId", wanted}}, Into: &changed, Writes: true}); err != nil {
		return err
	}
	if now, err = s.read(ctx, ticketID); err != nil {
		return err
	}
	if now.StatusID != wanted {
		return trouble(ticket.Rejected, "Kaseya BMS did not give the ticket the status "+reach.Clean(status, 60)+"; a workflow may have changed it.", nil)
	}
	return nil
}
