package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"jitney/schedule"
)

func TestRecordingMayTakeTheTimeThatALookHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Ports{}, Config{})
		long, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		stopped, stop := context.WithCancelCause(long)
		stop(schedule.ErrStopping)
		for name, tt := range map[string]struct {
			ctx  context.Context
			want time.Duration
		}{
			"a look with time left":         {long, 25 * time.Second},
			"a look whose time ends soon":   {short, 3 * time.Second},
			"a look that was told to stop":  {stopped, 3 * time.Second},
			"a look that has no time limit": {t.Context(), 3 * time.Second},
		} {
			kept, cancel := r.keep(tt.ctx)
			defer cancel()
			if until, ok := kept.Deadline(); !ok || time.Until(until) != tt.want || kept.Err() != nil {
				t.Errorf("%s: %s to record, %v; want %s", name, time.Until(until), kept.Err(), tt.want)
			}
		}
	})
}
