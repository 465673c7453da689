package main

import (
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	simrt "jitney/sim/rt"
	"jitney/target"
	"jitney/target/fake"
	"jitney/ticket"
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

// TestDoctorChecksTicketSystems has one that is well, and then one whose token
// is not accepted any more, or that does not answer.
func TestDoctorChecksTicketSystems(t *testing.T) {
	ctx := t.Context()
	rt := simrt.New(simrt.Switches{})
	rt.AddQueue("Aviary")
	server := httptest.NewTLSServer(rt)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	here := &place{data: t.TempDir(), private: []string{"127.0.0.1"}}
	p, err := here.open(ctx, slog.New(slog.DiscardHandler), []target.Kind{fake.Kind(nil)})
	must(t, err)
	who := access.Person{ID: "local:test", Login: "test", Roles: []access.Role{access.Administrator}, AllCustomers: true}
	b, token := p.brokers(localPeople{p.store.People, who}), rt.Token("jitney", true)
	_, err = b.Tickets.Save(ctx, who, broker.ConnectionInput{Kind: "rt", Name: "Our desk", Values: map[string]string{"url": server.URL, "ca": string(ca), "key_field": simrt.KeyField},
		Secrets: map[string]secret.Text{"token": secret.New(token)}})
	must(t, err)
	customer, err := b.Places.SaveCustomer(ctx, who, access.Customer{Name: "Aviary"})
	must(t, err)
	_, err = b.Places.SaveTarget(ctx, who, broker.TargetInput{Customer: customer.ID, Kind: fake.Name, Name: "Practice", Values: map[string]string{"domain": "practice.example"}})
	must(t, err)
	p.close()
	told := func(only string, timeout time.Duration) (text string, err error) {
		found, err := examine(ctx, &shell{}, here, only, timeout)
		for _, d := range found {
			if d.About == "ticket system Our desk" {
				text += d.Level + ": " + d.What + "\n"
			}
		}
		return text, err
	}
	if text, err := told("", patience); err != nil || !strings.Contains(text, "ok: ") || strings.Contains(text, "error: ") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err := told("practice", patience); err != nil || text != "" {
		t.Errorf("with one target named: %v\n%s", err, text)
	}
	rt.Revoke(token)
	if text, err := told("", patience); err != nil || !strings.Contains(text, "error: Request Tracker does not accept") {
		t.Errorf("%v\n%s", err, text)
	}
	rt.Set(simrt.Switches{Slow: time.Hour})
	if text, err := told("", 50*time.Millisecond); err != nil || !strings.Contains(text, "error: The check was not finished in 50ms.") {
		t.Errorf("%v\n%s", err, text)
	}
	if f := finding(&ticket.Trouble{Kind: ticket.Misconfigured, Text: "Unknown.", Err: errors.New("for the log")}); f.What != "Unknown." {
		t.Errorf("%+v", f)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
