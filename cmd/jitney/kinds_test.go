package main

import (
	"testing"

	"jitney/access"
	"jitney/ticket/reach"
)

// Whoever changes where a stored secret is sent must know it. AWS is never
// sent its secret: it signs what is sent.
func TestEveryKindSaysWhereItsSecretsGo(t *testing.T) {
	kinds := map[string][]access.Field{}
	for _, k := range targetKinds() {
		kinds[k.Name] = k.Fields
	}
	for _, k := range ticketKinds(reach.Rules{}) {
		kinds[k.Name] = k.Fields
	}
	delete(kinds, "aws")
	for name, fields := range kinds {
		secrets, routes := 0, 0
		for _, f := range fields {
			if f.Secret {
				secrets++
			}
			if f.Route {
				routes++
			}
			if (f.Name == "ca" || f.Name == "url" || f.Name == "auth_url") && !f.Route {
				t.Errorf("%s: stored secrets depend on %q, which is no Route", name, f.Title)
			}
		}
		if secrets > 0 && routes == 0 {
			t.Errorf("%s has secrets, and says nowhere where they are sent", name)
		}
	}
}
