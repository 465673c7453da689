package ad

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
)

// Remove takes all power from the account on every writable domain controller
// that answers, so that nobody has to wait for replication, and cleans up. The
// preferred one does not wait for those that are slow. If the rights to do so
// are refused, the account is deleted.
func (s *system) Remove(ctx context.Context, a access.Account) error {
	f, rest, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	known := markSeq(a.Seen)
	first := f.first()
	var wg sync.WaitGroup
	views, errs := make([]view, 1), make([]error, 1)
	wg.Go(func() {
		views[0] = first.look(ctx, a)
		errs[0] = views[0].clean(ctx, a, known)
	})
	s.complete(ctx, f, rest)
	wg.Wait()
	further := f.servers[1:]
	views, errs = append(views, make([]view, len(further))...), append(errs, make([]error, len(further))...)
	for i, sv := range further {
		wg.Go(func() {
			views[i+1] = sv.look(ctx, a)
			errs[i+1] = views[i+1].clean(ctx, a, known)
		})
	}
	wg.Wait()
	for i, err := range errs {
		errs[i] = explain(err, "take the access away", f.servers[i].dc)
	}
	if err := errors.Join(errs...); err != nil {
		return firstOf(errs, err)
	}
	return f.uncertain(a, views, known)
}

// firstOf is the first error that a person may see, with all of them behind it.
func firstOf(errs []error, all error) error {
	for _, err := range errs {
		if e, ok := errors.AsType[*access.Error](err); ok {
			return &access.Error{Kind: e.Kind, Text: e.Text, Hint: e.Hint, Err: all}
		}
	}
	return all
}

// uncertain reports that a domain controller which does not answer may know
// more of the account than those that do.
func (f *fleet) uncertain(a access.Account, views []view, known int64) error {
	if !f.unsure {
		return nil
	}
	for _, v := range views {
		for _, acc := range v.accounts {
			if acc.mark.seq >= known && a.TriedAt.IsZero() {
				return nil
			}
		}
	}
	return &access.Error{Kind: access.Conflict, Text: strings.Join(f.silent, ", ") + " does not answer and may have the latest state of the account.",
		Hint: "Bring it back, or take it out of the target's settings if it is gone for good."}
}

// clean cleans every account of the view that is not clean.
func (v view) clean(ctx context.Context, a access.Account, seq int64) error {
	if v.err != nil {
		return v.err
	}
	var errs []error
	for i, acc := range v.accounts {
		if v.verdicts[i].clean() {
			continue
		}
		errs = append(errs, v.sv.clean(ctx, a, acc, seq))
	}
	return errors.Join(errs...)
}

// clean takes everything from acc in the order of what hurts most, goes on
// after a failure, and lets a read decide whether it worked. Only then the
// second reset and the mark "clean" are written, in one change.
func (sv *server) clean(ctx context.Context, a access.Account, acc *account, seq int64) error {
	var errs []error
	try := func(doing string, err error) {
		if err != nil {
			errs = append(errs, explain(err, doing, sv.dc))
		}
	}
	try("take the account out of its groups", sv.strip(ctx, acc, nil))
	own := acc.mark
	own.id = a.ID
	ending := own.next(phaseEnding, seq)
	marked := sv.set(ctx, acc, markAttr, ending.String()) // from here on a late Apply fails
	try("mark the account", marked)
	try("disable the account", sv.disable(ctx, acc))
	reset := sv.set(ctx, acc, "unicodePwd", unicodePwd(randomPassword()))
	try("reset the password", reset)
	if !acc.expired(sv.now) {
		try("end the account", sv.set(ctx, acc, "accountExpires", fileTime(sv.now.Add(-time.Hour))))
	}
	if acc.lockout {
		try("unlock the account", sv.set(ctx, acc, "lockoutTime", "0"))
	}
	try("close back doors of the account", sv.closeDoors(ctx, acc))

	now, err := sv.account(ctx, acc.guid)
	if err != nil || now == nil {
		return err // gone is clean
	}
	verdict, err := sv.judge(ctx, now)
	if err != nil {
		return err
	}
	if !verdict.harmless() || len(verdict.left) > 0 || reset != nil || marked != nil {
		if refused(errs) {
			return sv.deleteInstead(ctx, acc, errs)
		}
		return errors.Join(append(errs, stillThere(verdict, sv.dc))...)
	}
	return sv.seal(ctx, now, ending.next(phaseClean, seq))
}

// seal resets the password for the second time, because the one before the
// last can still be valid for an hour, and marks the account as clean. It
// fails if somebody has changed the mark since.
func (sv *server) seal(ctx context.Context, acc *account, clean mark) error {
	r := ldap.NewModifyRequest(byGUID(acc.guid), nil)
	r.Replace("unicodePwd", []string{unicodePwd(randomPassword())})
	remark(r, acc.info, clean)
	return explain(sv.modify(ctx, r), "reset the password for the second time", sv.dc)
}

// refused reports whether a right was missing.
func refused(errs []error) bool {
	return slices.ContainsFunc(errs, func(err error) bool { return access.KindOf(err) == access.Denied })
}

func stillThere(v *verdict, dc string) error {
	what := slices.Concat(v.entitlements, v.extra, v.left)
	if len(what) == 0 {
		what = []string{"the password could not be reset"}
	}
	return &access.Error{Kind: access.Conflict, Text: "The account is not clean yet on " + dc + ": " + strings.Join(what, ", ") + ".", Hint: "Jitney tries again."}
}

// deleteInstead is the fail-safe: an account that cannot be cleaned is deleted,
// which ends its memberships too. The right to delete children of our unit is
// enough for that, even for an account that the domain protects.
func (sv *server) deleteInstead(ctx context.Context, acc *account, errs []error) error {
	err := sv.delete(ctx, byGUID(acc.guid))
	if err == nil || isCode(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	if isTransient(err) {
		return explain(err, "delete the account", sv.dc)
	}
	return &access.Error{Kind: access.Denied, Text: "The service account may neither clean up nor delete the temporary account on " + sv.dc + ".",
		Hint: "Disable " + plain(acc.sam) + " by hand now, then run Check connection and give the rights that it names.", Err: errors.Join(append(errs, bounded(err))...)}
}

// strip takes acc out of every group but those in keep. The primary group is
// set back first: while a group is the primary one, its membership cannot be
// removed, and the directory answers as if there were none.
func (sv *server) strip(ctx context.Context, acc *account, keep []string) error {
	var errs []error
	users := sv.rid(ridDomainUsers)
	if sv.rid(acc.primary) != users {
		err := sv.set(ctx, acc, "primaryGroupID", strconv.Itoa(ridDomainUsers))
		if err != nil {
			errs = append(errs, explain(err, "set the primary group back", sv.dc))
		}
		groups, err := sv.groupsOf(ctx, acc.guid) // setting it made the former one an ordinary membership
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		acc.groups = groups
	}
	for _, g := range acc.groups {
		if slices.Contains(keep, g.sid) || g.sid == users {
			continue
		}
		r := ldap.NewModifyRequest(g.base(), nil)
		r.Delete("member", []string{byGUID(acc.guid)})
		err := sv.modify(ctx, r)
		if err != nil && !isCode(err, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultNoSuchObject) {
			errs = append(errs, explain(err, "take the account out of "+g.name, sv.dc)) // "not a member" is no error: reading decides
		}
	}
	return errors.Join(errs...)
}

// base is how a group is addressed: by identity, if that is known.
func (g group) base() string {
	if g.guid != "" {
		return byGUID(g.guid)
	}
	return g.dn
}

// closeDoors clears every way into the account that needs no password.
func (sv *server) closeDoors(ctx context.Context, acc *account) error {
	var errs []error
	for _, attr := range acc.doors {
		r := ldap.NewModifyRequest(byGUID(acc.guid), nil)
		r.Replace(attr, nil)
		if err := sv.modify(ctx, r); err != nil {
			errs = append(errs, explain(err, "clear "+attr+" of the account", sv.dc))
		}
	}
	return errors.Join(errs...)
}

// disable sets exactly 514; where an odd flag keeps it from that, it sets at
// least the disabled bit. It is a change of its own, because one that is
// combined with a refused password is refused as a whole.
func (sv *server) disable(ctx context.Context, acc *account) error {
	if acc.uac == uacClean {
		return nil
	}
	err := sv.set(ctx, acc, "userAccountControl", strconv.Itoa(uacClean))
	if err != nil && !acc.disabled() {
		if again := sv.set(ctx, acc, "userAccountControl", strconv.FormatInt(acc.uac|uacDisabled, 10)); again == nil {
			return nil // the odd flag stays visible as an extra
		}
	}
	return err
}

// set replaces one attribute of acc.
func (sv *server) set(ctx context.Context, acc *account, attr, value string) error {
	r := ldap.NewModifyRequest(byGUID(acc.guid), nil)
	r.Replace(attr, []string{value})
	return sv.modify(ctx, r)
}

// randomPassword is one that nobody ever learns: 256 random bits, with every
// class of characters that a policy can ask for.
func randomPassword() secret.Text {
	return secret.New("aA1!" + rand.Text() + strings.ToLower(rand.Text()))
}
