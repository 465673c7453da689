// Package redmine simulates the part of Redmine's REST interface that jitney
// calls, with the oddities of the real one, each seen there: an answer without
// a word after a note, a page size that is capped in silence, tickets of
// subprojects in the list of a project, rights that are missing and change
// what is written instead of refusing it. It speaks HTTP through its handler,
// keeps everything in memory and is for tests and the demo only.
package redmine

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

// Switches make the server behave badly. Every one counts notes or calls from
// 1; zero is never.
type Switches struct {
	LoseAnswers  int           // every n-th note is stored and not answered
	LoseRequests int           // every n-th note is neither stored nor answered
	LateEvery    int           // every n-th note is not answered, and stored after Late
	Late         time.Duration // see LateEvery
	Throttle     int           // every n-th call is answered with 429
	ErrorPages   int           // every n-th call is answered with a page and 502
	Slow         time.Duration // every answer takes that long

	SignIn        bool              // something in front answers every call with its sign-in page and 200
	DropNotes     bool              // a note is answered as if it were stored, and is not
	IgnoreCompany bool              // a list holds tickets of every project
	TwoWaiting    bool              // two statuses are called so
	NeverClosed   bool              // no status closes a ticket
	NoClosed      bool              // tickets do not tell whether their status closes them, as before version 5
	Swap          map[string]string // reading the one ticket answers with the other
}

// The permissions that matter here.
const (
	AddNotes     = "add_issue_notes"
	PrivateNotes = "set_notes_private"
	EditIssues   = "edit_issues"
	LogTime      = "log_time"
	ViewTime     = "view_time_entries"
)

// A Server is one simulated Redmine.
type Server struct {
	mu       sync.Mutex
	switches Switches
	projects []project // id is the index + 1
	issues   []*issue
	journals []*journal
	entries  []Entry
	keys     map[string]*user
	roles    [][]string // permissions; id is the index + 1
	calls    int
	writes   int
	odd      []string
	late     sync.WaitGroup
}

type project struct {
	name   string
	parent int
}

type user struct {
	id    int // the same for every key of one login
	login string
	admin bool
	roles map[int]int // project -> role
}

type issue struct {
	id, project      int
	subject, status  string
	assignee         string
	gone             bool
	created, updated time.Time
}

// An Entry is the time that somebody worked on a ticket.
type Entry struct {
	Issue, Activity int
	Hours           float64
	Comments, Day   string
	id, project     int
	user            int
	created         time.Time
}

type journal struct {
	id, issue int
	text      string
	private   bool
	author    *user
	created   time.Time
}

// New makes an empty server.
func New(s Switches) *Server { return &Server{switches: s, keys: map[string]*user{}} }

// Set changes the switches from now on.
func (s *Server) Set(sw Switches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = sw
}

// Key makes a user with permissions in projects, and reports its key. Without
// projects it is an administrator.
func (s *Server) Key(login string, permissions []string, projects ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles = append(s.roles, append([]string{"view_issues"}, permissions...))
	u := &user{id: 5 + len(s.keys), login: login, admin: len(projects) == 0, roles: map[int]int{}}
	for _, other := range s.keys {
		if other.login == login {
			u.id = other.id
		}
	}
	for _, p := range projects {
		n, _ := strconv.Atoi(p)
		u.roles[n] = len(s.roles)
	}
	key := strings.ToLower(rand.Text())
	s.keys[key] = u
	return key
}

// Revoke makes a key worthless.
func (s *Server) Revoke(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
}

// AddProject makes a project, below another unless parent is empty, and
// reports its id.
func (s *Server) AddProject(name, parent string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(parent)
	s.projects = append(s.projects, project{name, n})
	return strconv.Itoa(len(s.projects))
}

// AddIssue opens a ticket and reports its id.
func (s *Server) AddIssue(project, subject string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(project)
	now := time.Now().UTC().Truncate(time.Second)
	s.issues = append(s.issues, &issue{id: len(s.issues) + 1, project: n, subject: subject, status: "New", created: now, updated: now})
	return strconv.Itoa(len(s.issues))
}

// SetStatus gives a ticket the status New or Closed; Delete and Move do what
// they say.
func (s *Server) SetStatus(id, status string) { s.change(id, func(i *issue) { i.status = status }) }

// Delete deletes a ticket.
func (s *Server) Delete(id string) { s.change(id, func(i *issue) { i.gone = true }) }

// Move puts a ticket into another project.
func (s *Server) Move(id, project string) {
	s.change(id, func(i *issue) { i.project, _ = strconv.Atoi(project) })
}

func (s *Server) change(id string, f func(*issue)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.issue(id); i != nil {
		f(i)
		i.updated = time.Now().UTC()
	}
}

func (s *Server) issue(id string) *issue {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(s.issues) || s.issues[n-1].gone {
		return nil
	}
	return s.issues[n-1]
}

// Notes reports the texts of notes that carry part; only public ones if asked
// for.
func (s *Server) Notes(part string, publicOnly bool) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.journals {
		if strings.Contains(j.text, part) && !(publicOnly && j.private) {
			all = append(all, j.text)
		}
	}
	return all
}

// Paste has somebody else write a note with a key that is not theirs.
func (s *Server) Paste(id, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(id)
	s.journals = append(s.journals, &journal{id: len(s.journals) + 1, issue: n, text: "See [" + key + "]", author: &user{id: 99, login: "ann"}, created: time.Now().UTC()})
}

// Entries reports the time that was booked on a ticket.
func (s *Server) Entries(id string) (all []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if strconv.Itoa(e.Issue) == id {
			all = append(all, e)
		}
	}
	return all
}

// Calls reports how many calls were made, and how many of them wrote.
func (s *Server) Calls() (calls, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.writes
}

// Odd reports what callers asked that the real interface does not know.
func (s *Server) Odd() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.odd)
}

// Wait returns when every late note is stored.
func (s *Server) Wait() {
	s.Calls() // what was counted has begun
	s.late.Wait()
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls++
	n, sw := s.calls, s.switches
	u := s.keys[r.Header.Get("X-Redmine-API-Key")]
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
		w.WriteHeader(http.StatusTooManyRequests)
	case u == nil:
		silent(w, http.StatusUnauthorized)
	default:
		s.route(w, r, u)
	}
}

func every(n, of int) bool { return of > 0 && n%of == 0 }

func page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html><body><h1>%s</h1></body></html>", text)
}

// silent refuses as Redmine does: with a type and without a word.
func silent(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
}
