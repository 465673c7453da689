package store_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"jitney/access"
	"jitney/store"
)

// TestGrantsAreCountedByTheStateThatTheyHave compares the count, which is SQL,
// with what each grant says of itself.
func TestGrantsAreCountedByTheStateThatTheyHave(t *testing.T) {
	grants := map[string]func(*access.Grant){
		"not approved":                func(g *access.Grant) { g.ApprovedAt = time.Time{} },
		"denied, long ago":            func(g *access.Grant) { g.ApprovedAt, g.StoppedAt = time.Time{}, t0.Add(-time.Hour) },
		"being given":                 func(g *access.Grant) { g.StartBy = t0.Add(time.Minute) },
		"not given in time":           func(g *access.Grant) { g.StartBy = t0.Add(-time.Second) },
		"not given in time, long ago": func(g *access.Grant) { g.StartBy = t0.Add(-time.Hour) },
		"an hour, 11 minutes left":    func(g *access.Grant) { g.Duration, g.VerifiedAt = time.Hour, t0.Add(-49*time.Minute) },
		"an hour, 9 minutes left":     func(g *access.Grant) { g.Duration, g.VerifiedAt = time.Hour, t0.Add(-51*time.Minute) },
		"an hour and a half more, a third left": func(g *access.Grant) {
			g.Extension, g.Duration, g.VerifiedAt = 30*time.Minute, time.Hour, t0.Add(-time.Hour)
		},
		"12 hours, a sixth and a bit left": func(g *access.Grant) { g.Duration, g.VerifiedAt = 12*time.Hour, t0.Add(-599*time.Minute) },
		"12 hours, less than a sixth left": func(g *access.Grant) { g.Duration, g.VerifiedAt = 12*time.Hour, t0.Add(-601*time.Minute) },
		"12 minutes, 7 left":               func(g *access.Grant) { g.Duration, g.VerifiedAt = 12*time.Minute, t0.Add(-5*time.Minute) },
		"12 minutes, half left":            func(g *access.Grant) { g.Duration, g.VerifiedAt = 12*time.Minute, t0.Add(-6*time.Minute) },
		"12 minutes, 5 left":               func(g *access.Grant) { g.Duration, g.VerifiedAt = 12*time.Minute, t0.Add(-7*time.Minute) },
		"over now":                         func(g *access.Grant) { g.VerifiedAt = t0.Add(-g.Duration) },
		"over, a minute and a bit ago":     func(g *access.Grant) { g.VerifiedAt = t0.Add(-g.Duration - access.OverdueAfter - time.Second) },
		"the same, on a patient target": func(g *access.Grant) {
			g.Patience, g.VerifiedAt = time.Hour, t0.Add(-g.Duration-time.Minute-time.Second)
		},
		"stopped":                   func(g *access.Grant) { g.VerifiedAt, g.StoppedAt = t0.Add(-time.Minute), t0.Add(-time.Second) },
		"stopped, long ago":         func(g *access.Grant) { g.VerifiedAt, g.StoppedAt = t0.Add(-10*time.Minute), t0.Add(-5*time.Minute) },
		"blocked":                   func(g *access.Grant) { g.VerifiedAt, g.Blocked = t0.Add(-time.Hour), "purge refused" },
		"blocked, and wanted again": func(g *access.Grant) { g.VerifiedAt, g.Blocked = t0.Add(-time.Minute), "purge refused" },
		"ended":                     func(g *access.Grant) { g.VerifiedAt, g.EndedAt = t0.Add(-time.Hour), t0 },
	}
	engines(t, func(t *testing.T, s *store.Store) {
		want, n := map[access.State]int{}, 0
		for name, change := range grants {
			n++
			r := request(fmt.Sprint("g", n), fmt.Sprint("p", n))
			change(&r.Grant)
			g := create(t, s, r)
			g.Blocked = r.Grant.Blocked // nothing is blocked from the start
			if g.Blocked != "" {
				_, err := s.Grants.Update(t.Context(), g.ID, func(stored *access.Grant) ([]access.Event, error) {
					stored.Blocked = g.Blocked
					return nil, nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if state := g.State(t0); g.EndedAt.IsZero() {
				want[state]++
				t.Log(name, "is", state)
			}
		}
		c, err := s.Counts(t.Context(), t0)
		if err != nil || !maps.Equal(c.Grants, want) {
			t.Errorf("counted %v, %v\nwant    %v", c.Grants, err, want)
		}
	})
}
