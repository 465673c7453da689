package ad

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
	"jitney/sim/directory"
	"jitney/target/targettest"
)

// simulated is a domain of our own making, for what Samba does not have.
func simulated(t *testing.T, opt directory.Options) (domain, *directory.Domain) {
	t.Helper()
	sim, err := directory.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	var addrs []string
	for _, c := range sim.Controllers() {
		addrs = append(addrs, c.Addr())
	}
	d := domain{ca: sim.CAPEM(), base: sim.BaseDN(), name: sim.Name(), admin: sim.AdminUPN(), pass: sim.AdminPassword().Reveal(), addr: strings.Join(addrs, "\n")}
	d.ensureOU(t)
	return d, sim
}

func TestSuiteOnTheSimulatedDomain(t *testing.T) {
	d, _ := simulated(t, directory.Options{})
	targettest.Run(t, d.peer(t))
}

func TestSuiteWithMembershipsThatEndByThemselves(t *testing.T) {
	d, _ := simulated(t, directory.Options{PAM: true})
	targettest.Run(t, d.peer(t))
}

func TestMembershipsEndByThemselves(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	d, sim := simulated(t, directory.Options{PAM: true, Now: clock})
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	o := look(t, s, &a)
	if !o.Shows(DomainAdmin) || !slices.ContainsFunc(o.Facts, func(f access.Fact) bool { return f.Name == "Membership" && strings.Contains(f.Found, "ends by itself") }) {
		t.Fatalf("the membership has no end of its own: %+v", o)
	}
	longer := access.Want{Entitlements: []access.Entitled{{Name: DomainAdmin}}, Until: time.Now().Add(3 * time.Hour)}
	must(t, s.Apply(t.Context(), a, longer, secret.Text{}))
	if o = look(t, s, &a); o.Until.Before(longer.Until) || o.Until.After(longer.Until.Add(5*time.Minute)) {
		t.Errorf("extended to %v, the membership ends %v", longer.Until, o.Until)
	}
	now = now.Add(4 * time.Hour) // and Jitney was down all the time
	if members := sim.Members("Domain Admins"); slices.ContainsFunc(members, func(m string) bool { return strings.Contains(m, a.ID) }) {
		t.Errorf("still a member: %v", members)
	}
	if d.signIn(t, o.Username, testPassword) {
		t.Error("the account still works")
	}
}

func TestNoMembershipEndsByItselfWhereOnlyTheControlIsKnown(t *testing.T) {
	d, _ := simulated(t, directory.Options{})
	s := d.open(t, nil)
	sv, _, _, err := s.first(t.Context())
	must(t, err)
	defer sv.Close()
	if ttl, err := sv.hasTTL(t.Context()); err != nil || ttl {
		t.Errorf("got %v, %v", ttl, err)
	}
}

func TestLargeGroupsAreReadWhole(t *testing.T) {
	d, _ := simulated(t, directory.Options{})
	c, admins, ctx := d.connect(t), bySID(d.domainSID(t)+"-512"), context.Background()
	const many = 1700 // more than a page, and more than the values of one answer
	add := ldap.NewModifyRequest(admins, nil)
	for i := range many {
		dn := fmt.Sprintf("CN=crowd %04d,OU=Jitney,%s", i, d.base)
		r := ldap.NewAddRequest(dn, nil)
		r.Attribute("objectClass", []string{"user"})
		r.Attribute("sAMAccountName", []string{fmt.Sprintf("crowd%04d", i)})
		must(t, c.add(ctx, r))
		add.Changes = nil
		add.Add("member", []string{dn})
		must(t, c.modify(ctx, add))
	}
	got, err := c.values(ctx, admins, "member")
	if err != nil || len(got) != many+1 {
		t.Errorf("%d members of %d, %v", len(got), many+1, err)
	}
	users, err := c.search(ctx, d.base, ldap.ScopeWholeSubtree, "(sAMAccountName=crowd*)", "cn")
	if err != nil || len(users) != many {
		t.Errorf("%d users of %d, %v", len(users), many, err)
	}
	s := d.open(t, nil)
	before, err := s.Snapshot(t.Context())
	must(t, err)
	d.mustChange(t, admins, func(r *ldap.ModifyRequest) {
		r.Delete("member", []string{fmt.Sprintf("CN=crowd %04d,OU=Jitney,%s", many-1, d.base)})
	})
	after, err := s.Snapshot(t.Context())
	must(t, err)
	found, err := s.Compare(before, after)
	if err != nil || !slices.Contains(found, fmt.Sprintf("crowd %04d was removed from Domain Admins.", many-1)) {
		t.Errorf("%v, %v", found, err)
	}
	if len(before) > 600_000 {
		t.Errorf("a snapshot of %d bytes", len(before))
	}
}

func TestEndReachesControllersBeforeReplication(t *testing.T) {
	d, sim := simulated(t, directory.Options{Controllers: 3, ReplicationDelay: -1})
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	sim.Replicate()
	o := look(t, s, &a)
	if !o.Shows(DomainAdmin) {
		t.Fatalf("%+v", o)
	}
	must(t, s.Remove(t.Context(), a))
	for i, c := range sim.Controllers() {
		if code := c.SignsIn(o.Username, testPassword.Reveal()); code == "" {
			t.Errorf("controller %d still lets the account in", i+1)
		}
	}
	if o = look(t, s, &a); !o.Clean() {
		t.Errorf("not clean: %+v", o)
	}
	sim.Replicate()
	if o = look(t, s, &a); !o.Clean() {
		t.Errorf("not clean after replication: %+v", o)
	}
}

func TestFrozenControllerDoesNotHoldUpTheEnd(t *testing.T) {
	d, sim := simulated(t, directory.Options{Controllers: 2})
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	sim.Controllers()[1].Freeze()
	defer sim.Controllers()[1].Thaw()
	s.limits = limits{dial: time.Hour, call: time.Hour, patience: time.Hour}
	done, late := make(chan error, 1), time.After(2*time.Minute)
	go func() { done <- s.Remove(t.Context(), a) }()
	for sim.Controllers()[0].SignsIn(a.Username, testPassword.Reveal()) == "" {
		select {
		case err := <-done:
			t.Fatalf("it returns before the end: %v", err)
		case <-late:
			t.Fatal("the end on the controller that answers waits for the one that does not")
		case <-time.After(5 * time.Millisecond):
		}
	}
	sim.Controllers()[1].Thaw()
	must(t, <-done)
	sim.Controllers()[1].Freeze()
	s.limits.dial = 10 * time.Second
	o, err := s.Observe(t.Context(), a)
	must(t, err)
	if !o.Clean() || len(o.Silent) == 0 {
		t.Errorf("%+v", o)
	}
}
