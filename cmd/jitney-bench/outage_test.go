package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestOutageEndsEveryGrantSoonAfterTheReturn lets grants end while their
// target is away for long, in virtual time, with the real store on SQLite, the
// real reconciler and the real loops. What it logs, the benchmark prints.
func TestOutageEndsEveryGrantSoonAfterTheReturn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { outage(t, dir, 14*time.Minute) })
}

func outage(t *testing.T, dir string, length time.Duration) {
	e := &engine{dir: dir, stop: func() {}}
	name, err := e.empty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db, err := e.raw(name)
	if err != nil {
		t.Fatal(err)
	}
	ends := batch{prefix: "s", n: outageEnds, first: time.Now().Add(time.Minute), step: 100 * time.Millisecond, places: 1}
	if err := e.load(t.Context(), db, ends); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSink(time.Millisecond)
	s.setDown(true)
	c, err := startCore(t.Context(), name, s, 0)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(ends.first.Add(length)))
	if n := s.doneCount(); n > 0 {
		t.Fatalf("%d removed although the target was away", n)
	}
	s.setDown(false)
	for n := 0; n < outageEnds && time.Since(s.returned) < 5*time.Minute; n, _ = c.recorded.count() {
		time.Sleep(10 * time.Millisecond)
	}
	n, last := c.recorded.count()
	var after []time.Duration
	for _, d := range s.done {
		after = append(after, d.Sub(s.returned))
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
	if n != outageEnds || at(after, 0) > 10*time.Second || at(after, 1) > 15*time.Second {
		t.Errorf("%d of %d ended, the first %v and the last %v after the return", n, outageEnds, at(after, 0), at(after, 1))
	}
	t.Logf("measured: away for %s: %d of %d removed, first %.1f s, last %.1f s after the return; last recorded after %.1f s (%d calls were made into the outage)",
		length, n, outageEnds, at(after, 0).Seconds(), at(after, 1).Seconds(), last.Sub(s.returned).Seconds(), s.silence)
}
