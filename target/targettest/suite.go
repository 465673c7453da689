// Package targettest holds the tests that every kind of target must pass,
// against a fake, a simulator or the real thing. It never looks behind
// [target.System]: what must be done to the target itself, a [Peer] brings.
package targettest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// A Peer is a target to test against, and the hands to meddle with it. A nil
// function leaves out the tests that need it; Open, Account and Entitlements
// are needed.
type Peer struct {
	// Open opens the target anew. Two Systems know nothing of each other.
	Open func(t *testing.T) target.System
	// Account makes an account that the target has never seen.
	Account func(t *testing.T) access.Account
	// Entitlements are names of what can be granted; two or more test overlap.
	Entitlements []string
	// Once means that an account is gone for good after its end, and that no
	// other grant ever uses it.
	Once bool
	// Virtual has each test run in virtual time, in a bubble of its own.
	Virtual bool
	// Drawn means that passwords are jitney's, although the System is an Issuer.
	Drawn bool

	// SignIn reports whether one gets in with the password.
	SignIn func(t *testing.T, username string, password secret.Text) bool
	// Meddle gives the account rights and back doors behind Jitney's back.
	Meddle func(t *testing.T, a access.Account)
	// TakeAway takes the account's entitlements away behind Jitney's back.
	TakeAway func(t *testing.T, a access.Account)
	// Squat makes an account that is not ours under the name that a would get,
	// and returns a function that reports whether it is still as it was.
	Squat func(t *testing.T, a access.Account) (untouched func() bool)
	// Faulty opens the target so that the n-th changing call (from 1) of the
	// System suffers the fault, and every later one is not reached. hit reports
	// whether there was such a call.
	Faulty func(t *testing.T, n int, f Fault) (sys target.System, hit func() bool)
}

// A Fault is what happens to one changing call on its way to the target.
type Fault string

const (
	Lost       Fault = "lost"                          // it never arrives
	Half       Fault = "half done"                     // it is cut off in the middle
	Unanswered Fault = "done, but the answer was lost" // it is done, and nobody knows
)

// Faults lists every fault.
var Faults = []Fault{Lost, Half, Unanswered}

// Run tests that the peer's System keeps the promises of [target.System].
func Run(t *testing.T, p Peer) {
	if p.Open == nil || p.Account == nil || len(p.Entitlements) == 0 {
		t.Fatal("a peer needs Open, Account and Entitlements")
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.needs != nil && !c.needs(p) {
				t.Log("left out: the peer has no hands for it")
				return
			}
			if c.parts {
				c.run(&run{T: t, Peer: p})
				return
			}
			p.in(t, func(t *testing.T) { c.run(&run{T: t, Peer: p, a: p.Account(t)}) })
		})
	}
}

// in runs body in the time that the peer asks for.
func (p Peer) in(t *testing.T, body func(*testing.T)) {
	if p.Virtual {
		synctest.Test(t, body)
		return
	}
	body(t)
}

var cases = []struct {
	name  string
	needs func(Peer) bool
	run   func(*run)
	parts bool // it has parts, each with an account and a time of its own
}{
	{"an account that never was is clean, and removing it does nothing", nil, testAbsent, false},
	{"granting, again, removing, again, and once more", nil, testLife, false},
	{"the password opens the account until the end, and not after it", func(p Peer) bool { return p.SignIn != nil }, testPassword, false},
	{"the end can move later and earlier", nil, testUntil, false},
	{"overlapping entitlements are one account that shows their union", func(p Peer) bool { return len(p.Entitlements) > 1 }, testOverlap, false},
	{"rights added by hand are shown, and removed while access lasts", func(p Peer) bool { return p.Meddle != nil }, testExtra, false},
	{"rights added by hand are gone after the end", func(p Peer) bool { return p.Meddle != nil }, testExtraAtEnd, false},
	{"access taken away by hand is seen, and the rest is cleaned up", func(p Peer) bool { return p.TakeAway != nil }, testTakenAway, false},
	{"an account of that name that is not ours is refused and not touched", func(p Peer) bool { return p.Squat != nil }, testSquat, false},
	{"the account is found by its mark alone", nil, testForgotten, false},
	{"every account that bears our mark is listed", nil, testList, false},
	{"granting at the same time makes one account", nil, testConcurrent, false},
	{"an unknown entitlement is refused", nil, testUnknown, false},
	{"an ended context ends every call", nil, testContext, false},
	{"granting survives an interruption at every change", func(p Peer) bool { return p.Faulty != nil }, testInterruptedApply, true},
	{"granting again survives an interruption at every change", func(p Peer) bool { return p.Faulty != nil }, testInterruptedReuse, true},
	{"removing survives an interruption at every change", func(p Peer) bool { return p.Faulty != nil }, testInterruptedRemove, true},
}

// A run is one test with its account.
type run struct {
	*testing.T
	Peer
	a access.Account
	// issued are the credentials that an Issuer made, by the password that
	// the tests ask for.
	issued map[string]secret.Text
}

func (r *run) must(doing string, err error) {
	r.Helper()
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*access.Error](err); ok {
		r.Fatalf("%s: %s (%s) %v", doing, e.Text, e.Hint, e.Err)
	}
	r.Fatalf("%s: %v", doing, err)
}

// observe looks with a fresh System and keeps what a reconciler would keep.
func (r *run) observe() access.Observation {
	r.Helper()
	o, err := r.Open(r.T).Observe(r.Context(), r.a)
	r.must("Observe", err)
	if o.At.IsZero() {
		r.Fatal("an observation without a time")
	}
	r.a.Seen = o
	if o.Exists {
		r.a.Username, r.a.ObjectID = o.Username, o.ObjectID
	}
	return o
}

func (r *run) shows(entitlements ...string) access.Observation {
	r.Helper()
	o := r.observe()
	for _, e := range entitlements {
		if !o.Shows(e) {
			r.Fatalf("%s cannot be used: %+v", e, o)
		}
	}
	for _, e := range o.Entitlements {
		if !slices.Contains(entitlements, e) {
			r.Fatalf("%s is there and not wanted: %+v", e, o)
		}
	}
	if o.Username == "" || o.ObjectID == "" || !o.Exists {
		r.Fatalf("no name, no id, or not said to exist: %+v", o)
	}
	if o.Clean() {
		r.Fatal("access that counts as clean")
	}
	return o
}

// settleFor is how long a target may say that only time can show the rest.
const settleFor = time.Hour

func (r *run) clean() access.Observation {
	r.Helper()
	began := time.Now()
	o := r.observe()
	for !o.Clean() && o.Settling > 0 && time.Since(began) < settleFor {
		select {
		case <-time.After(o.Settling):
		case <-r.Context().Done():
		}
		o = r.observe()
	}
	if !o.Clean() {
		r.Fatalf("not clean: %+v", o)
	}
	for _, f := range o.Facts {
		if !f.Clean {
			r.Errorf("clean, but not by the fact %q: %s", f.Name, f.Found)
		}
	}
	return o
}

func want(d time.Duration, entitlements ...string) access.Want {
	until := time.Now().Add(d).UTC()
	w := access.Want{Until: until}
	for _, e := range entitlements {
		w.Entitlements = append(w.Entitlements, access.Entitled{Name: e, Until: until})
	}
	return w
}

func (r *run) apply(w access.Want, password secret.Text) {
	r.Helper()
	r.must("Apply", r.give(r.Open(r.T), w, password))
	if r.a.ObjectID != "" {
		r.a.TriedAt = time.Time{}
	}
}

// give grants as a reconciler does: where the target makes the credential, it
// is asked to, for a password that is not zero.
func (r *run) give(sys target.System, w access.Want, password secret.Text) error {
	if r.Virtual { // else nobody could wait until a call cannot arrive any more
		r.a.TriedAt = time.Now().UTC()
	}
	issuer, ok := target.As[target.Issuer](sys)
	if !ok || r.Drawn {
		return sys.Apply(r.Context(), r.a, w, password)
	}
	if r.issued == nil {
		r.issued = map[string]secret.Text{}
	}
	if !password.IsZero() || len(r.issued) == 0 {
		made, err := issuer.Issue(r.Context(), r.a, w)
		if err != nil {
			return err
		}
		r.issued[password.Reveal()] = made.Text
		r.a.ObjectID, r.a.Username = made.ObjectID, made.Username
	}
	return sys.Apply(r.Context(), r.a, w, secret.Text{})
}

// opens reports whether one gets in with what was made for the password.
func (r *run) opens(username string, password secret.Text) bool {
	if made, ok := r.issued[password.Reveal()]; ok {
		password = made
	}
	return r.SignIn(r.T, username, password)
}

func (r *run) remove() {
	r.Helper()
	r.must("Remove", r.Open(r.T).Remove(r.Context(), r.a))
}

func (r *run) first() string { return r.Entitlements[0] }

// A Password that every kind of target takes, different for each n.
func password(n string) secret.Text { return secret.New("Correct-Horse-7-Battery-" + n) }

func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
