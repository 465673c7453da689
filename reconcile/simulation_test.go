package reconcile_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/target/fake"
	"jitney/ticket"
)

var (
	seedCount = flag.Int("seeds", 160, "how many seeds TestSimulation runs; make proof runs many more")
	oneSeed   = flag.Uint64("seed", 0, "the one seed that TestSimulation runs, telling what happens")
)

// bound is how long access may outlive its grant after the last thing that
// went wrong on its target or with the program: the longest pause between two
// tries, 72 s, and the calls of one look.
const bound = 72*time.Second + 15*time.Second

// TestSimulation lives through hours of bad luck, again and again, each time
// with other luck: the program is killed at any call, answers are lost, a
// target is down while grants on it expire, people end, extend, revoke and ask
// again, and others change the target by hand.
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		synctest.Test(t, func(t *testing.T) { report(t, simulate(t, *oneSeed, nil), *oneSeed) })
		return
	}
	var mu sync.Mutex
	var sum tally
	t.Run("seeds", func(t *testing.T) {
		for seed := uint64(1); seed <= uint64(*seedCount); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := simulate(t, seed, nil)
					report(t, s, seed)
					mu.Lock()
					defer mu.Unlock()
					sum.add(s)
				})
			})
		}
	})
	t.Logf("%d seeds: %s", *seedCount, sum)
}

// TestSimulationFindsAPlantedBug is the test of the test: a reconciler that
// writes down the end first and then removes once, as an edge-triggered one
// would, must not pass.
func TestSimulationFindsAPlantedBug(t *testing.T) {
	var mu sync.Mutex
	caught, seeds := 0, min(*seedCount, 60)
	found := func() int { mu.Lock(); defer mu.Unlock(); return caught }
	t.Run("seeds", func(t *testing.T) {
		for seed := uint64(1); seed <= uint64(seeds); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				if found() > 0 { // once is enough
					return
				}
				synctest.Test(t, func(t *testing.T) {
					if s := simulate(t, seed, endsFirst); len(s.faults) > 0 {
						mu.Lock()
						defer mu.Unlock()
						caught++
					}
				})
			})
		}
	})
	if caught == 0 {
		t.Fatalf("the planted bug was found in none of %d seeds", seeds)
	}
}

// endsFirst is the planted bug.
func endsFirst(p *process) schedule.Handler[access.Case] {
	return func(ctx context.Context, item schedule.Item[access.Case]) (schedule.Result, error) {
		now := time.Now().UTC()
		change := access.Change{Account: item.Value.Account, Done: true}
		for _, g := range item.Value.Grants {
			if g.Wanted(now) || g.ApprovedAt.IsZero() && g.StoppedAt.IsZero() {
				return p.reconciler.Look(ctx, item)
			}
			g.EndedAt = now
			change.Grants = append(change.Grants, g)
		}
		if len(change.Grants) == 0 {
			return p.reconciler.Look(ctx, item)
		}
		change.Account.Seen = access.Observation{At: now}
		if err := (gatedCases{p.w.store.Accounts, p}).Record(ctx, item.Lease, change); err != nil {
			return schedule.Result{}, err
		}
		sys, err := p.open(ctx, item.Value.Account.Target)
		if err == nil {
			_ = sys.Remove(ctx, item.Value.Account)
		}
		return schedule.Recorded(), nil
	}
}

// report fails t with what should never have happened, and says how to see it again.
func report(t *testing.T, s tally, seed uint64) {
	t.Helper()
	for _, f := range s.faults {
		t.Error(f)
	}
	if len(s.faults) > 0 {
		t.Errorf("to see it again: go test ./reconcile -run 'TestSimulation$' -v -seed %d", seed)
	}
	if *oneSeed != 0 {
		t.Log(s.story)
		t.Log(s)
	}
}

// A tally is what became of one simulation, or of many.
type tally struct {
	grants, crashes, faulty, drifts, shown, notes int
	worst                                         time.Duration // access beyond a grant, since the last thing that went wrong
	faults                                        []string
	story                                         string
}

func (a *tally) add(b tally) {
	a.grants, a.crashes, a.faulty, a.drifts = a.grants+b.grants, a.crashes+b.crashes, a.faulty+b.faulty, a.drifts+b.drifts
	a.shown, a.notes, a.worst = a.shown+b.shown, a.notes+b.notes, max(a.worst, b.worst)
}

func (a tally) String() string {
	return fmt.Sprintf("%d grants, %d crashes, %d faults of targets, %d ended by drift, %d passwords shown, %d notes; access outlived its grant by %s at most after the last fault",
		a.grants, a.crashes, a.faulty, a.drifts, a.shown, a.notes, a.worst)
}

// A simulation is one world with its luck.
type simulation struct {
	*world
	plan  *rand.Rand // drawn from before anything runs
	seed  uint64
	began time.Time

	mu     sync.Mutex
	rolls  map[string]uint64
	bad    map[string]time.Time // by target: when something went wrong there last
	tally  tally
	deaths map[string]int  // accounts deleted by hand, by mark
	seen   map[string]bool // passwords that were shown
	told   string          // what happened, when one seed is run
	toldOf []string        // rights that were reported already; of watch only
}

// simulate lives through one seed.
func simulate(t testing.TB, seed uint64, look func(*process) schedule.Handler[access.Case]) tally {
	w := newWorld(t, access.DefaultPolicy())
	w.look = look
	s := &simulation{world: w, plan: rand.New(rand.NewPCG(seed, 1)), seed: seed, began: time.Now(),
		rolls: map[string]uint64{}, bad: map[string]time.Time{}, deaths: map[string]int{}, seen: map[string]bool{}}
	s.realms["t3"].Settle(20 * time.Second)
	s.weather()
	over, stop := context.WithCancel(context.Background())
	s.start()
	var restarter sync.WaitGroup
	restarter.Go(func() { s.restart(over) })
	w.running.Go(func() { s.watch(over) })
	w.running.Go(func() {
		for over.Err() == nil { // somebody has patience with what is refused
			time.Sleep(97 * time.Second)
			s.retryParked()
		}
	})
	var people sync.WaitGroup
	for n := range 2 + s.plan.IntN(4) {
		s.person(&people, n)
	}
	s.others(&people)
	people.Wait()
	s.settle()
	stop()
	restarter.Wait() // before the last process is stopped, or a later one would run for ever
	w.stop()
	w.running.Wait()
	w.paper.late.Wait()
	s.judge()
	check(t, w.store.Close())
	s.tally.grants, s.tally.crashes, s.tally.notes = len(w.all()), w.restarts-1, len(w.paper.all())
	s.tally.faults = w.faults
	if *oneSeed != 0 {
		s.tally.story = s.told
	}
	return s.tally
}

// roll throws a die for one kind of event: true once in n.
func (s *simulation) roll(kind string, n int) bool { return n > 0 && s.draw(kind)%uint64(n) == 0 }

// draw makes the next number of one kind of event. It depends on the seed and
// on how many of that kind there were, not on what else runs at the time.
func (s *simulation) draw(kind string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rolls[kind]++
	h := s.seed
	for _, c := range kind {
		h = h*1099511628211 + uint64(c)
	}
	return rand.New(rand.NewPCG(h, s.rolls[kind])).Uint64()
}

func (s *simulation) wentWrong(target string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.faulty++
	if at.After(s.bad[target]) {
		s.bad[target] = at
	}
}

// weather decides what goes wrong by itself.
func (s *simulation) weather() {
	calm := s.began.Add(time.Duration(60+s.plan.IntN(60)) * time.Minute) // from then on nothing goes wrong
	deadly := []int{0, 200, 80}[s.plan.IntN(3)]
	s.crashNow = func() bool { return time.Now().Before(calm) && s.roll("crash", deadly) }
	faulty := []int{0, 10, 5}[s.plan.IntN(3)]
	for id, realm := range s.realms {
		realm.Fault = func(int, string) fake.Fault {
			if time.Now().After(calm) || !s.roll("fault", faulty) {
				return fake.NoFault
			}
			if deadly > 0 && s.roll("fatal", 3) {
				s.stop()
			}
			s.wentWrong(id, time.Now())
			return []fake.Fault{fake.Lost, fake.Half, fake.DoneLost, fake.DoneLost}[s.draw("which")%4]
		}
		realm.Latency = func() (time.Duration, bool) {
			if time.Now().Before(calm) && s.roll("hang", 400) {
				s.wentWrong(id, time.Now().Add(25*time.Second))
				return 0, false
			}
			return time.Duration(20+s.draw("latency")%900) * time.Millisecond, true
		}
		if s.plan.IntN(3) > 0 {
			from := s.began.Add(time.Duration(2+s.plan.IntN(40)) * time.Minute)
			till := from.Add(time.Duration(5+s.plan.IntN(56)) * time.Minute)
			realm.DownBetween(from, till)
			s.bad[id] = till
		}
	}
	doubtful := []int{0, 5, 3}[s.plan.IntN(3)]
	s.paper.latency = func() time.Duration { return time.Duration(20+s.draw("paper latency")%400) * time.Millisecond }
	s.paper.fault = func(int) paperFault {
		if time.Now().After(calm) || !s.roll("paper", doubtful) {
			return paperFine
		}
		return []paperFault{paperLost, paperDoneLost, paperLate}[s.draw("paper which")%3]
	}
	if s.draw("refuse")%3 == 0 {
		s.paper.refuse = func(ticket.Note) *ticket.Trouble {
			if time.Now().After(calm) || !s.roll("refused", 2) {
				return nil
			}
			return &ticket.Trouble{Kind: []ticket.TroubleKind{ticket.Closed, ticket.Rejected}[s.draw("refused as")%2], Text: "No."}
		}
	}
	if s.plan.IntN(4) == 0 {
		s.paper.downTill = s.began.Add(time.Duration(s.plan.IntN(50)) * time.Minute)
	}
}

// restart starts the program again, three seconds after it died.
func (s *simulation) restart(over context.Context) {
	for over.Err() == nil {
		time.Sleep(time.Second)
		if s.broker() == nil && over.Err() == nil {
			time.Sleep(3 * time.Second)
			s.world.start()
		}
	}
}

// settle waits until every grant has ended and every note has arrived.
func (s *simulation) settle() {
	ended := awaitEvery(10*time.Second, 6*time.Hour, func() bool {
		for _, g := range s.all() {
			if g.EndedAt.IsZero() {
				return false
			}
		}
		return len(s.missing()) == 0
	})
	if !ended {
		for _, g := range s.all() {
			if g.EndedAt.IsZero() {
				s.fault("grant %s never ends: %s\n%s", g.ID, g.State(time.Now()), s.story(g.ID))
			}
		}
	}
	time.Sleep(6 * time.Minute) // what comes late comes now
}

// missing lists the keys of notes that should be on their ticket and are not.
func (s *simulation) missing() (keys []string) {
	for _, g := range s.all() {
		for _, kind := range notesOf(g) {
			if key := "jitney:" + g.ID + ":" + kind + ":1"; !slices.Contains(s.paper.keys(g.Ticket.ID), key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// notesOf lists the kinds of note that g must have, in order.
func notesOf(g access.Grant) (kinds []string) {
	if !g.VerifiedAt.IsZero() {
		kinds = append(kinds, "granted")
	}
	if !g.OverdueAt.IsZero() {
		kinds = append(kinds, "overdue")
	}
	switch {
	case g.EndedAt.IsZero() || g.ApprovedAt.IsZero():
	case g.ContinuedBy != "" && !g.VerifiedAt.IsZero():
		kinds = append(kinds, "continued")
	case g.VerifiedAt.IsZero():
		kinds = append(kinds, "notgiven")
	default:
		kinds = append(kinds, "ended")
	}
	return kinds
}
