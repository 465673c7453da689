package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// A System is a Realm as jitney uses it.
type System struct {
	realm  *Realm
	domain string

	changes int   // changing calls of this System; guarded by realm.mu
	faulty  int   // the one that suffers fault; none after it arrives. 0 for none
	fault   Fault // never changes
}

var (
	_ target.System  = (*System)(nil)
	_ target.Lister  = (*System)(nil)
	_ target.Witness = (*System)(nil)
	_ target.Checker = (*System)(nil)
)

// Open opens a System on r.
func (r *Realm) Open() *System { return &System{realm: r} }

// OpenFaulty opens a System whose n-th changing call suffers f, and none after
// it arrives. hit reports whether there was such a call.
func (r *Realm) OpenFaulty(n int, f Fault) (sys *System, hit func() bool) {
	sys = &System{realm: r, faulty: n, fault: f}
	return sys, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return sys.changes >= n
	}
}

// taken reports whether somebody else has the name that a would get; r.mu is held.
func (s *System) taken(a access.Account) error {
	name := username(s.domain, a.Holder)
	if acc := s.realm.accounts[a.ID]; acc != nil && acc.exists() || !s.realm.squatted[name] {
		return nil
	}
	return &access.Error{Kind: access.Conflict, Text: "There is an account called " + name + " on the practice target, and Jitney did not make it.",
		Hint: "Rename that account. Jitney does not touch it."}
}

// Observe reports what the realm shows for a.
func (s *System) Observe(ctx context.Context, a access.Account) (access.Observation, error) {
	if err := s.realm.begin(ctx, "observe"); err != nil {
		return access.Observation{}, err
	}
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	if err := s.taken(a); err != nil {
		return access.Observation{}, err
	}
	o := s.realm.accounts[a.ID].show()
	if o.Username == "" {
		o.Username = username(s.domain, a.Holder)
	}
	return o, nil
}

// show reports what can be seen of an account; it may be nil.
func (a *account) show() access.Observation {
	o := access.Observation{At: time.Now().UTC()}
	if a == nil || !a.exists() {
		o.Facts = []access.Fact{{Name: "Account", Found: "there is none", Clean: true}}
		return o
	}
	o.Exists, o.Enabled, o.Username, o.ObjectID, o.Until = true, a.enabled, a.username, a.object, a.until
	o.Entitlements, o.Extra = slices.Sorted(maps.Keys(a.entitlements)), slices.Sorted(maps.Keys(a.extra))
	if !a.enabled && a.resets < 2 {
		o.Left = []string{"its password was not reset twice"}
	}
	sign := map[bool]string{true: "enabled", false: "disabled"}
	o.Facts = []access.Fact{
		{Name: "Account", Found: sign[a.enabled], Clean: !a.enabled},
		{Name: "Rights", Found: fmt.Sprint(len(o.Entitlements) + len(o.Extra)), Clean: len(o.Entitlements)+len(o.Extra) == 0},
		{Name: "Password", Found: fmt.Sprintf("reset %d times since it was disabled", a.resets), Clean: a.resets >= 2},
	}
	return o
}

// Apply makes a look like want, one changing call after the other.
func (s *System) Apply(ctx context.Context, a access.Account, want access.Want, password secret.Text) error {
	for _, name := range want.Names() {
		if name != Admin && name != Helper {
			return &access.Error{Kind: access.Invalid, Text: "The practice target does not offer " + name + "."}
		}
	}
	if err := s.realm.begin(ctx, "observe"); err != nil {
		return err
	}
	s.realm.mu.Lock()
	err := s.taken(a)
	steps := s.steps(ctx, a, want, password)
	s.realm.mu.Unlock()
	for _, do := range steps {
		if err == nil {
			err = do()
		}
	}
	return err
}

// steps lists the changing calls that make a look like want; realm.mu is held.
func (s *System) steps(ctx context.Context, a access.Account, want access.Want, password secret.Text) (steps []func() error) {
	r := s.realm
	step := func(verb string, half, rest func()) {
		steps = append(steps, func() error { return s.change(ctx, verb, half, rest) })
	}
	it := func() *account { return r.accounts[a.ID] }
	acc := it()
	exists := acc != nil && acc.exists()
	switch {
	case !exists:
		step("create", func() { r.make(a.ID, username(s.domain, a.Holder), a.Holder.Person) }, func() { it().until = want.Until })
	case !acc.until.Equal(want.Until):
		step("until", nil, func() { it().until = want.Until })
	}
	if exists {
		for _, name := range surplusOf(acc, want) {
			step("strip", nil, func() { delete(it().entitlements, name); delete(it().extra, name) })
		}
	}
	if !password.IsZero() {
		step("password", nil, func() { it().password = password.Reveal() })
	}
	for _, name := range want.Names() {
		if !exists || !acc.entitlements[name] {
			step("entitle", nil, func() { it().entitlements[name] = true })
		}
	}
	if !exists || !acc.enabled {
		step("enable", func() { it().resets = 0 }, func() { it().enabled = true })
	}
	return steps
}

func surplusOf(acc *account, want access.Want) (names []string) {
	for name := range acc.entitlements {
		if !slices.Contains(want.Names(), name) {
			names = append(names, name)
		}
	}
	names = append(names, slices.Collect(maps.Keys(acc.extra))...)
	slices.Sort(names)
	return names
}

// make makes an account that bears mark; r.mu is held. One that is there
// already stays.
func (r *Realm) make(mark, username, person string) *account {
	a := r.accounts[mark]
	if a != nil && a.exists() {
		return a
	}
	made := 1
	if a != nil {
		made = a.made + 1
	}
	r.nextObject++
	a = &account{mark: mark, object: fmt.Sprintf("object-%d", r.nextObject), username: username, person: person,
		entitlements: map[string]bool{}, extra: map[string]bool{}, made: made}
	r.accounts[mark] = a
	return a
}

// Remove takes every right from a, disables it and resets its password twice.
// A part that fails does not keep it from trying the rest.
func (s *System) Remove(ctx context.Context, a access.Account) error {
	r := s.realm
	if err := r.begin(ctx, "observe"); err != nil {
		return err
	}
	r.mu.Lock()
	acc := r.accounts[a.ID]
	if acc == nil || !acc.exists() {
		r.mu.Unlock()
		return nil
	}
	rights, enabled, resets := surplusOf(acc, access.Want{}), acc.enabled, acc.resets
	r.mu.Unlock()

	var first error
	try := func(verb string, half, rest func()) {
		if err := s.change(ctx, verb, half, rest); err != nil && first == nil {
			first = err
		}
	}
	for _, name := range rights {
		try("strip", nil, func() { delete(acc.entitlements, name); delete(acc.extra, name) })
	}
	if enabled {
		try("disable", nil, func() { acc.enabled, acc.resets = false, 0 })
	}
	if enabled || resets < 2 {
		try("reset", func() { acc.password, acc.resets = "", 1 }, func() { acc.resets = 2 })
	}
	return first
}

// List reports every account that bears a mark.
func (s *System) List(ctx context.Context) ([]access.Account, error) {
	if err := s.realm.begin(ctx, "list"); err != nil {
		return nil, err
	}
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	var found []access.Account
	for _, mark := range slices.Sorted(maps.Keys(s.realm.accounts)) {
		if a := s.realm.accounts[mark]; a.exists() {
			found = append(found, access.Account{ID: mark, Username: a.username, ObjectID: a.object, Holder: access.Holder{Person: a.person}, Seen: a.show()})
		}
	}
	return found, nil
}

// Snapshot lists who else is privileged.
func (s *System) Snapshot(ctx context.Context) (string, error) {
	if err := s.realm.begin(ctx, "snapshot"); err != nil {
		return "", err
	}
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	if s.realm.noWitness {
		return "", &access.Error{Kind: access.Denied, Text: "The practice target does not say who is privileged.", Hint: "Give the right to read it."}
	}
	b, err := json.Marshal(slices.Sorted(maps.Keys(s.realm.privileged)))
	return string(b), err
}

// Compare says who is privileged in one snapshot only.
func (s *System) Compare(before, after string) ([]string, error) {
	var was, is []string
	if err := json.Unmarshal([]byte(before), &was); err != nil {
		return nil, fmt.Errorf("read first snapshot: %w", err)
	}
	if err := json.Unmarshal([]byte(after), &is); err != nil {
		return nil, fmt.Errorf("read second snapshot: %w", err)
	}
	var found []string
	for _, name := range is {
		if !slices.Contains(was, name) {
			found = append(found, name+" became privileged on the practice target.")
		}
	}
	for _, name := range was {
		if !slices.Contains(is, name) {
			found = append(found, name+" is not privileged on the practice target any more.")
		}
	}
	return found, nil
}

// Check reports whether the realm answers.
func (s *System) Check(ctx context.Context) ([]access.Finding, error) {
	err := s.realm.begin(ctx, "check")
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return []access.Finding{{Level: "error", What: "The practice target does not answer.", Fix: "Wait; it answers again by itself."}}, nil
	}
	return []access.Finding{{Level: "ok", What: "The practice target answers."}, {Level: "info", What: "Nothing on it is real."}}, nil
}
