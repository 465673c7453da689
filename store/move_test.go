package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/store"
)

// movers are what leads elsewhere: a target, and a ticket system. Each move
// goes to a new place; at reports where it leads.
var movers = map[string]func(*store.Store) (move func(context.Context, string) error, at func(context.Context) (string, error)){
	"a target": func(s *store.Store) (func(context.Context, string) error, func(context.Context) (string, error)) {
		return func(ctx context.Context, to string) error {
				n, err := s.Targets.Target(ctx, "t1")
				if err != nil {
					return err
				}
				n.Settings = map[string]string{"place": to}
				_, err = s.Targets.MoveTarget(ctx, n, nil)
				return err
			}, func(ctx context.Context) (string, error) {
				n, err := s.Targets.Target(ctx, "t1")
				return n.Settings["place"], err
			}
	},
	"a ticket system": func(s *store.Store) (func(context.Context, string) error, func(context.Context) (string, error)) {
		return func(ctx context.Context, to string) error {
				n, err := s.Connections.Connection(ctx, "desk")
				if err != nil {
					return err
				}
				n.Settings = map[string]string{"place": to}
				_, err = s.Connections.MoveConnection(ctx, n, nil)
				return err
			}, func(ctx context.Context) (string, error) {
				n, err := s.Connections.Connection(ctx, "desk")
				return n.Settings["place"], err
			}
	},
}

func places(t *testing.T, s *store.Store) {
	t.Helper()
	if _, err := s.Targets.SaveTarget(t.Context(), access.Target{ID: "t1", Customer: "c1", Kind: "fake", Name: "T", CreatedAt: t0, Settings: map[string]string{"place": "old"}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Connections.SaveConnection(t.Context(), access.Connection{ID: "desk", Kind: "rt", Name: "D", CreatedAt: t0, Settings: map[string]string{"place": "old"}}, nil); err != nil {
		t.Fatal(err)
	}
}

// Whoever was told that access is asked for, and then found the old place, may
// open access there: so nobody may have moved it after that.
func TestNothingMovesAwayUnderAccessThatIsAskedForMeanwhile(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		places(t, s)
		db := side(t, s)
		for name, mover := range movers {
			move, at := mover(s)
			for i := range 3 {
				to := fmt.Sprint(name, i)
				var all sync.WaitGroup
				found, moved := "", error(nil)
				g := request(fmt.Sprint(name, "-", i), "ann")
				all.Go(func() {
					create(t, s, g)
					found, _ = at(t.Context())
				})
				all.Go(func() { moved = move(t.Context(), to) })
				all.Wait()
				if moved != nil && access.CodeOf(moved) != access.StillLive {
					t.Fatal(moved)
				}
				if moved == nil && found != to {
					t.Errorf("%s: access was asked for at %q, which then moved to %q", name, found, to)
				}
				if _, err := s.Grants.Update(t.Context(), g.Grant.ID, func(g *access.Grant) ([]access.Event, error) {
					g.StoppedAt = t0
					return nil, nil
				}); err != nil {
					t.Fatal(err)
				}
				wantKind(t, move(t.Context(), "elsewhere"), access.Conflict) // it is stopped, and not ended yet
				if _, err := db.ExecContext(t.Context(), "UPDATE grants SET ended_at = 1"); err != nil {
					t.Fatal(err)
				}
				if err := move(t.Context(), to+" again"); err != nil {
					t.Errorf("%s: after the end: %v", name, err)
				}
			}
		}
	})
}

// On PostgreSQL two transactions run at once: a move must wait for a request
// that is being stored, and see it.
func TestAMoveWaitsForARequestThatIsBeingStored(t *testing.T) {
	for name, mover := range movers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, postgresSchema(t))
			places(t, s)
			move, _ := mover(s)
			db := side(t, s)
			held, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var holder int
			if err := held.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&holder); err != nil {
				t.Fatal(err)
			}
			if _, err := held.ExecContext(t.Context(), "LOCK TABLE audit_records IN EXCLUSIVE MODE"); err != nil { // so that the request stays in its transaction
				t.Fatal(err)
			}
			var created, moved error
			var all sync.WaitGroup
			defer all.Wait()
			defer held.Rollback()
			all.Go(func() { _, created = s.Grants.Create(t.Context(), request("g1", "ann")) })
			creator := waitsFor(t, db, holder, nil)
			done := make(chan struct{})
			all.Go(func() { moved = move(t.Context(), "new"); close(done) })
			waitsFor(t, db, creator, done)
			if err := held.Rollback(); err != nil {
				t.Fatal(err)
			}
			all.Wait()
			if created != nil || access.CodeOf(moved) != access.StillLive {
				t.Errorf("stored: %v; moved: %v", created, moved)
			}
		})
	}
}

// waitsFor reports which process of PostgreSQL waits for process pid, once there
// is one, or done is closed.
func waitsFor(t *testing.T, on *sql.DB, pid int, done <-chan struct{}) (waits int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		err := on.QueryRowContext(t.Context(), "SELECT pid FROM pg_stat_activity WHERE $1::int = ANY(pg_blocking_pids(pid)) LIMIT 1", pid).Scan(&waits)
		if err == nil {
			return waits
		}
		if !errors.Is(err, sql.ErrNoRows) {
			t.Fatal(err)
		}
		select {
		case <-done:
			return 0
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Fatal("nobody waits")
	return 0
}
