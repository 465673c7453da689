// Package rt simulates the part of Request Tracker 5's REST 2.0 interface that
// jitney calls, with the oddities of the real one, each seen there: ids that
// are strings here and numbers there, totals that are null, a page size that
// is capped without a word, searches that leave out merged tickets, keys
// compared without regard to case, refusals that all look alike. It speaks
// HTTP through its handler, keeps everything in memory and is for tests and
// the demo only.
package rt

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Switches make the server behave badly. Every one counts comments or calls
// from 1; zero is never.
type Switches struct {
	LoseAnswers  int           // every n-th comment is stored and not answered
	LoseRequests int           // every n-th comment is neither stored nor answered
	LateEvery    int           // every n-th comment is not answered, and stored after Late
	Late         time.Duration // see LateEvery
	Throttle     int           // every n-th call is answered with 429
	ErrorPages   int           // every n-th call is answered with a page and 502
	Slow         time.Duration // every answer takes that long

	SignIn        bool              // something in front answers every call with its sign-in page and 200
	NoKeys        bool              // the key field is on no queue
	IgnoreCompany bool              // a search finds tickets of every queue
	Swap          map[string]string // reading the one ticket answers with the other
}

// KeyField and CompanyField are the custom fields that the server has.
const (
	KeyField     = "JitneyKey"
	CompanyField = "Customer"
)

// A Server is one simulated Request Tracker.
type Server struct {
	mu       sync.Mutex
	switches Switches
	queues   []string // id is the index + 1
	tickets  []*ticket
	entries  []*entry // transactions that are comments
	tokens   map[string]user
	calls    int
	comments int
	odd      []string
	late     sync.WaitGroup
}

type user struct {
	id, name string
	queues   []int // nil for all
	comment  bool
}

type ticket struct {
	id, effective, queue   int
	subject, status, owner string
	company                string // value of CompanyField
	created, updated       time.Time
	minutes                int64 // that were booked
}

type entry struct {
	id, ticket         int
	text, key, creator string
	created            time.Time
}

// New makes an empty server.
func New(s Switches) *Server { return &Server{switches: s, tokens: map[string]user{}} }

// Set changes the switches from now on.
func (s *Server) Set(sw Switches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = sw
}

// Token makes a user and reports its token. Without queues it may see all;
// it may comment if comment is true.
func (s *Server) Token(name string, comment bool, queues ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := user{id: strconv.Itoa(14 + len(s.tokens)), name: name, comment: comment}
	for _, q := range queues {
		n, _ := strconv.Atoi(q)
		u.queues = append(u.queues, n)
	}
	token := "1-" + u.id + "-" + strings.ToLower(rand.Text())
	s.tokens[token] = u
	return token
}

// Revoke makes a token worthless.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// AddQueue makes a queue and reports its id.
func (s *Server) AddQueue(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues = append(s.queues, name)
	return strconv.Itoa(len(s.queues))
}

// AddTicket opens a ticket in a queue and reports its id. company is the value
// of CompanyField, and may be empty.
func (s *Server) AddTicket(queue, subject, company string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(queue)
	now := time.Now().UTC().Truncate(time.Second)
	id := len(s.tickets) + 1
	s.tickets = append(s.tickets, &ticket{id: id, effective: id, queue: n, subject: subject, status: "new", owner: "Nobody", company: company, created: now, updated: now})
	return strconv.Itoa(id)
}

// Minutes reports how much time was booked on a ticket, and its status.
func (s *Server) Minutes(id string) (minutes int64, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.whole(id); t != nil {
		return t.minutes, t.status
	}
	return 0, ""
}

// SetStatus gives a ticket a status: new, open and stalled are open; resolved,
// rejected and deleted are not.
func (s *Server) SetStatus(id, status string) { s.change(id, func(t *ticket) { t.status = status }) }

// Assign gives a ticket an owner.
func (s *Server) Assign(id, owner string) { s.change(id, func(t *ticket) { t.owner = owner }) }

// Move puts a ticket into another queue.
func (s *Server) Move(id, queue string) {
	s.change(id, func(t *ticket) { t.queue, _ = strconv.Atoi(queue) })
}

// Merge makes a ticket a part of another.
func (s *Server) Merge(id, into string) {
	s.change(id, func(t *ticket) { t.effective, _ = strconv.Atoi(into) })
}

func (s *Server) change(id string, f func(*ticket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.ticket(id); t != nil {
		f(t)
		t.updated = time.Now().UTC()
	}
}

// Paste has somebody else write a comment with a key that is not theirs.
func (s *Server) Paste(id, key string) {
	s.mu.Lock()
	t := s.whole(id)
	s.mu.Unlock()
	s.store(user{name: "ann"}, t, "See ["+key+"]", key, 0)
}

// Comments reports the texts of the comments of all tickets that carry part.
func (s *Server) Comments(part string) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if strings.Contains(e.text, part) {
			all = append(all, e.text)
		}
	}
	return all
}

// Calls reports how many calls were made.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Odd reports what callers asked that the real interface does not know, or
// that no caller should ask.
func (s *Server) Odd() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.odd)
}

// Wait returns when every late comment is stored.
func (s *Server) Wait() {
	s.Calls() // what was counted has begun
	s.late.Wait()
}

// ticket finds a ticket by id, merged or not; nil if there is none.
func (s *Server) ticket(id string) *ticket {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(s.tickets) {
		return nil
	}
	return s.tickets[n-1]
}

// whole finds the ticket that id stands for now.
func (s *Server) whole(id string) *ticket {
	t := s.ticket(id)
	for t != nil && t.effective != t.id {
		t = s.tickets[t.effective-1]
	}
	return t
}

func (u user) sees(queue int) bool { return u.queues == nil || slices.Contains(u.queues, queue) }

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls++
	n, sw := s.calls, s.switches
	u, known := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "token ")]
	s.mu.Unlock()
	if sw.Slow > 0 {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(sw.Slow):
		}
	}
	switch {
	case sw.SignIn:
		page(w, http.StatusOK, "Sign in")
	case every(n, sw.ErrorPages):
		page(w, http.StatusBadGateway, "Bad gateway")
	case every(n, sw.Throttle):
		w.Header().Set("Retry-After", "1")
		say(w, http.StatusTooManyRequests, "Too many requests")
	case !known:
		say(w, http.StatusUnauthorized, "Unauthorized")
	default:
		path, ok := strings.CutPrefix(r.URL.Path, "/REST/2.0/")
		if !ok {
			page(w, http.StatusNotFound, "The page you requested could not be found")
			return
		}
		s.route(w, r, u, strings.Split(path, "/"))
	}
}

func every(n, of int) bool { return of > 0 && n%of == 0 }

func page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html><body><h1>%s</h1></body></html>", text)
}
