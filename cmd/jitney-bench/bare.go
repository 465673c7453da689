package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store"
)

// bareLoop is a storm, and steady ends, through the schedule alone: claim, a
// millisecond of nothing, give back. It is what can be compared with a job
// queue; in the other measurements an end is observed, removed, read back,
// audited and noted as well.
func (o *options) bareLoop(ctx context.Context, e *engine) error {
	o.printf("\nThe schedule alone (claim, 1 ms of nothing, give back; no target, audit or note):")
	n := o.storms[len(o.storms)-1]
	if err := o.bare(ctx, e, fmt.Sprintf("storm of %d", n), batch{prefix: "s", n: n}); err != nil {
		return err
	}
	step := time.Second / time.Duration(o.perSecond)
	return o.bare(ctx, e, fmt.Sprintf("%d a second", o.perSecond), batch{prefix: "s", n: 10 * o.perSecond, step: step})
}

func (o *options) bare(ctx context.Context, e *engine, what string, ends batch) error {
	name, err := o.loaded(ctx, e, batch{prefix: "l", n: 1000, first: time.Now().Add(48 * time.Hour)}, &ends)
	if err != nil {
		return err
	}
	defer e.drop(ctx, name)
	s, err := store.Open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	var (
		mu   sync.Mutex
		late []time.Duration
		last time.Time
	)
	loop := schedule.New(s.Accounts, func(_ context.Context, it schedule.Item[access.Case]) (schedule.Result, error) {
		began := time.Now()
		time.Sleep(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		late, last = append(late, began.Sub(ends.end(it.ID))), time.Now()
		return schedule.Never(), nil
	}, schedule.Config{Recovery: s.Accounts, Exclusive: !e.postgres, Beacon: s.Beacon(), Global: o.workers})
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { loop.Run(ctx) })
	limit := ends.first.Add(time.Minute)
	for n := 0; n < ends.n && time.Now().Before(limit); {
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		n = len(late)
		mu.Unlock()
	}
	stop()
	running.Wait()
	o.printf("  %-16s %d started; last done %.2f s after the last was due; late p50 %s, p99 %s, max %s", what, len(late),
		last.Sub(ends.first.Add(time.Duration(ends.n)*ends.step)).Seconds(), ms(at(late, 0.5)), ms(at(late, 0.99)), ms(at(late, 1)))
	return nil
}
