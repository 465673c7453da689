package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// objectInUse is PostgreSQL's code for a database that others are connected to.
const objectInUse = "55006"

// Postgres returns the URL of an empty database of its own on a PostgreSQL server, for this test only; it is dropped
// when the test ends. The server is started at first use, or is the one that JITNEY_TEST_POSTGRES names (its user must
// be allowed to create databases). LAB_FSYNC=on makes a started one flush to disk; without, it does not.
func Postgres(t testing.TB) string {
	t.Helper()
	server := PostgresServer(t)
	name := "t_" + strings.ToLower(rand.Text())[:16]
	admin(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("lab: JITNEY_TEST_POSTGRES is no URL") // the error would print the password
	}
	u.Path = "/" + name
	return u.String()
}

// PostgresServer returns the URL of the server's maintenance database, for tests that make databases themselves.
func PostgresServer(t testing.TB) string {
	t.Helper()
	if named := os.Getenv("JITNEY_TEST_POSTGRES"); named != "" {
		return named
	}
	env, err := once("postgres", func() (map[string]string, error) {
		if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) == 0 {
			if _, err := exec.LookPath("initdb"); err != nil {
				return nil, errors.New("no initdb found")
			}
		}
		var env []string
		if os.Getenv("LAB_FSYNC") == "" {
			env = append(env, "LAB_FSYNC=off")
		}
		return hold(env, "postgres", address(0), "5432")
	})
	if err != nil {
		missing(t, "PostgreSQL", err)
	}
	return env["JITNEY_TEST_POSTGRES"]
}

// admin runs one statement on the maintenance database, again while somebody is in the way: a server waits for five
// seconds until a backend that it ends has gone, which on a busy machine is not always enough.
func admin(t testing.TB, server, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("lab: connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	for {
		_, err := conn.Exec(ctx, sql)
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == objectInUse {
			continue
		}
		if err != nil {
			t.Fatalf("lab: %s: %v", sql, err)
		}
		return
	}
}
