package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/store"
)

func TestAWriteThatFailsUndoesOnlyItself(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		broken := errors.New("on purpose")
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				names := []string{fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)}
				if i%7 == 0 {
					if err := s.WriteSettings(t.Context(), names, broken); !errors.Is(err, broken) {
						t.Errorf("write %d: %v", i, err)
					}
				} else if err := s.WriteSettings(t.Context(), names, nil); err != nil {
					t.Errorf("write %d: %v", i, err)
				}
			})
		}
		all.Wait()
		for i := range 200 {
			for _, name := range []string{fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)} {
				value, err := s.Rules.Setting(t.Context(), name)
				if err != nil || (value == "x") == (i%7 == 0) {
					t.Errorf("%s is %q, %v", name, value, err)
				}
			}
		}
	})
}

func TestAnEndedContextWritesNothing(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Rules.SetSetting(ctx, "name", "value"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if value, err := s.Rules.Setting(t.Context(), "name"); err != nil || value != "" {
			t.Errorf("%q, %v", value, err)
		}
	})
}

func TestAFullDiskIsNeverAGrantThatIsNotStored(t *testing.T) {
	s := open(t, sqliteFile(t))
	create(t, s, request("g0", "ann"))
	if err := s.ExecWriter(t.Context(), "PRAGMA max_page_count = 120"); err != nil {
		t.Fatal(err)
	}
	said, full := storeUntilItFails(t, s)
	if !full {
		t.Fatal("the disk never filled up")
	}
	stored, err := s.Grants.Find(t.Context(), access.GrantQuery{Limit: 10000})
	if err != nil || len(stored) != said+1 {
		t.Errorf("%d grants are stored and %d were said to be (%v)", len(stored)-1, said, err)
	}
	if err := s.ExecWriter(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	create(t, s, request("after", "ann"))
	if err := s.Health(t.Context()); err != nil {
		t.Errorf("health after there is room again: %v", err)
	}
}

// storeUntilItFails stores grants from several goroutines and counts those of
// which it was said that they are stored.
func storeUntilItFails(t *testing.T, s *store.Store) (said int, full bool) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for c := range 8 {
		all.Go(func() {
			for i := range 200 {
				n := request(fmt.Sprintf("c%d-%d", c, i), fmt.Sprintf("p%d-%d", c, i))
				_, err := s.Grants.Create(t.Context(), n)
				mu.Lock()
				if err == nil {
					said++
				} else {
					full = true
				}
				mu.Unlock()
				if err != nil {
					wantKind(t, err, access.Unavailable)
					return
				}
			}
		})
	}
	all.Wait()
	return said, full
}

func TestAReadOnlyDatabaseIsUnavailable(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		create(t, s, request("g0", "ann"))
		c, err := s.Credentials.Replace(t.Context(), access.Credential{Account: "account-g0", Place: "p", Sealed: []byte{1}, CreatedAt: t0})
		if err != nil {
			t.Fatal(err)
		}
		if s.Engine() == "sqlite" {
			if err := s.ExecWriter(t.Context(), "PRAGMA query_only = 1"); err != nil {
				t.Fatal(err)
			}
		} else {
			makeReadOnly(t, s)
		}
		_, err = s.Grants.Create(t.Context(), request("g1", "ann"))
		wantKind(t, err, access.Unavailable)
		_, err = s.Credentials.Take(t.Context(), "account-g0", c.Seq, access.Event{At: t0, Kind: access.EventRevealed})
		wantKind(t, err, access.Unavailable)
		wantKind(t, s.Log.Write(t.Context(), access.Event{At: t0, Kind: "x.y"}), access.Unavailable)
		wantKind(t, s.Health(t.Context()), access.Unavailable)
		if g, err := s.Grants.Find(t.Context(), access.GrantQuery{}); err != nil || len(g) != 1 {
			t.Errorf("reading goes on: %d, %v", len(g), err)
		}
	})
}

// makeReadOnly has s use one session of PostgreSQL from now on, in which nothing
// can be written. Of several, one that was busy with telling other replicas
// would stay as it is.
func makeReadOnly(t *testing.T, s *store.Store) {
	t.Helper()
	s.OneSession()
	if err := s.ExecWriter(t.Context(), "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"); err != nil {
		t.Fatal(err)
	}
}

func TestMigrationsRunOnceAndNeverBackwards(t *testing.T) {
	names(t, func(t *testing.T, empty maker) {
		name := empty(t)
		var all sync.WaitGroup
		for range 3 { // replicas that start at once
			all.Go(func() {
				s, err := store.Open(t.Context(), name)
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
		}
		all.Wait()
		s := open(t, name)
		create(t, s, request("g1", "ann"))
		if _, err := side(t, s).ExecContext(t.Context(), `INSERT INTO migrations (name, at) VALUES ('9999_of_tomorrow', 1)`); err != nil {
			t.Fatal(err)
		}
		newer, err := store.Open(t.Context(), name)
		if err == nil {
			t.Error("opened a database of a newer jitney")
			newer.Close()
		}
		wantKind(t, err, access.Conflict)
	})
}

func TestADataDirectoryIsLockedOnce(t *testing.T) {
	dir := t.TempDir()
	unlock, err := store.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Lock(dir)
	wantKind(t, err, access.Conflict)
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = store.Lock(dir); err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeIsHeardHereAndByOtherReplicas(t *testing.T) {
	names(t, func(t *testing.T, empty maker) {
		name := empty(t)
		here := open(t, name)
		heard, far := make(chan struct{}, 1000), make(chan struct{}, 1000)
		here.Accounts.OnChange(func() { heard <- struct{}{} })
		there := here
		if here.Engine() == "postgres" {
			there = open(t, name)
		}
		there.Accounts.OnChange(func() { far <- struct{}{} })
		deadline := time.After(2 * time.Minute)
		for i := 0; ; i++ { // until the other listens, and has heard one
			create(t, here, request(fmt.Sprint("g", i), "ann"))
			<-heard
			select {
			case <-far:
				return
			case <-time.After(50 * time.Millisecond):
			case <-deadline:
				t.Fatal("the other replica heard nothing")
			}
		}
	})
}
