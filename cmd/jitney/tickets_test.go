package main

import (
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/schedule"
	"jitney/secret"
	simrt "jitney/sim/rt"
)

// TestClosingATicketOfTheConnectedSystemEndsTheAccess watches the ticket of a
// live grant with the parts of the real program.
func TestClosingATicketOfTheConnectedSystemEndsTheAccess(t *testing.T) {
	ctx := t.Context()
	rt := simrt.New(simrt.Switches{})
	mine := rt.AddQueue("Aviary")
	id := rt.AddTicket(mine, "The printer prints birds", "")
	server := httptest.NewTLSServer(rt)
	defer server.Close()
	p, err := (&place{data: t.TempDir(), private: []string{"127.0.0.1"}}).open(ctx, slog.New(slog.DiscardHandler), targetKinds())
	must(t, err)
	defer p.close()
	who := access.Person{ID: "local:test", Login: "test", Roles: []access.Role{access.Administrator, access.Requester}, AllCustomers: true}
	b := p.brokers(localPeople{p.store.People, who})
	policy := access.DefaultPolicy()
	policy.Name, policy.Version, policy.Tickets = "strict", 0, access.TicketRules{EndOnClose: true}
	policy, err = b.Settings.SavePolicy(ctx, who, policy)
	must(t, err)
	customer, err := b.Places.SaveCustomer(ctx, who, access.Customer{Name: "Aviary"})
	must(t, err)
	saved, err := b.Tickets.Save(ctx, who, broker.ConnectionInput{Kind: "rt", Secrets: map[string]secret.Text{"token": secret.New(rt.Token("jitney", true))},
		Values: map[string]string{"url": server.URL, "ca": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))}})
	must(t, err)
	must(t, b.Tickets.Choose(ctx, who, saved.ID))
	_, err = b.Tickets.Refresh(ctx, who, saved.ID)
	must(t, err)
	must(t, b.Tickets.Map(ctx, who, saved.ID, customer.ID, mine))
	list, err := b.Access.TicketList(ctx, who, customer.ID, broker.TicketQuery{})
	if err != nil || len(list.Tickets) != 1 || list.Tickets[0].ID != id {
		t.Fatalf("%+v, %v", list, err)
	}
	now := time.Now()
	_, err = p.store.Grants.Create(ctx, access.NewGrant{Account: access.Account{ID: "a1", Customer: customer.ID, Target: "t1", Key: who.ID},
		Grant: access.Grant{ID: "g1", Policy: policy.Name, PolicyVersion: policy.Version, SubmittedAt: now, ApprovedAt: now, ApprovedBy: "policy", StartBy: now.Add(time.Hour),
			Request: access.Request{Requester: who.ID, Customer: customer.ID, Target: "t1", Ticket: access.TicketRef{System: saved.ID, ID: id, Number: id}, Duration: time.Hour}}})
	must(t, err)

	r := p.reconciler("")
	look := func() access.Grant {
		t.Helper()
		_, err := r.Work(ctx, schedule.Item[access.Work]{Value: access.WatchWork(saved.ID)})
		must(t, err)
		g, err := p.store.Grants.Grant(ctx, "g1")
		must(t, err)
		return g
	}
	if g := look(); !g.StoppedAt.IsZero() {
		t.Errorf("ended while its ticket is open: %s", g.StopReason)
	}
	rt.SetStatus(id, "resolved")
	if g := look(); g.StopCause != access.ByTicket || g.StopReason != "ticket "+id+" was closed" {
		t.Errorf("cause %q: %q", g.StopCause, g.StopReason)
	}
	if odd := rt.Odd(); len(odd) > 0 {
		t.Errorf("odd requests: %q", odd)
	}
}
