package aws

import (
	"context"
	"errors"
	"slices"
	"time"

	"jitney/access"
	"jitney/secret"
)

// believed is how old a deny must be before a try counts as proof, and slack
// how long after the end that a session carries in itself it counts as over.
const (
	believed = 5 * time.Second
	slack    = 5 * time.Second
)

// Observe tries whether sessions of what is wanted would be given. Of what is
// not wanted and was issued, it reports what may still work: it reads the deny
// on the role, and proves it by trying.
func (s *system) Observe(ctx context.Context, a access.Account) (access.Observation, error) {
	if err := ctx.Err(); err != nil {
		return access.Observation{}, explain(fault("sts", err), "look at the account")
	}
	v := viewer{system: s, a: a, o: access.Observation{At: time.Now().UTC(), Username: sessionName(a)}, settled: true}
	for _, r := range s.roles {
		if slices.Contains(a.Wanted, r.entitlement) {
			if err := v.wanted(ctx, r); err != nil {
				return access.Observation{}, err
			}
			continue
		}
		if err := v.ended(ctx, r); err != nil {
			return access.Observation{}, err
		}
	}
	v.unknown()
	if v.byClock {
		if err := s.punctual(ctx, a); err != nil {
			return access.Observation{}, err
		}
	}
	return v.done(), nil
}

// Apply makes nothing, for nothing stands on the account before the end. It
// tries what is wanted, and says what is in the way.
func (s *system) Apply(ctx context.Context, a access.Account, want access.Want, _ secret.Text) error {
	for _, name := range want.Names() {
		r, ok := s.find(name)
		if !ok {
			return unknown(name)
		}
		if err := s.try(ctx, r, a); err != nil {
			return s.explainAssume(err, r)
		}
	}
	return nil
}

// try makes a session as for a, that may do nothing, and throws it away.
func (s *system) try(ctx context.Context, r role, a access.Account) error {
	_, err := s.assume(ctx, request{role: r, name: sessionName(a), life: shortest, tags: tagsOf(a, ""), source: sourceIdentity(a), policy: nothing()})
	if off := s.wire.off(); off.Abs() >= maxSkew {
		return skewed(off)
	}
	return err
}

// A viewer makes one observation.
type viewer struct {
	*system
	a       access.Account
	o       access.Observation
	byClock bool          // something is called over because its time is
	settled bool          // whatever is left needs only time
	next    time.Duration // until then
}

func (v *viewer) fact(name, found string, clean bool) {
	v.o.Facts = append(v.o.Facts, access.Fact{Name: name, Found: found, Clean: clean})
}

// left notes what must go, and how soon another look can show that; zero if
// something has to be done.
func (v *viewer) left(text string, next time.Duration) {
	v.o.Left = append(v.o.Left, text)
	if next <= 0 {
		v.settled = false
	}
	if v.next == 0 || next < v.next {
		v.next = next
	}
}

// open notes that keys of the role work.
func (v *viewer) open(r role) {
	v.o.Exists, v.o.Enabled = true, true
	v.o.Entitlements = append(v.o.Entitlements, r.entitlement)
}

// wanted tries whether a session would be given. Where none would, keys that
// were given before may work all the same.
func (v *viewer) wanted(ctx context.Context, r role) error {
	what := "A try for a session of the role " + r.name
	err := v.try(ctx, r, v.a)
	if isDenied(err) {
		e, _ := errors.AsType[*access.Error](v.explainAssume(err, r))
		v.fact(what, "refused: "+e.Text, true)
		if is, any := sumOf(v.a, r.entitlement); any && !over(is.ExpiresAt) {
			v.o.Exists = true
			v.left("keys of the role "+r.name+" were given before, and may work until "+stamp(is.EndsAt), 0)
		}
		return nil
	}
	if err != nil {
		return v.explainAssume(err, r)
	}
	v.open(r)
	v.fact(what, "given", false)
	return nil
}

// ended looks at sessions of a role that is not wanted any more.
func (v *viewer) ended(ctx context.Context, r role) error {
	is, any := sumOf(v.a, r.entitlement)
	what := "Keys of the role " + r.name
	switch {
	case !any:
		if len(v.a.Wanted) == 0 {
			v.fact(what, "none were issued", true)
		}
		return nil
	case over(is.ExpiresAt):
		v.byClock = true
		v.fact(what, "the last expired at "+stamp(is.ExpiresAt), true)
		return nil
	}
	v.o.Exists, v.o.Until = true, later(v.o.Until, is.EndsAt)
	if !v.edit {
		v.byLimit(r, is, "the role may not be edited by Jitney")
		return nil
	}
	return v.byDeny(ctx, r, is)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// byLimit judges sessions that only their own limit ends, as why says.
func (v *viewer) byLimit(r role, is access.Issued, why string) {
	if since := time.Since(is.EndsAt); since >= slack {
		v.byClock = true
		v.fact("Keys of the role "+r.name, "denied by the session's own policy since "+stamp(is.EndsAt), true)
		v.fact("A deny on the role "+r.name, "not looked for: "+why, true)
		return
	}
	v.open(r)
	v.fact("Keys of the role "+r.name, "live until "+stamp(is.EndsAt)+": "+why, false)
	v.left("keys of the role "+r.name+" live until "+stamp(is.EndsAt), time.Until(is.EndsAt)+slack)
}

// byDeny looks for the deny on the role, and proves it by trying.
func (v *viewer) byDeny(ctx context.Context, r role, is access.Issued) error {
	d, ok, err := ledger{v.client}.denyOf(ctx, r, markOf(v.a), is.ExpiresAt)
	switch {
	case isGone(err):
		v.byLimit(r, is, "the role is gone, and what its keys may do with it, but that cannot be tried")
		return nil
	case err != nil:
		return explainEnd(err, r)
	case !ok && time.Since(is.EndsAt) < slack:
		v.open(r)
		v.fact("Deny on the role "+r.name, "not there", false)
		v.left("keys of the role "+r.name+" are not denied", 0)
		return nil
	case !ok:
		v.fact("Deny on the role "+r.name, "not there", false)
		v.left("keys of the role "+r.name+" that only their own limit holds back until "+stamp(is.ExpiresAt), 0)
		return nil
	}
	v.fact("Deny on the role "+r.name, "read back: "+d.name+" denies everything to sessions named …-"+markOf(v.a), true)
	return v.prove(ctx, r, is, d)
}

func (v *viewer) prove(ctx context.Context, r role, is access.Issued, d deny) error {
	age := d.age()
	if age < believed {
		v.waits(r, is, d, "its deny is "+inWords(age)+" old, too young to be tried")
		return nil
	}
	what, before := "A try with keys of the role "+r.name, v.a.Seen
	proved := slices.IndexFunc(before.Facts, func(f access.Fact) bool { return f.Name == what && f.Clean })
	if before.Clean() && proved >= 0 && d.put.Before(before.At) { // by this very deny
		v.fact(what, before.Facts[proved].Found, true)
		return nil
	}
	how, why, err := v.probe(ctx, r, v.a)
	switch {
	case err != nil:
		return explain(err, "prove that sessions of the role "+r.name+" are denied")
	case how == closed:
		v.fact(what, why+", at "+stamp(time.Now()), true)
	case how == unclear:
		v.byLimit(r, is, why)
	default:
		v.waits(r, is, d, why)
	}
	return nil
}

// waits notes that the deny is there and does not count everywhere yet. If
// that takes long, it is written again.
func (v *viewer) waits(r role, is access.Issued, d deny, why string) {
	if time.Since(is.EndsAt) < slack {
		v.open(r)
	}
	v.fact("A try with keys of the role "+r.name, why, false)
	if age := d.age(); age >= patient {
		v.o.Silent = append(v.o.Silent, "IAM, which does not apply the deny on the role "+r.name)
		v.left("the deny on the role "+r.name+" does not count after "+inWords(age), 0)
		return
	}
	v.left("the deny on the role "+r.name+" does not count everywhere yet", 3*time.Second)
}

// unknown notes sessions of entitlements that the settings do not have any
// more: there is no role to look at.
func (v *viewer) unknown() {
	for _, one := range v.a.Issued {
		i, _ := sumOf(v.a, one.Entitlement)
		if _, ok := v.find(i.Entitlement); ok || slices.Contains(v.o.Entitlements, i.Entitlement) {
			continue
		}
		what := "Keys of " + clip(i.Entitlement, 40)
		if time.Since(i.EndsAt) >= slack {
			v.byClock = true
			v.fact(what, "denied by the session's own policy since "+stamp(i.EndsAt), true)
			continue
		}
		v.o.Exists, v.o.Enabled = true, true
		v.o.Entitlements = append(v.o.Entitlements, i.Entitlement)
		v.fact(what, "live until "+stamp(i.EndsAt)+", and the target does not name the role any more", false)
		v.left("keys of "+clip(i.Entitlement, 40)+" live until "+stamp(i.EndsAt), time.Until(i.EndsAt)+slack)
	}
}

func (v *viewer) done() access.Observation {
	if v.o.Exists {
		v.o.ObjectID = v.account + "/" + sessionName(v.a)
	}
	if v.settled && len(v.o.Left) > 0 {
		v.o.Settling = max(v.next, time.Second)
	}
	return v.o
}
