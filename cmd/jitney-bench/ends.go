package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"time"
)

// steadyEnds measures how late removals begin when ends come one after the
// other, with few and with many other live grants in the database.
func (o *options) steadyEnds(ctx context.Context, e *engine) error {
	o.printf("\nLateness of the start of removal, %d ends a second for %s (aim: p99 50 ms at any size):", o.perSecond, o.steady)
	for _, live := range o.live {
		if err := o.steadyOne(ctx, e, live); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) steadyOne(ctx context.Context, e *engine, live int) error {
	began := time.Now()
	ends := batch{prefix: "s", n: int(o.steady.Seconds() * float64(o.perSecond)), step: time.Second / time.Duration(o.perSecond)}
	name, err := o.loaded(ctx, e, batch{prefix: "l", n: live, first: time.Now().Add(48 * time.Hour)}, &ends)
	if err != nil {
		return err
	}
	defer e.drop(ctx, name)
	took := time.Since(began)
	s := newSink(time.Millisecond)
	c, err := startCore(ctx, name, s, o.workers)
	if err != nil {
		return err
	}
	cpu := cpuTime()
	limit := ends.first.Add(o.steady + time.Minute)
	for n := 0; n < ends.n && time.Now().Before(limit) && ctx.Err() == nil; n, _ = c.recorded.count() {
		time.Sleep(20 * time.Millisecond)
	}
	n, last := c.recorded.count()
	cpu = cpuTime() - cpu
	size := memory()
	if err := c.stop(); err != nil {
		return err
	}
	late := s.lateness(ends.end)
	o.printf("  %9d live: p50 %s, p99 %s, max %s   all %d recorded %s after the last was due; %.0f%% of one CPU, RSS %d MB (loaded in %s)",
		live, ms(at(late, 0.5)), ms(at(late, 0.99)), ms(at(late, 1)), n, ms(last.Sub(ends.first.Add(time.Duration(ends.n)*ends.step))),
		100*cpu.Seconds()/o.steady.Seconds(), size>>20, took.Round(time.Second))
	if n != ends.n {
		return fmt.Errorf("only %d of %d ends were recorded", n, ends.n)
	}
	return nil
}

// loaded makes a database with grants that live on, and then with grants that
// end from soon after now.
func (o *options) loaded(ctx context.Context, e *engine, live batch, ends *batch) (name string, err error) {
	if name, err = e.empty(ctx); err != nil {
		return "", err
	}
	db, err := e.raw(name)
	if err != nil {
		return "", err
	}
	defer db.Close()
	if err := e.load(ctx, db, live); err != nil {
		return "", err
	}
	// Loading the rest takes about 10 µs a row, and starting takes a moment.
	ends.first = time.Now().Add(3*time.Second + time.Duration(ends.n)*50*time.Microsecond)
	if err := e.loadBatch(ctx, db, *ends); err != nil {
		return "", err
	}
	if !e.postgres {
		_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		err = errors.Join(err, settle(name))
	}
	if time.Until(ends.first) < 500*time.Millisecond { // a busy machine
		return name, errors.Join(err, e.postpone(ctx, db, ends))
	}
	return name, err
}

// settle has the disk take what was loaded without syncing it. Else the first
// checkpoint of what is measured would wait for all of that.
func settle(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// stormEnds measures how long it takes until everything that is due in one
// instant is removed, and until that is recorded.
func (o *options) stormEnds(ctx context.Context, e *engine) error {
	o.printf("\nStorm: ends in one instant, over %d targets (aim: 20,000 drained in 1 s):", targets)
	for _, n := range o.storms {
		if err := o.stormOne(ctx, e, n); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) stormOne(ctx context.Context, e *engine, n int) error {
	ends := batch{prefix: "s", n: n}
	name, err := o.loaded(ctx, e, batch{prefix: "l", n: 1000, first: time.Now().Add(48 * time.Hour)}, &ends)
	if err != nil {
		return err
	}
	defer e.drop(ctx, name)
	s := newSink(time.Millisecond)
	c, err := startCore(ctx, name, s, o.workers)
	if err != nil {
		return err
	}
	time.Sleep(time.Until(ends.first))
	cpu, theirs := cpuTime(), e.cpu()
	unprofile, err := profiling(o.profile)
	if err != nil {
		return err
	}
	limit := ends.first.Add(2 * time.Minute)
	for got := 0; got < n && time.Now().Before(limit) && ctx.Err() == nil; got, _ = c.recorded.count() {
		time.Sleep(5 * time.Millisecond)
	}
	got, last := c.recorded.count()
	unprofile()
	cpu, theirs = cpuTime()-cpu, e.cpu()-theirs
	stats, notes := c.accounts.Stats(), c.work.Stats()
	if err := c.stop(); err != nil {
		return err
	}
	late := s.lateness(ends.end)
	o.printf("  %6d ends: last removed at the target after %.2f s, last recorded after %.2f s   (started p50 %.2f s; %d claimed, %d lost, %d failed; %d removed twice; %d notes begun; CPU %.2f s, database server %.2f s)",
		n, s.last().Sub(ends.first).Seconds(), last.Sub(ends.first).Seconds(), at(late, 0.5).Seconds(), stats.Claimed, stats.Lost, stats.Failed, s.twice,
		notes.Started, cpu.Seconds(), theirs.Seconds())
	if got != n {
		return fmt.Errorf("only %d of %d ends were recorded", got, n)
	}
	return nil
}

// profiling writes a profile of the processor's time to a file, if it has a name,
// until the function that it reports is called.
func profiling(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, pprof.StartCPUProfile(f)
}
