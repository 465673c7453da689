package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// kind is the kind of target that the benchmark has.
const kindName = "bench"

// A sink is every target of a benchmark: accounts are there until removed, and
// a removal takes a while. It remembers when each began and was done.
type sink struct {
	takes time.Duration
	log   io.Writer // a line for each removal that was done; nil for none

	mu       sync.Mutex
	began    map[string]time.Time // first try
	done     map[string]time.Time // first success
	twice    int
	silence  int // calls into an outage
	down     bool
	returned time.Time
}

func newSink(takes time.Duration) *sink {
	return &sink{takes: takes, began: map[string]time.Time{}, done: map[string]time.Time{}}
}

var silent = &access.Error{Kind: access.Unavailable, Text: "The target does not answer."}

// Observe shows an account as loaded, or as removed.
func (s *sink) Observe(_ context.Context, a access.Account) (access.Observation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		s.silence++
		return access.Observation{}, silent
	}
	o := access.Observation{At: time.Now().UTC(), Exists: true, Username: "user-msp", ObjectID: a.ID,
		Facts: []access.Fact{{Name: "Domain Admins", Found: "not a member", Clean: true}, {Name: "Account", Found: "disabled", Clean: true}}}
	if _, gone := s.done[a.ID]; !gone {
		o.Enabled, o.Entitlements = true, []string{"admin"}
	}
	return o, nil
}

// Apply is never called: every grant is loaded as given.
func (s *sink) Apply(context.Context, access.Account, access.Want, secret.Text) error { return nil }

// Remove takes its time.
func (s *sink) Remove(_ context.Context, a access.Account) error {
	s.mu.Lock()
	if _, again := s.began[a.ID]; !again {
		s.began[a.ID] = time.Now()
	}
	down := s.down
	if down {
		s.silence++
	}
	s.mu.Unlock()
	if down {
		return silent
	}
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.log != nil {
		fmt.Fprintln(s.log, a.ID, now.UnixMicro())
	}
	if _, again := s.done[a.ID]; again {
		s.twice++
		return nil
	}
	s.done[a.ID] = now
	return nil
}

// setDown makes the sink answer nothing, or answer again.
func (s *sink) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	if !down {
		s.returned = time.Now()
	}
}

func (s *sink) doneCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.done)
}

// last is when the last removal was done.
func (s *sink) last() (t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.done {
		if d.After(t) {
			t = d
		}
	}
	return t
}

// lateness is how long after its end each removal began.
func (s *sink) lateness(end func(id string) time.Time) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]time.Duration, 0, len(s.began))
	for id, t := range s.began {
		all = append(all, t.Sub(end(id)))
	}
	return all
}

// kind describes the sink.
func (s *sink) kind() target.Kind {
	line := func(a access.Account, _ string) string { return "The tech account " + a.Username + " was changed" }
	return target.Kind{Name: kindName, Title: "Benchmark", Shared: true, GrantNote: line, EndNote: line,
		Entitlements: target.Offer(target.Entitlement{Name: "admin", Title: "Administrator"}),
		Username:     func(target.Settings, access.Holder) string { return "user-msp" },
		Open:         func(context.Context, string, target.Settings) (target.System, error) { return s, nil }}
}

// at is the value below which p of all lie.
func at(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[min(int(p*float64(len(all))), len(all)-1)]
}

// ms writes a length of time in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
