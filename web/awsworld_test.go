package web

import (
	"context"
	"slices"
	"testing"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

// memIssued keeps sessions and how long they may last.
type memIssued struct{ *memory }

func (m memIssued) Issue(_ context.Context, s access.Session, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.grants, func(g access.Grant) bool { return g.ID == s.Grant })
	if i < 0 || m.grants[i].ApprovedAt.IsZero() || !m.grants[i].StoppedAt.IsZero() || !m.grants[i].EndedAt.IsZero() {
		return &access.Error{Kind: access.Conflict, Text: "The grant is over."}
	}
	m.issued = slices.Insert(m.issued, 0, s)
	m.write(events...)
	return nil
}

func (m memIssued) with(fits func(access.Session) bool) (out []access.Session, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.issued {
		if fits(s) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (m memIssued) SessionsOf(_ context.Context, grant string) ([]access.Session, error) {
	return m.with(func(s access.Session) bool { return s.Grant == grant })
}

func (m memIssued) SessionsBy(_ context.Context, person string, since time.Time) ([]access.Session, error) {
	return m.with(func(s access.Session) bool { return s.Person == person && !s.IssuedAt.Before(since) })
}

func (m memIssued) Limits(context.Context) ([]access.Limit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.limits), nil
}

func (m memIssued) SetLimit(_ context.Context, l access.Limit, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limits = slices.DeleteFunc(m.limits, func(o access.Limit) bool { return o.Setting == l.Setting && o.Place == l.Place })
	if l.Length != 0 {
		m.limits = append(m.limits, l)
	}
	m.write(events...)
	return nil
}

// bank is what stands behind a target with sessions.
func (w *world) bank(id string) *fake.Bank {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.banks == nil {
		w.banks = map[string]*fake.Bank{}
	}
	if w.banks[id] == nil {
		w.banks[id] = fake.NewBank()
	}
	return w.banks[id]
}

// newAWSWorld is a filled world with AWS accounts, whose consoles open at
// endpoint: AWS's own if it is empty.
func newAWSWorld(t testing.TB, endpoint string) *world {
	t.Helper()
	var w *world
	w = newWorld(t, fake.SessionKind(func(id string) *fake.Bank { return w.bank(id) }))
	w.fill()
	now := time.Now().UTC()
	w.policies["sessions"] = access.SessionPolicy()
	admin := access.DefaultPolicy()
	admin.Name, admin.Title, admin.Max, admin.NeedsApproval = "aws-admin", "AWS admin", 30*time.Minute, true
	w.policies["aws-admin"] = admin
	for _, c := range [][3]string{{"kprod", "kestrel-prod", "402177831190"}, {"kdev", "kestrel-dev", "402177831208"}, {"hprod", "harbour-prod", "402177831216"}} {
		w.customers[c[0]] = access.Customer{ID: c[0], Name: c[1], CreatedAt: now, Version: 1}
		w.targets["aws-"+c[0]] = access.Target{ID: "aws-" + c[0], Customer: c[0], Kind: fake.Sessions, Name: "AWS " + c[1], Policy: "sessions", AdminPolicy: "aws-admin", Version: 1,
			CreatedAt: now, Settings: map[string]string{"account": c[2], "region": "eu-west-2", "admin_role": "Admin", "endpoint": endpoint}}
	}
	m := w.people[maya]
	m.Customers = append(m.Customers, "kprod", "kdev")
	w.people[maya] = m
	w.people["rea"] = access.Person{ID: "rea", Login: "rea@msp.example", Name: "Rea Only", Roles: []access.Role{access.Approver}, Customers: []string{"kprod"}, Version: 1}
	w.settings[access.SwitchAdmin] = "true"
	return w
}

// today gives Maya and Ada grants of today in many states, also when today has
// only begun.
func (w *world) today() {
	now := time.Now().UTC()
	session := func(id, who, customer, right string, change func(*access.Grant)) {
		w.grantIn(id, "t1", now, func(g *access.Grant) {
			g.Requester, g.Customer, g.Target, g.Entitlement = who, customer, "aws-"+customer, right
			g.VerifiedAt, g.Ticket, g.Reason = now.Add(-13*time.Minute), access.TicketRef{}, ""
			change(g)
		})
		a := w.accounts["acc-"+id]
		a.Customer, a.Target, a.Username = customer, "aws-"+customer, "maya.okafor-7k2m9x"
		w.accounts[a.ID] = a
		g := w.grants[len(w.grants)-1]
		for i, what := range []string{access.ForKeys, access.ForConsole, access.ForKeys} {
			if !g.ApprovedAt.IsZero() {
				w.issued = append(w.issued, access.Session{ID: id + string(rune('a'+i)), Grant: id, Account: a.ID, Customer: customer, Target: g.Target, Entitlement: right, Person: who,
					For: what, Via: []string{access.ViaPage, access.ViaCLI, access.ViaToken}[i], Application: []string{"Firefox on Linux", "jitney", "ci"}[i], Machine: []string{"", "maya-laptop", "runner-7"}[i],
					Address: "192.0.2.7", Name: "maya.okafor-7k2m9x", KeyID: "ASIA2EXAMPLE7K2M9X", IssuedAt: now.Add(-time.Duration(i*4) * time.Minute), EndsAt: g.EndsAt(), ExpiresAt: g.EndsAt()})
			}
		}
	}
	session("s-active", maya, "kprod", "tenant", func(*access.Grant) {})
	session("s-pending", maya, "kprod", "admin", func(g *access.Grant) {
		g.ApprovedAt, g.ApprovedBy, g.VerifiedAt, g.StartBy = time.Time{}, "", time.Time{}, time.Time{}
	})
	session("s-ending", maya, "kdev", "tenant", func(g *access.Grant) {
		g.StoppedAt, g.StoppedBy, g.StopCause, g.Patience = now.Add(-5*time.Second), maya, access.ByHolder, unhurried
	})
	session("s-expiring", maya, "kdev", "tenant", func(g *access.Grant) { g.VerifiedAt = now.Add(-51 * time.Minute) })
	session("s-ended", maya, "kdev", "tenant", func(g *access.Grant) {
		g.VerifiedAt, g.EndedAt = now.Add(-70*time.Minute), now.Add(-10*time.Minute)
	})
	session("s-stuck", maya, "hprod", "admin", func(g *access.Grant) {
		g.VerifiedAt, g.SubmittedAt, g.OverdueAt = now.Add(-130*time.Minute), now.Add(-131*time.Minute), now.Add(-69*time.Minute)
	})
}
