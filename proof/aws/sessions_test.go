package aws_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/broker"
	sim "jitney/sim/aws"
)

var (
	full = flag.Bool("full", false, "many more grants and seeds, as make proof runs them")
	seed = flag.Uint64("seed", 1, "what is drawn from")
)

// spoiling are faults that hit one call in six to AWS.
func spoiling() (rules []sim.Rule) {
	for _, kind := range []sim.Kind{sim.DropBefore, sim.DropAfter, sim.AnswerAfter, sim.Throttled, sim.Duplicate, sim.ErrorPage} {
		rules = append(rules, sim.Rule{Name: string(kind), Probability: 0.03, Do: sim.Do(kind)})
	}
	return rules
}

func TestNoKeyWorksOnceItsGrantIsCalledEnded(t *testing.T) {
	runs, grants := uint64(3), 24
	if *full {
		runs, grants = 30, 120
	}
	for n := range runs {
		for _, edit := range []string{"yes", "no"} {
			t.Run(fmt.Sprintf("seed %d, roles may be edited: %s", *seed+n, edit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { manyLives(t, *seed+n, grants, edit) })
			})
		}
	}
}

// manyLives lets people take keys from grants that end in every way, while the
// program dies now and then and AWS loses answers and is slow to change.
func manyLives(t *testing.T, seed uint64, grants int, edit string) {
	dice := rand.New(rand.NewPCG(seed, 7))
	w := newWorld(t, 3, 4, sim.Options{Seed: seed, Delay: time.Duration(dice.Int64N(int64(12 * time.Second))), ReadDelay: time.Duration(dice.Int64N(int64(3 * time.Second)))}, edit)
	w.start()
	w.cloud.Faults(spoiling()...)
	var all sync.WaitGroup
	var mu sync.Mutex
	var made []access.Grant
	for range grants {
		who, at := w.people[dice.IntN(len(w.people))], w.places[dice.IntN(len(w.places))]
		minutes, start, how := int64(1+dice.IntN(70)), time.Duration(dice.Int64N(int64(time.Hour))), dice.IntN(3)
		early := time.Duration(dice.Int64N(minutes * int64(time.Minute)))
		all.Go(func() {
			time.Sleep(start)
			first, err := w.ask(who, at, minutes)
			if err != nil {
				w.fault("%s: %v", at.Name, err)
				return
			}
			mu.Lock()
			made = append(made, first.Grant)
			mu.Unlock()
			if refused := w.works(first.Keys); refused == nil {
				w.mu.Lock()
				w.alive++
				w.mu.Unlock()
			} else if g, err := w.store.Grants.Grant(t.Context(), first.Grant.ID); err == nil && g.Wanted(time.Now()) && time.Now().Before(first.Keys.EndsAt) {
				w.fault("keys of a live grant do not work (%s): %v", first.Keys.Name, refused)
			}
			time.Sleep(early)
			_, _ = w.ask(who, at, minutes) // from the same grant, or a new one if it is over
			switch how {
			case 0:
				w.act(func(p *process) error { _, err := p.broker.Access.End(p.ctx, who, first.Grant.ID); return err })
			case 1:
				w.act(func(p *process) error {
					_, err := p.broker.Access.Revoke(p.ctx, w.admin, broker.Scope{Grant: first.Grant.ID}, "enough is enough")
					return err
				})
			}
		})
	}
	over := make(chan struct{})
	var killer sync.WaitGroup
	deaths := dice.IntN(4)
	killer.Go(func() {
		for range deaths {
			select {
			case <-over:
				return
			case <-time.After(time.Duration(5+dice.IntN(900)) * time.Second):
			}
			w.process.crash()
			w.start()
		}
	})
	all.Wait()
	for range 12 { // and what has ended stays so, whatever is tidied up
		time.Sleep(15 * time.Minute)
		w.act(func(p *process) error { _, err := p.reconciler.Sweep(p.ctx); return err })
		for _, g := range made {
			if g, err := w.store.Grants.Grant(t.Context(), g.ID); err == nil && !g.EndedAt.IsZero() {
				w.over(g)
			}
		}
	}
	close(over)
	killer.Wait()
	judge(t, w, made)
	w.close()
}

// act has a person do something, again where the program died under it.
func (w *world) act(do func(*process) error) {
	for range 50 {
		w.mu.Lock()
		p := w.process
		w.mu.Unlock()
		if err := do(p); err == nil || access.KindOf(err) == access.Conflict {
			return
		}
		time.Sleep(time.Second)
	}
	w.fault("a person could not end a grant")
}

func judge(t *testing.T, w *world, made []access.Grant) {
	t.Helper()
	open, err := w.store.Grants.Find(t.Context(), access.GrantQuery{Open: true, Limit: 500, Now: time.Now()})
	check(t, err)
	for _, g := range open {
		c, err := w.store.Grants.Case(t.Context(), g.Account)
		check(t, err)
		t.Errorf("grant %s has not ended long after: %s, %q, seen %+v", g.ID, g.State(time.Now()), c.Account.Trouble, c.Account.Seen)
	}
	if len(made) == 0 || w.alive == 0 || w.tried == 0 {
		t.Errorf("nothing was proved: %d grants, %d live keys and %d ended ones tried", len(made), w.alive, w.tried)
	}
}
