package scheduletest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"jitney/schedule"
)

func tellsNext[T any](s *suite[T]) {
	next := func(skip ...string) (time.Duration, bool) {
		s.Helper()
		d, ok, err := s.Table.Next(s.Context(), skip)
		if err != nil {
			s.Fatalf("next: %v", err)
		}
		return d, ok
	}
	near := func(d, want time.Duration) bool { return d > want-slack && d <= want }

	if d, ok := next(); ok {
		s.Errorf("an empty table is due in %v", d)
	}
	s.add("late", "g1", time.Hour)
	if d, ok := next(); !ok || !near(d, time.Hour) {
		s.Errorf("next in %v %v, want 1h", d, ok)
	}
	s.add("soon", "g2", 10*time.Minute)
	if d, ok := next(); !ok || !near(d, 10*time.Minute) {
		s.Errorf("next in %v %v, want 10m", d, ok)
	}
	if d, ok := next("g2"); !ok || !near(d, time.Hour) {
		s.Errorf("next but for a group in %v %v, want 1h", d, ok)
	}
	if d, ok := next("g1", "g2"); ok {
		s.Errorf("nothing but skipped groups, and due in %v", d)
	}
	s.Rows.Wake(s, "late")
	if d, ok := next(); !ok || d > 0 {
		s.Errorf("next in %v %v, want now", d, ok)
	}
	s.claimed("a", "late")
	if d, ok := next("g2"); !ok || !near(d, s.lease) {
		s.Errorf("next in %v %v, want when the lease runs out", d, ok)
	}
}

func claimsOnce[T any](s *suite[T]) {
	const rows, claimers = 120, 6
	for i := range rows {
		s.add(fmt.Sprintf("r%03d", i), fmt.Sprintf("g%d", i%3), -time.Second)
	}
	var (
		mu    sync.Mutex
		taken = map[string]string{}
		all   sync.WaitGroup
	)
	for c := range claimers {
		owner := fmt.Sprintf("owner%d", c)
		all.Go(func() {
			for empty := 0; empty < 3; {
				items, err := s.Table.Claim(context.WithoutCancel(s.Context()), schedule.Claim{Owner: owner, For: lasting, Limit: 7})
				if err != nil {
					s.Errorf("claim: %v", err)
					return
				}
				if len(items) == 0 {
					empty++
				}
				mu.Lock()
				for _, it := range items {
					if other, twice := taken[it.ID]; twice {
						s.Errorf("%s claimed by %s and %s", it.ID, other, owner)
					}
					taken[it.ID] = owner
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(taken) != rows {
		s.Errorf("claimed %d of %d rows", len(taken), rows)
	}
}

func obeysContext[T any](s *suite[T]) {
	s.add("r", "g1", -time.Second)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.Table.Claim(ctx, schedule.Claim{Owner: "a", For: time.Minute, Limit: 1}); err == nil {
		s.Error("claim did not fail")
	}
	if _, _, err := s.Table.Probe(ctx, "a", "g1", time.Minute); err == nil {
		s.Error("probe did not fail")
	}
	if _, _, err := s.Table.Next(ctx, nil); err == nil {
		s.Error("next did not fail")
	}
	s.claimed("b", "r")
}

func beacon[T any](s *suite[T]) {
	if s.Beacon == nil {
		return // one process only: nobody else to watch
	}
	dead := func() []string {
		s.Helper()
		owners, err := s.Beacon.Dead(s.Context(), "watcher")
		if err != nil {
			s.Fatalf("dead: %v", err)
		}
		return owners
	}
	ctx, stop := context.WithCancel(s.Context())
	defer stop()
	lost, err := s.Beacon.Hold(ctx, "a")
	if err != nil {
		s.Fatalf("hold: %v", err)
	}
	s.add("held", "g1", -time.Second)
	s.claimed("a", "held")
	s.add("own", "g1", -time.Second)
	s.claimed("watcher", "own")
	if got := dead(); len(got) > 0 {
		s.Errorf("dead %q, want none", got)
	}
	s.add("orphan", "g1", -time.Second)
	s.claimed("ghost", "orphan")
	s.eventually("an owner that never held is found", func() bool { return slices.Equal(dead(), []string{"ghost"}) })
	if _, err := s.Recovery.Free(s.Context(), "ghost"); err != nil {
		s.Fatalf("free: %v", err)
	}
	if got := dead(); len(got) > 0 {
		s.Errorf("dead %q after it was freed, want none", got)
	}
	stop()
	select {
	case <-lost:
	case <-time.After(2 * time.Minute):
		s.Fatal("the beacon was not let go")
	}
	s.eventually("an owner that let go is found", func() bool { return slices.Equal(dead(), []string{"a"}) })
}
