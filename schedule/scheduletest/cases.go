package scheduletest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"jitney/schedule"
)

func claimsWhatIsDue[T any](s *suite[T]) {
	s.add("past", "g1", -time.Second)
	s.add("future", "g1", time.Hour)
	s.add("soon", "g1", 50*time.Millisecond)
	items := s.claim("a", 1)
	s.expect(items, "past")
	var more []schedule.Item[T]
	s.eventually("the row that is due soon", func() bool {
		more = append(more, s.claim("a", 10)...)
		return len(more) > 0
	})
	s.expect(more, "soon")
	if more[0].Late < 0 {
		s.Errorf("claimed %v before it was due", -more[0].Late)
	}
}

func claimsInOrder[T any](s *suite[T]) {
	s.add("second", "g1", -20*time.Second)
	s.add("first", "g2", -30*time.Second)
	s.add("third", "g1", -10*time.Second)
	s.expect(s.claim("a", 2), "first", "second")
	s.expect(s.claim("a", 2), "third")
	s.expect(s.claim("a", 2))
}

func claimSkips[T any](s *suite[T]) {
	s.add("x1", "gx", -3*time.Second)
	s.add("y1", "gy", -2*time.Second)
	s.add("z1", "gz", -time.Second)
	s.expect(s.claim("a", 10, "gx", "gz"), "y1")
	s.expect(s.claim("a", 10, "gz", "unheard of"), "x1")
	s.expect(s.claim("a", 10), "z1")
}

func claimTells[T any](s *suite[T]) {
	s.add("r", "g1", -5*time.Second)
	it := s.claimed("a", "r")[0]
	switch {
	case it.Err != nil:
		s.Fatalf("content: %v", it.Err)
	case s.ID(it.Value) != "r":
		s.Errorf("content of %q, want r", s.ID(it.Value))
	case it.Owner != "a" || it.Group != "g1" || it.Attempts != 0:
		s.Errorf("lease %+v", it.Lease)
	case it.Late < 5*time.Second || it.Late > 5*time.Second+slack:
		s.Errorf("late %v, want 5s", it.Late)
	case time.Since(it.Due) < 4*time.Second || time.Since(it.Due) > 5*time.Second+slack:
		s.Errorf("due %v ago, want 5s", time.Since(it.Due))
	}
	if r := s.Rows.Peek(s, "r"); r.Owner != "a" || r.Epoch != it.Epoch {
		s.Errorf("stored %+v, lease %+v", r, it.Lease)
	}
	s.dueIn("r", s.lease)

	s.giveBack(schedule.Return{Lease: it.Lease, Attempts: 3, Error: "no answer"})
	again := s.claimed("b", "r")[0]
	if again.Epoch <= it.Epoch || again.Attempts != 3 || again.Owner != "b" {
		s.Errorf("second lease %+v after %+v", again.Lease, it.Lease)
	}
}

func leaseExcludes[T any](s *suite[T]) {
	s.add("r", "g1", -time.Second)
	first := s.claimed("a", "r")[0]
	s.expect(s.claim("b", 10)) // the lease holds
	s.giveBack(schedule.Return{Lease: first.Lease})
	s.lease = 50 * time.Millisecond
	first = s.claimed("a", "r")[0]
	s.lease = lasting
	var items []schedule.Item[T]
	s.eventually("the lease runs out", func() bool {
		items = s.claim("b", 10)
		return len(items) > 0
	})
	if items[0].Epoch != first.Epoch+1 {
		s.Errorf("epoch %d after %d", items[0].Epoch, first.Epoch)
	}
}

func leaseFences[T any](s *suite[T]) {
	s.lease = time.Millisecond
	s.add("r", "g1", -time.Second)
	s.add("other", "g1", -time.Millisecond)
	items := s.claim("a", 1)
	s.lease = lasting
	var second []schedule.Item[T]
	s.eventually("the lease runs out", func() bool {
		second = append(second, s.claim("a", 10)...)
		return len(second) == 2
	})
	mine := second[slices.IndexFunc(second, func(it schedule.Item[T]) bool { return it.ID == "other" })]
	stale := items[0].Lease // the same owner, an older epoch
	stranger := mine.Lease
	stranger.Owner = "b"

	lost, err := s.Table.Renew(s.Context(), []schedule.Lease{stale, mine.Lease}, lasting)
	if err != nil || !slices.Equal(lost, []string{"r"}) {
		s.Errorf("renew: lost %q, %v; want r", lost, err)
	}
	if lost := s.giveBack(schedule.Return{Lease: stale, Never: true}, schedule.Return{Lease: stranger, Never: true}); len(lost) != 2 {
		s.Errorf("return of rows not held: lost %q, want both", lost)
	}
	if r := s.Rows.Peek(s, "r"); r.Never || r.Owner != "a" {
		s.Errorf("a stale return took effect: %+v", r)
	}
	if lost := s.giveBack(schedule.Return{Lease: stale, Never: true}, schedule.Return{Lease: mine.Lease, In: time.Hour}); !slices.Equal(lost, []string{"r"}) {
		s.Errorf("return: lost %q, want r", lost)
	}
	s.dueIn("other", time.Hour) // the good one of the batch counts
	if lost := s.giveBack(schedule.Return{Lease: mine.Lease, Never: true}); !slices.Equal(lost, []string{"other"}) {
		s.Errorf("second return of a row: lost %q, want it refused", lost)
	}
}

func renewLasts[T any](s *suite[T]) {
	s.add("r", "g1", -time.Second)
	it := s.claimed("a", "r")[0]
	lost, err := s.Table.Renew(s.Context(), []schedule.Lease{it.Lease}, time.Hour)
	if err != nil || len(lost) > 0 {
		s.Fatalf("renew: lost %q, %v", lost, err)
	}
	s.dueIn("r", time.Hour)
	if lost, err := s.Table.Renew(s.Context(), nil, time.Hour); err != nil || len(lost) > 0 {
		s.Errorf("renewing nothing: lost %q, %v", lost, err)
	}
}

func returnSchedules[T any](s *suite[T]) {
	for _, id := range []string{"at", "in", "never", "now"} {
		s.add(id, "g1", -time.Second)
	}
	items := s.claim("a", 10)
	at := time.Now().Add(30 * time.Minute).Truncate(time.Microsecond)
	var rows []schedule.Return
	for _, it := range items {
		switch it.ID {
		case "at":
			rows = append(rows, schedule.Return{Lease: it.Lease, At: at})
		case "in":
			rows = append(rows, schedule.Return{Lease: it.Lease, In: time.Hour, Attempts: 2, Error: "no answer"})
		case "never":
			rows = append(rows, schedule.Return{Lease: it.Lease, Never: true})
		default:
			rows = append(rows, schedule.Return{Lease: it.Lease})
		}
	}
	if lost := s.giveBack(rows...); len(lost) > 0 {
		s.Fatalf("lost %q", lost)
	}
	s.dueIn("at", 30*time.Minute)
	s.dueIn("in", time.Hour)
	s.dueNow("now")
	if r := s.Rows.Peek(s, "in"); r.Attempts != 2 || r.Error != "no answer" || r.Owner != "" {
		s.Errorf("after a failure: %+v", r)
	}
	if r := s.Rows.Peek(s, "never"); !r.Never || r.Owner != "" {
		s.Errorf("after never: %+v", r)
	}
	it := s.claimed("a", "now")[0]
	s.giveBack(schedule.Return{Lease: it.Lease, Never: true})
	s.expect(s.claim("a", 10))
	s.Rows.Wake(s, "never")
	s.claimed("a", "never")
}

func wakeSurvivesLease[T any](s *suite[T]) {
	s.add("later", "g1", -2*time.Second)
	s.add("never", "g1", -time.Second)
	items := s.claimed("a", "later", "never")
	s.Rows.Wake(s, "later")
	s.Rows.Wake(s, "never")
	s.expect(s.claim("b", 10)) // the lease still holds
	s.giveBack(schedule.Return{Lease: items[0].Lease, In: time.Hour}, schedule.Return{Lease: items[1].Lease, Never: true})
	s.dueNow("later")
	s.dueNow("never")
	again := s.claim("b", 10)
	if len(again) != 2 {
		s.Fatalf("claimed %d, want both", len(again))
	}
	for _, it := range again { // one wake-up counts once
		s.giveBack(schedule.Return{Lease: it.Lease, In: time.Hour})
	}
	s.dueIn("later", time.Hour)
	s.dueIn("never", time.Hour)
}

func wakeRaces[T any](s *suite[T]) {
	for i := range 30 {
		id := fmt.Sprintf("r%d", i)
		s.add(id, "g1", -time.Second)
		it := s.claimed("a", id)[0]
		var both sync.WaitGroup
		both.Go(func() { s.Rows.Wake(s, id) })
		both.Go(func() {
			if _, err := s.Table.Return(context.WithoutCancel(s.Context()), []schedule.Return{{Lease: it.Lease, In: time.Hour}}); err != nil {
				s.Errorf("return: %v", err)
			}
		})
		both.Wait()
		s.dueNow(id)
		s.giveBack(schedule.Return{Lease: s.claimed("a", id)[0].Lease, Never: true})
	}
}

func wakeBringsForward[T any](s *suite[T]) {
	s.add("future", "g1", time.Hour)
	s.add("overdue", "g1", -time.Hour)
	s.Rows.Wake(s, "future")
	s.Rows.Wake(s, "overdue")
	s.claimed("a", "overdue", "future")
}

func hastens[T any](s *suite[T]) {
	for _, id := range []string{"f1", "f2", "leased", "fine"} {
		s.add(id, "g1", -time.Second)
	}
	s.add("elsewhere", "g2", -time.Second)
	for _, it := range s.claim("a", 10) {
		switch it.ID {
		case "fine":
			s.giveBack(schedule.Return{Lease: it.Lease, In: time.Hour})
		case "leased":
			s.giveBack(schedule.Return{Lease: it.Lease, Attempts: 1, Error: "no answer"})
		default:
			s.fail(it, 4)
		}
	}
	s.claimed("a", "leased")
	if n, err := s.Recovery.Hasten(s.Context(), "g1"); err != nil || n != 2 {
		s.Errorf("hastened %d, %v; want 2", n, err)
	}
	s.dueNow("f1")
	s.dueNow("f2")
	s.dueIn("fine", time.Hour)
	s.dueIn("elsewhere", time.Hour)
	if r := s.Rows.Peek(s, "leased"); r.Owner != "a" {
		s.Errorf("hastening took a lease: %+v", r)
	}
	if got := s.Rows.Peek(s, "f1"); got.Attempts != 4 {
		s.Errorf("hastening changed the failures: %+v", got)
	}
	if n, err := s.Recovery.Hasten(s.Context(), ""); err != nil || n != 1 {
		s.Errorf("hastened %d of all groups, %v; want 1", n, err)
	}
	s.dueNow("elsewhere")
}

func frees[T any](s *suite[T]) {
	s.add("a1", "g1", -3*time.Second)
	s.expect(s.claim("a", 10), "a1")
	s.add("a2", "g2", -4*time.Second)
	items := s.claim("a", 10)
	s.add("b1", "g1", -time.Second)
	s.expect(s.claim("b", 10), "b1")
	s.Rows.Wake(s, "a1")
	if n, err := s.Recovery.Free(s.Context(), "a"); err != nil || n != 2 {
		s.Fatalf("freed %d, %v; want 2", n, err)
	}
	if r := s.Rows.Peek(s, "b1"); r.Owner != "b" {
		s.Errorf("freeing a took the lease of b: %+v", r)
	}
	if lost := s.giveBack(schedule.Return{Lease: items[0].Lease, Never: true}); len(lost) != 1 {
		s.Errorf("a freed lease could still be returned")
	}
	again := s.claimed("c", "a2", "a1") // by the instants at which they were due
	if again[0].Epoch <= items[0].Epoch {
		s.Errorf("epoch %d after %d", again[0].Epoch, items[0].Epoch)
	}
	if n, err := s.Recovery.Free(s.Context(), ""); err != nil || n != 3 {
		s.Errorf("freed %d of all owners, %v; want 3", n, err)
	}
	s.claimed("d", "a2", "a1", "b1")
}

func probes[T any](s *suite[T]) {
	s.add("elsewhere", "g2", -time.Minute)
	s.add("waits", "g1", time.Hour)
	if _, ok := s.probe("g1"); ok {
		s.Fatal("probed a row that never failed and is not due")
	}
	s.add("f1", "g1", -2*time.Second)
	s.add("f2", "g1", -time.Second)
	for _, it := range s.claim("a", 10, "g2") {
		s.fail(it, 2)
	}
	first, ok := s.probe("g1")
	if !ok || (first.ID != "f1" && first.ID != "f2") || first.Attempts != 2 || first.Owner != "p" {
		s.Fatalf("probe: %v %+v", ok, first.Lease)
	}
	if s.ID(first.Value) != first.ID {
		s.Errorf("content of %q, want %q", s.ID(first.Value), first.ID)
	}
	s.dueIn(first.ID, s.lease)
	second, ok := s.probe("g1")
	if !ok || second.ID == first.ID {
		s.Fatalf("second probe: %v %+v", ok, second.Lease)
	}
	if third, ok := s.probe("g1"); ok {
		s.Errorf("third probe took %q: all failed rows are leased", third.ID)
	}
	s.add("due", "g1", -time.Second)
	if it, ok := s.probe("g1"); !ok || it.ID != "due" {
		s.Errorf("probe: %v %q, want the due row", ok, it.ID)
	}
	if lost := s.giveBack(schedule.Return{Lease: first.Lease, In: time.Hour}); len(lost) > 0 {
		s.Errorf("a probe's lease does not hold: %q", lost)
	}
}

func (s *suite[T]) probe(group string) (schedule.Item[T], bool) {
	s.Helper()
	it, ok, err := s.Table.Probe(s.Context(), "p", group, s.lease)
	if err != nil {
		s.Fatalf("probe: %v", err)
	}
	return it, ok
}
