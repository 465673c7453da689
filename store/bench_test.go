package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store"
)

// benchmarks runs f on an empty database of each engine.
func benchmarks(b *testing.B, f func(b *testing.B, s *store.Store)) {
	for name, empty := range map[string]func(testing.TB) string{"sqlite": sqliteFile, "postgres": postgresSchema} {
		b.Run(name, func(b *testing.B) {
			s, err := store.Open(b.Context(), empty(b))
			if err != nil {
				b.Fatal(err)
			}
			f(b, s)
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkCreate stores grants with their account, audit record and schedule,
// from 16 callers at once.
func BenchmarkCreate(b *testing.B) {
	benchmarks(b, func(b *testing.B, s *store.Store) {
		var next atomic.Int64
		parallel(b, 16, func(ctx context.Context) error {
			id := fmt.Sprint("g", next.Add(1))
			n := request(id, id)
			_, err := s.Grants.Create(ctx, n)
			return err
		})
	})
}

// BenchmarkEnd claims accounts and records the end of their grants, as a storm
// of ends does, from 64 handlers.
func BenchmarkEnd(b *testing.B) {
	benchmarks(b, func(b *testing.B, s *store.Store) {
		b.StopTimer()
		var next atomic.Int64
		parallel(b, 64, func(ctx context.Context) error {
			id := fmt.Sprint("g", next.Add(1))
			_, err := s.Grants.Create(ctx, request(id, id))
			return err
		})
		b.ResetTimer()
		b.StartTimer()
		items := make(chan schedule.Item[access.Case], 256)
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for it := range items {
					if err := end(b.Context(), s, it); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for done := 0; done < b.N; {
			claimed, err := s.Accounts.Claim(b.Context(), schedule.Claim{Owner: "me", For: time.Minute, Limit: 256})
			if err != nil {
				b.Fatal(err)
			}
			for _, it := range claimed {
				items <- it
			}
			done += len(claimed)
		}
		close(items)
		all.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ends/s")
	})
}

func end(ctx context.Context, s *store.Store, it schedule.Item[access.Case]) error {
	now := time.Now()
	c := access.Change{Account: it.Value.Account, DropSeq: 1, Done: true}
	c.Account.Seen = access.Observation{At: now, Exists: true, Facts: []access.Fact{{Name: "Domain Admins", Found: "not a member", Clean: true}}}
	for _, g := range it.Value.Grants {
		g.EndedAt = now
		c.Grants = append(c.Grants, g)
		c.Events = append(c.Events, access.Event{At: now, Kind: access.EventEnded, Actor: "jitney", Customer: g.Customer, Grant: g.ID, Subject: g.Target, Text: "Read back as gone (expired)."})
		c.Notes = append(c.Notes, access.Note{Key: "jitney:" + g.ID + ":ended:1", Grant: g.ID, Ticket: g.Ticket, Subject: "Access ended", Body: "The access was removed and read back as gone."})
	}
	return s.Accounts.Record(ctx, it.Lease, c)
}

// parallel runs f b.N times from several goroutines.
func parallel(b *testing.B, callers int, f func(context.Context) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "/s")
}
