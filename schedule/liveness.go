package schedule

import (
	"context"
	"time"
)

// watchEvery is how often replicas look after each other.
const watchEvery = time.Second

// A replica is the part of a loop that knows of other processes, those before
// it included.
type replica[T any] struct{ *Loop[T] }

// holdBeacon shows that we live, until ctx ends. While others cannot see it,
// they may free our rows and work on them; so nothing is claimed then, and
// leases are checked at once.
func (l replica[T]) holdBeacon(ctx context.Context) {
	for ctx.Err() == nil {
		lost, err := l.cfg.Beacon.Hold(ctx, l.cfg.Owner)
		if err != nil {
			l.refused(ctx, "hold", err)
			sleep(ctx, watchEvery/4)
			continue
		}
		l.setAlive(true)
		select {
		case <-lost:
		case <-ctx.Done():
		}
		l.setAlive(false)
	}
}

func (l replica[T]) setAlive(alive bool) {
	l.mu.Lock()
	l.alive = alive
	l.mu.Unlock()
	signal(l.wake)
	signal(l.recheck)
}

// freeDead takes over the rows of replicas that died. Their breakers died with
// them, so rows that wait for a try are brought forward as well.
func (l replica[T]) freeDead(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		dead, err := l.cfg.Beacon.Dead(ctx, l.cfg.Owner)
		if err != nil {
			l.refused(ctx, "dead", err)
			continue
		}
		for _, owner := range dead {
			l.takeOver(ctx, owner)
		}
	}
}

func (l replica[T]) takeOver(ctx context.Context, owner string) {
	n, err := l.cfg.Recovery.Free(ctx, owner)
	if err == nil && n > 0 {
		l.cfg.Log.Warn("took over from a replica that died", "owner", owner, "rows", n)
		_, err = l.cfg.Recovery.Hasten(ctx, "")
	}
	if err != nil {
		l.refused(ctx, "take over", err)
	}
	l.Wake()
}

// recover brings forward, before the first claim, what a process before this
// one left: leases that nobody works on, and rows that wait for a try although
// the target may long be back.
func (l replica[T]) recover(ctx context.Context) {
	if l.cfg.Recovery == nil {
		return
	}
	for ctx.Err() == nil {
		err := error(nil)
		if l.cfg.Exclusive {
			_, err = l.cfg.Recovery.Free(ctx, "")
		}
		if err == nil {
			_, err = l.cfg.Recovery.Hasten(ctx, "")
		}
		if err == nil {
			return
		}
		sleep(ctx, l.refused(ctx, "recover", err))
	}
}

// listen keeps hearing from other processes.
func (l replica[T]) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := l.cfg.Listen(ctx, l.Wake); err != nil && ctx.Err() == nil {
			l.cfg.Log.Warn("cannot hear wake-ups of other processes", "err", err)
		}
		l.Wake() // something may have been missed
		sleep(ctx, time.Second)
	}
}
