// Package store keeps everything that jitney must not forget, in a SQLite file
// or in PostgreSQL, with one schema and one set of queries for both.
//
// Every write is one transaction that holds what was done, its audit records
// and the wake-up of whom it concerns, or nothing of all that. Nothing is
// reported as stored before it is durable. An error that says that the
// database cannot be written or reached is an *access.Error of Kind
// access.Unavailable; a version that is not the newest is access.Conflict;
// what does not exist is access.NotFound.
//
// The package decides nothing: it knows no states, no rules and no rights, and
// it never sees a secret that is not sealed.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"jitney/schedule"
)

// A Store is an open database. Its fields are the same database, seen by those
// who need a part of it.
type Store struct {
	Grants      *Grants
	Credentials *Credentials
	People      *People
	Customers   *Customers
	Targets     *Targets
	Rules       *Rules
	Log         *Log
	Accounts    *Accounts
	Outbox      *Outbox
	Desk        *Desk
	Keys        *DataKeys
	Sessions    *Sessions
	Connections *Connections
	Tickets     *Tickets
	Tokens      *Tokens
	Pairings    *Pairings
	Issued      *Issued
	Orphans     *Orphans

	core *core
}

// Open opens a database and brings its schema up to date. A name that starts
// with "postgres://" or "postgresql://" is a PostgreSQL URL; any other is the
// path of a SQLite file, which is made if it is not there. A database that a
// newer jitney has written is refused.
func Open(ctx context.Context, name string) (*Store, error) {
	c, err := connect(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, c); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	s := &Store{core: c}
	s.Log = &Log{c}
	s.Accounts = newAccounts(c)
	s.Outbox = newOutbox(c)
	s.Grants = &Grants{core: c, accounts: s.Accounts}
	s.Credentials = &Credentials{core: c, accounts: s.Accounts}
	s.People = &People{c}
	s.Customers = &Customers{c}
	s.Targets = &Targets{c}
	s.Rules = &Rules{core: c, people: s.People}
	s.Desk = &Desk{c}
	s.Keys = &DataKeys{c}
	s.Sessions = &Sessions{c}
	s.Connections = &Connections{c}
	s.Tickets = &Tickets{core: c, grants: s.Grants}
	s.Tokens = &Tokens{c}
	s.Pairings = &Pairings{c}
	s.Issued = &Issued{c}
	s.Orphans = &Orphans{core: c, accounts: s.Accounts}
	return s, nil
}

// Close waits for writes that began and closes the database.
func (s *Store) Close() error { return s.core.close() }

// Engine reports "sqlite" or "postgres".
func (s *Store) Engine() string { return s.core.engine.name }

// Health reports why the database cannot be read and written now, or nil. It
// writes one small row.
func (s *Store) Health(ctx context.Context) error {
	at := fmt.Sprint(time.Now().UnixMicro())
	return s.core.write(ctx, "check the database", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO settings (name, value) VALUES ('health', $1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value`, at)
		return err
	})
}

// Beacon shows the replicas of a PostgreSQL database which of them are alive.
// It is nil on SQLite, which serves one process.
func (s *Store) Beacon() schedule.Beacon {
	if !s.core.engine.postgres {
		return nil
	}
	return &beacon{s.core}
}

// Size reports how many bytes a SQLite database takes on the disk, its log
// included, and 0 on PostgreSQL.
func (s *Store) Size() int64 {
	var sum int64
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(s.core.path + suffix); err == nil && s.core.path != "" {
			sum += info.Size()
		}
	}
	return sum
}

// connect opens the connections of an engine, and uses none.
func connect(ctx context.Context, name string) (*core, error) {
	if strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://") {
		db, err := sql.Open("pgx", name)
		if err != nil {
			return nil, fail("open the database", err)
		}
		db.SetMaxOpenConns(16)
		db.SetMaxIdleConns(16)
		if err := db.PingContext(ctx); err != nil {
			return nil, errors.Join(fail("open the database", err), db.Close())
		}
		return newCore(postgres(), name, "", db, db), nil
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, fail("open the database", err)
	}
	makePrivate(path)
	writer, err := sql.Open("sqlite", sqliteDSN(path, false))
	if err != nil {
		return nil, fail("open the database", err)
	}
	writer.SetMaxOpenConns(1)
	if err := firstContact(ctx, writer); err != nil {
		return nil, errors.Join(fail("open the database", err), writer.Close())
	}
	reader, err := sql.Open("sqlite", sqliteDSN(path, true))
	if err != nil {
		return nil, errors.Join(fail("open the database", err), writer.Close())
	}
	reader.SetMaxOpenConns(4)
	reader.SetMaxIdleConns(4)
	return newCore(sqlite(), "", path, writer, reader), nil
}

// makePrivate makes the empty file of a database, if there is none, so that
// only its owner can read it; SQLite itself would let everybody, and gives its
// log the rights of the file. It is made aside, because to close a file here
// would undo the locks that this process has on it. Where that cannot be done,
// the folder must be private.
func makePrivate(path string) {
	aside := path + "." + strings.ToLower(rand.Text()[:8])
	if _, err := os.Stat(path); err == nil {
		return
	}
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	file.Close()
	_ = os.Link(aside, path) // SQLite says what is wrong, if anything is
	os.Remove(aside)
}

// firstContact connects to a SQLite file. Two processes that make the same
// file stand in each other's way for a moment, which busy_timeout does not
// cover, because switching to a write-ahead log waits for nobody; so this waits
// for as long.
func firstContact(ctx context.Context, db *sql.DB) error {
	for try := 0; ; try++ {
		err := db.PingContext(ctx)
		if err == nil || !isBusy(err) || try == 500 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
