package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/audit"
	"jitney/store"
)

// insertRates measures how many grants a second are stored: row, account,
// audit record and schedule in one durable transaction each.
func (o *options) insertRates(ctx context.Context, e *engine) error {
	o.printf("\nInsert of grants (account, grant, audit record, schedule: one durable transaction each), sealer running:")
	return o.rates(ctx, e, []int{1, 8, 64}, "grants", func(ctx context.Context, s *store.Store, n int) error {
		_, err := s.Grants.Create(ctx, newGrant(n))
		return err
	})
}

// auditRates measures how many audit records a second are appended.
func (o *options) auditRates(ctx context.Context, e *engine) error {
	o.printf("\nAppend of audit records (one durable transaction each), sealer running:")
	return o.rates(ctx, e, []int{1, 16, 64}, "records", func(ctx context.Context, s *store.Store, n int) error {
		return s.Log.Write(ctx, access.Event{At: time.Now().UTC(), Kind: "bench.event", Actor: "p1", Customer: "c1", Subject: "t1", Text: "Something happened to somebody somewhere."})
	})
}

// rates has so many clients call do for a while, and prints how often a second
// they got through.
func (o *options) rates(ctx context.Context, e *engine, clients []int, what string, do func(context.Context, *store.Store, int) error) error {
	for _, c := range clients {
		name, err := e.empty(ctx)
		if err != nil {
			return err
		}
		all, sealed, err := o.rate(ctx, name, c, do)
		e.drop(ctx, name)
		if err != nil {
			return err
		}
		o.printf("  %3d clients: %6.0f %s/s   p50 %s, p99 %s   (%d waited for the sealer at the end)",
			c, float64(len(all))/o.inserts.Seconds(), what, ms(at(all, 0.5)), ms(at(all, 0.99)), sealed)
	}
	return nil
}

func (o *options) rate(ctx context.Context, name string, clients int, do func(context.Context, *store.Store, int) error) (all []time.Duration, unsealed int64, err error) {
	s, err := store.Open(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(ctx)
	var sealer sync.WaitGroup
	sealer.Go(func() { (&audit.Sealer{Book: s.Log, Log: slog.Default()}).Run(ctx) })
	defer sealer.Wait()
	defer cancel()
	var (
		mu    sync.Mutex
		crowd sync.WaitGroup
		stop  = time.Now().Add(o.inserts)
	)
	for c := range clients {
		crowd.Go(func() {
			var mine []time.Duration
			for n := c; time.Now().Before(stop); n += clients {
				began := time.Now()
				if derr := do(ctx, s, n); derr != nil {
					mu.Lock()
					err = derr
					mu.Unlock()
					return
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	crowd.Wait()
	if err == nil {
		unsealed, _, err = s.Log.Unsealed(ctx)
	}
	return all, unsealed, err
}

// newGrant makes the n-th request as a broker would store it.
func newGrant(n int) access.NewGrant {
	now := time.Now().UTC()
	id := strings.ToLower(rand.Text())
	target, customer, person := fmt.Sprintf("t%d", n%targets), fmt.Sprintf("c%d", n%targets), fmt.Sprintf("p%d", n%5000)
	g := access.Grant{ID: id, Policy: "default", PolicyVersion: 1, SubmittedAt: now, ApprovedAt: now, ApprovedBy: "policy", StartBy: now.Add(time.Hour)}
	g.Request = access.Request{Requester: person, Customer: customer, Target: target, Entitlement: "admin",
		Ticket: access.TicketRef{System: "desk", ID: "k1", Number: "1", Title: "Printer"}, Reason: "Replace the print driver on all servers", Duration: 15 * time.Minute}
	return access.NewGrant{
		Grant: g,
		Account: access.Account{ID: strings.ToLower(rand.Text()), Customer: customer, Target: target, Key: person,
			Holder: access.Holder{Person: person, Login: "user@msp.example", Name: "A User"}},
		Events: []access.Event{{At: now, Kind: access.EventSubmitted, Actor: person, Customer: customer, Grant: id, Subject: target, Text: "Asked for Administrator for 15 minutes."}},
	}
}
