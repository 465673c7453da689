package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	simconnectwise "jitney/sim/connectwise"
	"jitney/target"
	"jitney/target/fake"
	"jitney/ticket"
)

// deskGrace is the grace of these trials, much longer than their late requests
// need and much shorter than that of real desks.
const deskGrace = time.Second

// A hasty is a System whose late requests come sooner than those of the real
// one can.
type hasty struct{ ticket.System }

func (h hasty) Limits() ticket.Limits {
	return ticket.Limits{Body: h.System.Limits().Body, Grace: deskGrace}
}

func (h hasty) Unwrap() ticket.System { return h.System }

// hasten has the program open its ticket systems as hasty ones.
func hasten(p *program) {
	for i, kind := range p.tickets.kinds {
		p.tickets.kinds[i].Open = func(ctx context.Context, s ticket.Settings) (ticket.System, error) {
			sys, err := kind.Open(ctx, s)
			return hasty{sys}, err
		}
	}
}

// An office is an installation with one customer, one practice target and one
// technician, whose tickets are in a simulated ConnectWise PSA. The target and
// the tickets outlive the program and its database.
type office struct {
	t     *testing.T
	data  string
	desk  *simconnectwise.Server
	url   string
	realm *fake.Realm

	mu     sync.Mutex
	before func() // if set, done before the desk is asked to take a note

	p    *program
	b    *broker.Broker
	stop func() // the loops, and the program

	admin, tech              access.Person
	customer, target, ticket string
	connection               access.Connection
}

var officeKey = secret.New("Key0001")

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, data: t.TempDir(), desk: simconnectwise.New(simconnectwise.Switches{}, officeKey), realm: fake.NewRealm()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		before := o.before
		o.mu.Unlock()
		if before != nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/notes") {
			before()
		}
		o.desk.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	o.url = server.URL
	ctx := t.Context()
	o.open()
	o.admin = access.Person{ID: "local:test", Login: "test", Roles: []access.Role{access.Administrator}, AllCustomers: true}
	o.b = o.p.brokers(localPeople{o.p.store.People, o.admin})
	customer, err := o.b.Places.SaveCustomer(ctx, o.admin, access.Customer{Name: "Aviary"})
	must(t, err)
	where, err := o.b.Places.SaveTarget(ctx, o.admin, broker.TargetInput{Customer: customer.ID, Kind: fake.Name, Name: "Practice", Values: map[string]string{"domain": "practice.example"}})
	must(t, err)
	o.tech, err = o.b.People.Save(ctx, o.admin, broker.PersonInput{Login: "tech@msp.example", Name: "Tech", Roles: []access.Role{access.Requester}, AllCustomers: true})
	must(t, err)
	o.customer, o.target = customer.ID, where.ID
	company := o.desk.AddCompany("Aviary")
	o.ticket = o.desk.AddTicket(company, 1, "The printer")
	o.connection, err = o.b.Tickets.Save(ctx, o.admin, broker.ConnectionInput{Kind: "connectwise",
		Values:  map[string]string{"url": o.url, "company": simconnectwise.Company, "public_key": simconnectwise.PublicKey},
		Secrets: map[string]secret.Text{"private_key": officeKey, "client_id": secret.New(simconnectwise.ClientID)}})
	must(t, err)
	must(t, o.b.Tickets.Choose(ctx, o.admin, o.connection.ID))
	_, err = o.b.Tickets.Refresh(ctx, o.admin, o.connection.ID)
	must(t, err)
	must(t, o.b.Tickets.Map(ctx, o.admin, o.connection.ID, o.customer, company))
	return o
}

// open opens the installation and starts what the server runs beside the
// website.
func (o *office) open() {
	o.t.Helper()
	kinds := []target.Kind{fake.Kind(func(string) *fake.Realm { return o.realm })}
	p, err := (&place{data: o.data, private: []string{"127.0.0.1"}}).open(o.t.Context(), slog.New(slog.DiscardHandler), kinds)
	must(o.t, err)
	hasten(p)
	o.p, o.b = p, p.brokers(localPeople{p.store.People, o.admin})
	accounts, work := p.loops(p.reconciler("https://jitney.example"))
	p.store.Accounts.OnChange(accounts.Wake)
	p.store.Outbox.OnChange(work.Wake)
	ctx, cancel := context.WithCancel(o.t.Context())
	var running sync.WaitGroup
	running.Go(func() { accounts.Run(ctx) })
	running.Go(func() { work.Run(ctx) })
	o.stop = sync.OnceFunc(func() { cancel(); running.Wait(); p.close() })
	o.t.Cleanup(o.stop)
}

// give has the technician hold access, and reports the grant.
func (o *office) give(entitlement string) string {
	o.t.Helper()
	g, err := o.b.Access.Submit(o.t.Context(), o.tech, broker.Submission{Customer: o.customer, Target: o.target, Entitlement: entitlement, Ticket: o.ticket, Minutes: 60, Reason: "Patching the practice servers."})
	must(o.t, err)
	o.state(g.ID, access.Active)
	return g.ID
}

func (o *office) end(grant string) {
	o.t.Helper()
	_, err := o.b.Access.End(o.t.Context(), o.tech, grant)
	must(o.t, err)
	o.state(grant, access.Ended)
}

// state waits for a grant to come to a state.
func (o *office) state(grant string, want access.State) {
	o.t.Helper()
	poll(o.t, string(want), func() bool {
		g, err := o.p.store.Grants.Grant(o.t.Context(), grant)
		must(o.t, err)
		return g.State(time.Now()) == want
	})
}

// noted waits for a note of a grant on the ticket.
func (o *office) noted(grant, kind string) {
	o.t.Helper()
	poll(o.t, "the note that "+kind, func() bool { return o.times(grant, kind) > 0 })
}

func (o *office) times(grant, kind string) int {
	texts, _ := o.desk.Notes("[jitney:" + grant + ":" + kind + ":1]")
	return len(texts)
}

// settled waits until no note waits any more, and reports those that are parked.
func (o *office) settled(grants ...string) (parked []string) {
	o.t.Helper()
	poll(o.t, "the last note", func() bool {
		parked = nil
		for _, grant := range grants {
			all, err := o.p.store.Outbox.WorkOf(o.t.Context(), grant)
			must(o.t, err)
			for _, w := range all {
				switch {
				case w.Kind == "note" && !w.ParkedAt.IsZero():
					parked = append(parked, w.Key+": "+w.Result)
				case w.Kind == "note" && w.DoneAt.IsZero():
					return false
				}
			}
		}
		return true
	})
	return parked
}

// TestCredentialsThatChangeWhileNotesAreWritten takes the key of the connection
// away, before a note or while one is written. The end of the access does not
// wait, the note does, and comes once when the administrator has saved the new
// key.
func TestCredentialsThatChangeWhileNotesAreWritten(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before the note is looked for", "between looking and writing"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			o := newOffice(t)
			grant := o.give(fake.Admin)
			o.noted(grant, "granted")
			other, gone := secret.New("Key0002"), make(chan struct{})
			rotate := func() { o.desk.Rotate(other); close(gone) }
			if when == "before the note is looked for" {
				rotate()
			} else {
				o.between(rotate)
			}
			o.end(grant)
			select {
			case <-gone:
			case <-time.After(patience):
				t.Fatal("nobody wrote the note")
			}
			time.Sleep(deskGrace) // some tries with the old key
			if n := o.times(grant, "ended"); n != 0 {
				t.Errorf("the note is there %d times, written with a key that is refused", n)
			}
			if findings, err := o.b.Tickets.Check(ctx, o.admin, o.connection.ID); err != nil || len(findings) == 0 || findings[0].Level != "error" || !strings.Contains(findings[0].What, "credentials") {
				t.Errorf("the check says %+v, %v", findings, err)
			}
			now, err := o.p.store.Connections.Connection(ctx, o.connection.ID)
			must(t, err)
			_, err = o.b.Tickets.Save(ctx, o.admin, broker.ConnectionInput{ID: now.ID, Version: now.Version, Kind: now.Kind, Name: now.Name, Values: now.Settings,
				Secrets: map[string]secret.Text{"private_key": other}})
			must(t, err)
			o.noted(grant, "ended")
			if parked := o.settled(grant); len(parked) > 0 {
				t.Errorf("parked: %q", parked)
			}
			for _, kind := range []string{"granted", "ended"} {
				if n := o.times(grant, kind); n != 1 {
					t.Errorf("the note that it was %s is there %d times", kind, n)
				}
			}
		})
	}
}

// between has f done when the desk is asked to take a note the next time, right
// before it looks at who asks.
func (o *office) between(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before = sync.OnceFunc(f)
}

// TestARestoredBackupWritesNothingTwice goes on from a copy of the database
// that is older than the last notes: one that was waiting then, one of a grant
// that ended since, and two of a grant that the copy does not know.
func TestARestoredBackupWritesNothingTwice(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first, second := o.give(fake.Admin), o.give(fake.Helper)
	o.noted(first, "granted")
	o.noted(second, "granted")
	o.desk.Set(simconnectwise.Switches{ErrorPages: 1})
	o.end(second)
	o.stop()
	file := filepath.Join(o.data, "jitney.db")
	backup, err := os.ReadFile(file)
	must(t, err)

	o.desk.Set(simconnectwise.Switches{})
	o.open()
	o.noted(second, "ended")
	o.end(first)
	third := o.give(fake.Helper)
	o.end(third)
	if parked := o.settled(first, second, third); len(parked) > 0 {
		t.Errorf("parked: %q", parked)
	}
	o.stop()
	for _, beside := range []string{"-wal", "-shm"} {
		_ = os.Remove(file + beside)
	}
	must(t, os.WriteFile(file, backup, 0o600))

	o.open()
	o.end(first) // the copy says that it goes on
	if parked := o.settled(first, second); len(parked) > 0 {
		t.Errorf("parked: %q", parked)
	}
	fourth := o.give(fake.Admin) // and so does work
	o.end(fourth)
	o.settled(fourth)
	for i, grant := range []string{first, second, third, fourth} {
		for _, kind := range []string{"granted", "ended"} {
			if n := o.times(grant, kind); n != 1 {
				t.Errorf("the note that grant %d was %s is there %d times; want once", i+1, kind, n)
			}
		}
	}
}
