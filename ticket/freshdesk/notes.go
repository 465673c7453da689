package freshdesk

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A note is one part of a conversation as it comes.
type note struct {
	ID        int64     `json:"id"`
	TicketID  int64     `json:"ticket_id"`
	UserID    int64     `json:"user_id"`
	Body      string    `json:"body"`
	BodyText  string    `json:"body_text"`
	CreatedAt time.Time `json:"created_at"`
}

func (n note) carries(key string) bool {
	return ticket.Carries(html.UnescapeString(n.Body), key) || ticket.Carries(n.BodyText, key)
}

// notePages is how many pages of a conversation are read.
const notePages = 30

// Notes reports the notes of a ticket that carry key.
func (s *system) Notes(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	return keyed(ctx, s, ticketID, key, "conversations", func(n note) (part, bool) {
		return part{n.ID, n.TicketID, n.UserID, n.CreatedAt}, n.carries(key)
	})
}

// A part is one of what belongs to a ticket.
type part struct {
	id, ticket, author int64
	at                 time.Time
}

// keyed reports what of a list of a ticket's parts carries key and is ours.
// All of it is read, for what is missed would be written again.
func keyed[T any](ctx context.Context, s *system, ticketID, key, what string, look func(T) (part, bool)) (refs []ticket.NoteRef, err error) {
	id, ok := parseID(ticketID)
	if !ok || !ticket.ValidKey(key) {
		return nil, nil
	}
	seen := map[int64]bool{}
	for page := 1; page <= notePages; page++ {
		var found []T
		more, err := s.list(ctx, "tickets/"+ticketID+"/"+what, page, nil, &found)
		if err != nil && ticket.TroubleOf(err) == ticket.Gone {
			return nil, nil // what is written next will say so
		}
		if err != nil {
			return nil, err
		}
		for _, one := range found {
			p, carries := look(one)
			if p.ticket != 0 && p.ticket != id || !carries || seen[p.id] {
				continue
			}
			if ours, err := s.self.Wrote(ctx, author(p.author), s.me); err != nil {
				return nil, err
			} else if ours {
				seen[p.id] = true // a new one can move others to the next page
				refs = append(refs, ticket.NoteRef{ID: number(p.id), At: p.at.UTC()})
			}
		}
		if !more {
			return refs, nil
		}
	}
	if len(refs) > 0 {
		return refs, nil
	}
	return nil, trouble(ticket.Down, fmt.Sprintf("The ticket has more than %d replies, notes or entries of time, so it cannot be told whether ours is among them.", most*notePages), nil)
}

// author is the number of somebody; empty if there is none.
func author(id int64) string {
	if id <= 0 {
		return ""
	}
	return number(id)
}

// me is the number of the agent whose key this is.
func (s *system) me(ctx context.Context) (string, error) {
	var me struct{ ID int64 }
	_, err := s.get(ctx, "agents/me", nil, &me)
	return author(me.ID), err
}

// AddNote writes one note with one request.
func (s *system) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	if _, ok := parseID(ticketID); !ok {
		return ticket.NoteRef{}, trouble(ticket.Gone, "Freshdesk has no ticket with such a number.", nil)
	}
	if !ticket.ValidKey(n.Key) {
		return ticket.NoteRef{}, trouble(ticket.Rejected, "The note has no usable key.", nil)
	}
	body := struct {
		Body    string `json:"body"`
		Private bool   `json:"private"` // said always: who leaves it out gets what the account's default is
	}{markup(ticket.Marked(reach.Body(n.Body), n.Key)), !s.public}
	var made note
	_, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "tickets/" + ticketID + "/notes", Body: body, Into: &made, Writes: true})
	if err != nil {
		return ticket.NoteRef{}, err
	}
	if made.ID <= 0 {
		return ticket.NoteRef{}, trouble(ticket.Doubtful, "Freshdesk did not say which note it made.", nil)
	}
	return ticket.NoteRef{ID: number(made.ID), At: made.CreatedAt.UTC()}, nil
}

// literal is text with what Freshdesk could fill in taken apart: it knows
// {{name}} and {% … %} as places for a ticket's own values.
func literal(text string) string {
	return strings.NewReplacer("{{", "{ {", "}}", "} }", "{%", "{ %", "%}", "% }").Replace(text)
}

// markup is text as HTML.
func markup(text string) string {
	return strings.ReplaceAll(html.EscapeString(literal(text)), "\n", "<br>")
}
