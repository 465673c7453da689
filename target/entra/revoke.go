package entra

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"jitney/access"
)

// Remove ends the account: pass, sign-in, sessions, roles, the account itself,
// and its place in the bin. Each part is tried though another has failed. What
// it did, only later looks decide.
func (s *system) Remove(ctx context.Context, a access.Account) error {
	r := remover{system: s, a: a}
	if err := r.find(ctx); err != nil {
		return explain(err, "find the account")
	}
	if r.id == "" {
		return nil
	}
	if r.live {
		r.limit(ctx)
	}
	r.strip(ctx)
	r.again(ctx)
	deleted := r.delete(ctx)
	if err := r.purge(ctx, deleted); err != nil {
		return err
	}
	return r.verdict(ctx)
}

// A remover ends one account.
type remover struct {
	*system
	a    access.Account
	id   string
	live bool // as far as was read

	refused []func(context.Context) error // what was not allowed while the role was on
	errs    []error                       // what went wrong, for people
	purged  bool
}

// try keeps what went wrong with doing and goes on. What is gone is no error.
func (r *remover) try(doing string, err error) {
	if err != nil && !isGone(err) {
		r.errs = append(r.errs, explain(err, doing))
	}
}

// find learns the object id: from the database, or by name and mark.
func (r *remover) find(ctx context.Context) error {
	if id := strings.ToLower(r.a.ObjectID); validGUID(id) {
		r.id = id
		if fresh := time.Since(r.a.Seen.At) < time.Minute; fresh {
			r.live = r.a.Seen.Exists && !binned(r.a.Seen)
			return nil
		}
		u, _, err := r.user(ctx, id)
		r.live = u != nil
		return err
	}
	upn, err := r.upn(ctx, r.a)
	if err != nil {
		return err
	}
	u, _, err := r.user(ctx, upn)
	switch {
	case err != nil:
		return err
	case u != nil && !u.bears(r.a.ID):
		return notYours(upn)
	case u != nil:
		r.id, r.live = u.ID, true
		return nil
	}
	v := view{upn: upn}
	err = looker{r.system}.searchBin(ctx, r.a, &v)
	r.id = v.id
	return err
}

// limit takes away every way in, before the role: nothing here waits for the
// role's removal to be known everywhere.
func (r *remover) limit(ctx context.Context) {
	passes, _, err := r.graph.passes(ctx, r.id)
	if err != nil && (r.tap || !is(err, http.StatusForbidden)) {
		r.try("read the Temporary Access Pass", err)
	}
	for _, p := range passes {
		r.sensitive(ctx, "delete the Temporary Access Pass", func(ctx context.Context) error { return r.dropPass(ctx, r.id, p.ID) })
	}
	r.sensitive(ctx, "disable the account", func(ctx context.Context) error { return r.graph.enable(ctx, r.id, false) })
	r.sensitive(ctx, "revoke the account's sessions", func(ctx context.Context) error { return r.revoke(ctx, r.id) })
}

// sensitive does what the app may not do to an administrator without a
// directory role of its own; it is done again when the role is off.
func (r *remover) sensitive(ctx context.Context, doing string, do func(context.Context) error) {
	err := do(ctx)
	if is(err, http.StatusForbidden) {
		r.refused = append(r.refused, do)
		return
	}
	r.try(doing, err)
}

// strip takes every role away: those that are listed, not only those that
// were given. A list that is empty though a role was seen a moment ago is read
// again.
func (r *remover) strip(ctx context.Context) {
	var ends []scheduled
	if r.settings.pim && r.live {
		var err error
		if ends, _, err = r.instances(ctx, r.id); err != nil && !r.pimRefused(err) {
			r.try("read the roles with an end", err)
		}
	}
	held, _, err := r.assignments(ctx, r.id)
	for try := 1; err == nil && len(held) == 0 && try <= 3 && r.live && len(r.a.Seen.Entitlements) > 0; try++ {
		if err = sleep(ctx, time.Duration(try)*r.pace.step/2); err == nil {
			held, _, err = r.assignments(ctx, r.id)
		}
	}
	r.try("read the account's roles", err)
	for _, h := range held {
		r.try("take the role "+roleTitle(strings.ToLower(h.Role))+" away", pim{r.system}.takeAway(ctx, r.id, h, ends))
	}
}

// again repeats what was refused while the role was on. It may be refused for
// some minutes more; then deleting the account does the same.
func (r *remover) again(ctx context.Context) {
	for _, do := range r.refused {
		if err := do(ctx); !is(err, http.StatusForbidden) {
			r.try("close the account's ways in", err)
		}
	}
}

// delete moves the account into the bin, and reports whether that was done now.
func (r *remover) delete(ctx context.Context) bool {
	err := r.remove(ctx, r.id)
	switch {
	case err == nil:
		return true
	case is(err, http.StatusForbidden):
		r.errs = append(r.errs, r.notYet(err))
	default:
		r.try("delete the account", err)
	}
	return false
}

// notYet explains a refusal to delete: for half an hour it can mean that the
// removal of the role has not arrived everywhere; later a right is missing.
func (r *remover) notYet(err error) error {
	e, _ := errors.AsType[*graphError](err)
	since := roleless(r.a.Seen, time.Now())
	if e.missing() || time.Since(since) > r.pace.grace {
		out := explain(err, "delete the account").(*access.Error)
		if out.Code == "" {
			out.Code = codeRight
			out.Hint = "Give the app the permission User.DeleteRestore.All, and the directory role Privileged Authentication Administrator. The account is not deleted; delete it by hand meanwhile."
		}
		return out
	}
	return &access.Error{Kind: access.Conflict, After: min(max(time.Since(since)/2, 5*time.Second), 30*time.Second), Err: err,
		Text: "The role was taken away, and the directory has not caught up with that everywhere, so the account cannot be deleted yet.", Hint: "Jitney tries again; this can take some minutes."}
}

// purge empties the account's place in the bin. It shows up there a moment
// after the deletion.
func (r *remover) purge(ctx context.Context, deleted bool) error {
	for try := range 4 {
		if err := sleep(ctx, time.Duration(try)*r.pace.step); err != nil {
			return explain(err, "purge the account")
		}
		err := r.graph.purge(ctx, r.id)
		switch {
		case err == nil:
			r.purged = true
			r.wasPurged(r.id)
			return nil
		case isGone(err) && !deleted:
			return nil
		case isGone(err):
			continue
		case is(err, http.StatusForbidden, http.StatusBadRequest, http.StatusConflict, http.StatusMethodNotAllowed):
			return r.purgeRefused(ctx, err)
		default:
			r.try("purge the account from the bin", err)
			return nil
		}
	}
	return &access.Error{Kind: access.Conflict, After: 5 * time.Second, Text: "The account is deleted and does not show up in the bin yet, from where it has to be purged.", Hint: "Jitney looks again."}
}

// purgeRefused is the state in which only people can do more: the account is
// deleted, and could be restored.
func (r *remover) purgeRefused(ctx context.Context, refused error) error {
	e, _ := errors.AsType[*graphError](refused)
	if out, ok := errors.AsType[*access.Error](e.explain("purge the account")); ok && out.Code == codeConsent {
		return out
	}
	u, _, err := r.binned(ctx, r.id)
	if err == nil && u == nil && len(r.errs) == 0 {
		return nil // gone meanwhile; reading decides
	}
	until := "30 days after its deletion"
	if u != nil && !u.Deleted.IsZero() {
		until = stamp(u.Deleted.Add(restorable))
	}
	hint := "Delete it permanently in the Entra admin center under Deleted users, and look whether hard-delete protection is on."
	if e.missing() {
		hint = "Give the app the permission User.DeleteRestore.All, or delete the account permanently in the Entra admin center under Deleted users."
	}
	return &access.Error{Kind: access.Denied, Code: codePurge, Err: errors.Join(append(slices.Clone(r.errs), refused)...),
		Text: "The Entra tenant refuses to purge the account: it is deleted, restorable until " + until + ".", Hint: hint}
}

// verdict is what is left to tell when everything was tried. An account that
// was purged has nothing left that could have failed.
func (r *remover) verdict(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return explain(ctx.Err(), "take the access away")
	case r.purged || len(r.errs) == 0:
		return nil
	}
	worst := r.errs[0]
	for _, err := range r.errs {
		if access.CodeOf(err) != "" || access.CodeOf(worst) == "" && access.KindOf(err) == access.Denied && access.KindOf(worst) != access.Denied {
			worst = err
		}
	}
	e, _ := errors.AsType[*access.Error](worst)
	out := *e
	out.Err = errors.Join(r.errs...)
	return &out
}
