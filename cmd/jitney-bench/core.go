package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/audit"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/secret"
	"jitney/store"
	"jitney/target"
	"jitney/ticket"
	"jitney/ticket/desk"
)

// A core is the part of the server that runs by itself, over one database and
// one sink, put together as the server does.
type core struct {
	store    *store.Store
	accounts *schedule.Loop[access.Case]
	work     *schedule.Loop[access.Work]
	recorded *recorder
	stopped  sync.WaitGroup
	cancel   context.CancelFunc
}

// startCore opens a database and starts loops and sealer.
func startCore(ctx context.Context, name string, s *sink, workers int) (*core, error) {
	opened, err := store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	keyPath := filepath.Join(os.TempDir(), fmt.Sprintf("jitney-bench-%d.key", os.Getpid()))
	defer os.Remove(keyPath)
	keys, err := secret.OpenKeyfile(keyPath, audit.NewSigningKey)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	c := &core{store: opened, recorded: &recorder{Cases: opened.Accounts, at: map[string]time.Time{}}}
	tickets := desk.System{Store: opened.Desk}
	places := reconcile.Recent(opened.Targets, time.Second)
	r := reconcile.New(reconcile.Ports{
		Cases: c.recorded, Orphans: opened.Orphans, Targets: places, Rules: opened.Rules, Outbox: opened.Outbox, Grants: opened.Grants, Log: opened.Log,
		Sealer: secret.NewSealer(keys, opened.Keys), Kinds: []target.Kind{s.kind()},
		Open: func(ctx context.Context, id string) (target.System, error) {
			if _, err := places.Target(ctx, id); err != nil { // as the server's opener does
				return nil, err
			}
			return s, nil
		},
		Desks: func(_ context.Context, customer string) (ticket.System, string, string, error) {
			return tickets, desk.Connection, customer, nil
		},
		Tickets: func(context.Context, string) (ticket.System, error) { return tickets, nil },
	}, reconcile.Config{Address: "https://jitney.example"})
	exclusive := !strings.HasPrefix(name, "postgres")
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	c.accounts = schedule.New(opened.Accounts, r.Look, schedule.Config{Name: "accounts", Recovery: opened.Accounts, Exclusive: exclusive,
		Beacon: opened.Beacon(), Log: log, Global: workers})
	c.work = schedule.New(opened.Outbox, r.Work, schedule.Config{Name: "work", Recovery: opened.Outbox, Exclusive: exclusive,
		Beacon: opened.Beacon(), Log: log, Global: 16, PerGroup: 4})
	opened.Accounts.OnChange(c.accounts.Wake)
	opened.Outbox.OnChange(c.work.Wake)
	ctx, c.cancel = context.WithCancel(ctx)
	c.stopped.Go(func() { c.accounts.Run(ctx) })
	c.stopped.Go(func() { c.work.Run(ctx) })
	c.stopped.Go(func() { (&audit.Sealer{Book: opened.Log, Log: log}).Run(ctx) })
	return c, nil
}

func (c *core) stop() error {
	c.cancel()
	c.stopped.Wait()
	return c.store.Close()
}

// A recorder notes when each account was durably recorded as done.
type recorder struct {
	reconcile.Cases
	mu   sync.Mutex
	at   map[string]time.Time
	last time.Time
}

// Record implements reconcile.Cases.
func (r *recorder) Record(ctx context.Context, l schedule.Lease, c access.Change) error {
	if err := r.Cases.Record(ctx, l, c); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range c.Grants {
		if !g.EndedAt.IsZero() {
			r.last = time.Now()
			r.at[g.Account] = r.last
		}
	}
	return nil
}

func (r *recorder) count() (int, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.at), r.last
}

// coreMain is the child process: it runs a core until it is told to stop, or
// killed. It says "up" when the first claim came back, and each removal as a
// line in a file, so that its parent and its successor know what was done.
func coreMain(ctx context.Context, args []string) error {
	began := time.Now()
	fs := flag.NewFlagSet("core", flag.ContinueOnError)
	db := fs.String("db", "", "database")
	done := fs.String("done", "", "file of removals")
	workers := fs.Int("workers", 0, "handlers at once")
	if err := fs.Parse(args); err != nil {
		return err
	}
	s := newSink(time.Millisecond)
	if *done != "" {
		f, err := os.OpenFile(*done, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		if s.done, err = readDone(*done); err != nil {
			return err
		}
		s.log = f
	}
	c, err := startCore(ctx, *db, s, *workers)
	if err != nil {
		return err
	}
	// Up means: the schedule was asked what is due, and answered.
	if _, _, err := c.store.Accounts.Next(ctx, nil); err != nil {
		return err
	}
	fmt.Printf("up %d\n", time.Since(began).Microseconds())
	go func() { // the parent holds our standard input open
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	<-ctx.Done()
	return c.stop()
}

// readDone reads what removals a file tells of, the first of each account.
func readDone(path string) (map[string]time.Time, error) {
	done := map[string]time.Time{}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		var id string
		var us int64
		if n, _ := fmt.Sscan(line, &id, &us); n != 2 || !strings.HasSuffix(line, "\n") {
			continue
		}
		if _, ok := done[id]; !ok {
			done[id] = time.UnixMicro(us)
		}
	}
	return done, nil
}
