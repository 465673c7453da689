package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/schedule/scheduletest"
)

// A record is what a handler of a test saw.
type record struct {
	mu     sync.Mutex
	starts map[string][]time.Time
	order  []string
	now    map[string]int // running by id
	groups map[string]int // running by group
	most   map[string]int // most running by group
	double []string       // ids that ran twice at once
}

func newRecord() *record {
	return &record{starts: map[string][]time.Time{}, now: map[string]int{}, groups: map[string]int{}, most: map[string]int{}}
}

func (r *record) enter(it schedule.Item[string]) (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts[it.ID] = append(r.starts[it.ID], time.Now())
	r.order = append(r.order, it.ID)
	if r.now[it.ID]++; r.now[it.ID] > 1 {
		r.double = append(r.double, it.ID)
	}
	r.groups[it.Group]++
	r.most[it.Group] = max(r.most[it.Group], r.groups[it.Group])
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.now[it.ID]--
		r.groups[it.Group]--
	}
}

func (r *record) runs() []string          { return locked(r, func() []string { return slices.Clone(r.order) }) }
func (r *record) rows() int               { return locked(r, func() int { return len(r.starts) }) }
func (r *record) atOnce(group string) int { return locked(r, func() int { return r.most[group] }) }
func (r *record) doubles() []string {
	return locked(r, func() []string { return slices.Clone(r.double) })
}
func (r *record) times(id string) []time.Time {
	return locked(r, func() []time.Time { return slices.Clone(r.starts[id]) })
}

func locked[V any](r *record, f func() V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	return f()
}

func (r *record) count(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.starts[id])
}

func (r *record) first(id string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.starts[id]) == 0 {
		return time.Time{}
	}
	return r.starts[id][0]
}

// start runs a loop until stop is called or the test ends.
func start(t *testing.T, m *scheduletest.Memory, h schedule.Handler[string], cfg schedule.Config) (l *schedule.Loop[string], stop func()) {
	t.Helper()
	cfg.Recovery = m
	l = schedule.New(m, h, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return l, stop
}

func noAnswer() error {
	return &access.Error{Kind: access.Unavailable, Text: "The directory does not answer."}
}

func TestRowsStartWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		due := map[string]time.Time{}
		for i := range 200 {
			id := fmt.Sprintf("r%d", i)
			in := time.Duration(i*37) * time.Millisecond
			due[id] = time.Now().Add(in)
			m.Add(id, fmt.Sprintf("g%d", i%10), in)
		}
		_, stop := start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			time.Sleep(time.Millisecond)
			return schedule.Never(), nil
		}, schedule.Config{})
		time.Sleep(10 * time.Second)
		for id, at := range due {
			if n := r.count(id); n != 1 {
				t.Fatalf("%s ran %d times", id, n)
			}
			if late := r.first(id).Sub(at); late < 0 || late > 10*time.Millisecond {
				t.Errorf("%s was %v late", id, late)
			}
			if !m.Peek(id).Never {
				t.Errorf("%s was not given back: %+v", id, m.Peek(id))
			}
		}
		stop()
	})
}

func TestOverdueRowsComeFirstAfterAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		for i := range 20 {
			m.Add(fmt.Sprintf("old%02d", i), "g1", -time.Hour+time.Duration(i)*time.Minute)
			m.Add(fmt.Sprintf("new%02d", i), "g1", -time.Second)
		}
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			time.Sleep(time.Millisecond)
			return schedule.Never(), nil
		}, schedule.Config{PerGroup: 1})
		time.Sleep(2 * time.Second)
		for i, id := range r.runs()[:20] {
			if want := fmt.Sprintf("old%02d", i); id != want {
				t.Fatalf("start %d was %s, want %s", i, id, want)
			}
		}
		if r.atOnce("g1") != 1 {
			t.Errorf("%d at once, want 1", r.atOnce("g1"))
		}
	})
}

func TestResultsSayWhatBecomesOfARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := scheduletest.NewMemory()
		at := time.Now().Add(3 * time.Hour)
		for _, id := range []string{"at", "in", "never", "none", "own", "asked", "denied"} {
			m.Add(id, id, 0)
		}
		start(t, m, func(ctx context.Context, it schedule.Item[string]) (schedule.Result, error) {
			switch it.ID {
			case "at":
				return schedule.At(at), nil
			case "in":
				return schedule.In(2 * time.Hour), nil
			case "never":
				return schedule.Never(), nil
			case "own":
				_, err := m.Return(ctx, []schedule.Return{{Lease: it.Lease, In: 5 * time.Hour}})
				return schedule.Recorded(), err
			case "asked":
				return schedule.Result{}, fmt.Errorf("read: %w", &schedule.Later{After: 100 * time.Second, Err: noAnswer()})
			case "denied":
				return schedule.Result{}, errors.New("secret-ish detail")
			default:
				return schedule.Result{}, nil
			}
		}, schedule.Config{})
		time.Sleep(time.Second)
		tests := []struct {
			id       string
			from, to time.Duration
			attempts int
		}{
			{"at", 3*time.Hour - 2*time.Second, 3 * time.Hour, 0},
			{"in", 2*time.Hour - 2*time.Second, 2 * time.Hour, 0},
			{"own", 5*time.Hour - 2*time.Second, 5 * time.Hour, 0},
			{"asked", 98 * time.Second, 100 * time.Second, 1},
			{"denied", 500 * time.Millisecond, 2400 * time.Millisecond, 1},
			{"none", 500 * time.Millisecond, 2400 * time.Millisecond, 1},
		}
		for _, tt := range tests {
			row := m.Peek(tt.id)
			if row.Never || row.Owner != "" || row.Next < tt.from || row.Next > tt.to || row.Attempts != tt.attempts {
				t.Errorf("%s: %+v", tt.id, row)
			}
		}
		if row := m.Peek("never"); !row.Never {
			t.Errorf("never: %+v", row)
		}
		if got := m.Peek("asked").Error; got != "The directory does not answer." {
			t.Errorf("stored error %q, want the text for people", got)
		}
		if got := m.Peek("denied").Error; got != "Something inside jitney failed; its log says more." {
			t.Errorf("stored error %q, want nothing of an error that no one classified", got)
		}
	})
}

func TestFailuresAreRetriedForEverWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		m.Add("r", "g1", 0)
		var panics bool
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			if panics = !panics; panics {
				panic("a bug")
			}
			return schedule.Result{}, errors.New("another bug")
		}, schedule.Config{})
		time.Sleep(24 * time.Hour)
		starts := r.times("r")
		if len(starts) < 24*50 {
			t.Fatalf("%d tries in a day", len(starts))
		}
		for i := 1; i < len(starts); i++ {
			want := min(time.Duration(1<<min(i, 6))*time.Second, time.Minute)
			if got := starts[i].Sub(starts[i-1]); got < want*8/10 || got > want*12/10+time.Second {
				t.Fatalf("pause %d was %v, want %v give or take a fifth", i, got, want)
			}
		}
		if got := m.Peek("r").Attempts; got != len(starts) {
			t.Errorf("%d failures stored, %d made", got, len(starts))
		}
	})
}

func TestAWakeUpIsHeardAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		m.Add("r", "g1", time.Hour)
		l, _ := start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			time.Sleep(3 * time.Second)
			return schedule.In(time.Hour), nil
		}, schedule.Config{})
		time.Sleep(100 * time.Millisecond)
		woken := time.Now()
		m.Wake("r")
		l.Wake()
		time.Sleep(100 * time.Millisecond)
		if r.count("r") != 1 || r.first("r").Sub(woken) > 5*time.Millisecond {
			t.Fatalf("started %d times, %v after the wake-up", r.count("r"), r.first("r").Sub(woken))
		}
		m.Wake("r") // while it runs
		l.Wake()
		time.Sleep(time.Second)
		if r.count("r") != 1 {
			t.Fatal("ran twice at once")
		}
		time.Sleep(4 * time.Second)
		if r.count("r") != 2 {
			t.Fatal("the wake-up during the run was lost")
		}
		time.Sleep(30 * time.Minute)
		if r.count("r") != 2 {
			t.Fatalf("one wake-up counted %d times", r.count("r")-1)
		}
	})
}

func TestWhatIsDueSoonAgainStartsOnTime(t *testing.T) {
	const soon = 30 * time.Millisecond
	for name, back := range map[string]func(*scheduletest.Memory, schedule.Item[string]) schedule.Result{
		"in a moment": func(*scheduletest.Memory, schedule.Item[string]) schedule.Result { return schedule.In(soon) },
		"at an instant": func(*scheduletest.Memory, schedule.Item[string]) schedule.Result {
			return schedule.At(time.Now().Add(soon))
		},
		"given back itself": func(m *scheduletest.Memory, it schedule.Item[string]) schedule.Result {
			at := time.Now().Add(soon)
			if lost, err := m.Return(context.Background(), []schedule.Return{{Lease: it.Lease, At: at}}); err != nil || len(lost) > 0 {
				return schedule.In(time.Hour)
			}
			return schedule.RecordedUntil(at)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := scheduletest.NewMemory()
				m.Add("r", "g", 0)
				starts := make(chan time.Time, 50)
				start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
					starts <- time.Now()
					time.Sleep(100 * time.Millisecond) // long enough for the loop to sleep
					return back(m, it), nil
				}, schedule.Config{})
				last := <-starts
				for range 20 {
					next := <-starts
					if took := next.Sub(last); took > 100*time.Millisecond+soon+10*time.Millisecond {
						t.Errorf("started %s after the last time, want %s", took, 100*time.Millisecond+soon)
					}
					last = next
				}
			})
		})
	}
}

func TestRowsOfOthersAreSeenWithinHalfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			return schedule.Never(), nil
		}, schedule.Config{})
		time.Sleep(time.Minute)
		added := time.Now()
		m.Add("r", "g1", 0) // nobody tells the loop
		time.Sleep(time.Second)
		if r.count("r") != 1 || r.first("r").Sub(added) > 510*time.Millisecond {
			t.Fatalf("started %d times, after %v", r.count("r"), r.first("r").Sub(added))
		}
	})
}

func TestRemoteWakeUpsAreHeardAgainAfterTheConnectionBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		var breakIt atomic.Bool
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			return schedule.Never(), nil
		}, schedule.Config{MaxSleep: time.Hour, Listen: func(ctx context.Context, wake func()) error {
			if breakIt.CompareAndSwap(false, true) {
				time.Sleep(time.Second)
				return errors.New("connection reset")
			}
			m.OnChange(wake)
			<-ctx.Done()
			return ctx.Err()
		}})
		time.Sleep(10 * time.Second)
		added := time.Now()
		m.Add("r", "g1", 0)
		time.Sleep(time.Second)
		if r.count("r") != 1 || r.first("r").Sub(added) > 5*time.Millisecond {
			t.Fatalf("started %d times, after %v", r.count("r"), r.first("r").Sub(added))
		}
	})
}

func TestAGroupAtItsLimitDoesNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		for i := range 3000 {
			m.Add(fmt.Sprintf("slow%d", i), "slow", -time.Hour)
		}
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			if it.Group == "slow" {
				time.Sleep(time.Second)
			}
			return schedule.Never(), nil
		}, schedule.Config{})
		time.Sleep(5 * time.Second)
		added := time.Now()
		for i := range 100 {
			m.Add(fmt.Sprintf("quick%d", i), fmt.Sprintf("quick%d", i%5), 0)
		}
		time.Sleep(5 * time.Second)
		for i := range 100 {
			id := fmt.Sprintf("quick%d", i)
			if late := r.first(id).Sub(added); r.count(id) != 1 || late > 600*time.Millisecond {
				t.Errorf("%s ran %d times, %v late", id, r.count(id), late)
			}
		}
		if r.atOnce("slow") != 8 {
			t.Errorf("%d of one group at once, want 8", r.atOnce("slow"))
		}
		time.Sleep(10 * time.Minute)
		if got := r.rows(); got != 3100 {
			t.Errorf("%d rows ran, want all", got)
		}
	})
}

func TestHungGroupsDoNotStarveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		for i := range 400 {
			m.Add(fmt.Sprintf("hung%d", i), fmt.Sprintf("hung%d", i%20), -time.Hour)
		}
		l, _ := start(t, m, func(ctx context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			if it.Group != "well" {
				<-ctx.Done()
				return schedule.Result{}, ctx.Err()
			}
			return schedule.Never(), nil
		}, schedule.Config{Global: 64})
		time.Sleep(time.Second)
		added := time.Now()
		m.Add("well", "well", 0)
		time.Sleep(20 * time.Second)
		if late := r.first("well").Sub(added); r.count("well") != 1 || late > 8*time.Second {
			t.Errorf("ran %d times, %v late, behind 20 hung targets", r.count("well"), late)
		}
		time.Sleep(time.Minute)
		if open := l.Stats().Open; len(open) != 20 {
			t.Errorf("%d breakers open, want those of all hung targets", len(open))
		}
	})
}

func TestEveryRowRunsOnceInAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		const n = 2000
		for i := range n {
			m.Add(fmt.Sprintf("r%d", i), fmt.Sprintf("g%d", i%100), 0)
		}
		l, stop := start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			time.Sleep(time.Millisecond)
			return schedule.Never(), nil
		}, schedule.Config{Global: 200})
		time.Sleep(2 * time.Second)
		if len(r.runs()) != n || r.rows() != n || len(r.doubles()) > 0 {
			t.Fatalf("%d runs of %d rows, twice at once: %v", len(r.runs()), r.rows(), r.doubles())
		}
		if c := m.Calls("Return"); c > n/8 {
			t.Errorf("%d transactions to give %d rows back", c, n)
		}
		stop()
		if s := l.Stats(); s.Held != 0 || s.Claimed < n || s.Lost != 0 {
			t.Errorf("stats %+v", s)
		}
		for i := range n {
			if row := m.Peek(fmt.Sprintf("r%d", i)); !row.Never || row.Owner != "" {
				t.Fatalf("r%d: %+v", i, row)
			}
		}
	})
}

func TestAStopFinishesOrGivesBackWhatItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		for i := range 50 {
			m.Add(fmt.Sprintf("r%02d", i), "g1", -time.Minute+time.Duration(i))
		}
		var stopped []string
		var mu sync.Mutex
		l, stop := start(t, m, func(ctx context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			if it.ID == "r00" { // would go on for ever
				<-ctx.Done()
				mu.Lock()
				stopped = append(stopped, it.ID)
				mu.Unlock()
				return schedule.Result{}, context.Cause(ctx)
			}
			time.Sleep(4 * time.Second)
			return schedule.Never(), nil
		}, schedule.Config{})
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 13*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if s := l.Stats(); s.Held != 0 || s.Running != 0 {
			t.Errorf("after the stop: %+v", s)
		}
		if !slices.Equal(stopped, []string{"r00"}) {
			t.Errorf("cut off %v, want only the one that did not end", stopped)
		}
		for i := range 50 {
			id := fmt.Sprintf("r%02d", i)
			row := m.Peek(id)
			finished := i > 0 && i < 8
			if row.Owner != "" || row.Never != finished || row.Attempts != 0 || !row.Never && row.Next > 0 {
				t.Errorf("%s: %+v", id, row)
			}
		}
	})
}
