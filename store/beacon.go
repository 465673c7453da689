package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A beacon shows on PostgreSQL who lives: an advisory lock is held by a
// session, and gone the moment the session is. Its key is of one schema, so
// that several installations can share a server.
type beacon struct {
	core *core
}

// Hold implements [schedule.Beacon].
func (b *beacon) Hold(ctx context.Context, owner string) (<-chan struct{}, error) {
	conn, err := pgx.Connect(ctx, b.core.url)
	if err != nil {
		return nil, fail("connect to show that we live", err)
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('jitney owner ' || current_schema() || ' ' || $1::text, 7717))`, owner); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, fail("show that we live", err)
	}
	lost := make(chan struct{})
	b.core.stopped.Go(func() {
		defer close(lost)
		defer conn.Close(context.WithoutCancel(ctx))
		b.watch(ctx, conn)
	})
	return lost, nil
}

// watch returns when ctx or the connection has ended. It asks the server now
// and then, because a peer that vanished without a word looks like a quiet one.
func (b *beacon) watch(ctx context.Context, conn *pgx.Conn) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(b.core.base, stop)()
	for {
		quiet, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := conn.WaitForNotification(quiet) // nobody sends any
		cancel()
		if ctx.Err() != nil || conn.IsClosed() {
			return
		}
		if err == nil {
			continue
		}
		asked, cancel := context.WithTimeout(ctx, 5*time.Second)
		err = conn.Ping(asked)
		cancel()
		if err != nil {
			return
		}
	}
}

// Dead implements [schedule.Beacon].
func (b *beacon) Dead(ctx context.Context, self string) ([]string, error) {
	rows, err := b.core.reads.QueryContext(ctx, `WITH owners AS MATERIALIZED (
SELECT DISTINCT lease_owner AS owner FROM accounts WHERE lease_owner <> ''
UNION SELECT DISTINCT lease_owner FROM work WHERE lease_owner <> '')
SELECT owner FROM owners WHERE owner <> $1
AND pg_try_advisory_xact_lock_shared(hashtextextended('jitney owner ' || current_schema() || ' ' || owner, 7717))`, self)
	if err != nil {
		return nil, fail("look for dead replicas", err)
	}
	defer rows.Close()
	var dead []string
	for rows.Next() {
		var owner string
		if err := rows.Scan(&owner); err != nil {
			return nil, fail("look for dead replicas", err)
		}
		dead = append(dead, owner)
	}
	return dead, fail("look for dead replicas", rows.Err())
}

// listen hears of changes that other replicas made, and tells them ours, until
// ctx ends. What is missed while the connection is broken is found by looking,
// which the loops do anyway.
func (c *core) listen(ctx context.Context) {
	for ctx.Err() == nil {
		c.listenOnce(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (c *core) listenOnce(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	conn, err := pgx.Connect(ctx, c.url)
	if err != nil {
		return
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var channel string
	if conn.QueryRow(ctx, `SELECT 'jitney_' || current_schema()`).Scan(&channel) != nil {
		return
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return
	}
	c.accounts.hear() // of what happened before
	c.work.hear()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.shout(ctx, channel)
	}()
	defer func() { stop(); <-done }()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return
		}
		switch what, from, _ := strings.Cut(n.Payload, " "); {
		case from == c.self: // heard already
		case what == "accounts":
			c.accounts.hear()
		case what == "work":
			c.work.hear()
		}
	}
}

// shout tells other replicas what changed here, at most every few
// milliseconds: committing a notification makes commits wait for each other.
func (c *core) shout(ctx context.Context, channel string) {
	for {
		what := "accounts "
		select {
		case <-ctx.Done():
			return
		case <-c.accounts.far:
		case <-c.work.far:
			what = "work "
		}
		if _, err := c.writes.ExecContext(ctx, `SELECT pg_notify($1, $2)`, channel, what+c.self); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
