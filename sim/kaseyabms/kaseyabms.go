// Package kaseyabms simulates the part of version 2 of Kaseya BMS's REST
// interface that jitney calls, with its oddities: every answer in an envelope,
// in which it can tell of a failure with status 200, one-time codes that are
// good for one time, names with and without capitals, lists in no promised
// order and without their length, filters that may not hold, note types
// without which no note is taken. It speaks HTTP through its handler, keeps
// everything in memory and is for tests and demonstrations; it never calls
// anyone.
package kaseyabms

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jitney/secret"
	"jitney/sim/hosted"
)

// What the one employee needs to sign in, beside the password.
const (
	Tenant = "Aviary MSP, LLC"
	User   = "jitney@aviary.example"
	Key    = "JBSWY3DPEHPK3PXP" // of the one-time codes, if they are asked for
)

// The numbers of some statuses and note types.
const (
	StatusNew       = 1
	StatusCompleted = 6
	StatusBilled    = 31 // closed in fact, but for its users to say
	TypeGeneral     = 3
)

// Switches are the oddities that can be turned on.
type Switches struct {
	hosted.Network
	IgnoreAccount   bool // the filter on accounts does not hold
	IgnoreCompleted bool // the filter on completed tickets does not hold
	ExactTitle      bool // the filter on titles wants all of one
	NewestFirst     bool // lists begin with what is new
	PageCap         int  // answers hold fewer items than asked for
	NoPages         bool // every answer holds everything
	NoFirst         bool // pages are counted from 0, so that the one that is asked for first is empty
	MissingNull     bool // what is not there is an empty result
	Missing404      bool // what is not there is a status
	Failures        bool // failures of the server come with status 200
	Pascal          bool // names begin with capitals, as documented
	Codes           bool // who signs in needs a one-time code
	NoNotes         bool // the employee may not write notes, nor edit tickets
	KeepStatus      bool // a workflow takes every change of status back
	AuthDown        bool // no tokens are issued
}

// A Server is one simulated BMS.
type Server struct {
	hosted.Front

	mu       sync.Mutex
	switches Switches
	password secret.Text
	tokens   map[string]time.Time // until when
	life     time.Duration
	lastCode int64
	accounts []*account
	tickets  []*ticket
	notes    []*note
	issued   int
	admin    bool
}

type account struct {
	id               int
	name             string
	inactive, hidden bool
}

type ticket struct {
	id, account, status         int
	title, assignee             string
	opened, completed, reopened time.Time
	updated                     time.Time
	gone                        bool
}

type note struct {
	id, ticket, kind int
	html             string
	internal         bool
	created          time.Time
}

// New makes a server whose employee has this password.
func New(sw Switches, password secret.Text) *Server {
	s := &Server{password: password, tokens: map[string]time.Time{}, life: 15 * time.Minute}
	s.Set(sw)
	return s
}

// Set changes the switches from now on.
func (s *Server) Set(sw Switches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = sw
	s.Connect(sw.Network)
}

// Rotate gives the employee another password and ends all tokens.
func (s *Server) Rotate(password secret.Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = password
	clear(s.tokens)
}

// EndTokens has every token end before its time.
func (s *Server) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Promote makes the employee a system administrator.
func (s *Server) Promote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admin = true
}

// AddAccount makes an account and reports its id.
func (s *Server) AddAccount(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := 401 + len(s.accounts)
	s.accounts = append(s.accounts, &account{id: id, name: name})
	return strconv.Itoa(id)
}

// Retire makes an account inactive.
func (s *Server) Retire(id string) { s.changeAccount(id, func(a *account) { a.inactive = true }) }

// Hide keeps an account and its tickets from the employee.
func (s *Server) Hide(id string) { s.changeAccount(id, func(a *account) { a.hidden = true }) }

func (s *Server) changeAccount(id string, f func(*account)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if strconv.Itoa(a.id) == id {
			f(a)
		}
	}
}

// AddTicket opens a ticket of an account and reports its id.
func (s *Server) AddTicket(accountID, title string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(accountID)
	now := time.Now().UTC()
	id := 13287001 + len(s.tickets)
	s.tickets = append(s.tickets, &ticket{id: id, account: n, status: StatusNew, title: title, opened: now, updated: now})
	return strconv.Itoa(id)
}

// SetStatus gives a ticket a status, and nothing else.
func (s *Server) SetStatus(id string, status int) {
	s.change(id, func(t *ticket) { t.status = status })
}

// Close completes a ticket as BMS does: with its status and its date.
func (s *Server) Close(id string) {
	s.change(id, func(t *ticket) { t.status, t.completed = StatusCompleted, time.Now().UTC() })
}

// Date sets the date of completion alone.
func (s *Server) Date(id string) { s.change(id, func(t *ticket) { t.completed = time.Now().UTC() }) }

// Reopen opens a ticket again. The date of its completion stays.
func (s *Server) Reopen(id string) {
	s.change(id, func(t *ticket) { t.status, t.reopened = StatusNew, time.Now().UTC().Add(time.Second) })
}

// Assign gives a ticket to an employee.
func (s *Server) Assign(id, name string) { s.change(id, func(t *ticket) { t.assignee = name }) }

// Transfer gives a ticket to another account.
func (s *Server) Transfer(id, accountID string) {
	s.change(id, func(t *ticket) { t.account, _ = strconv.Atoi(accountID) })
}

// Merge makes a ticket a part of another: it is completed, and nothing in it
// tells of the other.
func (s *Server) Merge(id, _ string) { s.Close(id) }

// Remove deletes a ticket.
func (s *Server) Remove(id string) { s.change(id, func(t *ticket) { t.gone = true }) }

func (s *Server) change(id string, f func(*ticket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.ticket(id); t != nil {
		f(t)
		t.updated = time.Now().UTC()
	}
}

// Notes reports the texts of notes that carry part, and whether all of them
// are internal.
func (s *Server) Notes(part string) (texts []string, internal bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	internal = true
	for _, n := range s.notes {
		if strings.Contains(n.html, part) {
			texts = append(texts, n.html)
			internal = internal && n.internal
		}
	}
	return texts, internal
}

// Fill writes n notes of other people to a ticket.
func (s *Server) Fill(ticketID string, n int) {
	id, _ := strconv.Atoi(ticketID)
	for i := range n {
		s.store(&note{ticket: id, kind: TypeGeneral, html: "<p>Called back, attempt " + strconv.Itoa(i) + "</p>"})
	}
}

func (s *Server) store(n *note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.id, n.created = 9001+len(s.notes), time.Now().UTC()
	s.notes = append(s.notes, n)
}

// Tokens reports how many tokens were issued.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// ticket finds what is there, whether the employee sees it or not.
func (s *Server) ticket(id string) *ticket {
	n, err := strconv.Atoi(id)
	if err != nil || n <= 13287000 || n > 13287000+len(s.tickets) || s.tickets[n-13287001].gone {
		return nil
	}
	return s.tickets[n-13287001]
}

func (s wire) sees(t *ticket) bool {
	return t != nil && !t.gone && !slices.ContainsFunc(s.accounts, func(a *account) bool { return a.id == t.account && a.hidden })
}
