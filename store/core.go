package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jitney/crashpoint"
	"jitney/store/db"
)

// A core is the open database as all parts of a Store share it.
type core struct {
	engine engine
	url    string // of PostgreSQL
	path   string // of SQLite
	writes *sql.DB
	reads  *sql.DB

	read   db.DBTX     // for reading
	kept   *statements // prepared on reads; nil on PostgreSQL, whose driver keeps its own
	queue  *queue      // of writes, on SQLite
	stamps stamps

	ahead   atomic.Int64 // microseconds that the database's clock is ahead of ours, as of the last claim; 0 where ours rules
	sealing sync.Mutex   // held by who seals audit records, on SQLite

	accounts changed         // who waits for wake-ups of accounts
	work     changed         // who waits for new work
	records  changed         // who waits for audit records to seal
	self     string          // tells this process from its replicas
	base     context.Context // ends when the store is closed
	stop     context.CancelFunc
	stopped  sync.WaitGroup
}

func newCore(e engine, url, path string, writes, reads *sql.DB) *core {
	c := &core{engine: e, url: url, path: path, writes: writes, reads: reads, read: reads, self: newID()}
	c.base, c.stop = context.WithCancel(context.Background())
	if !e.postgres {
		c.kept = newStatements(reads)
		c.read = c.kept
	}
	return c
}

// start begins what runs in the background until close.
func (c *core) start(ctx context.Context) error {
	if c.engine.postgres {
		c.accounts.far, c.work.far = make(chan struct{}, 1), make(chan struct{}, 1)
		c.stopped.Go(func() { c.listen(c.base) })
		return nil
	}
	q, err := newQueue(ctx, c.writes)
	if err != nil {
		return fail("open the database for writing", err)
	}
	c.queue = q
	return nil
}

func (c *core) close() error {
	c.stop()
	c.stopped.Wait()
	var err error
	if c.queue != nil {
		err = c.queue.close()
	}
	if c.kept != nil {
		err = errors.Join(err, c.kept.close())
	}
	err = errors.Join(err, c.reads.Close())
	if c.writes != c.reads {
		err = errors.Join(err, c.writes.Close())
	}
	return err
}

// q are the queries that read.
func (c *core) q() *db.Queries { return db.New(c.read) }

// write runs fn in a transaction, and reports nil only when that is durable.
// On PostgreSQL fn runs again when two transactions stood in each other's way.
// fn must not call write, and must do nothing but write.
func (c *core) write(ctx context.Context, tried string, fn func(context.Context, *tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var t *tx
	var err error
	if c.engine.postgres {
		t, err = c.writePostgres(ctx, fn)
	} else {
		t = &tx{core: c}
		err = c.queue.do(ctx, func(ctx context.Context, on *statements) error {
			*t = tx{core: c, on: on, Queries: db.New(on)}
			return fn(ctx, t)
		})
	}
	if err != nil {
		return fail(tried, err)
	}
	t.announce()
	return nil
}

func (c *core) writePostgres(ctx context.Context, fn func(context.Context, *tx) error) (*tx, error) {
	for try := 0; ; try++ {
		t, err := c.tryPostgres(ctx, fn)
		if err == nil || !isContended(err) || try == 9 {
			return t, err
		}
	}
}

func (c *core) tryPostgres(ctx context.Context, fn func(context.Context, *tx) error) (*tx, error) {
	began, err := c.writes.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer began.Rollback()
	t := &tx{core: c, on: began, Queries: db.New(began)}
	if err := fn(ctx, t); err != nil {
		return nil, err
	}
	crashpoint.At("store.commit.before")
	err = began.Commit()
	crashpoint.At("store.commit.after")
	return t, err
}

// A tx is a transaction under way.
type tx struct {
	core *core
	on   db.DBTX
	*db.Queries
	woke struct{ accounts, work, records bool }
}

func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := t.on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// announce tells those who wait for it what was committed.
func (t *tx) announce() {
	if t.woke.accounts {
		t.core.accounts.tell()
	}
	if t.woke.work {
		t.core.work.tell()
	}
	if t.woke.records {
		t.core.records.tell()
	}
}

// A changed calls those who want to know that something changed.
type changed struct {
	mu    sync.Mutex
	tells []func()
	far   chan struct{} // tells other replicas; nil if there are none
}

func (c *changed) add(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tells = append(c.tells, f)
}

// tell calls everybody here, and has the other replicas told.
func (c *changed) tell() {
	c.hear()
	select {
	case c.far <- struct{}{}:
	default: // nobody there, or a message is on its way already
	}
}

// hear calls everybody here.
func (c *changed) hear() {
	c.mu.Lock()
	tells := c.tells
	c.mu.Unlock()
	for _, f := range tells {
		f()
	}
}

// stamps makes instants in microseconds that grow by each call, so that what
// is written in one process is in the order in which it was written.
type stamps struct {
	mu   sync.Mutex
	last int64
}

func (s *stamps) next() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, time.Now().UnixMicro())
	return s.last
}

var sortable = base32.HexEncoding.WithPadding(base32.NoPadding)

// id makes random text that sorts by when it was made.
func (s *stamps) id() string {
	var b [18]byte
	binary.BigEndian.PutUint64(b[:], uint64(s.next()))
	_, _ = rand.Read(b[8:]) // never fails: see its documentation
	return strings.ToLower(sortable.EncodeToString(b[:]))
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func newID() string { return strings.ToLower(rand.Text()) }

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// due is t, an instant by our clock, as the clock that rules the schedule will
// show it; 0 if t is zero. Less than a second is taken for the way between them.
func (c *core) due(t time.Time) int64 {
	us, ahead := micros(t), c.ahead.Load()
	if us == 0 || span(ahead).Abs() < time.Second {
		return us
	}
	return us + ahead
}

func span(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// encode writes a list, a map or a struct as JSON; an empty list is empty text.
func encode[T any](v []T) string {
	if len(v) == 0 {
		return ""
	}
	return encodeAny(v)
}

func encodeAny(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // only types of ours that can be marshalled come here
		panic("store: " + err.Error())
	}
	return string(b)
}

func decode[T any](text string) (v T, err error) {
	if text == "" {
		return v, nil
	}
	return v, json.Unmarshal([]byte(text), &v)
}
