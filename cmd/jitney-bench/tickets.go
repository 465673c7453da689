package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	simredmine "jitney/sim/redmine"
	simrt "jitney/sim/rt"
	"jitney/store"
	"jitney/ticket"
	"jitney/ticket/reach"
	"jitney/ticket/redmine"
	"jitney/ticket/rt"
)

// openTickets is how many open tickets the customer of the measurement has.
const openTickets = 1000

// A ticketBench is one ticket system that counts the calls it gets.
type ticketBench struct {
	name    string
	sys     ticket.System
	company string
	some    []string // ids of tickets
	calls   *atomic.Int64
	close   func()
}

// measureTickets measures the form's list of tickets, and counts the calls that one
// grant costs its ticket system. The systems are simulated, on loopback.
func measureTickets(ctx context.Context, o *options) error {
	fmt.Fprintf(o.out, "\n## Tickets: %d open tickets of one customer\n\n", openTickets)
	fmt.Fprintln(o.out, "| system | list, asked | list, known | search | calls for a list | calls for a grant | calls to watch 100 tickets |")
	fmt.Fprintln(o.out, "|---|---|---|---|---|---|---|")
	for _, make := range []func(context.Context) (*ticketBench, error){benchRT, benchRedmine} {
		b, err := make(ctx)
		if err != nil {
			return err
		}
		err = measureOne(ctx, o, b)
		b.close()
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

func measureOne(ctx context.Context, o *options, b *ticketBench) error {
	s, err := store.Open(ctx, filepath.Join(o.dir, b.name+".db"))
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Customers.SaveCustomer(ctx, access.Customer{ID: "c1", Name: "Customer", CreatedAt: time.Now()}); err != nil {
		return err
	}
	desks := func(context.Context, string) (ticket.System, string, string, error) {
		return b.sys, b.name, b.company, nil
	}
	brokers := broker.New(broker.Ports{People: s.People, Customers: s.Customers, Log: s.Log, Desks: desks, Shelf: s.Tickets})
	who := access.Person{ID: "p", Roles: []access.Role{access.Requester}, AllCustomers: true}
	list := func(q broker.TicketQuery) (time.Duration, int64, error) {
		began, before := time.Now(), b.calls.Load()
		l, err := brokers.Access.TicketList(ctx, who, "c1", q)
		if err == nil && (l.All != openTickets || l.Trouble != "") {
			err = fmt.Errorf("%d tickets: %s", l.All, l.Trouble)
		}
		return time.Since(began), b.calls.Load() - before, err
	}
	asked, pages, err := list(broker.TicketQuery{})
	if err != nil {
		return err
	}
	known, _, err := list(broker.TicketQuery{})
	if err != nil {
		return err
	}
	search, _, err := list(broker.TicketQuery{Text: "mailbox 77"})
	if err != nil {
		return err
	}
	grant, err := b.grant(ctx)
	if err != nil {
		return err
	}
	before := b.calls.Load()
	if _, err := b.sys.Find(ctx, b.some[:100]...); err != nil {
		return err
	}
	watch := b.calls.Load() - before
	fmt.Fprintf(o.out, "| %s | %s | %s | %s | %d | %d | %d |\n", b.name, asked.Round(time.Millisecond), known.Round(10*time.Microsecond), search.Round(10*time.Microsecond), pages, grant, watch)
	return nil
}

// grant does what one grant asks of its ticket system: the ticket is looked at
// when it is asked for and before it is given, and two notes are looked for and
// written.
func (b *ticketBench) grant(ctx context.Context) (int64, error) {
	before, id := b.calls.Load(), b.some[0]
	for range 2 {
		if _, err := b.sys.Find(ctx, id); err != nil {
			return 0, err
		}
	}
	for _, kind := range []string{"granted", "ended"} {
		key := "jitney:bench:" + kind + ":1"
		if _, err := b.sys.Notes(ctx, id, key); err != nil {
			return 0, err
		}
		if _, err := b.sys.AddNote(ctx, id, ticket.Note{Key: key, Subject: "Access", Body: "A note.\n[" + key + "]"}); err != nil {
			return 0, err
		}
	}
	return b.calls.Load() - before, nil
}

// serveTickets counts the calls of a simulated system.
func serveTickets(h http.Handler, b *ticketBench) string {
	b.calls = &atomic.Int64{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.calls.Add(1)
		h.ServeHTTP(w, r)
	}))
	b.close = srv.Close
	return srv.URL
}

func settingsFor(url, name, value string) ticket.Settings {
	return ticket.Settings{Values: map[string]string{"url": url}, Secrets: map[string]secret.Text{name: secret.New(value)}}
}

func benchRT(ctx context.Context) (b *ticketBench, err error) {
	b = &ticketBench{name: "Request Tracker"}
	s := simrt.New(simrt.Switches{})
	b.company = s.AddQueue("Customer")
	for i := range openTickets {
		b.some = append(b.some, s.AddTicket(b.company, fmt.Sprintf("Something about mailbox %d", i), ""))
	}
	in := settingsFor(serveTickets(s, b), "token", s.Token("jitney", true))
	in.Values["key_field"] = simrt.KeyField
	b.sys, err = rt.Kind(reach.Rules{Private: []string{"127.0.0.0/8"}}).Open(ctx, in)
	return b, err
}

func benchRedmine(ctx context.Context) (b *ticketBench, err error) {
	b = &ticketBench{name: "Redmine"}
	s := simredmine.New(simredmine.Switches{})
	b.company = s.AddProject("Customer", "")
	for i := range openTickets {
		b.some = append(b.some, s.AddIssue(b.company, fmt.Sprintf("Something about mailbox %d", i)))
	}
	in := settingsFor(serveTickets(s, b), "key", s.Key("jitney", []string{simredmine.AddNotes, simredmine.PrivateNotes}, b.company))
	b.sys, err = redmine.Kind(reach.Rules{Private: []string{"127.0.0.0/8"}}).Open(ctx, in)
	return b, err
}
