// Command jitney-bench measures what Jitney promises about speed: how fast
// grants are stored, how late ends begin, how long a storm of ends takes, also
// with a kill -9 in the middle, and what an idle server costs.
//
// It drives the real store, reconciler, loops and audit sealer against a
// target that takes a millisecond for every removal, and prints what it got.
// It is for developers, and no part of the product or of its tests.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

// options are the sizes of a run.
type options struct {
	out       io.Writer
	dir       string
	engines   []string
	only      map[string]bool
	inserts   time.Duration
	live      []int
	perSecond int
	steady    time.Duration
	storms    []int
	outage    time.Duration
	profile   string
	workers   int // 0: the product's default
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "core" {
		if err := coreMain(ctx, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "jitney-bench core:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "jitney-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp("", "jitney-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	o.preface()
	if o.wants("tickets") {
		if err := measureTickets(ctx, o); err != nil {
			return err
		}
	}
	for _, name := range o.engines {
		e, err := o.engine(ctx, name)
		if err != nil {
			fmt.Fprintf(o.out, "\n## %s: not measured: %v\n", name, err)
			continue
		}
		fmt.Fprintf(o.out, "\n## %s\n", e.title)
		err = o.measure(ctx, e)
		e.stop()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if o.wants("outage") {
		o.virtualOutage(ctx)
		openBao(o.out)
	}
	return nil
}

func parse(args []string) (*options, error) {
	o := &options{out: os.Stdout, only: map[string]bool{}}
	fs := flag.NewFlagSet("jitney-bench", flag.ContinueOnError)
	profile := fs.String("cpuprofile", "", "write a CPU profile of the last storm to this file")
	quick := fs.Bool("quick", false, "small sizes: half a minute for each engine")
	engines := fs.String("engines", "sqlite,postgres", "databases to measure")
	only := fs.String("only", "", "parts to measure: insert,audit,steady,storm,bare,kill,idle,outage,m365,sessions,tickets; empty for all")
	live := fs.String("live", "1000,100000,1000000", "numbers of live grants beside the ends that are measured")
	storms := fs.String("storms", "10000,20000", "numbers of ends in one instant")
	fs.IntVar(&o.perSecond, "rate", 500, "ends a second while steady")
	fs.DurationVar(&o.steady, "steady", 20*time.Second, "how long the steady ends go on")
	fs.DurationVar(&o.inserts, "inserts", 3*time.Second, "how long each insert rate is measured")
	fs.DurationVar(&o.outage, "outage", time.Minute, "length of the outage in real time")
	fs.IntVar(&o.workers, "workers", 0, "handlers at once; 0 for the product's default")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	o.profile = *profile
	if *quick {
		*live, *storms = "1000,20000", "2000"
		o.steady, o.inserts, o.outage = 5*time.Second, time.Second, 10*time.Second
	}
	o.engines = strings.Split(*engines, ",")
	for part := range strings.SplitSeq(*only, ",") {
		if part != "" {
			o.only[part] = true
		}
	}
	var err error
	if o.live, err = numbers(*live); err == nil {
		o.storms, err = numbers(*storms)
	}
	return o, err
}

func numbers(list string) (all []int, err error) {
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", s)
		}
		all = append(all, n)
	}
	return all, nil
}

func (o *options) wants(part string) bool { return len(o.only) == 0 || o.only[part] }

// measure takes every measurement on one engine.
func (o *options) measure(ctx context.Context, e *engine) error {
	parts := []struct {
		name string
		run  func(context.Context, *engine) error
	}{
		{"insert", o.insertRates}, {"audit", o.auditRates}, {"steady", o.steadyEnds}, {"storm", o.stormEnds}, {"bare", o.bareLoop},
		{"kill", o.killEnds}, {"idle", o.idleCosts}, {"outage", o.realOutage},
		{"m365", o.m365}, {"sessions", issuing{o}.rates},
	}
	for _, p := range parts {
		if !o.wants(p.name) {
			continue
		}
		if err := p.run(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (o *options) printf(format string, args ...any) { fmt.Fprintf(o.out, format+"\n", args...) }
