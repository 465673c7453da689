package store

import (
	"context"

	"jitney/access"
	"jitney/store/db"
)

// Orphans keeps the accounts that bear our mark and have no live grant, until
// that is dealt with.
type Orphans struct {
	core     *core
	accounts *Accounts
}

// Orphans lists those of a target, the oldest first.
func (o *Orphans) Orphans(ctx context.Context, targetID string) ([]access.Orphan, error) {
	rows, err := o.core.q().Orphans(ctx, targetID)
	all, err := each(rows, err, func(r db.Orphan) (access.Orphan, error) {
		seen, err := decode[access.Observation](r.Seen)
		return access.Orphan{FoundAt: instant(r.FoundAt), Account: access.Account{
			ID: r.Mark, Target: r.Target, Username: r.Username, ObjectID: r.ObjectID, Seen: seen}}, err
	})
	return all, fail("list orphans of target "+targetID, err)
}

// SeeOrphan stores what an orphan looks like now. The events are stored only
// if it was not known before, which it reports.
func (o *Orphans) SeeOrphan(ctx context.Context, n access.Orphan, events ...access.Event) (fresh bool, err error) {
	err = o.core.write(ctx, "store orphan "+n.ID, func(ctx context.Context, t *tx) error {
		row := db.InsertOrphanParams{Target: n.Target, Mark: n.ID, Username: n.Username, ObjectID: n.ObjectID, Seen: seenOf(n.Seen), FoundAt: micros(n.FoundAt)}
		added, err := t.InsertOrphan(ctx, row)
		if fresh = err == nil && added > 0; fresh {
			return t.record(ctx, events)
		}
		if err != nil {
			return err
		}
		return t.SeeOrphan(ctx, db.SeeOrphanParams{Target: row.Target, Mark: row.Mark, Username: row.Username, ObjectID: row.ObjectID, Seen: row.Seen})
	})
	return fresh, err
}

// DropOrphan forgets one that is none any more, and stores the events, unless
// it was forgotten before.
func (o *Orphans) DropOrphan(ctx context.Context, targetID, mark string, events ...access.Event) error {
	return o.core.write(ctx, "forget orphan "+mark, func(ctx context.Context, t *tx) error {
		n, err := t.DropOrphan(ctx, db.DropOrphanParams{Target: targetID, Mark: mark})
		if err != nil || n == 0 {
			return err
		}
		return t.record(ctx, events)
	})
}

// Stray has an account of ours looked at, of which no approved grant is open
// and the target shows seen. One that is looked at, was changed since it was
// read as a, or has such a grant by now, stays as it is.
func (o *Orphans) Stray(ctx context.Context, a access.Account, seen access.Observation) error {
	return o.core.write(ctx, "wake stray account "+a.ID, func(ctx context.Context, t *tx) error {
		n, err := t.StrayAccount(ctx, db.StrayAccountParams{ID: a.ID, Version: a.Version, Seen: seenOf(seen)})
		if err != nil || n == 0 {
			return err
		}
		t.woke.accounts = true
		return o.accounts.wake(ctx, t, a.ID)
	})
}
