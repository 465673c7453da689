package aws

import (
	"testing"
	"time"

	sim "jitney/sim/aws"
)

// TestNoDenyGoesByAWrongClock is about a server whose clock runs hours ahead:
// to it keys of an ended grant seem to be long gone.
func TestNoDenyGoesByAWrongClock(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		k := w.session(w.open(), &a, asked(time.Hour))
		w.remove(w.open(), a)
		time.Sleep(2 * believed)
		if w.lists(k) {
			t.Fatal("the keys work")
		}
		time.Sleep(3 * time.Hour)
		w.SetSkew(-3 * time.Hour) // it was not three hours, but some seconds
		if gone, err := w.open().Tidy(t.Context()); err != nil || len(gone) > 0 {
			t.Errorf("removed %q: %v", gone, err)
		}
		time.Sleep(2 * believed)
		if w.lists(k) {
			t.Error("keys of an ended grant work again after the sweep")
		}
		w.SetSkew(0)
		if gone, err := w.open().Tidy(t.Context()); err != nil || len(gone) != 1 {
			t.Errorf("removed %q: %v", gone, err)
		}
	})
}
