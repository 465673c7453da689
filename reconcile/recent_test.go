package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/reconcile"
)

// someTargets counts how often it is asked.
type someTargets struct {
	asked int
	fails bool
	name  string
}

func (s *someTargets) Target(_ context.Context, id string) (access.Target, error) {
	s.asked++
	if s.fails {
		return access.Target{}, errors.New("no database")
	}
	return access.Target{ID: id, Name: s.name}, nil
}

func (s *someTargets) Targets(context.Context, string) ([]access.Target, error) { return nil, nil }

func TestRecentTargetsAreReadOnceAndNeverOlderThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &someTargets{name: "old", fails: true}
		recent := reconcile.Recent(from, time.Second)
		if _, err := recent.Target(t.Context(), "t1"); err == nil {
			t.Fatal("the failure was hidden")
		}
		from.fails = false
		for range 10 {
			if got, err := recent.Target(t.Context(), "t1"); err != nil || got.Name != "old" {
				t.Fatalf("got %q, %v", got.Name, err)
			}
		}
		if from.asked != 2 {
			t.Errorf("asked %d times, want once after the failure", from.asked)
		}
		from.name = "new"
		time.Sleep(time.Second)
		if got, _ := recent.Target(t.Context(), "t1"); got.Name != "new" {
			t.Errorf("got %q after its time", got.Name)
		}
	})
}
