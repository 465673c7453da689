package aws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"jitney/access"
	sim "jitney/sim/aws"
	"jitney/target"
)

// TestACrowdOnOneRole ends many sessions of one role, by several replicas at
// once, with lags, faults and little room. Whatever they merge and prune: who
// was found clean stays denied, and who is not ended is never cut.
func TestACrowdOnOneRole(t *testing.T) {
	for seed := range uint64(1) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 7))
			lag := func() time.Duration { return time.Duration(dice.Int64N(int64(15 * time.Second))) }
			inTime(t, sim.Options{Seed: seed, Delay: lag(), ReadDelay: lag()}, func(t *testing.T, w *world) {
				w.putPolicy("northwind-prod", "big", filler(5500+dice.IntN(1500)))
				time.Sleep(time.Minute)
				c := bystanders{w: w}
				for i := range 4 {
					a := account(fmt.Sprintf("colleague%07dxyz", i))
					ask := asked(10 * time.Hour)
					c.live = append(c.live, w.session(w.open(), &a, ask))
				}
				w.Faults(sim.Rule{Service: "iam", Probability: 0.1, Do: sim.Do(sim.DropAfter)}, sim.Rule{Service: "iam", Probability: 0.1, Do: sim.Do(sim.DropBefore)},
					sim.Rule{Service: "iam", Probability: 0.2, Do: sim.Slow(sim.WaitBefore, 400*time.Millisecond)})
				var wg sync.WaitGroup
				for i := range 30 {
					a := account(fmt.Sprintf("abcdefghijk%05d2345", i))
					k, err := w.open().Session(t.Context(), a, asked(time.Hour))
					if err != nil {
						t.Fatal(text(err))
					}
					note(&a, Tenant, k)
					wait := time.Duration(dice.Int64N(int64(4 * time.Minute)))
					wg.Go(func() { time.Sleep(wait); c.end(a, k) })
				}
				wg.Wait()
				for range 20 {
					time.Sleep(10 * time.Second)
					c.hold()
				}
				if n := len(ours(w.tenant)); n > 35 {
					t.Errorf("%d policies are left", n)
				}
			})
		})
	}
}

// Bystanders are who was ended, and who was not.
type bystanders struct {
	w    *world
	live []target.Keys

	mu   sync.Mutex
	dead []target.Keys
}

// end ends a as a reconciler does, and lives with faults.
func (c *bystanders) end(a access.Account, k target.Keys) {
	for began := time.Now(); ; {
		if time.Since(began) > 40*time.Minute {
			c.w.t.Error("it never becomes clean: " + a.ID)
			return
		}
		o, err := c.w.open().Observe(context.Background(), a)
		if err == nil && o.Clean() {
			break
		}
		if err == nil && o.Settling == 0 {
			_ = c.w.open().Remove(context.Background(), a)
		}
		time.Sleep(max(o.Settling, 2*time.Second))
	}
	c.mu.Lock()
	c.dead = append(c.dead, k)
	c.mu.Unlock()
	c.hold()
}

// hold tests what must hold at every moment.
func (c *bystanders) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.dead {
		if time.Now().Before(k.ExpiresAt) && c.w.lists(k) {
			c.w.t.Error("a session that was clean works again: " + k.Name)
		}
	}
	for _, k := range c.live {
		if time.Now().Before(k.EndsAt) && !c.w.lists(k) {
			c.w.t.Error("a colleague was cut: " + k.Name)
		}
	}
}
