package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"jitney/access"
	"jitney/crashpoint"
	"jitney/schedule"
	"jitney/target"
)

// A look is one look at one account.
type look struct {
	r     *Reconciler
	lease schedule.Lease
	c     access.Case // as it is now: changed by everything that the look learns and stores
	kind  target.Kind
	where access.Target
	sys   target.System

	stored map[string]access.Grant // grants as the database has them
	asked  time.Time               // when the ticket system was first asked
	doubt  error                   // why some grants, which are left out of c, may not be given yet
	change access.Change           // what is to be recorded next

	answered    bool   // the target has answered the step of this look
	blockedText string // why grants became blocked in this look

	compared bool     // who is privileged was to be compared, because the last grant ended
	matched  bool     // and could be
	differ   []string // what differs
}

// errNotYet says that a step was taken and the target does not show it yet.
var errNotYet = &access.Error{Kind: access.Conflict, Text: "The target does not show the change yet; looking again."}

// mayArrive is how long after a change without an answer it can still take
// effect.
const mayArrive = 2 * time.Minute

// shortly is how soon a look comes again that a person overtook, so that no
// fault elsewhere makes it spin.
const shortly = 50 * time.Millisecond

// Look looks at one account and takes at most one step there. It is the
// handler of the loop over accounts.
func (r *Reconciler) Look(ctx context.Context, item schedule.Item[access.Case]) (schedule.Result, error) {
	l := &look{r: r, lease: item.Lease, c: item.Value, stored: map[string]access.Grant{}}
	l.c.Grants = slices.Clone(item.Value.Grants)
	for _, g := range l.c.Grants {
		l.stored[g.ID] = g
	}
	again, err := l.run(ctx)
	if err == nil {
		alarm{l}.settled(time.Now().UTC())
	}
	switch {
	case errors.Is(err, schedule.ErrLost):
		return schedule.Result{}, err
	case access.KindOf(err) == access.Conflict && errors.Is(err, errChanged):
		return schedule.In(shortly), nil // a person was first, and what they decided has woken the account
	case err != nil:
		return l.failed(ctx, err)
	}
	l.forget()
	l.c.Account.Trouble = ""
	l.change.Done, l.change.Again = true, again
	if err := l.record(ctx); err != nil {
		if errors.Is(err, errChanged) {
			return schedule.In(shortly), nil
		}
		return schedule.Result{}, err
	}
	return schedule.RecordedUntil(again), nil
}

// forget drops the password of an account that no grant is for any more,
// however its last one was over. One that came too late for it, or for a
// request that was never approved, would else wait for the next grant.
func (l *look) forget() {
	over := func(g access.Grant) bool { return !g.EndedAt.IsZero() }
	all := len(l.c.Grants) == len(l.stored) && !slices.ContainsFunc(l.c.Grants, func(g access.Grant) bool { return !over(g) })
	if all && l.c.Credential.Sealed != nil {
		l.change.DropSeq = l.c.Credential.Seq
	}
}

// run does everything up to the last recording. An error means that the look
// must come again, whatever else it has to record.
func (l *look) run(ctx context.Context) (again time.Time, err error) {
	if l.idle() {
		plan := access.Next(l.c, l.c.Account.Seen, time.Now().UTC(), l.r.cfg.Rules)
		l.take(plan)
		if plan.Step == access.StepNone {
			return plan.Again, nil
		}
	}
	if err := l.open(ctx); err != nil {
		return again, err
	}
	seen, err := l.observe(ctx)
	if err != nil {
		return again, err
	}
	if err := l.admit(ctx); err != nil {
		return again, err
	}
	l.back(seen)
	plan := l.next(seen)
	switch plan.Step {
	case access.StepApply:
		err = l.apply(ctx, plan)
	case access.StepRemove:
		err = l.remove(ctx)
	default:
		l.witness(ctx)
		return plan.Again, l.doubt
	}
	return l.readBack(ctx, err)
}

// idle reports whether nothing was ever given for any of the open grants, and
// the account was clean before: then the target has nothing to say.
func (l *look) idle() bool {
	seen := l.c.Account.Seen
	return (seen.At.IsZero() || seen.Clean()) && !l.outlived() &&
		!slices.ContainsFunc(l.c.Grants, func(g access.Grant) bool { return !g.ApprovedAt.IsZero() })
}

// outlived reports whether something was issued that still exists, and that
// only what stands on the target may hold back: somebody could take that off.
func (l *look) outlived() bool {
	return slices.ContainsFunc(l.c.Account.Issued, func(i access.Issued) bool { return time.Now().Before(i.ExpiresAt) })
}

// back tells that what ended access is not there any more.
func (l *look) back(seen access.Observation) {
	if len(l.c.Grants) == 0 && l.c.Account.Seen.Clean() && !seen.Clean() && seen.Settling == 0 && l.outlived() {
		l.change.Events = append(l.change.Events, access.Event{At: time.Now().UTC(), Kind: access.EventFinding, Actor: "jitney", Customer: l.c.Account.Customer, Subject: l.c.Account.Target,
			Text: "What keeps the access of " + (scribe{l}).username() + " ended was taken off the target, or changed. It is being put back."})
	}
}

func (l *look) open(ctx context.Context) (err error) {
	if l.where, err = l.r.Targets.Target(ctx, l.c.Account.Target); err != nil {
		return fmt.Errorf("read target %s: %w", l.c.Account.Target, err)
	}
	kind, ok := l.r.kind(l.where.Kind)
	if !ok {
		return &access.Error{Kind: access.Invalid, Text: "This version of Jitney does not know targets of the kind " + clean(l.where.Kind, 40) + ".", Hint: "Start the version that does."}
	}
	l.kind, l.c.Issued = kind, kind.Into(settingsOf(l.where)).Issued
	if l.sys, err = l.r.Open(ctx, l.where.ID); err != nil {
		return fmt.Errorf("open target %s: %w", l.where.ID, err)
	}
	return nil
}

func (l *look) observe(ctx context.Context) (access.Observation, error) {
	l.c.Account.Wanted = nil
	if l.kind.Sessions {
		l.c.Account.Wanted = wantedNow(l.c.Grants, time.Now())
	}
	seen, err := l.sys.Observe(ctx, l.c.Account)
	if err != nil {
		return seen, fmt.Errorf("observe account %s: %w", l.c.Account.ID, err)
	}
	if seen.At.IsZero() {
		seen.At = time.Now().UTC()
	}
	return seen, nil
}

// wantedNow lists the entitlements for which sessions are being issued.
func wantedNow(grants []access.Grant, now time.Time) (names []string) {
	for _, g := range grants {
		if g.Wanted(now) && !slices.Contains(names, g.Entitlement) {
			names = append(names, g.Entitlement)
		}
	}
	return names
}

// next decides, takes over what was decided, and keeps what was seen.
func (l *look) next(seen access.Observation) access.Plan {
	rules := l.r.cfg.Rules
	if l.kind.Confirm > 0 {
		rules.Confirm = l.kind.Confirm
	}
	if seen.Username != "" {
		l.c.Account.Username = clean(seen.Username, 300)
	}
	if seen.Exists && seen.ObjectID != "" {
		l.c.Account.ObjectID = clean(seen.ObjectID, 300)
	}
	// A change that was answered cannot arrive later; one that was not, cannot
	// after a while, once everybody who could have received it has been heard.
	if settled := len(seen.Silent) == 0 && seen.At.Sub(l.c.Account.TriedAt) > mayArrive; l.c.Account.ObjectID != "" && (l.answered || settled) {
		l.c.Account.TriedAt = time.Time{}
	}
	plan := access.Next(l.c, seen, time.Now().UTC(), rules)
	l.c.Account.Seen = seen
	l.take(plan)
	return plan
}

// take merges the facts and events of a plan into the look.
func (l *look) take(plan access.Plan) {
	l.change.Events = append(l.change.Events, plan.Events...)
	for _, g := range plan.Grants {
		l.replace(g)
	}
}

// replace puts g in the place of the grant with its ID.
func (l *look) replace(g access.Grant) {
	for i := range l.c.Grants {
		if l.c.Grants[i].ID == g.ID {
			l.c.Grants[i] = g
		}
	}
}

// apply makes the account look as wanted. What must be known before is stored
// before: a password that was set and then forgotten would be of no use, and
// one that was not stored could not be shown.
func (l *look) apply(ctx context.Context, plan access.Plan) error {
	l.baseline(ctx)
	keys := keymaker{l}
	password, err := keys.password(ctx, plan)
	if err != nil {
		return err
	}
	l.c.Account.TriedAt = time.Now().UTC()
	if err := l.record(ctx); err != nil {
		return err
	}
	var refused error
	if l.c.Issued {
		if refused = keys.issue(ctx, plan); refused != nil && !l.empowered(refused) {
			return refused
		}
	}
	crashpoint.At("look.apply.before")
	if err := l.sys.Apply(ctx, l.c.Account, later(plan.Want, l.r.cfg.Rules.Slack), password); err != nil {
		return fmt.Errorf("apply to account %s: %w", l.c.Account.ID, err)
	}
	crashpoint.At("look.apply.after")
	l.answered = true
	if l.c.Credential.Waits() {
		keys.credentialSet()
	}
	return refused
}

// empowered reports whether the account is in use already, so that a new
// credential that the target refuses keeps back nothing else: what nobody asked
// for must still be taken away.
func (l *look) empowered(refused error) bool {
	now := time.Now()
	kind := access.KindOf(refused)
	return (kind == access.Denied || kind == access.Invalid) && l.c.Credential.Seq > 0 &&
		!slices.ContainsFunc(l.c.Grants, func(g access.Grant) bool { return g.Wanted(now) && g.VerifiedAt.IsZero() })
}

// later moves the ends that the target is told a little behind ours. The clock
// of a grant starts only when it is read back, and some targets count in whole
// seconds; an end that is too early would have to be moved at once.
func later(want access.Want, slack time.Duration) access.Want {
	margin := min(slack/2, time.Minute)
	end := func(t time.Time) time.Time { return t.Add(margin + time.Second - 1).Truncate(time.Second) }
	want.Until, want.Entitlements = end(want.Until), slices.Clone(want.Entitlements)
	for i := range want.Entitlements {
		want.Entitlements[i].Until = end(want.Entitlements[i].Until)
	}
	return want
}

// remove takes everything away.
func (l *look) remove(ctx context.Context) error {
	now := time.Now().UTC()
	for _, g := range slices.Clone(l.c.Grants) {
		if g.RemovingAt.IsZero() && g.EndedAt.IsZero() && !g.ApprovedAt.IsZero() && !g.Wanted(now) {
			g.RemovingAt = now
			l.replace(g)
			l.event(g, access.EventRemoving, "The end is reached ("+string(g.Cause(now))+"). Clean-up begins.")
		}
	}
	crashpoint.At("look.remove.before")
	if err := l.sys.Remove(ctx, l.c.Account); err != nil {
		return fmt.Errorf("remove account %s: %w", l.c.Account.ID, err)
	}
	crashpoint.At("look.remove.after")
	return nil
}

// readBack looks at what the step did. A step that failed is read back as
// well, because a part of it may be done and the rest told as evidence, but
// not if the target did not answer.
func (l *look) readBack(ctx context.Context, failed error) (again time.Time, err error) {
	if failed != nil && (access.KindOf(failed) == access.Unavailable || ctx.Err() != nil || errors.Is(failed, errChanged) || errors.Is(failed, schedule.ErrLost)) {
		return again, failed
	}
	seen, err := l.observe(ctx)
	if err != nil {
		return again, errors.Join(failed, err)
	}
	plan := l.next(seen)
	l.witness(ctx)
	switch {
	case plan.Step == access.StepNone:
		return plan.Again, l.doubt
	case failed != nil:
		return again, failed
	case l.doubt != nil:
		return again, l.doubt
	default:
		return again, errNotYet
	}
}

func (l *look) event(g access.Grant, kind, text string) {
	l.change.Events = append(l.change.Events, access.Event{At: time.Now().UTC(), Kind: kind, Actor: "jitney",
		Customer: g.Customer, Grant: g.ID, Subject: g.Target, Text: text})
}

// errChanged marks that somebody changed a grant while it was looked at.
var errChanged = errors.New("somebody changed a grant meanwhile")

// record stores what the look has learned so far. What it stored counts as
// stored from then on, so that it may be called more than once in a look.
func (l *look) record(ctx context.Context) error {
	l.change.Account = l.c.Account
	l.change.Grants = nil
	for _, g := range l.c.Grants {
		if before := l.stored[g.ID]; !same(g, before) {
			l.change.Grants = append(l.change.Grants, g)
			scribe{l}.announce(ctx, before, g)
		}
	}
	rctx, cancel := l.r.keep(ctx)
	defer cancel()
	crashpoint.At("look.record.before")
	err := l.r.Cases.Record(rctx, l.lease, l.change)
	switch {
	case err != nil && access.KindOf(err) == access.Conflict && !errors.Is(err, schedule.ErrLost):
		return &access.Error{Kind: access.Conflict, Text: "Somebody changed this grant a moment ago.", Err: errors.Join(errChanged, err)}
	case err != nil:
		return fmt.Errorf("record account %s: %w", l.c.Account.ID, err)
	}
	for _, g := range l.change.Grants {
		l.r.count(l.stored[g.ID], g)
		g.Version++
		l.stored[g.ID] = g
		l.replace(g)
	}
	l.change = access.Change{}
	return nil
}

// same reports whether two versions of a grant say the same as far as a look
// can change it.
func same(a, b access.Grant) bool {
	return a.VerifiedAt.Equal(b.VerifiedAt) && a.LostAt.Equal(b.LostAt) && a.StoppedAt.Equal(b.StoppedAt) && a.RemovingAt.Equal(b.RemovingAt) &&
		a.OverdueAt.Equal(b.OverdueAt) && a.EndedAt.Equal(b.EndedAt) && a.Blocked == b.Blocked && slices.Equal(a.Findings, b.Findings)
}
