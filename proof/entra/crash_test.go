package entra_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sim "jitney/sim/entra"
	"jitney/sim/entra/contract"
)

// lagging is a Microsoft 365 whose replicas differ for some seconds, held to
// the contract that Microsoft publishes.
func lagging(seed uint64) sim.Options {
	return sim.Options{Seed: seed, Check: contract.Check, Delays: sim.Delays{
		Objects: sim.Uniform(0, 4*time.Second), Roles: sim.Uniform(0, 5*time.Second), Index: sim.Fixed(10 * time.Second), Audit: sim.Fixed(2 * time.Minute)}}
}

// The program is killed at each call that looks make to Microsoft 365 or to
// the database, on the way up and on the way down: right before the call, and
// right after it, when its effect is there and its answer is lost. It starts
// again, and everything comes right by itself.
func TestCrashAtEveryCall(t *testing.T) {
	var calls []string
	up := 0
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plan{options: lagging(1)})
		w.live(w.sites[0], 15)
		w.nothingLeft()
		w.close()
		w.report()
		calls, up = w.made, w.usableAt
	})
	if t.Failed() {
		return
	}
	t.Logf("%d calls without a crash, %d of them until access is usable:%s", len(calls), up, listCalls(calls))
	var mu sync.Mutex
	died, runs := 0, 0
	t.Run("at", func(t *testing.T) {
		for n := range len(calls) {
			for _, after := range []bool{false, true} {
				moment := map[bool]string{false: "before", true: "after"}[after]
				t.Run(fmt.Sprintf("%d %s %s", n+1, moment, calls[n]), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, plan{options: lagging(1)})
						w.passing = func(i int, _ string) (bool, bool) { return i == n+1 && !after, i == n+1 && after }
						w.live(w.sites[0], 15)
						w.nothingLeft()
						if made := w.accountsMade(); made != 1 {
							w.fault("%d accounts were made; want 1", made)
						}
						w.close()
						w.report()
						mu.Lock()
						defer mu.Unlock()
						runs++
						died += w.restarts - 1
					})
				})
			}
		}
	})
	t.Logf("%d runs, %d deaths, seed 1", runs, died)
	if died < runs*9/10 {
		t.Errorf("the program died in %d of %d runs only", died, runs)
	}
}

// Without a crash, one answer at a time is lost, or comes as an error, though
// the request took effect; or the connection breaks before.
func TestOneAnswerAtATimeIsLost(t *testing.T) {
	sent := 0
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plan{options: lagging(2)})
		w.live(w.sites[0], 15)
		w.close()
		w.report()
		sent = w.sent()
	})
	if t.Failed() {
		return
	}
	for _, kind := range []sim.Kind{sim.DropAfter, sim.AnswerAfter, sim.DropBefore, sim.Truncate}[:sized(4, 1)] {
		for n := 1; n <= sent; n++ {
			t.Run(fmt.Sprintf("%s %d", kind, n), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, plan{options: lagging(2)})
					w.cloud.Faults(sim.Rule{Path: `^/v1\.0/`, Nth: n, Do: sim.Do(kind)})
					w.live(w.sites[0], 15)
					w.nothingLeft()
					if made := w.accountsMade(); made != 1 {
						w.fault("%d accounts were made; want 1", made)
					}
					w.close()
					w.report()
				})
			})
		}
	}
	t.Logf("%d requests to Graph for one grant, sweeps and history counted, seed 2", sent)
}
