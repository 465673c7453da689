package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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
	"jitney/schedule"
	"jitney/secret"
	"jitney/store"
	"jitney/target/fake"
	"jitney/ticket"
)

// A world is everything that outlives the program: database, targets, ticket
// system. Processes come and go in it.
type world struct {
	t      testing.TB
	store  *store.Store
	sealer *secret.Sealer
	realms map[string]*fake.Realm // by target ID
	paper  *paper
	// connection is the ID of that of every customer, if it is not "paper".
	connection atomic.Value
	mailer     *pigeon // nil if no mail can be sent

	customer access.Customer
	targets  []access.Target
	admin    access.Person
	people   []access.Person // requesters

	look     func(*process) schedule.Handler[access.Case] // if set, instead of the reconciler's: for planted bugs
	crashNow func() bool                                  // if set, whether the process dies at this very call

	mu        sync.Mutex
	process   *process                // the one that runs; nil while none does
	grants    map[string]access.Grant // the newest of each, as stored
	ended     map[string]int          // how often each was stored as ended
	faults    []string                // what should never happen, and did
	restarts  int
	over      bool // no process may start any more
	lastStart time.Time
	running   sync.WaitGroup
}

// fastDir is a folder on a disk that syncs at once, if there is one.
func fastDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "jitney-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWorld makes a world with one customer, two practice targets, and two
// people who may ask.
func newWorld(t testing.TB, policy access.Policy) *world {
	t.Helper()
	ctx := t.Context()
	dir := fastDir(t)
	s, err := store.Open(ctx, filepath.Join(dir, "jitney.db"))
	check(t, err)
	keys, err := secret.OpenKeyfile(filepath.Join(dir, "keys"), func() (string, error) { return "not-used", nil })
	check(t, err)
	w := &world{t: t, store: s, sealer: secret.NewSealer(keys, s.Keys), realms: map[string]*fake.Realm{}, paper: newPaper(),
		grants: map[string]access.Grant{}, ended: map[string]int{}}
	if stored, err := s.Rules.Policy(ctx, policy.Name); err == nil {
		policy.Version = stored.Version
	} else {
		policy.Version = 0
	}
	_, err = s.Rules.SavePolicy(ctx, policy)
	check(t, err)
	w.customer, err = s.Customers.SaveCustomer(ctx, access.Customer{ID: "pedroaviary", Name: "Pedro Aviary", CreatedAt: time.Now()})
	check(t, err)
	for i, kind := range []string{fake.Name, fake.Name, fake.Issuing} {
		id := fmt.Sprintf("t%d", i+1)
		target, err := s.Targets.SaveTarget(ctx, access.Target{ID: id, Customer: w.customer.ID, Kind: kind, Name: "Practice " + id, Policy: policy.Name,
			Settings: map[string]string{"domain": id + ".example"}, CreatedAt: time.Now()}, nil)
		check(t, err)
		w.targets = append(w.targets, target)
		w.realms[id] = fake.NewRealm()
	}
	person := func(id string, roles ...access.Role) access.Person {
		p, err := s.People.SavePerson(ctx, access.Person{ID: id, Login: id + "@msp.example", Name: strings.ToUpper(id[:1]) + id[1:], Roles: roles, Customers: []string{w.customer.ID}, CreatedAt: time.Now()})
		check(t, err)
		return p
	}
	w.admin = person("ada", access.Administrator, access.Requester)
	w.people = []access.Person{person("maya", access.Requester), person("noor", access.Requester)}
	for _, id := range []string{"1001", "1002"} {
		w.paper.open(id, w.customer.ID)
	}
	return w
}

// close ends the world; what would start in it later does not.
func (w *world) close() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.stop()
	w.running.Wait()
	w.paper.late.Wait()
	check(w.t, w.store.Close())
}

// desks is the ticket system of every customer.
func (w *world) desks(_ context.Context, customer string) (ticket.System, string, string, error) {
	connection, _ := w.connection.Load().(string)
	return w.paper, cmp.Or(connection, "paper"), customer, nil
}

// fault notes that something happened that never should.
func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < 20 {
		w.faults = append(w.faults, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// stored notes the newest version of a grant.
func (w *world) stored(g access.Grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.grants[g.ID]; !ok || g.Version > old.Version {
		w.grants[g.ID] = g
	}
}

// all lists every grant as it was stored last, oldest first.
func (w *world) all() []access.Grant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.grants), func(a, b access.Grant) int {
		return cmp.Or(a.SubmittedAt.Compare(b.SubmittedAt), cmp.Compare(a.ID, b.ID))
	})
}

// now reports the newest of a grant.
func (w *world) grant(id string) access.Grant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.grants[id]
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

// submit asks for access.
func (w *world) submit(who access.Person, target, entitlement, ticketID string, minutes int64) (access.Grant, error) {
	b := w.broker()
	if b == nil {
		return access.Grant{}, errDead
	}
	return b.Access.Submit(w.t.Context(), who, broker.Submission{Customer: w.customer.ID, Target: target, Entitlement: entitlement,
		Ticket: ticketID, Minutes: minutes, Reason: "Patching the practice servers."})
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

func (w *world) state(id string) access.State { return w.grant(id).State(time.Now()) }

// story tells the timeline of a grant.
func (w *world) story(id string) string {
	records, err := w.store.Log.Timeline(w.t.Context(), id)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "  %s %s: %s\n", r.At.Format("15:04:05.000"), r.Kind, r.Text)
	}
	return b.String()
}
