package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/ticket"
)

// EventForeign is the kind of the record that a ticket system answered with
// tickets of others than was asked for.
const EventForeign = "connection.foreign"

const (
	listPatience = 2 * time.Second  // for which a form waits for a ticket system
	listFresh    = 30 * time.Second // for which an answer is not asked for again
	listSpare    = 10 * time.Second // for which one that did not answer is not asked again
	listLong     = 25 * time.Second // for which a system may go on answering when nobody waits any more
	listMost     = 1000             // tickets of one list
	listPages    = 20               // calls for one list
	foreignEvery = time.Hour        // how often it is told that a system answers with others' tickets
)

// Shelf keeps what ticket systems told last, so that a slow one holds nobody
// up, on every replica and over restarts.
type Shelf interface {
	TicketList(ctx context.Context, connection, company string) (access.TicketList, error) // without ReadAt if it was never asked
	SetTicketList(ctx context.Context, l access.TicketList) error
	DropTicketLists(ctx context.Context, connection string) error
	Choices(ctx context.Context, connection string) ([]access.Choices, error)
	SetChoices(ctx context.Context, all ...access.Choices) error
}

// A TicketQuery asks for open tickets of one customer.
type TicketQuery struct {
	Text    string // part of number or title; empty for all
	Refresh bool   // asks the ticket system, however lately it was asked
	Chosen  string // id or number of the one that was chosen before; it is told also if it does not match
}

// A TicketList is the open tickets of one customer, newest first.
type TicketList struct {
	Tickets []access.OpenTicket // that match
	Chosen  access.OpenTicket   // the one that was chosen before; empty if it is not known
	All     int                 // how many are known
	More    bool                // there are more than those that are known
	ReadAt  time.Time           // when the ticket system told; zero: never
	Trouble string              // why that is not just now; empty if it is
}

// TicketList lists open tickets of a customer for the form. It asks the ticket
// system and waits two seconds at most; a slow or dead one is answered for by
// what it told last. What does not belong to the customer, or is not open, is
// left out whatever the system says.
func (a *Access) TicketList(ctx context.Context, who access.Person, customer string, q TicketQuery) (TicketList, error) {
	if err := allow(who, access.Requester); err != nil {
		return TicketList{}, err
	}
	if _, err := a.Customers.Customer(ctx, customer); err != nil {
		return TicketList{}, hide(err)
	}
	if !asks(who, customer) {
		return TicketList{}, notFound()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sys, connection, company, err := a.Desks(ctx, customer)
	if err != nil {
		if ctx.Err() != nil {
			return TicketList{}, context.Cause(ctx)
		}
		return TicketList{Trouble: troubleOf(err)}, nil
	}
	known, err := a.lists.read(ctx, sys, connection, company, q.Refresh)
	if ctx.Err() != nil {
		return TicketList{}, context.Cause(ctx)
	}
	l := TicketList{All: len(known.Tickets), More: known.More, ReadAt: known.ReadAt}
	if err != nil {
		l.Trouble = troubleOf(err)
	}
	for _, t := range known.Tickets {
		if q.Chosen != "" && (t.ID == q.Chosen || l.Chosen.ID == "" && strings.TrimPrefix(t.Number, "#") == strings.TrimPrefix(q.Chosen, "#")) {
			l.Chosen = t
		}
	}
	text := clip(strings.TrimSpace(q.Text), 200)
	l.Tickets = matching(known.Tickets, text)
	if text != "" && known.More && err == nil {
		l.Tickets = a.lists.search(ctx, sys, connection, company, text, l.Tickets)
	}
	return l, nil
}

// troubleOf is why a ticket system did not list its tickets, for people.
func troubleOf(err error) string {
	if errors.Is(err, errSlow) {
		return "The ticket system is slow to answer."
	}
	if e, ok := errors.AsType[*access.Error](err); ok && e.Kind == access.Invalid { // such as a customer that is not mapped
		return strings.TrimSpace(e.Text + " " + e.Hint)
	}
	if t, ok := errors.AsType[*ticket.Trouble](err); ok && t.Kind == ticket.Throttled {
		return "The ticket system asks for fewer questions at the moment."
	}
	return "The ticket system did not answer."
}

func matching(all []access.OpenTicket, text string) []access.OpenTicket {
	text = strings.ToLower(strings.TrimPrefix(text, "#"))
	if text == "" {
		return all
	}
	var out []access.OpenTicket
	for _, t := range all {
		if strings.Contains(strings.ToLower(t.Number), text) || strings.Contains(strings.ToLower(t.Title), text) {
			out = append(out, t)
		}
	}
	return out
}

var errSlow = errors.New("the ticket system has not answered yet")

// A lister reads the lists of tickets, one call at a time for each.
type lister struct {
	shelf Shelf // nil to remember nothing
	log   Log
	// connections is where it is found that a system answers wrongly; nil for
	// the log alone.
	connections ConnectionStore

	mu     sync.Mutex
	asking map[string]*asking   // also those that failed a moment ago
	told   map[string]time.Time // when foreign tickets were told of, by connection
}

// An asking is a list that is being read.
type asking struct {
	began time.Time
	done  chan struct{}
	list  access.TicketList
	err   error
}

// read reads the list of a company. With an error it is what was told before,
// if anything was.
func (l *lister) read(ctx context.Context, sys ticket.System, connection, company string, refresh bool) (access.TicketList, error) {
	var known access.TicketList
	if l.shelf != nil && connection != BuiltInDesk {
		var err error
		if known, err = l.shelf.TicketList(ctx, connection, company); err != nil {
			return known, err
		}
		age := time.Since(known.ReadAt)
		if age < listFresh && !refresh || age < listPatience {
			return known, nil
		}
	}
	asked := l.ask(ctx, sys, connection, company, refresh)
	patience := time.NewTimer(max(0, listPatience-time.Since(asked.began))) // nobody waits again for what others have waited for
	if refresh {
		patience.Reset(listPatience)
	}
	defer patience.Stop()
	select {
	case <-asked.done:
		if asked.err == nil {
			return asked.list, nil
		}
		return known, asked.err
	case <-patience.C:
		return known, errSlow
	case <-ctx.Done():
		return known, ctx.Err()
	}
}

// ask has the list read, or joins those who wait for it already. It goes on
// when they have left, so that the next one finds it.
func (l *lister) ask(ctx context.Context, sys ticket.System, connection, company string, refresh bool) *asking {
	l.mu.Lock()
	defer l.mu.Unlock()
	edition := int64(0)
	if e, ok := ticket.As[ticket.Editioned](sys); ok {
		edition = e.Edition()
	}
	key := fmt.Sprint(connection, "\x00", company, "\x00", edition)
	if one, ok := l.asking[key]; ok && one.joins(refresh) && time.Since(one.began) < listLong+listSpare {
		return one
	}
	one := &asking{began: time.Now(), done: make(chan struct{})}
	if l.asking == nil {
		l.asking = map[string]*asking{}
	}
	l.asking[key] = one
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listLong)
	go func() {
		defer cancel()
		one.list, one.err = l.fetch(ctx, sys, connection, company)
		one.list.Edition = edition
		if one.err == nil && l.shelf != nil && connection != BuiltInDesk {
			_ = l.shelf.SetTicketList(ctx, one.list) // without it the next one asks again
		}
		close(one.done)
		if one.err != nil {
			time.Sleep(listSpare)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.asking[key] == one {
			delete(l.asking, key)
		}
	}()
	return one
}

// joins reports whether whoever asks now may take the outcome of o: while it is
// awaited, and after a failure, unless a person wants it tried again.
func (o *asking) joins(refresh bool) bool {
	select {
	case <-o.done:
		return o.err != nil && !refresh
	default:
		return true
	}
}

// fetch asks for all open tickets of a company, page by page.
func (l *lister) fetch(ctx context.Context, sys ticket.System, connection, company string) (access.TicketList, error) {
	list := access.TicketList{Connection: connection, Company: company, ReadAt: time.Now().UTC()}
	seen, foreign, cursor := map[string]bool{}, 0, ""
	for range listPages {
		page, err := sys.Tickets(ctx, ticket.Query{Company: company, Cursor: cursor, Limit: listMost})
		if err != nil && len(list.Tickets) == 0 {
			return list, err
		}
		if list.More = err != nil || page.Next != ""; err != nil {
			break
		}
		var others int
		list.Tickets, others = keep(page, company, seen, list.Tickets)
		foreign += others
		if cursor = page.Next; cursor == "" || len(list.Tickets) >= listMost {
			break
		}
	}
	if len(list.Tickets) > listMost {
		list.Tickets, list.More = list.Tickets[:listMost], true
	}
	l.foreign(ctx, connection, foreign)
	return list, nil
}

// keep takes over of a page what belongs to company and is open, and reports
// how many did not belong to it.
func keep(page ticket.Page, company string, seen map[string]bool, into []access.OpenTicket) (all []access.OpenTicket, foreign int) {
	foreign = page.Foreign
	for _, t := range page.Tickets {
		switch {
		case t.Company != company:
			foreign++
		case !t.Open || t.ID == "" || len(t.ID) > 200 || seen[t.ID]:
		default:
			seen[t.ID] = true
			into = append(into, access.OpenTicket{ID: t.ID, Number: clip(t.Number, 100), Title: clip(t.Title, 300), Status: clip(t.Status, 60),
				URL: t.URL, Assignee: clip(t.Assignee, 200), OpenedAt: t.OpenedAt, UpdatedAt: t.UpdatedAt})
		}
	}
	return into, foreign
}

// search asks for tickets that are not among those that are known.
func (l *lister) search(ctx context.Context, sys ticket.System, connection, company, text string, known []access.OpenTicket) []access.OpenTicket {
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	page, err := sys.Tickets(ctx, ticket.Query{Company: company, Text: text, Limit: 100})
	if err != nil {
		return known
	}
	seen := map[string]bool{}
	for _, t := range known {
		seen[t.ID] = true
	}
	all, foreign := keep(page, company, seen, known[:len(known):len(known)])
	l.foreign(ctx, connection, foreign)
	return all
}

// foreign tells that a system answered with tickets of others.
func (l *lister) foreign(ctx context.Context, connection string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n == 0 || time.Since(l.told[connection]) < foreignEvery {
		return
	}
	if l.told == nil {
		l.told = map[string]time.Time{}
	}
	l.told[connection] = time.Now()
	text := fmt.Sprintf("The ticket system listed %d tickets of other companies than the one that was asked for. They were left out.", n)
	e := access.Event{At: time.Now().UTC(), Kind: EventForeign, Actor: "jitney", Subject: connection, Text: text}
	if l.connections != nil {
		one, err := l.connections.Connection(ctx, connection)
		told := slices.ContainsFunc(one.Findings, func(f access.Finding) bool { return strings.HasSuffix(f.What, "They were left out.") })
		if err == nil && !told {
			one.Findings = append(one.Findings, access.Finding{Level: "warning", What: text, Fix: "Look at what the account of this connection may see, and at the settings."})
			if _, err := l.connections.SaveConnection(ctx, one, nil, e); err == nil {
				return
			}
		}
	}
	_ = l.log.Write(ctx, e)
}
