package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"jitney/crashpoint"
)

var errClosed = errors.New("the database is closed")

// A queue lets one goroutine write to SQLite, for all others. What waits is
// written in one transaction with one sync of the disk, and nobody hears of
// success before that sync. A closure that fails undoes only itself: if it had
// changed something, the transaction is undone and the others run again, each
// behind a savepoint. That happens rarely, and savepoints cost every time.
type queue struct {
	db   *sql.DB
	conn *sql.Conn
	on   *statements

	waiting chan *write
	mu      sync.RWMutex // held by who sends, so that close knows when nobody does
	closed  bool
	done    chan struct{}

	synced time.Duration // how long the last commit took
}

type write struct {
	ctx  context.Context
	fn   func(context.Context, *statements) error
	err  error
	done chan struct{}
}

const (
	maxBatch   = 512                   // closures of one transaction
	maxHold    = 10 * time.Millisecond // for which a transaction takes more of them
	maxLinger  = 2 * time.Millisecond  // to wait for more, when syncing is slow and others write too
	slowCommit = time.Millisecond
)

func newQueue(ctx context.Context, db *sql.DB) (*queue, error) {
	q := &queue{db: db, waiting: make(chan *write, maxBatch), done: make(chan struct{})}
	if err := q.connect(ctx); err != nil {
		return nil, err
	}
	go q.run()
	return q, nil
}

func (q *queue) connect(ctx context.Context) error {
	conn, err := q.db.Conn(ctx)
	if err != nil {
		return err
	}
	q.conn, q.on = conn, newStatements(conn)
	q.on.sole = true
	return nil
}

// do has fn run in a transaction and waits until that is durable. fn may not
// be interrupted, so the context that it gets never ends.
func (q *queue) do(ctx context.Context, fn func(context.Context, *statements) error) error {
	w := &write{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := q.send(w); err != nil {
		return err
	}
	<-w.done // also if ctx ends: it is a matter of milliseconds, and whoever asked learns what became of it
	return w.err
}

func (q *queue) send(w *write) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return errClosed
	}
	q.waiting <- w
	return nil
}

func (q *queue) close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	close(q.waiting)
	q.mu.Unlock()
	<-q.done
	return errors.Join(q.on.close(), q.conn.Close())
}

func (q *queue) run() {
	defer close(q.done)
	batch := make([]*write, 0, maxBatch)
	crowd := false // whether the last batch had more than one
	for first := range q.waiting {
		batch = q.transact(append(batch[:0], first), crowd)
		crowd = len(batch) > 1
		for _, w := range batch {
			close(w.done)
		}
	}
}

// transact writes a batch, taking in what comes while it works, and leaves in
// each write what became of it.
func (q *queue) transact(batch []*write, crowd bool) []*write {
	ctx := context.Background()
	began := time.Now()
	broken := q.begin(ctx)
	for next := batch[0]; broken == nil; {
		if q.run1(ctx, next); next.err != nil && q.on.wrote {
			broken = q.again(ctx, batch)
			break
		}
		if len(batch) >= maxBatch || time.Since(began) > maxHold {
			break
		}
		if next = q.more(began, crowd); next == nil {
			break
		}
		batch = append(batch, next)
	}
	if broken == nil {
		start := time.Now()
		crashpoint.At("store.commit.before")
		_, broken = q.on.ExecContext(ctx, "COMMIT")
		crashpoint.At("store.commit.after")
		q.synced = time.Since(start)
	}
	if broken == nil {
		return batch
	}
	// The engine may have rolled back by itself; then there is nothing to undo.
	_, _ = q.on.ExecContext(ctx, "ROLLBACK")
	for _, w := range batch {
		if w.err == nil {
			w.err = broken
		}
	}
	return batch
}

// run1 runs one closure, and notes whether it changed anything.
func (q *queue) run1(ctx context.Context, w *write) {
	if w.err = w.ctx.Err(); w.err != nil {
		return
	}
	q.on.wrote = false
	w.err = w.fn(ctx, q.on)
}

// again undoes the transaction and runs the closures of a batch once more, but
// for those that failed. The error that it reports has broken them all.
func (q *queue) again(ctx context.Context, batch []*write) error {
	// A full disk has rolled back by itself, which shows when the next begins.
	_, _ = q.on.ExecContext(ctx, "ROLLBACK")
	if err := q.begin(ctx); err != nil {
		return err
	}
	for _, w := range batch {
		if w.err != nil {
			continue
		}
		if _, err := q.on.ExecContext(ctx, "SAVEPOINT one"); err != nil {
			return err
		}
		if q.run1(ctx, w); w.err != nil {
			if _, err := q.on.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
				return fmt.Errorf("undo after %w: %w", w.err, err)
			}
		}
		if _, err := q.on.ExecContext(ctx, "RELEASE one"); err != nil {
			return err
		}
	}
	return nil
}

// more takes the next write that waits. When a sync is expensive and others
// are about to write, it lingers for them.
func (q *queue) more(began time.Time, crowd bool) *write {
	select {
	case w := <-q.waiting:
		return w // nil if the queue is closed
	default:
	}
	left := min(q.synced, maxLinger) - time.Since(began)
	if !crowd || q.synced < slowCommit || left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case w := <-q.waiting:
		return w
	case <-timer.C:
		return nil
	}
}

// begin starts a transaction, on a new connection if the old one is lost.
func (q *queue) begin(ctx context.Context) error {
	_, err := q.on.ExecContext(ctx, "BEGIN IMMEDIATE")
	if !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	_ = q.conn.Close() // it is lost already
	if err := q.connect(ctx); err != nil {
		return err
	}
	_, err = q.on.ExecContext(ctx, "BEGIN IMMEDIATE")
	return err
}
