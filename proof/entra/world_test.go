// Package entra_test proves the Microsoft 365 connector at full size: the real
// store, brokers, reconciler and loops, and a simulated Microsoft 365 with
// lagging replicas, in one process and in virtual time. It kills the program
// at every call, spoils one answer in five, withdraws consent, restores
// accounts from the bin, and demands each time that everything comes right by
// itself. It holds tests only and is never part of the product.
package entra_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	sim "jitney/sim/entra"
	"jitney/store"
	"jitney/ticket"
	"jitney/ticket/desk"
)

// A site is one customer with an Entra tenant, a target and a ticket.
type site struct {
	customer access.Customer
	target   access.Target
	tenant   *sim.Tenant
	ticket   string
}

// A world is everything that outlives the program: database, Microsoft 365,
// tickets. Processes come and go in it.
type world struct {
	t      testing.TB
	store  *store.Store
	sealer *secret.Sealer
	cloud  *sim.Cloud
	app    *sim.App
	secret secret.Text
	desk   desk.System
	sites  []site
	tech   access.Person
	admin  access.Person

	// passing is asked at each call that a look makes to Microsoft 365 or the
	// store, and says whether the program dies right before or right after it.
	passing func(n int, what string) (before, after bool)

	down     atomic.Bool // nobody starts the program again
	mu       sync.Mutex
	process  *process                // the one that runs; nil while none does
	newest   map[string]access.Grant // as stored last
	calls    int                     // of looks, since the last reset
	made     []string                // what they were
	usableAt int                     // how many there were when access was first read back as usable
	faults   []string                // what should never happen, and did
	power    []time.Duration         // how long the portal let holders in after the end of their grants
	restarts int
	running  sync.WaitGroup
}

// plan is what a world is made of.
type plan struct {
	tenants  int
	options  sim.Options
	tenant   func(n int, spec *sim.TenantSpec)
	settings map[string]string // beside the usual ones, for every target
	policy   func(*access.Policy)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fastDir is a folder on a disk that syncs at once, if there is one.
func fastDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "jitney-proof-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newWorld(t testing.TB, p plan) *world {
	t.Helper()
	ctx, dir := t.Context(), fastDir(t)
	s, err := store.Open(ctx, filepath.Join(dir, "jitney.db"))
	check(t, err)
	keys, err := secret.OpenKeyfile(filepath.Join(dir, "keys"), func() (string, error) { return "not-used", nil })
	check(t, err)
	w := &world{t: t, store: s, sealer: secret.NewSealer(keys, s.Keys), desk: desk.System{Store: s.Desk}, secret: secret.Password(32), newest: map[string]access.Grant{}}
	w.cloud = sim.New(p.options)
	w.app = w.cloud.AddApp(sim.AppSpec{Name: "Jitney", Secrets: []sim.AppSecret{{Value: w.secret}}, Permissions: permissions})
	policy, err := s.Rules.Policy(ctx, access.DefaultPolicy().Name)
	check(t, err)
	if p.policy != nil {
		p.policy(&policy)
		_, err = s.Rules.SavePolicy(ctx, policy)
		check(t, err)
	}
	for n := range max(p.tenants, 1) {
		w.addSite(n, p)
	}
	person := func(id string, roles ...access.Role) access.Person {
		who, err := s.People.SavePerson(ctx, access.Person{ID: id, Login: id + "@msp.example", Name: strings.ToUpper(id[:1]) + id[1:], Roles: roles, AllCustomers: true, CreatedAt: time.Now()})
		check(t, err)
		return who
	}
	w.tech, w.admin = person("maya", access.Requester), person("ada", access.Administrator)
	return w
}

// permissions are what the guide to connecting Microsoft 365 names.
var permissions = []string{"User.ReadWrite.All", "User.DeleteRestore.All", "User.RevokeSessions.All", "RoleManagement.ReadWrite.Directory",
	"UserAuthMethod-TAP.ReadWrite.All", "Policy.Read.All", "Domain.Read.All", "Organization.Read.All", "LicenseAssignment.Read.All",
	"Application.Read.All", "AuditLog.Read.All"}

func (w *world) addSite(n int, p plan) {
	w.t.Helper()
	ctx := w.t.Context()
	spec := sim.TenantSpec{Name: fmt.Sprintf("Customer %03d", n), Licence: sim.P1}
	if p.tenant != nil {
		p.tenant(n, &spec)
	}
	at := site{tenant: w.cloud.AddTenant(spec)}
	at.tenant.Consent(w.app)
	var err error
	id := fmt.Sprintf("%03d", n)
	at.customer, err = w.store.Customers.SaveCustomer(ctx, access.Customer{ID: "c" + id, Name: spec.Name, CreatedAt: time.Now()})
	check(w.t, err)
	values := map[string]string{"tenant": at.tenant.ID, "app": w.app.ID, "auth": "Client secret", "cloud": "Other",
		"authority": "https://login.microsoftonline.com", "graph": "https://graph.microsoft.com"}
	for name, value := range p.settings {
		values[name] = value
	}
	at.target, err = w.store.Targets.SaveTarget(ctx, access.Target{ID: "t" + id, Customer: at.customer.ID, Kind: "entra", Name: at.tenant.InitialDomain(),
		Policy: access.DefaultPolicy().Name, Settings: values, CreatedAt: time.Now()}, nil)
	check(w.t, err)
	made, err := w.store.Desk.SaveDeskTicket(ctx, access.DeskTicket{ID: "k" + id, Customer: at.customer.ID, Title: "Mail is rejected", OpenedAt: time.Now()})
	check(w.t, err)
	at.ticket = made.ID
	w.sites = append(w.sites, at)
}

func (w *world) close() {
	w.stop()
	w.running.Wait()
	check(w.t, w.store.Close())
	for _, err := range w.cloud.Breaches() {
		w.t.Errorf("outside the contract: %v", err)
	}
}

// desks is the ticket system of every customer.
func (w *world) desks(_ context.Context, customer string) (ticket.System, string, string, error) {
	return w.desk, desk.Connection, customer, nil
}

// fault notes that something happened that never should.
func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < 20 {
		w.faults = append(w.faults, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// report fails the test with every fault.
func (w *world) report() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		w.t.Error(f)
	}
}

// broker reports the brokers of the running process; nil if none runs.
func (w *world) broker() *broker.Broker {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process == nil {
		return nil
	}
	return w.process.broker
}

// submit asks for Global Admin until a process takes it.
func (w *world) submit(at site, minutes int64) access.Grant {
	w.t.Helper()
	var g access.Grant
	var err error
	ok := await(time.Minute, func() bool {
		b := w.broker()
		if b == nil {
			return false
		}
		g, err = b.Access.Submit(w.t.Context(), w.tech, broker.Submission{Customer: at.customer.ID, Target: at.target.ID, Entitlement: "global-admin",
			Ticket: at.ticket, Minutes: minutes, Reason: "Mail flow rules have to be repaired."})
		return err == nil
	})
	if !ok {
		w.t.Fatalf("nobody takes the request: %v", err)
	}
	w.stored(g)
	return g
}

// reveal shows the credential of a grant; its Username is empty if there is
// none to show.
func (w *world) reveal(g access.Grant) broker.Shown {
	b := w.broker()
	if b == nil {
		return broker.Shown{}
	}
	shown, err := b.Access.Reveal(w.t.Context(), w.tech, g.ID)
	if err != nil {
		return broker.Shown{}
	}
	return shown
}

// stored notes the newest version of a grant.
func (w *world) stored(g access.Grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.newest[g.ID]; !ok || g.Version > old.Version {
		w.newest[g.ID] = g
	}
}

// grant reports the newest of a grant.
func (w *world) grant(id string) access.Grant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest[id]
}

// story tells the timeline of a grant.
func (w *world) story(id string) string {
	records, err := w.store.Log.Timeline(context.WithoutCancel(w.t.Context()), id)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "  %s %s: %s\n", r.At.Format("15:04:05.000"), r.Kind, r.Text)
	}
	return b.String()
}

// await polls until done, for at most limit, and reports whether it was.
func await(limit time.Duration, done func() bool) bool {
	return awaitEvery(250*time.Millisecond, limit, done)
}

func awaitEvery(pause, limit time.Duration, done func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(pause) {
		if done() {
			return true
		}
	}
	return done()
}

// notes are the notes of a grant on the ticket of its site, in order.
func (w *world) notes(at site, g access.Grant) (notes []access.DeskNote) {
	all, err := w.store.Desk.DeskNotes(context.WithoutCancel(w.t.Context()), at.ticket)
	if err != nil {
		w.t.Error(err)
	}
	return slices.DeleteFunc(all, func(n access.DeskNote) bool { return !strings.HasPrefix(n.Key, "jitney:"+g.ID+":") })
}
