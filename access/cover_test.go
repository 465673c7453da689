package access

import (
	"testing"
	"time"
)

func TestContinuedUnderOneThatNeverBecomesUsable(t *testing.T) {
	a, b := verified(grant("a", "admin", 30*time.Minute)), grant("b", "admin", 15*time.Minute)
	b.ApprovedAt, b.StartBy = t0.Add(29*time.Minute), t0.Add(89*time.Minute)
	c := Case{Grants: []Grant{a, b}, Credential: waiting(true)} // b came with a password of its own, which the target refuses
	p := Next(c, shows("admin"), t0.Add(30*time.Minute), rules)
	for _, g := range p.Grants {
		if g.ID == "a" && g.ContinuedBy == "b" {
			t.Errorf("a is %s under b, which is %s", g.State(t0.Add(30*time.Minute)), b.State(t0.Add(30*time.Minute)))
		}
	}
}

func TestPartOfAnEntitlementIsNotItsEnd(t *testing.T) {
	over, live := stopped(verified(grant("over", "delegated", time.Hour)), time.Minute), verified(grant("live", "admin", time.Hour))
	seen := shows("admin")
	seen.Left = []string{"member of Server Operators of the branch"} // one of the two groups of "delegated"
	seen.Parts = []string{"delegated"}
	p := Next(Case{Grants: []Grant{over, live}}, seen, t0.Add(2*time.Minute), rules)
	for _, g := range p.Grants {
		if !g.EndedAt.IsZero() {
			t.Errorf("%s is %s, step %s, next look in %s", g.ID, g.State(t0.Add(2*time.Minute)), p.Step, p.Again.Sub(t0.Add(2*time.Minute)))
		}
	}
}
