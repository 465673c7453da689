package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/target"
)

// EventOrphan is the data key under which a finding about an orphan names it.
const EventOrphan = "orphan"

// sweeper is what one process remembers between sweeps. Nothing depends on it
// but how often the same thing is told.
type sweeper struct {
	mu    sync.Mutex
	after string // ID of the last target that was asked, if time ran out
	// powerful is who was reported as powerful without a grant, by target.
	powerful map[string]string
}

// Start is called when a process starts. It has every account with an open
// grant looked at, and sees to it that there is a row for the sweep, which is
// one for all replicas and so runs once for all of them.
func (r *Reconciler) Start(ctx context.Context) error {
	if _, err := r.Cases.WakeOpen(ctx, r.cfg.WakeWithin); err != nil {
		return fmt.Errorf("wake open accounts: %w", err)
	}
	for _, kind := range []string{WorkSweep, WorkWatch} {
		if err := r.Outbox.Add(ctx, access.Work{Kind: kind, Key: kind, Group: kind, Lane: kind}); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) sweepRow(ctx context.Context) (schedule.Result, error) {
	finished, err := r.Sweep(ctx)
	if err != nil {
		return schedule.Result{}, err
	}
	if !finished {
		return schedule.In(time.Second), nil
	}
	spread := 0.9 + 0.2*rand.Float64()
	return schedule.In(time.Duration(float64(r.cfg.SweepEvery) * spread)), nil
}

// Sweep has every account with an open grant looked at, and asks targets that
// can list for accounts that bear our mark and have no open grant. False means
// that its time ran out and the next call goes on where it stopped.
func (r *Reconciler) Sweep(ctx context.Context) (finished bool, err error) {
	r.sweep.mu.Lock()
	defer r.sweep.mu.Unlock()
	if r.sweep.after == "" {
		if _, err := r.Cases.WakeOpen(ctx, r.cfg.WakeWithin); err != nil {
			return false, fmt.Errorf("wake open accounts: %w", err)
		}
	}
	targets, err := r.Targets.Targets(ctx, "")
	if err != nil {
		return false, fmt.Errorf("list targets: %w", err)
	}
	slices.SortFunc(targets, func(a, b access.Target) int { return cmp.Compare(a.ID, b.ID) })
	const atOnce = 8
	for len(targets) > 0 {
		batch := targets[:min(atOnce, len(targets))]
		targets = targets[len(batch):]
		if batch[len(batch)-1].ID <= r.sweep.after {
			continue
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < r.cfg.SweepTarget+r.cfg.Keep {
			return false, nil
		}
		r.sweepTargets(ctx, batch)
		r.sweep.after = batch[len(batch)-1].ID
	}
	r.sweep.after = ""
	return true, nil
}

func (r *Reconciler) sweepTargets(ctx context.Context, batch []access.Target) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.SweepTarget)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex // of r.sweep.powerful
	for _, t := range batch {
		all.Go(func() {
			if err := r.sweepTarget(ctx, t, &mu); err != nil {
				r.cfg.Log.Warn("could not look for orphans", "target", t.ID, "err", err)
			}
		})
	}
	all.Wait()
}

// sweepTarget looks for what nobody asked for on one target.
func (r *Reconciler) sweepTarget(ctx context.Context, t access.Target, mu *sync.Mutex) error {
	sys, err := r.Open(ctx, t.ID)
	if err != nil {
		return err
	}
	return errors.Join(r.oversee(ctx, t, sys, mu), r.sweepOrphans(ctx, t, sys), tidy(ctx, r.cfg.Log, t, sys))
}

// tidy has the target remove what is of no use any more.
func tidy(ctx context.Context, log *slog.Logger, t access.Target, sys target.System) error {
	tidier, ok := target.As[target.Tidier](sys)
	if !ok {
		return nil
	}
	gone, err := tidier.Tidy(ctx)
	if len(gone) > 0 {
		log.InfoContext(ctx, "tidied up", "target", t.ID, "removed", len(gone))
	}
	if err != nil {
		return fmt.Errorf("tidy up: %w", err)
	}
	return nil
}

// oversee reports who is powerful on the target and has no grant, whenever
// that is not what this process reported last.
func (r *Reconciler) oversee(ctx context.Context, t access.Target, sys target.System, mu *sync.Mutex) error {
	overseer, ok := target.As[target.Overseer](sys)
	if !ok {
		return nil
	}
	powerful, err := overseer.Unexplained(ctx)
	if err != nil {
		return fmt.Errorf("ask who is powerful: %w", err)
	}
	slices.Sort(powerful)
	more := ""
	if n := len(powerful) - maxFindings; n > 0 {
		powerful, more = powerful[:maxFindings], fmt.Sprintf("; and %d more", n)
	}
	for i, who := range powerful {
		powerful[i] = clean(who, 200)
	}
	text := strings.Join(powerful, "; ") + more
	mu.Lock()
	defer mu.Unlock()
	if r.sweep.powerful[t.ID] == text {
		return nil
	}
	err = r.Log.Write(ctx, access.Event{At: time.Now().UTC(), Kind: access.EventFinding, Actor: "jitney", Customer: t.Customer, Subject: t.ID,
		Text: "Highest privileges on the target that no grant explains: " + cmp.Or(text, "none any more") + "."})
	if err != nil {
		return err
	}
	if r.sweep.powerful == nil {
		r.sweep.powerful = map[string]string{}
	}
	r.sweep.powerful[t.ID] = text
	return nil
}

// sweepOrphans finds the orphans of one target, and looks again at those that
// were found before. An account is one only if no approved grant of it was open
// before the target was asked nor after, and a look at it still shows access.
func (r *Reconciler) sweepOrphans(ctx context.Context, t access.Target, sys target.System) error {
	lister, ok := target.As[target.Lister](sys)
	if !ok {
		return nil
	}
	live := map[string]bool{}
	if err := r.live(ctx, t.ID, live); err != nil {
		return err
	}
	listed, err := lister.List(ctx)
	if err != nil {
		return fmt.Errorf("list accounts: %w", err)
	}
	if err := r.live(ctx, t.ID, live); err != nil {
		return err
	}
	known, err := r.Orphans.Orphans(ctx, t.ID)
	if err != nil {
		return err
	}
	listed = slices.DeleteFunc(listed, func(a access.Account) bool {
		return a.Seen.Clean() || slices.ContainsFunc(known, func(o access.Orphan) bool { return o.ID == a.ID })
	})
	for _, a := range listed {
		a.Target, a.Seen = t.ID, access.Observation{} // what a list shows is another kind of look
		known = append(known, access.Orphan{Account: a})
	}
	var failed []error
	for _, o := range known {
		if err := (orphanage{r, t, sys}).look(ctx, o, live[o.ID]); err != nil {
			failed = append(failed, fmt.Errorf("account with mark %s: %w", clean(o.ID, 80), err))
		}
	}
	return errors.Join(failed...)
}

func (r *Reconciler) live(ctx context.Context, targetID string, into map[string]bool) error {
	open, err := r.Cases.Accounts(ctx, targetID)
	for _, a := range open {
		into[a.ID] = true
	}
	return err
}

// An orphanage deals with the orphans of one target.
type orphanage struct {
	*Reconciler
	where access.Target
	sys   target.System
}

// look looks at an account that bears our mark, reports it when it is found to
// be an orphan and when it is none any more, and ends its access where the
// policy of the target says so. The database has the last word on whose it is:
// an account of another target that leads to the same place, or one that was
// asked for meanwhile, is none; one whose grants have all ended, or wait for
// approval, is ours for sure, so its access is ended again whatever the policy
// says.
func (r orphanage) look(ctx context.Context, o access.Orphan, live bool) error {
	c, err := r.Cases.Case(ctx, o.ID)
	ours := err == nil
	switch {
	case err != nil && access.KindOf(err) != access.NotFound:
		return err
	case live || ours && (c.Account.Target != r.where.ID || slices.ContainsFunc(c.Grants, func(g access.Grant) bool { return !g.ApprovedAt.IsZero() })):
		return r.none(ctx, o, " has a live grant.")
	case ours:
		o.Account = c.Account
	}
	seen, err := r.sys.Observe(ctx, o.Account)
	if err != nil {
		return err
	}
	if seen.Clean() {
		return r.none(ctx, o, ", which had no live grant, was read back as clean.")
	}
	o.Seen, o.Username, o.ObjectID = seen, cmp.Or(seen.Username, o.Username), cmp.Or(seen.ObjectID, o.ObjectID)
	end, err := r.found(ctx, o, ours)
	switch {
	case err != nil || !end:
		return err
	case ours: // only who holds its lease may touch an account of ours: it may be asked for any moment
		return r.Orphans.Stray(ctx, c.Account, seen)
	case seen.Settling > 0 && !seen.Enabled && len(seen.Entitlements) == 0:
		return nil // only another look can show that it is gone
	}
	return r.end(ctx, o)
}

// found notes an orphan, tells of it once, and reports whether to end it.
func (r orphanage) found(ctx context.Context, o access.Orphan, ours bool) (end bool, err error) {
	policy, unread := r.Rules.Policy(ctx, cmp.Or(r.where.Policy, access.DefaultPolicy().Name))
	if ours {
		unread = nil
	}
	end = ours || unread == nil && policy.EndOrphans
	text := " bears Jitney's mark, can be used, and has no live grant."
	if end {
		text += " It is being ended."
	}
	if o.FoundAt.IsZero() {
		o.FoundAt = time.Now().UTC()
	}
	fresh, err := r.Orphans.SeeOrphan(ctx, o, r.event(o, text))
	if fresh {
		r.cfg.Count(CountOrphan, 0)
	}
	return end, errors.Join(err, unread)
}

// end ends the access of an account that no database of ours knows, so that
// nobody else looks at it.
func (r orphanage) end(ctx context.Context, o access.Orphan) error {
	if err := r.sys.Remove(ctx, o.Account); err != nil {
		return fmt.Errorf("remove orphan: %w", err)
	}
	seen, err := r.sys.Observe(ctx, o.Account)
	switch {
	case err != nil:
		return err
	case seen.Clean():
		return r.none(ctx, o, ", which had no live grant, was read back as clean.")
	}
	o.Seen = seen
	if _, err := r.Orphans.SeeOrphan(ctx, o); err != nil {
		return err
	}
	if seen.Settling > 0 {
		return nil
	}
	return errNotYet
}

// none forgets an orphan, if it was known as one, and tells why.
func (r orphanage) none(ctx context.Context, o access.Orphan, why string) error {
	return r.Orphans.DropOrphan(ctx, r.where.ID, o.ID, r.event(o, why))
}

func (r orphanage) event(o access.Orphan, text string) access.Event {
	return access.Event{At: time.Now().UTC(), Kind: access.EventFinding, Actor: "jitney", Customer: r.where.Customer, Subject: r.where.ID,
		Text: "The account " + clean(cmp.Or(o.Username, o.ID), 200) + text, Data: map[string]string{EventOrphan: clean(o.ID, 80)}}
}
