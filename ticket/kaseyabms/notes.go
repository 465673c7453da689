package kaseyabms

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A note is one as it comes.
type note struct {
	ID         int64
	Details    string
	IsInternal bool
	TypeID     int64
	TypeName   string
	CreatedOn  stamp
}

// Notes reports the notes of a ticket that carry key.
func (s *system) Notes(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	if _, ok := parseID(ticketID); !ok || !ticket.ValidKey(key) {
		return nil, nil
	}
	all, whole, err := s.notes(ctx, ticketID)
	switch {
	case err != nil && ticket.TroubleOf(err) == ticket.Gone:
		return nil, nil // the note that follows will say so
	case err != nil:
		return nil, err
	}
	for _, n := range all {
		if ticket.Carries(html.UnescapeString(n.Details), key) {
			refs = append(refs, ticket.NoteRef{ID: number(n.ID), At: n.CreatedOn.Time})
		}
	}
	if len(refs) == 0 && !whole {
		return nil, trouble(ticket.Down, fmt.Sprintf("The ticket has more than %d notes, so it cannot be told whether ours is among them.", len(all)), nil)
	}
	return refs, nil
}

// notes reads the notes of a ticket, and reports whether these are all.
func (s *system) notes(ctx context.Context, ticketID string) (all []note, whole bool, err error) {
	return readAll(ctx, s, "v2/servicedesk/tickets/"+ticketID+"/notes", nil, func(n note) int64 { return n.ID })
}

// readAll reads a list of which BMS tells neither the length nor how many of
// it one answer holds at most: until an answer brings nothing new.
func readAll[T any](ctx context.Context, s *system, path string, q url.Values, id func(T) int64) (all []T, whole bool, err error) {
	seen := map[int64]bool{}
	for page := 1; page <= pages; page++ {
		query := url.Values{"PageSize": {strconv.Itoa(size)}, "PageNumber": {strconv.Itoa(page)}}
		for k, v := range q {
			query[k] = v
		}
		var found []T
		if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: path, Query: query, Into: &found}); err != nil {
			return nil, false, err
		}
		before := len(all)
		for _, one := range found {
			if n := id(one); n > 0 && !seen[n] {
				seen[n] = true
				all = append(all, one)
			}
		}
		if len(all) == before {
			return all, true, nil
		}
	}
	return all, false, nil
}

// AddNote writes one note with one request. It sends no status, with which the
// ticket would change, and nobody to mail to.
func (s *system) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	if _, ok := parseID(ticketID); !ok {
		return ticket.NoteRef{}, trouble(ticket.Gone, "Kaseya BMS has no ticket with such a number.", nil)
	}
	if !ticket.ValidKey(n.Key) {
		return ticket.NoteRef{}, trouble(ticket.Rejected, "The note has no usable key.", nil)
	}
	body := map[string]any{"Details": markup(ticket.Marked(reach.Body(n.Body), n.Key)), "IsInternal": !s.public, "TypeId": s.noteType,
		"NoteDate": time.Now().UTC().Format(time.RFC3339)}
	var made note
	if _, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "v2/servicedesk/tickets/" + ticketID + "/notes", Body: body, Into: &made, Writes: true}); err != nil {
		return ticket.NoteRef{}, s.refused(ctx, ticketID, err)
	}
	if made.ID <= 0 {
		if _, err := s.read(ctx, ticketID); err != nil && ticket.TroubleOf(err) == ticket.Gone {
			return ticket.NoteRef{}, err
		}
		return ticket.NoteRef{}, trouble(ticket.Doubtful, "Kaseya BMS did not say which note it made.", nil)
	}
	return ticket.NoteRef{ID: number(made.ID), At: made.CreatedOn.Time}, nil
}

// markup is text as HTML, which notes are in BMS.
func markup(text string) string {
	return strings.ReplaceAll(html.EscapeString(text), "\n", "<br>")
}

// refused tells what a refusal of a note means: whether the ticket is there is
// asked for.
func (s *system) refused(ctx context.Context, ticketID string, err error) error {
	kind := ticket.TroubleOf(err)
	if kind != ticket.Rejected && kind != ticket.Gone && kind != ticket.Forbidden {
		return err
	}
	switch _, ferr := s.read(ctx, ticketID); {
	case ferr != nil && ticket.TroubleOf(ferr) == ticket.Gone:
		return ferr
	case ferr == nil && kind == ticket.Gone: // the ticket is there, so it is the note that may not be made
		return trouble(ticket.Rejected, "Kaseya BMS does not take the note; its type "+number(s.noteType)+" may not exist.", err)
	}
	return err
}
