package ticket_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/ticket"
)

// A lossy is a proxy in front of a ticket system. Of ten requests that write,
// it loses the answers of three, brings three only when their caller has given
// up, and loses one.
type lossy struct {
	late   time.Duration
	writes func(*http.Request) bool
	proxy  *httputil.ReverseProxy
	over   chan struct{} // closed when nobody writes any more

	mu      sync.Mutex
	count   int
	lost    int
	delayed int
	again   map[string]chan struct{} // by key, closed when another request with it comes
	owed    map[string]int           // by key, requests that can still take effect
	pending sync.WaitGroup
}

func newLossy(t *testing.T, upstream string, late time.Duration, writes func(*http.Request) bool) (*lossy, string) {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	l := &lossy{late: late, writes: writes, proxy: httputil.NewSingleHostReverseProxy(u), over: make(chan struct{}), again: map[string]chan struct{}{}, owed: map[string]int{}}
	srv := httptest.NewServer(l)
	t.Cleanup(func() { l.pending.Wait(); srv.Close() })
	return l, srv.URL
}

func (l *lossy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !l.writes(r) {
		l.proxy.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	copied := func() *http.Request {
		c := r.Clone(context.WithoutCancel(r.Context()))
		c.Body = io.NopCloser(bytes.NewReader(body))
		return c
	}
	fate, key, again := l.judge(body)
	switch {
	case fate < 3: // it takes effect, and nobody learns
		defer l.paid(key)
		l.proxy.ServeHTTP(httptest.NewRecorder(), copied())
		panic(http.ErrAbortHandler)
	case fate < 6: // it takes effect late
		late := copied()
		l.pending.Go(func() {
			select {
			case <-time.After(l.late):
			case <-again:
			case <-l.over:
			}
			defer l.paid(key)
			l.proxy.ServeHTTP(httptest.NewRecorder(), late)
		})
		panic(http.ErrAbortHandler)
	case fate == 6: // it never arrives
		l.paid(key)
		panic(http.ErrAbortHandler)
	default:
		defer l.paid(key)
		l.proxy.ServeHTTP(w, copied())
	}
}

// keyOnTrial is the key of a note of the trial.
var keyOnTrial = regexp.MustCompile(`jitney:trial-[\w-]+:[a-z]+:\d+`)

// judge draws the fate of a request, and finds the key that it bears.
func (l *lossy) judge(body []byte) (fate int, key string, again chan struct{}) {
	if key = keyOnTrial.FindString(string(body)); key == "" {
		form, _ := url.QueryUnescape(string(body))
		key = keyOnTrial.FindString(form)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	fate = l.count * 7 % 10 // 7, 4, 1, 8, …: every ten in the same mixed order
	if fate < 3 {
		l.lost++
	} else if fate < 6 {
		l.delayed++
	}
	l.owed[key]++
	if before := l.again[key]; before != nil {
		close(before)
	}
	again = make(chan struct{})
	l.again[key] = again
	return fate, key, again
}

// paid says that a request with the key takes no effect any more.
func (l *lossy) paid(key string) {
	l.mu.Lock()
	l.owed[key]--
	l.mu.Unlock()
}

// owes reports whether a request with the key can still take effect, or one
// that does not show its key.
func (l *lossy) owes(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owed[key]+l.owed[""] > 0
}

// A patient is a System with another grace. It is over when no request can take
// effect any more, which is what a grace is meant for (see write): what passes
// on the clock before that is the machine's affair.
type patient struct {
	ticket.System
	grace time.Duration
}

// waits is a grace that the clock does not end.
const waits = time.Hour

func (p patient) Limits() ticket.Limits {
	return ticket.Limits{Body: p.System.Limits().Body, Grace: p.grace}
}

// Unwrap shows what else the System can do.
func (p patient) Unwrap() ticket.System { return p.System }

// A slip is the row of one note in an outbox.
type slip struct {
	mu     sync.Mutex
	work   access.Work
	done   bool
	parked string
}

func (s *slip) Tried(context.Context, schedule.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work.TriedAt = time.Now()
	return nil
}

// age lets the grace of what was tried pass.
func (s *slip) age() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.work.TriedAt.IsZero() {
		s.work.TriedAt = time.Now().Add(-2 * waits)
	}
}

func (s *slip) Finish(_ context.Context, _ schedule.Lease, result string, parked bool, _ ...access.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done = true; parked {
		s.parked = result
	}
	return nil
}

func (s *slip) Add(context.Context, access.Work, ...access.Event) error { return nil }

func (s *slip) WorkOf(context.Context, string) ([]access.Work, error) { return nil, nil }

func (s *slip) Join(context.Context, schedule.Lease, access.Note, ...access.Work) error {
	return errors.New("there is nothing else")
}

func (s *slip) Grant(context.Context, string) (access.Grant, error) { return access.Grant{}, nil }

func (s *slip) Update(context.Context, string, func(*access.Grant) ([]access.Event, error)) (access.Grant, error) {
	return access.Grant{}, errors.New("not to be changed")
}

// once is the trial: n notes on each of the tickets, and each is there once.
func once(t *testing.T, l *lossy, sys, witness ticket.System, tickets []string, n int) {
	t.Helper()
	began := time.Now()
	counts := deliver(t, l, sys, witness, waits, tickets, n)
	all := len(tickets) * n
	t.Logf("%d notes in %v: %d requests, of which %d were not answered and %d came late; once on the ticket: %d", all, time.Since(began).Round(time.Millisecond), l.count, l.lost, l.delayed, counts[1])
	if counts[1] != all {
		t.Errorf("notes by how often they are on their ticket: %v; want each once", counts)
	}
	if l.lost*10 < l.count*2 || l.delayed*10 < l.count*2 {
		t.Errorf("of %d requests only %d were lost and %d late", l.count, l.lost, l.delayed)
	}
}

// deliver writes n notes to each of tickets through the outbox of the product,
// one worker a ticket, and counts with the System witness, which goes by no
// proxy, how many are there how often in the end.
func deliver(t *testing.T, l *lossy, sys, witness ticket.System, grace time.Duration, tickets []string, n int) map[int]int {
	t.Helper()
	var workers sync.WaitGroup
	key := func(id string, i int) string { return fmt.Sprintf("jitney:trial-%s:granted:%d", id, i) }
	for _, id := range tickets {
		workers.Go(func() {
			for i := range n {
				write(t, l, reconcile.WorkNote, patient{sys, grace}, id, key(id, i))
			}
		})
	}
	workers.Wait()
	close(l.over)
	l.pending.Wait()
	counts := map[int]int{}
	var mu sync.Mutex
	for _, id := range tickets {
		workers.Go(func() {
			for i := range n {
				refs, err := witness.Notes(t.Context(), id, key(id, i))
				if err != nil {
					t.Errorf("look for %s: %v", key(id, i), err)
				}
				mu.Lock()
				counts[len(refs)]++
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return counts
}

// write brings one note, or entry of time, to its ticket as the reconciler
// does, looking again sooner than that.
func write(t *testing.T, l *lossy, kind string, sys ticket.System, id, key string) {
	payload, err := json.Marshal(access.Note{Minutes: 15, From: time.Now().Add(-15 * time.Minute), To: time.Now(), Key: key, Grant: "g", Ticket: access.TicketRef{System: "x", ID: id}, Subject: "Access", Body: "The tech account is now enabled\n[" + key + "]"})
	if err != nil {
		t.Error(err)
		return
	}
	s := &slip{work: access.Work{Kind: kind, Key: key, Payload: payload}}
	company := func(ctx context.Context, _ string) (ticket.System, string, string, error) {
		found, err := sys.Find(ctx, id)
		return sys, "x", found[id].Company, err
	}
	r := reconcile.New(reconcile.Ports{Outbox: s, Grants: s, Desks: company, Tickets: func(context.Context, string) (ticket.System, error) { return sys, nil }}, reconcile.Config{})
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-time.After(30 * time.Millisecond) {
		if !l.owes(key) {
			s.age()
		}
		_, err = r.Work(t.Context(), schedule.Item[access.Work]{Value: s.work})
		if s.done {
			if s.parked != "" {
				t.Errorf("%s is parked: %s", key, s.parked)
			}
			return
		}
	}
	t.Errorf("%s is not written after two minutes: %v", key, err)
}
