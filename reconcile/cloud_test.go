package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

// inCloud runs a test in a world with a person and the target that issues.
func inCloud(t *testing.T, body func(t *testing.T, w *world, realm *fake.Realm)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, access.DefaultPolicy())
		defer w.close()
		w.realms["t3"].Settle(35 * time.Second)
		w.start()
		body(t, w, w.realms["t3"])
		for _, f := range w.faults {
			t.Error(f)
		}
	})
}

// borrow has the first person hold access on the issuing target.
func (w *world) borrow(minutes int64) access.Grant {
	w.t.Helper()
	g, err := w.submit(w.people[0], "t3", fake.Admin, "1001", minutes)
	check(w.t, err)
	return w.until(g.ID, access.Active, 10*time.Second)
}

func TestAPassIsIssuedBeforeThePowerAndShownOnce(t *testing.T) {
	inCloud(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.borrow(10)
		maya := w.people[0]
		shown, err := w.broker().Access.Reveal(t.Context(), maya, g.ID)
		check(t, err)
		if shown.Word != "pass" || realm.SignIn(shown.Username, shown.Password.Reveal()) != nil {
			t.Errorf("the %s does not open the account", shown.Word)
		}
		check(t, w.broker().Access.NewPassword(t.Context(), maya, g.ID))
		if !await(time.Minute, func() bool {
			p, err := w.broker().Access.Grant(t.Context(), maya, g.ID)
			return err == nil && p.May.Reveal
		}) {
			t.Fatal("no new pass")
		}
		again, err := w.broker().Access.Reveal(t.Context(), maya, g.ID)
		check(t, err)
		if realm.SignIn(again.Username, again.Password.Reveal()) != nil || realm.SignIn(shown.Username, shown.Password.Reveal()) == nil {
			t.Error("the new pass does not replace the old one")
		}
		w.until(g.ID, access.Ended, 12*time.Minute)
		if a, err := w.store.Accounts.Case(t.Context(), g.Account); err != nil || !a.Account.TriedAt.IsZero() || a.Account.ObjectID == "" {
			t.Errorf("a change that was answered still counts as one that may arrive: %+v, %v", a.Account, err)
		}
	})
}

// TestAPassThatWasReplacedUnheardIsNotShown is about reads that lag: the pass
// is made again, and the answer to that is lost. What is shown at last must
// open the account.
func TestAPassThatWasReplacedUnheardIsNotShown(t *testing.T) {
	inCloud(t, func(t *testing.T, w *world, realm *fake.Realm) {
		fake.Lag(realm, 5*time.Second)
		issues := 0
		realm.Fault = func(_ int, verb string) fake.Fault {
			if verb != "issue" {
				return fake.NoFault
			}
			if issues++; issues == 2 {
				return fake.DoneLost
			}
			return fake.NoFault
		}
		g, err := w.submit(w.people[0], "t3", fake.Admin, "1001", 10)
		check(t, err)
		w.until(g.ID, access.Active, 2*time.Minute)
		if issues < 2 {
			t.Fatal("the pass was not made again, so this shows nothing")
		}
		shown, err := w.broker().Access.Reveal(t.Context(), w.people[0], g.ID)
		check(t, err)
		if realm.SignIn(shown.Username, shown.Password.Reveal()) != nil {
			t.Error("the pass that is shown does not open the account")
		}
	})
}

// TestPassMatrix breaks each changing call of a grant with a pass in each way,
// with and without the program dying at that moment.
func TestPassMatrix(t *testing.T) {
	for call := 1; call <= 8; call++ {
		for _, fault := range []fake.Fault{fake.Lost, fake.Half, fake.DoneLost} {
			for _, dies := range []bool{false, true} {
				t.Run(fmt.Sprintf("call %d is %s, the program dies: %v", call, fault, dies), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { breakOne(t, "t3", call, fault, dies) })
				})
			}
		}
	}
}

func TestAnEndIsNotBelievedBeforeItHasSettled(t *testing.T) {
	inCloud(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.borrow(5)
		time.Sleep(time.Until(g.ExpiresAt()))
		time.Sleep(20 * time.Second)
		if w.state(g.ID) != access.Ending {
			t.Fatalf("the grant is %s while reads are not sure yet", w.state(g.ID))
		}
		if n := realm.Calls("strip"); n != 1 {
			t.Errorf("it was removed %d times while it settled", n)
		}
		w.until(g.ID, access.Ended, 30*time.Second)
		if n := w.count(g.ID, access.EventTrouble); n != 0 {
			t.Errorf("waiting was told as trouble\n%s", w.story(g.ID))
		}
	})
}

func TestAnEndThatSettlesForLongIsOverdue(t *testing.T) {
	inCloud(t, func(t *testing.T, w *world, realm *fake.Realm) {
		realm.Settle(3 * time.Minute)
		g := w.borrow(5)
		w.until(g.ID, access.Overdue, 7*time.Minute)
		await(time.Minute, func() bool { return w.count(g.ID, access.EventOverdue) == 1 })
		g = w.until(g.ID, access.Ended, 4*time.Minute)
		if g.OverdueAt.IsZero() || w.count(g.ID, access.EventOverdue) != 1 {
			t.Errorf("told as overdue %d times\n%s", w.count(g.ID, access.EventOverdue), w.story(g.ID))
		}
		w.body("jitney:" + g.ID + ":overdue:1")
	})
}

func TestWhatOnlyAPersonCanEndIsToldOnceAndTriedForEver(t *testing.T) {
	inCloud(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.borrow(5)
		realm.Refuse("purge refused")
		g = w.until(g.ID, access.Blocked, 6*time.Minute)
		time.Sleep(time.Hour)
		if g = w.grant(g.ID); g.Blocked != "purge refused" || w.count(g.ID, access.EventBlocked) != 1 || w.state(g.ID) != access.Blocked {
			t.Fatalf("blocked %q, told %d times\n%s", g.Blocked, w.count(g.ID, access.EventBlocked), w.story(g.ID))
		}
		if body := w.body("jitney:" + g.ID + ":blocked-purge-refused:1"); !strings.Contains(body, "refuses to remove the account. Allow it.") || strings.Contains(body, "revoked") {
			t.Errorf("note:\n%s", body)
		}
		realm.Refuse("")
		g = w.until(g.ID, access.Ended, 3*time.Minute)
		if g.Blocked != "" || slices.Contains(realm.Usable(g.Account), fake.Admin) {
			t.Errorf("ended, and blocked %q", g.Blocked)
		}
		w.body("jitney:" + g.ID + ":ended:1")
	})
}

func TestWhatTheAccountDidIsAskedLaterAndToldOnce(t *testing.T) {
	inCloud(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.borrow(5)
		realm.Did(g.Account, "It reset the password of Bea.")
		g = w.until(g.ID, access.Ended, 10*time.Minute)
		key := "jitney:" + g.ID + ":history:1"
		time.Sleep(14 * time.Minute)
		if slices.Contains(w.paper.keys("1001"), key) {
			t.Error("it was asked too early")
		}
		time.Sleep(2 * time.Minute)
		if body := w.body(key); !strings.Contains(body, "- It reset the password of Bea.") {
			t.Errorf("note:\n%s", body)
		}
		realm.Did(g.Account, "It made the group Friends, which is still there.")
		if body := w.bodyWithin("jitney:"+g.ID+":history:2", 5*time.Hour); strings.Contains(body, "Bea") || !strings.Contains(body, "Friends") {
			t.Errorf("the second note tells again, or not what is new:\n%s", body)
		}
		if n := w.count(g.ID, access.EventHistory); n != 2 {
			t.Errorf("%d lines of history\n%s", n, w.story(g.ID))
		}
	})
}

func TestWhoIsPowerfulWithoutAGrantIsReportedWhenItChanges(t *testing.T) {
	inCloud(t, func(t *testing.T, w *world, realm *fake.Realm) {
		reported := func() (texts []string) {
			records, err := w.store.Log.Records(t.Context(), access.RecordQuery{Subject: "t3"})
			check(t, err)
			for _, r := range records {
				if r.Kind == access.EventFinding {
					texts = append(texts, r.Text)
				}
			}
			return texts
		}
		time.Sleep(30 * time.Minute)
		if got := reported(); len(got) != 1 || !strings.Contains(got[0], "Built-in administrator") {
			t.Errorf("reported %q", got)
		}
		realm.Promote("Mallory")
		time.Sleep(10 * time.Minute)
		if got := reported(); len(got) != 2 || !strings.Contains(got[0], "Mallory") {
			t.Errorf("reported %q", got)
		}
	})
}
