package entra

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// A life is one grant as a reconciler leads it: with the real decisions, a
// memory that a crash can take back, and virtual time.
type life struct {
	t    *testing.T
	open func() target.System
	c    access.Case
	pass secret.Text

	entitlement string
	answered    bool // the last change, so that it cannot arrive any more
	fails       int
	looks       int
	errs        []error // what Remove and Observe said, for tests that look at it
}

func (w *world) life(t *testing.T, open func() target.System) *life {
	a := w.account(t)
	if open == nil {
		sys := w.open(t)
		open = func() target.System { return sys }
	}
	return &life{t: t, open: open, entitlement: GlobalAdmin, c: access.Case{Account: a, Issued: w.values[fieldCredential] != credentialPass}}
}

// request makes the grant, to last d.
func (l *life) request(d time.Duration) {
	now := time.Now().UTC()
	l.c.Grants = []access.Grant{{ID: l.c.Account.Key, Request: access.Request{Entitlement: l.entitlement, Duration: d}, Account: l.c.Account.ID,
		SubmittedAt: now, ApprovedAt: now, ApprovedBy: "policy", StartBy: now.Add(2 * time.Hour)}}
}

func (l *life) grant() access.Grant { return l.c.Grants[0] }

// stop ends the grant early.
func (l *life) stop() {
	l.c.Grants[0].StoppedAt, l.c.Grants[0].StopCause = time.Now().UTC(), access.ByHolder
}

// until looks again and again, at most for d, until done says so.
func (l *life) until(d time.Duration, what string, done func() bool) {
	l.t.Helper()
	for from := time.Now(); !done(); {
		if time.Since(from) > d {
			l.t.Fatalf("not %s after %v: %+v; %v", what, d, l.c.Account.Seen, l.errs[max(0, len(l.errs)-3):])
		}
		time.Sleep(max(l.look(), time.Second))
	}
}

func (l *life) active(within time.Duration) {
	l.t.Helper()
	l.until(within, "active", func() bool { return !l.grant().VerifiedAt.IsZero() })
}

func (l *life) ended(within time.Duration) {
	l.t.Helper()
	l.until(within, "ended", func() bool { return !l.grant().EndedAt.IsZero() })
}

// look is one look. It reports how long to wait for the next one.
func (l *life) look() time.Duration {
	l.looks++
	again, err := l.run()
	if err == nil {
		l.fails = 0
		return again
	}
	l.fails++
	l.errs = append(l.errs, err)
	wait := min(time.Second<<min(l.fails, 6), time.Minute)
	if e, ok := errors.AsType[*access.Error](err); ok && e.After > 0 {
		wait = e.After
	}
	return wait
}

func (l *life) run() (time.Duration, error) {
	ctx, sys := l.t.Context(), l.open()
	plan, err := l.observe(sys)
	if err != nil {
		return 0, err
	}
	switch plan.Step {
	case access.StepApply:
		l.c.Account.TriedAt = time.Now().UTC()
		if cred := l.c.Credential; l.c.Issued && (cred.Missing() || plan.Fresh && !cred.Waits()) {
			made, err := sys.(target.Issuer).Issue(ctx, l.c.Account, plan.Want)
			if err != nil {
				return 0, err
			}
			l.pass, l.c.Account.ObjectID, l.c.Account.Username = made.Text, made.ObjectID, made.Username
			l.c.Credential = access.Credential{Seq: 1, Sealed: []byte("x")}
		}
		l.answered = false
		if err = sys.Apply(ctx, l.c.Account, plan.Want, secret.New("Correct-Horse-7-Battery")); err == nil {
			l.c.Credential.SetAt, l.answered = time.Now(), true
		}
	case access.StepRemove:
		err = sys.Remove(ctx, l.c.Account)
	default:
		return time.Until(plan.Again), nil
	}
	if err != nil && access.KindOf(err) == access.Unavailable {
		return 0, err
	}
	plan, oerr := l.observe(sys)
	if oerr != nil || err != nil {
		return 0, errors.Join(err, oerr)
	}
	if plan.Step != access.StepNone {
		return 0, errors.New("not yet")
	}
	return time.Until(plan.Again), nil
}

func (l *life) observe(sys target.System) (access.Plan, error) {
	seen, err := sys.Observe(l.t.Context(), l.c.Account)
	if err != nil {
		return access.Plan{}, err
	}
	plan := access.Next(l.c, seen, time.Now().UTC(), access.Rules{Every: 5 * time.Minute, Confirm: confirm, Slack: 2 * time.Minute})
	l.c.Account.Seen, l.c.Account.Username = seen, seen.Username
	if seen.Exists && seen.ObjectID != "" {
		l.c.Account.ObjectID = seen.ObjectID
	}
	if l.c.Account.ObjectID != "" && (l.answered || time.Since(l.c.Account.TriedAt) > 2*time.Minute) {
		l.c.Account.TriedAt = time.Time{}
	}
	for _, g := range plan.Grants {
		l.c.Grants[0] = g
	}
	return plan, nil
}

// coded reports whether any error so far carried that code.
func (l *life) coded(code string) bool {
	for _, err := range l.errs {
		if access.CodeOf(err) == code {
			return true
		}
	}
	return false
}

// said reports whether any error so far holds text.
func (l *life) said(text string) bool {
	for _, err := range l.errs {
		if strings.Contains(fmt.Sprint(err), text) {
			return true
		}
	}
	return false
}

// gone fails unless nothing of the account is left in truth.
func (w *world) gone(t *testing.T, l *life) {
	t.Helper()
	for _, u := range w.tenant.Users() {
		if strings.HasPrefix(u.UPN, aliasPrefix) || strings.Contains(u.UPN, aliasPrefix) && !u.Deleted.IsZero() {
			t.Errorf("left: %+v", u)
		}
	}
	if !l.pass.IsZero() && w.signIn(t, l.c.Account.Username, l.pass) {
		t.Error("the pass still lets in")
	}
}
