// Package kaseyabms connects Kaseya BMS, and Pulseway PSA, which speaks the
// same, through version 2 of its REST interface: five calls, no library.
//
// A customer's company is an account there, by its number. BMS documents no
// order and no filter closely enough to lean on, so what it lists is looked at
// again here: account, state and title. It wraps every answer, and tells of
// failures in answers with status 200. A note is an internal one, mails nobody
// and carries its key in its last line. The package never repeats a request
// that writes.
package kaseyabms

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A system is one connected BMS.
type system struct {
	settings
	client *reach.Client
	issuer *issuer
	budget budget
}

var (
	_ ticket.System   = (*system)(nil)
	_ ticket.Checker  = (*system)(nil)
	_ ticket.Importer = (*system)(nil)
	_ ticket.Picker   = (*system)(nil)
)

const (
	most  = 1000 // tickets of a Page: each costs a reading of the list
	size  = 500  // items that are asked for at once; BMS may send fewer
	pages = 20   // answers of one list that are read
)

// Limits reports what BMS takes. No length of a note is documented; nobody
// reads longer ones. The grace is longer than its front ends hold a request
// whose caller left.
func (s *system) Limits() ticket.Limits {
	return ticket.Limits{Body: 16 << 10, Grace: 2 * time.Minute, Finds: 10}
}

// Close ends idle connections.
func (s *system) Close() error {
	s.issuer.client.Close()
	return s.client.Close()
}

// A filter says which tickets are listed, in BMS's own words.
type filter struct {
	AccountIDs       string `json:"AccountIds,omitempty"`
	ExcludeCompleted int    `json:"ExcludeCompleted,omitempty"`
	Title            string `json:"Title,omitempty"`
	TicketNumber     string `json:"TicketNumber,omitempty"`
}

// Tickets lists the open tickets of an account, the newest first. BMS does not
// say in which order it sends them, so all are read, up to some thousands,
// before a part of them is told.
func (s *system) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	company, ok := parseID(q.Company)
	before, cursorOK := parseID(q.Cursor)
	if !ok || q.Cursor != "" && !cursorOK {
		return ticket.Page{}, nil
	}
	found, err := s.search(ctx, filter{AccountIDs: number(company), ExcludeCompleted: 1}, strings.TrimSpace(q.Text))
	if err != nil {
		return ticket.Page{}, err
	}
	slices.SortFunc(found, func(a, b record) int { return int(b.ID - a.ID) })
	limit := q.Limit
	if limit <= 0 || limit > most {
		limit = most
	}
	var page ticket.Page
	for _, r := range found {
		t := s.show(r)
		switch {
		case !t.Open || q.Cursor != "" && r.ID >= before:
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

// search reads the tickets that f lets through, and of them those that have
// text in title or number, and maybe more. It is not known whether BMS looks
// for a part of a title or a whole one, so that if it finds none all are read.
func (s *system) search(ctx context.Context, f filter, text string) ([]record, error) {
	if text == "" {
		return s.list(ctx, f)
	}
	text = strings.TrimPrefix(text, "#")
	text = strings.ToValidUTF8(text[:min(len(text), 100)], "")
	byTitle, byNumber := f, f
	byTitle.Title, byNumber.TicketNumber = text, text
	found, err := s.list(ctx, byTitle)
	if err != nil {
		return nil, err
	}
	more, err := s.list(ctx, byNumber)
	if err != nil {
		return nil, err
	}
	for _, r := range more {
		if !slices.ContainsFunc(found, func(o record) bool { return o.ID == r.ID }) {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return s.list(ctx, f)
	}
	return found, nil
}

// matches checks what the search let through.
func matches(t ticket.Ticket, text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return strings.Contains(strings.ToLower(t.Title), text) || strings.Contains(strings.ToLower(t.Number), strings.TrimPrefix(text, "#"))
}

// list reads the tickets that f lets through. An answer that says that there
// are some and holds none is not believed.
func (s *system) list(ctx context.Context, f filter) (all []record, err error) {
	seen := map[int64]bool{}
	for page := 1; page <= pages; page++ {
		var found []record
		body := map[string]any{"PageSize": size, "PageNumber": page, "Filter": f}
		total, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "v2/servicedesk/tickets/search", Body: body, Into: &found})
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, r := range found {
			if r.ID > 0 && !seen[r.ID] {
				seen[r.ID] = true
				all = append(all, r)
			}
		}
		switch {
		case page == 1 && len(found) == 0 && total > 0:
			return nil, trouble(ticket.Down, fmt.Sprintf("Kaseya BMS says that there are %d tickets, and sends none.", total), nil)
		case len(all) == before || len(all) >= total && total > 0:
			return all, nil
		}
	}
	return all, nil
}

// Find reports the tickets with these ids. BMS has no call for several.
func (s *system) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	found := make(map[string]ticket.Ticket, len(ids))
	for _, id := range ids {
		if _, ok := parseID(id); !ok {
			continue
		}
		r, err := s.read(ctx, id)
		switch kind := ticket.TroubleOf(err); {
		case err == nil:
			found[id] = s.show(r)
		case kind != ticket.Gone && kind != ticket.Forbidden: // those may not be seen
			return nil, err
		}
	}
	return found, nil
}

// read reads one ticket; it is Gone if it does not exist or may not be seen.
func (s *system) read(ctx context.Context, id string) (r record, err error) {
	_, err = s.do(ctx, reach.Call{Method: http.MethodGet, Path: "v2/servicedesk/tickets/" + id, Into: &r})
	if err == nil && number(r.ID) != id {
		err = trouble(ticket.Gone, "Kaseya BMS has no such ticket, or does not show it to the user of the connection.", nil)
	}
	return r, err
}

// show makes a Ticket of what came. One that was completed is closed, unless
// it was opened again since; so is one with a status that counts as closed.
// What has no status is not open.
func (s *system) show(r record) ticket.Ticket {
	completed := !r.CompletedDate.IsZero() && !r.ReOpenedDate.After(r.CompletedDate.Time)
	t := ticket.Ticket{
		ID: number(r.ID), Number: reach.Clean(r.TicketNumber, 60), Title: reach.Clean(r.Title, 300), Status: reach.Clean(r.StatusName, 60),
		Open:         r.StatusID > 0 && !completed && !strings.EqualFold(r.StatusName, completedName) && !slices.Contains(s.closed, r.StatusID),
		AcceptsNotes: true, // a completed ticket takes notes, and without a status they leave it as it is
		OpenedAt:     r.OpenDate.Time, UpdatedAt: r.LastActivityUpdate.Time,
		Assignee: reach.Clean(r.AssigneeName, 100),
	}
	if t.Number == "" {
		t.Number = t.ID
	}
	if t.OpenedAt.IsZero() {
		t.OpenedAt = r.CreatedOn.Time
	}
	if r.AccountID > 0 {
		t.Company = number(r.AccountID)
	}
	return t
}
