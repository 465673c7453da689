package ticket_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/store"
	"jitney/target"
	"jitney/target/fake"
	"jitney/ticket"
)

// A counter is where people ask for access: the real broker over a real store,
// with each customer's tickets in a desk of its own.
type counter struct {
	store *store.Store
	b     *broker.Broker
	tech  access.Person
	desks map[string]at // by customer
}

// at is a customer's desk, and its id of the customer's company there.
type at struct {
	sys     ticket.System
	company string
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	ctx := t.Context()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "jitney.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c := &counter{store: s, desks: map[string]at{}}
	c.tech, err = s.People.SavePerson(ctx, access.Person{ID: "maya", Login: "maya@msp.example", Name: "Maya", Roles: []access.Role{access.Requester}, AllCustomers: true, CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	realm := fake.NewRealm()
	kinds := []target.Kind{fake.Kind(func(string) *fake.Realm { return realm })}
	open := func(context.Context, string) (target.System, error) { return realm.Open(), nil }
	desks := func(_ context.Context, customer string) (ticket.System, string, string, error) {
		d := c.desks[customer]
		return d.sys, "desk-" + customer, d.company, nil
	}
	c.b = broker.New(broker.Ports{Grants: s.Grants, Credentials: s.Credentials, People: s.People, Customers: s.Customers, Targets: s.Targets, Rules: s.Rules, Log: s.Log, Notes: s.Outbox,
		Desk: s.Desk, Records: s.Log, Kinds: kinds, Open: open, Desks: desks, Password: func() secret.Text { return secret.Password(20) },
		Connections: s.Connections, Shelf: s.Tickets})
	return c
}

// add makes a customer whose company is this one.
func (c *counter) add(t *testing.T, id string, sys ticket.System, company string) {
	t.Helper()
	c.desks[id] = at{sys, company}
	if _, err := c.store.Customers.SaveCustomer(t.Context(), access.Customer{ID: id, Name: id, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.store.Targets.SaveTarget(t.Context(), access.Target{ID: "t-" + id, Customer: id, Kind: fake.Name, Name: "Practice", Policy: access.DefaultPolicy().Name, CreatedAt: time.Now()}, nil); err != nil {
		t.Fatal(err)
	}
}

// ask sends the form, and reports what it says of the ticket; empty if the
// access was given.
func (c *counter) ask(t *testing.T, customer, id string) string {
	t.Helper()
	_, err := c.b.Access.Submit(t.Context(), c.tech, broker.Submission{Customer: customer, Target: "t-" + customer, Entitlement: fake.Admin, Ticket: id, Minutes: 30, Reason: "Patching the practice servers."})
	if err == nil {
		return ""
	}
	wrong, ok := errors.AsType[*broker.Invalid](err)
	if !ok || len(wrong.Fields) != 1 || wrong.Fields[0].Field != "ticket" {
		t.Fatalf("ticket %s: %v", id, err)
	}
	return wrong.Fields[0].Text
}

// TestATicketThatChangesBetweenFormAndSubmit lists tickets as the form does,
// changes them in the ticket system, and sends the form.
func TestATicketThatChangesBetweenFormAndSubmit(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	const choose, closed = "Choose an open ticket", "is closed"
	for name, d := range trials() {
		customer := strings.ToLower(strings.ReplaceAll(name, " ", "-"))
		mine, other := d.company("Aviary"), d.company("Bakery")
		c.add(t, customer, d.open(t), mine)
		tests := []struct {
			name   string
			change func(id string)
			says   string // part of what the form says; empty if the access is given
		}{
			{"nothing changes", func(string) {}, ""},
			{"it is closed", d.close, closed},
			{"it is deleted", d.remove, choose},
			{"it is given to another customer", func(id string) { d.move(id, other) }, choose},
			{"it becomes a part of another customer's ticket", func(id string) { d.merge(id, d.add(other, "Theirs")) }, choose},
			{"it becomes a part of a closed ticket", func(id string) {
				whole := d.add(mine, "The whole")
				d.close(whole)
				d.merge(id, whole)
			}, "merged into one that is closed"},
			{"it becomes a part of another open ticket of the customer", func(id string) { d.merge(id, d.add(mine, "The whole")) }, ""},
		}
		for _, tt := range tests {
			merges := strings.HasPrefix(tt.name, "it becomes")
			if merges && d.merge == nil || strings.Contains(tt.name, "given to") && d.move == nil {
				continue
			}
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				id := d.add(mine, "The printer is on fire")
				c.listed(t, customer, id)
				tt.change(id)
				said := c.ask(t, customer, id)
				if (said == "") != (tt.says == "") || !strings.Contains(said, tt.says) {
					t.Errorf("the form says %q; want %q", said, tt.says)
				}
			})
		}
		t.Run(name+"/it was another customer's all the time", func(t *testing.T) {
			if said := c.ask(t, customer, d.add(other, "Theirs")); !strings.Contains(said, choose) {
				t.Errorf("the form says %q; want %q", said, choose)
			}
		})
	}
}

// listed demands that the form shows a ticket.
func (c *counter) listed(t *testing.T, customer, id string) {
	t.Helper()
	page, err := c.desks[customer].sys.Tickets(t.Context(), ticket.Query{Company: c.desks[customer].company})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range page.Tickets {
		if got.ID == id {
			return
		}
	}
	t.Fatalf("%s is not listed", id)
}
