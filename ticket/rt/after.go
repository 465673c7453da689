package rt

import (
	"context"
	"net/http"
	"strings"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// An after is a system with what can be done on a ticket when an access has
// ended.
type after struct{ *system }

var (
	_ ticket.Timer = after{}
	_ ticket.Mover = after{}
)

// Times reports the comments of a ticket that carry key: time is booked with
// one.
func (a after) Times(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	return a.Notes(ctx, ticketID, key)
}

// BookTime writes one comment that took time.
func (a after) BookTime(ctx context.Context, ticketID string, e ticket.TimeEntry) (ticket.NoteRef, error) {
	return comment(ctx, a.system, ticketID, ticket.Note{Key: e.Key, Subject: "Time", Body: e.Text}, e.Minutes)
}

// SetStatus gives a ticket another status, by the name that it has in the
// lifecycle of the ticket's queue. Request Tracker answers with what it did,
// not with whether, so the ticket is read afterwards.
func (a after) SetStatus(ctx context.Context, ticketID, status string) error {
	if !isID(ticketID) {
		return &ticket.Trouble{Kind: ticket.Gone, Text: "Request Tracker has no ticket of that number."}
	}
	status = strings.ToLower(strings.TrimSpace(status))
	_, err := a.client.Do(ctx, reach.Call{Method: http.MethodPut, Path: root + "ticket/" + ticketID, Body: map[string]string{"Status": status}, Writes: true})
	if err != nil {
		return err
	}
	var t one
	if _, err := a.get(ctx, "ticket/"+ticketID, nil, &t); err != nil {
		return err
	}
	if !strings.EqualFold(t.Status, status) {
		return &ticket.Trouble{Kind: ticket.Rejected, Text: "Request Tracker did not give the ticket the status " + reach.Clean(status, 60) + "; its queue may have none of that name, or the account lacks the right ModifyTicket."}
	}
	return nil
}
