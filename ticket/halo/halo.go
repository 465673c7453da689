// Package halo connects HaloPSA through its REST interface, without a library.
//
// A customer's company is a client there, by its number. Halo logs the
// connection in as an agent and tells it nothing of what that agent may not
// see. A ticket is open if Halo lists it as open and it has neither a closed
// status nor a closing date. A note is a private action that mails nobody and
// carries its key in its last line. The package sends credentials to the two
// hosts in its settings only, and never repeats a request that writes.
package halo

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

// closedStatus is the number of the status that is closed in every Halo.
const closedStatus = 9

// A system is one connected Halo.
type system struct {
	settings
	client *reach.Client
	issuer *reach.Issuer

	mu     sync.Mutex
	names  map[int64]string // of statuses
	readAt time.Time
	agents map[int64]agent
}

var (
	_ ticket.System   = (*system)(nil)
	_ ticket.Checker  = (*system)(nil)
	_ ticket.Importer = (*system)(nil)
	_ ticket.Picker   = (*system)(nil)
)

const (
	most  = 100 // items of one answer, the most that Halo sends
	batch = 50  // ids of one query
)

// Limits reports what Halo takes. No length of a note is documented; nobody
// reads longer ones. The grace is longer than its front ends hold a request
// whose caller left.
func (s *system) Limits() ticket.Limits { return ticket.Limits{Body: 16 << 10, Grace: 2 * time.Minute} }

// Close ends idle connections.
func (s *system) Close() error {
	_ = s.issuer.Close()
	return s.client.Close()
}

// Tickets lists the open tickets of a company, the newest first. Pages are
// numbered, so a ticket that closes in between can hide another one until the
// list is read again.
func (s *system) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	company, ok := parseID(q.Company)
	at, cursorOK := parseCursor(q.Cursor, q.Limit)
	if !ok || !cursorOK {
		return ticket.Page{}, nil
	}
	query := url.Values{"client_id": {number(company)}, "open_only": {"true"}}
	text := strings.TrimSpace(q.Text)
	if text != "" {
		query.Set("search", strings.ToValidUTF8(text[:min(len(text), 100)], ""))
	}
	found, err := s.list(ctx, query, at)
	if err != nil {
		return ticket.Page{}, err
	}
	var page ticket.Page
	names := s.statusNames(ctx)
	nameAgents(ctx, s, found.items)
	for _, r := range found.items {
		t := s.show(r, names)
		switch {
		case r.ID <= 0 || !s.mayBeOpen(r):
		case t.Company != q.Company:
			page.Foreign++
		case matches(t, text):
			t.Open = true
			page.Tickets = append(page.Tickets, t)
		}
	}
	page.Next = found.next
	if _, ok := parseID(strings.TrimPrefix(text, "#")); ok && at.page == 1 { // a search looks at words
		err = s.addNumber(ctx, &page, q.Company, strings.TrimPrefix(text, "#"), at.size)
	}
	slices.SortStableFunc(page.Tickets, func(a, b ticket.Ticket) int { return b.OpenedAt.Compare(a.OpenedAt) })
	return page, err
}

// addNumber adds the ticket with a number to a page that does not hold it.
func (s *system) addNumber(ctx context.Context, page *ticket.Page, company, id string, size int) error {
	if slices.ContainsFunc(page.Tickets, func(t ticket.Ticket) bool { return t.ID == id }) || len(page.Tickets) >= size {
		return nil
	}
	found, err := s.Find(ctx, id)
	if t, ok := found[id]; ok && t.Open && t.Company == company {
		page.Tickets = append(page.Tickets, t)
	}
	return err
}

// matches checks what the search let through, which looks at more than titles.
func matches(t ticket.Ticket, text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(strings.ToLower(t.Title), text) || t.Number == strings.TrimPrefix(text, "#")
}

// Find reports the tickets with these ids. Halo is asked for those that are
// open among them, and for the others apart.
func (s *system) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	found := make(map[string]ticket.Ticket, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, ok := parseID(id); return !ok })
	names := map[int64]string{}
	if len(ids) > 0 {
		names = s.statusNames(ctx)
	}
	for part := range slices.Chunk(ids, batch) {
		for _, open := range []bool{true, false} {
			rest := slices.DeleteFunc(slices.Clone(part), func(id string) bool { _, ok := found[id]; return ok })
			if len(rest) == 0 {
				continue
			}
			q := url.Values{"ticketids": {strings.Join(rest, ",")}}
			if open {
				q.Set("open_only", "true")
			} else {
				q.Set("includeclosed", "true")
			}
			answer, err := s.list(ctx, q, cursor{page: 1, size: most})
			if err != nil {
				return nil, err
			}
			nameAgents(ctx, s, answer.items)
			for _, r := range answer.items {
				if t := s.show(r, names); slices.Contains(rest, t.ID) {
					t.Open = open && s.mayBeOpen(r)
					found[t.ID] = t
				}
			}
		}
		if err := s.follow(ctx, found, part, names); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// follow reads one by one what a query did not tell, for no document promises
// what its filters do; a ticket must not count as gone because of them.
func (s *system) follow(ctx context.Context, found map[string]ticket.Ticket, ids []string, names map[int64]string) error {
	for _, id := range ids {
		if _, ok := found[id]; ok {
			continue
		}
		r, err := s.read(ctx, id)
		switch kind := ticket.TroubleOf(err); {
		case err == nil:
			one := []record{r}
			nameAgents(ctx, s, one)
			t := s.show(one[0], names)
			t.Open = s.mayBeOpen(r)
			found[id] = t
		case kind != ticket.Gone && kind != ticket.Forbidden: // those may not be seen
			return err
		}
	}
	return nil
}

// read reads one ticket; it is Gone if it does not exist or may not be seen.
func (s *system) read(ctx context.Context, id string) (r record, err error) {
	_, err = s.do(ctx, reach.Call{Method: http.MethodGet, Path: "api/Tickets/" + id, Into: &r})
	if err == nil && number(r.ID) != id {
		err = trouble(ticket.Gone, "Halo has no such ticket, or does not show it to the agent of the connection.", nil)
	}
	return r, err
}

// mayBeOpen reports whether nothing in a ticket says that it is closed.
func (s *system) mayBeOpen(r record) bool {
	return !r.Inactive && r.DateClosed.Year() < 1901 && !slices.Contains(s.closed, r.StatusID)
}

// show makes a Ticket of what came; Open is left to the caller.
func (s *system) show(r record, names map[int64]string) ticket.Ticket {
	t := ticket.Ticket{
		ID: number(r.ID), Number: number(r.ID), Title: reach.Clean(r.Summary, 300), Status: reach.Clean(r.StatusName, 60),
		AcceptsNotes: true, // a closed ticket takes private actions and stays closed
		URL:          s.client.URL("ticket", url.Values{"id": {number(r.ID)}}.Encode()),
		OpenedAt:     r.DateOccurred.Time, UpdatedAt: r.LastActionDate.Time,
		Assignee: reach.Clean(r.AgentName, 100),
	}
	if t.Status == "" {
		t.Status = names[r.StatusID]
	}
	if t.Assignee == "" && r.AgentID > 1 { // 1 is the agent called Unassigned
		t.Assignee = strconv.FormatInt(r.AgentID, 10)
	}
	if r.ClientID > 0 {
		t.Company = number(r.ClientID)
	}
	return t
}
