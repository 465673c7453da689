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
	"jitney/lab"
)

// pair is one domain with two controllers that replicate.
func pair(t *testing.T) (first, second domain, force func()) {
	t.Helper()
	a, b := lab.SambaPair(t)
	first, second = labDomain(t, a), domain{ca: b.CAFile, base: b.BaseDN, name: b.DNSDomain, host: b.Host, admin: b.UPN, pass: b.Password, addr: b.IP, audit: b.AuditLog}
	lab.Replicate(t, a, b)
	return first, second, func() { lab.Replicate(t, a, b) }
}

func TestTwoDomainControllers(t *testing.T) {
	first, second, replicate := pair(t)
	s, a := first.open(t, map[string]string{fieldControllers: first.addr + "\n" + second.addr}), first.newAccount(t)
	grant(t, first, a)
	replicate()
	o := look(t, s, &a)
	if !o.Shows(DomainAdmin) || len(o.Silent) > 0 {
		t.Fatalf("%+v", o)
	}
	if !second.signIn(t, o.Username, testPassword) {
		t.Fatal("replication did not bring the account to the second controller")
	}
	end(t, s, &a)
	if second.signIn(t, o.Username, testPassword) || first.signIn(t, o.Username, testPassword) {
		t.Error("the account still works on a controller, before replication")
	}
	replicate()
	stays(t, s, &a)
}

func TestSilentDomainControllerIsNamed(t *testing.T) {
	first, second, _ := pair(t)
	s, a := first.open(t, nil), first.newAccount(t) // the second is found through the directory; nobody here knows its name
	grant(t, first, a)
	o := look(t, s, &a)
	if !slices.Contains(o.Silent, second.host) {
		t.Errorf("the controller that does not answer is not named: %+v", o.Silent)
	}
	if o = end(t, s, &a); !slices.Contains(o.Silent, second.host) {
		t.Errorf("%+v", o)
	}
	if !levels(t, s, levelWarning, second.host) {
		t.Error("the check does not name it")
	}
}

// TestNewsOnASilentController is the case in which an honest look at the
// answering controller would be wrong: the account was enabled on one that has
// not replicated that yet, and does not answer now.
func TestNewsOnASilentController(t *testing.T) {
	first, second, replicate := pair(t)
	both := map[string]string{fieldControllers: first.addr + "\n" + second.addr}
	s, a := first.open(t, both), first.newAccount(t)
	grant(t, first, a)
	end(t, s, &a)
	replicate()
	stays(t, s, &a)
	unseen := first.open(t, map[string]string{fieldControllers: "127.0.0.1:1\n" + second.addr}) // the first is down

	fresh := first.newAccount(t)
	if o, err := unseen.Observe(t.Context(), fresh); err != nil || o.Clean() || o.Exists {
		t.Errorf("an account that nobody answering knows passes for clean while the preferred controller is silent: %+v, %v", o, err)
	}
	grant(t, first, a)
	a.Seen = access.Observation{}
	if o, err := s.Observe(t.Context(), a); err != nil || !o.Shows(DomainAdmin) {
		t.Fatalf("%+v, %v", o, err)
	} else {
		a.Seen, a.ObjectID = o, o.ObjectID
	}
	replicate()
	second.holdBack(t, a) // as if replication had not come yet, which would otherwise come at a time of its own
	o, err := unseen.Observe(t.Context(), a)
	if err != nil || o.Clean() || !slices.ContainsFunc(o.Left, func(l string) bool { return strings.Contains(l, "newer changes") }) {
		t.Errorf("old news pass for clean: %+v, %v", o, err)
	}
	if err := unseen.Remove(t.Context(), a); access.KindOf(err) != access.Conflict {
		t.Errorf("removing there claims to be enough: %v", err)
	}
	if err := unseen.Apply(t.Context(), a, hour(DomainAdmin), testPassword); access.KindOf(err) != access.Unavailable {
		t.Errorf("granting there: %v", err)
	}
	end(t, s, &a)
	replicate()
	stays(t, s, &a)
}

// holdBack makes the controller show a as it was before the last grant.
func (d domain) holdBack(t *testing.T, a access.Account) {
	t.Helper()
	c := d.connect(t)
	dn := d.dnOf(t, a)
	e, err := c.read(context.Background(), dn, nil, "memberOf")
	must(t, err)
	for _, g := range e.GetAttributeValues("memberOf") {
		d.mustChange(t, g, func(r *ldap.ModifyRequest) { r.Delete("member", []string{dn}) })
	}
	d.mustChange(t, dn, func(r *ldap.ModifyRequest) {
		r.Replace("userAccountControl", []string{"514"})
		r.Replace("accountExpires", []string{fileTime(time.Now().Add(-time.Hour))})
		r.Replace("info", []string{mark{id: a.ID}.next(phaseClean, 1).String()})
	})
}

func TestSameAccountMadeOnTwoControllers(t *testing.T) {
	first, second, replicate := pair(t)
	a := first.newAccount(t)
	grant(t, first, a)
	grant(t, second, a)
	replicate()
	grant(t, second, a) // where the other's account is news
	replicate()
	s := first.open(t, map[string]string{fieldControllers: first.addr + "\n" + second.addr})
	settle(t, func() error { return s.Apply(t.Context(), a, hour(DomainAdmin), testPassword) })
	o := look(t, s, &a)
	if !o.Exists {
		t.Fatalf("%+v", o)
	}
	end(t, s, &a)
	replicate()
	end(t, s, &a)
}

// grant gives access on d and on no other controller: of two, a slow first one
// is overtaken by the second.
func grant(t *testing.T, d domain, a access.Account) {
	t.Helper()
	s := d.open(t, nil)
	settle(t, func() error { return s.Apply(t.Context(), a, hour(DomainAdmin), testPassword) })
}

// end removes and looks until the account is clean, as the reconciler does:
// replication can bring one controller what the other was like before.
func end(t *testing.T, s *system, a *access.Account) (o access.Observation) {
	t.Helper()
	settle(t, func() error {
		if err := s.Remove(t.Context(), *a); err != nil {
			return err
		}
		o = look(t, s, a)
		return unclean(o)
	})
	return o
}

// stays looks until what has ended is clean, and removes nothing: replication
// can pass through what was there between two steps of the end.
func stays(t *testing.T, s *system, a *access.Account) {
	t.Helper()
	settle(t, func() error { return unclean(look(t, s, a)) })
}

// unclean is a conflict if o is not clean.
func unclean(o access.Observation) error {
	if o.Clean() {
		return nil
	}
	return &access.Error{Kind: access.Conflict, Text: fmt.Sprintf("not clean: %+v", o)}
}

// settle does as the reconciler does: it tries again after a conflict, which
// there is when replication arrives between two steps, on its own time.
func settle(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := try()
		if access.KindOf(err) != access.Conflict || time.Now().After(deadline) {
			must(t, err)
			return
		}
		t.Logf("again: %v", err)
	}
}
