// Package desk is the ticket system for those who have no other: tickets kept
// in jitney's own database, opened and closed on a page of jitney itself.
//
// It keeps the contract of package ticket on top of a few methods of the
// store. It never opens a database and never changes a ticket; it only adds
// notes, each key once, to open and to closed tickets alike, so that the proof
// of an end always finds its place.
package desk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/ticket"
)

// Connection is the ID of the one connection of this kind; grants keep it as
// the system of their ticket.
const Connection = "desk"

// A Store keeps the tickets and notes of the desk. Reads of what does not
// exist are *access.Error of Kind access.NotFound.
type Store interface {
	// DeskTickets lists the tickets of a customer, newest first; closed ones
	// only if asked for.
	DeskTickets(ctx context.Context, customer string, closed bool) ([]access.DeskTicket, error)
	DeskTicket(ctx context.Context, id string) (access.DeskTicket, error)
	DeskNotes(ctx context.Context, ticketID string) ([]access.DeskNote, error) // oldest first
	// AddDeskNote stores n with an ID and the time of the store. If its ticket
	// already has a note with that Key, nothing is stored and that one is
	// answered, so a key is never there twice.
	AddDeskNote(ctx context.Context, n access.DeskNote) (access.DeskNote, error)
}

// A System is the built-in desk. A customer's company in it is the customer's
// own ID.
type System struct {
	Store Store
	// URL makes the address of a ticket's page for people; nil for none.
	URL func(ticketID string) string
}

var (
	_ ticket.System  = System{}
	_ ticket.Checker = System{}
)

// limit is the most tickets of one page, and of one that asks for no number.
const limit = 200

// Tickets lists the open tickets of a customer, newest first. Without a
// company it lists none, so that a missing mapping never shows everything.
func (s System) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	if q.Company == "" {
		return ticket.Page{}, nil
	}
	all, err := s.Store.DeskTickets(ctx, q.Company, false)
	if err != nil {
		return ticket.Page{}, trouble(err)
	}
	all = slices.DeleteFunc(all, func(t access.DeskTicket) bool {
		return !t.ClosedAt.IsZero() || t.Customer != q.Company || !matches(t, q.Text)
	})
	if i := slices.IndexFunc(all, func(t access.DeskTicket) bool { return t.ID == q.Cursor }); i >= 0 {
		all = all[i+1:]
	}
	var page ticket.Page
	n := min(cmp.Or(max(q.Limit, 0), limit), limit)
	if len(all) > n {
		all = all[:n]
		page.Next = all[n-1].ID
	}
	for _, t := range all {
		page.Tickets = append(page.Tickets, s.show(t))
	}
	return page, nil
}

// Find reports the tickets with these ids, closed ones too.
func (s System) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	found := make(map[string]ticket.Ticket, len(ids))
	for _, id := range ids {
		t, err := s.Store.DeskTicket(ctx, id)
		switch {
		case err == nil:
			found[id] = s.show(t)
		case access.KindOf(err) != access.NotFound:
			return nil, trouble(err)
		}
	}
	return found, nil
}

// Notes reports the note of a ticket that carries key.
func (s System) Notes(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	notes, err := s.Store.DeskNotes(ctx, ticketID)
	if err != nil && access.KindOf(err) != access.NotFound {
		return nil, trouble(err)
	}
	var refs []ticket.NoteRef
	for _, n := range notes {
		if n.Key == key && key != "" {
			refs = append(refs, ticket.NoteRef{ID: n.ID, At: n.At})
		}
	}
	return refs, nil
}

// AddNote writes a note. A key that the ticket already carries is not written
// again; the note that is there is answered.
func (s System) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	if len(n.Body) > s.Limits().Body {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The note is too long for the desk."}
	}
	if _, err := s.Store.DeskTicket(ctx, ticketID); err != nil {
		return ticket.NoteRef{}, trouble(err)
	}
	stored, err := s.Store.AddDeskNote(ctx, access.DeskNote{Ticket: ticketID, Key: n.Key, Subject: n.Subject, Body: n.Body})
	if err != nil {
		return ticket.NoteRef{}, trouble(err)
	}
	return ticket.NoteRef{ID: stored.ID, At: stored.At}, nil
}

// Limits reports what the desk takes. An answer from our own database that is
// lost leaves nothing behind that could still land, so there is no grace.
func (s System) Limits() ticket.Limits {
	return ticket.Limits{Body: 64 << 10, Grace: 0}
}

// Check reports that the desk needs no connection.
func (s System) Check(context.Context) ([]access.Finding, error) {
	return []access.Finding{{Level: "ok", What: "Tickets are kept in jitney's own database."}}, nil
}

func (s System) show(t access.DeskTicket) ticket.Ticket {
	shown := ticket.Ticket{
		ID: t.ID, Number: t.Number, Title: t.Title, Company: t.Customer,
		Status: "Open", Open: true, AcceptsNotes: true, OpenedAt: t.OpenedAt, UpdatedAt: latest(t.OpenedAt, t.UpdatedAt),
	}
	if !t.ClosedAt.IsZero() {
		shown.Status, shown.Open = "Closed", false
	}
	if s.URL != nil {
		shown.URL = s.URL(t.ID)
	}
	return shown
}

func matches(t access.DeskTicket, text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return strings.Contains(strings.ToLower(t.Number), text) || strings.Contains(strings.ToLower(t.Title), text)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// trouble says what an error of the store means to the caller. Our own
// database either stored a note or did not, and the same key is safe to try
// again, so nothing is doubtful.
func trouble(err error) error {
	if access.KindOf(err) == access.NotFound {
		return &ticket.Trouble{Kind: ticket.Gone, Text: "The desk has no such ticket.", Err: err}
	}
	return &ticket.Trouble{Kind: ticket.Down, Text: "The desk's tickets cannot be read or written right now.", Err: fmt.Errorf("desk: %w", err)}
}
