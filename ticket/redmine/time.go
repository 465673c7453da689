package redmine

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"jitney/ticket"
	"jitney/ticket/reach"
)

var (
	_ ticket.Timer  = (*system)(nil)
	_ ticket.Mover  = (*system)(nil)
	_ ticket.Picker = (*system)(nil)
)

// An entry is one of time, as it comes.
type entry struct {
	ID        ident
	Issue     ref
	User      ref
	Comments  string
	CreatedOn stamp `json:"created_on"`
}

const (
	entryPages = 20
	comment    = 255 // letters of what an entry says; newer ones take 1024
)

// Times reports the entries of time of a ticket that carry key. Those of
// others are not seen by everybody, ours are.
func (s *system) Times(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	if !isID(ticketID) || !ticket.ValidKey(key) {
		return nil, nil
	}
	seen := map[ident]bool{}
	for page := range entryPages {
		var found struct {
			Entries []entry `json:"time_entries"`
		}
		q := url.Values{"issue_id": {ticketID}, "limit": {strconv.Itoa(most)}, "offset": {strconv.Itoa(page * most)}}
		if _, err := s.get(ctx, "time_entries.json", q, &found); err != nil {
			if ticket.TroubleOf(err) == ticket.Gone {
				return nil, nil // what is booked next will say so
			}
			return nil, err
		}
		for _, e := range found.Entries {
			if string(e.Issue.ID) != ticketID || !ticket.Carries(e.Comments, key) || seen[e.ID] {
				continue
			}
			if ours, err := s.self.Wrote(ctx, string(e.User.ID), s.myID); err != nil {
				return nil, err
			} else if ours {
				seen[e.ID] = true
				refs = append(refs, ticket.NoteRef{ID: string(e.ID), At: e.CreatedOn.UTC()})
			}
		}
		if len(found.Entries) < most {
			return refs, nil
		}
	}
	if len(refs) > 0 {
		return refs, nil
	}
	return nil, &ticket.Trouble{Kind: ticket.Down, Text: fmt.Sprintf("The ticket has more than %d entries of time, so it cannot be told whether ours is among them.", entryPages*most)}
}

// BookTime writes one entry of time with one request that writes. Without the
// right to see entries Redmine shows none and says nothing, so that one whose
// answer was lost would be booked again; it looks at the rights before.
func (s *system) BookTime(ctx context.Context, ticketID string, e ticket.TimeEntry) (ticket.NoteRef, error) {
	if !isID(ticketID) {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Gone, Text: "Redmine has no ticket of that number."}
	}
	if !ticket.ValidKey(e.Key) || e.Minutes <= 0 {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The entry of time has no usable key, or no time."}
	}
	if err := s.mayBook(ctx, ticketID); err != nil {
		return ticket.NoteRef{}, err
	}
	body := map[string]any{"issue_id": json.Number(ticketID), "spent_on": e.From.UTC().Format("2006-01-02"), "hours": math.Round(float64(e.Minutes)/60*100) / 100, "comments": short(e.Text, e.Key)}
	if s.activity != "" {
		body["activity_id"] = json.Number(s.activity)
	}
	var made struct {
		Entry entry `json:"time_entry"`
	}
	a, err := s.client.Do(ctx, reach.Call{Method: http.MethodPost, Path: "time_entries.json", Body: map[string]any{"time_entry": body}, Into: &made, Writes: true})
	switch {
	case err != nil && ticket.TroubleOf(err) == ticket.Rejected && a.Status >= 400:
		var said struct{ Errors []string }
		_ = json.Unmarshal(a.Body, &said)
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "Redmine does not take the entry of time: " + reach.Clean(strings.Join(said.Errors, ", "), 200), Err: err}
	case err != nil:
		return ticket.NoteRef{}, err
	case !isID(string(made.Entry.ID)):
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Doubtful, Text: "Redmine did not say which entry of time it made."}
	}
	return ticket.NoteRef{ID: string(made.Entry.ID), At: made.Entry.CreatedOn.UTC()}, nil
}

// short is text in one line, as long as Redmine takes, that ends with its key.
func short(text, key string) string {
	mark := " [" + key + "]"
	text, _, _ = strings.Cut(text, "["+key)
	return reach.Clean(text, max(comment-1-len(mark), 0)) + mark
}

// mayBook makes sure that time can be booked on a ticket, and seen again.
func (s *system) mayBook(ctx context.Context, ticketID string) error {
	i, err := s.issue(ctx, ticketID, false)
	if err != nil {
		return before(err)
	}
	me, err := s.me(ctx)
	if err != nil {
		return before(err)
	}
	all, err := s.permissions(ctx, me, string(i.Project.ID))
	if err != nil {
		return before(err)
	}
	if !me.Admin && !(slices.Contains(all, "log_time") && slices.Contains(all, "view_time_entries")) {
		return &ticket.Trouble{Kind: ticket.Forbidden, Text: "No time was booked. The account of this connection needs the permissions Log spent time and View spent time in the project."}
	}
	return nil
}

// Options reports what can be chosen for a field of the settings.
func (s *system) Options(ctx context.Context, field string) (all []ticket.Option, err error) {
	if field != fieldActivity {
		return nil, nil
	}
	var found struct {
		Activities []struct {
			ref
			Active *bool
		} `json:"time_entry_activities"`
	}
	_, err = s.get(ctx, "enumerations/time_entry_activities.json", nil, &found)
	for _, a := range found.Activities {
		if isID(string(a.ID)) && (a.Active == nil || *a.Active) {
			all = append(all, ticket.Option{Value: string(a.ID), Title: reach.Clean(a.Name, 100)})
		}
	}
	return all, err
}
