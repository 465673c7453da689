package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

// live runs the whole life of one grant of ten minutes: usable within limit,
// the credential shown once and good, gone after its end. It reports how many
// changing calls that took.
func live(t *testing.T, w *world, where string, limit time.Duration) int {
	t.Helper()
	realm, maya := w.realms[where], w.people[0]
	g, err := w.submit(maya, where, fake.Admin, "1001", 10)
	if all := w.all(); errors.Is(err, errDead) && len(all) == 1 { // stored, and dead before the answer
		g, err = all[0], nil
	}
	check(t, err)
	if !await(limit, func() bool { return w.state(g.ID) == access.Active }) {
		t.Fatalf("the grant is %s after %s: %+v", w.state(g.ID), limit, w.grant(g.ID))
	}
	await(limit, func() bool { return w.broker() != nil })
	shown, err := w.broker().Access.Reveal(t.Context(), maya, g.ID)
	check(t, err)
	if err := realm.SignIn(shown.Username, shown.Password.Reveal()); err != nil {
		t.Errorf("the shown password does not work: %v", err)
	}
	if _, err := w.broker().Access.Reveal(t.Context(), maya, g.ID); access.KindOf(err) != access.Conflict {
		t.Errorf("the password was shown twice: %v", err)
	}
	time.Sleep(time.Until(w.grant(g.ID).ExpiresAt()))
	if !await(limit, func() bool { return w.state(g.ID) == access.Ended }) {
		t.Fatalf("the grant is %s, %s after its end\n%s", w.state(g.ID), limit, w.story(g.ID))
	}
	if usable := realm.Usable(g.Account); len(usable) > 0 {
		t.Errorf("after the end the target shows %v", usable)
	}
	if realm.SignIn(shown.Username, shown.Password.Reveal()) == nil {
		t.Error("the password still works after the end")
	}
	if n := realm.Made(g.Account); n != 1 {
		t.Errorf("%d accounts were made", n)
	}
	if c, err := w.store.Credentials.Credential(t.Context(), g.Account); err != nil || c.Sealed != nil {
		t.Errorf("the password is still stored: %v, %v", c.Sealed != nil, err)
	}
	if !await(3*time.Minute, func() bool { return len(w.paper.keys("1001")) >= 2 }) {
		t.Error("the notes did not arrive")
	}
	want := []string{"jitney:" + g.ID + ":granted:1", "jitney:" + g.ID + ":ended:1"}
	if keys := w.paper.keys("1001"); !slices.Equal(keys, want) {
		t.Errorf("notes = %v, want %v", keys, want)
	}
	for _, f := range w.faults {
		t.Error(f)
	}
	return realm.Changes()
}

func TestOneGrantFromRequestToProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, access.DefaultPolicy())
		defer w.close()
		w.start()
		if n := live(t, w, "t1", 5*time.Second); n != 7 {
			t.Errorf("%d changing calls, want 7", n)
		}
	})
}

// TestFaultMatrix breaks each changing call in each way, with and without the
// program dying at that moment.
func TestFaultMatrix(t *testing.T) {
	for call := 1; call <= 7; call++ {
		for _, fault := range []fake.Fault{fake.Lost, fake.Half, fake.DoneLost} {
			for _, dies := range []bool{false, true} {
				name := fmt.Sprintf("call %d is %s", call, fault)
				if dies {
					name += " and the program dies"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { breakOne(t, "t1", call, fault, dies) })
				})
			}
		}
	}
}

func breakOne(t *testing.T, where string, call int, fault fake.Fault, dies bool) {
	w := newWorld(t, access.DefaultPolicy())
	defer w.close()
	w.realms[where].Fault = func(n int, _ string) fake.Fault {
		if n != call {
			return fake.NoFault
		}
		if dies {
			w.stop()
			w.running.Go(func() {
				time.Sleep(3 * time.Second)
				w.start()
			})
		}
		return fault
	}
	w.start()
	live(t, w, where, 30*time.Second)
}
