package freshdesk

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

var (
	_ ticket.Timer = (*system)(nil)
	_ ticket.Mover = (*system)(nil)
)

// An entry is one of time, as it comes. It is that of an agent: ours.
type entry struct {
	ID        int64     `json:"id"`
	TicketID  int64     `json:"ticket_id"`
	AgentID   int64     `json:"agent_id"`
	Note      string    `json:"note"`
	CreatedAt time.Time `json:"created_at"`
}

// Times reports the entries of time of a ticket that carry key.
func (s *system) Times(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	return keyed(ctx, s, ticketID, key, "time_entries", func(e entry) (part, bool) {
		return part{e.ID, e.TicketID, e.AgentID, e.CreatedAt}, ticket.Carries(e.Note, key)
	})
}

// BookTime writes one entry of time, for the agent whose key it is: whoever
// else it would be for is not known to be one.
func (s *system) BookTime(ctx context.Context, ticketID string, e ticket.TimeEntry) (ticket.NoteRef, error) {
	if _, ok := parseID(ticketID); !ok {
		return ticket.NoteRef{}, trouble(ticket.Gone, "Freshdesk has no ticket with such a number.", nil)
	}
	if !ticket.ValidKey(e.Key) || e.Minutes <= 0 {
		return ticket.NoteRef{}, trouble(ticket.Rejected, "The entry of time has no usable key, or no time.", nil)
	}
	body := map[string]any{"time_spent": fmt.Sprintf("%02d:%02d", e.Minutes/60, e.Minutes%60), "note": literal(ticket.Marked(reach.Body(e.Text), e.Key)),
		"billable": s.billable, "executed_at": e.From.UTC().Format(time.RFC3339)}
	var made entry
	if _, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "tickets/" + ticketID + "/time_entries", Body: body, Into: &made, Writes: true}); err != nil {
		return ticket.NoteRef{}, err
	}
	if made.ID <= 0 {
		return ticket.NoteRef{}, trouble(ticket.Doubtful, "Freshdesk did not say which entry of time it made.", nil)
	}
	return ticket.NoteRef{ID: number(made.ID), At: made.CreatedAt.UTC()}, nil
}

// SetStatus gives a ticket the status that agents call so.
func (s *system) SetStatus(ctx context.Context, ticketID, status string) error {
	if _, ok := parseID(ticketID); !ok {
		return trouble(ticket.Gone, "Freshdesk has no ticket with such a number.", nil)
	}
	names, err := s.statusNames.read(ctx)
	if err != nil {
		return err
	}
	wanted, err := reach.StatusNamed(names, status, "Freshdesk")
	if err != nil {
		return err
	}
	var now record
	if _, err := s.get(ctx, "tickets/"+ticketID, nil, &now); err != nil || now.Status == wanted {
		return err
	}
	if _, err := s.do(ctx, reach.Call{Method: http.MethodPut, Path: "tickets/" + ticketID, Body: map[string]int64{"status": wanted}, Writes: true}); err != nil {
		return err
	}
	if _, err := s.get(ctx, "tickets/"+ticketID, nil, &now); err != nil {
		return err
	}
	if now.Status != wanted {
		return trouble(ticket.Rejected, "Freshdesk did not give the ticket the status "+reach.Clean(status, 60)+"; an automation may have changed it.", nil)
	}
	return nil
}
