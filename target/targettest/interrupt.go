package targettest

import (
	"fmt"
	"testing"
	"time"

	"jitney/secret"
	"jitney/target"
)

// maxChanges is more changing calls than any method honestly needs.
const maxChanges = 60

// eachFault runs body for every fault at every changing call until there is no
// further call to hit. body prepares, calls act with the faulty System, and
// checks what came of it.
func eachFault(r *run, body func(r *run, faulty func(act func(target.System) error))) {
	for _, f := range Faults {
		for n := 1; ; n++ {
			if n > maxChanges {
				r.Fatalf("more than %d changes", maxChanges)
			}
			more := true
			ok := r.Run(fmt.Sprintf("change %d %s", n, f), func(t *testing.T) {
				r.in(t, func(t *testing.T) {
					one := &run{T: t, Peer: r.Peer, a: r.Account(t)}
					body(one, func(act func(target.System) error) {
						sys, hit := r.Faulty(t, n, f)
						err := act(sys)
						if more = hit(); more && f != Unanswered && err == nil {
							t.Error("a change did not arrive, and no error tells of it")
						}
					})
				})
			})
			if !ok || !more {
				break
			}
		}
	}
}

// recovered tests that the account can be used and removed as if nothing had
// happened, and that it is one account.
func (r *run) recovered() {
	r.Helper()
	r.observe() // whatever it shows, it can be read
	r.apply(want(time.Hour, r.first()), password("after"))
	o := r.shows(r.first())
	if len(o.Extra) > 0 {
		r.Fatalf("extra: %v", o.Extra)
	}
	if r.SignIn != nil && !r.opens(o.Username, password("after")) {
		r.Error("the password does not open the account")
	}
	r.remove()
	r.clean()
}

func testInterruptedApply(r *run) {
	eachFault(r, func(r *run, faulty func(func(target.System) error)) {
		faulty(func(sys target.System) error {
			return r.give(sys, want(time.Hour, r.first()), password("1"))
		})
		if o := r.observe(); o.Enabled && len(o.Entitlements) > 0 && o.Until.IsZero() && r.enforces() {
			r.Errorf("access without an end: %+v", o)
		}
		r.recovered()
	})
	eachFault(r, func(r *run, faulty func(func(target.System) error)) { // and ended before it ever began
		faulty(func(sys target.System) error {
			return r.give(sys, want(time.Hour, r.first()), password("1"))
		})
		r.remove()
		r.clean()
	})
}

// enforces reports whether this kind of target enforces ends by itself.
func (r *run) enforces() bool {
	probe := &run{T: r.T, Peer: r.Peer, a: r.Account(r.T)}
	probe.apply(want(time.Hour, r.first()), secret.Text{})
	defer probe.remove()
	return !probe.observe().Until.IsZero()
}

func testInterruptedReuse(r *run) {
	if r.Once {
		return
	}
	eachFault(r, func(r *run, faulty func(func(target.System) error)) {
		r.apply(want(time.Hour, r.first()), password("0"))
		r.shows(r.first())
		if r.Meddle != nil {
			r.Meddle(r.T, r.a)
		}
		r.remove()
		r.clean()
		faulty(func(sys target.System) error {
			return r.give(sys, want(time.Hour, r.first()), password("1"))
		})
		r.recovered()
	})
}

func testInterruptedRemove(r *run) {
	eachFault(r, func(r *run, faulty func(func(target.System) error)) {
		r.apply(want(time.Hour, r.first()), password("1"))
		o := r.shows(r.first())
		if r.Meddle != nil {
			r.Meddle(r.T, r.a)
		}
		faulty(func(sys target.System) error { return sys.Remove(r.Context(), r.a) })
		if now := r.observe(); now.Clean() { // clean must mean all of it
			r.closed(o.Username)
		}
		r.remove()
		r.clean()
		r.closed(o.Username)
		if !r.Once {
			r.recovered()
		}
	})
}

func (r *run) closed(username string) {
	r.Helper()
	if r.SignIn != nil && r.opens(username, password("1")) {
		r.Error("clean, and the password still opens the account")
	}
}
