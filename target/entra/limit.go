package entra

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A class is what Graph counts together.
type class int

const (
	reads class = iota
	writes
	reports  // sign-in and audit logs
	policies // conditional access
)

// limits keeps one app within what Graph allows it in one Entra tenant, so
// that a burst of grants ends in waiting here instead of refusals there. The
// smallest ones allow 3,500 units in 10 s and 3,000 writes in 150 s; reports
// 5 requests in 10 s; conditional access one a second.
// https://learn.microsoft.com/graph/throttling-limits
type limits struct{ of [4]*rate.Limiter }

func newLimits() *limits {
	return &limits{of: [4]*rate.Limiter{
		reads: rate.NewLimiter(100, 400), writes: rate.NewLimiter(18, 200), reports: rate.NewLimiter(0.5, 5), policies: rate.NewLimiter(1, 1),
	}}
}

// maxWait is how long a call may wait here before it is left to the schedule.
const maxWait = 2 * time.Second

// wait waits until a call of that class is allowed, or says how much later to
// come back.
func (l *limits) wait(ctx context.Context, c class) error {
	r := l.of[c].Reserve()
	d := r.Delay()
	if d > maxWait {
		r.Cancel()
		return &tooFast{after: d}
	}
	return sleep(ctx, d)
}

// tooFast says that Graph's limit would be passed.
type tooFast struct{ after time.Duration }

func (e *tooFast) Error() string { return "the limit of calls to this Entra tenant is reached" }

// A pool is what all targets of one Kind share: limits by app and Entra
// tenant, and connections.
type pool struct {
	transport http.RoundTripper // nil: the network

	mu     sync.Mutex
	limits map[string]*limits
	usual  *http.Transport
}

func (p *pool) limitsFor(s *settings) *limits {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := s.cloud.graph + " " + s.tenant + " " + s.app
	if p.limits == nil {
		p.limits = map[string]*limits{}
	}
	if p.limits[key] == nil {
		p.limits[key] = newLimits()
	}
	return p.limits[key]
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
