package reconcile

import (
	"context"
	"sync"
	"time"

	"jitney/access"
)

// Recent reads targets through t and remembers each for as long as fresh says,
// because a storm of ends asks for the same few again and again. What somebody
// changes about a target therefore counts for looks after that time at the
// latest. Use it for looks only: who changes a target must read it from the
// store.
func Recent(t Targets, fresh time.Duration) Targets {
	return &recent{from: t, fresh: fresh, known: map[string]known{}}
}

type recent struct {
	from  Targets
	fresh time.Duration

	mu    sync.Mutex
	known map[string]known
}

type known struct {
	target access.Target
	until  time.Time
}

// Target implements Targets. A failed read is not remembered.
func (r *recent) Target(ctx context.Context, id string) (access.Target, error) {
	now := time.Now()
	r.mu.Lock()
	k, ok := r.known[id]
	r.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.target, nil
	}
	t, err := r.from.Target(ctx, id)
	if err != nil {
		return t, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[id] = known{t, now.Add(r.fresh)} // as old as the question, not the answer
	return t, nil
}

// Targets implements Targets. It remembers nothing.
func (r *recent) Targets(ctx context.Context, customer string) ([]access.Target, error) {
	return r.from.Targets(ctx, customer)
}
