package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

// TestASweepTakesNothingFromAGrantThatIsAskedForMeanwhile has somebody give
// back by hand what had ended, and the same person ask for it again while the
// sweep is dealing with that, at one moment after the other.
func TestASweepTakesNothingFromAGrantThatIsAskedForMeanwhile(t *testing.T) {
	for moment := range 8 {
		inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
			old := w.activate(fake.Admin, 5)
			w.until(old.ID, access.Ended, 10*time.Minute)
			const latency = 400 * time.Millisecond
			realm.Latency = func() (time.Duration, bool) { return latency, true }
			lists := realm.Calls("list")
			if !realm.Enable(old.Account) || !realm.Give(old.Account, fake.Admin) {
				t.Fatal("the account is not there any more")
			}
			if !await(10*time.Minute, func() bool { return realm.Calls("list") > lists }) {
				t.Fatal("nobody swept")
			}
			time.Sleep(time.Duration(moment) * latency / 2)
			g, err := w.submit(w.people[0], "t1", fake.Admin, "1001", 60)
			check(t, err)
			time.Sleep(30 * time.Minute)
			if usable := realm.Usable(old.Account); w.state(g.ID) != access.Active || !slices.Equal(usable, []string{fake.Admin}) || w.count(g.ID, access.EventLost) > 0 {
				t.Errorf("asked for %s after the list: %s, usable %v\n%s", time.Duration(moment)*latency/2, w.state(g.ID), usable, w.story(g.ID))
			}
		})
	}
}

// found tells how often the log says that a mark is an orphan's, and is none
// any more, and whether the page of the target shows it.
func (w *world) found(mark string) (told, clean int, shown bool) {
	records, err := w.store.Log.Records(w.t.Context(), access.RecordQuery{Kind: access.EventFinding, Limit: 1000})
	check(w.t, err)
	for _, r := range records {
		switch {
		case r.Data["orphan"] != mark:
		case strings.Contains(r.Text, "read back as clean"):
			clean++
		default:
			told++
		}
	}
	page, err := w.broker().Places.Target(w.t.Context(), w.admin, "t1")
	check(w.t, err)
	return told, clean, slices.ContainsFunc(page.Target.Findings, func(f access.Finding) bool {
		return f.Level == "warning" && strings.Contains(f.What, "has no live grant")
	})
}

func TestAnOrphanIsToldOnceAndShownUntilItIsDealtWith(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		const mark = "a-mark-nobody-knows"
		realm.Plant(mark, fake.Admin)
		for range 2 {
			time.Sleep(20 * time.Minute)
			if told, clean, shown := w.found(mark); told != 1 || clean != 0 || !shown {
				t.Errorf("told %d times, clean %d times, shown: %v", told, clean, shown)
			}
			w.stop()
			w.start()
		}
		realm.Disable(mark)
		realm.TakeAway(mark, fake.Admin)
		realm.Delete(mark)
		time.Sleep(20 * time.Minute)
		if told, clean, shown := w.found(mark); told != 1 || clean != 1 || shown {
			t.Errorf("dealt with: told %d times, clean %d times, shown: %v", told, clean, shown)
		}
	})
}

func TestWhatIsGivenBackByHandAfterTheEndIsEnded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		g := w.activate(fake.Admin, 5)
		w.until(g.ID, access.Ended, 10*time.Minute)
		realm.Enable(g.Account)
		realm.Give(g.Account, fake.Admin)
		time.Sleep(20 * time.Minute)
		if told, clean, shown := w.found(g.Account); told != 1 || clean != 1 || shown || len(realm.Usable(g.Account)) > 0 {
			t.Errorf("told %d times, clean %d times, shown: %v, usable %v", told, clean, shown, realm.Usable(g.Account))
		}
	})
}
