package schedule

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"jitney/access"
)

// errNoResult is what a handler's zero Result counts as.
var errNoResult = errors.New("the handler reported no result")

// start runs the handler for h in a goroutine of its own; l.mu is held.
func (l *Loop[T]) start(h *held[T]) {
	now := time.Now()
	late := max(h.item.Late+now.Sub(h.claimed), 0)
	l.running++
	l.counting++
	h.group.running++
	l.stats.Started++
	l.stats.Late += late
	l.stats.MaxLate = max(l.stats.MaxLate, late)
	ctx, cancel := context.WithCancelCause(l.base)
	h.cancel = cancel
	go worker[T]{l}.run(ctx, h, late)
}

// A worker is the part of a loop that runs the handler and settles the rest.
type worker[T any] struct{ *Loop[T] }

func (l worker[T]) run(ctx context.Context, h *held[T], late time.Duration) {
	defer h.cancel(nil)
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Lease-l.cfg.Margin)
	defer cancel()

	counts := true // towards Global; guarded by l.mu
	patience := time.AfterFunc(l.cfg.Patience, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if counts {
			counts = false
			l.counting--
			l.startReady()
			signal(l.wake)
		}
	})
	began := time.Now()
	res, err := l.call(ctx, h.item)
	took := time.Since(began)
	patience.Stop()

	l.mu.Lock()
	if counts {
		counts = false
		l.counting--
	}
	l.finish(ctx, h, began, res, err)
	l.mu.Unlock()
	if l.cfg.OnDone != nil {
		l.cfg.OnDone(Done{Lease: h.item.Lease, Late: late, Took: took, Err: err})
	}
}

// call calls the handler, and turns a panic into an error.
func (l worker[T]) call(ctx context.Context, it Item[T]) (res Result, err error) {
	if it.Err != nil {
		return Result{}, fmt.Errorf("load the row: %w", it.Err)
	}
	defer func() {
		if p := recover(); p != nil {
			l.cfg.Log.Error("a handler panicked", "id", it.ID, "group", it.Group, "panic", p, "stack", string(debug.Stack()))
			res, err = Result{}, &panicked{p}
		}
	}()
	res, err = l.handle(ctx, it)
	if err == nil && res.kind == resultNone {
		err = errNoResult
	}
	return res, err
}

type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// finish settles what becomes of h and makes room for others; l.mu is held.
func (l worker[T]) finish(ctx context.Context, h *held[T], began time.Time, res Result, err error) {
	g := h.group
	l.running--
	g.running--
	if h.probe {
		g.breaker.probes--
	}
	cause := context.Cause(ctx)
	switch {
	case h.lost || errors.Is(err, ErrLost):
		l.stats.Lost++
		l.drop(h)
	case err != nil && errors.Is(cause, ErrStopping):
		l.giveUnstarted(h)
	default:
		l.judge(ctx, g, began, err)
		l.settle(h, res, err)
	}
	l.ready(g)
	l.startReady()
	if l.backlog || g.skipped {
		signal(l.wake)
	}
	if l.stopping && l.running == 0 {
		signal(l.idle)
	}
}

// judge tells the group's breaker how a call went.
func (l worker[T]) judge(ctx context.Context, g *group[T], began time.Time, err error) {
	b := &g.breaker
	if err != nil && unavailable(ctx, err) {
		if b.failed(began, time.Now(), l.cfg.ProbeEvery, laterOf(err), l.cfg.OpenAfter) {
			l.opened(g, err)
		}
		return
	}
	if b.open {
		l.closed(g)
		return
	}
	if b.worked(time.Now(), l.cfg.ProbeEvery); !b.hastenAt.IsZero() {
		signal(l.wake)
	}
}

// settle gives h back as the handler said.
func (l worker[T]) settle(h *held[T], res Result, err error) {
	ret := Return{Lease: h.item.Lease}
	if err != nil {
		l.stats.Failed++
		var p *panicked
		if errors.As(err, &p) {
			l.stats.Panicked++
		}
		ret.Attempts = h.item.Attempts + 1
		ret.Error = publicText(err)
		ret.In = laterOf(err)
		if ret.In == 0 {
			ret.In = Backoff(ret.Attempts)
		}
	}
	switch {
	case res.kind == resultRecorded:
		l.drop(h)
		l.due(res.at)
		return
	case err != nil:
		l.cfg.Log.Warn("will try again", "id", h.item.ID, "group", h.item.Group, "failures", ret.Attempts, "in", ret.In, "err", err)
	case res.kind == resultNever:
		ret.Never = true
	case res.kind == resultAt:
		ret.At = res.at
	default:
		ret.In = max(res.in, 0)
	}
	l.giveLater(ret, h)
}

// publicText is what of err may be stored and shown.
func publicText(err error) string {
	e, ok := errors.AsType[*access.Error](err)
	switch {
	case !ok && errors.Is(err, context.DeadlineExceeded):
		return "There was no answer in time."
	case !ok:
		return "Something inside jitney failed; its log says more."
	}
	if len(e.Text) > 500 {
		return e.Text[:500]
	}
	return e.Text
}

// drop forgets a row that is not ours any more.
func (l *Loop[T]) drop(h *held[T]) {
	if l.held[h.item.ID] == h {
		delete(l.held, h.item.ID)
	}
}
