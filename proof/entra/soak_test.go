package entra_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	sim "jitney/sim/entra"
)

// Two hundred Entra tenants (a part of them: 40) with one app, and grants that
// come all at once and end all at once, while Microsoft allows a small part of
// what it documents: the program is told to wait again and again, by app and
// by tenant, and everything is given and ended all the same.
func TestThrottledOverManyTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 2
		tenants := sized(200, 40)
		o := sim.Options{Seed: 5, Throttle: true, Journal: 1_000_000, Delays: sim.Delays{Objects: sim.Uniform(0, 3*time.Second), Roles: sim.Fixed(3 * time.Second)}}
		documented := sim.DocumentedQuotas()
		o.Quotas = documented.Scaled(0.05) // of one app in one Entra tenant
		// Over all of two hundred, 2,000 units in 20 s instead of 150,000, and
		// 3,000 writes in 5 min instead of 70,000.
		share := float64(tenants) / 200
		o.Quotas.App, o.Quotas.AppWrites = sim.Quota{Amount: 2000 * share, Per: 20 * time.Second}, sim.Quota{Amount: 3000 * share, Per: 5 * time.Minute}
		w := newWorld(t, plan{tenants: tenants, options: o})
		c := &crowd{world: w}
		c.come(tenants*each, time.Minute, rand.New(rand.NewPCG(5, 1)))
		w.close()
		w.report()
		throttled, sent := 0, 0
		for _, e := range w.cloud.Journal() {
			sent++
			if e.Status == 429 {
				throttled++
			}
		}
		t.Logf("seed 5: %d tenants, %d grants, %d requests, %d told to wait; %s", tenants, len(c.grants), sent, throttled, c.times())
		if throttled < sent/100 {
			t.Errorf("only %d of %d requests were throttled: nothing was tested", throttled, sent)
		}
		if vain := float64(throttled) / float64(sent); vain > 0.5 {
			t.Errorf("%.0f%% of all requests were in vain: the program does not wait as told", 100*vain)
		}
	})
}
