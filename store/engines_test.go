package store_test

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"jitney/lab"
	"jitney/store"
)

// engines runs f on an empty database of each engine.
func engines(t *testing.T, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	names(t, func(t *testing.T, empty maker) { f(t, open(t, empty(t))) })
}

// A maker names an empty database of one engine, a new one each time.
type maker func(t testing.TB) string

func sqliteFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "jitney.db")
}

// postgresSchema makes a schema of its own for a test, which is faster than a
// database.
func postgresSchema(t testing.TB) string {
	t.Helper()
	server, err := url.Parse(lab.PostgresServer(t))
	if err != nil {
		t.Fatal("the address of the server is no URL") // the error would print the password
	}
	admin, err := sql.Open("pgx", server.String())
	if err != nil {
		t.Fatal(err)
	}
	schema := "t_" + strings.ToLower(rand.Text())
	if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatalf("make a schema: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Errorf("drop the schema: %v", err)
		}
		if err := admin.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	q := server.Query()
	q.Set("search_path", schema)
	server.RawQuery = q.Encode()
	return server.String()
}

// names runs f with what makes databases of each engine.
func names(t *testing.T, f func(t *testing.T, empty maker)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, sqliteFile)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, postgresSchema)
	})
}

func open(t *testing.T, name string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), name)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// side is another connection to the database of s.
func side(t *testing.T, s *store.Store) *sql.DB {
	t.Helper()
	db, err := s.DB()
	if err != nil {
		t.Fatalf("open another connection: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}
