package entra_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/secret"
	"jitney/store"
	"jitney/target"
	"jitney/target/entra"
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
	kind       target.Kind

	mu   sync.Mutex
	open map[string]target.System
}

// inLook marks the context of a look, whose calls are counted.
type inLook struct{}

// start starts the program.
func (w *world) start() *process {
	ctx, kill := context.WithCancel(context.WithoutCancel(w.t.Context()))
	p := &process{w: w, ctx: ctx, kill: kill, open: map[string]target.System{}}
	p.kind = entra.KindOver(wire{p, w.cloud.Transport()})
	s, kinds := w.store, []target.Kind{p.kind}
	password := func() secret.Text { return secret.Password(24) }
	p.broker = broker.New(broker.Ports{Grants: s.Grants, Pulses: s.Grants, Credentials: s.Credentials, People: s.People, Customers: s.Customers,
		Targets: s.Targets, Rules: s.Rules, Log: s.Log, Notes: s.Outbox, Sealer: w.sealer, Desk: s.Desk, Records: s.Log,
		Kinds: kinds, Open: p.system, Desks: w.desks, Password: password})
	p.reconciler = reconcile.New(reconcile.Ports{Cases: gatedCases{s.Accounts, p}, Orphans: s.Orphans, Targets: s.Targets, Rules: s.Rules, Outbox: gatedOutbox{s.Outbox, p},
		Log: s.Log, Sealer: w.sealer, Open: p.system, Desks: w.desks,
		Grants:  s.Grants,
		Tickets: func(context.Context, string) (ticket.System, error) { return w.desk, nil }, Kinds: kinds, Password: password},
		reconcile.Config{Address: "https://jitney.example"})
	look := func(ctx context.Context, item schedule.Item[access.Case]) (schedule.Result, error) {
		return p.reconciler.Look(context.WithValue(ctx, inLook{}, true), item)
	}
	cfg := func(name string, r schedule.Recovery) schedule.Config {
		return schedule.Config{Name: name, MaxSleep: 2 * time.Minute, Recovery: r, Exclusive: true}
	}
	p.accounts = schedule.New[access.Case](gatedTable[access.Case]{s.Accounts, p, func() { p.accounts.Wake() }}, look, cfg("accounts", gatedRecovery{s.Accounts, p}))
	p.work = schedule.New[access.Work](gatedTable[access.Work]{s.Outbox, p, func() { p.work.Wake() }}, p.reconciler.Work, cfg("work", gatedRecovery{s.Outbox, p}))
	s.Accounts.OnChange(p.accounts.Wake)
	s.Outbox.OnChange(p.work.Wake)
	w.mu.Lock()
	w.process = p
	w.restarts++
	w.mu.Unlock()
	w.running.Go(func() { p.accounts.Run(ctx) })
	w.running.Go(func() { p.work.Run(ctx) })
	w.running.Go(func() { _ = p.reconciler.Start(ctx) })
	return p
}

// revive starts the program again, three seconds after it died, until over.
func (w *world) revive(over context.Context) {
	for over.Err() == nil {
		time.Sleep(time.Second)
		if w.broker() == nil && !w.down.Load() {
			time.Sleep(3 * time.Second)
			if over.Err() == nil && !w.down.Load() {
				w.start()
			}
		}
	}
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
func (p *process) call(ctx context.Context, what string, do func() error) error {
	if p.dead.Load() {
		return errDead
	}
	before, after := false, false
	if ctx.Value(inLook{}) != nil {
		before, after = p.w.pass(what)
	}
	if before {
		p.crash()
		return errDead
	}
	err := do()
	if after {
		p.crash()
	}
	if p.dead.Load() {
		return errDead
	}
	return err
}

func (w *world) pass(what string) (before, after bool) {
	w.mu.Lock()
	w.calls++
	n, ask := w.calls, w.passing
	w.made = append(w.made, what)
	w.mu.Unlock()
	if ask == nil {
		return false, false
	}
	return ask(n, what)
}

// wire is the network of a process that can be killed.
type wire struct {
	p   *process
	out http.RoundTripper
}

// RoundTrip sends one request, unless the process dies before; the answer of
// one that dies after is lost.
func (n wire) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(n.p.ctx, cancel)
	defer stop()
	derr := n.p.call(r.Context(), r.Method+" "+shape(r.URL.Path), func() error {
		resp, err = n.out.RoundTrip(r.WithContext(ctx))
		return err
	})
	if derr != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		cancel()
		return nil, derr
	}
	return resp, nil
}

// shape is a path without the ids in it.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if len(part) > 20 && strings.ContainsAny(part, "0123456789") || strings.Contains(part, "@") {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, "/")
}

func (p *process) system(ctx context.Context, id string) (target.System, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sys := p.open[id]; sys != nil {
		return sys, nil
	}
	t, err := p.w.store.Targets.Target(ctx, id)
	if err != nil {
		return nil, err
	}
	sys, err := p.kind.Open(ctx, id, target.Settings{Values: t.Settings, Secrets: map[string]secret.Text{"secret": p.w.secret}})
	if err == nil {
		p.open[id] = sys
	}
	return sys, err
}

// gatedCases is the store of the reconciler. It also watches what is stored.
type gatedCases struct {
	reconcile.Cases
	p *process
}

func (g gatedCases) Record(ctx context.Context, lease schedule.Lease, c access.Change) error {
	return g.p.call(ctx, "record", func() error {
		g.p.w.recording(c)
		err := g.Cases.Record(ctx, lease, c)
		if err == nil {
			for _, g2 := range c.Grants {
				g2.Version++
				g.p.w.stored(g2)
			}
			g.p.accounts.Wake() // the loop sleeps for long here; in production half a second is the most
		}
		return err
	})
}

type gatedOutbox struct {
	*store.Outbox
	p *process
}

func (g gatedOutbox) Tried(ctx context.Context, l schedule.Lease) error {
	return g.p.call(ctx, "tried", func() error { return g.Outbox.Tried(ctx, l) })
}

func (g gatedOutbox) Finish(ctx context.Context, l schedule.Lease, result string, parked bool, events ...access.Event) error {
	return g.p.call(ctx, "finish", func() error { return g.Outbox.Finish(ctx, l, result, parked, events...) })
}

// gatedTable is a schedule as a process that can be killed uses it.
type gatedTable[T any] struct {
	schedule.Table[T]
	p    *process
	wake func()
}

func (g gatedTable[T]) Claim(ctx context.Context, c schedule.Claim) (items []schedule.Item[T], err error) {
	err = g.p.call(ctx, "claim", func() error { items, err = g.Table.Claim(ctx, c); return err })
	return items, err
}

func (g gatedTable[T]) Probe(ctx context.Context, owner, group string, lease time.Duration) (item schedule.Item[T], ok bool, err error) {
	err = g.p.call(ctx, "probe", func() error { item, ok, err = g.Table.Probe(ctx, owner, group, lease); return err })
	return item, ok, err
}

func (g gatedTable[T]) Renew(ctx context.Context, leases []schedule.Lease, d time.Duration) (lost []string, err error) {
	err = g.p.call(ctx, "renew", func() error { lost, err = g.Table.Renew(ctx, leases, d); return err })
	return lost, err
}

func (g gatedTable[T]) Return(ctx context.Context, rows []schedule.Return) (lost []string, err error) {
	defer g.wake()
	err = g.p.call(ctx, "return", func() error { lost, err = g.Table.Return(ctx, rows); return err })
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
