package reconcile

import (
	"slices"
	"sync"
	"time"
)

// Turns share the looks at tickets that a system affords in a minute among all
// tickets to be watched there. They live in memory: another replica begins
// anew, which delays a ticket and loses none.
type turns struct {
	mu sync.Mutex
	of map[string]*turn // by connection
}

type turn struct {
	last map[string]time.Time // when a name was in turn
	left float64              // looks
	at   time.Time
}

// take reports which names are in turn now, at most so many in a minute, or
// all if that is zero: those that have not been for the longest time, and
// urgent ones sooner.
func (t *turns) take(connection string, names []string, urgent func(string) bool, perMinute int, now time.Time) map[string]bool {
	if perMinute <= 0 {
		return set(names)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[string]*turn{}
	}
	mine := t.of[connection]
	if mine == nil {
		mine = &turn{last: map[string]time.Time{}, left: float64(perMinute), at: now}
		t.of[connection] = mine
	}
	mine.left = min(mine.left+now.Sub(mine.at).Minutes()*float64(perMinute), float64(perMinute))
	mine.at = now
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	slices.SortStableFunc(names, func(a, b string) int {
		return since(mine.last[a], urgent(a)).Compare(since(mine.last[b], urgent(b)))
	})
	names = names[:min(len(names), max(int(mine.left+0.5), 0))] // a round that comes a little early is one all the same
	mine.left -= float64(len(names))
	for name, at := range mine.last {
		if now.Sub(at) > 24*time.Hour { // nobody watches it any more
			delete(mine.last, name)
		}
	}
	for _, name := range names {
		mine.last[name] = now
	}
	return set(names)
}

// since is when a name was in turn, as it counts.
func since(last time.Time, urgent bool) time.Time {
	if urgent && !last.IsZero() {
		return last.Add(-urgency)
	}
	return last
}

// urgency is how much sooner something urgent is in turn.
const urgency = 10 * time.Minute

func set(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}
