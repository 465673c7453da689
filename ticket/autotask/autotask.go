// Package autotask connects Autotask PSA through its REST interface 1.0,
// without a library.
//
// A customer's company is a company there, by its number. A ticket is closed
// if its status is Complete, or one that the settings name, or if it has a
// completion date. Notes are published inside only and carry their key in
// their last line. The package stays far below the calls that all integrations
// of a database share, sends credentials to Autotask's own zones only, follows
// no address of a next page, and never repeats a request that writes.
package autotask

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// complete is the number of the status that is closed in every Autotask.
const complete = 5

// A system is one connected Autotask.
type system struct {
	settings
	front  *reach.Client // the finder of zones
	budget budget
	staff  staff

	mu    sync.Mutex
	zone  zone
	picks picks
}

var (
	_ ticket.System   = (*system)(nil)
	_ ticket.Checker  = (*system)(nil)
	_ ticket.Importer = (*system)(nil)
	_ ticket.Picker   = (*system)(nil)
)

const (
	most  = 500  // items of one answer, the most that Autotask sends
	batch = 200  // ids of one query; Autotask takes 500
	pages = 6    // answers of one list that are read
	shown = 1000 // tickets of a Page: each costs a reading of the list
)

// Limits reports what Autotask takes: notes of 5000 characters everywhere.
// The grace is longer than its front ends hold a request whose caller left.
func (s *system) Limits() ticket.Limits { return ticket.Limits{Body: 4800, Grace: 2 * time.Minute} }

// Close ends idle connections.
func (s *system) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.zone.client != nil {
		s.zone.client.Close()
	}
	return s.front.Close()
}

// Tickets lists the open tickets of a company, the newest first. Autotask
// sends the oldest first and cannot be asked otherwise, so all are read, up to
// some thousands, before a part of them is told.
func (s *system) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	company, ok := parseID(q.Company)
	before, cursorOK := parseID(q.Cursor)
	if !ok || q.Cursor != "" && !cursorOK {
		return ticket.Page{}, nil
	}
	filter := []filter{{Op: "eq", Field: "companyID", Value: company}}
	for _, status := range s.closed {
		filter = append(filter, is("noteq", "status", status))
	}
	if q.Cursor != "" {
		filter = append(filter, is("lt", "id", before))
	}
	if text := strings.TrimSpace(q.Text); text != "" {
		text = strings.ToValidUTF8(text[:min(len(text), 100)], "") // what is longer is compared here
		filter = append(filter, either(is("contains", "title", text), is("contains", "ticketNumber", text)))
	}
	found, err := readAll[record](ctx, s, "Tickets", filter, wanted)
	if err != nil {
		return ticket.Page{}, err
	}
	slices.SortFunc(found, func(a, b record) int { return int(b.ID - a.ID) })
	limit := q.Limit
	if limit <= 0 || limit > shown {
		limit = shown
	}
	var page ticket.Page
	for i, t := range s.shown(ctx, found) {
		switch {
		case !t.Open || q.Cursor != "" && found[i].ID >= before:
		case t.Company != q.Company:
			page.Foreign++
		case !matches(t, q.Text):
		case len(page.Tickets) == limit:
			page.Next = page.Tickets[limit-1].ID
			return page, nil
		default:
			page.Tickets = append(page.Tickets, t)
		}
	}
	return page, nil
}

// matches checks what the search let through.
func matches(t ticket.Ticket, text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return strings.Contains(strings.ToLower(t.Title), text) || strings.Contains(strings.ToLower(t.Number), text)
}

// Find reports the tickets with these ids.
func (s *system) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	found := make(map[string]ticket.Ticket, len(ids))
	var asked []int64
	for _, id := range ids {
		if n, ok := parseID(id); ok && n > 0 {
			asked = append(asked, n)
		}
	}
	if len(asked) == 0 {
		return found, nil
	}
	for part := range slices.Chunk(asked, batch) {
		records, err := readAll[record](ctx, s, "Tickets", []filter{{Op: "in", Field: "id", Value: part}}, wanted)
		if err != nil {
			return nil, err
		}
		for i, t := range s.shown(ctx, records) {
			if slices.Contains(part, records[i].ID) {
				found[t.ID] = t
			}
		}
	}
	return found, nil
}

// show makes a Ticket of what came. What has no status is not open.
func (s *system) show(r record, names map[int64]string) ticket.Ticket {
	t := ticket.Ticket{
		ID: number(r.ID), Number: reach.Clean(r.TicketNumber, 60), Title: reach.Clean(r.Title, 300), Status: names[r.Status],
		Open:         r.Status > 0 && r.CompletedDate.IsZero() && !slices.Contains(s.closed, r.Status),
		AcceptsNotes: true, // a completed ticket takes notes and stays completed
		OpenedAt:     r.CreateDate.Time, UpdatedAt: r.LastActivityDate.Time,
	}
	if t.Status == "" {
		t.Status = number(r.Status)
	}
	if r.CompanyID != nil {
		t.Company = number(*r.CompanyID)
	}
	if r.AssignedResourceID > 0 {
		t.Assignee = number(r.AssignedResourceID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.zone.web != "" {
		t.URL = s.zone.web + "/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenTicketDetail&TicketID=" + t.ID
	}
	return t
}
