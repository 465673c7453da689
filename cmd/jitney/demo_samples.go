package main

import (
	"context"
	"fmt"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

// A demoCustomer is a sample customer with a simulated domain, a simulated
// Entra tenant, or both.
type demoCustomer struct {
	name, note  string
	domain      string // of Active Directory; empty for none
	sid         string // its security identifier, the same at each start: to Jitney another one is another domain
	controllers int
	delay       time.Duration // of replication
	m365        string        // initial domain of the Entra tenant; empty for none
	tenant      string        // its ID
	aws         string        // role in the simulated AWS account; empty for none
	tickets     []string
}

func demoCustomers() []demoCustomer {
	return []demoCustomer{
		{name: "Pedro's Aviary", note: "Bird park, two sites", domain: "pedroaviary.local", sid: "S-1-5-21-3124357494-1745986610-2631345323", controllers: 2, delay: 300 * time.Millisecond,
			m365: "pedroaviary.onmicrosoft.com", tenant: "3c1f6a52-90d4-4b7e-a1c8-5e2d7f409b13", tickets: []string{
				"Printer on the ticket desk prints blank pages", "New hire needs a mailbox and a laptop", "Domain controller dc1 is low on disk space"}},
		{name: "Blue Heron Dental", note: "Three practices", domain: "blueheron.local", sid: "S-1-5-21-1187420563-2906614428-740231956", controllers: 1, tickets: []string{
			"X-ray workstation does not join the domain", "Password policy has to follow the insurer's rules"}},
		{name: "Sandpiper Logistics", note: "Warehouse, runs around the clock", domain: "sandpiper.local", sid: "S-1-5-21-2640918375-518837204-3391720846", controllers: 1, tickets: []string{
			"Scanner accounts are locked every morning", "Group policy for the new loading dock"}},
		{name: "Kingfisher Legal", note: "Law firm, no servers of its own", m365: "kingfisherlegal.onmicrosoft.com", tenant: "b84e02d7-6c39-4f15-8d2a-17c9e5a3f604", tickets: []string{
			"Shared mailbox for the front desk", "Mail to opposing counsel is rejected"}},
		{name: "kestrel-prod", note: "The shop, in production", aws: "kestrel-prod", tickets: []string{"Orders of yesterday are missing in the export"}},
		{name: "kestrel-dev", note: "The shop, for development", aws: "kestrel-dev"},
	}
}

// A demoPerson is a sample person with the password of this demonstration.
type demoPerson struct {
	login, name, what string
	roles             []access.Role
	all               bool // works for every customer; else for the first only
	password          secret.Text
}

func demoPeople() []demoPerson {
	return []demoPerson{
		{login: "example.user@msp.example", name: "Example User", what: "a technician, works for every customer", roles: []access.Role{access.Requester}, all: true},
		{login: "ada@msp.example", name: "Ada Admin", what: "an administrator", roles: []access.Role{access.Administrator, access.Requester}, all: true},
		{login: "petra@msp.example", name: "Petra Approver", what: "approves, works for Pedro's Aviary only", roles: []access.Role{access.Approver, access.Requester}},
		{login: "otto@msp.example", name: "Otto Auditor", what: "an auditor: sees everything, changes nothing", roles: []access.Role{access.Auditor}, all: true},
	}
}

// furnish fills an installation with the samples, or brings those that are
// there up to date: the simulated systems are new at each start.
func (p *program) furnish(ctx context.Context, systems *demoSystems) ([]demoPerson, error) {
	who := access.Person{ID: "local:demo", Login: "demo", Name: "The demonstration", Roles: []access.Role{access.Administrator}, AllCustomers: true, CreatedAt: time.Now().UTC()}
	b := p.brokers(localPeople{p.store.People, who})
	if err := demoPolicy(ctx, b, who); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	customers, err := p.demoCustomers(ctx, b, who, systems)
	if err != nil {
		return nil, err
	}
	people, err := p.demoPeople(ctx, b, who, customers[0])
	if err != nil {
		return nil, err
	}
	return people, nil
}

// demoPolicy offers a minute first, so that a whole grant can be watched.
func demoPolicy(ctx context.Context, b *broker.Broker, who access.Person) error {
	policy, err := b.Settings.Policy(ctx, who, access.DefaultPolicy().Name)
	if err != nil || policy.Default == time.Minute {
		return err
	}
	policy.Default = time.Minute
	_, err = b.Settings.SavePolicy(ctx, who, policy)
	return err
}

// demoCustomers makes the sample customers with their targets and tickets, and
// reports their IDs.
func (p *program) demoCustomers(ctx context.Context, b *broker.Broker, who access.Person, systems *demoSystems) (ids []string, err error) {
	known, err := b.Places.Customers(ctx, who)
	if err != nil {
		return nil, err
	}
	for _, sample := range demoCustomers() {
		var customer access.Customer
		for _, c := range known {
			if c.Name == sample.name {
				customer = c
			}
		}
		if customer.ID == "" {
			if customer, err = b.Places.SaveCustomer(ctx, who, access.Customer{Name: sample.name, Note: sample.note}); err != nil {
				return nil, fmt.Errorf("customer %s: %w", sample.name, err)
			}
			for _, title := range sample.tickets {
				if _, err := b.Desk.Open(ctx, who, customer.ID, title); err != nil {
					return nil, fmt.Errorf("ticket of %s: %w", sample.name, err)
				}
			}
		}
		for _, in := range systems.targets(sample) {
			in.Customer = customer.ID
			if err := demoTarget(ctx, b, who, in); err != nil {
				return nil, fmt.Errorf("target of %s: %w", sample.name, err)
			}
		}
		ids = append(ids, customer.ID)
	}
	return ids, nil
}

// demoTarget connects a simulated system as an administrator would, or again
// if it is there.
func demoTarget(ctx context.Context, b *broker.Broker, who access.Person, in broker.TargetInput) error {
	page, err := b.Places.Customer(ctx, who, in.Customer)
	if err != nil {
		return err
	}
	for _, t := range page.Targets {
		if t.Target.Kind == in.Kind {
			in.ID, in.Version = t.Target.ID, t.Target.Version
		}
	}
	_, err = b.Places.SaveTarget(ctx, who, in)
	if in.ID != "" && len(broker.FieldsOf(err)) > 0 {
		return fmt.Errorf("access was open at %s when the demonstration stopped, and the simulated system that it was in is gone: remove the --data directory", in.Name)
	}
	return err
}

// demoPeople makes the sample people, each with a new password.
func (p *program) demoPeople(ctx context.Context, b *broker.Broker, who access.Person, first string) ([]demoPerson, error) {
	known, err := b.People.People(ctx, who)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, person := range known {
		ids[person.Login] = person.ID
	}
	door, people := p.door(false), demoPeople()
	for i := range people {
		sample := &people[i]
		if ids[sample.login] == "" {
			in := broker.PersonInput{Login: sample.login, Name: sample.name, Roles: sample.roles, AllCustomers: sample.all}
			if !sample.all {
				in.Customers = []string{first}
			}
			saved, err := b.People.Save(ctx, who, in)
			if err != nil {
				return nil, fmt.Errorf("person %s: %w", sample.login, err)
			}
			ids[sample.login] = saved.ID
		}
		sample.password = secret.Password(16)
		if err := door.Put(ctx, who.ID, ids[sample.login], sample.password); err != nil {
			return nil, fmt.Errorf("password of %s: %w", sample.login, err)
		}
	}
	return people, nil
}
