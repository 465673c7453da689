package schedule

import (
	"context"
	"sync"
	"time"
)

// A Loop claims the due rows of one table and hands them to one handler.
type Loop[T any] struct {
	table  Table[T]
	handle Handler[T]
	cfg    Config

	wake    chan struct{} // rows may be due, or there is room for more
	recheck chan struct{} // renew every lease now
	given   chan struct{} // returns wait to be written
	idle    chan struct{} // nothing runs any more, after stopping began

	base   context.Context // of handlers; ends only when stopping takes too long
	cancel context.CancelCauseFunc

	notBefore time.Time // of the next claim; dispatch's own

	mu       sync.Mutex
	groups   map[string]*group[T]
	ring     []*group[T] // groups that have a row which could start, next first
	held     map[string]*held[T]
	returns  []giveBack[T]
	counting int       // running handlers that count towards Global
	running  int       // all running handlers
	asks     time.Time // when dispatch asks the table at the latest
	alive    bool      // other replicas can see that we live, or there are none
	backlog  bool      // the last claim came back full
	stopping bool
	stats    Stats
}

// New makes a loop over table. It does nothing until Run.
func New[T any](table Table[T], handle Handler[T], cfg Config) *Loop[T] {
	cfg = cfg.withDefaults()
	return &Loop[T]{
		table: table, handle: handle, cfg: cfg,
		wake:    make(chan struct{}, 1),
		recheck: make(chan struct{}, 1),
		given:   make(chan struct{}, 1),
		idle:    make(chan struct{}, 1),
		groups:  map[string]*group[T]{},
		held:    map[string]*held[T]{},
		alive:   cfg.Beacon == nil,
	}
}

// Owner reports the name under which the loop holds leases.
func (l *Loop[T]) Owner() string { return l.cfg.Owner }

// Wake has the loop ask the table at once. It never blocks.
func (l *Loop[T]) Wake() { signal(l.wake) }

// Run works until ctx ends. Then it claims nothing more, gives back what has
// not started, lets handlers finish for Config.StopWithin, and returns when
// everything that could be given back is. What could not is due again when
// its lease runs out. Run may be called once.
func (l *Loop[T]) Run(ctx context.Context) {
	l.base, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	defer l.cancel(ErrStopping)

	others := replica[T]{l}
	// What writes returns must outlive the handlers, and what keeps leases
	// must outlive that.
	write, endWriting := context.WithCancel(context.WithoutCancel(ctx))
	keep, release := context.WithCancel(context.WithoutCancel(ctx))
	var keepers, feeders sync.WaitGroup
	if l.cfg.Beacon != nil {
		keepers.Go(func() { others.holdBeacon(keep) })
		feeders.Go(func() { others.freeDead(ctx) })
	}
	if l.cfg.Listen != nil {
		feeders.Go(func() { others.listen(ctx) })
	}
	keepers.Go(func() { keeper[T]{l}.renewAll(keep) })
	written := make(chan struct{})
	go func() { defer close(written); writer[T]{l}.writeReturns(write) }()

	others.recover(ctx)
	l.dispatch(ctx)
	feeders.Wait()
	l.stop()
	endWriting()
	<-written
	release()
	keepers.Wait()
}

// dispatch claims and starts rows until ctx ends.
func (l *Loop[T]) dispatch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			sleep(ctx, time.Until(l.notBefore))
		case <-timer.C:
		}
		breakers[T]{l}.probeOpen(ctx)
		breakers[T]{l}.hastenTroubled(ctx)
		l.asksIn(l.cfg.MaxSleep) // until we know better: what is given back while we ask may be due sooner
		d := l.fill(ctx)
		l.asksIn(d)
		timer.Reset(d)
	}
}

func (l *Loop[T]) asksIn(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asks = time.Now().Add(d)
}

// due has the table asked in time for a row that is due at at; l.mu is held.
func (l *Loop[T]) due(at time.Time) {
	if !at.IsZero() && at.Before(l.asks) {
		signal(l.wake)
	}
}

// fill claims what there is room for and reports how long to sleep.
func (l *Loop[T]) fill(ctx context.Context) time.Duration {
	room, skip := l.room()
	if room == 0 {
		return l.sleep(l.cfg.MaxSleep) // whoever makes room wakes us
	}
	began := time.Now()
	items, err := l.table.Claim(ctx, Claim{Owner: l.cfg.Owner, For: l.cfg.Lease, Limit: room, Skip: skip})
	if err != nil {
		return l.refused(ctx, "claim", err)
	}
	l.take(items, began, len(items) == room)
	if len(items) == room {
		l.notBefore = time.Time{}
		return 0
	}
	next, ok, err := l.table.Next(ctx, skip)
	if err != nil {
		return l.refused(ctx, "next", err)
	}
	if !ok {
		next = l.cfg.MaxSleep
	}
	// Finding out that nothing is due can be costly when much is that must be
	// left out. That takes at most a fifth of the time, or 50 ms now and then.
	now, pace := time.Now(), l.cfg.Pace
	if len(skip) > 0 && len(items) == 0 {
		pace = max(pace, min(4*now.Sub(began), 50*time.Millisecond))
	}
	l.notBefore = now.Add(pace)
	return l.sleep(max(next, pace))
}

// refused notes that the table failed, and reports how long to leave it alone.
func (l *Loop[T]) refused(ctx context.Context, what string, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	l.mu.Lock()
	l.stats.Refused++
	l.mu.Unlock()
	l.cfg.Log.Error("the schedule's table failed", "call", what, "err", err)
	return min(l.cfg.MaxSleep, 250*time.Millisecond)
}

// stop gives back what has not started and waits for what has.
func (l *Loop[T]) stop() {
	l.mu.Lock()
	l.stopping = true
	for _, g := range l.groups {
		l.handBack(g)
	}
	if l.running == 0 {
		signal(l.idle)
	}
	l.mu.Unlock()

	select {
	case <-l.idle:
		return
	case <-time.After(l.cfg.StopWithin):
	}
	l.cancel(ErrStopping)
	select {
	case <-l.idle:
	case <-time.After(l.cfg.StopWithin / 4):
		l.cfg.Log.Warn("stopped while handlers are still running", "running", l.Stats().Running)
	}
}

// signal puts a token into c unless there is one already.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
