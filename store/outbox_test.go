package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store"
)

func queue(t *testing.T, s *store.Store, key, lane string) {
	t.Helper()
	if err := s.Outbox.Add(t.Context(), access.Work{Kind: "note", Key: key, Group: "desk", Lane: lane, Grant: "g1", Payload: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
}

func claimWork(t *testing.T, s *store.Store) map[string]schedule.Item[access.Work] {
	t.Helper()
	items, err := s.Outbox.Claim(t.Context(), schedule.Claim{Owner: "me", For: time.Hour, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	byKey := map[string]schedule.Item[access.Work]{}
	for _, it := range items {
		byKey[it.Value.Key] = it
	}
	return byKey
}

func TestWorkOfOneLaneIsDoneInOrder(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		for i := range 3 {
			queue(t, s, fmt.Sprint("a", i), "a")
			queue(t, s, fmt.Sprint("b", i), "b")
		}
		queue(t, s, "a1", "a") // the same key is queued once
		first := claimWork(t, s)
		if len(first) != 2 || first["a0"].ID == "" || first["b0"].ID == "" {
			t.Fatalf("claimed %v, want the first of each lane", first)
		}
		if d, ok, err := s.Outbox.Next(t.Context(), nil); err != nil || !ok || d < 30*time.Minute {
			t.Errorf("next in %v %v %v: rows that must wait for others are not due", d, ok, err)
		}
		if err := s.Outbox.Tried(t.Context(), first["a0"].Lease); err != nil {
			t.Fatal(err)
		}
		if err := s.Outbox.Finish(t.Context(), first["a0"].Lease, "note 7", false); err != nil {
			t.Fatal(err)
		}
		if err := s.Outbox.Finish(t.Context(), first["b0"].Lease, "the ticket is gone", true); err != nil {
			t.Fatal(err)
		}
		if err := s.Outbox.Finish(t.Context(), first["b0"].Lease, "", false); !errors.Is(err, schedule.ErrLost) {
			t.Errorf("finished twice: %v", err)
		}
		second := claimWork(t, s)
		if len(second) != 2 || second["a1"].ID == "" || second["b1"].ID == "" {
			t.Fatalf("claimed %v, want the second of each lane", second)
		}
		checkWork(t, s, first["b0"].ID, first["a0"].ID)
		if err := s.Outbox.Retry(t.Context(), first["b0"].ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.Outbox.Retry(t.Context(), first["a0"].ID), access.Conflict)
		wantKind(t, s.Outbox.Retry(t.Context(), "none"), access.NotFound)
		if third := claimWork(t, s); len(third) != 1 || third["b0"].ID == "" {
			t.Errorf("claimed %v, want the one that was started again", third)
		}
	})
}

func checkWork(t *testing.T, s *store.Store, parked, done string) {
	t.Helper()
	work, err := s.Outbox.WorkOf(t.Context(), "g1")
	if err != nil || len(work) != 6 {
		t.Fatalf("%d rows, %v; want 6", len(work), err)
	}
	for _, w := range work {
		switch w.ID {
		case parked:
			if w.ParkedAt.IsZero() || !w.DoneAt.IsZero() || w.Result != "the ticket is gone" {
				t.Errorf("parked %+v", w)
			}
		case done:
			if w.DoneAt.IsZero() || w.TriedAt.IsZero() || w.Result != "note 7" {
				t.Errorf("done %+v", w)
			}
		}
	}
}

func TestEnsuredWorkIsDueAgain(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		sweep := access.Work{ID: "sweep", Kind: "sweep", Key: "sweep", Group: "sweep", Lane: "sweep"}
		ensure := func() {
			t.Helper()
			if err := s.Outbox.Ensure(t.Context(), sweep); err != nil {
				t.Fatal(err)
			}
		}
		ensure()
		ensure()
		it := claimWork(t, s)["sweep"]
		ensure() // while it runs
		if _, err := s.Outbox.Return(t.Context(), []schedule.Return{{Lease: it.Lease, In: time.Hour}}); err != nil {
			t.Fatal(err)
		}
		it, ok := claimWork(t, s)["sweep"]
		if !ok {
			t.Fatal("the wake-up was lost")
		}
		if _, err := s.Outbox.Return(t.Context(), []schedule.Return{{Lease: it.Lease, In: time.Hour}}); err != nil {
			t.Fatal(err)
		}
		if got := claimWork(t, s); len(got) != 0 {
			t.Errorf("claimed %v an hour early", got)
		}
		ensure()
		if got := claimWork(t, s); len(got) != 1 {
			t.Errorf("claimed %v, want the sweep", got)
		}
	})
}

func TestParkedWorkGoesWithAnother(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		queue(t, s, "first", "a")
		queue(t, s, "last", "a")
		first := claimWork(t, s)["first"]
		if err := s.Outbox.Finish(t.Context(), first.Lease, "no", true); err != nil {
			t.Fatal(err)
		}
		last := claimWork(t, s)["last"]
		works, err := s.Outbox.WorkOf(t.Context(), "g1")
		if err != nil || len(works) != 2 {
			t.Fatalf("%+v, %v", works, err)
		}
		if err := s.Outbox.Retry(t.Context(), first.ID); err != nil { // and is parked again, tried or not
			t.Fatal(err)
		}
		again := claimWork(t, s)["first"]
		if err := s.Outbox.Finish(t.Context(), again.Lease, "no", true); err != nil {
			t.Fatal(err)
		}
		n := access.Note{Key: "last", Body: "Both"}
		wantKind(t, s.Outbox.Join(t.Context(), last.Lease, n, works[0]), access.Conflict)
		lost := last.Lease
		lost.Epoch++
		if works, err = s.Outbox.WorkOf(t.Context(), "g1"); err != nil || string(works[1].Payload) != "{}" {
			t.Fatalf("what failed changed something: %+v, %v", works, err)
		}
		if err := s.Outbox.Join(t.Context(), lost, n, works[0]); !errors.Is(err, schedule.ErrLost) {
			t.Errorf("joined without the lease: %v", err)
		}
		if err := s.Outbox.Join(t.Context(), last.Lease, n, works[0]); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.Outbox.Retry(t.Context(), first.ID), access.Conflict)
		works, err = s.Outbox.WorkOf(t.Context(), "g1")
		if err != nil || works[0].DoneAt.IsZero() || !works[0].ParkedAt.IsZero() || works[0].Result != access.GoesWith+"last" || !strings.Contains(string(works[1].Payload), "Both") {
			t.Errorf("%+v, %v", works, err)
		}
		if got := claimWork(t, s); len(got) != 0 {
			t.Errorf("claimed %v", got)
		}
	})
}
