package reconcile_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

// TestAnHourWithoutTheTicketSystem takes the ticket system away for an hour, in
// every way in which one goes. Grants end in time all the same; afterwards each
// note is on its ticket once, in its order, and soon.
func TestAnHourWithoutTheTicketSystem(t *testing.T) {
	const hour = time.Hour
	tests := []struct {
		name string
		away func(p *paper, from, till time.Time)
	}{
		{"it refuses every call", func(p *paper, _, till time.Time) { p.downTill = till }},
		{"it answers no call", func(p *paper, _, till time.Time) {
			p.latency = func() time.Duration { return max(time.Until(till), 0) }
		}},
		{"it takes notes and does not say so", func(p *paper, _, till time.Time) { p.fault = until(till, paperDoneLost) }},
		{"it takes notes when nobody waits for them any more", func(p *paper, _, till time.Time) { p.fault = until(till, paperLate) }},
		{"notes never arrive", func(p *paper, _, till time.Time) { p.fault = until(till, paperLost) }},
		{"all of that in turn", func(p *paper, from, till time.Time) {
			p.downTill = from.Add(15 * time.Minute)
			p.latency = func() time.Duration {
				if left := time.Until(from.Add(30 * time.Minute)); left > 0 && left < 15*time.Minute {
					return left
				}
				return 0
			}
			p.fault = func(call int) paperFault {
				return until(till, []paperFault{paperDoneLost, paperLate, paperLost}[call%3])(call)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
				ends := map[int64]access.Grant{} // by minutes
				for i, minutes := range []int64{5, 20, 58, 75} {
					g, err := w.submit(w.people[i%2], "t"+fmt.Sprint(1+i/2%2), []string{fake.Admin, fake.Helper}[i/2%2], []string{"1001", "1002"}[i%2], minutes)
					check(t, err)
					ends[minutes] = g
				}
				for _, g := range ends {
					w.until(g.ID, access.Active, 10*time.Second)
				}
				from := time.Now()
				w.paper.mu.Lock()
				tt.away(w.paper, from, from.Add(hour))
				w.paper.mu.Unlock()
				time.Sleep(hour)
				for minutes, g := range ends {
					if minutes > 60 {
						continue
					}
					now := w.grant(g.ID)
					if late := now.EndedAt.Sub(now.EndsAt()); now.EndedAt.IsZero() || late > 10*time.Second {
						t.Errorf("the grant of %d minutes is %s and ended %v late", minutes, w.state(g.ID), late)
					}
				}
				time.Sleep(3 * time.Minute) // what was tried last is in doubt for the grace
				w.noted(t, ends, 60)
				time.Sleep(15 * time.Minute)
				w.noted(t, ends, 75)
			})
		})
	}
}

func until(till time.Time, f paperFault) func(int) paperFault {
	return func(int) paperFault {
		if time.Now().Before(till) {
			return f
		}
		return paperFine
	}
}

// noted demands that the notes of the grants are there once, and in order.
// Those of more than limit minutes have not ended yet.
func (w *world) noted(t *testing.T, grants map[int64]access.Grant, limit int64) {
	t.Helper()
	w.paper.late.Wait()
	for minutes, g := range grants {
		keys := w.paper.keys(g.Ticket.ID)
		want := []string{"jitney:" + g.ID + ":granted:1"}
		if minutes <= limit {
			want = append(want, "jitney:"+g.ID+":ended:1")
		}
		got := slices.DeleteFunc(keys, func(key string) bool { return !slices.Contains(want, key) })
		if !slices.Equal(got, want) {
			t.Errorf("of the grant of %d minutes the ticket holds %v; want %v", minutes, got, want)
		}
	}
}

// TestANoteInDoubtAcrossTheOutageIsThereOnce loses the answer to the first try
// of a note, and then the whole system for longer than its grace, which ends
// while nobody can look.
func TestANoteInDoubtAcrossTheOutageIsThereOnce(t *testing.T) {
	for _, fault := range []paperFault{paperDoneLost, paperLate, paperLost} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, access.DefaultPolicy())
			defer w.close()
			w.paper.fault = func(call int) paperFault {
				if call == 1 {
					w.paper.downTill = time.Now().Add(10 * time.Minute) // the lock is held
					return fault
				}
				return paperFine
			}
			w.start()
			g, err := w.submit(w.people[0], "t1", fake.Admin, "1001", 5)
			check(t, err)
			time.Sleep(13 * time.Minute)
			w.noted(t, map[int64]access.Grant{5: g}, 5)
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, f := range w.faults {
				t.Error(f)
			}
		})
	}
}
