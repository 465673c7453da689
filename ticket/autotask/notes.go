package autotask

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A note is one as it comes.
type note struct {
	ID, TicketID   int64
	Description    string
	CreateDateTime stamp
}

func (n note) number() int64 { return n.ID }

// Notes reports the notes of a ticket that carry key. A ticket that does not
// exist has none.
func (s *system) Notes(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	id, ok := parseID(ticketID)
	if !ok || id == 0 || !ticket.ValidKey(key) {
		return nil, nil
	}
	all, err := readAll[note](ctx, s, "TicketNotes", []filter{is("eq", "ticketID", id)}, []string{"id", "ticketID", "description", "createDateTime"})
	for _, n := range all {
		if n.TicketID == id && ticket.Carries(n.Description, key) {
			refs = append(refs, ticket.NoteRef{ID: number(n.ID), At: n.CreateDateTime.Time})
		}
	}
	if len(refs) > 0 {
		return refs, nil
	}
	return nil, err // without having read all, nobody knows that ours is not there
}

// AddNote writes one note with one request, cut to the length that this
// Autotask takes.
func (s *system) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	id, ok := parseID(ticketID)
	if !ok || id == 0 {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Gone, Text: "Autotask has no ticket with such a number."}
	}
	if !ticket.ValidKey(n.Key) {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The note has no usable key."}
	}
	publish, kind, err := s.noteKind(ctx)
	if err != nil {
		return ticket.NoteRef{}, err
	}
	p, err := s.lists(ctx)
	if err != nil {
		return ticket.NoteRef{}, err
	}
	text := ticket.Marked(reach.Body(n.Body), n.Key)
	if p.length > 0 { // of characters, of which there are never more than bytes
		text = ticket.Fit(text, p.length)
	}
	if !ticket.Carries(text, n.Key) {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: fmt.Sprintf("Autotask takes notes of %d characters only, which is too short for any.", p.length)}
	}
	title := reach.Clean(n.Subject, 200)
	if title == "" {
		title = "Access" // categories of tickets can demand one
	}
	body := map[string]any{"title": title, "description": text, "noteType": kind, "publish": publish}
	made, err := s.write(ctx, ticketID, http.MethodPost, "V1.0/Tickets/"+ticketID+"/Notes", body)
	return ticket.NoteRef{ID: made}, err
}

// write makes one call that writes to a ticket, and reports the number of what
// it made or changed.
func (s *system) write(ctx context.Context, ticketID, method, path string, body any) (string, error) {
	var made struct {
		ItemID int64
		Errors []string
	}
	a, err := s.do(ctx, reach.Call{Method: method, Path: path, Body: body, Into: &made, Writes: true})
	switch {
	case err != nil:
		return "", s.refused(ctx, ticketID, a, err)
	case made.ItemID > 0:
		return number(made.ItemID), nil
	case len(made.Errors) > 0:
		return "", judged(ticket.Doubtful, made.Errors, fmt.Errorf("autotask: %.300q", made.Errors))
	default:
		return "", &ticket.Trouble{Kind: ticket.Doubtful, Text: "Autotask did not say what it made."}
	}
}

// refused tells whether a refusal, which comes with all sorts of statuses, is
// because the ticket is not there. It is asked for: one that is not there
// comes with status 200 and as null.
func (s *system) refused(ctx context.Context, ticketID string, a reach.Answer, err error) error {
	if kind := ticket.TroubleOf(err); a.Status < 400 || kind == ticket.Throttled || kind == ticket.Misconfigured || kind == ticket.Down {
		return err
	}
	var there struct{ Item *struct{ ID int64 } }
	_, ferr := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "V1.0/Tickets/" + ticketID, Into: &there})
	if ferr == nil && there.Item == nil || ferr != nil && ticket.TroubleOf(ferr) == ticket.Gone {
		return &ticket.Trouble{Kind: ticket.Gone, Text: "Autotask has no such ticket, or does not show it to the API user.", Err: err}
	}
	if ferr == nil && ticket.TroubleOf(err) == ticket.Gone { // the ticket is there after all
		return &ticket.Trouble{Kind: ticket.Forbidden, Text: "Autotask does not let the API user write to this ticket.", Err: errors.Join(err, ferr)}
	}
	return err
}
