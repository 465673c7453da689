package scheduletest_test

import (
	"testing"
	"time"

	"jitney/schedule/scheduletest"
)

type memoryRows struct{ *scheduletest.Memory }

func (m memoryRows) Add(_ testing.TB, id, group string, in time.Duration) {
	m.Memory.Add(id, group, in)
}
func (m memoryRows) Wake(_ testing.TB, id string)                  { m.Memory.Wake(id) }
func (m memoryRows) Peek(_ testing.TB, id string) scheduletest.Row { return m.Memory.Peek(id) }

func TestMemoryKeepsThePromises(t *testing.T) {
	scheduletest.Run(t, func(*testing.T) scheduletest.Subject[string] {
		m := scheduletest.NewMemory()
		return scheduletest.Subject[string]{
			Table: m, Recovery: m, Beacon: m, Rows: memoryRows{m},
			ID: func(v string) string { return v },
		}
	})
}
