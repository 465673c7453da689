package access

import (
	"testing"
	"time"
)

var (
	t0    = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	rules = Rules{Every: 5 * time.Minute, Confirm: 10 * time.Second, Slack: 5 * time.Minute}
)

func grant(id, entitlement string, length time.Duration) Grant {
	return Grant{ID: id, Request: Request{Entitlement: entitlement, Duration: length},
		SubmittedAt: t0, ApprovedAt: t0, StartBy: t0.Add(time.Hour)}
}

func verified(g Grant) Grant { g.VerifiedAt = t0; return g }

func stopped(g Grant, after time.Duration) Grant {
	g.StoppedAt, g.StopCause = t0.Add(after), ByHolder
	return g
}

func waiting(yes bool) (c Credential) {
	if yes {
		c.Sealed = []byte("sealed")
	}
	return c
}

func shows(entitlements ...string) Observation {
	return Observation{At: t0, Exists: true, Enabled: true, Entitlements: entitlements}
}

var (
	nothing  = Observation{At: t0}
	disabled = Observation{At: t0, Exists: true}
	halfGone = Observation{At: t0, Exists: true, Left: []string{"password not reset"}}
)

func TestNextOfOneGrant(t *testing.T) {
	a := grant("a", "admin", time.Hour)
	lost := verified(a)
	lost.LostAt = t0.Add(time.Minute)
	tests := []struct {
		name  string
		grant Grant
		waits bool
		seen  Observation
		at    time.Duration // after t0
		step  Step
		again time.Duration // after t0; -1 means never or at once
		state State
		cause Cause
	}{
		{"waiting for approval", Grant{ID: "a"}, false, nothing, 0, StepNone, -1, Pending, NotOver},
		{"denied", Grant{ID: "a", StoppedAt: t0, StopCause: ByDenial}, false, nothing, 0, StepNone, -1, NotGiven, ByDenial},
		{"just approved", a, true, nothing, 0, StepApply, -1, Starting, NotOver},
		{"approved long ago and slow", a, true, nothing, 59 * time.Minute, StepApply, -1, Starting, NotOver},
		{"never became ready", a, true, nothing, time.Hour, StepNone, -1, NotGiven, ByLapse},
		{"never became ready, half made", a, true, shows(), time.Hour, StepRemove, -1, Ending, ByLapse},
		{"interrupted half way", a, true, shows(), 0, StepApply, -1, Starting, NotOver},
		{"there, but the password is not set", a, true, shows("admin"), 0, StepApply, -1, Starting, NotOver},
		{"there for the first time", a, false, shows("admin"), 9 * time.Minute, StepNone, 14 * time.Minute, Active, NotOver},
		{"active", verified(a), false, shows("admin"), 0, StepNone, 5 * time.Minute, Active, NotOver},
		{"active, expiry before the next look", verified(a), false, shows("admin"), 58 * time.Minute, StepNone, time.Hour, Expiring, NotOver},
		{"missing for the first time", verified(a), false, disabled, 5 * time.Minute, StepNone, 5*time.Minute + 10*time.Second, Active, NotOver},
		{"missing, not long enough", lost, false, shows(), 65 * time.Second, StepNone, 70 * time.Second, Active, NotOver},
		{"was missing, is back", lost, false, shows("admin"), 65 * time.Second, StepNone, 365 * time.Second, Active, NotOver},
		{"taken away by hand", lost, false, shows(), 70 * time.Second, StepRemove, -1, Ending, ByDrift},
		{"taken away and deleted by hand", lost, false, nothing, 70 * time.Second, StepNone, -1, Ended, ByDrift},
		{"expired this instant", verified(a), false, shows("admin"), time.Hour, StepRemove, -1, Ending, ByExpiry},
		{"ending for too long", verified(a), false, shows("admin"), time.Hour + 61*time.Second, StepRemove, -1, Overdue, ByExpiry},
		{"ended early", stopped(verified(a), time.Minute), false, shows("admin"), 90 * time.Second, StepRemove, -1, Ending, ByHolder},
		{"clean-up interrupted", verified(a), false, halfGone, time.Hour, StepRemove, -1, Ending, ByExpiry},
		{"nothing left", verified(a), false, disabled, time.Hour, StepNone, -1, Ended, ByExpiry},
		{"never observed is not clean", verified(a), false, Observation{}, 2 * time.Hour, StepRemove, -1, Overdue, ByExpiry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := t0.Add(tt.at)
			p := Next(Case{Grants: []Grant{tt.grant}, Credential: waiting(tt.waits)}, tt.seen, now, rules)
			if p.Step != tt.step {
				t.Errorf("step = %q, want %q", p.Step, tt.step)
			}
			var again time.Time
			if tt.again >= 0 {
				again = t0.Add(tt.again)
			}
			if !p.Again.Equal(again) {
				t.Errorf("again = %v, want %v", p.Again, again)
			}
			g := tt.grant
			if len(p.Grants) == 1 {
				g = p.Grants[0]
			}
			if got := g.State(now); got != tt.state {
				t.Errorf("state = %q, want %q", got, tt.state)
			}
			if got := g.Cause(now); got != tt.cause {
				t.Errorf("cause = %q, want %q", got, tt.cause)
			}
		})
	}
}

func TestClockStartsWhenReadBack(t *testing.T) {
	a := grant("a", "admin", 15*time.Minute)
	now := t0.Add(20 * time.Minute) // slow: longer than the grant itself
	p := Next(Case{Grants: []Grant{a}}, shows("admin"), now, rules)
	if want := now.Add(15 * time.Minute); len(p.Grants) != 1 || !p.Grants[0].ExpiresAt().Equal(want) {
		t.Errorf("grants = %+v, want one that expires at %v", p.Grants, want)
	}
}

func TestOverlap(t *testing.T) {
	short, long := verified(grant("short", "admin", 15*time.Minute)), verified(grant("long", "admin", time.Hour))
	other := verified(grant("other", "helpdesk", time.Hour))
	byID := func(p Plan, id string) Grant {
		for _, g := range p.Grants {
			if g.ID == id {
				return g
			}
		}
		return Grant{}
	}

	t.Run("the end of the shorter changes nothing", func(t *testing.T) {
		p := Next(Case{Grants: []Grant{short, long}}, shows("admin"), t0.Add(15*time.Minute), rules)
		if g := byID(p, "short"); p.Step != StepNone || g.ContinuedBy != "long" || g.State(t0.Add(16*time.Minute)) != Continued {
			t.Errorf("step %q, short = %+v", p.Step, g)
		}
		if !p.Want.Until.Equal(t0.Add(time.Hour)) {
			t.Errorf("wanted until %v", p.Want.Until)
		}
	})
	t.Run("the end of the last removes it", func(t *testing.T) {
		p := Next(Case{Grants: []Grant{long}}, shows("admin"), t0.Add(time.Hour), rules)
		if p.Step != StepRemove || len(p.Grants) != 0 {
			t.Errorf("step %q, changed %+v", p.Step, p.Grants)
		}
	})
	t.Run("one of two entitlements ends, the account stays", func(t *testing.T) {
		p := Next(Case{Grants: []Grant{short, other}}, shows("admin", "helpdesk"), t0.Add(15*time.Minute), rules)
		if p.Step != StepApply || len(p.Want.Entitlements) != 1 || p.Want.Entitlements[0].Name != "helpdesk" || len(p.Grants) != 0 {
			t.Errorf("plan = %+v", p)
		}
		p = Next(Case{Grants: []Grant{short, other}}, shows("helpdesk"), t0.Add(15*time.Minute), rules)
		if g := byID(p, "short"); p.Step != StepNone || g.EndedAt.IsZero() || g.ContinuedBy != "" {
			t.Errorf("step %q, short = %+v", p.Step, g)
		}
	})
	t.Run("ended early while the other goes on", func(t *testing.T) {
		p := Next(Case{Grants: []Grant{stopped(long, time.Minute), short}}, shows("admin"), t0.Add(2*time.Minute), rules)
		if g := byID(p, "long"); p.Step != StepNone || g.ContinuedBy != "short" || !p.Want.Until.Equal(t0.Add(15*time.Minute)) {
			t.Errorf("step %q, long = %+v, until %v", p.Step, g, p.Want.Until)
		}
	})
	t.Run("one waiting for approval covers nothing", func(t *testing.T) {
		waiting := long
		waiting.ApprovedAt, waiting.VerifiedAt = time.Time{}, time.Time{}
		p := Next(Case{Grants: []Grant{short, waiting}}, shows("admin"), t0.Add(15*time.Minute), rules)
		if p.Step != StepRemove {
			t.Errorf("step %q", p.Step)
		}
	})
}

func TestExtraRightsAreRemovedAndReportedOnce(t *testing.T) {
	a := verified(grant("a", "admin", time.Hour))
	seen := shows("admin")
	seen.Extra = []string{"member of Enterprise Admins"}
	p := Next(Case{Grants: []Grant{a}}, seen, t0.Add(time.Minute), rules)
	if p.Step != StepApply || len(p.Grants) != 1 || len(p.Grants[0].Findings) != 1 || len(p.Events) != 1 {
		t.Fatalf("plan = %+v", p)
	}
	p = Next(Case{Account: Account{Seen: seen}, Grants: p.Grants}, seen, t0.Add(2*time.Minute), rules)
	if p.Step != StepApply || len(p.Events) != 0 {
		t.Errorf("second look: step %q, events %+v", p.Step, p.Events)
	}
}

func TestExtraRightsDoNotBringBackWhatWasTakenAway(t *testing.T) {
	a := verified(grant("a", "admin", time.Hour))
	a.LostAt = t0.Add(time.Minute)
	seen := shows()
	seen.Extra = []string{"member of Enterprise Admins"}
	p := Next(Case{Grants: []Grant{a}}, seen, t0.Add(65*time.Second), rules)
	if p.Step != StepNone {
		t.Errorf("step %q, want %+v", p.Step, p.Want)
	}
}

func TestTheTargetsOwnClockFollows(t *testing.T) {
	a := verified(grant("a", "admin", time.Hour))
	for _, tt := range []struct {
		name  string
		until time.Duration
		step  Step
	}{
		{"set a little after the end", time.Hour + time.Minute, StepNone},
		{"not enforced by the target", -1, StepNone},
		{"too early, after an extension", 50 * time.Minute, StepApply},
		{"fired already, after an extension", -time.Minute, StepApply},
		{"far too late, after a longer grant ended early", 3 * time.Hour, StepApply},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen := shows("admin")
			if tt.until != -1 {
				seen.Until = t0.Add(tt.until)
			}
			if p := Next(Case{Grants: []Grant{a}}, seen, t0.Add(time.Minute), rules); p.Step != tt.step {
				t.Errorf("step %q, want %q", p.Step, tt.step)
			}
		})
	}
}

func TestTheTargetsClockThatFiredTooEarlyIsNoDrift(t *testing.T) {
	a := verified(grant("a", "admin", time.Hour))
	a.Extension = time.Hour // and the target did not answer to be told so
	seen := Observation{At: t0, Exists: true, Entitlements: []string{"admin"}, Until: t0.Add(time.Hour)}
	p := Next(Case{Grants: []Grant{a}}, seen, t0.Add(90*time.Minute), rules)
	if p.Step != StepApply || p.Fresh || len(p.Grants) != 0 || !p.Want.Until.Equal(t0.Add(2*time.Hour)) {
		t.Errorf("plan = %+v", p)
	}
	seen.Until = time.Time{}
	if p = Next(Case{Grants: []Grant{a}}, seen, t0.Add(90*time.Minute), rules); p.Step != StepNone || len(p.Grants) != 1 || p.Grants[0].LostAt.IsZero() {
		t.Errorf("disabled by hand: plan = %+v", p)
	}
}

func TestEnablingNeedsAFreshPassword(t *testing.T) {
	a := grant("a", "admin", time.Hour)
	for _, tt := range []struct {
		name  string
		seen  Observation
		waits bool
		fresh bool
	}{
		{"no account yet", nothing, false, true},
		{"a disabled one from last time", disabled, false, true},
		{"one is waiting to be set", nothing, true, false},
		{"the account is in use under another grant", shows("helpdesk"), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Next(Case{Grants: []Grant{a}, Credential: waiting(tt.waits)}, tt.seen, t0, rules)
			if p.Step != StepApply || p.Fresh != tt.fresh {
				t.Errorf("step %q, fresh %v", p.Step, p.Fresh)
			}
		})
	}
}

// FuzzNext checks what must hold for any two grants and any observation.
func FuzzNext(f *testing.F) {
	f.Add(int64(3600), int64(900), int64(1000), byte(0xff), byte(0))
	f.Fuzz(func(t *testing.T, len1, len2, at int64, bits, more byte) {
		day := int64(24 * 3600)
		clamp := func(n int64) time.Duration { return time.Duration(((n%day)+day)%day) * time.Second }
		a, b := grant("a", "admin", clamp(len1)), grant("b", "admin", clamp(len2))
		for i, g := range []*Grant{&a, &b} {
			if bits>>i&1 == 1 {
				*g = verified(*g)
			}
			if bits>>(2+i)&1 == 1 {
				*g = stopped(*g, clamp(len1+len2)/2)
			}
			if more>>i&1 == 1 {
				g.ApprovedAt = time.Time{}
			}
		}
		seen := Observation{At: t0, Exists: bits>>4&1 == 1, Enabled: bits>>5&1 == 1}
		if bits>>6&1 == 1 {
			seen.Entitlements = []string{"admin"}
		}
		if bits>>7&1 == 1 {
			seen.Left = []string{"something"}
		}
		now := t0.Add(clamp(at) * 2)
		p := Next(Case{Grants: []Grant{a, b}}, seen, now, rules)
		wanted := a.Wanted(now) || b.Wanted(now)
		for _, g := range p.Grants {
			if !g.EndedAt.IsZero() && g.ContinuedBy == "" && !g.ApprovedAt.IsZero() && !seen.Clean() && !(wanted && len(seen.Entitlements) == 0) {
				t.Errorf("ended although the target shows %+v", seen)
			}
			if g.ContinuedBy != "" && !wanted {
				t.Error("continued by nothing")
			}
		}
		if !wanted && p.Step == StepApply {
			t.Error("gives what nobody wants")
		}
		if wanted && p.Step == StepRemove && len(p.Events) == 0 {
			t.Error("removes what is wanted")
		}
		if live := !a.ApprovedAt.IsZero() || !b.ApprovedAt.IsZero(); live && p.Step == StepNone && p.Again.IsZero() {
			for _, g := range []Grant{a, b} {
				over := false
				for _, c := range p.Grants {
					over = over || c.ID == g.ID && !c.EndedAt.IsZero()
				}
				if !over && !g.ApprovedAt.IsZero() {
					t.Errorf("grant %+v is forgotten", g)
				}
			}
		}
		if p.Step == StepNone && wanted && p.Again.After(now.Add(rules.Every)) {
			t.Error("looks again too late")
		}
	})
}

func TestLateIsUpToTheKindOfTarget(t *testing.T) {
	g := verified(grant("a", "admin", time.Hour))
	for _, tt := range []struct {
		patience, after time.Duration
		want            State
	}{{0, 59 * time.Second, Ending}, {0, 61 * time.Second, Overdue}, {5 * time.Minute, 4 * time.Minute, Ending}, {5 * time.Minute, 6 * time.Minute, Overdue}} {
		g.Patience = tt.patience
		if got := g.State(g.EndsAt().Add(tt.after)); got != tt.want {
			t.Errorf("with patience %s, %s after its end it is %s, want %s", tt.patience, tt.after, got, tt.want)
		}
	}
}
