package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jitney/access"
	"jitney/audit"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/secret"
	sim "jitney/sim/entra"
	"jitney/store"
	"jitney/target"
	"jitney/target/entra"
	"jitney/ticket"
	"jitney/ticket/desk"
)

// A microsoft is a simulated Microsoft 365 in this process, and the connector
// to it, which counts its requests.
type microsoft struct {
	cloud  *sim.Cloud
	app    *sim.App
	secret secret.Text
	ids    []string // of the Entra tenants
	kind   target.Kind
	calls  atomic.Int64 // to Graph, without those for tokens

	mu   sync.Mutex
	open map[string]target.System
}

// RoundTrip counts a request and carries it to the simulator.
func (m *microsoft) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, "/v1.0/") {
		m.calls.Add(1)
	}
	return m.cloud.Transport().RoundTrip(r)
}

func newMicrosoft(tenants int) *microsoft {
	m := &microsoft{cloud: sim.New(sim.Options{Seed: 1, Journal: 1000}), secret: secret.Password(32), open: map[string]target.System{}}
	m.app = m.cloud.AddApp(sim.AppSpec{Name: "Jitney", Secrets: []sim.AppSecret{{Value: m.secret}}, Permissions: []string{
		"User.ReadWrite.All", "User.DeleteRestore.All", "User.RevokeSessions.All", "RoleManagement.ReadWrite.Directory",
		"UserAuthMethod-TAP.ReadWrite.All", "Policy.Read.All", "Domain.Read.All", "Organization.Read.All", "AuditLog.Read.All"}})
	for n := range tenants {
		t := m.cloud.AddTenant(sim.TenantSpec{Name: fmt.Sprintf("Customer %03d", n)})
		t.Consent(m.app)
		m.ids = append(m.ids, t.ID)
	}
	m.kind = entra.KindOver(m)
	return m
}

// system opens the System of the n-th Entra tenant, whose target is tn.
func (m *microsoft) system(ctx context.Context, id string) (target.System, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.open[id]; s != nil {
		return s, nil
	}
	var n int
	if _, err := fmt.Sscanf(id, "t%d", &n); err != nil {
		return nil, err
	}
	s, err := m.kind.Open(ctx, id, target.Settings{Values: m.values(n), Secrets: map[string]secret.Text{"secret": m.secret}})
	if err == nil {
		m.open[id] = s
	}
	return s, err
}

func (m *microsoft) values(n int) map[string]string {
	return map[string]string{"tenant": m.ids[n], "app": m.app.ID, "auth": "Client secret", "cloud": "Other",
		"authority": "https://login.microsoftonline.com", "graph": "https://graph.microsoft.com"}
}

// connect stores a target and a ticket for every Entra tenant, and a person.
func (m *microsoft) connect(ctx context.Context, s *store.Store) error {
	now := time.Now().UTC()
	_, err := s.People.SavePerson(ctx, access.Person{ID: "p0", Login: "user@msp.example", Name: "A User", Roles: []access.Role{access.Requester}, AllCustomers: true, CreatedAt: now})
	for i := range m.ids {
		customer := fmt.Sprintf("c%d", i)
		_, cerr := s.Customers.SaveCustomer(ctx, access.Customer{ID: customer, Name: customer, CreatedAt: now})
		_, terr := s.Targets.SaveTarget(ctx, access.Target{ID: fmt.Sprintf("t%d", i), Customer: customer, Kind: "entra",
			Name: m.ids[i], Policy: access.DefaultPolicy().Name, Settings: m.values(i), CreatedAt: now}, nil)
		_, derr := s.Desk.SaveDeskTicket(ctx, access.DeskTicket{ID: "k" + customer, Customer: customer, Title: "Mail is rejected", OpenedAt: now})
		err = errors.Join(err, cerr, terr, derr)
	}
	return err
}

// m365 measures whole grants through the connector: from request to read back
// as usable, and from the end to read back as gone for good.
func (o *options) m365(ctx context.Context, e *engine) error {
	const n, tenants = 300, 50
	o.printf("\nMicrosoft 365: %d grants of Global Admin in %d simulated Entra tenants, no faults, no lag (an end is read back 3 times over 30 s):", n, tenants)
	name, err := e.empty(ctx)
	if err != nil {
		return err
	}
	defer e.drop(ctx, name)
	s, err := store.Open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	m := newMicrosoft(tenants)
	watch, stop, err := m.reconcile(ctx, o, e, s)
	if err != nil {
		return err
	}
	defer stop()
	if err := m.connect(ctx, s); err != nil {
		return err
	}
	up, err := m.phase(ctx, n, watch.verified.Load, func(i int) error {
		g := newGrant(i)
		g.Grant.Target, g.Grant.Customer, g.Grant.Entitlement = fmt.Sprintf("t%d", i%tenants), fmt.Sprintf("c%d", i%tenants), entra.GlobalAdmin
		g.Grant.Requester, g.Grant.Ticket = "p0", access.TicketRef{System: desk.Connection, ID: "k" + g.Grant.Customer}
		g.Account.Target, g.Account.Customer, g.Account.Key, g.Grant.Account = g.Grant.Target, g.Grant.Customer, g.Grant.ID, g.Account.ID
		made, err := s.Grants.Create(ctx, g)
		watch.ids = append(watch.ids, made.ID)
		return err
	})
	if err != nil {
		return err
	}
	down, err := m.phase(ctx, n, watch.ended.Load, func(i int) error {
		_, err := s.Grants.Update(ctx, watch.ids[i], func(g *access.Grant) ([]access.Event, error) {
			g.StoppedAt, g.StoppedBy, g.StopCause = time.Now().UTC(), g.Requester, access.ByHolder
			return nil, nil
		})
		return err
	})
	if err != nil {
		return err
	}
	o.printf("  up   %s\n  down %s", up, down)
	return nil
}

// phase has n things done at once and waits until as many are through.
func (m *microsoft) phase(ctx context.Context, n int, through func() int64, do func(i int) error) (string, error) {
	began, calls, cpu := time.Now(), m.calls.Load(), cpuTime()
	for i := range n {
		if err := do(i); err != nil {
			return "", err
		}
	}
	for limit := began.Add(4 * time.Minute); through() < int64(n); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) || ctx.Err() != nil {
			return "", fmt.Errorf("only %d of %d grants came through", through(), n)
		}
	}
	took := time.Since(began)
	return fmt.Sprintf("%4.0f grants a minute (%.1f s for all), %.1f calls of Graph for each, %.1f ms CPU for each, simulator included", float64(n)/took.Minutes(), took.Seconds(),
		float64(m.calls.Load()-calls)/float64(n), float64((cpuTime()-cpu).Microseconds())/1000/float64(n)), nil
}

// A watch365 counts grants as they are recorded.
type watch365 struct {
	reconcile.Cases
	ids             []string
	verified, ended atomic.Int64
	seen            sync.Map // "v" or "e" and the grant's ID
}

// Record implements reconcile.Cases.
func (w *watch365) Record(ctx context.Context, l schedule.Lease, c access.Change) error {
	if err := w.Cases.Record(ctx, l, c); err != nil {
		return err
	}
	for _, g := range c.Grants {
		if _, again := w.seen.LoadOrStore("v"+g.ID, true); !g.VerifiedAt.IsZero() && !again {
			w.verified.Add(1)
		} else if g.VerifiedAt.IsZero() {
			w.seen.Delete("v" + g.ID)
		}
		if g.EndedAt.IsZero() {
			continue
		}
		if _, again := w.seen.LoadOrStore("e"+g.ID, true); !again {
			w.ended.Add(1)
		}
	}
	return nil
}

// reconcile starts the loop over accounts, without sweeps, notes or
// history, whose calls would be counted too.
func (m *microsoft) reconcile(ctx context.Context, o *options, e *engine, s *store.Store) (*watch365, func(), error) {
	path := filepath.Join(o.dir, "m365.key")
	keys, err := secret.OpenKeyfile(path, audit.NewSigningKey)
	if err != nil {
		return nil, nil, errors.Join(err, os.Remove(path))
	}
	w := &watch365{Cases: s.Accounts}
	tickets := desk.System{Store: s.Desk}
	r := reconcile.New(reconcile.Ports{
		Cases: w, Orphans: s.Orphans, Targets: s.Targets, Rules: s.Rules, Outbox: s.Outbox, Log: s.Log, Sealer: secret.NewSealer(keys, s.Keys), Kinds: []target.Kind{m.kind},
		Open:     m.system,
		Password: func() secret.Text { return secret.Password(24) },
		Desks: func(_ context.Context, customer string) (ticket.System, string, string, error) {
			return tickets, desk.Connection, customer, nil
		},
		Tickets: func(context.Context, string) (ticket.System, error) { return tickets, nil },
	}, reconcile.Config{Address: "https://jitney.example"})
	loop := schedule.New(s.Accounts, r.Look, schedule.Config{Name: "accounts", Recovery: s.Accounts, Exclusive: !e.postgres, Beacon: s.Beacon(), Global: o.workers})
	s.Accounts.OnChange(loop.Wake)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { loop.Run(ctx) })
	running.Go(func() { (&audit.Sealer{Book: s.Log, Log: slog.New(slog.DiscardHandler)}).Run(ctx) })
	return w, func() { cancel(); running.Wait() }, nil
}
