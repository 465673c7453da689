package halo

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// An action is one as it comes.
type action struct {
	ID                int64  `json:"id"`
	TicketID          int64  `json:"ticket_id"`
	Note              string `json:"note"`
	NoteHTML          string `json:"note_html"`
	ActionDateCreated stamp  `json:"actiondatecreated"`
	DateTime          stamp  `json:"datetime"`
}

func (a action) carries(key string) bool {
	return ticket.Carries(html.UnescapeString(a.Note), key) || ticket.Carries(html.UnescapeString(a.NoteHTML), key)
}

// actions is how many actions of a ticket are read.
const actions = 2000

// Notes reports the notes of a ticket that carry key.
func (s *system) Notes(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	id, ok := parseID(ticketID)
	if !ok || !ticket.ValidKey(key) {
		return nil, nil
	}
	var found list[action]
	q := url.Values{"ticket_id": {ticketID}, "excludesys": {"true"}, "includehtmlnote": {"true"}, "count": {strconv.Itoa(actions)}}
	if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "api/Actions", Query: q, Into: &found}); err != nil {
		if ticket.TroubleOf(err) == ticket.Gone {
			return nil, nil // the note that follows will say so
		}
		return nil, err
	}
	seen := map[int64]bool{}
	for _, a := range found.items {
		if (a.TicketID == 0 || a.TicketID == id) && a.carries(key) && !seen[a.ID] {
			seen[a.ID] = true
			ref := ticket.NoteRef{ID: number(a.ID), At: a.ActionDateCreated.Time}
			if ref.At.IsZero() {
				ref.At = a.DateTime.Time
			}
			refs = append(refs, ref)
		}
	}
	n := len(found.items)
	cut := n >= actions || n > 0 && n%50 == 0 && n < found.count // the count can hold those that were left out on purpose
	if len(refs) == 0 && cut {
		return nil, trouble(ticket.Down, fmt.Sprintf("Halo sends only %d actions of the ticket, so it cannot be told whether our note is among them.", n), nil)
	}
	return refs, nil
}

// AddNote writes one note with one request. It never sends an id, with which
// Halo would change another action.
func (s *system) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	return s.act(ctx, ticketID, n, 0)
}

func (s *system) act(ctx context.Context, ticketID string, n ticket.Note, hours float64) (ticket.NoteRef, error) {
	id, ok := parseID(ticketID)
	if !ok {
		return ticket.NoteRef{}, trouble(ticket.Gone, "Halo has no ticket with such a number.", nil)
	}
	if !ticket.ValidKey(n.Key) {
		return ticket.NoteRef{}, trouble(ticket.Rejected, "The note has no usable key.", nil)
	}
	body := []map[string]any{{
		"ticket_id": id, "outcome": s.outcome, "note_html": markup(ticket.Marked(reach.Body(n.Body), n.Key)),
		"hiddenfromuser": true, "sendemail": false, "timetaken": hours, "dont_do_rules": true,
	}}
	var made json.RawMessage
	a, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "api/Actions", Body: body, Into: &made, Writes: true})
	if err != nil {
		return ticket.NoteRef{}, s.refused(ctx, ticketID, a, err)
	}
	var one action
	if json.Unmarshal(made, &one) != nil {
		var several []action
		if json.Unmarshal(made, &several) == nil && len(several) == 1 {
			one = several[0]
		}
	}
	if one.ID <= 0 {
		return ticket.NoteRef{}, trouble(ticket.Doubtful, "Halo did not say which action it made.", nil)
	}
	return ticket.NoteRef{ID: number(one.ID), At: one.ActionDateCreated.Time}, nil
}

// markup is text as HTML, with what Halo would fill in taken apart: it reads
// $-NAME and <<name>> as places for a ticket's own values.
func markup(text string) string {
	text = strings.NewReplacer("$-", "$ -", "<<", "< <", ">>", "> >").Replace(text)
	return strings.ReplaceAll(html.EscapeString(text), "\n", "<br>")
}

// refused tells what a refusal means: whether the ticket is there is asked
// for, and what else is wrong is for the tenant's own rules to say.
func (s *system) refused(ctx context.Context, ticketID string, a reach.Answer, err error) error {
	kind := ticket.TroubleOf(err)
	if a.Status < 400 || kind == ticket.Throttled || kind == ticket.Misconfigured || kind == ticket.Down {
		return err
	}
	if _, ferr := s.read(ctx, ticketID); ferr != nil && ticket.TroubleOf(ferr) == ticket.Gone {
		return ferr
	} else if ferr != nil || kind == ticket.Doubtful {
		return err
	}
	if kind == ticket.Rejected {
		return trouble(ticket.Rejected, "Halo does not take the note; the outcome "+s.outcome+" may not exist, or a field is mandatory there: "+reach.Clean(string(a.Body), 200), err)
	}
	if kind == ticket.Gone { // the ticket is there, so it is the action that may not be made
		return trouble(ticket.Forbidden, "Halo does not let the agent write actions.", err)
	}
	return err
}
