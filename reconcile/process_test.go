package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
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

// errDead is what everything answers to a process that was killed.
var errDead = errors.New("the process was killed")

// A process is one start of the program. It can be killed at any call.
type process struct {
	w          *world
	ctx        context.Context
	kill       context.CancelFunc
	dead       atomic.Bool
	broker     *broker.Broker
	reconciler *reconcile.Reconciler
	work       *schedule.Loop[access.Work]
	accounts   *schedule.Loop[access.Case]
}

// start starts the program, unless the world is over; then it reports nil.
func (w *world) start() *process {
	ctx, kill := context.WithCancel(w.t.Context())
	p := &process{w: w, ctx: ctx, kill: kill}
	s := w.store
	kinds := w.kinds()
	password := func() secret.Text { return secret.Password(20) }
	p.broker = broker.New(broker.Ports{Orphans: s.Orphans, Grants: gatedGrants{s.Grants, p}, Credentials: gatedCredentials{s.Credentials, p}, People: s.People, Customers: s.Customers,
		Targets: s.Targets, Rules: s.Rules, Log: s.Log, Notes: s.Outbox, Sealer: w.sealer, Desk: s.Desk, Records: s.Log,
		Kinds: kinds, Open: p.open, Desks: w.desks, Password: password})
	var mailer reconcile.Mailer
	if w.mailer != nil {
		mailer = w.mailer
	}
	p.reconciler = reconcile.New(reconcile.Ports{Mailer: mailer, Staff: s.People, Cases: gatedCases{s.Accounts, p}, Orphans: s.Orphans, Targets: s.Targets, Rules: s.Rules, Outbox: gatedOutbox{s.Outbox, p},
		Log: s.Log, Sealer: w.sealer, Open: p.open, Desks: w.desks, Tickets: p.tickets, Watch: s.Tickets, Grants: s.Grants, Kinds: kinds, Password: password},
		reconcile.Config{Address: "https://jitney.example"})
	look := p.reconciler.Look
	if w.look != nil {
		look = w.look(p)
	}
	cfg := func(name string, r schedule.Recovery) schedule.Config {
		return schedule.Config{Name: name, MaxSleep: 2 * time.Minute, Recovery: r, Exclusive: true}
	}
	p.accounts = schedule.New[access.Case](gatedTable[access.Case]{s.Accounts, p, func() { p.accounts.Wake() }}, look, cfg("accounts", gatedRecovery{s.Accounts, p}))
	p.work = schedule.New[access.Work](gatedTable[access.Work]{s.Outbox, p, func() { p.work.Wake() }}, p.reconciler.Work, cfg("work", gatedRecovery{s.Outbox, p}))
	s.Accounts.OnChange(p.accounts.Wake)
	s.Outbox.OnChange(p.work.Wake)
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		kill()
		return nil
	}
	w.process, w.lastStart = p, time.Now()
	w.restarts++
	w.mu.Unlock()
	w.running.Go(func() { p.accounts.Run(ctx) })
	w.running.Go(func() { p.work.Run(ctx) })
	w.running.Go(func() { _ = p.reconciler.Start(ctx) })
	return p
}

// stop ends the running process without any ceremony.
func (w *world) stop() {
	w.mu.Lock()
	p := w.process
	w.mu.Unlock()
	if p != nil {
		p.crash()
	}
}

// crash kills p.
func (p *process) crash() {
	if p.dead.Swap(true) {
		return
	}
	p.kill()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.process == p {
		p.w.process = nil
	}
}

// call does something for p, which may die right before it or right after.
func (p *process) call(do func() error) error {
	if p.dead.Load() {
		return errDead
	}
	if p.w.crashNow != nil && p.w.crashNow() {
		p.crash()
		return errDead
	}
	err := do()
	if p.w.crashNow != nil && p.w.crashNow() {
		p.crash()
	}
	if p.dead.Load() {
		return errDead
	}
	return err
}

func (p *process) open(ctx context.Context, id string) (target.System, error) {
	t, err := p.w.store.Targets.Target(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, kind := range p.w.kinds() {
		if kind.Name != t.Kind {
			continue
		}
		sys, err := kind.Open(ctx, id, target.Settings{Values: t.Settings})
		if issuing, ok := sys.(*fake.IssuingSystem); ok {
			return gatedIssuing{gatedSystem{issuing.System, p}, issuing}, err
		}
		return gatedSystem{sys.(*fake.System), p}, err
	}
	return nil, errors.New("no such kind: " + t.Kind)
}

func (w *world) kinds() []target.Kind {
	realm := func(id string) *fake.Realm { return w.realms[id] }
	return []target.Kind{fake.Kind(realm), fake.IssuingKind(realm)}
}

// tickets opens the ticket system of a connection.
func (p *process) tickets(context.Context, string) (ticket.System, error) { return p.w.paper, nil }

// within ends with the process as well as with ctx.
func (p *process) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// gatedSystem is a target as a process that can be killed uses it.
type gatedSystem struct {
	*fake.System
	p *process
}

func (g gatedSystem) Observe(ctx context.Context, a access.Account) (o access.Observation, err error) {
	ctx, done := g.p.within(ctx)
	defer done()
	err = g.p.call(func() error { o, err = g.System.Observe(ctx, a); return err })
	return o, err
}

func (g gatedSystem) Apply(ctx context.Context, a access.Account, want access.Want, password secret.Text) error {
	ctx, done := g.p.within(ctx)
	defer done()
	return g.p.call(func() error { return g.System.Apply(ctx, a, want, password) })
}

func (g gatedSystem) Remove(ctx context.Context, a access.Account) error {
	ctx, done := g.p.within(ctx)
	defer done()
	return g.p.call(func() error { return g.System.Remove(ctx, a) })
}

func (g gatedSystem) Snapshot(ctx context.Context) (s string, err error) {
	ctx, done := g.p.within(ctx)
	defer done()
	err = g.p.call(func() error { s, err = g.System.Snapshot(ctx); return err })
	return s, err
}

// gatedIssuing is gatedSystem for a target that issues credentials.
type gatedIssuing struct {
	gatedSystem
	issuing *fake.IssuingSystem
}

func (g gatedIssuing) Observe(ctx context.Context, a access.Account) (o access.Observation, err error) {
	ctx, done := g.p.within(ctx)
	defer done()
	err = g.p.call(func() error { o, err = g.issuing.Observe(ctx, a); return err })
	return o, err
}

func (g gatedIssuing) Issue(ctx context.Context, a access.Account, want access.Want) (issued target.Issued, err error) {
	ctx, done := g.p.within(ctx)
	defer done()
	err = g.p.call(func() error { issued, err = g.issuing.Issue(ctx, a, want); return err })
	return issued, err
}

func (g gatedIssuing) Remove(ctx context.Context, a access.Account) error {
	ctx, done := g.p.within(ctx)
	defer done()
	return g.p.call(func() error { return g.issuing.Remove(ctx, a) })
}

func (g gatedIssuing) History(ctx context.Context, a access.Account, from, to time.Time) ([]string, error) {
	return g.issuing.History(ctx, a, from, to)
}

func (g gatedIssuing) Unexplained(ctx context.Context) ([]string, error) {
	return g.issuing.Unexplained(ctx)
}

// gatedCases is the store of the reconciler. It also watches what is stored.
type gatedCases struct {
	reconcile.Cases
	p *process
}

func (g gatedCases) Record(ctx context.Context, lease schedule.Lease, c access.Change) error {
	return g.p.call(func() error {
		err := g.Cases.Record(ctx, lease, c)
		if err == nil {
			g.p.w.recorded(c)
			g.p.accounts.Wake() // the loop sleeps for long here; in production half a second is the most
		}
		return err
	})
}

// recorded checks what was stored against the truth of the target.
func (w *world) recorded(c access.Change) {
	for _, g := range c.Grants {
		before := w.grant(g.ID)
		g.Version++
		w.stored(g)
		if g.EndedAt.IsZero() || !before.EndedAt.IsZero() {
			continue
		}
		w.mu.Lock()
		w.ended[g.ID]++
		w.mu.Unlock()
		if g.ContinuedBy != "" {
			// The other may have been stopped since the look began; but it must
			// not have ended, so that somebody still answers for the access.
			if other := w.grant(g.ContinuedBy); other.ApprovedAt.IsZero() || !other.EndedAt.IsZero() {
				w.fault("grant %s is continued by %s, which is not live", g.ID, g.ContinuedBy)
			}
			continue
		}
		if w.covered(g) {
			continue
		}
		if usable := w.realms[g.Target].Usable(g.Account); slices.Contains(usable, g.Entitlement) {
			w.fault("grant %s is stored as ended (%s) and the target shows %v", g.ID, g.Cause(time.Now()), usable)
		}
	}
}

// covered reports whether another live grant wants what g wanted.
func (w *world) covered(g access.Grant) bool {
	return slices.ContainsFunc(w.all(), func(o access.Grant) bool {
		return o.ID != g.ID && o.Account == g.Account && o.Entitlement == g.Entitlement && o.Wanted(time.Now())
	})
}

type gatedOutbox struct {
	*store.Outbox
	p *process
}

func (g gatedOutbox) Tried(ctx context.Context, l schedule.Lease) error {
	return g.p.call(func() error { return g.Outbox.Tried(ctx, l) })
}

func (g gatedOutbox) Finish(ctx context.Context, l schedule.Lease, result string, parked bool, events ...access.Event) error {
	return g.p.call(func() error { return g.Outbox.Finish(ctx, l, result, parked, events...) })
}

func (g gatedOutbox) Add(ctx context.Context, w access.Work, events ...access.Event) error {
	return g.p.call(func() error { return g.Outbox.Add(ctx, w, events...) })
}

func (g gatedOutbox) Join(ctx context.Context, l schedule.Lease, n access.Note, rows ...access.Work) error {
	return g.p.call(func() error { return g.Outbox.Join(ctx, l, n, rows...) })
}

type gatedGrants struct {
	*store.Grants
	p *process
}

func (g gatedGrants) Create(ctx context.Context, n access.NewGrant) (made access.Grant, err error) {
	err = g.p.call(func() error {
		made, err = g.Grants.Create(ctx, n)
		if err == nil {
			g.p.w.stored(made)
		}
		return err
	})
	return made, err
}

func (g gatedGrants) Update(ctx context.Context, id string, fn func(*access.Grant) ([]access.Event, error)) (now access.Grant, err error) {
	err = g.p.call(func() error {
		now, err = g.Grants.Update(ctx, id, fn)
		if err == nil {
			g.p.w.stored(now)
		}
		return err
	})
	return now, err
}

type gatedCredentials struct {
	*store.Credentials
	p *process
}

func (g gatedCredentials) Take(ctx context.Context, account string, seq int64, events ...access.Event) (sealed []byte, err error) {
	err = g.p.call(func() error { sealed, err = g.Credentials.Take(ctx, account, seq, events...); return err })
	return sealed, err
}

func (g gatedCredentials) Replace(ctx context.Context, c access.Credential, events ...access.Event) (now access.Credential, err error) {
	err = g.p.call(func() error { now, err = g.Credentials.Replace(ctx, c, events...); return err })
	return now, err
}

// gatedTable is a schedule as a process that can be killed uses it.
type gatedTable[T any] struct {
	schedule.Table[T]
	p    *process
	wake func()
}

func (g gatedTable[T]) Claim(ctx context.Context, c schedule.Claim) (items []schedule.Item[T], err error) {
	err = g.p.call(func() error { items, err = g.Table.Claim(ctx, c); return err })
	return items, err
}

func (g gatedTable[T]) Probe(ctx context.Context, owner, group string, lease time.Duration) (item schedule.Item[T], ok bool, err error) {
	err = g.p.call(func() error { item, ok, err = g.Table.Probe(ctx, owner, group, lease); return err })
	return item, ok, err
}

func (g gatedTable[T]) Renew(ctx context.Context, leases []schedule.Lease, d time.Duration) (lost []string, err error) {
	err = g.p.call(func() error { lost, err = g.Table.Renew(ctx, leases, d); return err })
	return lost, err
}

func (g gatedTable[T]) Return(ctx context.Context, rows []schedule.Return) (lost []string, err error) {
	defer g.wake()
	err = g.p.call(func() error { lost, err = g.Table.Return(ctx, rows); return err })
	return lost, err
}

func (g gatedTable[T]) Next(ctx context.Context, skip []string) (time.Duration, bool, error) {
	if g.p.dead.Load() {
		return 0, false, errDead
	}
	return g.Table.Next(ctx, skip)
}

type gatedRecovery struct {
	schedule.Recovery
	p *process
}

func (g gatedRecovery) Hasten(ctx context.Context, group string) (n int, err error) {
	if g.p.dead.Load() {
		return 0, errDead
	}
	return g.Recovery.Hasten(ctx, group)
}

func (g gatedRecovery) Free(ctx context.Context, owner string) (n int, err error) {
	if g.p.dead.Load() {
		return 0, errDead
	}
	return g.Recovery.Free(ctx, owner)
}
