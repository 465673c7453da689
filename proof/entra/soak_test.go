package entra_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	sim "jitney/sim/entra"
)

// Two hundred Entra tenants with one app, and grants that come all at once
// and end all at once, while Microsoft allows a small part of what it
// documents: the program is told to wait again and again, by app and by
// tenant, and everything is given and ended all the same.
func TestThrottledOverTwoHundredTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tenants, each = 200, 2
		o := sim.Options{Seed: 5, Throttle: true, Journal: 1_000_000, Delays: sim.Delays{Objects: sim.Uniform(0, 3*time.Second), Roles: sim.Fixed(3 * time.Second)}}
		documented := sim.DocumentedQuotas()
		o.Quotas = documented.Scaled(0.05) // of one app in one Entra tenant
		// In 20 s over all tenants, 2,000 units instead of 150,000, and 3,000
		// writes in 5 min instead of 70,000.
		o.Quotas.App, o.Quotas.AppWrites = sim.Quota{Amount: 2000, Per: 20 * time.Second}, sim.Quota{Amount: 3000, Per: 5 * time.Minute}
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
		if share := float64(throttled) / float64(sent); share > 0.5 {
			t.Errorf("%s of all requests were in vain: the program does not wait as told", fmt.Sprintf("%.0f%%", 100*share))
		}
	})
}
