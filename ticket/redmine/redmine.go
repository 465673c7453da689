// Package redmine connects Redmine through its REST interface, without a
// library.
//
// A customer's company is a project, by its number and without its
// subprojects. Notes are private ones, found again by their last line, for
// Redmine answers a new note with nothing at all. It also drops in silence
// what the account may not do, even the word that a note is private, so the
// package looks at the account's rights before it writes and reads the note
// back afterwards. It never repeats a request that writes.
package redmine

import (
	"context"
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

// A system is one connected Redmine.
type system struct {
	settings
	client *reach.Client
	self   ticket.Account

	mu       sync.Mutex
	rights   map[string]time.Time // project -> until when we are known to have the right to private notes
	statuses map[string]bool      // id -> closed, for a Redmine that does not say it with the ticket
}

var (
	_ ticket.System   = (*system)(nil)
	_ ticket.Checker  = (*system)(nil)
	_ ticket.Importer = (*system)(nil)
)

const most = 100 // items of one answer; Redmine caps it there without a word

// Limits reports what Redmine takes: some databases hold 64 KiB of a note.
func (s *system) Limits() ticket.Limits { return ticket.Limits{Body: 32 << 10, Grace: 2 * time.Minute} }

// Close ends idle connections.
func (s *system) Close() error { return s.client.Close() }

// Tickets lists the open tickets of a project, the newest first. A page goes
// on below the last number of the one before it.
func (s *system) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	text := strings.TrimSpace(q.Text)
	if !isID(q.Company) || q.Cursor != "" && !isID(q.Cursor) || len(text) > 200 {
		return ticket.Page{}, nil
	}
	limit := q.Limit
	if limit <= 0 || limit > most {
		limit = most
	}
	var page ticket.Page
	if number := strings.TrimPrefix(text, "#"); isID(number) && q.Cursor == "" { // there is no search for number or title
		found, err := s.Find(ctx, number)
		if err != nil {
			return ticket.Page{}, err
		}
		if t := found[number]; t.Company == q.Company && t.Open {
			page.Tickets = append(page.Tickets, t)
		}
	}
	f := filters{}
	f.add("status_id", "o")
	f.add("subproject_id", "!*")
	if q.Cursor != "" {
		n, _ := strconv.Atoi(q.Cursor)
		f.add("issue_id", "<=", strconv.Itoa(n-1))
	}
	if text != "" {
		f.add("subject", "~", text)
	}
	found, err := s.issues(ctx, "projects/"+q.Company+"/issues.json", f.values(), limit)
	if ticket.TroubleOf(err) == ticket.Gone && err != nil { // no such project, or not ours to see
		return page, nil
	}
	if err != nil {
		return ticket.Page{}, err
	}
	if err := s.fill(ctx, &page, found, q, limit); err != nil {
		return ticket.Page{}, err
	}
	return page, nil
}

// fill adds to page what was found, of the company only.
func (s *system) fill(ctx context.Context, page *ticket.Page, found []issue, q ticket.Query, limit int) error {
	text := strings.ToLower(strings.TrimSpace(q.Text))
	for _, i := range found {
		t, ok, err := s.show(ctx, i)
		if err != nil {
			return err
		}
		switch {
		case !ok || !t.Open:
		case t.Company != q.Company:
			page.Foreign++
		case len(page.Tickets) > 0 && page.Tickets[0].ID == t.ID: // found by its number already
		case strings.Contains(strings.ToLower(t.Title), text):
			page.Tickets = append(page.Tickets, t)
		}
	}
	if n := len(found); n >= limit && isID(string(found[n-1].ID)) {
		page.Next = string(found[n-1].ID)
	}
	if len(page.Tickets) > limit {
		page.Tickets = page.Tickets[:limit]
		page.Next = page.Tickets[limit-1].ID
	}
	return nil
}

// Find reports the tickets with these ids, wherever they are by now.
func (s *system) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	all := make(map[string]ticket.Ticket, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !isID(id) })
	for part := range slices.Chunk(ids, most) {
		found, err := s.issues(ctx, "issues.json", url.Values{"issue_id": {strings.Join(part, ",")}, "status_id": {"*"}}, most)
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			t, ok, err := s.show(ctx, i)
			if err != nil {
				return nil, err
			}
			if ok && slices.Contains(part, t.ID) {
				all[t.ID] = t
			}
		}
	}
	return all, nil
}

// show makes a Ticket of what came.
func (s *system) show(ctx context.Context, i issue) (ticket.Ticket, bool, error) {
	id := string(i.ID)
	if !isID(id) {
		return ticket.Ticket{}, false, nil
	}
	closed, err := s.closed(ctx, i)
	return ticket.Ticket{
		ID: id, Number: id, Title: reach.Clean(i.Subject, 300), Company: string(i.Project.ID), Status: reach.Clean(i.Status.Name, 60), Open: !closed,
		AcceptsNotes: true, // a closed one takes notes and stays closed
		URL:          s.client.URL("issues/"+id, ""), Assignee: reach.Clean(i.AssignedTo.Name, 200),
		OpenedAt: i.CreatedOn.UTC(), UpdatedAt: i.UpdatedOn.UTC(),
	}, err == nil, err
}

// closed reports whether the status of a ticket closes it. Redmine before 5
// does not say that with the ticket.
func (s *system) closed(ctx context.Context, i issue) (bool, error) {
	if i.Status.IsClosed != nil {
		return *i.Status.IsClosed, nil
	}
	s.mu.Lock()
	closed, known := s.statuses[string(i.Status.ID)]
	s.mu.Unlock()
	if known {
		return closed, nil
	}
	all, err := allStatuses(ctx, s)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses = map[string]bool{}
	for _, st := range all {
		s.statuses[string(st.ID)] = st.IsClosed
	}
	closed, known = s.statuses[string(i.Status.ID)]
	return closed || !known, nil
}

func (s *system) issues(ctx context.Context, path string, q url.Values, limit int) ([]issue, error) {
	q.Set("sort", "id:desc")
	q.Set("limit", strconv.Itoa(limit))
	var found struct{ Issues []issue }
	_, err := s.get(ctx, path, q, &found)
	return found.Issues, err
}

func (s *system) get(ctx context.Context, path string, q url.Values, into any) (reach.Answer, error) {
	return s.client.Do(ctx, reach.Call{Method: http.MethodGet, Path: path, Query: q, Into: into})
}
