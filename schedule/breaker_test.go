package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/schedule/scheduletest"
)

func TestAfterAnOutageOfAnyLengthTheFirstTryComesWithinTenSeconds(t *testing.T) {
	tests := []struct {
		name   string
		rows   int
		length time.Duration
		hang   time.Duration // how long a call takes to fail
	}{
		{"one row, 14 minutes", 1, 14 * time.Minute, 0},
		{"twenty rows, 14 minutes", 20, 14 * time.Minute, 0},
		{"twenty rows, 14 minutes, calls that hang 4 seconds", 20, 14 * time.Minute, 4 * time.Second},
		{"ten rows, 3 days", 10, 72 * time.Hour, 0},
		{"two hundred rows, an hour", 200, time.Hour, time.Second},
		{"one row, 5 seconds", 1, 5 * time.Second, 0},
		{"two rows, 20 seconds", 2, 20 * time.Second, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, r := scheduletest.NewMemory(), newRecord()
				for i := range tt.rows {
					m.Add(fmt.Sprintf("r%d", i), "dc", time.Duration(i)*100*time.Millisecond)
				}
				m.Add("other", "elsewhere", 0)
				back := time.Now().Add(tt.length)
				var worked atomic.Int64
				l, _ := start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
					defer r.enter(it)()
					switch {
					case it.Group != "dc":
						return schedule.In(10 * time.Second), nil
					case time.Now().Before(back):
						time.Sleep(tt.hang)
						return schedule.Result{}, noAnswer()
					}
					worked.Add(1)
					return schedule.Never(), nil
				}, schedule.Config{})
				time.Sleep(time.Until(back))
				calls := 0
				for i := range tt.rows {
					calls += r.count(fmt.Sprintf("r%d", i))
				}
				if most := int(tt.length/(3*time.Second)) + 30; calls > most {
					t.Errorf("%d calls into the outage, want at most %d", calls, most)
				}
				time.Sleep(10 * time.Second)
				if worked.Load() == 0 {
					t.Fatal("no try within 10 s of the return")
				}
				time.Sleep(5 * time.Second)
				if int(worked.Load()) != tt.rows {
					t.Errorf("%d of %d done 15 s after the return", worked.Load(), tt.rows)
				}
				if n, want := r.count("other"), int(tt.length/(11*time.Second)); n < want {
					t.Errorf("another group ran %d times, want %d", n, want)
				}
				if s := l.Stats(); len(s.Open) > 0 {
					t.Errorf("still open: %v", s.Open)
				}
			})
		})
	}
}

func TestARestartDuringAnOutageDoesNotDelayTheFirstTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := scheduletest.NewMemory()
		for i := range 5 {
			m.Add(fmt.Sprintf("r%d", i), "dc", 0)
		}
		back := time.Now().Add(time.Hour)
		var first atomic.Pointer[time.Time]
		h := func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			if time.Now().Before(back) {
				return schedule.Result{}, noAnswer()
			}
			now := time.Now()
			first.CompareAndSwap(nil, &now)
			return schedule.Never(), nil
		}
		_, stop := start(t, m, h, schedule.Config{Exclusive: true})
		time.Sleep(time.Until(back) - 500*time.Millisecond)
		stop()
		start(t, m, h, schedule.Config{Exclusive: true})
		time.Sleep(15 * time.Second)
		if first.Load() == nil || first.Load().Sub(back) > 10*time.Second {
			t.Fatalf("first try at %v, the target was back at %v", first.Load(), back)
		}
	})
}

func TestOneRowThatAlwaysFailsDoesNotOpenAWorkingGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		m.Add("bad", "dc", 0)
		m.Add("good", "dc", 0)
		l, _ := start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			if it.ID == "bad" {
				return schedule.Result{}, noAnswer()
			}
			return schedule.In(time.Second), nil
		}, schedule.Config{})
		time.Sleep(time.Hour)
		if s := l.Stats(); len(s.Open) > 0 {
			t.Error("the breaker opened although the group answers")
		}
		if n := r.count("good"); n < 3500 {
			t.Errorf("the good row ran %d times in an hour, want one a second", n)
		}
		if n := r.count("bad"); n < 60 || n > 600 {
			t.Errorf("the bad row ran %d times in an hour", n)
		}
	})
}

func TestFaultsOfARowDoNotOpenItsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := scheduletest.NewMemory()
		for i := range 20 {
			m.Add(fmt.Sprintf("r%d", i), "dc", 0)
		}
		var opened atomic.Int64
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			switch len(it.ID) % 2 {
			case 0:
				return schedule.Result{}, &access.Error{Kind: access.Denied, Text: "The service account may not do that."}
			default:
				return schedule.Result{}, errors.New("a bug")
			}
		}, schedule.Config{OnBreaker: func(string, bool) { opened.Add(1) }})
		time.Sleep(time.Hour)
		if opened.Load() != 0 {
			t.Error("the breaker opened although the group answers")
		}
	})
}

func TestAThrottledGroupIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		for i := range 20 {
			m.Add(fmt.Sprintf("r%d", i), "cloud", time.Duration(i)*time.Second)
		}
		began := time.Now()
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			if time.Since(began) < 40*time.Second {
				return schedule.Result{}, &schedule.Later{After: 40*time.Second - time.Since(began), Err: noAnswer()}
			}
			return schedule.Never(), nil
		}, schedule.Config{})
		time.Sleep(39 * time.Second)
		if n := len(r.runs()); n > 2 {
			t.Errorf("%d calls although asked to wait", n)
		}
		time.Sleep(15 * time.Second)
		if r.rows() != 20 {
			t.Errorf("%d of 20 tried after the pause", r.rows())
		}
	})
}

func TestAHugePauseIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		m.Add("r", "cloud", 0)
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			return schedule.Result{}, &schedule.Later{After: 1000 * time.Hour, Err: noAnswer()}
		}, schedule.Config{})
		time.Sleep(time.Hour)
		if n := r.count("r"); n < 10 {
			t.Errorf("%d tries in an hour", n)
		}
	})
}
