package desk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/desk"
	"jitney/ticket/tickettest"
)

// memory is a desk.Store that behaves, in memory.
type memory struct {
	mu      sync.Mutex
	tickets []access.DeskTicket
	notes   []access.DeskNote
	broken  error // what every call answers, if set
}

func (m *memory) DeskTickets(ctx context.Context, customer string, closed bool) ([]access.DeskTicket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []access.DeskTicket
	for _, t := range slices.Backward(m.tickets) {
		if t.Customer == customer && (closed || t.ClosedAt.IsZero()) {
			list = append(list, t)
		}
	}
	return list, m.broken
}

func (m *memory) DeskTicket(ctx context.Context, id string) (access.DeskTicket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return access.DeskTicket{}, m.broken
	}
	for _, t := range m.tickets {
		if t.ID == id {
			return t, ctx.Err()
		}
	}
	return access.DeskTicket{}, &access.Error{Kind: access.NotFound, Text: "There is no such ticket."}
}

func (m *memory) DeskNotes(ctx context.Context, ticketID string) ([]access.DeskNote, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []access.DeskNote
	for _, n := range m.notes {
		if n.Ticket == ticketID {
			list = append(list, n)
		}
	}
	return list, m.broken
}

func (m *memory) AddDeskNote(ctx context.Context, n access.DeskNote) (access.DeskNote, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, old := range m.notes {
		if n.Key != "" && old.Ticket == n.Ticket && old.Key == n.Key {
			return old, nil
		}
	}
	n.ID, n.At = fmt.Sprint(len(m.notes)+1), time.Now()
	m.notes = append(m.notes, n)
	return n, m.broken
}

func (m *memory) open(t *testing.T, company, title string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := fmt.Sprintf("t%d", len(m.tickets)+1)
	m.tickets = append(m.tickets, access.DeskTicket{
		ID: id, Number: fmt.Sprint(1000 + len(m.tickets)), Customer: company, Title: title, OpenedAt: time.Now()})
	return id
}

func (m *memory) close(t *testing.T, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.tickets {
		if m.tickets[i].ID == id {
			m.tickets[i].ClosedAt = time.Now()
		}
	}
}

func TestContract(t *testing.T) {
	tickettest.Run(t, func(t *testing.T) tickettest.Desk {
		m := &memory{}
		return tickettest.Desk{System: desk.System{Store: m}, Company: "aviary", Other: "bakery", Open: m.open, Close: m.close, UniqueKeys: true}
	})
}

func TestDesk(t *testing.T) {
	m := &memory{}
	id := m.open(t, "aviary", "The printer")
	s := desk.System{Store: m, URL: func(id string) string { return "https://jitney.example/desk/" + id }}

	t.Run("a closed ticket still takes the note that access has ended", func(t *testing.T) {
		m.close(t, id)
		if _, err := s.AddNote(t.Context(), id, ticket.Note{Key: "jitney:g:ended:1", Body: "gone"}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a ticket links to its page", func(t *testing.T) {
		found, err := s.Find(t.Context(), id)
		if err != nil || found[id].URL != "https://jitney.example/desk/"+id {
			t.Errorf("Find: %+v, %v", found, err)
		}
	})
	t.Run("an endless note is refused, not cut", func(t *testing.T) {
		_, err := s.AddNote(t.Context(), id, ticket.Note{Key: "k", Body: string(make([]byte, 1<<20))})
		if ticket.TroubleOf(err) != ticket.Rejected {
			t.Errorf("AddNote: %v", err)
		}
	})
	t.Run("a database that does not answer is down, never a missing ticket", func(t *testing.T) {
		m.broken = errors.New("disk full")
		if _, err := s.Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Down {
			t.Errorf("Find: %v; want it down", err)
		}
	})
}
