package halo

import (
	"context"
	"net/http"

	"jitney/ticket"
	"jitney/ticket/reach"
)

var (
	_ ticket.Timer = (*system)(nil)
	_ ticket.Mover = (*system)(nil)
)

// Times reports the actions of a ticket that carry key: time is booked with
// one.
func (s *system) Times(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	return s.Notes(ctx, ticketID, key)
}

// BookTime writes one private action that took time; Halo counts in hours.
func (s *system) BookTime(ctx context.Context, ticketID string, e ticket.TimeEntry) (ticket.NoteRef, error) {
	return s.act(ctx, ticketID, ticket.Note{Key: e.Key, Body: e.Text}, float64(e.Minutes)/60)
}

// SetStatus gives a ticket the status of that name. Halo makes a new ticket of
// what has no number, so that is never left out; and it may keep a status from
// a kind of ticket, so the ticket is read afterwards.
func (s *system) SetStatus(ctx context.Context, ticketID, status string) error {
	id, ok := parseID(ticketID)
	if !ok {
		return trouble(ticket.Gone, "Halo has no ticket with such a number.", nil)
	}
	names, err := s.statuses(ctx)
	if err != nil {
		return err
	}
	wanted, err := reach.StatusNamed(names, status, "Halo")
	if err != nil {
		return err
	}
	name := reach.Clean(status, 60)
	now, err := s.read(ctx, ticketID) // so that nothing is made of a number that is none
	if err != nil || now.StatusID == wanted {
		return err
	}
	a, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "api/Tickets", Body: []map[string]int64{{"id": id, "status_id": wanted}}, Writes: true})
	switch {
	case err != nil && ticket.TroubleOf(err) == ticket.Rejected && a.Status >= 400:
		return trouble(ticket.Rejected, "Halo does not take the status "+name+": "+reach.Clean(string(a.Body), 200), err)
	case err != nil:
		return err
	}
	if now, err = s.read(ctx, ticketID); err != nil {
		return err
	}
	if now.StatusID != wanted {
		return trouble(ticket.Rejected, "Halo did not give the ticket the status "+name+"; its kind of ticket may not have it.", nil)
	}
	return nil
}
