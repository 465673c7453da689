package entra

import (
	"slices"
	"time"

	"jitney/secret"
)

// A pass is one state of a Temporary Access Pass.
type pass struct {
	id, user string
	value    secret.Text
	created  time.Time
	start    time.Time
	minutes  int
	once     bool
	used     bool
}

func (p *pass) end() time.Time { return p.start.Add(time.Duration(p.minutes) * time.Minute) }

// usable says whether a pass lets one sign in, in Graph's words.
func usable(t *Tenant, p *pass, now time.Time) (bool, string) {
	switch {
	case t.tapPolicy.Off || len(t.tapPolicy.Groups) > 0:
		return false, "DisabledByPolicy"
	case p.used && p.once:
		return false, "OneTimeUsed"
	case now.Before(p.start):
		return false, "NotYetValid"
	case !now.Before(p.end()):
		return false, "Expired"
	}
	return true, "EnabledByPolicy"
}

// passesOf are a user's passes as a replica shows them: one at most, save for what is on its way.
func (t *store) passesOf(user string, replica int, now time.Time) []*pass {
	var out []*pass
	for _, p := range t.passes.all(replica, now) {
		if p.user == user {
			out = append(out, p)
		}
	}
	if len(out) > 1 { // the newest replaced the others
		out = slices.Clone(out[len(out)-1:])
	}
	return out
}

// Pass is a Temporary Access Pass that let somebody in.
type Pass struct {
	ID  string
	End time.Time // sign-ins made with it end then
}

// UsePass tries a Temporary Access Pass of a user, as a sign-in would, and marks it as used. The answer is "" for
// success, else why not: Wrong, or one of Graph's words: Expired, NotYetValid, OneTimeUsed, DisabledByPolicy.
// It asks nothing else of the account.
func (t *Tenant) UsePass(user, value string) (Pass, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, p := range t.passesOf(user, authority, now) {
		if !p.value.Equal(secret.New(value)) {
			continue
		}
		if ok, why := usable(t, p, now); !ok {
			return Pass{}, why
		}
		used := *p
		used.used = true
		t.passes.put(p.id, &used, t.spread(authority, now))
		return Pass{p.id, p.end()}, ""
	}
	return Pass{}, "Wrong"
}

// PassLives reports whether a pass is still there and usable, without using it. A one-time pass that was used lives on
// for the sign-in that used it.
func (t *Tenant) PassLives(user, id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	p := t.passes.at(id, authority, now)
	return p != nil && p.user == user && now.Before(p.end())
}

// PasswordFits reports whether a password is the user's. It asks nothing else of the account.
func (t *Tenant) PasswordFits(user, password string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.live(user, authority, t.now())
	return u != nil && !u.password.IsZero() && u.password.Equal(secret.New(password))
}

// Effective are the role templates that are in effect now for a user that may sign in: a role given a moment ago may
// not be, one taken a moment ago may. A user that is disabled or in the bin has none.
func (t *Tenant) Effective(user string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	u := t.live(user, authority, now)
	if u == nil || !u.enabled {
		return nil
	}
	return t.powers(u.id, now)
}
