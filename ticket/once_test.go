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

	mu      sync.Mutex
	count   int
	lost    int
	delayed int
	pending sync.WaitGroup
}

func newLossy(t *testing.T, upstream string, late time.Duration, writes func(*http.Request) bool) (*lossy, string) {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	l := &lossy{late: late, writes: writes, proxy: httputil.NewSingleHostReverseProxy(u)}
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
	l.mu.Lock()
	l.count++
	fate := l.count * 7 % 10 // 7, 4, 1, 8, …: every ten in the same mixed order
	if fate < 3 {
		l.lost++
	} else if fate < 6 {
		l.delayed++
	}
	l.mu.Unlock()
	switch {
	case fate < 3: // it takes effect, and nobody learns
		l.proxy.ServeHTTP(httptest.NewRecorder(), copied())
		panic(http.ErrAbortHandler)
	case fate < 6: // it takes effect late
		late, came := copied(), time.Now()
		l.pending.Go(func() {
			<-time.After(l.late)
			if time.Since(came) < 2*l.late { // else the machine is so busy that it would come after the grace, which no request does
				l.proxy.ServeHTTP(httptest.NewRecorder(), late)
			}
		})
		panic(http.ErrAbortHandler)
	case fate == 6: // it never arrives
		panic(http.ErrAbortHandler)
	default:
		l.proxy.ServeHTTP(w, copied())
	}
}

// A patient is a System with a grace as long as the trial's late requests
// need.
type patient struct {
	ticket.System
	grace time.Duration
}

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

func (s *slip) Finish(_ context.Context, _ schedule.Lease, result string, parked bool, _ ...access.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done = true; parked {
		s.parked = result
	}
	return nil
}

func (s *slip) Add(context.Context, access.Work, ...access.Event) error { return nil }

func (s *slip) Grant(context.Context, string) (access.Grant, error) { return access.Grant{}, nil }

func (s *slip) Update(context.Context, string, func(*access.Grant) ([]access.Event, error)) (access.Grant, error) {
	return access.Grant{}, errors.New("not to be changed")
}

// once is the trial: n notes on each of the tickets, and each is there once.
func once(t *testing.T, l *lossy, sys, witness ticket.System, grace time.Duration, tickets []string, n int) {
	t.Helper()
	began := time.Now()
	counts := deliver(t, l, sys, witness, grace, tickets, n)
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
				write(t, reconcile.WorkNote, patient{sys, grace}, id, key(id, i))
			}
		})
	}
	workers.Wait()
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
func write(t *testing.T, kind string, sys ticket.System, id, key string) {
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
