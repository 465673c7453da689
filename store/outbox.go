package store

import (
	"context"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store/db"
)

// Outbox keeps side work. It is the [schedule.Table] of work: a row is claimed
// only when no earlier row of its lane is neither done nor parked.
type Outbox struct {
	rows[access.Work]
}

func newOutbox(c *core) *Outbox {
	// Said like this, each row looks up the head of its lane. What says the same
	// as a join, such as NOT EXISTS, PostgreSQL may read as a join of all rows
	// with all: thousands of waiting notes then take it seconds for each claim.
	const free = `r.place <= COALESCE((SELECT MIN(e.place) FROM work e WHERE e.lane = r.lane AND e.done_at = 0 AND e.parked_at = 0), r.place)`
	o := &Outbox{newRows[access.Work](c, "work", "group_name", free, &c.work)}
	o.load = o.claimedWork
	return o
}

func (o *Outbox) claimedWork(ctx context.Context, owner string, claim int64) (map[string]access.Work, error) {
	rows, err := o.core.q().ClaimedWork(ctx, db.ClaimedWorkParams{LeaseOwner: owner, Claim: claim})
	work := make(map[string]access.Work, len(rows))
	for _, r := range rows {
		work[r.ID] = workOf(r)
	}
	return work, err
}

// noteWork is the work of writing a note to its ticket.
func noteWork(n access.Note) access.Work {
	return access.Work{Kind: "note", Key: n.Key, Group: n.Ticket.System, Lane: noteLane(n.Ticket),
		Grant: n.Grant, Payload: []byte(encodeAny(n))}
}

// noteLane keeps what is written to one ticket in order.
func noteLane(t access.TicketRef) string {
	if t.ID == "" {
		return t.System + "/number " + t.Number
	}
	return t.System + "/" + t.ID
}

// workRow is the row of work that is queued now, behind what its lane has.
func (t *tx) workRow(w access.Work) db.InsertWorkParams {
	now := t.core.stamps.next()
	return db.InsertWorkParams{
		ID: t.core.stamps.id(), Kind: w.Kind, WorkKey: w.Key, GroupName: w.Group, Lane: w.Lane, Place: now,
		GrantID: w.Grant, Payload: append([]byte{}, w.Payload...), CreatedAt: now, NextAt: now,
	}
}

// addWork queues work, unless its key was queued before.
func addWork(ctx context.Context, t *tx, w access.Work) error {
	t.woke.work = true
	_, err := t.InsertWork(ctx, t.workRow(w))
	return err
}

// Add queues work, due at once, after what its lane has. Of w count Kind, Key,
// Group, Lane, Grant and Payload; a Key that was queued before is left alone.
func (o *Outbox) Add(ctx context.Context, w access.Work, events ...access.Event) error {
	return o.core.write(ctx, "queue work", func(ctx context.Context, t *tx) error {
		if err := addWork(ctx, t, w); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// Ensure stores w, due now. If there is one with its Key, that one is made due
// now instead, also if it was done or parked.
func (o *Outbox) Ensure(ctx context.Context, w access.Work) error {
	return o.core.write(ctx, "have work done: "+w.Key, func(ctx context.Context, t *tx) error {
		now := t.core.stamps.next()
		t.woke.work = true
		return t.EnsureWork(ctx, db.EnsureWorkParams{
			ID: w.ID, Kind: w.Kind, WorkKey: w.Key, GroupName: w.Group, Lane: w.Lane, Place: now,
			GrantID: w.Grant, Payload: append([]byte{}, w.Payload...), CreatedAt: now, NextAt: now,
		})
	})
}

// Tried records durably that a row is about to take effect. A lease that was
// lost is schedule.ErrLost.
func (o *Outbox) Tried(ctx context.Context, lease schedule.Lease) error {
	return o.core.write(ctx, "record an attempt at work "+lease.ID, func(ctx context.Context, t *tx) error {
		n, err := t.TriedWork(ctx, db.TriedWorkParams{ID: lease.ID, LeaseOwner: lease.Owner, LeaseEpoch: lease.Epoch, TriedAt: time.Now().UnixMicro()})
		return lost(n, err)
	})
}

// Finish records that a row took effect, with what the other side calls it, or
// that it is parked until a person starts it again, with the reason. Either
// way it is given back, and the next of its lane can be claimed. A lease that
// was lost is schedule.ErrLost.
func (o *Outbox) Finish(ctx context.Context, lease schedule.Lease, result string, parked bool, events ...access.Event) error {
	if o.read != nil { // the next of its lane is free, however long it was due
		defer o.read.forget(lease.Group)
	}
	return o.core.write(ctx, "finish work "+lease.ID, func(ctx context.Context, t *tx) error {
		row := db.FinishWorkParams{ID: lease.ID, LeaseOwner: lease.Owner, LeaseEpoch: lease.Epoch, Result: cut(result, 500)}
		if parked {
			row.ParkedAt = time.Now().UnixMicro()
		} else {
			row.DoneAt = time.Now().UnixMicro()
		}
		n, err := t.FinishWork(ctx, row)
		if err := lost(n, err); err != nil {
			return err
		}
		t.woke.work = true
		return t.record(ctx, events)
	})
}

// Join has the row of lease write n, and says of rows, which are parked notes,
// that they go with it. If one is not as it was read any more it is
// access.Conflict; a lease that was lost is schedule.ErrLost. Then nothing is
// stored.
func (o *Outbox) Join(ctx context.Context, lease schedule.Lease, n access.Note, rows ...access.Work) error {
	tried := "have other notes go with work " + lease.ID
	return o.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		stored, err := t.RewriteWork(ctx, db.RewriteWorkParams{ID: lease.ID, LeaseOwner: lease.Owner, LeaseEpoch: lease.Epoch, Payload: []byte(encodeAny(n))})
		if err := lost(stored, err); err != nil {
			return err
		}
		for _, w := range rows {
			stored, err := t.JoinWork(ctx, db.JoinWorkParams{ID: w.ID, Version: w.Version, DoneAt: time.Now().UnixMicro(), Result: access.GoesWith + n.Key})
			if err := stale(tried, stored, err); err != nil {
				return err
			}
		}
		return nil
	})
}

func lost(n int64, err error) error {
	if err == nil && n == 0 {
		return schedule.ErrLost
	}
	return err
}

// WorkOf lists the side work of a grant, oldest first.
func (o *Outbox) WorkOf(ctx context.Context, grant string) ([]access.Work, error) {
	rows, err := o.core.q().WorkOf(ctx, grant)
	work, err := each(rows, err, sure(workOf))
	return work, fail("list the work of grant "+grant, err)
}

// Retry starts a parked row again. One that is not parked is access.Conflict.
func (o *Outbox) Retry(ctx context.Context, workID string, events ...access.Event) error {
	tried := "retry work " + workID
	return o.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		if _, err := t.Work(ctx, workID); err != nil {
			return err
		}
		n, err := t.RetryWork(ctx, db.RetryWorkParams{ID: workID, NextAt: time.Now().UnixMicro()})
		if err := stale(tried, n, err); err != nil {
			return err
		}
		t.woke.work = true
		return t.record(ctx, events)
	})
}
