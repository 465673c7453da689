package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/target/fake"
	"jitney/ticket"
)

// TestNothingIsLeftIsNotSaidOfAnAccountInUse is about a request that comes to
// nothing while the same account is in use under another grant.
func TestNothingIsLeftIsNotSaidOfAnAccountInUse(t *testing.T) {
	for _, what := range []string{fake.Admin, fake.Helper} {
		inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
			w.activate(fake.Admin, 60)
			p, err := w.store.Rules.Policy(t.Context(), "default")
			check(t, err)
			p.NeedsApproval = true
			_, err = w.store.Rules.SavePolicy(t.Context(), p)
			check(t, err)
			g, err := w.submit(w.people[0], "t1", what, "1002", 10)
			check(t, err)
			w.paper.setOpen("1002", false)
			boss, err := w.store.People.SavePerson(t.Context(), access.Person{ID: "boss", Login: "boss@msp.example", Name: "Boss", Roles: []access.Role{access.Approver}, AllCustomers: true, CreatedAt: time.Now()})
			check(t, err)
			_, err = w.broker().Access.Approve(t.Context(), boss, g.ID, "")
			check(t, err)
			await(time.Minute, func() bool { return !w.grant(g.ID).EndedAt.IsZero() })
			key := "jitney:" + g.ID + ":notgiven:1"
			await(time.Minute, func() bool { return slices.Contains(w.paper.keys("1002"), key) })
			notes := w.paper.all()
			i := slices.IndexFunc(notes, func(n ticket.Note) bool { return n.Key == key })
			if i < 0 || !strings.HasPrefix(notes[i].Body, "No access was given for this request. The account maya@t1.example stays in use under another grant.\n") {
				t.Errorf("%+v\n%s", notes, w.story(g.ID))
			}
			if !slices.Contains(realm.Usable(g.Account), fake.Admin) {
				t.Error("the other grant lost its access")
			}
		})
	}
}

// TestARequestThatWaitsHidesNoAccess is about access that comes back on an
// account of which nothing is live but a request that waits for approval.
func TestARequestThatWaitsHidesNoAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, access.DefaultPolicy())
		defer w.close()
		w.start()
		realm := w.realms["t1"]
		g := w.activate(fake.Admin, 5)
		w.until(g.ID, access.Ended, 6*time.Minute)
		p, err := w.store.Rules.Policy(t.Context(), "default")
		check(t, err)
		p.NeedsApproval = true
		_, err = w.store.Rules.SavePolicy(t.Context(), p)
		check(t, err)
		waiting, err := w.submit(w.people[0], "t1", fake.Admin, "1001", 5)
		check(t, err)
		realm.Enable(g.Account)
		realm.Give(g.Account, fake.Admin)
		time.Sleep(20 * time.Minute)
		if u := realm.Usable(g.Account); slices.Contains(u, fake.Admin) {
			t.Errorf("usable after four sweeps: %v, and the request is %s", u, w.state(waiting.ID))
		}
	})
}

// TestAChangeThatArrivesLateIsWaitedFor is about a right that was asked of the
// target without an answer, on an account that stays in use under another grant.
func TestAChangeThatArrivesLateIsWaitedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		w.activate(fake.Helper, 60)
		lost := false
		realm.Fault = func(_ int, verb string) fake.Fault {
			if verb == "entitle" && !lost {
				lost = true
				return fake.Lost
			}
			return fake.NoFault
		}
		g, err := w.submit(w.people[0], "t1", fake.Admin, "1001", 10)
		check(t, err)
		if !await(10*time.Second, func() bool { return lost }) {
			t.Fatal("nothing was lost")
		}
		_, err = w.broker().Access.End(t.Context(), w.people[0], g.ID)
		check(t, err)
		over := func() bool { return !w.grant(g.ID).EndedAt.IsZero() }
		await(time.Minute, over)
		realm.Give(g.Account, fake.Admin) // the change that was lost
		time.Sleep(time.Second)
		if over() && slices.Contains(realm.Usable(g.Account), fake.Admin) {
			t.Errorf("the grant is %s, and its access lives: %s", w.state(g.ID), w.story(g.ID))
		}
		if !await(5*time.Minute, over) {
			t.Errorf("the grant is %s", w.state(g.ID))
		}
		if slices.Contains(realm.Usable(g.Account), fake.Admin) {
			t.Error("its access lives")
		}
	})
}
