package entra

import (
	"testing"
	"time"

	"jitney/sim/entra"
)

// TestNothingIsGivenByAWrongClock is about a server whose clock is wrong when
// access is given and right again before its end: it would end as much later.
func TestNothingIsGivenByAWrongClock(t *testing.T) {
	for name, values := range map[string]map[string]string{"pass": nil, "password": {fieldCredential: credentialPass}} {
		t.Run(name, func(t *testing.T) {
			lives(t, worldSpec{strong: true, values: values}, func(t *testing.T, w *world) {
				w.cloud.Faults(entra.Rule{Do: []entra.Action{{Kind: entra.SkewClock, Delay: -time.Hour}}})
				l := w.life(t, nil)
				l.request(time.Hour)
				for range 20 {
					l.look()
					time.Sleep(5 * time.Second)
				}
				if u, ok := w.user(t, l.c.Account); ok && len(u.Roles) > 0 {
					t.Errorf("a role was given: %+v", u)
				}
				w.cloud.Faults()
				l.active(time.Minute)
			})
		})
	}
}
