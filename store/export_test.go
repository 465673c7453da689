package store

import (
	"context"
	"database/sql"
	"time"

	"jitney/access"
	"jitney/store/db"
)

// DB opens another connection to the database of s, for tests that look at it
// or damage it.
func (s *Store) DB() (*sql.DB, error) {
	if s.core.engine.postgres {
		return sql.Open("pgx", s.core.url)
	}
	return sql.Open("sqlite", sqliteDSN(s.core.path, false))
}

// ExecWriter runs a statement on the one connection that writes to SQLite.
func (s *Store) ExecWriter(ctx context.Context, statement string) error {
	return s.core.write(ctx, "test", func(ctx context.Context, t *tx) error {
		_, err := t.on.ExecContext(ctx, statement)
		return err
	})
}

// OneSession has s use one connection from now on. It returns when the others
// are closed: some may be in use.
func (s *Store) OneSession() {
	for s.core.writes.SetMaxOpenConns(1); s.core.writes.Stats().OpenConnections > 1; {
		time.Sleep(time.Millisecond)
	}
}

// WriteSettings writes settings in one transaction, which then ends with err.
func (s *Store) WriteSettings(ctx context.Context, names []string, err error) error {
	return s.core.write(ctx, "test", func(ctx context.Context, t *tx) error {
		for _, name := range names {
			if err := t.PutSetting(ctx, db.PutSettingParams{Name: name, Value: "x"}); err != nil {
				return err
			}
		}
		return err
	})
}

// Wake wakes an account as a change of its business does.
func (a *Accounts) Wake(ctx context.Context, id string) error {
	return a.core.write(ctx, "test", func(ctx context.Context, t *tx) error { return a.wake(ctx, t, id) })
}

// Wake wakes work.
func (o *Outbox) Wake(ctx context.Context, id string) error {
	return o.core.write(ctx, "test", func(ctx context.Context, t *tx) error { return o.wake(ctx, t, id) })
}

// Statements are the statements of both schedules, by name.
func (s *Store) Statements() map[string]string {
	all := map[string]string{}
	for table, of := range map[string]statementsOf{"accounts": s.Accounts.text, "work": s.Outbox.text} {
		for name, text := range map[string]string{
			"claim": of.claimHead + of.claimTail, "probe": of.probe, "renew": of.renew, "give back": of.giveBack, "next": of.next + " ORDER BY next_at LIMIT 1",
			"hasten": of.hasten, "hasten all": of.hastenAll, "free": of.freed, "free all": of.freedAll, "wake": of.wake,
		} {
			all[name+" "+table] = text
		}
	}
	return all
}

// RecordSearch is the SELECT of Log.Records, and its values.
func RecordSearch(q access.RecordQuery) (string, []any) { return recordSearch(q) }
