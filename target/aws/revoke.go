package aws

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"jitney/access"
)

// spare is how long a deny stays after the last key that it is for.
const spare = time.Hour

// patient is how long IAM may take to let a deny count everywhere before it is
// written again.
const patient = 2 * time.Minute

// crowd is how many denies of one account each may stand on a role before
// they are written into one, and old is how long a deny must have stood for
// that: what was written a moment ago, reads may not show yet.
const (
	crowd = 8
	old   = 30 * time.Second
)

// Remove denies a's sessions everything on their roles. Where roles may not be
// edited there is nothing to do: what holds the sessions back is in them.
func (s *system) Remove(ctx context.Context, a access.Account) error {
	if err := ctx.Err(); err != nil {
		return explain(fault("iam", err), "end the sessions")
	}
	if !s.edit {
		return nil
	}
	var errs []error
	for _, r := range s.roles {
		is, any := sumOf(a, r.entitlement)
		if !any || over(is.ExpiresAt) {
			continue
		}
		if err := (ledger{s.client}).end(ctx, r, markOf(a), is.ExpiresAt); err != nil {
			errs = append(errs, explainEnd(err, r))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	e, ok := errors.AsType[*access.Error](errs[0])
	if !ok {
		return errors.Join(errs...)
	}
	out := *e
	out.Err = errors.Join(errs...)
	return &out
}

// sumOf sums up a's sessions of an entitlement; false if there are none. What
// is not known of them is the worst that can be.
func sumOf(a access.Account, entitlement string) (sum access.Issued, any bool) {
	for _, i := range a.Issued {
		if i.Entitlement != entitlement {
			continue
		}
		if i.EndsAt.IsZero() {
			i.EndsAt = i.ExpiresAt
		}
		if i.EndsAt.IsZero() {
			i.EndsAt = time.Now().Add(mostLimit).Truncate(24 * time.Hour).Add(24 * time.Hour) // the same for a day, so that a deny stays good
		}
		any, sum.Entitlement, sum.Count = true, entitlement, sum.Count+i.Count
		sum.EndsAt, sum.ExpiresAt = later(sum.EndsAt, i.EndsAt), later(sum.ExpiresAt, later(i.ExpiresAt, i.EndsAt))
	}
	return sum, any
}

// clocks is what clocks may differ by though nobody noticed.
const clocks = time.Minute

// over reports whether keys that expire at t are gone for sure.
func over(t time.Time) bool { return time.Now().After(t.Add(clocks)) }

// end puts the deny on one role, unless it is there.
func (s ledger) end(ctx context.Context, r role, mark string, last time.Time) error {
	all, err := s.denies(ctx, r)
	if err != nil {
		return err
	}
	d, ok, err := s.among(ctx, r, all, mark, last)
	if err != nil {
		return err
	}
	if ok && d.age() < patient {
		return nil
	}
	all = s.prune(ctx, r, all, spare)
	name := denyName(last.Add(time.Second), mark) // whole seconds, never before the last key
	err = s.putDeny(ctx, r, name, mark)
	for try := 0; has(err, "LimitExceeded") && try < 3; try++ { // others may take the room that is made
		all = s.collect(ctx, r, s.prune(ctx, r, all, 2*clocks))
		s.squeeze(ctx, r, all)
		if all, err = s.merge(ctx, r, all, 2, 0); err == nil {
			err = s.putDeny(ctx, r, name, mark)
		}
	}
	if err != nil {
		return err
	}
	if countOwn(all) >= crowd {
		_, _ = s.merge(ctx, r, s.collect(ctx, r, all), crowd, old) // it was done for others; the next one tries again
	}
	return nil
}

// squeeze takes the spare room out of denies. What it writes follows from what
// it read alone, so two who do it at once write the same.
func (s ledger) squeeze(ctx context.Context, r role, all []deny) {
	for _, d := range all {
		if d.mark == "" {
			continue
		}
		if good, err := s.readDeny(ctx, r, &d); err != nil || !good || !d.roomy || len(d.members) != 1 {
			continue
		}
		_ = s.put(ctx, r, d.name, denyText(d.put, 0, d.members...)) // without it there is less room
	}
}

// prune deletes denies that have been of no use for a while, and reports what
// is left. What cannot be deleted is left: it is in nobody's way but the next.
func (s ledger) prune(ctx context.Context, r role, all []deny, while time.Duration) []deny {
	return slices.DeleteFunc(all, func(d deny) bool { return s.useless(d, while) && s.dropDeny(ctx, r, d.name) == nil })
}

// useless reports whether no key of d's members has existed for a while. Where
// our clock is ahead, AWS's counts, as the answer that listed d told it: to a
// clock that is wrong by hours, keys that live seem to be gone.
func (s ledger) useless(d deny, while time.Duration) bool {
	return d.goes.Before(time.Now().Add(min(s.wire.off(), 0) - while))
}

func countOwn(all []deny) (n int) {
	for _, d := range all {
		if d.mark != "" {
			n++
		}
	}
	return n
}

// collect deletes what another deny holds too: after a merge that could not be
// read back at once, or two of them. What is deleted is always less than what
// stays, so that two who collect at once cannot both delete the last one.
func (s ledger) collect(ctx context.Context, r role, all []deny) []deny {
	var read []deny
	for _, d := range all {
		if d.mark != "" {
			d.members = []string{d.mark}
		} else if good, err := s.readDeny(ctx, r, &d); err != nil || !good {
			continue
		}
		read = append(read, d)
	}
	held := func(d deny) bool {
		return slices.ContainsFunc(read, func(by deny) bool {
			if by.mark != "" || by.goes.Before(d.goes) || len(by.members) < len(d.members) || len(by.members) == len(d.members) && d.mark == "" && by.name <= d.name {
				return false
			}
			return !slices.ContainsFunc(d.members, func(m string) bool { return !slices.Contains(by.members, m) })
		})
	}
	gone := map[string]bool{}
	for _, d := range read {
		gone[d.name] = held(d) && s.dropDeny(ctx, r, d.name) == nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(d deny) bool { return gone[d.name] })
}

// merge writes denies of one account each into a new one, if there are at
// least so many that have stood for a while. Only when the new one was read
// back are they deleted, so that nobody's sessions come alive in between, and
// two who merge at once leave one too many at worst.
func (s ledger) merge(ctx context.Context, r role, all []deny, least int, age time.Duration) ([]deny, error) {
	var from []deny
	var goes time.Time
	for _, d := range all {
		if d.mark == "" {
			continue
		}
		good, err := s.readDeny(ctx, r, &d)
		if err != nil {
			return all, err
		}
		if good && len(d.members) == 1 && d.age() >= age {
			from = append(from, d)
		}
		if d.goes.After(goes) {
			goes = d.goes
		}
	}
	if len(from) < least {
		return all, nil
	}
	slices.SortFunc(from, func(a, b deny) int { return cmp.Compare(a.name, b.name) })
	var marks []string
	for _, d := range from {
		marks = append(marks, d.members...)
	}
	slices.Sort(marks)
	marks = slices.Compact(marks)
	merged := deny{name: denyName(goes, mergedWord+strings.ToLower(rand.Text()[:8])), goes: goes}
	for err := errors.New("not tried"); err != nil; {
		if len(marks) < least {
			return all, nil // there is no room for it
		}
		if err = s.put(ctx, r, merged.name, denyText(time.Now(), 0, marks...)); err != nil && !has(err, "LimitExceeded") {
			return all, err
		}
		if err != nil {
			marks = marks[:len(marks)/2]
		}
	}
	if !s.shows(ctx, r, merged, marks) {
		return all, nil // it will be seen at another time
	}
	left := slices.DeleteFunc(slices.Clone(all), func(d deny) bool {
		return d.mark != "" && slices.Contains(marks, d.mark) && slices.ContainsFunc(from, func(f deny) bool { return f.name == d.name }) && s.dropDeny(ctx, r, d.name) == nil
	})
	return append(left, merged), nil
}

// shows reports whether a deny was read back with all of the marks, for some
// seconds at most.
func (s ledger) shows(ctx context.Context, r role, d deny, marks []string) bool {
	for try := range 4 {
		if sleep(ctx, time.Duration(try)*time.Second) != nil {
			return false
		}
		good, err := s.readDeny(ctx, r, &d)
		if err == nil && good && !slices.ContainsFunc(marks, func(m string) bool { return !slices.Contains(d.members, m) }) {
			return true
		}
	}
	return false
}

// explainEnd says what keeps the deny off a role.
func explainEnd(err error, r role) error {
	if e, ok := errors.AsType[*access.Error](err); ok {
		return e
	}
	out, ok := errors.AsType[*access.Error](explain(err, "end sessions of the role "+r.name))
	if !ok {
		return err
	}
	e := *out
	refused, _ := errors.AsType[*refusal](err)
	switch {
	case has(err, "LimitExceeded"):
		e.Kind, e.Code = access.Denied, codeFull
		e.Text = "The role " + r.name + " has no room left for the policy that ends these sessions."
		e.Hint = "Move its own inline policies into a managed policy: all inline policies of a role may have 10,240 characters together. Until then the keys end by their own limit."
	case has(err, "UnmodifiableEntity"):
		e.Kind, e.Code = access.Denied, codeRight
		e.Text = "AWS lets nobody edit the role " + r.name + "."
		e.Hint = "Offer a role of your own, or say in the target's settings that Jitney may not edit the roles; then keys end by their own limit."
	case isDenied(err):
		missing := "iam:PutRolePolicy"
		if refused != nil {
			missing = refused.op
		}
		e.Kind, e.Code = access.Denied, codeRight
		e.Text = "Jitney may not end sessions of the role " + r.name + ": it lacks the permission " + missing + "."
		e.Hint = "Allow iam:ListRolePolicies, iam:GetRolePolicy, iam:PutRolePolicy and iam:DeleteRolePolicy on the role to the principal that Jitney works as. Until then the keys end by their own limit."
	}
	return &e
}

// Tidy deletes denies that no key needs any more.
func (s *system) Tidy(ctx context.Context) ([]string, error) {
	if !s.edit {
		return nil, nil
	}
	var done []string
	for _, r := range s.roles {
		all, err := (ledger{s.client}).denies(ctx, r)
		if err != nil {
			return done, explain(err, "tidy the role "+r.name)
		}
		for _, d := range all {
			if !(ledger{s.client}).useless(d, spare) {
				continue
			}
			if err := (ledger{s.client}).dropDeny(ctx, r, d.name); err != nil {
				return done, explain(err, "tidy the role "+r.name)
			}
			done = append(done, "deleted the policy "+d.name+" of the role "+r.name)
		}
	}
	return done, nil
}
