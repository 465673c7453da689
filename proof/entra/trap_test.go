package entra_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	sim "jitney/sim/entra"
	"jitney/sim/entra/contract"
)

// A trap is one grant of half an hour to which something happens.
type trap struct {
	name  string
	plan  plan
	cause access.Cause // default: its time was reached

	before func(w *world, at site)                       // the request
	during func(w *world, at site, g access.Grant)       // runs beside it, from when access is usable
	call   func(w *world, at site, n int, what string)   // right before each call of a look
	after  func(w *world, at site, g access.Grant) error // what else must be so at the end
}

// Everything that went wrong for somebody once, and everything about Microsoft
// 365 that could not be verified, each one way and the other.
func TestTraps(t *testing.T) {
	for i, tr := range append(append(deeds(), modes()...), switches()...) {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { tr.run(t, uint64(i+1)) })
		})
	}
}

func (tr trap) run(t *testing.T, seed uint64) {
	o := lagging(seed)
	o.Switches = tr.plan.options.Switches
	o.Check = contract.Check
	tr.plan.options = o
	w := newWorld(t, tr.plan)
	at := w.sites[0]
	if tr.before != nil {
		tr.before(w, at)
	}
	if tr.call != nil {
		w.passing = func(n int, what string) (bool, bool) { tr.call(w, at, n, what); return false, false }
	}
	over, stop := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	w.start()
	beside.Go(func() { w.revive(over) })
	g := w.submit(at, 30)
	if tr.during != nil {
		beside.Go(func() {
			if awaitEvery(time.Second, 2*time.Hour, func() bool { return !w.grant(g.ID).VerifiedAt.IsZero() }) {
				tr.during(w, at, w.grant(g.ID))
			}
		})
	}
	g = w.seeOut(at, g)
	time.Sleep(6 * time.Minute)
	stop()
	beside.Wait()
	cause := tr.cause
	if cause == "" {
		cause = access.ByExpiry
	}
	w.judge(at, g, cause)
	w.nothingLeft()
	if tr.after != nil {
		if err := tr.after(w, at, g); err != nil {
			w.fault("%v\n%s", err, w.story(g.ID))
		}
	}
	w.close()
	w.report()
}

// act does what somebody outside does.
func (w *world) act(at site, a sim.Act) {
	if err := at.tenant.Act(a); err != nil {
		w.fault("%s: %v", a.Do, err)
	}
}

// username is the name of the account of a grant.
func (w *world) username(g access.Grant) string {
	c, err := w.store.Accounts.Case(context.WithoutCancel(w.t.Context()), g.Account)
	if err != nil {
		w.fault("account of grant %s: %v", g.ID, err)
	}
	return c.Account.Username
}

// downBetween keeps the program from running, and does something meanwhile.
func (w *world) downBetween(from, till time.Time, meanwhile func()) {
	time.Sleep(time.Until(from))
	w.down.Store(true)
	w.stop()
	if meanwhile != nil {
		meanwhile()
	}
	time.Sleep(time.Until(till))
	w.down.Store(false)
}

// blockedUntil demands that the grant waits for a person with that word
// until they act, and has not ended by then.
func (w *world) blockedUntil(at site, g access.Grant, word string, after time.Duration, then func()) {
	time.Sleep(time.Until(g.EndsAt().Add(after)))
	if now := w.grant(g.ID); now.State(time.Now()) != access.Blocked || now.Blocked != word || !now.EndedAt.IsZero() {
		w.fault("%s after its end grant %s is %s, blocked by %q; want %q\n%s", after, g.ID, now.State(time.Now()), now.Blocked, word, w.story(g.ID))
	}
	for _, n := range w.notes(at, g) {
		if strings.Contains(n.Key, ":ended:") || strings.Contains(n.Body, "permanently deleted") {
			w.fault("the ticket of grant %s says too much while it is blocked:\n%s", g.ID, n.Body)
		}
	}
	then()
}

// deeds are what people do meanwhile.
func deeds() []trap {
	again, restored := new(sync.Once), 0
	return []trap{
		{name: "the app loses consent at the end and gets it back an hour later",
			during: func(w *world, at site, g access.Grant) {
				time.Sleep(time.Until(g.EndsAt().Add(-time.Second)))
				w.act(at, sim.Act{Do: sim.WithdrawApp, App: w.app.ID})
				w.blockedUntil(at, g, "consent withdrawn", time.Hour, func() { w.act(at, sim.Act{Do: sim.RestoreApp, App: w.app.ID}) })
			}, after: told(access.EventBlocked, access.EventUnblocked)},
		{name: "the app loses its permissions at the end, keeps its token, and gets them back",
			during: func(w *world, at site, g access.Grant) {
				time.Sleep(time.Until(g.EndsAt().Add(-time.Second)))
				at.tenant.Revoke(w.app, permissions...)
				time.Sleep(3 * time.Hour)
				at.tenant.Consent(w.app)
			}},
		{name: "an administrator restores the account between delete and purge, three times",
			call: func(w *world, at site, _ int, what string) {
				users := at.tenant.Users()
				if strings.HasPrefix(what, "DELETE /v1.0/directory/deletedItems/") && restored < 3 && len(users) > 0 && !users[0].Deleted.IsZero() {
					restored++
					w.act(at, sim.Act{Do: sim.RestoreUser, User: users[0].ID})
				}
			}, after: func(w *world, _ site, g access.Grant) error {
				if restored != 3 {
					w.fault("the account of grant %s was restored %d times; want 3", g.ID, restored)
				}
				return nil
			}},
		{name: "an administrator gives another role right before the account is deleted",
			call: func(w *world, at site, _ int, what string) {
				id := ""
				if users := at.tenant.Users(); len(users) > 0 {
					id = users[0].ID
				}
				if strings.HasPrefix(what, "DELETE /v1.0/users/") && !strings.Contains(what, "authentication") {
					again.Do(func() { w.act(at, sim.Act{Do: sim.GiveRole, User: id, Role: sim.UserAdministrator}) })
				}
			}},
		{name: "somebody gives the account a second role, which is found and taken away",
			during: func(w *world, at site, g access.Grant) {
				time.Sleep(2 * time.Minute)
				upn := w.username(g)
				w.act(at, sim.Act{Do: sim.GiveRole, User: upn, Role: sim.UserAdministrator})
				time.Sleep(8 * time.Minute)
				if u, ok := at.tenant.User(upn); !ok || !slices.Equal(u.Roles, []string{globalAdministrator}) {
					w.fault("after 8 minutes the account is %+v; want Global Administrator alone", u)
				}
			}, after: told(access.EventFinding)},
		{name: "a new pass is refused, and a second role is taken away all the same",
			during: func(w *world, at site, g access.Grant) {
				time.Sleep(2 * time.Minute)
				w.act(at, sim.Act{Do: sim.TurnPassesOff})
				check(w.t, w.broker().Access.NewPassword(w.t.Context(), w.tech, g.ID))
				time.Sleep(time.Minute)
				upn := w.username(g)
				w.act(at, sim.Act{Do: sim.GiveRole, User: upn, Role: sim.UserAdministrator})
				time.Sleep(8 * time.Minute)
				if u, ok := at.tenant.User(upn); !ok || !slices.Equal(u.Roles, []string{globalAdministrator}) {
					w.fault("after 8 minutes the account is %+v; want Global Administrator alone", u)
				}
			}},
		{name: "somebody deletes the account by hand, which ends the grant", cause: access.ByDrift,
			during: func(w *world, at site, g access.Grant) {
				time.Sleep(time.Minute)
				w.act(at, sim.Act{Do: sim.DeleteUser, User: w.username(g)})
			}},
		{name: "somebody takes the role away by hand, which ends the grant", cause: access.ByDrift,
			during: func(w *world, at site, g access.Grant) {
				time.Sleep(time.Minute)
				w.act(at, sim.Act{Do: sim.TakeRole, User: w.username(g), Role: globalAdministrator})
			}},
		{name: "somebody renames the account, and it is ended all the same",
			during: func(w *world, at site, g access.Grant) {
				time.Sleep(time.Minute)
				w.act(at, sim.Act{Do: sim.RenameUser, User: w.username(g), Value: "innocent@" + at.tenant.InitialDomain()})
			}},
		{name: "the purge is refused for hours, and then allowed",
			before: func(w *world, at site) {
				w.cloud.Faults(sim.Rule{Method: "DELETE", Path: `/directory/deletedItems/`, Do: sim.Do(sim.RefusePurge)})
			},
			during: func(w *world, at site, g access.Grant) {
				w.blockedUntil(at, g, "purge refused", 5*time.Hour, func() { w.cloud.Faults() })
			}, after: told(access.EventBlocked, access.EventUnblocked)},
		{name: "passes are switched off when access is asked for, and on half an hour later",
			before: func(w *world, at site) {
				w.act(at, sim.Act{Do: sim.TurnPassesOff})
				time.AfterFunc(30*time.Minute, func() { w.act(at, sim.Act{Do: sim.TurnPassesOn}) })
			}},
		{name: "the program is down from before the end until three hours later",
			during: func(w *world, _ site, g access.Grant) {
				w.downBetween(g.EndsAt().Add(-time.Minute), g.EndsAt().Add(3*time.Hour), nil)
			}},
	}
}

// told demands that records of these kinds are there.
func told(kinds ...string) func(w *world, at site, g access.Grant) error {
	return func(w *world, _ site, g access.Grant) error {
		records, err := w.store.Log.Timeline(context.WithoutCancel(w.t.Context()), g.ID)
		for _, kind := range kinds {
			if !slices.ContainsFunc(records, func(r access.Record) bool { return r.Kind == kind }) {
				w.fault("grant %s has no record of the kind %s\n%s", g.ID, kind, w.story(g.ID))
			}
		}
		return err
	}
}

// modes are the ways in which a target can be set up.
func modes() []trap {
	premium := func(_ int, s *sim.TenantSpec) { s.Licence = sim.P2 }
	pim := map[string]string{"pim": "yes"}
	return []trap{
		{name: "PIM gives the role, with an end", plan: plan{tenant: premium, settings: pim}},
		{name: "PIM ends the role by itself while the program is down", plan: plan{tenant: premium, settings: pim},
			during: func(w *world, at site, g access.Grant) {
				w.downBetween(g.EndsAt().Add(-time.Minute), g.EndsAt().Add(2*time.Hour), func() {
					time.Sleep(time.Until(g.EndsAt().Add(10 * time.Minute)))
					if u, ok := at.tenant.User(w.username(g)); !ok || len(at.tenant.Effective(u.ID)) > 0 {
						w.fault("ten minutes after the end, with the program down, the account has %v in effect (there: %v)", at.tenant.Effective(u.ID), ok)
					}
				})
			}},
		{name: "PIM is wanted and there is no licence", plan: plan{settings: pim}},
		{name: "PIM says of a removal that worked that there was nothing to remove", plan: plan{tenant: premium, settings: pim},
			before: func(w *world, _ site) {
				w.cloud.Faults(sim.Rule{Method: "POST", Path: `roleAssignmentScheduleRequests`, Body: "adminRemove", Times: 1, Do: sim.Do(sim.SayGone)})
			}},
		{name: "technicians sign in with a password", plan: plan{settings: map[string]string{"credential": "Password"}}},
		{name: "Microsoft's clock is three minutes ahead", before: func(w *world, _ site) { w.cloud.SetSkew(3 * time.Minute) }},
		{name: "Microsoft's clock is three minutes behind", before: func(w *world, _ site) { w.cloud.SetSkew(-3 * time.Minute) }},
		{name: "the app holds Privileged Authentication Administrator", before: func(w *world, at site) { at.tenant.AppRole(w.app, sim.PrivilegedAuthenticationAdministrator) }},
	}
}

// switches turn around, one at a time, what could not be verified against the
// real service.
func switches() (all []trap) {
	for name, s := range map[string]sim.Switches{
		"the bin keeps names":                           {BinKeepsUPN: true},
		"the bin keeps employee ids":                    {BinKeepsEmployeeID: true},
		"a pass for an administrator needs a role":      {TAPOnAdminNeedsRole: true},
		"deleting a pass ends sign-ins made with it":    {TAPDeleteEndsTokens: true},
		"PIM's roles cannot be deleted directly":        {PIMDeleteRefused: true},
		"404 comes before 403":                          {MissingBeforeDenied: true},
		"a role that was removed is out of effect soon": {RoleRemovalAtOnce: true},
		"User.Create does not suffice":                  {UserCreateRefused: true},
	} {
		all = append(all, trap{name: "switch: " + name, plan: plan{options: sim.Options{Switches: s}}})
	}
	slices.SortFunc(all, func(a, b trap) int { return strings.Compare(a.name, b.name) })
	return append(all, trap{name: "switch: an app may not purge, until a person does", plan: plan{options: sim.Options{Switches: sim.Switches{PurgeNeedsPerson: true}}},
		during: func(w *world, at site, g access.Grant) {
			w.blockedUntil(at, g, "purge refused", 5*time.Hour, func() { w.act(at, sim.Act{Do: sim.PurgeUser, User: at.tenant.Users()[0].ID}) })
		}})
}
