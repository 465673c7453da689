package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	simautotask "jitney/sim/autotask"
	simconnectwise "jitney/sim/connectwise"
	simfreshdesk "jitney/sim/freshdesk"
	simhalo "jitney/sim/halo"
	simkaseya "jitney/sim/kaseyabms"
	simredmine "jitney/sim/redmine"
	simrt "jitney/sim/rt"
	simservicenow "jitney/sim/servicenow"
	"jitney/store"
	"jitney/ticket"
	"jitney/ticket/autotask"
	"jitney/ticket/connectwise"
	"jitney/ticket/freshdesk"
	"jitney/ticket/halo"
	"jitney/ticket/kaseyabms"
	"jitney/ticket/reach"
	"jitney/ticket/redmine"
	ticketrt "jitney/ticket/rt"
	"jitney/ticket/servicenow"
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
	for _, p := range patterns() {
		b, err := p.start(ctx)
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

// A pattern is one simulated ticket system, and how to connect to it.
type pattern struct {
	name    string
	kind    ticket.Kind
	handler http.Handler
	values  map[string]string
	secrets map[string]secret.Text
	company string
	add     func(title string) string
}

// patterns are all ticket systems that can be connected, with one customer
// each.
func patterns() []pattern {
	here, key := reach.Rules{Private: []string{"127.0.0.0/8"}}, secret.New("Key0001")
	rt, rm := simrt.New(simrt.Switches{}), simredmine.New(simredmine.Switches{})
	cw, at, ha := simconnectwise.New(simconnectwise.Switches{}, key), simautotask.New(simautotask.Switches{}, key), simhalo.New(simhalo.Switches{}, key)
	fr, sn, ka := simfreshdesk.New(simfreshdesk.Switches{}, key), simservicenow.New(simservicenow.Switches{}, key), simkaseya.New(simkaseya.Switches{}, key)
	queue, project, a, b := rt.AddQueue("Customer"), rm.AddProject("Customer", ""), cw.AddCompany("Customer"), at.AddCompany("Customer", 1)
	c, d, e, f := ha.AddClient("Customer"), fr.AddCompany("Customer"), sn.AddCompany("Customer"), ka.AddAccount("Customer")
	type values = map[string]string
	type secrets = map[string]secret.Text
	return []pattern{
		{"Request Tracker", ticketrt.Kind(here), rt, values{"key_field": simrt.KeyField}, secrets{"token": secret.New(rt.Token("jitney", true))},
			queue, func(title string) string { return rt.AddTicket(queue, title, "") }},
		{"Redmine", redmine.Kind(here), rm, nil, secrets{"key": secret.New(rm.Key("jitney", []string{simredmine.AddNotes, simredmine.PrivateNotes}, project))},
			project, func(title string) string { return rm.AddIssue(project, title) }},
		{"ConnectWise PSA", connectwise.Kind(here), cw, values{"company": simconnectwise.Company, "public_key": simconnectwise.PublicKey},
			secrets{"private_key": key, "client_id": secret.New(simconnectwise.ClientID)}, a, func(title string) string { return cw.AddTicket(a, 1, title) }},
		{"Autotask PSA", autotask.Kind(here), at, values{"user": simautotask.User}, secrets{"secret": key, "code": secret.New(simautotask.Code)},
			b, func(title string) string { return at.AddTicket(b, title) }},
		{"HaloPSA", halo.Kind(here), ha, values{"tenant": simhalo.Tenant, "client_id": simhalo.ClientID}, secrets{"client_secret": key},
			c, func(title string) string { return ha.AddTicket(c, title) }},
		{"Freshdesk", freshdesk.Kind(here), fr, nil, secrets{"key": key}, d, func(title string) string { return fr.AddTicket(d, title) }},
		{"ServiceNow", servicenow.Kind(here), sn, values{"user": simservicenow.User}, secrets{"password": key}, e, func(title string) string { return sn.AddTicket(e, title) }},
		{"Kaseya BMS", kaseyabms.Kind(here), ka, values{"company": simkaseya.Tenant, "user": simkaseya.User, "note_type": "3"}, secrets{"password": key},
			f, func(title string) string { return ka.AddTicket(f, title) }},
	}
}

// start serves the system with its tickets, and counts its calls.
func (p pattern) start(ctx context.Context) (b *ticketBench, err error) {
	b = &ticketBench{name: p.name, company: p.company, calls: &atomic.Int64{}}
	for i := range openTickets {
		b.some = append(b.some, p.add(fmt.Sprintf("Something about mailbox %d", i)))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.calls.Add(1)
		p.handler.ServeHTTP(w, r)
	}))
	in := ticket.Settings{Values: map[string]string{"url": srv.URL}, Secrets: p.secrets}
	maps.Copy(in.Values, p.values)
	b.close = srv.Close
	if b.sys, err = p.kind.Open(ctx, in); err != nil {
		srv.Close()
	}
	return b, err
}
