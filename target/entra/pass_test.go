package entra

import (
	"errors"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/sim/entra"
)

func TestPassesUnderOddPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy entra.TAPPolicy
		length time.Duration
		once   bool
	}{
		"the policy's minimum outlives the grant": {entra.TAPPolicy{Min: 240, Max: 480, Default: 240, Length: 8}, 20 * time.Minute, false},
		"the policy's maximum is shorter":         {entra.TAPPolicy{Min: 10, Max: 60, Default: 60, Length: 8}, 3 * time.Hour, false},
		"one sign-in only":                        {entra.TAPPolicy{Min: 10, Max: 480, Default: 60, Length: 8, Once: true}, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			lives(t, worldSpec{tenant: entra.TenantSpec{TAP: &c.policy}}, func(t *testing.T, w *world) {
				l := w.life(t, nil)
				l.request(c.length)
				l.active(time.Minute)
				if !w.signIn(t, l.c.Account.Username, l.pass) {
					t.Fatal("the pass does not let in")
				}
				if again := w.signIn(t, l.c.Account.Username, l.pass); again == c.once {
					t.Errorf("lets in a second time: %v", again)
				}
				found := ""
				for _, f := range l.c.Account.Seen.Facts {
					if f.Name == "Temporary Access Pass" {
						found = f.Found
					}
				}
				if !strings.Contains(found, "minutes") || strings.Contains(found, l.pass.Reveal()) {
					t.Errorf("evidence: %q", found)
				}
				l.ended(c.length + 10*time.Minute)
				if w.signIn(t, l.c.Account.Username, l.pass) {
					t.Error("the pass outlives the grant")
				}
				w.gone(t, l)
			})
		})
	}
}

func TestPassesAreSwitchedOffAfterThePolicyWasRead(t *testing.T) {
	for _, other := range []bool{false, true} {
		lives(t, worldSpec{options: entra.Options{Switches: entra.Switches{TAPOffOtherText: other}}}, func(t *testing.T, w *world) {
			s := w.open(t)
			_, err := s.passPolicy(t.Context())
			must(t, err)
			must(t, w.tenant.Act(entra.Act{Do: entra.TurnPassesOff}))
			for range 2 { // refused by Graph, and then read from the policy
				_, err = s.Issue(t.Context(), w.account(t), anHour(GlobalAdmin))
				e, ok := errors.AsType[*access.Error](err)
				if !ok || e.Kind != access.Denied || !strings.Contains(e.Hint, "Authentication methods") {
					t.Errorf("%+v", err)
				}
			}
		})
	}
}

func TestANewPassForAnAccountThatHoldsTheRole(t *testing.T) {
	for name, c := range map[string]struct {
		spec    worldSpec
		refused bool
	}{
		"allowed":                      {worldSpec{}, false},
		"allowed to a strong app only": {worldSpec{options: entra.Options{Switches: entra.Switches{TAPOnAdminNeedsRole: true}}}, false},
		"and effects are late":         {worldSpec{options: entra.Options{Switches: entra.Switches{TAPOnAdminNeedsRole: true}, Delays: entra.Delays{Roles: entra.Fixed(4 * time.Minute)}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			lives(t, c.spec, func(t *testing.T, w *world) {
				l := w.life(t, nil)
				l.request(2 * time.Hour)
				l.active(time.Minute)
				old := l.pass
				l.c.Credential = access.Credential{Seq: 1} // asked for again
				for range 3 {
					l.look()
				}
				if !l.grant().LostAt.IsZero() || len(w.mustUser(t, l.c.Account).Roles) != 1 {
					t.Errorf("the role got lost: %+v", l.grant())
				}
				if c.refused {
					if l.pass != old || !l.said("may not make a new Temporary Access Pass") || !w.signIn(t, l.c.Account.Username, old) {
						t.Errorf("the old pass must stay good, and the page must say why: %v", l.errs)
					}
				} else if l.pass == old || w.signIn(t, l.c.Account.Username, old) || !w.signIn(t, l.c.Account.Username, l.pass) {
					t.Errorf("the old pass must not let in, and the new one must: %v", l.errs)
				}
				if note := told(l.c.Account.Seen, "New pass"); (note != "") != (name != "allowed") {
					t.Errorf("evidence: %q", note)
				}
				l.ended(3 * time.Hour)
				w.gone(t, l)
			})
		})
	}
}

func TestListsInSmallPages(t *testing.T) {
	lives(t, worldSpec{options: entra.Options{PageSize: 1}}, func(t *testing.T, w *world) {
		var all []*life
		for range 3 {
			l := w.life(t, nil)
			l.request(time.Hour)
			l.active(time.Minute)
			all = append(all, l)
		}
		must(t, w.tenant.Act(entra.Act{Do: entra.GiveRole, User: all[0].c.Account.ObjectID, Role: roleID("Exchange Administrator")}))
		all[0].look()
		if u := w.mustUser(t, all[0].c.Account); len(u.Roles) != 1 {
			t.Errorf("the second page of roles was not read: %+v", u)
		}
		found, err := w.open(t).List(t.Context())
		if err != nil || len(found) != 3 {
			t.Errorf("%d accounts, %v", len(found), err)
		}
		snap, err := w.open(t).snapshot(t.Context())
		if err != nil || len(snap.Holders) != 4 { // the customer's own app, too
			t.Errorf("%+v, %v", snap, err)
		}
	})
}

func TestTheQuotaIsUsedUp(t *testing.T) {
	lives(t, worldSpec{tenant: entra.TenantSpec{Quota: 1}}, func(t *testing.T, w *world) {
		w.tenant.AddUser(entra.UserSpec{UPN: "one@" + w.tenant.InitialDomain()})
		_, err := w.open(t).Issue(t.Context(), w.account(t), anHour(GlobalAdmin))
		if access.KindOf(err) != access.Denied || !strings.Contains(err.Error(), "as many objects") {
			t.Error(err)
		}
	})
}

func TestSomebodyDisablesTheAccount(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(2 * time.Hour)
		l.active(time.Minute)
		must(t, w.tenant.Act(entra.Act{Do: entra.DisableUser, User: l.c.Account.ObjectID}))
		l.ended(time.Hour)
		if cause := l.grant().Cause(time.Now()); cause != access.ByDrift {
			t.Errorf("ended because %s", cause)
		}
		w.gone(t, l)
	})
}
