package store

import (
	"context"
	"database/sql"
)

// DB is the connection that writes; for tests that damage the database.
func (s *Store) DB() *sql.DB { return s.core.writes }

// ExecWriter runs a statement on the one connection that writes to SQLite.
func (s *Store) ExecWriter(ctx context.Context, statement string) error {
	return s.core.write(ctx, "test", func(ctx context.Context, t *tx) error {
		_, err := t.on.ExecContext(ctx, statement)
		return err
	})
}

// Fields of a store for the conformance tests of schedule, by table.
type Rows = statementsOf

// Wake wakes an account as a change of its business does.
func (a *Accounts) Wake(ctx context.Context, id string) error {
	return a.core.write(ctx, "test", func(ctx context.Context, t *tx) error { return a.wake(ctx, t, id) })
}

// Wake wakes work.
func (o *Outbox) Wake(ctx context.Context, id string) error {
	return o.core.write(ctx, "test", func(ctx context.Context, t *tx) error { return o.wake(ctx, t, id) })
}
