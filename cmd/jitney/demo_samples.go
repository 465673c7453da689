package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/sim/directory"
)

// A demoCustomer is a sample customer with a simulated domain.
type demoCustomer struct {
	name, note, domain string
	controllers        int
	delay              time.Duration // of replication
	tickets            []string
}

func demoCustomers() []demoCustomer {
	return []demoCustomer{
		{"Pedro's Aviary", "Bird park, two sites", "pedroaviary.local", 2, 300 * time.Millisecond, []string{
			"Printer on the ticket desk prints blank pages", "New hire needs a mailbox and a laptop", "Domain controller dc1 is low on disk space"}},
		{"Blue Heron Dental", "Three practices", "blueheron.local", 1, 0, []string{
			"X-ray workstation does not join the domain", "Password policy has to follow the insurer's rules"}},
		{"Sandpiper Logistics", "Warehouse, runs around the clock", "sandpiper.local", 1, 0, []string{
			"Scanner accounts are locked every morning", "Group policy for the new loading dock"}},
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
		{login: "otto@msp.example", name: "Otto Auditor", what: "an auditor: sees everything, changes nothing", roles: []access.Role{access.Auditor}},
	}
}

// furnish fills an installation with the samples, or brings those that are
// there up to date: the simulated domains are new at each start.
func (p *program) furnish(ctx context.Context, domains []*directory.Domain) ([]demoPerson, error) {
	who := access.Person{ID: "local:demo", Login: "demo", Name: "The demonstration", Roles: []access.Role{access.Administrator}, AllCustomers: true, CreatedAt: time.Now().UTC()}
	b := p.brokers(localPeople{p.store.People, who})
	if err := demoPolicy(ctx, b, who); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	customers, err := p.demoCustomers(ctx, b, who, domains)
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
func (p *program) demoCustomers(ctx context.Context, b *broker.Broker, who access.Person, domains []*directory.Domain) (ids []string, err error) {
	known, err := b.Places.Customers(ctx, who)
	if err != nil {
		return nil, err
	}
	for i, sample := range demoCustomers() {
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
		if err := demoTarget(ctx, b, who, customer.ID, domains[i]); err != nil {
			return nil, fmt.Errorf("target of %s: %w", sample.name, err)
		}
		ids = append(ids, customer.ID)
	}
	return ids, nil
}

// demoTarget connects a simulated domain as an administrator would.
func demoTarget(ctx context.Context, b *broker.Broker, who access.Person, customer string, d *directory.Domain) error {
	var controllers []string
	for _, c := range d.Controllers() {
		controllers = append(controllers, strings.TrimPrefix(c.URL(), "ldaps://"))
	}
	in := broker.TargetInput{
		Customer: customer, Kind: "ad", Name: d.Name(), Policy: access.DefaultPolicy().Name,
		Values: map[string]string{
			"domain": d.Name(), "controllers": strings.Join(controllers, "\n"), "ca": d.CAPEM(),
			"bind_name": d.AdminUPN(), "ou": "OU=Jitney," + d.BaseDN(),
		},
		Secrets: map[string]secret.Text{"bind_password": d.AdminPassword()},
	}
	page, err := b.Places.Customer(ctx, who, customer)
	if err != nil {
		return err
	}
	for _, t := range page.Targets {
		in.ID, in.Version = t.Target.ID, t.Target.Version
	}
	_, err = b.Places.SaveTarget(ctx, who, in)
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
