package access

import (
	"testing"
	"time"
)

// TestAGrantThatWasUsedIsNotCalledNotGiven is about ends that come before the
// first look, when sessions were issued already.
func TestAGrantThatWasUsedIsNotCalledNotGiven(t *testing.T) {
	a := grant("a", "tenant", 30*time.Minute)
	for _, row := range []struct {
		name   string
		grant  Grant
		issued string
		state  State
		cause  Cause
		ends   time.Duration // after t0
	}{
		{"ended at once", stopped(a, time.Minute), "tenant", Ended, ByHolder, time.Minute},
		{"ended late", stopped(a, 50*time.Minute), "tenant", Ended, ByHolder, 50 * time.Minute},
		{"lapsed", a, "tenant", Ended, ByLapse, time.Hour},
		{"lapsed, and nothing was issued", a, "", NotGiven, ByLapse, time.Hour},
		{"lapsed, and something else was issued", a, "admin", NotGiven, ByLapse, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			now := t0.Add(61 * time.Minute)
			c := Case{Grants: []Grant{row.grant}}
			if row.issued != "" {
				c.Account.Issued = []Issued{{Entitlement: row.issued, Count: 1, EndsAt: now, ExpiresAt: now}}
			}
			p := Next(c, nothing, now, rules)
			if len(p.Grants) != 1 {
				t.Fatalf("%+v", p)
			}
			g := p.Grants[0]
			if g.State(now) != row.state || g.Cause(now) != row.cause || !g.EndsAt().Equal(t0.Add(row.ends)) || g.VerifiedAt.After(g.EndsAt()) {
				t.Errorf("%s (%s) at %v: %+v", g.State(now), g.Cause(now), g.EndsAt().Sub(t0), g)
			}
		})
	}
}
