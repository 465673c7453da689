package schedule

import (
	"context"
	"slices"
	"time"
)

// A group is what is known of one group while it has rows here or trouble.
type group[T any] struct {
	name    string
	running int
	queue   []*held[T] // claimed, waiting for their turn
	inRing  bool
	skipped bool // left out of the last claim although its breaker is closed
	breaker breaker
}

// A held row is one that we have leased.
type held[T any] struct {
	item      Item[T]
	group     *group[T]
	claimed   time.Time
	until     time.Time // the lease holds at least until then, by our clock
	cancel    context.CancelCauseFunc
	probe     bool
	lost      bool
	returning bool // a Return is on its way: a renewal that fails means nothing
}

// room reports how many rows to claim now, and of which groups none.
func (l *Loop[T]) room() (limit int, skip []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.alive {
		return 0, nil
	}
	now, ready := time.Now(), 0
	for _, g := range l.groups {
		g.skipped = g.running+len(g.queue) >= 2*l.cfg.PerGroup
		if g.skipped || g.breaker.open {
			skip = append(skip, g.name)
		}
		ready += min(len(g.queue), l.cfg.PerGroup-min(g.running, l.cfg.PerGroup))
		if g.forgettable(now) {
			delete(l.groups, g.name)
		}
	}
	// Claim ahead as many as run at once, in batches of at least half of that.
	if ready > l.cfg.Global/2 || l.running >= 16*l.cfg.Global {
		return 0, nil
	}
	slices.Sort(skip)
	return max(2*l.cfg.Global-min(l.counting, l.cfg.Global)-ready, 1), skip
}

// take queues claimed rows and starts what may start.
func (l *Loop[T]) take(items []Item[T], began time.Time, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog = full
	for _, it := range items {
		h := l.hold(it, began)
		if h == nil {
			continue
		}
		// Rows that cannot start soon are kept, because giving them back costs
		// as much as claiming them, but not without bound.
		tooMany := len(l.held) > 16*l.cfg.Global && len(h.group.queue) >= 2*l.cfg.PerGroup
		if h.group.breaker.open || tooMany {
			l.giveUnstarted(h)
			continue
		}
		h.group.queue = append(h.group.queue, h)
		l.ready(h.group)
	}
	l.startReady()
}

// hold notes a claimed row. It reports nil if an older call for the same row
// still runs here, having lost its lease: two at once there must never be.
func (l *Loop[T]) hold(it Item[T], began time.Time) *held[T] {
	l.stats.Claimed++
	h := &held[T]{item: it, group: l.groupOf(it.Group), claimed: time.Now(), until: began.Add(l.cfg.Lease)}
	if old := l.held[it.ID]; old != nil {
		l.giveLater(Return{Lease: it.Lease, In: time.Second, Attempts: it.Attempts}, nil)
		return nil
	}
	l.held[it.ID] = h
	return h
}

func (l *Loop[T]) groupOf(name string) *group[T] {
	g := l.groups[name]
	if g == nil {
		g = &group[T]{name: name}
		l.groups[name] = g
	}
	return g
}

// ready puts a group into the ring if one of its rows could start.
func (l *Loop[T]) ready(g *group[T]) {
	if !g.inRing && len(g.queue) > 0 && g.running < l.cfg.PerGroup && !g.breaker.open {
		g.inRing = true
		l.ring = append(l.ring, g)
	}
}

// startReady starts rows, one of each group in turn, while there are slots.
func (l *Loop[T]) startReady() {
	for len(l.ring) > 0 && l.counting < l.cfg.Global && l.running < 16*l.cfg.Global {
		g := l.ring[0]
		l.ring = l.ring[1:]
		g.inRing = false
		if len(g.queue) == 0 || g.running >= l.cfg.PerGroup || g.breaker.open || l.stopping {
			continue
		}
		h := g.queue[0]
		g.queue = g.queue[1:]
		if !h.lost {
			l.start(h)
		}
		l.ready(g)
	}
}

// handBack gives back what of a group has not started.
func (l *Loop[T]) handBack(g *group[T]) {
	for _, h := range g.queue {
		if !h.lost {
			l.giveUnstarted(h)
		}
	}
	g.queue = nil
}

// forgettable reports whether nothing about g is worth keeping.
func (g *group[T]) forgettable(now time.Time) bool {
	return g.running == 0 && len(g.queue) == 0 && !g.inRing && g.breaker.quiet(now)
}

// Stats reports what the loop did and does.
func (l *Loop[T]) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Running, s.Held = l.running, len(l.held)
	for _, g := range l.groups {
		if g.breaker.open {
			s.Open = append(s.Open, g.name)
		}
	}
	slices.Sort(s.Open)
	return s
}
