package main

import (
	"log/slog"
	"testing"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

// furnish makes an installation with one customer that has these targets, one
// open ticket, and these people, and reports the password of each by login.
func furnish(t *testing.T, where *place, targets []broker.TargetInput, people []broker.PersonInput, policies ...access.Policy) map[string]secret.Text {
	t.Helper()
	ctx := t.Context()
	p, err := where.open(ctx, slog.New(slog.DiscardHandler), targetKinds())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	who := access.Person{ID: "local:test", Login: "test", Roles: []access.Role{access.Administrator}, AllCustomers: true}
	b := p.brokers(localPeople{p.store.People, who})
	for _, policy := range policies {
		if _, err := b.Settings.SavePolicy(ctx, who, policy); err != nil {
			t.Fatal(err)
		}
	}
	customer, err := b.Places.SaveCustomer(ctx, who, access.Customer{Name: "Pedro's Aviary"})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range targets {
		in.Customer = customer.ID
		if _, err := b.Places.SaveTarget(ctx, who, in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Desk.Open(ctx, who, customer.ID, "The printer"); err != nil {
		t.Fatal(err)
	}
	passwords := map[string]secret.Text{}
	for _, in := range people {
		in.AllCustomers = true
		person, err := b.People.Save(ctx, who, in)
		if err != nil {
			t.Fatal(err)
		}
		passwords[in.Login] = secret.Password(20)
		if err := p.door(false).Put(ctx, who.ID, person.ID, passwords[in.Login]); err != nil {
			t.Fatal(err)
		}
	}
	return passwords
}
