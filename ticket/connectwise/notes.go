package connectwise

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A note is one as it comes and goes. Exactly one of the first three flags is
// set: with none it is seen nowhere.
type note struct {
	ID                    int64  `json:"id,omitempty"`
	Text                  string `json:"text"`
	InternalAnalysisFlag  bool   `json:"internalAnalysisFlag"`
	DetailDescriptionFlag bool   `json:"detailDescriptionFlag"` // the discussion, which customers see
	ResolutionFlag        bool   `json:"resolutionFlag"`
	ProcessNotifications  bool   `json:"processNotifications"` // false: no mail
	DateCreated           stamp  `json:"dateCreated,omitzero"`
}

// Notes are read newest first, some at a time, until the ticket has no more.
const (
	noteSize  = 100
	notePages = 50
)

// Notes reports the notes of a ticket that carry key.
func (s *system) Notes(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	if !isID(ticketID) || !ticket.ValidKey(key) {
		return nil, nil
	}
	return keyed(ctx, s, "service/tickets/"+ticketID+"/notes", url.Values{}, func(n note) (id int64, at time.Time, ok bool) {
		return n.ID, n.DateCreated.Time, ticket.Carries(n.Text, key)
	})
}

// keyed reports what of a list carries a key. All of it is read, for what is
// missed would be written again.
func keyed[T any](ctx context.Context, s *system, path string, q url.Values, look func(T) (id int64, at time.Time, ok bool)) (refs []ticket.NoteRef, err error) {
	q.Set("orderBy", "id desc")
	q.Set("pageSize", strconv.Itoa(noteSize))
	seen := map[int64]bool{}
	for page := 1; page <= notePages; page++ {
		var found []T
		q.Set("page", strconv.Itoa(page))
		err := s.get(ctx, path, q, &found)
		if err != nil && ticket.TroubleOf(err) == ticket.Gone {
			return nil, nil // what is written next will say so
		}
		if err != nil {
			return nil, err
		}
		for _, one := range found {
			if id, at, ok := look(one); ok && !seen[id] {
				seen[id] = true // a new one moves the others to the next page
				refs = append(refs, ticket.NoteRef{ID: number(id), At: at})
			}
		}
		if len(found) < noteSize {
			return refs, nil
		}
	}
	if len(refs) > 0 {
		return refs, nil
	}
	return nil, &ticket.Trouble{Kind: ticket.Down, Text: fmt.Sprintf("The ticket has more than %d notes, so it cannot be told whether ours is among them.", noteSize*notePages)}
}

// AddNote writes one note with one request.
func (s *system) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	if !ticket.ValidKey(n.Key) {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The note has no usable key."}
	}
	if !isID(ticketID) {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Gone, Text: "ConnectWise PSA has no ticket with such a number."}
	}
	body := note{Text: quiet(ticket.Marked(reach.Body(n.Body), n.Key)), InternalAnalysisFlag: !s.discuss, DetailDescriptionFlag: s.discuss}
	var made note
	_, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "service/tickets/" + ticketID + "/notes", Body: body, Into: &made, Writes: true})
	if err != nil {
		return ticket.NoteRef{}, err
	}
	if made.ID <= 0 {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Doubtful, Text: "ConnectWise PSA did not say which note it made."}
	}
	return ticket.NoteRef{ID: number(made.ID), At: made.DateCreated.Time}, nil
}

// quiet takes the links and pictures out of text: a note can be shown as
// Markdown, and what a requester typed must not load anything there.
func quiet(text string) string { return strings.ReplaceAll(text, "](", "] (") }
