// Package rt connects Request Tracker 5 through its REST 2.0 interface: five
// calls, no library.
//
// A customer's company is a queue, by its number, or a value of a custom field
// of tickets. Notes are comments, which stay inside; never correspondence,
// which would go to the customer and reopen a resolved ticket. A note's key
// stands in an invisible custom field of its transaction where there is one,
// and in its last line always. The package never follows an address that a
// reply names, and never repeats a request that writes.
package rt

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A system is one connected Request Tracker.
type system struct {
	settings
	client *reach.Client
	self   ticket.Account

	mu   sync.Mutex
	keys map[string]time.Time // queue -> until when it is known to have the key field
}

var (
	_ ticket.System   = (*system)(nil)
	_ ticket.Checker  = (*system)(nil)
	_ ticket.Importer = (*system)(nil)
	_ ticket.Picker   = (*system)(nil)
)

const (
	most  = 100 // items of one answer; RT caps it there without a word
	batch = 50  // ids of one search, so that its address stays short
)

// Limits reports what Request Tracker takes. It stores notes of many
// megabytes; nobody reads them. The grace is longer than a proxy and the
// queue of its web server hold a request whose caller left.
func (s *system) Limits() ticket.Limits { return ticket.Limits{Body: 32 << 10, Grace: 2 * time.Minute} }

// Close ends idle connections.
func (s *system) Close() error { return s.client.Close() }

// Tickets lists the open tickets of a company, the newest first. A page goes
// on below the last number of the one before it, so that tickets which open or
// close in between leave no gap.
func (s *system) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	company, ok := s.companyClause(q.Company)
	if !ok {
		return ticket.Page{}, nil
	}
	query := company + " AND Status = '__Active__'"
	if text := strings.TrimSpace(q.Text); text != "" {
		query += textClause(text)
	}
	if isID(q.Cursor) {
		query += " AND id < " + q.Cursor
	} else if q.Cursor != "" {
		return ticket.Page{}, nil
	}
	limit := q.Limit
	if limit <= 0 || limit > most {
		limit = most
	}
	found, err := s.search(ctx, query, limit)
	if err != nil {
		return ticket.Page{}, err
	}
	var page ticket.Page
	for _, t := range found.Items {
		shown, ok := s.show(t)
		switch {
		case !ok:
		case shown.Company != q.Company:
			page.Foreign++
		case matches(shown, q.Text):
			shown.Open = true
			page.Tickets = append(page.Tickets, shown)
		}
	}
	if n := len(found.Items); found.NextPage != "" && n > 0 && isID(string(found.Items[n-1].ID)) {
		page.Next = string(found.Items[n-1].ID)
	}
	return page, nil
}

// matches checks what the database's own pattern matching let through.
func matches(t ticket.Ticket, text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return strings.Contains(strings.ToLower(t.Title), text) || t.Number == strings.TrimPrefix(text, "#")
}

// Find reports the tickets with these ids. Whether one is open is for Request
// Tracker to say, for every queue can have statuses of its own. A merged
// ticket is told with the company and the state of the one it became a part
// of; a deleted one is missing.
func (s *system) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	found := make(map[string]ticket.Ticket, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !isID(id) })
	for part := range slices.Chunk(ids, batch) {
		if err := s.gather(ctx, found, part, true); err != nil {
			return nil, err
		}
		rest := slices.DeleteFunc(slices.Clone(part), func(id string) bool { _, ok := found[id]; return ok })
		if len(rest) == 0 {
			continue
		}
		if err := s.gather(ctx, found, rest, false); err != nil {
			return nil, err
		}
		for _, id := range rest {
			if _, ok := found[id]; ok {
				continue
			}
			if err := s.follow(ctx, found, id); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// gather adds to found those of ids which are open, or those that are there
// at all. A search leaves out what was merged or deleted.
func (s *system) gather(ctx context.Context, found map[string]ticket.Ticket, ids []string, open bool) error {
	query := "(id = " + strings.Join(ids, " OR id = ") + ")"
	if open {
		query += " AND Status = '__Active__'"
	}
	answer, err := s.search(ctx, query, batch)
	if err != nil {
		return err
	}
	for _, t := range answer.Items {
		if shown, ok := s.show(t); ok && slices.Contains(ids, shown.ID) {
			shown.Open = open
			found[shown.ID] = shown
		}
	}
	return nil
}

// follow adds the ticket to found if it was merged into another.
func (s *system) follow(ctx context.Context, found map[string]ticket.Ticket, id string) error {
	into, err := s.effective(ctx, id)
	switch kind := ticket.TroubleOf(err); {
	case err != nil && (kind == ticket.Gone || kind == ticket.Forbidden):
		return nil
	case err != nil:
		return err
	case into == id: // deleted, or new since the search
		return nil
	}
	there := map[string]ticket.Ticket{}
	for _, open := range []bool{true, false} {
		if err := s.gather(ctx, there, []string{into}, open); err != nil {
			return err
		}
		if t, ok := there[into]; ok {
			t.ID, t.Number, t.MergedInto = id, id, into
			found[id] = t
			break
		}
	}
	return nil
}

// effective reports the id of the ticket that id stands for now: its own,
// unless it was merged.
func (s *system) effective(ctx context.Context, id string) (string, error) {
	var t one
	if _, err := s.get(ctx, "ticket/"+id, nil, &t); err != nil {
		return "", err
	}
	if !isID(string(t.ID)) {
		return "", s.odd("a ticket without a number")
	}
	return string(t.ID), nil
}

// show makes a Ticket of what came; Open is left to the caller.
func (s *system) show(t one) (ticket.Ticket, bool) {
	id := string(t.ID)
	if !isID(id) {
		return ticket.Ticket{}, false
	}
	shown := ticket.Ticket{
		ID: id, Number: id, Title: reach.Clean(t.Subject, 300), Company: string(t.Queue.ID), Status: reach.Clean(t.Status, 60),
		AcceptsNotes: true, // a resolved ticket takes comments and stays resolved
		URL:          s.client.URL("Ticket/Display.html", url.Values{"id": {id}}.Encode()),
		OpenedAt:     t.Created.UTC(), UpdatedAt: t.LastUpdated.UTC(),
	}
	if owner := reach.Clean(string(t.Owner.ID), 200); owner != "Nobody" {
		shown.Assignee = owner
	}
	if s.companyField != "" {
		shown.Company = ""
		if values := t.custom(s.companyField); len(values) == 1 {
			shown.Company = values[0]
		}
	}
	return shown, true
}

// search runs one search for tickets.
func (s *system) search(ctx context.Context, query string, limit int) (list[one], error) {
	fields := "Subject,Status,Queue,Created,LastUpdated,Owner"
	if s.companyField != "" {
		fields += ",CustomFields"
	}
	var found list[one]
	_, err := s.get(ctx, "tickets", url.Values{
		"query": {query}, "fields": {fields}, "orderby": {"id"}, "order": {"DESC"}, "per_page": {strconv.Itoa(limit)},
	}, &found)
	return found, err
}

func (s *system) get(ctx context.Context, path string, q url.Values, into any) (reach.Answer, error) {
	return s.client.Do(ctx, reach.Call{Method: http.MethodGet, Path: root + path, Query: q, Into: into})
}

func (s *system) odd(what string) error {
	return &ticket.Trouble{Kind: ticket.Down, Text: "Request Tracker answered with " + what + ".", Err: fmt.Errorf("rt: %s", what)}
}
