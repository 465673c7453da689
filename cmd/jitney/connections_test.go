package main

import (
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"testing"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	simrt "jitney/sim/rt"
	"jitney/ticket/desk"
)

// TestTheFormListsTicketsOfTheConnectedSystem connects a ticket system as an
// administrator does, and lists the tickets of a customer as the form does.
func TestTheFormListsTicketsOfTheConnectedSystem(t *testing.T) {
	ctx := t.Context()
	rt := simrt.New(simrt.Switches{})
	mine, other := rt.AddQueue("Aviary"), rt.AddQueue("Heron")
	id := rt.AddTicket(mine, "The printer prints birds", "")
	rt.AddTicket(other, "Somebody else's", "")
	server := httptest.NewTLSServer(rt)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})

	p, err := (&place{data: t.TempDir(), private: []string{"127.0.0.1"}}).open(ctx, slog.New(slog.DiscardHandler), targetKinds())
	must(t, err)
	defer p.close()
	who := access.Person{ID: "local:test", Login: "test", Roles: []access.Role{access.Administrator, access.Requester}, AllCustomers: true}
	b := p.brokers(localPeople{p.store.People, who})
	customer, err := b.Places.SaveCustomer(ctx, who, access.Customer{Name: "Aviary"})
	must(t, err)
	in := broker.ConnectionInput{Kind: "rt", Values: map[string]string{"url": server.URL, "ca": string(ca)},
		Secrets: map[string]secret.Text{"token": secret.New(rt.Token("jitney", true))}}
	saved, err := b.Tickets.Save(ctx, who, in)
	must(t, err)
	findings, err := b.Tickets.Check(ctx, who, saved.ID)
	must(t, err)
	for _, f := range findings {
		if f.Level == "error" {
			t.Errorf("the check says: %s %s", f.What, f.Fix)
		}
	}
	must(t, b.Tickets.Choose(ctx, who, saved.ID))
	if _, err := b.Access.Tickets(ctx, who, customer.ID, "", ""); access.KindOf(err) != access.Unavailable {
		t.Errorf("without a mapping: %v", err)
	}
	_, err = b.Tickets.Refresh(ctx, who, saved.ID)
	must(t, err)
	must(t, b.Tickets.Map(ctx, who, saved.ID, customer.ID, mine))
	page, err := b.Access.Tickets(ctx, who, customer.ID, "", "")
	must(t, err)
	if len(page.Tickets) != 1 || page.Tickets[0].ID != id || page.Tickets[0].Title != "The printer prints birds" {
		t.Errorf("listed %+v", page.Tickets)
	}
	must(t, b.Tickets.ChooseFor(ctx, who, customer.ID, broker.BuiltInDesk))
	if _, connection, _, err := p.tickets.of(ctx, customer.ID); err != nil || connection != desk.Connection {
		t.Errorf("the customer uses %q, %v", connection, err)
	}
	if odd := rt.Odd(); len(odd) > 0 {
		t.Errorf("odd requests: %q", odd)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
