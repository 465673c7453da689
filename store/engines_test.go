package store_test

import (
	"path/filepath"
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
type maker func(t *testing.T) string

func sqliteFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "jitney.db")
}

func postgresDatabase(t *testing.T) string {
	t.Helper()
	return lab.Postgres(t)
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
		f(t, postgresDatabase)
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
