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
	mu   sync.Mutex
	told map[string]bool // orphans that were reported, by target and mark
	// settling are orphans that were ended, of which only another look can show that.
	settling map[string]access.Account
	after    string // ID of the last target that was asked, if time ran out
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
	var mu sync.Mutex // of r.sweep.told
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
	return errors.Join(r.oversee(ctx, t, sys, mu), r.sweepOrphans(ctx, t, sys, mu), tidy(ctx, r.cfg.Log, t, sys))
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

// sweepOrphans finds the orphans of one target. An account is one only if no
// approved grant of it was open before the target was asked nor after, and a look
// at it still shows access.
func (r *Reconciler) sweepOrphans(ctx context.Context, t access.Target, sys target.System, mu *sync.Mutex) error {
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
	failed := []error{r.settled(ctx, t, sys, mu)}
	for _, a := range listed {
		if live[a.ID] || a.Seen.Clean() {
			continue
		}
		seen, err := sys.Observe(ctx, a)
		if err == nil && !seen.Clean() {
			err = r.stray(ctx, t, sys, a, mu)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("account with mark %s: %w", clean(a.ID, 80), err))
		}
	}
	return errors.Join(failed...)
}

// stray deals with access that no open grant of t explains. The database has
// the last word: an account of another target that leads to the same place, or
// one that was asked for meanwhile, is none; one whose grants have all ended, or
// wait for approval, is ours for sure, so its access is ended again whatever the
// policy says.
func (r *Reconciler) stray(ctx context.Context, t access.Target, sys target.System, a access.Account, mu *sync.Mutex) error {
	c, err := r.Cases.Case(ctx, a.ID)
	switch {
	case err != nil && access.KindOf(err) != access.NotFound:
		return err
	case err == nil && (c.Account.Target != t.ID || slices.ContainsFunc(c.Grants, func(g access.Grant) bool { return !g.ApprovedAt.IsZero() })):
		return nil
	}
	return r.orphan(ctx, t, sys, a, err == nil, mu)
}

func (r *Reconciler) live(ctx context.Context, targetID string, into map[string]bool) error {
	open, err := r.Cases.Accounts(ctx, targetID)
	for _, a := range open {
		into[a.ID] = true
	}
	return err
}

// orphan reports access that nobody is known to hold, once for each start of
// the process, and ends it where the policy of the target says so.
func (r *Reconciler) orphan(ctx context.Context, t access.Target, sys target.System, a access.Account, known bool, mu *sync.Mutex) error {
	key := t.ID + "/" + a.ID
	mu.Lock()
	told := r.sweep.told[key]
	mu.Unlock()
	policy, err := r.Rules.Policy(ctx, cmp.Or(t.Policy, access.DefaultPolicy().Name))
	end := known || err == nil && policy.EndOrphans
	name := clean(cmp.Or(a.Username, a.ID), 200)
	if !told {
		text := "The account " + name + " bears Jitney's mark, can be used, and has no live grant."
		if end {
			text += " It is being ended."
		}
		if err := r.report(ctx, t, a, text); err != nil {
			return err
		}
		r.cfg.Count(CountOrphan, 0)
		mu.Lock()
		if r.sweep.told == nil {
			r.sweep.told = map[string]bool{}
		}
		r.sweep.told[key] = true
		mu.Unlock()
	}
	if !end {
		return nil
	}
	if err := sys.Remove(ctx, a); err != nil {
		return fmt.Errorf("remove orphan: %w", err)
	}
	seen, err := sys.Observe(ctx, a)
	switch {
	case err != nil:
		return err
	case seen.Settling > 0 && !seen.Clean():
		a.Seen = seen
		mu.Lock()
		if r.sweep.settling == nil {
			r.sweep.settling = map[string]access.Account{}
		}
		r.sweep.settling[key] = a
		mu.Unlock()
		return nil
	case !seen.Clean():
		return errNotYet
	}
	return r.cleaned(ctx, t, a, mu)
}

// settled looks again at the orphans of t that were ended a sweep ago or more.
// One that shows access again is left to the list.
func (r *Reconciler) settled(ctx context.Context, t access.Target, sys target.System, mu *sync.Mutex) error {
	mu.Lock()
	waiting := map[string]access.Account{}
	for key, a := range r.sweep.settling {
		if key == t.ID+"/"+a.ID {
			waiting[key] = a
		}
	}
	mu.Unlock()
	var failed []error
	for key, a := range waiting {
		seen, err := sys.Observe(ctx, a)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		a.Seen = seen
		mu.Lock()
		r.sweep.settling[key] = a
		if seen.Settling <= 0 || seen.Clean() {
			delete(r.sweep.settling, key)
		}
		mu.Unlock()
		if seen.Clean() {
			failed = append(failed, r.cleaned(ctx, t, a, mu))
		}
	}
	return errors.Join(failed...)
}

func (r *Reconciler) cleaned(ctx context.Context, t access.Target, a access.Account, mu *sync.Mutex) error {
	mu.Lock()
	delete(r.sweep.told, t.ID+"/"+a.ID)
	mu.Unlock()
	return r.report(ctx, t, a, "The account "+clean(cmp.Or(a.Username, a.ID), 200)+", which had no live grant, was read back as clean.")
}

func (r *Reconciler) report(ctx context.Context, t access.Target, a access.Account, text string) error {
	return r.Log.Write(ctx, access.Event{At: time.Now().UTC(), Kind: access.EventFinding, Actor: "jitney", Customer: t.Customer, Subject: t.ID,
		Text: text, Data: map[string]string{EventOrphan: clean(a.ID, 80)}})
}
