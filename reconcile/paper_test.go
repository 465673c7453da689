package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/ticket"
)

// A paper is a ticket system that outlives the program, keeps notes without
// any regard for doubles, and goes wrong as planned.
type paper struct {
	fault   func(call int) paperFault
	latency func() time.Duration
	grace   time.Duration
	finds   int // that it affords in a minute

	mu       sync.Mutex
	tickets  map[string]ticket.Ticket
	notes    map[string][]ticket.Note // by ticket, in the order in which they landed
	calls    int
	downTill time.Time
	found    int                               // tickets that were looked for
	notThere int                               // tickets that were looked for in vain
	refuse   func(ticket.Note) *ticket.Trouble // if set, why it does not take a note; nil for those that it takes
	odd      string                            // id of a ticket at which every question fails
	late     sync.WaitGroup
}

type paperFault int

const (
	paperFine     paperFault = iota
	paperLost                // the request never arrives
	paperDoneLost            // it takes effect, and the answer is lost
	paperLate                // it takes effect when the caller has given up
)

func newPaper() *paper {
	return &paper{grace: 40 * time.Second, tickets: map[string]ticket.Ticket{}, notes: map[string][]ticket.Note{}}
}

func (p *paper) open(id, company string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tickets[id] = ticket.Ticket{ID: id, Number: "N-" + id, Title: "Ticket " + id, Company: company, Open: true, AcceptsNotes: true}
}

func (p *paper) setOpen(id string, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tickets[id]
	t.Open = open
	p.tickets[id] = t
}

// hangAfter has the system answer n more calls, and then none for a day.
func (p *paper) hangAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := 0
	p.latency = func() time.Duration {
		if calls++; calls <= n {
			return 0
		}
		return 24 * time.Hour
	}
}

// wait is how long the next call takes.
func (p *paper) wait() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latency == nil {
		return 0
	}
	return p.latency()
}

func (p *paper) begin(ctx context.Context) error {
	if d := p.wait(); d > 0 {
		select {
		case <-ctx.Done():
			return &ticket.Trouble{Kind: ticket.Doubtful, Text: "No answer.", Err: ctx.Err()}
		case <-time.After(d):
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.downTill) {
		return &ticket.Trouble{Kind: ticket.Down, Text: "The ticket system is down."}
	}
	return nil
}

func (p *paper) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	if err := p.begin(ctx); err != nil {
		return ticket.Page{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var page ticket.Page
	for _, t := range p.tickets {
		if t.Company == q.Company && t.Open {
			page.Tickets = append(page.Tickets, t)
		}
	}
	return page, nil
}

func (p *paper) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found += len(ids)
	found := map[string]ticket.Ticket{}
	for _, id := range ids {
		if id == p.odd {
			return nil, &ticket.Trouble{Kind: ticket.Down, Text: "Failed (status 500)."}
		}
		if t, ok := p.tickets[id]; ok {
			found[id] = t
		} else {
			p.notThere++
		}
	}
	return found, nil
}

func (p *paper) Notes(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var refs []ticket.NoteRef
	for i, n := range p.notes[ticketID] {
		if ticket.Carries(n.Body, key) { // as real systems do, which know of no keys
			refs = append(refs, ticket.NoteRef{ID: fmt.Sprint(i + 1)})
		}
	}
	return refs, nil
}

func (p *paper) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	if err := p.begin(ctx); err != nil {
		return ticket.NoteRef{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		if trouble := p.refuse(n); trouble != nil {
			return ticket.NoteRef{}, trouble
		}
	}
	p.calls++
	fault := paperFine
	if p.fault != nil {
		fault = p.fault(p.calls)
	}
	doubt := &ticket.Trouble{Kind: ticket.Doubtful, Text: "No answer.", Err: errors.New("connection reset by peer")}
	land := func() { p.notes[ticketID] = append(p.notes[ticketID], n) }
	switch fault {
	case paperLost:
		return ticket.NoteRef{}, doubt
	case paperLate:
		p.late.Go(func() {
			time.Sleep(20 * time.Second)
			p.mu.Lock()
			defer p.mu.Unlock()
			land()
		})
		return ticket.NoteRef{}, doubt
	case paperDoneLost:
		land()
		return ticket.NoteRef{}, doubt
	}
	land()
	return ticket.NoteRef{ID: fmt.Sprint(len(p.notes[ticketID]))}, nil
}

func (p *paper) Limits() ticket.Limits {
	return ticket.Limits{Body: 32 << 10, Grace: p.grace, Finds: p.finds}
}

// keys lists the keys of the notes that landed on a ticket, in order.
func (p *paper) keys(ticketID string) (keys []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.notes[ticketID] {
		keys = append(keys, keysOf(n)...)
	}
	return keys
}

// keysOf lists the keys in the last line of a note: its own, and before that
// those of the notes that it brought along.
func keysOf(n ticket.Note) (keys []string) {
	last := n.Body[strings.LastIndexByte(n.Body, '\n')+1:]
	for word := range strings.FieldsSeq(last) {
		keys = append(keys, strings.Trim(word, "[]"))
	}
	return keys
}

func (p *paper) all() (notes []ticket.Note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ns := range p.notes {
		notes = append(notes, slices.Clone(ns)...)
	}
	return notes
}
