package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"jitney/schedule"
)

// rows is the schedule that both accounts and work carry: the columns next_at,
// due_at, woken_at, lease_owner, lease_epoch, claim, attempts and last_error
// of one table. It is the one place whose SQL differs by engine.
type rows[T any] struct {
	core  *core
	table string
	group string // the column that says what shares limits
	free  string // a condition on row r besides being due; may be empty
	woken *changed
	load  func(ctx context.Context, owner string, claim int64) (map[string]T, error)
	text  statementsOf
	read  *cursor // nil on PostgreSQL, where others may have moved rows
}

// statementsOf are the statements of one table, ready for its engine.
type statementsOf struct {
	claimHead, claimTail, probe, renew, giveBack, giveAll, next, hasten, hastenAll, freed, freedAll, wake string
}

func newRows[T any](c *core, table, group, free string, woken *changed) rows[T] {
	if free != "" {
		free = " AND " + free
	}
	words := strings.NewReplacer("{table}", table, "{group}", group, "{free}", free)
	ready := func(s string) string { return c.engine.sql(words.Replace(s)) }
	const (
		take = `UPDATE {table} SET due_at = next_at, next_at = {now} + $2, lease_owner = $3,
lease_epoch = lease_epoch + 1, claim = $4, woken_at = 0 WHERE id {in}`
		took     = ` RETURNING id, {group}, due_at, lease_epoch, attempts, {now}`
		held     = `id = $2 AND lease_owner = $3 AND lease_epoch = $4`
		hasten   = `UPDATE {table} SET next_at = {now} WHERE id {in}SELECT r.id FROM {table} r WHERE attempts > 0 AND lease_owner = '' AND next_at > {now}`
		freed    = `UPDATE {table} SET lease_owner = '', next_at = due_at, woken_at = 0 WHERE lease_owner <> ''`
		probable = `SELECT id FROM (SELECT r.id, r.next_at FROM {table} r WHERE {group} = $5 AND attempts = 0 AND next_at > 0 AND next_at <= {now}{free} ORDER BY next_at LIMIT 1) fresh
UNION ALL SELECT id FROM (SELECT r.id, r.next_at FROM {table} r WHERE {group} = $5 AND next_at > 0 AND next_at <= {now}{free} ORDER BY next_at LIMIT 1) due
UNION ALL SELECT id FROM (SELECT r.id, r.next_at FROM {table} r WHERE {group} = $5 AND attempts > 0 AND next_at > 0 AND lease_owner = ''{free} ORDER BY next_at LIMIT 1) failed`
	)
	r := rows[T]{core: c, table: table, group: group, free: free, woken: woken, text: statementsOf{
		claimHead: ready(take + `SELECT r.id FROM {table} r WHERE next_at > 0 AND next_at <= {now}{free}`),
		claimTail: ready(` ORDER BY next_at, id LIMIT CAST($5 AS BIGINT){locked}` + took), // SQLite plans anew for each value of a bare $5,
		probe: ready(take + `SELECT p.id FROM {table} p WHERE p.id IN (` + probable + `) AND p.next_at > 0
AND (p.next_at <= {now} OR p.lease_owner = '') ORDER BY p.attempts > 0, p.next_at, p.id LIMIT 1{locked}` + took),
		renew: ready(`UPDATE {table} SET next_at = {now} + $5 WHERE ` + held),
		giveBack: ready(`UPDATE {table} SET next_at = CASE WHEN woken_at > 0 THEN {now}
WHEN CAST($5 AS BIGINT) = 0 THEN {now} + $6 WHEN CAST($5 AS BIGINT) < 0 THEN 0 WHEN CAST($5 AS BIGINT) < {now} THEN {now} ELSE CAST($5 AS BIGINT) END,
lease_owner = '', woken_at = 0, attempts = $7, last_error = $8 WHERE ` + held),
		giveAll: ready(`UPDATE {table} t SET next_at = CASE WHEN t.woken_at > 0 THEN t.woken_at
WHEN v.at = 0 THEN {now} + v.wait WHEN v.at < 0 THEN 0 ELSE v.at END,
lease_owner = '', woken_at = 0, attempts = v.attempts, last_error = v.error
FROM json_to_recordset($2::json) AS v(id text, owner text, epoch bigint, at bigint, wait bigint, attempts bigint, error text)
WHERE t.id = v.id AND t.lease_owner = v.owner AND t.lease_epoch = v.epoch RETURNING t.id`),
		next:      ready(`SELECT next_at - {now} FROM {table} r WHERE next_at > 0{free}`),
		hasten:    ready(hasten + ` AND {group} = $2 LIMIT 500{locked}`),
		hastenAll: ready(hasten + ` LIMIT 500{locked}`),
		freed:     ready(freed + ` AND lease_owner = $1`),
		freedAll:  ready(freed),
		wake: ready(`UPDATE {table} SET woken_at = CASE WHEN lease_owner <> '' THEN {now} ELSE 0 END,
next_at = CASE WHEN lease_owner = '' AND (next_at = 0 OR next_at > {now}) THEN {now} ELSE next_at END WHERE id = $2`),
	}}
	if !c.engine.postgres {
		r.read = &cursor{}
	}
	return r
}

// OnChange has f called after every commit that made a row due, here or on
// another replica. f must not block.
func (r *rows[T]) OnChange(f func()) { r.woken.add(f) }

// wake makes a row due, or due as soon as it is given back, in a transaction.
func (r *rows[T]) wake(ctx context.Context, t *tx, id string) error {
	_, err := t.exec(ctx, r.text.wake, r.core.engine.clock(), id)
	return err
}

// Claim implements [schedule.Table].
func (r *rows[T]) Claim(ctx context.Context, c schedule.Claim) ([]schedule.Item[T], error) {
	claim, limit := claimNumber(), max(c.Limit, 1)
	args := []any{int64(0), c.For.Microseconds(), c.Owner, claim, int64(limit)}
	if len(c.Skip) == 0 {
		return r.claimed(ctx, c.Owner, claim, r.text.claimHead+r.text.claimTail, args, true)
	}
	query, args, from := r.skip(r.text.claimHead, r.text.claimTail, c.Skip, args)
	items, err := r.claimed(ctx, c.Owner, claim, query, args, len(c.Skip) <= keptSkips)
	if err == nil && r.read != nil {
		at := args[0].(int64) // when it was claimed
		if len(items) == limit {
			at = items[limit-1].Due.UnixMicro()
		}
		r.read.reached(c.Skip, from, at)
	}
	return items, err
}

// Probe implements [schedule.Table].
func (r *rows[T]) Probe(ctx context.Context, owner, group string, lease time.Duration) (schedule.Item[T], bool, error) {
	claim := claimNumber()
	items, err := r.claimed(ctx, owner, claim, r.text.probe, []any{int64(0), lease.Microseconds(), owner, claim, group}, true)
	if err != nil || len(items) == 0 {
		return schedule.Item[T]{}, false, err
	}
	return items[0], true, nil
}

// keptSkips is up to how many groups to leave out a statement is kept prepared:
// for each number there is one more.
const keptSkips = 8

// skip adds the groups to leave out, between two parts of a statement, and
// reports from which instant on it reads.
func (r *rows[T]) skip(head, tail string, groups []string, args []any) (query string, all []any, from int64) {
	if len(groups) == 0 {
		return head + tail, args, 0
	}
	var b strings.Builder
	b.WriteString(head)
	if r.read != nil {
		from = r.read.from(groups)
		args = append(args, from)
		fmt.Fprintf(&b, " AND next_at >= $%d", len(args))
	}
	b.WriteString(" AND " + r.group + " NOT IN (")
	for i, g := range groups {
		if i > 0 {
			b.WriteByte(',')
		}
		args = append(args, g)
		fmt.Fprintf(&b, "$%d", len(args))
	}
	b.WriteString(")" + tail)
	return b.String(), args, from
}

// claimNumber marks the rows of one claim, so that one query finds them.
func claimNumber() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return int64(binary.BigEndian.Uint64(b[:]) >> 1)
}

// claimed runs a statement that leases rows, then loads what they are about.
// args[0] becomes the time.
func (r *rows[T]) claimed(ctx context.Context, owner string, claim int64, query string, args []any, often bool) ([]schedule.Item[T], error) {
	var items []schedule.Item[T]
	err := r.core.write(ctx, "claim what is due", func(ctx context.Context, t *tx) error {
		args[0] = r.core.engine.clock()
		if err := r.inOrder(ctx, t); err != nil {
			return err
		}
		found, err := t.query(ctx, often, query, args...)
		if err != nil {
			return err
		}
		var now int64
		if items, now, err = leases[T](found, owner); err == nil && len(items) > 0 && r.core.engine.postgres {
			r.core.ahead.Store(now - time.Now().UnixMicro())
		}
		return err
	})
	if err != nil || len(items) == 0 {
		return nil, err
	}
	values, err := r.load(ctx, owner, claim)
	if err != nil {
		err = fail("load what was claimed", err)
	}
	for i := range items {
		value, ok := values[items[i].ID]
		switch {
		case err != nil:
			items[i].Err = err
		case !ok:
			items[i].Err = fmt.Errorf("load %s %s: it is not there, or not leased any more", r.table, items[i].ID)
		default:
			items[i].Value = value
		}
	}
	return items, nil
}

// inOrder has PostgreSQL read due rows in their order until it has enough, where
// being due is costly to find out. Without statistics it would look at all.
func (r *rows[T]) inOrder(ctx context.Context, t *tx) error {
	if r.free == "" || !r.core.engine.postgres {
		return nil
	}
	_, err := t.exec(ctx, "SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)")
	return err
}

// leases reads what a claim returned, the longest due first, and what time it
// was by the clock that rules.
func leases[T any](found *sql.Rows, owner string) (items []schedule.Item[T], now int64, err error) {
	defer found.Close()
	for found.Next() {
		it := schedule.Item[T]{Lease: schedule.Lease{Owner: owner}}
		var due int64
		if err := found.Scan(&it.ID, &it.Group, &due, &it.Epoch, &it.Attempts, &now); err != nil {
			return nil, 0, err
		}
		it.Due, it.Late = instant(due), span(now-due)
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b schedule.Item[T]) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
	})
	return items, now, found.Err()
}

// Renew implements [schedule.Table].
func (r *rows[T]) Renew(ctx context.Context, held []schedule.Lease, d time.Duration) (lost []string, err error) {
	if len(held) == 0 {
		return nil, ctx.Err()
	}
	err = r.core.write(ctx, "renew leases", func(ctx context.Context, t *tx) error {
		lost = nil
		for _, l := range byID(held, func(l schedule.Lease) string { return l.ID }) {
			n, err := t.exec(ctx, r.text.renew, r.core.engine.clock(), l.ID, l.Owner, l.Epoch, d.Microseconds())
			if err != nil {
				return err
			}
			if n == 0 {
				lost = append(lost, l.ID)
			}
		}
		return nil
	})
	return lost, err
}

// Return implements [schedule.Table].
func (r *rows[T]) Return(ctx context.Context, back []schedule.Return) (lost []string, err error) {
	if len(back) == 0 {
		return nil, ctx.Err()
	}
	rows := byID(back, func(b schedule.Return) string { return b.ID })
	err = r.core.write(ctx, "give rows back", func(ctx context.Context, t *tx) (err error) {
		if r.core.engine.postgres {
			lost, err = r.giveAll(ctx, t, rows)
			return err
		}
		lost = nil
		for _, b := range rows {
			n, err := t.exec(ctx, r.text.giveBack, r.core.engine.clock(), b.ID, b.Owner, b.Epoch, r.dueOf(b), b.In.Microseconds(), int64(b.Attempts), cut(b.Error, 500))
			if err != nil {
				return err
			}
			if n == 0 {
				lost = append(lost, b.ID)
			}
		}
		return nil
	})
	return lost, err
}

// dueOf is when a returned row is due: 0 for after a while, -1 for never.
func (r *rows[T]) dueOf(b schedule.Return) int64 {
	if b.Never {
		return -1
	}
	return r.core.due(b.At)
}

// giveAll gives rows back in one statement, because each statement is a round
// trip to a server.
func (r *rows[T]) giveAll(ctx context.Context, t *tx, back []schedule.Return) (lost []string, err error) {
	type row struct {
		ID       string `json:"id"`
		Owner    string `json:"owner"`
		Epoch    int64  `json:"epoch"`
		At       int64  `json:"at"`
		Wait     int64  `json:"wait"`
		Attempts int    `json:"attempts"`
		Error    string `json:"error"`
	}
	list := make([]row, 0, len(back))
	for _, b := range back {
		list = append(list, row{b.ID, b.Owner, b.Epoch, r.dueOf(b), b.In.Microseconds(), b.Attempts, cut(b.Error, 500)})
	}
	found, err := t.on.QueryContext(ctx, r.text.giveAll, r.core.engine.clock(), encodeAny(list))
	if err != nil {
		return nil, err
	}
	defer found.Close()
	given := make(map[string]bool, len(back))
	for found.Next() {
		var id string
		if err := found.Scan(&id); err != nil {
			return nil, err
		}
		given[id] = true
	}
	for _, b := range back {
		if !given[b.ID] {
			lost = append(lost, b.ID)
		}
	}
	return lost, found.Err()
}

// byID sorts a copy, so that transactions of several replicas take the locks
// of rows in the same order.
func byID[V any](all []V, id func(V) string) []V {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b V) int { return strings.Compare(id(a), id(b)) })
	return all
}

// cut shortens text to n bytes, between characters.
func cut(text string, n int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// Next implements [schedule.Table].
func (r *rows[T]) Next(ctx context.Context, skip []string) (time.Duration, bool, error) {
	query, args, _ := r.skip(r.text.next, " ORDER BY next_at LIMIT 1", skip, []any{r.core.engine.clock()})
	on := r.core.read
	if len(skip) > keptSkips {
		on = r.core.reads
	}
	var in int64
	switch err := on.QueryRowContext(ctx, query, args...).Scan(&in); {
	case err == sql.ErrNoRows:
		return 0, false, nil
	case err != nil:
		return 0, false, fail("read when a row is due", err)
	}
	return span(in), true, nil
}

// Hasten implements [schedule.Recovery].
func (r *rows[T]) Hasten(ctx context.Context, group string) (int, error) {
	var all int64
	for { // in parts, so that no end waits long for the one who writes
		var n int64
		err := r.core.write(ctx, "bring failed rows forward", func(ctx context.Context, t *tx) (err error) {
			if group == "" {
				n, err = t.exec(ctx, r.text.hastenAll, r.core.engine.clock())
			} else {
				n, err = t.exec(ctx, r.text.hasten, r.core.engine.clock(), group)
			}
			return err
		})
		all += n
		if err != nil || n == 0 {
			return int(all), err
		}
		r.woken.tell()
	}
}

// Free implements [schedule.Recovery].
func (r *rows[T]) Free(ctx context.Context, owner string) (int, error) {
	var n int64
	err := r.core.write(ctx, "free leases", func(ctx context.Context, t *tx) (err error) {
		if owner == "" {
			n, err = t.exec(ctx, r.text.freedAll)
		} else {
			n, err = t.exec(ctx, r.text.freed, owner)
		}
		return err
	})
	if r.read != nil {
		r.read.forget("")
	}
	if err == nil && n > 0 {
		r.woken.tell()
	}
	return int(n), err
}

// query runs a statement that reports rows; often says that its text comes
// back, so that it pays to keep it prepared.
func (t *tx) query(ctx context.Context, often bool, query string, args ...any) (*sql.Rows, error) {
	if s, ok := t.on.(*statements); ok && !often {
		if conn, ok := s.on.(*sql.Conn); ok {
			return conn.QueryContext(ctx, query, args...)
		}
	}
	return t.on.QueryContext(ctx, query, args...)
}
