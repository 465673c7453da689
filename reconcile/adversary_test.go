package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/target/fake"
)

func TestAccessThatComesBackIsNotEnded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 5)
		g = w.until(g.ID, access.Ended, 6*time.Minute)
		time.Sleep(time.Second)
		realm.Enable(g.Account) // a late call of a process that was stopped, replication from a controller that was silent, a hand
		realm.Give(g.Account, fake.Admin)
		t.Log(realm.Usable(g.Account))
		time.Sleep(3 * time.Hour)
		if u := realm.Usable(g.Account); len(u) > 0 {
			t.Errorf("three hours and some 36 sweeps later it is usable: %v; the grant says %s", u, w.state(g.ID))
		}
	})
}

func TestPasswordOfAWithdrawnRequestStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := access.DefaultPolicy()
		policy.NeedsApproval, policy.Password = true, access.ChosenOnForm
		w := newWorld(t, policy)
		defer w.close()
		w.start()
		maya := w.people[0]
		o, err := w.broker().Access.Offer(t.Context(), maya, "t1")
		check(t, err)
		g, err := w.broker().Access.Submit(t.Context(), maya, broker.Submission{Customer: w.customer.ID, Target: "t1", Entitlement: fake.Admin, Ticket: "1001", Minutes: 10, Reason: "Patching the practice servers.", Offer: o.ID})
		check(t, err)
		_, err = w.broker().Access.End(t.Context(), maya, g.ID)
		check(t, err)
		time.Sleep(time.Hour)
		c, err := w.store.Accounts.Case(t.Context(), g.Account)
		check(t, err)
		stored, _ := w.store.Grants.Grant(t.Context(), g.ID)
		if c.Credential.Sealed != nil {
			t.Errorf("the request is %s, no grant is open (%d), and its password is still kept; it waits: %v", stored.State(time.Now()), len(c.Grants), c.Credential.Waits())
		}
	})
}

func TestReissueThatMeetsTheEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 5)
		g = w.until(g.ID, access.Ended, 6*time.Minute)
		// Reissue had found the grant active, and stores its password when the look has recorded the end:
		_, err := w.store.Credentials.Replace(t.Context(), access.Credential{Account: g.Account, Place: g.Account + "/x", Recipient: w.admin.ID, Sealed: seal(t, w, g.Account+"/x"), CreatedAt: time.Now()})
		check(t, err)
		time.Sleep(24 * time.Hour)
		next := w.activate(fake.Admin, 30)
		if _, err := w.broker().Access.Reveal(t.Context(), w.people[0], next.ID); err != nil {
			t.Errorf("the holder of the next grant: %v", err)
		}
		if shown, err := w.broker().Access.Reveal(t.Context(), w.admin, next.ID); err == nil {
			t.Errorf("an administrator who never asked for it gets the password of grant %s: it opens the account: %v", next.ID, realm.SignIn(shown.Username, shown.Password.Reveal()) == nil)
		}
	})
}

func TestDemotedAdministratorReveals(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 60)
		check(t, w.broker().Access.Reissue(t.Context(), w.admin, g.ID, "must get in"))
		time.Sleep(time.Minute)
		p, err := w.store.People.Person(t.Context(), w.admin.ID)
		check(t, err)
		p.Roles = []access.Role{access.Auditor}
		p, err = w.store.People.SavePerson(t.Context(), p)
		check(t, err)
		if shown, err := w.broker().Access.Reveal(t.Context(), p, g.ID); err == nil {
			t.Errorf("an auditor got the password of somebody else's Domain Admin; it works: %v", realm.SignIn(shown.Username, shown.Password.Reveal()) == nil)
		}
	})
}

func TestAHangingTicketSystemHoldsUpNoEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		a := w.activate(fake.Admin, 5)
		w.paper.hangAfter(1) // the form
		b, err := w.submit(w.people[0], "t1", fake.Helper, "1001", 30)
		check(t, err)
		time.Sleep(time.Until(a.ExpiresAt()) + 20*time.Minute)
		t.Logf("b is %s", w.state(b.ID))
		if w.state(a.ID) != access.Ended {
			t.Errorf("20 min after its end a is %s, usable %v", w.state(a.ID), realm.Usable(a.Account))
		}
	})
}

func seal(t *testing.T, w *world, row string) []byte {
	b, err := w.sealer.Seal(t.Context(), w.customer.ID, secret.Place{Table: "credentials", Row: row, Column: "sealed"}, secret.Password(20))
	check(t, err)
	return b
}

func TestReissueWhileTheTargetIsAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 5)
		realm.DownBetween(time.Now(), time.Now().Add(15*time.Minute))
		check(t, w.broker().Access.Reissue(t.Context(), w.admin, g.ID, "must get in"))
		w.until(g.ID, access.Ended, 30*time.Minute)
		c, _ := w.store.Accounts.Case(t.Context(), g.Account)
		t.Logf("after the end: sealed %v, set %v, recipient %s", c.Credential.Sealed != nil, c.Credential.SetAt, c.Credential.Recipient)
		time.Sleep(24 * time.Hour)
		next := w.activate(fake.Admin, 30)
		if _, err := w.broker().Access.Reveal(t.Context(), w.people[0], next.ID); err != nil {
			t.Errorf("the holder of the next grant: %v", err)
		}
		if shown, err := w.broker().Access.Reveal(t.Context(), w.admin, next.ID); err == nil {
			t.Errorf("an administrator who never asked for it gets the password of grant %s: opens: %v", next.ID, realm.SignIn(shown.Username, shown.Password.Reveal()) == nil)
		}
	})
}

func TestTwoTargetsOfOneDomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := access.DefaultPolicy()
		policy.EndOrphans = true
		w := newWorld(t, policy)
		defer w.close()
		w.realms["t2"] = w.realms["t1"] // two targets, such as one for each policy, that lead to one domain
		w.start()
		g := w.activate(fake.Admin, 60)
		time.Sleep(20 * time.Minute)
		if g = w.grant(g.ID); g.State(time.Now()) != access.Active {
			t.Errorf("%s, %s\n%s", g.State(time.Now()), g.StopCause, w.story(g.ID))
		}
	})
}

func TestNoEndIsLateBehindAHangingTicketSystem(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		a := w.activate(fake.Admin, 20)
		w.paper.hangAfter(1) // the form
		_, err := w.submit(w.people[0], "t1", fake.Helper, "1001", 30)
		check(t, err)
		g := w.until(a.ID, access.Ended, 40*time.Minute)
		if late := g.EndedAt.Sub(a.ExpiresAt()); late > 15*time.Second {
			t.Errorf("ended %v late", late)
		}
	})
}
