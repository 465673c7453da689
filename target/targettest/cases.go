package targettest

import (
	"slices"
	"sync"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

func testAbsent(r *run) {
	if o := r.clean(); o.Exists || o.Enabled {
		r.Fatalf("exists: %+v", o)
	}
	r.remove()
	r.clean()
}

func testLife(r *run) {
	r.apply(want(time.Hour, r.first()), password("1"))
	first := r.shows(r.first())
	r.apply(want(time.Hour, r.first()), password("1"))
	r.shows(r.first())
	r.apply(want(time.Hour, r.first()), secret.Text{})
	again := r.shows(r.first())
	if again.ObjectID != first.ObjectID || again.Username != first.Username {
		r.Fatalf("granting again made another account: %+v, before %+v", again, first)
	}
	r.remove()
	r.clean()
	r.remove()
	r.clean()
	if r.Once {
		return
	}
	r.apply(want(time.Hour, r.first()), password("2"))
	r.shows(r.first())
	r.remove()
	r.clean()
}

func testPassword(r *run) {
	r.apply(want(time.Hour, r.first()), password("1"))
	o := r.shows(r.first())
	opens := func(p secret.Text, should bool, when string) {
		r.Helper()
		if r.opens(o.Username, p) != should {
			r.Errorf("sign-in %s: got %v, want %v", when, !should, should)
		}
	}
	opens(password("1"), true, "with the first password")
	r.apply(want(2*time.Hour, r.first()), secret.Text{})
	opens(password("1"), true, "after the end was moved")
	r.apply(want(2*time.Hour, r.first()), password("2"))
	opens(password("2"), true, "with the new password")
	opens(password("1"), false, "with the password before the new one")
	r.remove()
	r.clean()
	opens(password("1"), false, "with the first password after the end")
	opens(password("2"), false, "with the last password after the end")
	if r.Once {
		return
	}
	r.apply(want(time.Hour, r.first()), password("3"))
	r.shows(r.first())
	opens(password("1"), false, "with an old password in the next grant")
	opens(password("2"), false, "with the last password in the next grant")
	opens(password("3"), true, "with the password of the next grant")
	r.remove()
	r.clean()
}

func testUntil(r *run) {
	for _, d := range []time.Duration{time.Hour, 3 * time.Hour, 30 * time.Minute} {
		w := want(d, r.first())
		r.apply(w, secret.Text{})
		o := r.shows(r.first())
		if o.Until.IsZero() {
			return // this kind cannot enforce an end
		}
		if o.Until.Before(w.Until.Add(-time.Second)) || o.Until.After(w.Until.Add(5*time.Minute)) {
			r.Errorf("wanted until %v, the target enforces %v", w.Until, o.Until)
		}
	}
	r.remove()
	r.clean()
}

func testOverlap(r *run) {
	a, b := r.Entitlements[0], r.Entitlements[1]
	for _, step := range [][]string{{a}, {a, b}, {b}, {a, b}, {a}} {
		r.apply(want(time.Hour, step...), secret.Text{})
		r.shows(step...)
	}
	r.remove()
	r.clean()
}

func testExtra(r *run) {
	r.apply(want(time.Hour, r.first()), password("1"))
	r.shows(r.first())
	r.Meddle(r.T, r.a)
	if o := r.observe(); len(o.Extra) == 0 || o.Clean() {
		r.Fatalf("rights added by hand are not shown: %+v", o)
	}
	r.apply(want(time.Hour, r.first()), secret.Text{})
	if o := r.shows(r.first()); len(o.Extra) > 0 {
		r.Fatalf("rights added by hand are still there: %v", o.Extra)
	}
	r.remove()
	r.clean()
}

func testExtraAtEnd(r *run) {
	r.apply(want(time.Hour, r.first()), password("1"))
	r.shows(r.first())
	r.Meddle(r.T, r.a)
	r.remove()
	r.clean()
	if r.Once {
		return
	}
	r.Meddle(r.T, r.a) // and behind our back after the end
	if o := r.observe(); o.Clean() {
		r.Fatalf("rights added after the end pass for clean: %+v", o)
	}
	r.remove()
	r.clean()
}

func testTakenAway(r *run) {
	r.apply(want(time.Hour, r.first()), password("1"))
	r.shows(r.first())
	r.TakeAway(r.T, r.a)
	o := r.observe()
	if o.Shows(r.first()) {
		r.Fatalf("what was taken away is still shown: %+v", o)
	}
	r.remove()
	r.clean()
}

func testSquat(r *run) {
	untouched := r.Squat(r.T, r.a)
	sys := r.Open(r.T)
	if _, err := sys.Observe(r.Context(), r.a); err == nil {
		r.Error("Observe takes an account that is not ours for ours")
	}
	if err := sys.Apply(r.Context(), r.a, want(time.Hour, r.first()), password("1")); err == nil {
		r.Error("Apply takes an account that is not ours")
	}
	_ = sys.Remove(r.Context(), r.a) // may say anything, must not touch it
	if !untouched() {
		r.Error("the account that is not ours was changed")
	}
}

// testForgotten is about an account whose name and id never got stored,
// because the process died before it could.
func testForgotten(r *run) {
	unknown := r.a
	r.apply(want(time.Hour, r.first()), password("1"))
	r.a = unknown
	o, err := r.Open(r.T).Observe(r.Context(), r.a)
	r.must("Observe", err)
	if !o.Shows(r.first()) {
		r.Fatalf("not found by its mark: %+v", o)
	}
	r.remove()
	r.clean()
}

func testList(r *run) {
	lister, ok := target.As[target.Lister](r.Open(r.T))
	if !ok {
		return
	}
	other := &run{T: r.T, Peer: r.Peer, a: r.Account(r.T)}
	r.apply(want(time.Hour, r.first()), password("1"))
	other.apply(want(time.Hour, r.first()), password("2"))
	r.shows(r.first())
	other.remove()
	other.clean()
	all, err := lister.List(r.Context())
	r.must("List", err)
	for _, is := range []struct {
		a    access.Account
		live bool
	}{{r.a, true}, {other.a, false}} {
		i := slices.IndexFunc(all, func(a access.Account) bool { return a.ID == is.a.ID })
		switch {
		case i < 0 && is.live:
			r.Fatal("a live account is not listed")
		case i >= 0 && is.live != all[i].Seen.Shows(r.first()), i >= 0 && is.live == all[i].Seen.Clean():
			r.Errorf("listed as %+v, want live: %v", all[i].Seen, is.live)
		case is.live && (all[i].ObjectID != is.a.ObjectID || all[i].Username != is.a.Username):
			r.Errorf("listed with another name or id: %+v", all[i])
		}
	}
	r.must("Remove what was listed", r.Open(r.T).Remove(r.Context(), access.Account{ID: r.a.ID, ObjectID: r.a.ObjectID}))
	r.clean()
}

func testConcurrent(r *run) {
	w := want(time.Hour, r.first())
	var wg sync.WaitGroup
	for range 4 {
		one := &run{T: r.T, Peer: r.Peer, a: r.a}
		wg.Go(func() { _ = one.give(one.Open(r.T), w, secret.Text{}) }) // some may lose the race
	}
	wg.Wait()
	r.apply(w, password("1"))
	if o := r.shows(r.first()); len(o.Extra) > 0 {
		r.Fatalf("more than one account: %v", o.Extra)
	}
	r.remove()
	r.clean()
}

func testUnknown(r *run) {
	err := r.give(r.Open(r.T), want(time.Hour, "no-such-entitlement"), password("1"))
	if err == nil || access.KindOf(err) != access.Invalid && access.KindOf(err) != access.Denied {
		r.Errorf("got %v, want an error of kind invalid or denied", err)
	}
	r.remove()
	r.clean()
}

func testContext(r *run) {
	sys, ctx := r.Open(r.T), ended(r.Context())
	start := time.Now()
	if _, err := sys.Observe(ctx, r.a); err == nil {
		r.Error("Observe ignores its context")
	}
	if err := sys.Apply(ctx, r.a, want(time.Hour, r.first()), password("1")); err == nil {
		r.Error("Apply ignores its context")
	}
	if err := sys.Remove(ctx, r.a); err == nil {
		r.Error("Remove ignores its context")
	}
	if took := time.Since(start); took > time.Minute {
		r.Errorf("it took %v", took)
	}
	r.clean()
}
