package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jitney/schedule"
	"jitney/schedule/scheduletest"
)

func TestALeaseIsRenewedWhileItsHandlerRunsAndItsTimeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := scheduletest.NewMemory()
		m.Add("r", "g1", 0)
		var took atomic.Int64
		start(t, m, func(ctx context.Context, it schedule.Item[string]) (schedule.Result, error) {
			began := time.Now()
			<-ctx.Done()
			took.CompareAndSwap(0, int64(time.Since(began)))
			return schedule.Result{}, ctx.Err()
		}, schedule.Config{})
		time.Sleep(24 * time.Second)
		if row := m.Peek("r"); row.Owner == "" || row.Next < 14*time.Second {
			t.Errorf("after 24 s: %+v, want a renewed lease", row)
		}
		time.Sleep(2 * time.Second)
		if got := time.Duration(took.Load()); got != 25*time.Second {
			t.Errorf("the handler had %v, want the lease but its margin", got)
		}
		if row := m.Peek("r"); row.Owner != "" || row.Attempts != 1 {
			t.Errorf("after the timeout: %+v", row)
		}
	})
}

func TestWhoLosesALeaseIsToldAndCannotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		m.Add("r", "g1", 0)
		cause := make(chan error, 1)
		l, _ := start(t, m, func(ctx context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			if it.Epoch > 1 {
				return schedule.In(time.Hour), nil
			}
			<-ctx.Done()
			cause <- context.Cause(ctx)
			time.Sleep(5 * time.Second) // and still takes its time
			return schedule.Never(), nil
		}, schedule.Config{})
		time.Sleep(time.Second)
		if _, err := m.Free(t.Context(), ""); err != nil { // as another replica would
			t.Fatal(err)
		}
		if err := <-cause; !errors.Is(err, schedule.ErrLost) {
			t.Errorf("cause %v, want the lost lease", err)
		}
		time.Sleep(10 * time.Second)
		if row := m.Peek("r"); row.Never || row.Next < 50*time.Minute {
			t.Errorf("%+v, want what the second run wrote", row)
		}
		if len(r.doubles()) > 0 {
			t.Error("two handlers of one row ran at once in one process")
		}
		if s := l.Stats(); s.Lost == 0 || s.Held != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAHandlerEndsBeforeItsLeaseWhenTheTableIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := scheduletest.NewMemory()
		var away atomic.Bool
		m.Fail = func(string) error {
			if away.Load() {
				return errors.New("the database is away")
			}
			return nil
		}
		m.Add("r", "g1", 0)
		began := time.Now()
		ended := make(chan time.Duration, 1)
		start(t, m, func(ctx context.Context, it schedule.Item[string]) (schedule.Result, error) {
			if it.Epoch == 1 {
				<-ctx.Done()
				ended <- time.Since(began)
				return schedule.Result{}, ctx.Err()
			}
			return schedule.Never(), nil
		}, schedule.Config{})
		time.Sleep(time.Second)
		away.Store(true)
		if got := <-ended; got > 30*time.Second {
			t.Errorf("the handler ran %v, longer than its lease", got)
		}
		time.Sleep(time.Hour)
		away.Store(false)
		back := time.Now()
		time.Sleep(2 * time.Second)
		if row := m.Peek("r"); !row.Never {
			t.Errorf("%v after the table's return: %+v", time.Since(back), row)
		}
	})
}

func TestReturnsSurviveAShortAbsenceOfTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		var away atomic.Bool
		m.Fail = func(string) error {
			if away.Load() {
				return errors.New("the database is away")
			}
			return nil
		}
		for i := range 8 {
			m.Add(fmt.Sprintf("r%d", i), "g1", 0)
		}
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			away.Store(true)
			time.Sleep(time.Second)
			return schedule.Never(), nil
		}, schedule.Config{})
		time.Sleep(6 * time.Second)
		away.Store(false)
		time.Sleep(time.Minute)
		if len(r.runs()) != 8 {
			t.Errorf("%d runs of 8 rows", len(r.runs()))
		}
	})
}

// kill makes a table fail for one loop for ever, as if its process was gone.
type kill struct {
	*scheduletest.Memory
	dead atomic.Bool
}

var errKilled = errors.New("killed")

func (k *kill) Claim(ctx context.Context, c schedule.Claim) ([]schedule.Item[string], error) {
	if k.dead.Load() {
		return nil, errKilled
	}
	return k.Memory.Claim(ctx, c)
}

func (k *kill) Probe(ctx context.Context, owner, group string, d time.Duration) (schedule.Item[string], bool, error) {
	if k.dead.Load() {
		return schedule.Item[string]{}, false, errKilled
	}
	return k.Memory.Probe(ctx, owner, group, d)
}

func (k *kill) Renew(ctx context.Context, l []schedule.Lease, d time.Duration) ([]string, error) {
	if k.dead.Load() {
		return nil, errKilled
	}
	return k.Memory.Renew(ctx, l, d)
}

func (k *kill) Return(ctx context.Context, rows []schedule.Return) ([]string, error) {
	if k.dead.Load() {
		return nil, errKilled
	}
	return k.Memory.Return(ctx, rows)
}

// A deadBeacon lets go of its owner when told, as the server does for a
// session whose process is gone.
type deadBeacon struct {
	*scheduletest.Memory
	let context.Context
}

func (b deadBeacon) Hold(ctx context.Context, owner string) (<-chan struct{}, error) {
	if err := b.let.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(b.let, cancel)
	return b.Memory.Hold(ctx, owner)
}

func TestAnotherReplicaTakesOverWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		for i := range 400 {
			m.Add(fmt.Sprintf("r%d", i), fmt.Sprintf("g%d", i%40), 0)
		}
		var killed atomic.Bool
		var late atomic.Int64
		killedAt := time.Now().Add(120 * time.Millisecond)
		handler := func(mortal bool) schedule.Handler[string] {
			return func(ctx context.Context, it schedule.Item[string]) (schedule.Result, error) {
				if !mortal || !killed.Load() {
					defer r.enter(it)()
				}
				if killed.Load() {
					late.Store(max(late.Load(), int64(time.Since(killedAt))))
				}
				time.Sleep(50 * time.Millisecond)
				if mortal && killed.Load() {
					<-ctx.Done() // never heard of again
				}
				return schedule.Never(), nil
			}
		}
		let, die := context.WithCancel(t.Context())
		victim := &kill{Memory: m}
		run := func(table schedule.Table[string], b schedule.Beacon, h schedule.Handler[string]) {
			l := schedule.New(table, h, schedule.Config{Global: 32, Recovery: m, Beacon: b, StopWithin: time.Second})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); l.Run(ctx) }()
			t.Cleanup(func() { cancel(); <-done })
		}
		run(victim, deadBeacon{m, let}, handler(true))
		run(m, m, handler(false))
		time.Sleep(time.Until(killedAt))
		killed.Store(true)
		victim.dead.Store(true)
		die()
		time.Sleep(5 * time.Second)
		for i := range 400 {
			if row := m.Peek(fmt.Sprintf("r%d", i)); !row.Never {
				t.Errorf("r%d was not finished: %+v", i, row)
			}
		}
		if got := time.Duration(late.Load()); got > 2*time.Second {
			t.Errorf("the last start came %v after the kill", got)
		}
	})
}

func TestALoopWhoseBeaconIsOutClaimsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := scheduletest.NewMemory(), newRecord()
		let, die := context.WithCancel(t.Context())
		start(t, m, func(_ context.Context, it schedule.Item[string]) (schedule.Result, error) {
			defer r.enter(it)()
			return schedule.Never(), nil
		}, schedule.Config{Beacon: deadBeacon{m, let}})
		m.Add("before", "g1", 0)
		time.Sleep(time.Second)
		die()
		synctest.Wait()
		m.Add("after", "g1", 0)
		time.Sleep(10 * time.Second)
		if r.count("before") != 1 || r.count("after") != 0 {
			t.Errorf("ran %d before and %d after", r.count("before"), r.count("after"))
		}
	})
}

// TestNothingIsLostWhateverHappens lets loops live and die over one table
// while rows are added and woken, and the table and the handlers fail at
// random: at the end every wake-up was followed by a run, no two runs of a row
// with a valid lease overlapped, and nothing is left due.
func TestNothingIsLostWhateverHappens(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	var mu sync.Mutex // rng and what follows
	chance := func(p float64) bool {
		mu.Lock()
		defer mu.Unlock()
		return rng.Float64() < p
	}
	m := scheduletest.NewMemory()
	calm := atomic.Bool{}
	m.Fail = func(string) error {
		if !calm.Load() && chance(0.02) {
			return errors.New("a hiccup")
		}
		return nil
	}
	woken, seen := map[string]time.Time{}, map[string]time.Time{}
	handler := func(ctx context.Context, it schedule.Item[string]) (schedule.Result, error) {
		began := time.Now()
		mu.Lock()
		d := time.Duration(rng.IntN(300)) * time.Millisecond
		mu.Unlock()
		time.Sleep(d)
		if !calm.Load() {
			switch {
			case chance(0.1):
				return schedule.Result{}, noAnswer()
			case chance(0.02):
				panic("a bug")
			case chance(0.1):
				return schedule.Result{}, errors.New("a fault")
			}
		}
		if lost, err := m.Return(ctx, []schedule.Return{{Lease: it.Lease, Never: true}}); err != nil || len(lost) > 0 {
			return schedule.Result{}, errors.Join(err, schedule.ErrLost)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[it.ID] = began
		return schedule.Recorded(), nil
	}
	var loops []*schedule.Loop[string]
	var stops []func()
	launch := func() {
		l, stop := start(t, m, handler, schedule.Config{Beacon: m, Global: 6, PerGroup: 2, Lease: 5 * time.Second, StopWithin: 100 * time.Millisecond})
		loops, stops = append(loops, l), append(stops, stop)
	}
	launch()
	launch()
	for i := range 300 {
		id := fmt.Sprintf("r%d", i%60)
		mu.Lock()
		pause := time.Duration(rng.IntN(80)) * time.Millisecond
		mu.Unlock()
		time.Sleep(pause)
		mu.Lock()
		woken[id] = time.Now()
		mu.Unlock()
		if i < 60 {
			m.Add(id, fmt.Sprintf("g%d", i%7), 0)
		} else {
			m.Wake(id)
		}
		loops[i%len(loops)].Wake()
		if i%100 == 99 {
			stops[0]()
			loops, stops = loops[1:], stops[1:]
			launch()
		}
	}
	calm.Store(true)
	time.Sleep(3 * time.Minute)
	mu.Lock()
	defer mu.Unlock()
	for id, at := range woken {
		if s := seen[id]; s.Before(at) {
			t.Errorf("%s was woken at %v and last begun at %v: %+v", id, at, s, m.Peek(id))
		}
		if row := m.Peek(id); !row.Never {
			t.Errorf("%s: %+v", id, row)
		}
	}
}
