package ad

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
	"jitney/sim/directory"
)

func TestOtherDomain(t *testing.T) {
	d1, _ := simulated(t, directory.Options{Domain: "one.local"})
	d2, _ := simulated(t, directory.Options{Domain: "two.local"})
	s, a := d1.open(t, nil), d1.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	s2 := d2.open(t, nil)
	o, err := s2.Observe(t.Context(), a)
	if err == nil && o.Clean() {
		t.Errorf("clean on another domain; it still signs in on the first: %v", d1.signIn(t, a.Username, testPassword))
	}
}

func TestAppliedThenSilent(t *testing.T) {
	d, sim := simulated(t, directory.Options{Controllers: 2, ReplicationDelay: -1})
	sim.Replicate()
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	must(t, s.Remove(t.Context(), a))
	sim.Replicate()
	if o := look(t, s, &a); !o.Clean() || len(o.Silent) > 0 {
		t.Fatalf("%+v", o)
	}
	a.TriedAt = time.Now()
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword)) // done on the first one; then it cannot be reached any more
	sim.Controllers()[0].SetDown(true)
	o, err := s.Observe(t.Context(), a)
	if err == nil && o.Clean() {
		sim.Controllers()[0].SetDown(false)
		t.Errorf("clean (silent %v); the first controller: sign-in %q, members %v", o.Silent, sim.Controllers()[0].SignsIn(a.Username, testPassword.Reveal()), sim.Controllers()[0].Members("Domain Admins"))
		sim.Replicate()
		t.Errorf("after replication, the second: sign-in %q, members %v", sim.Controllers()[1].SignsIn(a.Username, testPassword.Reveal()), sim.Controllers()[1].Members("Domain Admins"))
	}
	if err := s.Remove(t.Context(), a); err == nil {
		t.Error("Remove says it is enough")
	}
}

func TestLateAdd(t *testing.T) {
	d, sim := simulated(t, directory.Options{})
	h := newProxy(t, d, 1, keptBack)
	slow, s, a := d.open(t, map[string]string{fieldControllers: h.addr, fieldCA: h.ca}), d.open(t, nil), d.newAccount(t)
	ctx, cancel := context.WithCancel(t.Context())
	a.TriedAt = time.Now()
	h.hold(t, func() error { return slow.Apply(ctx, a, hour(DomainAdmin), testPassword) })
	cancel() // the process died, or its lease was lost
	look(t, s, &a)
	must(t, s.Remove(t.Context(), a))
	o := look(t, s, &a)
	if !o.Clean() {
		return
	}
	close(h.release)
	<-h.done
	if code := sim.SignsIn(o.Username, testPassword.Reveal()); code == "" {
		t.Errorf("was read back as clean, and can sign in now")
	}
}

func TestLateJoin(t *testing.T) {
	d, sim := simulated(t, directory.Options{})
	h := newProxy(t, d, 2, keptBack)
	slow, s, a := d.open(t, map[string]string{fieldControllers: h.addr, fieldCA: h.ca}), d.open(t, nil), d.newAccount(t)
	ctx, cancel := context.WithCancel(t.Context())
	a.TriedAt = time.Now()
	h.hold(t, func() error { return slow.Apply(ctx, a, hour(DomainAdmin), testPassword) })
	cancel()
	look(t, s, &a)
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() {
		return
	}
	close(h.release)
	<-h.done
	t.Log(sim.Members("Domain Admins"))
	o := look(t, s, &a)
	if !o.Clean() {
		t.Errorf("was clean; now holds %v, left %v", o.Entitlements, o.Left)
	}
}

func TestDeadControllersStarveTheEnd(t *testing.T) {
	d, _ := simulated(t, directory.Options{})
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	addrs := ""
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing, as a hung machine does
		must(t, err)
		defer l.Close()
		addrs += l.Addr().String() + "\n"
	}
	s = d.open(t, map[string]string{fieldControllers: addrs + d.addr})
	s.limits = limits{dial: time.Hour, call: time.Hour, patience: usual().patience}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done, late := make(chan error, 1), time.After(2*time.Minute)
	go func() { done <- s.Remove(ctx, a) }()
	for d.signIn(t, a.Username, testPassword) {
		select {
		case err := <-done:
			t.Fatalf("it took nothing away: %v", err)
		case <-late:
			t.Fatal("it waits for those that do not answer")
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	<-done
	look, end := 3*usual().patience+usual().dial, 3*usual().patience // to reach the one that answers, and to give the dead ones up
	if look+end > 20*time.Second {
		t.Errorf("a look and the way to the end take %v of the 25 s that a lease leaves", look+end)
	}
}

func TestRefusalComesBeforeLimit(t *testing.T) {
	d, _ := simulated(t, directory.Options{})
	g := d.helpers(t)
	s, a := d.open(t, map[string]string{fieldGroups: g}), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin, Delegated), testPassword))
	look(t, s, &a)
	s = d.open(t, nil)                                             // an administrator took the delegated groups out of the settings
	err := s.Apply(t.Context(), a, hour(Delegated), secret.Text{}) // the Domain Admin grant is over, the other is not
	o := look(t, s, &a)
	if slices.Contains(o.Entitlements, DomainAdmin) {
		t.Errorf("still Domain Admin, because: %v", err)
	}
}

func TestPartOfTheGroups(t *testing.T) {
	d, _ := simulated(t, directory.Options{})
	g1, g2 := d.makeGroup(t, "Ops One"), d.makeGroup(t, "Ops Two")
	s, a := d.open(t, map[string]string{fieldGroups: g1}), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin, Delegated), testPassword))
	look(t, s, &a)
	s = d.open(t, map[string]string{fieldGroups: g1 + "\n" + g2}) // one more group for new grants
	o := look(t, s, &a)
	t0 := time.Now()
	over := access.Grant{ID: "over", Request: access.Request{Entitlement: Delegated, Duration: time.Minute}, ApprovedAt: t0.Add(-time.Hour), StartBy: t0, VerifiedAt: t0.Add(-time.Hour)}
	live := access.Grant{ID: "live", Request: access.Request{Entitlement: DomainAdmin, Duration: 3 * time.Hour}, ApprovedAt: t0.Add(-time.Hour), StartBy: t0, VerifiedAt: t0.Add(-time.Hour)}
	p := access.Next(access.Case{Account: a, Grants: []access.Grant{over, live}}, o, t0, access.Rules{Every: time.Minute * 5, Confirm: time.Second, Slack: 24 * time.Hour})
	for _, g := range p.Grants {
		if g.ID == "over" && !g.EndedAt.IsZero() {
			t.Errorf("step %s; ended, while it shows %v, left %v", p.Step, o.Entitlements, o.Left)
		}
	}
}

func TestPartLeftBecauseRefused(t *testing.T) {
	d, sim := simulated(t, directory.Options{})
	g1, g2 := d.makeGroup(t, "Ops One"), d.makeGroup(t, "Ops Two")
	s, a := d.open(t, map[string]string{fieldGroups: g1 + "\n" + g2}), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin, Delegated), testPassword))
	look(t, s, &a)
	stop := sim.Fail(directory.Fault{Operation: directory.Modify, Code: ldap.LDAPResultInsufficientAccessRights, Skip: 1, Times: 1})
	err := s.Apply(t.Context(), a, hour(DomainAdmin), secret.Text{})
	stop()
	o := look(t, s, &a)
	t.Logf("apply: %v", err)
	if !slices.Contains(o.Entitlements, Delegated) && !slices.Contains(o.Parts, Delegated) {
		t.Errorf("read as not holding %s: entitlements %v, left %v", Delegated, o.Entitlements, o.Left)
	}
}

func TestFuseFiredAndGivenAgain(t *testing.T) {
	now := time.Now()
	d, _ := simulated(t, directory.Options{Now: func() time.Time { return now }})
	s, a := d.open(t, nil), d.newAccount(t)
	want := access.Want{Entitlements: []access.Entitled{{Name: DomainAdmin}}, Until: time.Now().Add(time.Minute)}
	must(t, s.Apply(t.Context(), a, want, testPassword))
	look(t, s, &a)
	now = now.Add(150 * time.Second)
	o := look(t, s, &a)
	t.Logf("enabled %v until %v", o.Enabled, o.Until)
	want.Until = now.Add(time.Hour)
	must(t, s.Apply(t.Context(), a, want, secret.Text{})) // as Next plans it: fired, so no fresh password
	o = look(t, s, &a)
	if o.Enabled && !d.signIn(t, a.Username, testPassword) {
		t.Error("shown as usable, and the holder's password does not work any more")
	}
}
