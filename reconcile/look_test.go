package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

// inWorld runs a test in a world in which nothing goes wrong by itself.
func inWorld(t *testing.T, body func(t *testing.T, w *world, realm *fake.Realm)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, access.DefaultPolicy())
		defer w.close()
		w.start()
		body(t, w, w.realms["t1"])
		for _, f := range w.faults {
			t.Error(f)
		}
	})
}

// activate has the first person hold what for minutes, and the ticket told so:
// what a test does to the ticket next comes after that.
func (w *world) activate(what string, minutes int64) access.Grant {
	w.t.Helper()
	g := w.activateUntold(what, minutes)
	w.body("jitney:" + g.ID + ":granted:1")
	return w.grant(g.ID)
}

// activateUntold is activate for a ticket that takes no note.
func (w *world) activateUntold(what string, minutes int64) access.Grant {
	w.t.Helper()
	g, err := w.submit(w.people[0], "t1", what, "1001", minutes)
	check(w.t, err)
	return w.until(g.ID, access.Active, 10*time.Second)
}

func (w *world) until(id string, state access.State, limit time.Duration) access.Grant {
	w.t.Helper()
	if !await(limit, func() bool { return w.state(id) == state }) {
		w.t.Fatalf("the grant is %s after %s, want %s\n%s", w.state(id), limit, state, w.story(id))
	}
	return w.grant(id)
}

func (w *world) count(id, kind string) (n int) {
	w.t.Helper()
	records, err := w.store.Log.Timeline(w.t.Context(), id)
	check(w.t, err)
	for _, r := range records {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

func (w *world) body(key string) string {
	w.t.Helper()
	return w.bodyWithin(key, time.Minute)
}

func (w *world) bodyWithin(key string, limit time.Duration) string {
	w.t.Helper()
	await(limit, func() bool { return slices.Contains(w.paper.keys("1001"), key) })
	for _, n := range w.paper.all() {
		if n.Key == key {
			return n.Body
		}
	}
	w.t.Fatalf("no note %s", key)
	return ""
}

func TestTakenAwayByHandIsNotGivenAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 60)
		realm.TakeAway(g.Account, fake.Admin)
		g = w.until(g.ID, access.Ended, 6*time.Minute)
		if g.StopCause != access.ByDrift || w.count(g.ID, access.EventLost) != 1 {
			t.Errorf("cause %q\n%s", g.StopCause, w.story(g.ID))
		}
		if realm.Calls("entitle") != 1 {
			t.Error("it was given again")
		}
		if body := w.body("jitney:" + g.ID + ":ended:1"); !strings.Contains(body, "Why: somebody took the access away on the target") {
			t.Errorf("note:\n%s", body)
		}
	})
}

func TestGoneForAMomentIsNotDrift(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 60)
		realm.TakeAway(g.Account, fake.Admin)
		if !await(6*time.Minute, func() bool { return !w.grant(g.ID).LostAt.IsZero() }) {
			t.Fatal("it is not missed")
		}
		realm.Give(g.Account, fake.Admin)
		time.Sleep(time.Minute)
		if g = w.grant(g.ID); g.State(time.Now()) != access.Active || !g.LostAt.IsZero() {
			t.Errorf("grant = %+v", g)
		}
	})
}

func TestMoreThanAskedForIsTakenAwayAndTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 60)
		realm.AddExtra(g.Account, "member of Back Door Operators")
		if !await(6*time.Minute, func() bool { return slices.Equal(realm.Usable(g.Account), []string{fake.Admin}) }) {
			t.Fatalf("usable = %v", realm.Usable(g.Account))
		}
		if g = w.grant(g.ID); len(g.Findings) != 1 || w.count(g.ID, access.EventFinding) != 1 {
			t.Errorf("findings = %v", g.Findings)
		}
	})
}

func TestWhoBecamePrivilegedMeanwhileIsTold(t *testing.T) {
	for _, blind := range []bool{false, true} {
		inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
			g := w.activate(fake.Admin, 10)
			realm.Promote("Mallory\x1b[31m")
			realm.BlindWitness(blind)
			g = w.until(g.ID, access.Ended, 11*time.Minute)
			body := w.body("jitney:" + g.ID + ":ended:1")
			want := "- Mallory[31m became privileged on the practice target."
			if blind {
				want = "could not be compared with before"
			}
			if !strings.Contains(body, want) {
				t.Errorf("note:\n%s", body)
			}
			if blind != (len(g.Findings) == 0) {
				t.Errorf("findings = %q", g.Findings)
			}
			c, err := w.store.Accounts.Case(t.Context(), g.Account)
			if check(t, err); c.Account.Baseline != "" {
				t.Error("the snapshot is still kept")
			}
		})
	}
}

func TestTheNotesOfAGrant(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		g := w.activate(fake.Admin, 10)
		want := `The practice account maya@t1.example is now enabled
Reason: Patching the practice servers.
Requested by: Maya
Ends: ` + g.ExpiresAt().Format("2006-01-02 15:04:05 MST") + ` (10 min)
Grant: https://jitney.example/grants/` + g.ID + `
[jitney:` + g.ID + `:granted:1]`
		if body := w.body("jitney:" + g.ID + ":granted:1"); body != want {
			t.Errorf("note:\n%s\nwant:\n%s", body, want)
		}
		w.until(g.ID, access.Ended, 11*time.Minute)
		lines := strings.Split(w.body("jitney:"+g.ID+":ended:1"), "\n")
		for i, prefix := range []string{"Access has been revoked: the practice account maya@t1.example has lost its rights", "Why: its time was reached", "Read back at 2000-01-01",
			"- Account: disabled", "- Rights: 0", "- Password: reset 2 times", "Nothing outlives", "Who is privileged on the target was compared before and after: no difference.", "Grant: ", "[jitney:"} {
			if i >= len(lines) || !strings.HasPrefix(lines[i], prefix) {
				t.Errorf("line %d of\n%s\nwant %q", i+1, strings.Join(lines, "\n"), prefix)
			}
		}
	})
}

func TestOverlappingGrantsOfOnePerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		short, long := w.activate(fake.Admin, 10), w.activate(fake.Admin, 30)
		helper := w.activate(fake.Helper, 20)
		if short.Account != long.Account || long.Account != helper.Account || realm.Made(short.Account) != 1 {
			t.Fatal("one person has more than one account")
		}
		short = w.until(short.ID, access.Continued, 11*time.Minute)
		if short.ContinuedBy != long.ID || !slices.Equal(realm.Usable(long.Account), []string{fake.Admin, fake.Helper}) {
			t.Errorf("continued by %q, usable %v", short.ContinuedBy, realm.Usable(long.Account))
		}
		w.until(helper.ID, access.Ended, 11*time.Minute)
		if !slices.Equal(realm.Usable(long.Account), []string{fake.Admin}) {
			t.Errorf("usable %v", realm.Usable(long.Account))
		}
		if body := w.body("jitney:" + helper.ID + ":ended:1"); !strings.Contains(body, "does not hold Helper any more. The account stays in use under another grant.") {
			t.Errorf("note:\n%s", body)
		}
		w.until(long.ID, access.Ended, 11*time.Minute)
		if len(realm.Usable(long.Account)) > 0 {
			t.Errorf("usable %v", realm.Usable(long.Account))
		}
	})
}

func TestAnEndThatCannotBeReadBackIsToldOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 10)
		realm.DownBetween(time.Now(), time.Now().Add(70*time.Minute))
		w.until(g.ID, access.Overdue, 12*time.Minute)
		body := w.body("jitney:" + g.ID + ":overdue:1")
		if !strings.HasPrefix(body, "The access of maya@t1.example should have ended at ") {
			t.Errorf("note:\n%s", body)
		}
		time.Sleep(30 * time.Minute)
		if over, trouble := w.count(g.ID, access.EventOverdue), w.count(g.ID, access.EventTrouble); over != 1 || trouble > 4 {
			t.Errorf("told %d times that it is overdue, %d times of trouble\n%s", over, trouble, w.story(g.ID))
		}
		c, err := w.store.Accounts.Case(t.Context(), g.Account)
		if check(t, err); !strings.Contains(c.Account.Trouble, "does not answer") {
			t.Errorf("trouble = %q", c.Account.Trouble)
		}
		if !await(2*time.Hour, func() bool { return realm.Calls("disable") > 0 }) {
			t.Fatal("never removed")
		}
		g = w.until(g.ID, access.Ended, time.Minute)
		if late := g.EndedAt.Sub(g.VerifiedAt.Add(70 * time.Minute)); late > 20*time.Second {
			t.Errorf("ended %s after the target came back", late)
		}
		if c, _ = w.store.Accounts.Case(t.Context(), g.Account); c.Account.Trouble != "" {
			t.Errorf("trouble = %q", c.Account.Trouble)
		}
	})
}

func TestAWithdrawnRequestEndsAlthoughTheTargetIsDown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		p, err := w.store.Rules.Policy(t.Context(), "default")
		check(t, err)
		g := w.activate(fake.Admin, 60)
		p.NeedsApproval = true
		_, err = w.store.Rules.SavePolicy(t.Context(), p)
		check(t, err)
		realm.DownBetween(time.Now(), time.Now().Add(time.Hour))
		pending, err := w.submit(w.people[0], "t1", fake.Helper, "1001", 5)
		check(t, err)
		_, err = w.broker().Access.End(t.Context(), w.people[0], pending.ID)
		check(t, err)
		w.until(pending.ID, access.NotGiven, 10*time.Second)
		if pending.Account != g.Account {
			t.Error("not the same account")
		}
	})
}

func TestOrphansAreReportedAndEndedOnlyIfThePolicySaysSo(t *testing.T) {
	for _, end := range []bool{false, true} {
		inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
			p, err := w.store.Rules.Policy(t.Context(), "default")
			check(t, err)
			p.EndOrphans = end
			_, err = w.store.Rules.SavePolicy(t.Context(), p)
			check(t, err)
			g := w.activate(fake.Admin, 60)
			realm.Plant("a-mark-nobody-knows", fake.Admin)
			time.Sleep(20 * time.Minute)
			records, err := w.store.Log.Records(t.Context(), access.RecordQuery{Kind: access.EventFinding})
			check(t, err)
			told := 0
			for _, r := range records {
				if r.Data["orphan"] == "a-mark-nobody-knows" && strings.Contains(r.Text, "has no live grant") {
					told++
				}
			}
			if told != 1 {
				t.Errorf("told %d times: %+v", told, records)
			}
			if gone := len(realm.Usable("a-mark-nobody-knows")) == 0; gone != end {
				t.Errorf("gone: %v, want %v", gone, end)
			}
			if w.state(g.ID) != access.Active {
				t.Error("a live account was taken for an orphan")
			}
		})
	}
}

func TestLapsing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		realm.DownBetween(time.Now(), time.Now().Add(70*time.Minute))
		g, err := w.submit(w.people[0], "t1", fake.Admin, "1001", 10)
		check(t, err)
		g = w.until(g.ID, access.NotGiven, 80*time.Minute)
		if g.Cause(time.Now()) != access.ByLapse || len(realm.Marks()) > 0 {
			t.Errorf("cause %q, accounts %v", g.Cause(time.Now()), realm.Marks())
		}
		if body := w.body("jitney:" + g.ID + ":notgiven:1"); !strings.Contains(body, "Why: it did not become usable in time") {
			t.Errorf("note:\n%s", body)
		}
	})
}

func TestASlowTargetIsToldOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		realm.Latency = func() (time.Duration, bool) { return 900 * time.Millisecond, true }
		g := w.activate(fake.Admin, 10)
		w.until(g.ID, access.Ended, 11*time.Minute)
		if realm.Changes() != 7 || w.count(g.ID, access.EventTrouble) != 0 {
			t.Errorf("%d changes, want 7\n%s", realm.Changes(), w.story(g.ID))
		}
	})
}

func TestAnExtensionThatTheTargetHearsOfTooLate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 10)
		realm.DownBetween(time.Now(), time.Now().Add(20*time.Minute))
		_, err := w.broker().Access.Extend(t.Context(), w.people[0], g.ID, 50)
		check(t, err)
		time.Sleep(15 * time.Minute)
		if len(realm.Usable(g.Account)) > 0 {
			t.Error("the target's own clock did not fire")
		}
		time.Sleep(6 * time.Minute)
		if !slices.Equal(realm.Usable(g.Account), []string{fake.Admin}) || w.state(g.ID) != access.Active || realm.Calls("password") != 1 {
			t.Errorf("usable %v, %s\n%s", realm.Usable(g.Account), w.state(g.ID), w.story(g.ID))
		}
	})
}
