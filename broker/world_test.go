package broker_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/secret"
	"jitney/store"
	"jitney/target"
	"jitney/target/fake"
	"jitney/ticket"
)

// A world is a real store, practice targets and a ticket system in memory, for
// two customers and people of every kind.
type world struct {
	bureau    bureau
	connected string // the connection whose settings the desk is opened with; empty for none
	*broker.Broker
	t          testing.TB
	ctx        context.Context
	store      *store.Store
	realm      *fake.Realm
	companies  []target.Company // that the practice cloud knows
	desk       *desk
	reconciler *reconcile.Reconciler
	policy     access.Policy
	kinds      []target.Kind
	listed     atomic.Int64 // times that all customers were read

	admin, auditor, maya, noor, approver, outsider, nobody, gone access.Person
}

// A desk is a ticket system whose tickets a test changes as it likes.
type desk struct {
	mu      sync.Mutex
	tickets map[string]ticket.Ticket
	down    bool
	fails   error         // what every question gets, if not nil
	lies    bool          // lists what was not asked for
	hold    chan struct{} // if not nil, no list is told before it is closed
	asked   int           // times a list was asked for
	limit   int           // tickets of one answer that were asked for last
}

func (d *desk) Tickets(ctx context.Context, q ticket.Query) (ticket.Page, error) {
	d.mu.Lock()
	hold := d.hold
	d.asked++
	d.limit = q.Limit
	d.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ticket.Page{}, ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != nil {
		return ticket.Page{}, d.fails
	}
	if d.down {
		return ticket.Page{}, errors.New("connection refused")
	}
	var page ticket.Page
	for _, t := range d.tickets {
		if d.lies || t.Company == q.Company && t.Open {
			page.Tickets = append(page.Tickets, t)
		}
	}
	return page, nil
}

func (d *desk) Find(_ context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, errors.New("connection refused")
	}
	found := map[string]ticket.Ticket{}
	for _, id := range ids {
		if t, ok := d.tickets[id]; ok {
			found[id] = t
		}
	}
	return found, nil
}

func (d *desk) Notes(context.Context, string, string) ([]ticket.NoteRef, error) { return nil, nil }
func (d *desk) AddNote(context.Context, string, ticket.Note) (ticket.NoteRef, error) {
	return ticket.NoteRef{ID: "1"}, nil
}
func (d *desk) Limits() ticket.Limits { return ticket.Limits{Body: 1 << 16} }

// An edition is a desk as one version of its connection opens it.
type edition struct {
	*desk
	version int64
}

func (e edition) Edition() int64 { return e.version }

func (d *desk) put(id, company string, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tickets[id] = ticket.Ticket{ID: id, Number: "#" + id, Title: "Ticket " + id, Company: company, Open: open}
}

// countsLists counts how often all customers are read.
type countsLists struct {
	all
	times *atomic.Int64
}

type all interface{ broker.Customers }

func (c countsLists) Customers(ctx context.Context) ([]access.Customer, error) {
	c.times.Add(1)
	return c.all.Customers(ctx)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB) *world { return newWorldOf(t) }

// newWorldOf is a world with more kinds of target.
func newWorldOf(t testing.TB, more ...target.Kind) *world {
	t.Helper()
	ctx := t.Context()
	dir, err := os.MkdirTemp("/dev/shm", "jitney-test-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := store.Open(ctx, filepath.Join(dir, "jitney.db"))
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	keys, err := secret.OpenKeyfile(filepath.Join(dir, "keys"), func() (string, error) { return "not-used", nil })
	check(t, err)
	w := &world{t: t, ctx: ctx, store: s, realm: fake.NewRealm(), desk: &desk{tickets: map[string]ticket.Ticket{}}}
	kind := fake.Kind(func(string) *fake.Realm { return w.realm })
	kind.Fields = append(kind.Fields, target.Field{Name: "key", Title: "Key", Secret: true}, target.Field{Name: "site", Title: "Site", Place: true, Route: true}, target.Field{Name: "mode", Title: "Mode", Options: []string{"slow", "fast"}})
	w.kinds = append([]target.Kind{kind, w.cloudKind()}, more...)
	open := func(ctx context.Context, id string) (target.System, error) {
		t, err := s.Targets.Target(ctx, id)
		if err != nil {
			return nil, err
		}
		k := w.kinds[slices.IndexFunc(w.kinds, func(k target.Kind) bool { return k.Name == t.Kind })]
		return k.Open(ctx, id, target.Settings{Values: map[string]string{"domain": "t.example"}})
	}
	desks := func(ctx context.Context, customer string) (ticket.System, string, string, error) {
		if w.connected == "" {
			return w.desk, "paper", "company-of-" + customer, nil
		}
		c, err := s.Connections.Connection(ctx, w.connected)
		return edition{w.desk, c.Version}, w.connected, "company-of-" + customer, err
	}
	password := func() secret.Text { return secret.Password(20) }
	sealer := secret.NewSealer(keys, s.Keys)
	w.Broker = broker.New(broker.Ports{Grants: s.Grants, Pulses: s.Grants, Credentials: s.Credentials, People: s.People, Customers: countsLists{s.Customers, &w.listed}, Targets: s.Targets, Rules: s.Rules,
		Log: s.Log, Notes: s.Outbox, Sealer: sealer, Desk: s.Desk, Records: s.Log, Kinds: w.kinds, Open: open, Desks: desks, Password: password,
		Connections: s.Connections, TicketKinds: []ticket.Kind{w.ticketKind()}, OpenDesk: w.openDesk, Shelf: s.Tickets, Backlog: s.Outbox, Issued: s.Issued, Orphans: s.Orphans})
	w.reconciler = reconcile.New(reconcile.Ports{Cases: s.Accounts, Orphans: s.Orphans, Targets: s.Targets, Rules: s.Rules, Outbox: s.Outbox, Log: s.Log, Sealer: sealer,
		Open: open, Desks: desks, Kinds: w.kinds, Password: password}, reconcile.Config{})
	w.populate()
	return w
}

func (w *world) populate() {
	s, ctx, now := w.store, w.ctx, time.Now()
	policies, err := s.Rules.Policies(ctx)
	check(w.t, err)
	w.policy = access.DefaultPolicy()
	w.policy.Version = 0
	for _, p := range policies {
		if p.Name == w.policy.Name {
			w.policy = p
		}
	}
	if w.policy.Version == 0 {
		w.policy, err = s.Rules.SavePolicy(ctx, w.policy)
		check(w.t, err)
	}
	for _, id := range []string{"aviary", "kestrel"} {
		_, err := s.Customers.SaveCustomer(ctx, access.Customer{ID: id, Name: "Customer " + id, CreatedAt: now})
		check(w.t, err)
		_, err = s.Targets.SaveTarget(ctx, access.Target{ID: "target-" + id, Customer: id, Kind: fake.Name, Name: "Domain of " + id, Policy: w.policy.Name,
			Settings: map[string]string{"domain": "t.example"}, CreatedAt: now}, nil)
		check(w.t, err)
		w.desk.put("open-"+id, "company-of-"+id, true)
		w.desk.put("closed-"+id, "company-of-"+id, false)
	}
	person := func(id string, customers []string, roles ...access.Role) access.Person {
		p, err := s.People.SavePerson(ctx, access.Person{ID: id, Login: id + "@msp.example", Name: "Person " + id, Roles: roles, Customers: customers, CreatedAt: now})
		check(w.t, err)
		return p
	}
	aviary, kestrel := []string{"aviary"}, []string{"kestrel"}
	w.admin = person("admin", nil, access.Administrator)
	w.auditor = person("auditor", nil, access.Auditor)
	w.maya = person("maya", aviary, access.Requester)
	w.noor = person("noor", aviary, access.Requester)
	w.approver = person("approver", aviary, access.Approver, access.Requester)
	w.outsider = person("outsider", kestrel, access.Requester, access.Approver)
	w.nobody = person("nobody", aviary)
	w.gone = person("gone", aviary, access.Requester, access.Approver, access.Administrator)
	w.gone.DisabledAt = now
	w.gone, err = s.People.SavePerson(ctx, w.gone)
	check(w.t, err)
}

// ask is a request that nothing is wrong with.
func (w *world) ask() broker.Submission {
	return broker.Submission{Customer: "aviary", Target: "target-aviary", Entitlement: fake.Admin, Ticket: "open-aviary", Minutes: 15, Reason: "Patching the servers."}
}

func (w *world) submit(who access.Person, s broker.Submission) access.Grant {
	w.t.Helper()
	g, err := w.Access.Submit(w.ctx, who, s)
	check(w.t, err)
	return g
}

// settle lets the reconciler look at everything that is due, until nothing is.
func (w *world) settle() {
	w.t.Helper()
	for range 20 {
		items, err := w.store.Accounts.Claim(w.ctx, schedule.Claim{Owner: "test", For: time.Minute, Limit: 100})
		check(w.t, err)
		if len(items) == 0 {
			return
		}
		for _, it := range items {
			check(w.t, it.Err)
			if _, err := w.reconciler.Look(w.ctx, it); err != nil {
				_, err = w.store.Accounts.Return(w.ctx, []schedule.Return{{Lease: it.Lease, In: time.Hour, Attempts: 1, Error: err.Error()}})
				check(w.t, err)
			}
		}
	}
}

// active is access that maya holds.
func (w *world) active() access.Grant {
	w.t.Helper()
	g := w.submit(w.maya, w.ask())
	w.settle()
	return w.want(g.ID, access.Active)
}

// want reads a grant and demands its state.
func (w *world) want(id string, state access.State) access.Grant {
	w.t.Helper()
	g, err := w.store.Grants.Grant(w.ctx, id)
	check(w.t, err)
	if got := g.State(time.Now()); got != state {
		w.t.Fatalf("grant is %q (%s, %s), want %q", got, g.Cause(time.Now()), g.StopReason, state)
	}
	return g
}

// events counts the records of a grant by kind.
func (w *world) events(grant, kind string) (n int) {
	w.t.Helper()
	records, err := w.store.Log.Timeline(w.ctx, grant)
	check(w.t, err)
	for _, r := range records {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// change stores a new version of the policy.
func (w *world) change(fn func(*access.Policy)) {
	w.t.Helper()
	fn(&w.policy)
	p, err := w.Settings.SavePolicy(w.ctx, w.admin, w.policy)
	check(w.t, err)
	w.policy = p
}
