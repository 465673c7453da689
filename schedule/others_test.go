package schedule_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"jitney/schedule"
	"jitney/schedule/scheduletest"
)

// Rows that fail one by one, as if their target did not answer, must not hold up
// another that is due there.
func TestTroubleOfOthersDoesNotHoldUpAnEnd(t *testing.T) {
	for _, n := range []int{5, 20, 60} {
		synctest.Test(t, func(t *testing.T) {
			m, r := scheduletest.NewMemory(), newRecord()
			for i := range n {
				m.Add(fmt.Sprintf("stuck%d", i), "ad", 0)
			}
			due := time.Now().Add(300 * time.Second)
			m.Add("end", "ad", 300*time.Second)
			start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
				defer r.enter(it)()
				time.Sleep(100 * time.Millisecond)
				if it.ID == "end" {
					return schedule.Never(), nil
				}
				return schedule.Result{}, noAnswer()
			}, schedule.Config{})
			time.Sleep(time.Hour)
			if late := r.first("end").Sub(due); r.count("end") != 1 || late > 5*time.Second {
				t.Errorf("%d stuck: the end of another on the same, answering target was %v late (ran %d)", n, late, r.count("end"))
			}
		})
	}
}
