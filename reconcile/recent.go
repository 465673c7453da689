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
	return recentTargets{t, remember(t.Target, fresh)}
}

type recentTargets struct {
	from   Targets
	recent *recent[access.Target]
}

// Target implements Targets.
func (r recentTargets) Target(ctx context.Context, id string) (access.Target, error) {
	return r.recent.get(ctx, id)
}

// Targets implements Targets. It remembers nothing.
func (r recentTargets) Targets(ctx context.Context, customer string) ([]access.Target, error) {
	return r.from.Targets(ctx, customer)
}

// A recent remembers what was read lately.
type recent[T any] struct {
	read  func(context.Context, string) (T, error)
	fresh time.Duration

	mu    sync.Mutex
	known map[string]known[T]
}

type known[T any] struct {
	value T
	until time.Time
}

func remember[T any](read func(context.Context, string) (T, error), fresh time.Duration) *recent[T] {
	return &recent[T]{read: read, fresh: fresh, known: map[string]known[T]{}}
}

// get reads what has this name. A failed read is not remembered.
func (r *recent[T]) get(ctx context.Context, name string) (T, error) {
	now := time.Now()
	r.mu.Lock()
	k, ok := r.known[name]
	r.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.value, nil
	}
	value, err := r.read(ctx, name)
	if err != nil {
		return value, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[name] = known[T]{value, now.Add(r.fresh)} // as old as the question, not the answer
	return value, nil
}
