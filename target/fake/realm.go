// Package fake is a practice target: a system in memory that behaves like a
// real one, with accounts, entitlements, passwords and an end that it enforces
// by itself, and that goes wrong as planned. It proves the reconciler, and
// shows new users what a grant does. It never connects to anything.
package fake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"jitney/access"
)

// A Fault is what happens to one changing call on its way.
type Fault int

const (
	NoFault  Fault = iota
	Lost           // it never arrives, and the caller gets no answer
	Half           // a part of it takes effect, and the caller gets no answer
	DoneLost       // it takes effect, and the caller gets no answer
)

func (f Fault) String() string {
	return [...]string{"no fault", "lost", "half done", "done but the answer lost"}[f]
}

// A Realm is one practice target. It outlives every System that is opened on
// it, as a real target outlives the program. Its methods may be called by many
// goroutines. The exported functions must be set before it is used.
type Realm struct {
	// Fault, if set, is asked before every changing call, counted from 1.
	Fault func(call int, verb string) Fault
	// Latency, if set, is how long the next call takes, and false for one that
	// never answers.
	Latency func() (time.Duration, bool)

	mu         sync.Mutex
	accounts   map[string]*account // by mark
	downTill   time.Time           // answers nothing before
	downFrom   time.Time
	changes    int            // changing calls so far
	calls      map[string]int // by verb
	privileged map[string]bool
	squatted   map[string]bool // names that accounts of others have
	noWitness  bool
	nextObject int
	settle     time.Duration       // of an issuing kind
	lag        time.Duration       // of an issuing kind
	refused    string              // of an issuing kind
	deeds      map[string][]string // by mark
}

// An account is what the realm knows about one account.
type account struct {
	mark, object string
	username     string
	person       string
	enabled      bool
	until        time.Time
	entitlements map[string]bool
	extra        map[string]bool
	password     string
	resets       int // since it was last disabled: two make it clean
	made         int // how many accounts ever bore this mark
	removed      time.Time
	since        time.Time // of an issuing kind: when it was made
}

// NewRealm makes an empty practice target.
func NewRealm() *Realm {
	return &Realm{accounts: map[string]*account{}, calls: map[string]int{}, privileged: map[string]bool{"Built-in administrator": true}, squatted: map[string]bool{},
		deeds: map[string][]string{}}
}

// begin lets one call take its time, and fail if nothing answers.
func (r *Realm) begin(ctx context.Context, verb string) error {
	r.mu.Lock()
	r.calls[verb]++
	latency := r.Latency
	r.mu.Unlock()
	answers := true
	var wait time.Duration
	if latency != nil {
		wait, answers = latency()
	}
	if !answers {
		<-ctx.Done()
	}
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	if err := ctx.Err(); err != nil {
		return silent(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); !now.Before(r.downFrom) && now.Before(r.downTill) {
		return silent(nil)
	}
	return nil
}

func silent(err error) error {
	return &access.Error{Kind: access.Unavailable, Text: "The practice target does not answer.", Hint: "It answers again by itself.", Err: err}
}

// change is one changing call. half does a part of it, rest the remaining one;
// half may be nil for a call that cannot be half done.
func (s *System) change(ctx context.Context, verb string, half, rest func()) error {
	r := s.realm
	if err := r.begin(ctx, verb); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	s.changes++
	fault := NoFault
	switch {
	case s.faulty > 0 && s.changes == s.faulty:
		fault = s.fault
	case s.faulty > 0 && s.changes > s.faulty:
		fault = Lost
	case r.Fault != nil:
		fault = r.Fault(r.changes, verb)
	}
	if fault == Lost {
		return silent(nil)
	}
	if half != nil {
		half()
	}
	if fault == Half {
		return silent(nil)
	}
	rest()
	if fault == DoneLost {
		return silent(nil)
	}
	return nil
}

// DownBetween makes the realm answer nothing from one instant to another.
func (r *Realm) DownBetween(from, till time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.downFrom, r.downTill = from, till
}

// Changes reports how many changing calls there were.
func (r *Realm) Changes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changes
}

// Calls reports how often a verb was called: "observe", "list", "snapshot",
// "create", "password", "entitle", "enable", "until", "strip", "disable", "reset".
func (r *Realm) Calls(verb string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[verb]
}

// Made reports how many accounts ever bore mark. More than one means that a
// lost answer led to a second account.
func (r *Realm) Made(mark string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.accounts[mark]; a != nil {
		return a.made
	}
	return 0
}

// Marks lists the accounts there are, or were.
func (r *Realm) Marks() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.accounts))
}

// Usable lists what somebody could do with the account now, given its
// password. It is the truth that the proofs go by.
func (r *Realm) Usable(mark string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.accounts[mark]
	if a == nil || !a.exists() || !a.enabled || a.fired() {
		return nil
	}
	return append(slices.Sorted(maps.Keys(a.entitlements)), slices.Sorted(maps.Keys(a.extra))...)
}

// SignIn tries a password, as a person would.
func (r *Realm) SignIn(username, password string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.accounts {
		if a.exists() && a.username == username {
			switch {
			case !a.enabled, a.fired():
				return fmt.Errorf("the account %s is disabled", username)
			case a.password == "" || a.password != password:
				return fmt.Errorf("wrong password for %s", username)
			}
			return nil
		}
	}
	return fmt.Errorf("no account %s", username)
}

func (a *account) exists() bool { return a.object != "" }

// fired reports whether the end that the realm itself enforces is past.
func (a *account) fired() bool { return !a.until.IsZero() && !time.Now().Before(a.until) }
