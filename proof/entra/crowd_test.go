package entra_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	sim "jitney/sim/entra"
	"jitney/sim/entra/contract"
)

var (
	full = flag.Bool("full", false, "every test at full size, as make proof runs them; else a part that takes a minute")
	seed = flag.Uint64("seed", 1, "what TestManyGrantsWithFaults draws from")
)

// sized is how much of something is tested: all of it, or a part.
func sized(all, part int) int {
	if *full {
		return all
	}
	return part
}

// spoiling are faults that together hit one request in five, each as often as
// the others.
func spoiling(share float64) (rules []sim.Rule) {
	do := [][]sim.Action{
		sim.Do(sim.DropBefore), sim.Do(sim.DropAfter), sim.Do(sim.AnswerAfter), {{Kind: sim.AnswerAfter, Status: 504}},
		sim.Respond(500, "InternalServerError"), sim.Respond(503, "ServiceUnavailable"), {{Kind: sim.Throttled, RetryAfter: 5}},
		{{Kind: sim.Throttled, RetryAfter: 90}}, sim.Do(sim.Truncate), sim.Do(sim.ErrorPage), sim.Do(sim.TokenExpired),
		sim.Do(sim.Duplicate), sim.Do(sim.UnknownEnumMember), sim.Slow(sim.WaitAfter, 70*time.Second),
	}
	left := 1.0 // of the requests that no rule before has hit
	for _, d := range do {
		p := share / float64(len(do)) / left
		left *= 1 - p
		rules = append(rules, sim.Rule{Name: string(d[0].Kind), Probability: p, Do: d})
	}
	return rules
}

// A crowd is many grants, each with its own hour.
type crowd struct {
	*world
	mu     sync.Mutex
	grants []access.Grant
}

// come has n grants asked for within a time, spread over all sites, and waits
// until each is over and told of.
func (c *crowd) come(n int, within time.Duration, dice *rand.Rand) {
	over, stop := context.WithCancel(context.Background())
	var reviver, all sync.WaitGroup
	c.start()
	reviver.Go(func() { c.revive(over) })
	for i := range n {
		wait, at := time.Duration(dice.Int64N(int64(within))), c.sites[i%len(c.sites)]
		all.Go(func() {
			time.Sleep(wait)
			g := c.seeOut(at, c.submit(at, 15))
			c.mu.Lock()
			defer c.mu.Unlock()
			c.grants = append(c.grants, g)
		})
	}
	all.Wait()
	time.Sleep(6 * time.Minute)
	stop()
	reviver.Wait()
	for _, g := range c.grants {
		c.judge(c.site(g.Target), g, access.ByExpiry)
	}
	c.nothingLeft()
}

// times tells how long grants took to become usable, and to be read back as
// gone after their end.
func (c *crowd) times() string {
	var up, down []time.Duration
	for _, g := range c.grants {
		if !g.VerifiedAt.IsZero() && !g.EndedAt.IsZero() {
			up, down = append(up, g.VerifiedAt.Sub(g.ApprovedAt)), append(down, g.EndedAt.Sub(g.EndsAt()))
		}
	}
	return fmt.Sprintf("usable after %s; portal shut after %s; read back as gone for good after %s", quantiles(up), quantiles(c.power), quantiles(down))
}

func quantiles(all []time.Duration) string {
	if len(all) == 0 {
		return "-"
	}
	slices.Sort(all)
	at := func(p float64) time.Duration {
		return all[min(int(p*float64(len(all))), len(all)-1)].Round(100 * time.Millisecond)
	}
	return fmt.Sprintf("p50 %s p99 %s max %s", at(0.5), at(0.99), at(1))
}

// A thousand grants (a part of them: 100), with one request in five spoilt in
// every way that there is over the whole time, and the program killed at one
// call in five hundred: each ends, read back as gone, by itself.
func TestManyGrantsWithFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		o := lagging(*seed)
		o.Journal = 1_000_000
		w := newWorld(t, plan{tenants: 20, options: o})
		w.cloud.Faults(spoiling(0.2)...)
		dice := rand.New(rand.NewPCG(*seed, 9))
		var mu sync.Mutex
		w.passing = func(int, string) (before, after bool) {
			mu.Lock()
			defer mu.Unlock()
			n := dice.IntN(1000)
			return n == 0, n == 1
		}
		c := &crowd{world: w}
		c.come(sized(1000, 100), 3*time.Hour, rand.New(rand.NewPCG(*seed, 7)))
		w.close()
		w.report()
		spoilt, sent := 0, w.sent()
		for _, n := range w.cloud.Hits() {
			spoilt += n
		}
		t.Logf("seed %d: %d grants, %d requests to Graph, %d spoilt (%.1f%%), %d deaths of the program; %s; %s of virtual time",
			*seed, len(c.grants), sent, spoilt, 100*float64(spoilt)/float64(sent), w.restarts-1, c.times(), time.Since(began).Round(time.Minute))
	})
}

// Replicas lag by nothing to a quarter of an hour, and so does what a role
// does. No grant is called usable too early, lost, or ended too early.
func TestReplicasLag(t *testing.T) {
	lags := []sim.Delay{{}, sim.Fixed(time.Second), sim.Uniform(0, 10*time.Second), sim.Uniform(0, time.Minute), sim.Fixed(time.Minute), sim.Uniform(0, 5*time.Minute),
		sim.Fixed(5 * time.Minute), sim.Uniform(0, 10*time.Minute), sim.Fixed(10 * time.Minute), sim.Uniform(0, 15*time.Minute), sim.Fixed(15 * time.Minute)}
	for i, lag := range lags {
		for _, routing := range []sim.Routing{sim.RoundRobin, sim.Random, sim.Sticky}[:sized(3, 1)] {
			t.Run(fmt.Sprintf("%s to %s, routing %d", lag.Min, max(lag.Min, lag.Max), routing), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o := sim.Options{Seed: uint64(i + 1), Routing: routing, Check: contract.Check, Delays: sim.Delays{Objects: lag, Roles: lag, Index: lag, Audit: lag}}
					w := newWorld(t, plan{tenants: 2, options: o})
					c := &crowd{world: w}
					c.come(sized(6, 2), 30*time.Minute, rand.New(rand.NewPCG(uint64(i), 3)))
					w.close()
					w.report()
					t.Logf("seed %d: %s; %d requests for each grant", i+1, c.times(), w.sent()/len(c.grants))
				})
			})
		}
	}
}
