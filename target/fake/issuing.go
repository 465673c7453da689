package fake

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// Issuing is the name of the kind of practice target that makes credentials
// itself, gives every grant an account of its own, and takes a while until its
// ends can be seen, as cloud directories do.
const Issuing = "fake-issuing"

// IssuingKind describes such targets. realm is as for [Kind].
func IssuingKind(realm func(targetID string) *Realm) target.Kind {
	k := Kind(realm)
	k.Name, k.Title, k.Shared = Issuing, "Practice cloud", false
	k.Handover = func(target.Settings) target.Handover {
		return target.Handover{Word: "pass", Issued: true, SignIn: "There is nothing to sign in to: this target is for practice."}
	}
	k.Open = func(_ context.Context, targetID string, s target.Settings) (target.System, error) {
		return &IssuingSystem{&System{realm: realm(targetID), domain: s.Values["domain"]}}, nil
	}
	return k
}

// An IssuingSystem is a Realm of an issuing kind as jitney uses it.
type IssuingSystem struct{ *System }

var (
	_ target.Issuer    = (*IssuingSystem)(nil)
	_ target.Historian = (*IssuingSystem)(nil)
	_ target.Overseer  = (*IssuingSystem)(nil)
)

// OpenIssuing opens an IssuingSystem on r.
func OpenIssuing(r *Realm) *IssuingSystem { return &IssuingSystem{r.Open()} }

// Settle sets how long after a removal reads are not sure yet.
func (r *Realm) Settle(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle = d
}

// Lag sets for how long reads do not show an account that was made.
func Lag(r *Realm, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lag = d
}

// Refuse has removals stop half way with a code, or work again if it is empty.
func (r *Realm) Refuse(code string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = code
}

// Did notes what an account did, for its history.
func (r *Realm) Did(mark, deed string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deeds[mark] = append(r.deeds[mark], deed)
}

// Issue makes the account, without a right, and a new pass for it.
func (s *IssuingSystem) Issue(ctx context.Context, a access.Account, want access.Want) (target.Issued, error) {
	r := s.realm
	if err := r.begin(ctx, "observe"); err != nil {
		return target.Issued{}, err
	}
	r.mu.Lock()
	acc := r.accounts[a.ID]
	missing := acc == nil || !acc.exists()
	name := username(s.domain, a.Holder)
	r.mu.Unlock()
	if missing {
		made := func() {
			acc := r.make(a.ID, name, a.Holder.Person)
			acc.until, acc.since = want.Until, time.Now()
		}
		if err := s.change(ctx, "create", nil, made); err != nil {
			return target.Issued{}, err
		}
	}
	pass := rand.Text()
	var out target.Issued
	err := s.change(ctx, "issue", nil, func() {
		acc := r.accounts[a.ID]
		acc.password, acc.enabled, acc.resets = pass, true, 0
		out = target.Issued{Text: secret.New(pass), Username: acc.username, ObjectID: acc.object}
	})
	if err != nil {
		return target.Issued{}, err
	}
	return out, nil
}

// Observe is System.Observe, and not sure for a while after a removal.
func (s *IssuingSystem) Observe(ctx context.Context, a access.Account) (access.Observation, error) {
	o, err := s.System.Observe(ctx, a)
	if err == nil && o.Exists && s.late(a.ID) {
		none := (*account)(nil).show()
		none.Username = o.Username
		return none, nil
	}
	if err != nil || !o.Clean() || !o.Exists {
		return o, err
	}
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	if left := time.Until(s.realm.accounts[a.ID].removed.Add(s.realm.settle)); left > 0 {
		o.Settling = min(left, 10*time.Second)
		o.Left = []string{"reading back again until it is certain"}
	}
	return o, nil
}

// late reports whether reads do not show the account yet.
func (s *IssuingSystem) late(mark string) bool {
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	return time.Since(s.realm.accounts[mark].since) < s.realm.lag
}

// Remove is System.Remove, unless it is refused half way.
func (s *IssuingSystem) Remove(ctx context.Context, a access.Account) error {
	s.realm.mu.Lock()
	refused := s.realm.refused
	s.realm.mu.Unlock()
	if refused != "" {
		return &access.Error{Kind: access.Denied, Text: "The practice cloud refuses to remove the account.", Hint: "Allow it.", Code: refused, After: 20 * time.Second}
	}
	if err := s.System.Remove(ctx, a); err != nil {
		return err
	}
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	if acc := s.realm.accounts[a.ID]; acc != nil && acc.removed.IsZero() {
		acc.removed = time.Now()
	}
	return nil
}

// History tells the deeds of a.
func (s *IssuingSystem) History(ctx context.Context, a access.Account, from, to time.Time) ([]string, error) {
	if err := s.realm.begin(ctx, "history"); err != nil {
		return nil, err
	}
	if !from.Before(to) {
		return nil, fmt.Errorf("from %v to %v is no time", from, to)
	}
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	return slices.Clone(s.realm.deeds[a.ID]), nil
}

// Unexplained tells who else is privileged.
func (s *IssuingSystem) Unexplained(ctx context.Context) ([]string, error) {
	if err := s.realm.begin(ctx, "oversee"); err != nil {
		return nil, err
	}
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	return slices.Sorted(maps.Keys(s.realm.privileged)), nil
}
