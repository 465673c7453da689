// Package scheduletest holds the tests that every table of package schedule
// must pass, on every engine, and a table in memory that passes them.
//
// It never opens a database: a store hands its tables to [Run].
package scheduletest

import (
	"context"
	"slices"
	"testing"
	"time"

	"jitney/schedule"
)

// A Subject is one empty table under test.
type Subject[T any] struct {
	Table    schedule.Table[T]
	Recovery schedule.Recovery
	Beacon   schedule.Beacon // nil if the engine serves one process only
	Rows     Rows
	ID       func(T) string // the row's ID, as found in its content
}

// Rows does to the table what the rest of the program does.
type Rows interface {
	// Add adds a row that is due after in, overdue if that is negative.
	Add(t testing.TB, id, group string, in time.Duration)
	// Wake makes a row due because its business changed.
	Wake(t testing.TB, id string)
	// Peek reports what is stored about the schedule of a row.
	Peek(t testing.TB, id string) Row
}

// Run runs the suite. open makes a new, empty table each time.
func Run[T any](t *testing.T, open func(t *testing.T) Subject[T]) {
	tests := []struct {
		name string
		run  func(*suite[T])
	}{
		{"a row is claimed when it is due and not before", claimsWhatIsDue[T]},
		{"the longest due come first and a limit is kept", claimsInOrder[T]},
		{"groups that are skipped stay where they are", claimSkips[T]},
		{"a claim tells epoch, lateness, failures and content", claimTells[T]},
		{"a leased row is nobody else's until the lease runs out", leaseExcludes[T]},
		{"who lost a lease can neither renew nor return it", leaseFences[T]},
		{"a renewed lease lasts longer", renewLasts[T]},
		{"a returned row is due when its return says", returnSchedules[T]},
		{"a row woken while leased is due as soon as it is returned", wakeSurvivesLease[T]},
		{"a wake-up that races with a return is not lost", wakeRaces[T]},
		{"waking brings a row forward and never back", wakeBringsForward[T]},
		{"hastening brings failed rows of the group forward", hastens[T]},
		{"freeing an owner makes its rows due as they were", frees[T]},
		{"a probe takes one failed or due row of the group", probes[T]},
		{"next tells how long nothing is due", tellsNext[T]},
		{"many claimers share rows and none is claimed twice", claimsOnce[T]},
		{"an ended context stops every method", obeysContext[T]},
		{"an owner is dead when it no longer holds its beacon", beacon[T]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(&suite[T]{T: t, Subject: open(t), lease: lasting})
		})
	}
}

// A machine may be busy with other things for a while: a lease outlives that,
// and what is measured meanwhile is still told from what is not meant.
const (
	lasting = 10 * time.Minute
	slack   = 4 * time.Minute
)

type suite[T any] struct {
	*testing.T
	Subject[T]
	lease time.Duration
}

func (s *suite[T]) add(id, group string, in time.Duration) {
	s.Helper()
	s.Rows.Add(s, id, group, in)
}

// claim claims for an owner and reports the items by ID, in order.
func (s *suite[T]) claim(owner string, limit int, skip ...string) []schedule.Item[T] {
	s.Helper()
	items, err := s.Table.Claim(s.Context(), schedule.Claim{Owner: owner, For: s.lease, Limit: limit, Skip: skip})
	if err != nil {
		s.Fatalf("claim: %v", err)
	}
	return items
}

// claimed claims with a high limit and fails unless exactly want comes, in
// that order.
func (s *suite[T]) claimed(owner string, want ...string) []schedule.Item[T] {
	s.Helper()
	items := s.claim(owner, 100)
	s.expect(items, want...)
	return items
}

func (s *suite[T]) expect(items []schedule.Item[T], want ...string) {
	s.Helper()
	got := make([]string, 0, len(items))
	for _, it := range items {
		got = append(got, it.ID)
	}
	if !slices.Equal(got, want) {
		s.Fatalf("claimed %q, want %q", got, want)
	}
}

func (s *suite[T]) giveBack(rows ...schedule.Return) (lost []string) {
	s.Helper()
	lost, err := s.Table.Return(s.Context(), rows)
	if err != nil {
		s.Fatalf("return: %v", err)
	}
	return lost
}

// fail returns a row as failed n times, due far in the future.
func (s *suite[T]) fail(it schedule.Item[T], n int) {
	s.Helper()
	if lost := s.giveBack(schedule.Return{Lease: it.Lease, In: time.Hour, Attempts: n, Error: "no answer"}); len(lost) > 0 {
		s.Fatalf("lost %q on return", lost)
	}
}

// dueIn fails unless a row is due in about want.
func (s *suite[T]) dueIn(id string, want time.Duration) {
	s.Helper()
	r := s.Rows.Peek(s, id)
	if r.Never || r.Next < want-slack || r.Next > want+slack {
		s.Fatalf("row %s is due in %v (never: %v), want %v", id, r.Next, r.Never, want)
	}
}

// dueNow fails unless a row is due and free.
func (s *suite[T]) dueNow(id string) {
	s.Helper()
	if r := s.Rows.Peek(s, id); r.Never || r.Next > 0 || r.Owner != "" {
		s.Fatalf("row %s is due in %v (never: %v, owner %q), want it due and free", id, r.Next, r.Never, r.Owner)
	}
}

// eventually polls f for as long as a busy machine may need.
func (s *suite[T]) eventually(what string, f func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			s.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
