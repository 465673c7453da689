package entra

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jitney/sim/entra"
	"jitney/target"
)

var seeds = flag.Int("seeds", 4, "how many seeds of bad luck")

// faultKinds are what a fifth of all requests suffers in the soak.
var faultKinds = []entra.Action{
	{Kind: entra.DropBefore}, {Kind: entra.DropAfter}, {Kind: entra.AnswerAfter, Status: 503}, {Kind: entra.AnswerAfter, Status: 500},
	{Kind: entra.AnswerInstead, Status: 503, RetryAfter: 20}, {Kind: entra.Throttled, RetryAfter: 5}, {Kind: entra.Truncate}, {Kind: entra.ErrorPage},
	{Kind: entra.Duplicate}, {Kind: entra.TokenExpired}, {Kind: entra.ClaimsChallenge}, {Kind: entra.UnknownEnumMember}, {Kind: entra.WaitAfter, Delay: 20 * time.Second},
	{Kind: entra.WaitBefore, Delay: 3 * time.Second},
}

// TestBadLuck has many grants live through faults at every fifth request,
// with replicas that lag, and processes that forget everything.
func TestBadLuck(t *testing.T) {
	grants := 24
	if testing.Short() {
		grants = 6
	}
	for seed := uint64(1); seed <= uint64(*seeds); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := worldSpec{strong: seed%2 == 0, options: entra.Options{Seed: seed, Routing: entra.Routing(seed % 3),
				Delays: entra.Delays{Objects: entra.Uniform(0, time.Duration(1+seed%5)*3*time.Minute), Roles: entra.Uniform(0, 10*time.Minute)}}}
			if seed%4 == 3 {
				s.tenant.Licence, s.values = entra.P2, map[string]string{fieldPIM: yes}
			}
			lives(t, s, func(t *testing.T, w *world) { badLuck(t, w, grants, seed) })
		})
	}
}

func badLuck(t *testing.T, w *world, grants int, seed uint64) {
	var rules []entra.Rule
	for _, f := range faultKinds {
		rules = append(rules, entra.Rule{Path: "/v1.0/", Probability: 0.2 / float64(len(faultKinds)), Do: []entra.Action{f}})
	}
	w.cloud.Faults(rules...)
	live := map[string]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	dice := rand.New(rand.NewPCG(seed, 9))
	for range grants {
		begin, length, crash := time.Duration(dice.IntN(3600))*time.Second, time.Duration(15+dice.IntN(100))*time.Minute, dice.IntN(3) == 0
		all.Go(func() {
			time.Sleep(begin)
			sys := w.open(t)
			l := w.life(t, func() target.System {
				if crash {
					return w.open(t)
				}
				return sys
			})
			mu.Lock()
			live[mark(l.c.Account.ID)] = true
			mu.Unlock()
			l.request(length)
			l.until(8*time.Hour, "active or over", func() bool { return !l.grant().VerifiedAt.IsZero() || !l.grant().EndedAt.IsZero() })
			if g := l.grant(); g.Wanted(time.Now()) && !w.signIn(t, l.c.Account.Username, l.pass) {
				t.Errorf("usable, and the pass does not let in: %+v", l.c.Account.Seen)
			}
			l.ended(8 * time.Hour)
			mu.Lock()
			live[mark(l.c.Account.ID)] = false
			mu.Unlock()
			if u, ok := w.user(t, l.c.Account); ok {
				t.Errorf("ended, and there is %+v", u)
			}
		})
	}
	all.Wait()
	synctest.Wait()
	for _, finding := range w.cloud.Invariants(time.Now(), func(marker string) bool { mu.Lock(); defer mu.Unlock(); return live[marker] }) {
		t.Error(finding)
	}
}

// TestEveryCutWithPIM cuts the connection at every changing call of a grant
// with an end: wherever a role is, it has one.
func TestEveryCutWithPIM(t *testing.T) {
	for _, kind := range []entra.Kind{entra.DropBefore, entra.DropAfter} {
		for n := 1; n < 20; n++ {
			s := worldSpec{strong: true, tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes}}
			lives(t, s, func(t *testing.T, w *world) {
				w.cloud.Faults(entra.Rule{Path: "/v1.0/", Nth: n, Times: 1, Do: entra.Do(kind)})
				l := w.life(t, nil)
				l.request(time.Hour)
				l.active(time.Hour)
				if l.c.Account.Seen.Until.IsZero() {
					t.Errorf("%s at request %d: a role without an end", kind, n)
				}
				l.ended(3 * time.Hour)
				w.gone(t, l)
			})
		}
	}
}
