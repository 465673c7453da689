package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"jitney/access"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate runs every migration that this database has not seen, in order, each
// in its own transaction. Only one process does so at a time.
func migrate(ctx context.Context, c *core) error {
	conn, err := c.writes.Conn(ctx)
	if err != nil {
		return fail("open the database", err)
	}
	defer conn.Close()
	if c.engine.postgres {
		// Held by the session, so that it goes with it, whatever happens.
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(hashtextextended('jitney migrations ' || current_schema(), 7717))`); err != nil {
			return fail("wait for others to migrate", err)
		}
		defer conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(hashtextextended('jitney migrations ' || current_schema(), 7717))`)
	}
	names, err := migrationNames()
	if err != nil {
		return err
	}
	done, err := migrated(ctx, conn)
	if err != nil {
		return fail("read which migrations were run", err)
	}
	for name := range done {
		if _, known := names[name]; !known {
			return tooNew(name)
		}
	}
	for _, name := range sortedKeys(names) {
		if done[name] {
			continue
		}
		if err := migrateOne(ctx, conn, name, names[name]); err != nil {
			return fail("run migration "+name, err)
		}
	}
	return nil
}

func tooNew(name string) error {
	return &access.Error{Kind: access.Conflict, Text: "This database was written by a newer version of jitney.",
		Hint: "Run that version or a newer one, or restore a copy of the database from before the update.",
		Err:  fmt.Errorf("the database has migration %q, which this binary does not know", name)}
}

// migrationNames reads the migrations of this binary: statements by name.
func migrationNames() (map[string]string, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(files))
	for _, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		names[strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")] = string(text)
	}
	return names, nil
}

// migrated reports the migrations that the database has.
func migrated(ctx context.Context, conn *sql.Conn) (map[string]bool, error) {
	if _, err := conn.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at BIGINT NOT NULL)`); err != nil {
		return nil, err
	}
	rows, err := conn.QueryContext(ctx, `SELECT name FROM migrations`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	done := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		done[name] = true
	}
	return done, rows.Err()
}

func migrateOne(ctx context.Context, conn *sql.Conn, name, text string) (err error) {
	begun, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, begun.Rollback())
		}
	}()
	r, err := begun.ExecContext(ctx, `INSERT INTO migrations (name, at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, time.Now().UnixMicro())
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, begun.Commit()) // another process was first
	}
	if _, err := begun.ExecContext(ctx, text); err != nil {
		return err
	}
	return begun.Commit()
}
