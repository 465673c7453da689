package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"jitney/access"
	"jitney/audit"
	"jitney/store/db"
)

// Log keeps the audit records. It is the [audit.Book].
type Log struct {
	core *core
}

// record stores events as audit records of a transaction. They have no place
// in the log until they are sealed.
func (t *tx) record(ctx context.Context, events []access.Event) error {
	return t.insertRecords(ctx, recordRows(events))
}

// recordRows prepares the records of events, all but their IDs. It hashes, so
// what is often done does it before its transaction, for which others wait.
func recordRows(events []access.Event) []db.InsertRecordParams {
	rows := make([]db.InsertRecordParams, 0, len(events))
	for _, e := range events {
		if e.At.IsZero() {
			e.At = time.Now()
		}
		e.Kind, e.Actor, e.Customer, e.Grant = clean(e.Kind), clean(e.Actor), clean(e.Customer), clean(e.Grant)
		e.Subject, e.Text = clean(e.Subject), clean(e.Text)
		data := ""
		if len(e.Data) > 0 {
			kept := make(map[string]string, len(e.Data))
			for k, v := range e.Data {
				kept[clean(k)] = clean(v)
			}
			e.Data = kept
			data = encodeAny(kept)
		}
		entry := audit.NewEntry(e)
		rows = append(rows, db.InsertRecordParams{
			At: micros(e.At), Kind: e.Kind, Actor: e.Actor, Customer: e.Customer,
			GrantID: e.Grant, Subject: e.Subject, Text: e.Text, Data: data, Salt: entry.Salt, Personal: entry.Personal,
		})
	}
	return rows
}

func (t *tx) insertRecords(ctx context.Context, rows []db.InsertRecordParams) error {
	for _, row := range rows {
		row.ID = t.core.stamps.id()
		if err := t.InsertRecord(ctx, row); err != nil {
			return err
		}
		t.woke.records = true
	}
	return nil
}

// clean takes out what PostgreSQL cannot store, before it is hashed.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func entryOf(r db.AuditRecord) (audit.Entry, error) {
	data, err := decode[map[string]string](r.Data)
	if err != nil {
		return audit.Entry{}, fmt.Errorf("read data of audit record %s: %w", r.ID, err)
	}
	return audit.Entry{
		Record: access.Record{ID: r.ID, Seq: r.Seq, Event: access.Event{
			At: instant(r.At), Kind: r.Kind, Actor: r.Actor, Customer: r.Customer, Grant: r.GrantID, Subject: r.Subject, Text: r.Text, Data: data,
		}},
		Salt: r.Salt, Personal: r.Personal, Erased: r.Erased,
	}, nil
}

func recordOf(r db.AuditRecord) (access.Record, error) {
	e, err := entryOf(r)
	return e.Record, err
}

// Write stores events that go with no other change.
func (l *Log) Write(ctx context.Context, events ...access.Event) error {
	if len(events) == 0 {
		return ctx.Err()
	}
	return l.core.write(ctx, "write audit records", func(ctx context.Context, t *tx) error { return t.record(ctx, events) })
}

// Timeline lists the records of a grant, oldest first.
func (l *Log) Timeline(ctx context.Context, grant string) ([]access.Record, error) {
	rows, err := l.core.q().Timeline(ctx, grant)
	records, err := each(rows, err, recordOf)
	return records, fail("read the timeline of grant "+grant, err)
}

// OnWrite has f called after every commit that stored audit records here. f
// must not block.
func (l *Log) OnWrite(f func()) { l.core.records.add(f) }

// Unsealed reports how many records wait to be sealed, and when the oldest of
// them was written; zero if there is none.
func (l *Log) Unsealed(ctx context.Context) (n int64, oldest time.Time, err error) {
	tried := "count unsealed audit records"
	if n, err = l.core.q().CountUnsealed(ctx); err != nil || n == 0 {
		return 0, time.Time{}, fail(tried, err)
	}
	at, err := l.core.q().OldestUnsealed(ctx)
	if errors.Is(err, sql.ErrNoRows) { // sealed meanwhile
		return 0, time.Time{}, nil
	}
	return n, instant(at), fail(tried, err)
}

// Entries implements [audit.Book].
func (l *Log) Entries(ctx context.Context, from int64, limit int) ([]audit.Entry, error) {
	rows, err := l.core.q().SealedRecords(ctx, db.SealedRecordsParams{FromSeq: max(from, 0), Part: int32(limit)})
	entries, err := each(rows, err, entryOf)
	return entries, fail("read the audit log", err)
}

// Size implements [audit.Book].
func (l *Log) Size(ctx context.Context) (int64, error) {
	size, err := sizeOf(ctx, l.core.q())
	return size, fail("read the size of the audit log", err)
}

func sizeOf(ctx context.Context, q *db.Queries) (int64, error) {
	last, err := q.LastSeq(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return last + 1, err
}

// Chunk implements [audit.Book].
func (l *Log) Chunk(ctx context.Context, n int64) ([]byte, error) {
	hashes, err := chunkOf(ctx, l.core.q(), n)
	return hashes, fail("read the tree of the audit log", err)
}

func chunkOf(ctx context.Context, q *db.Queries, n int64) ([]byte, error) {
	hashes, err := q.Chunk(ctx, n)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return hashes, err
}

// Seal implements [audit.Book].
func (l *Log) Seal(ctx context.Context, limit int, fn func(int64, []audit.Entry, audit.ChunkReader) (map[int64][]byte, error)) error {
	const tried = "seal audit records"
	if waits, err := l.core.q().UnsealedRecords(ctx, 1); err != nil || len(waits) == 0 {
		if err == nil { // nothing to do, and no transaction needed to know it
			_, err = fn(0, nil, func(int64) ([]byte, error) { return nil, nil })
		}
		return fail(tried, err)
	}
	if !l.core.engine.postgres {
		return l.sealApart(ctx, tried, limit, fn)
	}
	return l.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		if err := t.alone(ctx, "seal"); err != nil {
			return err
		}
		if err := t.byKey(ctx); err != nil {
			return err
		}
		return l.seal(ctx, t.Queries, t, limit, fn)
	})
}

// sealApart reads and hashes outside the transaction, so that no end waits for
// that. One process has a SQLite database, and seals one batch at a time.
func (l *Log) sealApart(ctx context.Context, tried string, limit int, fn func(int64, []audit.Entry, audit.ChunkReader) (map[int64][]byte, error)) error {
	l.core.sealing.Lock()
	defer l.core.sealing.Unlock()
	return fail(tried, l.seal(ctx, l.core.q(), nil, limit, fn))
}

// seal reads by q and writes by t, or in a transaction of its own if t is nil.
func (l *Log) seal(ctx context.Context, q *db.Queries, t *tx, limit int, fn func(int64, []audit.Entry, audit.ChunkReader) (map[int64][]byte, error)) error {
	size, err := sizeOf(ctx, q)
	if err != nil {
		return err
	}
	rows, err := q.UnsealedRecords(ctx, int32(limit))
	entries, err := each(rows, err, entryOf)
	if err != nil || len(entries) == 0 {
		return err
	}
	chunks, err := fn(size, entries, func(n int64) ([]byte, error) { return chunkOf(ctx, q, n) })
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	store := func(ctx context.Context, t *tx) error { return placeEntries(ctx, t, size, ids, chunks) }
	if t != nil {
		return store(ctx, t)
	}
	return l.core.write(ctx, "store sealed audit records", store)
}

// placeEntries gives records their places, if the log still ends at size.
func placeEntries(ctx context.Context, t *tx, size int64, ids []string, chunks map[int64][]byte) error {
	now, err := sizeOf(ctx, t.Queries)
	if err != nil {
		return err
	}
	if now != size {
		return conflict("seal audit records")
	}
	n, err := t.exec(ctx, t.core.engine.sql(`UPDATE audit_records SET seq = $1 + CAST(j.key AS BIGINT) - {first}
FROM {list} WHERE audit_records.id = j.value AND audit_records.seq < 0`), size, encode(ids))
	if err != nil {
		return err
	}
	if n != int64(len(ids)) {
		return conflict("seal audit records")
	}
	for _, k := range sortedKeys(chunks) {
		if err := t.PutChunk(ctx, db.PutChunkParams{N: k, Hashes: chunks[k]}); err != nil {
			return err
		}
	}
	return nil
}
