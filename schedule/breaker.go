package schedule

import (
	"context"
	"errors"
	"time"

	"jitney/access"
)

// A breaker keeps a group's rows from knocking all at once on something that
// does not answer. While it is open none of them is claimed, but for one probe
// every few seconds, however far its own back-off had got.
type breaker struct {
	open     bool
	failures int       // in a row
	probes   int       // running now
	probeAt  time.Time // when the next one starts
	workedAt time.Time // last answer
	troubled bool      // rows failed since they were last hastened
	hastenAt time.Time // when to hasten them; zero if nothing worked since
	hastened time.Time
	again    bool // hasten once more: rows that failed last may not have been written then
}

// maxProbes bounds how many probes of one group may hang at once.
const maxProbes = 3

// worked notes that the group answers. It reports whether that closed it.
func (b *breaker) worked(now time.Time, every time.Duration) (closed bool) {
	closed = b.open
	b.open, b.failures, b.workedAt = false, 0, now
	b.again = b.again || closed
	if b.troubled && b.hastenAt.IsZero() {
		b.hastenAt = now
		if !closed {
			b.hastenAt = b.hastenSoon(now, every)
		}
	}
	return closed
}

// hastenSoon reports when to hasten a group of which some rows always fail:
// that must not go on without a pause.
func (b *breaker) hastenSoon(now time.Time, every time.Duration) time.Time {
	soon := now.Add(100 * time.Millisecond) // what just failed must be written by then
	if soonest := b.hastened.Add(2 * every); soonest.After(soon) {
		return soonest
	}
	return soon
}

// failed notes that the group did not answer a call that began at began, and
// asked for a pause of later. It reports whether that opened it.
func (b *breaker) failed(began, now time.Time, every, later time.Duration, limit int) (opened bool) {
	b.troubled = true
	if !b.open && later == 0 && b.workedAt.After(began) {
		b.hastenAt = b.hastenSoon(now, every) // old news: it answered others since
		return false
	}
	b.failures++
	b.hastenAt = time.Time{}
	if b.open || b.failures < limit && later == 0 {
		b.probeAt = pushed(b.probeAt, now, later)
		return false
	}
	b.open = true
	b.probeAt = pushed(now.Add(every), now, later)
	return true
}

// pushed moves at back to now+later if that is later.
func pushed(at, now time.Time, later time.Duration) time.Time {
	if t := now.Add(later); later > 0 && t.After(at) {
		return t
	}
	return at
}

// quiet reports whether b can be forgotten.
func (b *breaker) quiet(now time.Time) bool {
	return now.Sub(b.hastened) > time.Minute && !b.open && b.failures == 0 && !b.troubled && b.hastenAt.IsZero()
}

// due reports when the breaker wants something to be done; zero for never.
func (b *breaker) due() time.Time {
	if b.open && b.probes < maxProbes {
		return b.probeAt
	}
	return b.hastenAt
}

// unavailable reports whether err says that the group does not answer.
func unavailable(ctx context.Context, err error) bool {
	return access.KindOf(err) == access.Unavailable ||
		errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil
}

// laterOf reports the pause that err asks for, within bounds; 0 for none.
func laterOf(err error) time.Duration {
	var l interface{ RetryAfter() time.Duration }
	if !errors.As(err, &l) {
		return 0
	}
	return min(max(l.RetryAfter(), 0), maxLater)
}

// breakers are the part of a loop that minds the breakers of its groups.
type breakers[T any] struct{ *Loop[T] }

// probeOpen starts the probes that are due.
func (l breakers[T]) probeOpen(ctx context.Context) {
	for _, name := range l.dueGroups(func(b *breaker) bool { return b.open && b.probes < maxProbes }) {
		began := time.Now()
		it, ok, err := l.table.Probe(ctx, l.cfg.Owner, name, l.cfg.Lease)
		if err != nil {
			l.refused(ctx, "probe", err)
			continue
		}
		l.probe(name, it, ok, began)
	}
}

func (l breakers[T]) probe(name string, it Item[T], ok bool, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groupOf(name)
	if !ok {
		// Nothing of the group waits here any more, so there is nothing to
		// hold back; a probe that still runs will tell.
		if g.breaker.probes == 0 {
			l.closed(g)
		}
		return
	}
	if h := l.hold(it, began); h != nil {
		h.probe = true
		g.breaker.probes++
		l.start(h)
	}
}

// hastenTroubled brings forward the failed rows of groups that answer again.
func (l breakers[T]) hastenTroubled(ctx context.Context) {
	due := l.dueGroups(func(b *breaker) bool { return !b.open && !b.hastenAt.IsZero() })
	for _, name := range due {
		if l.cfg.Recovery == nil {
			continue
		}
		if _, err := l.cfg.Recovery.Hasten(ctx, name); err != nil {
			l.refused(ctx, "hasten", err)
			l.mu.Lock()
			b := &l.groupOf(name).breaker
			b.troubled, b.hastenAt = true, time.Now().Add(l.cfg.MaxSleep)
			l.mu.Unlock()
		}
	}
}

// dueGroups reports the groups whose breaker wants something now and fits, and
// notes that it is being done.
func (l breakers[T]) dueGroups(fits func(*breaker) bool) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	now := time.Now()
	for _, g := range l.groups {
		b := &g.breaker
		if at := b.due(); !fits(b) || at.IsZero() || at.After(now) {
			continue
		}
		names = append(names, g.name)
		if b.open {
			b.probeAt = now.Add(l.cfg.ProbeEvery)
		} else {
			b.troubled, b.hastenAt, b.hastened = false, time.Time{}, now
			if b.again {
				b.again, b.hastenAt = false, now.Add(l.cfg.ProbeEvery)
			}
		}
	}
	return names
}

// sleep reports how long to sleep, at most d: breakers may want less.
func (l *Loop[T]) sleep(d time.Duration) time.Duration {
	d = min(d, l.cfg.MaxSleep)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.groups {
		if at := g.breaker.due(); !at.IsZero() {
			d = min(d, time.Until(at))
		}
	}
	return max(d, 0)
}

// opened and closed tell about a breaker and act on it; l.mu is held.
func (l *Loop[T]) opened(g *group[T], err error) {
	l.cfg.Log.Warn("no answer: holding back but for probes", "group", g.name, "err", err)
	l.handBack(g)
	if l.cfg.OnBreaker != nil {
		l.cfg.OnBreaker(g.name, true)
	}
}

func (l *Loop[T]) closed(g *group[T]) {
	g.breaker.worked(time.Now(), l.cfg.ProbeEvery)
	l.cfg.Log.Info("answers again", "group", g.name)
	if l.cfg.OnBreaker != nil {
		l.cfg.OnBreaker(g.name, false)
	}
	signal(l.wake)
}
