package ad

import (
	"slices"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/sim/directory"
)

// TestPartOfAnAccountOnASilentController is about one of two rights of an
// account, given on a controller that does not answer any more and has told
// nobody: that those who answer do not show it is no proof that it is gone.
func TestPartOfAnAccountOnASilentController(t *testing.T) {
	d, sim := simulated(t, directory.Options{Controllers: 2, ReplicationDelay: -1})
	s, a := d.open(t, map[string]string{fieldGroups: d.helpers(t)}), d.newAccount(t)
	sim.Replicate()
	until := time.Now().Add(time.Hour)
	want := func(names ...string) (w access.Want) {
		w.Until = until
		for _, n := range names {
			w.Entitlements = append(w.Entitlements, access.Entitled{Name: n, Until: until})
		}
		return w
	}
	must(t, s.Apply(t.Context(), a, want(Delegated), testPassword))
	sim.Replicate()
	look(t, s, &a)
	must(t, s.Apply(t.Context(), a, want(Delegated, DomainAdmin), secret.Text{}))
	if o := look(t, s, &a); !o.Shows(DomainAdmin) || !o.Shows(Delegated) {
		t.Fatalf("%+v", o)
	}
	sim.Controllers()[0].SetDown(true)
	o, err := s.Observe(t.Context(), a)
	must(t, err)
	if !slices.Contains(o.Parts, DomainAdmin) && !slices.Contains(o.Entitlements, DomainAdmin) {
		t.Errorf("Domain Admin counts as gone, and stands on %s: %+v", sim.Controllers()[0].Members("Domain Admins"), o)
	}
}

// TestNewsOnASilentControllerAreRemembered is the same about a whole account,
// as one look after the other sees it.
func TestNewsOnASilentControllerAreRemembered(t *testing.T) {
	d, sim := simulated(t, directory.Options{Controllers: 2, ReplicationDelay: -1})
	s, a := d.open(t, nil), d.newAccount(t)
	sim.Replicate()
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	must(t, s.Remove(t.Context(), a))
	sim.Replicate()
	look(t, s, &a)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	sim.Controllers()[0].SetDown(true)
	for n := range 3 {
		if o := look(t, s, &a); o.Clean() {
			t.Fatalf("look %d finds it clean, and it signs in on the controller that does not answer: %+v", n+1, o)
		}
		if err := s.Remove(t.Context(), a); err == nil {
			t.Errorf("removal %d says that it is enough", n+1)
		}
	}
	sim.Controllers()[0].SetDown(false)
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() {
		t.Errorf("%+v", o)
	}
}
