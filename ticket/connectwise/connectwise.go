// Package connectwise connects ConnectWise PSA through its REST interface 3.0,
// without a library.
//
// A customer's company is a company there, by its number. Conditions are made
// of numbers only, but for the search for text. Whether a ticket is closed is
// for the closedFlag to say, which ConnectWise derives from the ticket's board;
// names of statuses are not looked at. A note goes to Internal Analysis and
// carries its key in its last line; so does an entry of time. The package never sends credentials to a
// host that a reply named, and never repeats a request that writes.
package connectwise

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A system is one connected ConnectWise PSA.
type system struct {
	settings
	site, api *reach.Client

	mu       sync.Mutex
	codebase string
	askedAt  time.Time
}

var (
	_ ticket.System   = (*system)(nil)
	_ ticket.Checker  = (*system)(nil)
	_ ticket.Importer = (*system)(nil)
	_ ticket.Picker   = (*system)(nil)
)

const (
	most  = 100 // tickets of one answer; ConnectWise would send up to 1000
	batch = 50  // ids of one condition, so that the address stays short
)

// Limits reports what ConnectWise takes. No length of a note is documented;
// nobody reads longer ones. The grace is longer than its front ends hold a
// request whose caller left.
func (s *system) Limits() ticket.Limits { return ticket.Limits{Body: 16 << 10, Grace: 2 * time.Minute} }

// Close ends idle connections.
func (s *system) Close() error {
	s.site.Close()
	return s.api.Close()
}

// Tickets lists the open tickets of a company, the newest first. A page goes
// on below the last number of the one before it, so that tickets which open or
// close in between leave no gap. Tickets merged into others are left out.
func (s *system) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	if !isID(q.Company) || q.Cursor != "" && !isID(q.Cursor) {
		return ticket.Page{}, nil
	}
	conditions := "closedFlag=false and company/id=" + q.Company
	if q.Cursor != "" {
		conditions += " and id<" + q.Cursor
	}
	conditions += search(q.Text)
	limit := q.Limit
	if limit <= 0 || limit > most {
		limit = most
	}
	found, err := s.list(ctx, conditions, limit)
	if err != nil {
		return ticket.Page{}, err
	}
	var page ticket.Page
	for _, r := range found {
		t := s.show(r)
		switch {
		case r.ID <= 0 || !t.Open || r.MergedParentTicket.ID > 0:
		case t.Company != q.Company:
			page.Foreign++
		case matches(t, q.Text):
			page.Tickets = append(page.Tickets, t)
		}
	}
	if n := len(found); n >= limit && found[n-1].ID > 0 {
		if page.Next = number(found[n-1].ID); page.Next == q.Cursor {
			page.Next = "" // it does not heed the condition, and would never end
		}
	}
	page.Tickets = page.Tickets[:min(len(page.Tickets), limit)]
	return page, nil
}

// search is the part of a condition that looks for text. It may find more
// than asked for; see matches.
func search(text string) string {
	text = strings.TrimPrefix(strings.TrimSpace(text), "#")
	part := plain(text[:min(len(text), 100)])
	switch {
	case isID(text):
		return ` and (id=` + text + ` or summary contains "` + text + `")`
	case part != "":
		return ` and summary contains "` + part + `"`
	}
	return ""
}

// matches checks what the search let through.
func matches(t ticket.Ticket, text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return strings.Contains(strings.ToLower(t.Title), text) || t.Number == strings.TrimPrefix(text, "#")
}

// Find reports the tickets with these ids. A merged ticket is told with the
// company and the state of the one that it became a part of.
func (s *system) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	found := make(map[string]ticket.Ticket, len(ids))
	records, err := s.read(ctx, ids)
	if err != nil {
		return nil, err
	}
	var parents []string
	for id, r := range records {
		found[id] = s.show(r)
		if r.MergedParentTicket.ID > 0 {
			parents = append(parents, number(r.MergedParentTicket.ID))
		}
	}
	if len(parents) == 0 {
		return found, nil
	}
	slices.Sort(parents)
	above, err := s.read(ctx, slices.Compact(parents))
	if err != nil {
		return nil, err
	}
	for id, r := range records {
		if r.MergedParentTicket.ID <= 0 {
			continue
		}
		t := found[id]
		t.MergedInto, t.Open = number(r.MergedParentTicket.ID), false
		if p, ok := above[t.MergedInto]; ok && p.MergedParentTicket.ID <= 0 { // one step is enough to follow
			whole := s.show(p)
			t.Company, t.Open, t.Status = whole.Company, whole.Open, whole.Status
		}
		found[id] = t
	}
	return found, nil
}

// read reads tickets, as many in one call as the address can hold.
func (s *system) read(ctx context.Context, ids []string) (map[string]record, error) {
	records := make(map[string]record, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !isID(id) })
	for part := range slices.Chunk(ids, batch) {
		found, err := s.list(ctx, "id in ("+strings.Join(part, ",")+")", len(part))
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			if id := number(r.ID); slices.Contains(part, id) {
				records[id] = r
			}
		}
	}
	return records, nil
}

func (s *system) list(ctx context.Context, conditions string, size int) (found []record, err error) {
	err = s.get(ctx, "service/tickets", url.Values{
		"conditions": {conditions}, "orderBy": {"id desc"}, "pageSize": {strconv.Itoa(size)}, "page": {"1"}, "fields": {wanted},
	}, &found)
	return found, err
}

// show makes a Ticket of what came.
func (s *system) show(r record) ticket.Ticket {
	id := number(r.ID)
	t := ticket.Ticket{
		ID: id, Number: id, Title: reach.Clean(r.Summary, 300), Status: reach.Clean(r.Status.Name, 60),
		Open:         r.ClosedFlag != nil && !*r.ClosedFlag,
		AcceptsNotes: true, // a closed ticket takes notes and stays closed
		OpenedAt:     r.Info.DateEntered.Time, UpdatedAt: r.Info.LastUpdated.Time,
		Assignee: reach.Clean(r.Owner.Identifier, 100),
	}
	if r.Company.ID > 0 {
		t.Company = number(r.Company.ID)
	}
	if t.Assignee == "" {
		first, _, _ := strings.Cut(r.Resources, ",")
		t.Assignee = reach.Clean(first, 100)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.codebase != "" {
		t.URL = s.site.URL(s.codebase+"/services/system_io/Service/fv_sr100_request.rails", url.Values{"service_recid": {id}, "companyName": {s.company}}.Encode())
	}
	return t
}
