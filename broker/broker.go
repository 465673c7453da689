// Package broker is what people do: ask for access, end it, extend it, see a
// password once, revoke, and set everything up.
//
// Every method takes, after its context, the person who acts. What that person
// may not see answers exactly like what does not exist, so that nobody learns
// from an error which customers, grants or tickets there are. A changing
// method reads the person again before it believes in their rights.
//
// The package never touches a target to give or take access: it writes what a
// person decided, with the audit record in the same transaction, and the store
// wakes the reconciler. It never ends a grant; it only says that one should.
package broker

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
	"jitney/ticket"
)

// Ports are what the brokers need from the rest of the program. All are
// needed, except where a comment says otherwise.
type Ports struct {
	Grants      Grants
	Pulses      Pulses // nil if every look reads everything, and schedules are not shown
	Credentials Credentials
	People      People
	Customers   Customers
	Targets     Targets
	Rules       Rules
	Log         Log
	Notes       Notes
	Sealer      Sealer
	Desk        Desk
	Records     Records
	Proof       Proof // nil if this program cannot verify
	Kinds       []target.Kind
	Open        Opener
	Desks       Desks
	Password    func() secret.Text // makes a password that was never made before

	Connections ConnectionStore
	TicketKinds []ticket.Kind // without the built-in desk
	OpenDesk    OpenDesk
	Shelf       Shelf   // nil if what ticket systems told is not kept
	Backlog     Backlog // nil if there is nothing to be seen of it

	Issued  Issued
	Orphans Orphans // nil if nobody looks for any
}

// A Broker holds the services of this package over one set of ports.
type Broker struct {
	Access   *Access
	Places   *Places
	People   *Staff
	Settings *Settings
	Desk     *Deskbook
	Audit    *Audit
	Tickets  *Connections
	Sessions *Sessions
}

// New makes the services.
func New(p Ports) *Broker {
	gate := gate{people: p.People}
	names := &names{people: p.People, customers: p.Customers, targets: p.Targets, kinds: p.Kinds}
	a := &Access{Ports: p, gate: gate, names: names, lists: &lister{shelf: p.Shelf, log: p.Log, connections: p.Connections}}
	return &Broker{
		Access:   a,
		Places:   &Places{ports: p, gate: gate},
		People:   &Staff{ports: p, gate: gate, access: a},
		Settings: &Settings{rules: p.Rules, gate: gate},
		Desk:     &Deskbook{desk: p.Desk, gate: gate, customers: p.Customers},
		Tickets:  &Connections{ports: p, gate: gate, hints: &hints{}},
		Sessions: &Sessions{access: a, issued: p.Issued, gate: gate},
		Audit:    &Audit{records: p.Records, proof: p.Proof, log: p.Log, names: names},
	}
}

// An Access is everything that people do with grants.
type Access struct {
	Ports
	gate  gate
	names *names
	lists *lister
}

// newID makes random lowercase text.
func newID() string { return strings.ToLower(rand.Text()) }

// by makes an event of who.
func by(who access.Person, kind, customer, grant, subject, text string) access.Event {
	return access.Event{At: time.Now().UTC(), Kind: kind, Actor: who.ID, Customer: customer, Grant: grant, Subject: subject, Text: text}
}

func findKind(kinds []target.Kind, name string) (target.Kind, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	return target.Kind{}, false
}

// settingsOf are the settings of t that are no secret.
func settingsOf(t access.Target) target.Settings { return target.Settings{Values: t.Settings} }

// handover says how people get into accounts on t.
func handover(kinds []target.Kind, t access.Target) target.Handover {
	k, _ := findKind(kinds, t.Kind)
	return k.Into(settingsOf(t))
}

// policyOf reads the newest version of the policy that rules t.
func policyOf(ctx context.Context, rules Rules, t access.Target) (access.Policy, error) {
	name := t.Policy
	if name == "" {
		name = access.DefaultPolicy().Name
	}
	return rules.Policy(ctx, name)
}

// policyFor reads the newest version of the policy that rules requests for
// right on t: what is an administrator's has one of its own.
func policyFor(ctx context.Context, rules Rules, t access.Target, right target.Entitlement) (access.Policy, error) {
	if right.Admin {
		t.Policy = t.AdminPolicy
	}
	return policyOf(ctx, rules, t)
}
