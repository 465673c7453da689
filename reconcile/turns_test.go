package reconcile

import (
	"fmt"
	"testing"
	"time"
)

// TestTicketsTakeTurns has 100 tickets watched where 10 a minute may be looked
// for, in rounds that come early and late.
func TestTicketsTakeTurns(t *testing.T) {
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprint(i))
	}
	var turns turns
	now := time.Now()
	seen, urgent, most, looks := map[string]time.Time{}, 0, time.Duration(0), 0
	begin := now
	for i := range 200 {
		got := turns.take("c", append(all, all[:5]...), func(name string) bool { return name == "77" }, 10, now)
		if len(got) > 10 {
			t.Fatalf("%d at once", len(got))
		}
		for name := range got {
			if at, ok := seen[name]; ok && name != "77" {
				most = max(most, now.Sub(at))
			}
			seen[name] = now
			looks++
		}
		if got["77"] {
			urgent++
		}
		now = now.Add([]time.Duration{15 * time.Second, 54 * time.Second, 66 * time.Second, time.Second}[i%4])
	}
	if len(seen) != 100 || most > 15*time.Minute || urgent < 40 {
		t.Errorf("%d were seen, one of them %s after the last time, the urgent one %d times", len(seen), most, urgent)
	}
	if limit := 10 * (now.Sub(begin).Minutes() + 1); float64(looks) > limit {
		t.Errorf("%d looks; want at most %.0f", looks, limit)
	}
	if got := turns.take("c", all, func(string) bool { return false }, 0, now); len(got) != 100 {
		t.Errorf("%d without a limit", len(got))
	}
	if got := turns.take("d", all[:7], func(string) bool { return false }, 10, now); len(got) != 7 {
		t.Errorf("%d on another connection", len(got))
	}
}
