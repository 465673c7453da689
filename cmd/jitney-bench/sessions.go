package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/store"
	"jitney/target"
)

// instant is a cloud that issues sessions in no time, so that what is measured
// is ours.
type instant struct{}

func (instant) Observe(context.Context, access.Account) (access.Observation, error) {
	return access.Observation{}, nil
}
func (instant) Apply(context.Context, access.Account, access.Want, secret.Text) error { return nil }
func (instant) Remove(context.Context, access.Account) error                          { return nil }

func (instant) Session(_ context.Context, a access.Account, ask target.SessionAsk) (target.Keys, error) {
	ends := time.Now().Add(ask.Length)
	return target.Keys{ID: "ASIAEXAMPLE", Secret: secret.New("s"), Token: secret.New("t"), Name: a.ID, EndsAt: ends, ExpiresAt: ends}, nil
}

func (instant) Console(context.Context, target.Keys, target.Place) (secret.Text, error) {
	return secret.Text{}, nil
}

// issuing measures sessions.
type issuing struct{ *options }

// rates measures how many sessions a second are issued, each with its
// rights checked and its audit record stored before it is shown.
func (o issuing) rates(ctx context.Context, e *engine) error {
	o.printf("\nIssue of sessions from live grants (rights, switches, policy, one durable transaction each; the cloud answers in no time), sealer running:")
	var mu sync.Mutex
	open := map[*store.Store]*sessionBench{}
	return o.options.rates(ctx, e, []int{1, 8, 64}, "sessions", func(ctx context.Context, s *store.Store, n int) error {
		mu.Lock()
		b, err := open[s], error(nil)
		if b == nil {
			b, err = newSessionBench(ctx, s)
			open[s] = b
		}
		mu.Unlock()
		if err != nil {
			return err
		}
		return b.issue(ctx, n)
	})
}

const tenants = 40 // as many as a platform engineer has

type sessionBench struct {
	broker *broker.Broker
	who    access.Person
}

func newSessionBench(ctx context.Context, s *store.Store) (*sessionBench, error) {
	kind := target.Kind{Name: "instant", Sessions: true, Entitlements: target.Offer(target.Entitlement{Name: "tenant", Title: "Tenant"})}
	open := func(context.Context, string) (target.System, error) { return instant{}, nil }
	b := &sessionBench{broker: broker.New(broker.Ports{Grants: s.Grants, People: s.People, Customers: s.Customers, Targets: s.Targets, Rules: s.Rules,
		Log: s.Log, Kinds: []target.Kind{kind}, Open: open, Issued: s.Issued})}
	var err error
	b.who, err = s.People.SavePerson(ctx, access.Person{ID: "p1", Login: "user@msp.example", Name: "A User", Roles: []access.Role{access.Requester}, AllCustomers: true, CreatedAt: time.Now()})
	if err != nil {
		return nil, err
	}
	for i := range tenants {
		id := fmt.Sprintf("c%d", i)
		if _, err := s.Customers.SaveCustomer(ctx, access.Customer{ID: id, Name: "tenant-" + id, CreatedAt: time.Now()}); err != nil {
			return nil, err
		}
		if _, err := s.Targets.SaveTarget(ctx, access.Target{ID: "t" + id, Customer: id, Kind: kind.Name, Name: "AWS of " + id, Policy: access.SessionPolicy().Name, CreatedAt: time.Now()}, nil); err != nil {
			return nil, err
		}
		if err := b.issue(ctx, i); err != nil { // makes the grant
			return nil, err
		}
	}
	return b, nil
}

func (b *sessionBench) issue(ctx context.Context, n int) error {
	_, err := b.broker.Sessions.Issue(ctx, b.who, broker.SessionAsk{Tenant: fmt.Sprintf("tenant-c%d", n%tenants), For: access.ForKeys,
		From: broker.Caller{Via: access.ViaCLI, Application: "jitney", Machine: "laptop"}})
	return err
}
