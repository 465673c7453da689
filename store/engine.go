package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"jitney/access"
)

// An engine is what differs between SQLite and PostgreSQL: the few words of
// SQL that claim rows and tell the time, whose clock rules, and what errors
// look like.
type engine struct {
	name     string
	postgres bool
	words    *strings.Replacer
}

// $1 is the caller's time on SQLite, where the clock of the process rules. On
// PostgreSQL it is 0, and the statement's own time is added to it.
func sqlite() engine {
	return engine{name: "sqlite", words: strings.NewReplacer(
		"{now}", "$1", "{in}", "IN (", "{locked}", ")", "{random}", "(abs(random()) % 1000)",
		"{list}", "json_each($2) AS j", "{first}", "0")}
}

func postgres() engine {
	return engine{name: "postgres", postgres: true, words: strings.NewReplacer(
		"{now}", "($1::bigint + (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)",
		"{in}", "= ANY (ARRAY(", "{locked}", " FOR UPDATE SKIP LOCKED))", "{random}", "floor(random() * 1000)::bigint",
		"{list}", "json_array_elements_text($2::json) WITH ORDINALITY AS j(value, key)", "{first}", "1")}
}

// sql puts the engine's words into a statement.
func (e engine) sql(text string) string { return e.words.Replace(text) }

// clock is the first argument of statements that say {now}.
func (e engine) clock() int64 {
	if e.postgres {
		return 0
	}
	return time.Now().UnixMicro()
}

// sqliteDSN names a file with what makes it safe: a write-ahead log that is
// synced at every commit. Less than FULL could forget a commit after a power
// loss, and with it an account that was handed out.
func sqliteDSN(path string, readOnly bool) string {
	pragmas := []string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)"}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	} else {
		pragmas = append(pragmas, "cache_size(-16000)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)")
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate"
	for _, p := range pragmas {
		dsn += "&_pragma=" + p
	}
	return dsn
}

// fail says what an error of the database means for a caller. Errors that say
// so themselves, and those of an ended context, stay as they are.
func fail(tried string, err error) error {
	var known *access.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return notFound(tried)
	case isUnavailable(err):
		return &access.Error{Kind: access.Unavailable, Text: "The database cannot be used at the moment, so nothing was changed.",
			Hint: "Try again in a moment; if it stays like this, an administrator should look at the disk and the database.",
			Err:  fmt.Errorf("storage-unavailable: %s: %w", tried, err)}
	default:
		return fmt.Errorf("%s: %w", tried, err)
	}
}

func notFound(tried string) error {
	return &access.Error{Kind: access.NotFound, Text: "There is no such thing.", Err: fmt.Errorf("%s: %w", tried, sql.ErrNoRows)}
}

func conflict(tried string) error {
	return &access.Error{Kind: access.Conflict, Text: "Somebody else changed this a moment ago.",
		Hint: "Look at it again, then repeat what you wanted to do.", Err: errors.New(tried + ": the version is not the newest")}
}

// isUnique reports whether err says that a unique index already has the row.
func isUnique(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505"
	}
	if e, ok := errors.AsType[*sqlitedriver.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// isContended reports whether PostgreSQL gave up one of two transactions that
// stood in each other's way; it can be repeated as it is.
func isContended(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlitedriver.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// isUnavailable reports whether err says that storage is full, read-only,
// broken, busy or out of reach, rather than that a statement is wrong.
func isUnavailable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code[:2] {
		case "08", "53", "57", "58", "55", "40": // connection, resources, operator, system, not in that state, contention
			return true
		}
		return e.Code == "25006" // read-only
	}
	if e, ok := errors.AsType[*sqlitedriver.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
			sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM,
			sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL:
			return true
		}
		return false
	}
	_, network := errors.AsType[net.Error](err)
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return network || connecting || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errClosed)
}
