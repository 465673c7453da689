package connectwise

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

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

// Notes reports the notes of a ticket that carry key. Every note is read, for
// one that is missed would be written again.
func (s *system) Notes(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	if !isID(ticketID) || !ticket.ValidKey(key) {
		return nil, nil
	}
	seen := map[int64]bool{}
	for page := 1; page <= notePages; page++ {
		var found []note
		err := s.get(ctx, "service/tickets/"+ticketID+"/notes", url.Values{
			"orderBy": {"id desc"}, "pageSize": {strconv.Itoa(noteSize)}, "page": {strconv.Itoa(page)},
		}, &found)
		if err != nil && ticket.TroubleOf(err) == ticket.Gone {
			return nil, nil // the note that follows will say so
		}
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			if ticket.Carries(n.Text, key) && !seen[n.ID] {
				seen[n.ID] = true // a new note moves the others to the next page
				refs = append(refs, ticket.NoteRef{ID: number(n.ID), At: n.DateCreated.Time})
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
