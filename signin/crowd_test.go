package signin

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"jitney/access"
)

// taking stores pairings nowhere.
type taking struct{ PairingTable }

func (taking) AddPairing(context.Context, access.Pairing) error { return nil }

func TestOneNetworkTakesNoPairingsFromOthers(t *testing.T) {
	for name, address := range map[string]func(int) string{
		"one address":                  func(int) string { return "198.51.100.7" },
		"the addresses of one network": func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i) },
		"the networks of one site":     func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewPairings(newRing(), taking{}, nil)
				ask := access.Pairing{Application: "jitney", Challenge: strings.Repeat("c", 43), State: strings.Repeat("s", 16), Port: 4000}
				begun := 0
				for i := range 3000 {
					ask.Address = address(i)
					if _, err := s.Begin(t.Context(), ask); err == nil {
						begun++
					} else if access.CodeOf(err) != TooMany {
						t.Fatal(err)
					}
				}
				if begun < 20 || begun > 60 {
					t.Errorf("%d were begun", begun)
				}
				for _, other := range []string{"203.0.113.9", "2001:db8:2::1"} {
					ask.Address = other
					if _, err := s.Begin(t.Context(), ask); err != nil {
						t.Errorf("%s: %v", other, err)
					}
				}
			})
		})
	}
}
