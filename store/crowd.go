package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store/db"
)

// A look is a Change and its lease, ready to be stored.
type look struct {
	lease   schedule.Lease
	change  access.Change
	account db.FinishAccountParams
	grants  []db.UpdateGrantParams
	notes   []access.Work
	records []db.InsertRecordParams
}

// readyLook does what can be done before the transaction: others wait for it.
func (core *core) readyLook(lease schedule.Lease, c access.Change) look {
	l := look{lease: lease, change: c, records: recordRows(c.Events), account: db.FinishAccountParams{
		ID: lease.ID, LeaseOwner: lease.Owner, LeaseEpoch: lease.Epoch, Username: c.Account.Username, ObjectID: c.Account.ObjectID, TriedAt: micros(c.Account.TriedAt),
		Seen: seenOf(c.Account.Seen), Baseline: c.Account.Baseline, Trouble: c.Account.Trouble, Again: core.due(c.Again),
	}}
	for _, g := range c.Grants {
		l.grants = append(l.grants, grantUpdate(g))
	}
	for _, n := range c.Notes {
		l.notes = append(l.notes, noteWork(n))
	}
	l.notes = append(l.notes, c.Work...)
	return l
}

// A crowd lets looks that end at the same time share one transaction on
// PostgreSQL. A storm of ends is then some hundred transactions with a
// statement for each table, and not many thousand with one for each row. If
// the engine refuses any of a batch, that transaction is undone, and each look
// is stored by itself, so that one stands in nobody's way.
type crowd struct {
	core    *core
	alone   func(context.Context, look) error // stores one look
	mu      sync.Mutex
	waiting []*attendee
	leading int
}

type attendee struct {
	ctx  context.Context
	look look
	err  error
	done chan struct{}
}

const (
	crowdLeaders = 2   // transactions at once: while one waits for the disk, the next is made
	crowdSize    = 250 // looks of one transaction
	crowdTime    = 30 * time.Second
)

// joins reports whether a look is of the kind that comes in crowds.
func (l look) joins() bool {
	return l.change.Done && l.change.Credential == nil && l.change.SetSeq == 0
}

// store stores a look, together with others if there are any.
func (c *crowd) store(ctx context.Context, l look) error {
	a := &attendee{ctx: ctx, look: l, done: make(chan struct{})}
	c.mu.Lock()
	c.waiting = append(c.waiting, a)
	lead := c.leading < crowdLeaders
	if lead {
		c.leading++
	}
	c.mu.Unlock()
	if lead {
		go c.lead()
	}
	<-a.done
	return a.err
}

// lead stores what waits until nobody does.
func (c *crowd) lead() {
	for {
		c.mu.Lock()
		n := min(len(c.waiting), crowdSize)
		batch := c.waiting[:n:n]
		c.waiting = c.waiting[n:]
		if n == 0 {
			c.leading--
		}
		c.mu.Unlock()
		if n == 0 {
			return
		}
		c.storeAll(batch)
	}
}

func (c *crowd) storeAll(batch []*attendee) {
	var err error
	if len(batch) > 1 {
		ctx, cancel := context.WithTimeout(c.core.base, crowdTime)
		err = c.core.write(ctx, "record looks", func(ctx context.Context, t *tx) error { return storeLooks(ctx, t, batch) })
		cancel()
	}
	var each sync.WaitGroup
	for _, a := range batch {
		switch {
		case len(batch) > 1 && (err == nil || access.KindOf(err) == access.Unavailable):
			a.err = err
			close(a.done)
		default:
			each.Go(func() {
				a.err = c.alone(a.ctx, a.look)
				close(a.done)
			})
		}
	}
	each.Wait()
}

// errRefused says that some look of a batch is not to be stored.
var errRefused = errors.New("a look among others was refused")

// storeLooks stores a batch with one statement for each table. The lists are
// sorted, so that batches of several replicas lock rows in the same order.
func storeLooks(ctx context.Context, t *tx, batch []*attendee) error {
	var accounts []db.FinishAccountParams
	var grants []db.UpdateGrantParams
	var records []db.InsertRecordParams
	var drops []db.DropCredentialsParams
	var work []db.InsertWorkParams
	for _, a := range batch {
		accounts = append(accounts, a.look.account)
		grants = append(grants, a.look.grants...)
		for _, r := range a.look.records {
			r.ID = t.core.stamps.id()
			records = append(records, r)
		}
		for _, w := range a.look.notes {
			work = append(work, t.workRow(w))
		}
		if seq := a.look.change.DropSeq; seq > 0 {
			drops = append(drops, db.DropCredentialsParams{Account: a.look.lease.ID, Seq: seq})
		}
	}
	accounts = byID(accounts, func(p db.FinishAccountParams) string { return p.ID })
	grants = byID(grants, func(p db.UpdateGrantParams) string { return p.ID })
	drops = byID(drops, func(p db.DropCredentialsParams) string { return p.Account })
	t.woke.work, t.woke.records = len(work) > 0, len(records) > 0
	if err := t.byKey(ctx); err != nil {
		return err
	}
	for _, store := range []func() error{
		func() error { return storeList(ctx, t, accounts, len(accounts), finishAccounts) },
		func() error { return storeList(ctx, t, grants, len(grants), updateGrants) },
		func() error { return storeList(ctx, t, records, len(records), insertRecords) },
		func() error { return storeList(ctx, t, work, -1, insertWork) },
		func() error { return storeList(ctx, t, drops, -1, dropCredentials) },
	} {
		if err := store(); err != nil {
			return err
		}
	}
	return nil
}

// byKey has PostgreSQL find what the rest of a transaction wants by key: its
// lists are short, and a planner that has no statistics yet would rather read
// whole tables.
func (t *tx) byKey(ctx context.Context) error {
	_, err := t.exec(ctx, "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true)")
	return err
}

// storeList runs a statement on a list, which must touch want rows unless that
// is negative.
func storeList[T any](ctx context.Context, t *tx, list []T, want int, statement string) error {
	if len(list) == 0 {
		return nil
	}
	n, err := t.exec(ctx, statement, encode(list))
	if err == nil && want >= 0 && n != int64(want) {
		return errRefused
	}
	return err
}

// The statements do to a list what FinishAccount, UpdateGrant, InsertRecord,
// InsertWork and DropCredentials of queries.sql do to one row.
const (
	finishAccounts = `UPDATE accounts a
SET username = j.username, object_id = j.object_id, tried_at = j.tried_at, seen = j.seen, baseline = j.baseline, trouble = j.trouble, version = a.version + 1,
    next_at = CASE WHEN a.woken_at > 0 THEN a.woken_at ELSE j.again END, woken_at = 0, lease_owner = '', attempts = 0, last_error = ''
FROM json_to_recordset($1::json) AS j(username text, object_id text, tried_at bigint, seen text, baseline text, trouble text, again bigint,
    id text, lease_owner text, lease_epoch bigint)
WHERE a.id = j.id AND a.lease_owner = j.lease_owner AND a.lease_epoch = j.lease_epoch`

	updateGrants = `UPDATE grants g
SET approved_at = j.approved_at, approved_by = j.approved_by, start_by = j.start_by, extension = j.extension,
    stopped_at = j.stopped_at, stopped_by = j.stopped_by, stop_cause = j.stop_cause, stop_reason = j.stop_reason,
    verified_at = j.verified_at, lost_at = j.lost_at, removing_at = j.removing_at, overdue_at = j.overdue_at,
    ended_at = j.ended_at, continued_by = j.continued_by, blocked = j.blocked, findings = j.findings, version = g.version + 1
FROM json_to_recordset($1::json) AS j(approved_at bigint, approved_by text, start_by bigint, extension bigint,
    stopped_at bigint, stopped_by text, stop_cause text, stop_reason text, verified_at bigint, lost_at bigint, removing_at bigint,
    overdue_at bigint, ended_at bigint, continued_by text, blocked text, findings text, id text, version bigint)
WHERE g.id = j.id AND g.version = j.version`

	insertRecords = `INSERT INTO audit_records (id, at, kind, actor, customer, grant_id, subject, text, data, salt, personal, erased, seq)
SELECT id, at, kind, actor, customer, grant_id, subject, text, data, decode(salt, 'base64'), decode(personal, 'base64'), FALSE, -1
FROM json_to_recordset($1::json) AS j(id text, at bigint, kind text, actor text, customer text, grant_id text, subject text,
    text text, data text, salt text, personal text)`

	insertWork = `INSERT INTO work (id, kind, work_key, group_name, lane, place, grant_id, payload, created_at, next_at)
SELECT id, kind, work_key, group_name, lane, place, grant_id, decode(payload, 'base64'), created_at, next_at
FROM json_to_recordset($1::json) AS j(id text, kind text, work_key text, group_name text, lane text, place bigint, grant_id text,
    payload text, created_at bigint, next_at bigint)
ON CONFLICT (work_key) DO NOTHING`

	dropCredentials = `UPDATE credentials c SET sealed = NULL, recipient = ''
FROM json_to_recordset($1::json) AS j(account text, seq bigint)
WHERE c.account = j.account AND c.seq <= j.seq`
)
