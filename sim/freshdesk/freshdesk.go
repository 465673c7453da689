// Package freshdesk simulates the part of Freshdesk's REST interface (API v2)
// that jitney calls, with its oddities: lists that hold closed tickets and,
// unless asked otherwise, only those of the last thirty days, pages that
// nobody counts, an agent who sees only some groups, tickets in the trash that
// can still be read, conversations with the oldest first whose HTML comes back
// rewritten, refusals without a word. It speaks HTTP through its handler,
// keeps everything in memory and is for tests and demonstrations; it never
// calls anyone.
package freshdesk

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jitney/secret"
	"jitney/sim/hosted"
)

// Agent is the number of an agent, whose address is bree@aviary.example.
const Agent = 8

// The numbers of some statuses.
const (
	StatusOpen     = 2
	StatusPending  = 3
	StatusResolved = 4
	StatusClosed   = 5
	StatusBilled   = 8 // closed in fact, but for the account to say
)

// Switches are the oddities that can be turned on.
type Switches struct {
	hosted.Network
	IgnoreCompany bool // the filter on companies does not hold
	ShowTrash     bool // a ticket in the trash is told as deleted instead of 404
	Scoped        bool // the agent sees the tickets of some groups only, and is told so by 403
	NoNotes       bool // the agent may not write notes
	NoTime        bool // the plan has no entries of time
	KeepStatus    bool // an automation takes every change of status back
	Demands       bool // a ticket cannot be resolved or closed without a type
	NoFields      bool // the agent may not read what statuses there are
	NoAgents      bool // the agent may not read who else is one
	Suspended     bool // the account is not paid for: 403 for everything
	PageCap       int  // pages are smaller than asked for; only Link tells that there are more
	NewestFirst   bool // conversations come with the newest first
	NoPlainText   bool // conversations come as HTML only
}

// A Server is one simulated Freshdesk.
type Server struct {
	hosted.Front
	mu        sync.Mutex
	switches  Switches
	key       secret.Text
	companies []company
	tickets   []*ticket
	notes     []*note
	entries   []*Entry
}

// An Entry is the time that somebody worked on a ticket.
type Entry struct {
	Ticket          int64
	Spent, Note, At string // hh:mm, what was done, and when
	Billable        bool
	id, agent       int64
}

type company struct {
	id   int64
	name string
}

type ticket struct {
	id, company, responder int64
	status                 int
	subject                string
	created, updated       time.Time
	trash, spam, gone      bool
	hidden                 bool // in a group that the agent is not in
}

type note struct {
	id, ticket int64
	user       int64 // 0: the agent whose key it is
	html       string
	private    bool
	created    time.Time
}

// New makes a server whose agent has this key.
func New(sw Switches, key secret.Text) *Server {
	s := &Server{key: key}
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

// Rotate gives the agent another key.
func (s *Server) Rotate(key secret.Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
}

// firstCompany is a number as long as those of the real one.
const firstCompany = 501000072656

// AddCompany makes a company and reports its id.
func (s *Server) AddCompany(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := int64(firstCompany + len(s.companies))
	s.companies = append(s.companies, company{id, name})
	return strconv.FormatInt(id, 10)
}

// AddTicket opens a ticket of a company and reports its id.
func (s *Server) AddTicket(companyID, subject string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.ParseInt(companyID, 10, 64)
	now := time.Now().UTC().Truncate(time.Second)
	id := int64(1 + len(s.tickets))
	s.tickets = append(s.tickets, &ticket{id: id, company: n, status: StatusOpen, subject: subject, created: now, updated: now})
	return strconv.FormatInt(id, 10)
}

// SetStatus gives a ticket a status.
func (s *Server) SetStatus(id string, status int) {
	s.change(id, func(t *ticket) { t.status = status })
}

// Assign gives a ticket to an agent.
func (s *Server) Assign(id string, agent int64) {
	s.change(id, func(t *ticket) { t.responder = agent })
}

// Transfer gives a ticket to another company, or to none if that is empty.
func (s *Server) Transfer(id, companyID string) {
	s.change(id, func(t *ticket) { t.company, _ = strconv.ParseInt(companyID, 10, 64) })
}

// Age makes a ticket older.
func (s *Server) Age(id string, by time.Duration) {
	s.change(id, func(t *ticket) { t.created = t.created.Add(-by) })
}

// Trash puts a ticket into the trash.
func (s *Server) Trash(id string) { s.change(id, func(t *ticket) { t.trash = true }) }

// Spam marks a ticket as spam.
func (s *Server) Spam(id string) { s.change(id, func(t *ticket) { t.spam = true }) }

// Hide moves a ticket to a group that the agent sees only without Scoped.
func (s *Server) Hide(id string) { s.change(id, func(t *ticket) { t.hidden = true }) }

// Remove deletes a ticket for ever.
func (s *Server) Remove(id string) { s.change(id, func(t *ticket) { t.gone = true }) }

func (s *Server) change(id string, f func(*ticket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.ticket(id); t != nil {
		f(t)
		t.updated = time.Now().UTC().Truncate(time.Second)
	}
}

// Notes reports the HTML of notes that carries part, and whether all of them
// are private.
func (s *Server) Notes(part string) (texts []string, private bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	private = true
	for _, n := range s.notes {
		if strings.Contains(n.html, part) {
			texts = append(texts, n.html)
			private = private && n.private
		}
	}
	return texts, private
}

// Paste has another agent write a note with a key that is not theirs.
func (s *Server) Paste(ticketID, key string) {
	id, _ := strconv.ParseInt(ticketID, 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(&note{ticket: id, user: Agent, html: "See [" + key + "]"})
}

// Entries reports the time that was booked on a ticket.
func (s *Server) Entries(ticketID string) (all []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if strconv.FormatInt(e.Ticket, 10) == ticketID {
			all = append(all, *e)
		}
	}
	return all
}

// Status reports the status of a ticket.
func (s *Server) Status(ticketID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ticket(ticketID).status
}

// Fill writes n replies of other people to a ticket.
func (s *Server) Fill(ticketID string, n int) {
	id, _ := strconv.ParseInt(ticketID, 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		s.store(&note{ticket: id, html: "Called back, attempt " + strconv.Itoa(i)})
	}
}

func (s *Server) store(n *note) {
	n.id, n.created = int64(90001+len(s.notes)), time.Now().UTC().Truncate(time.Second)
	s.notes = append(s.notes, n)
}

// ticket finds what is there, whether the agent sees it or not.
func (s *Server) ticket(id string) *ticket {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(s.tickets) || s.tickets[n-1].gone {
		return nil
	}
	return s.tickets[n-1]
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.Pass(w, r) {
		return
	}
	path, here := strings.CutPrefix(r.URL.Path, "/api/v2/")
	if !here {
		hosted.Page(w, http.StatusNotFound, "The page you were looking for does not exist")
		return
	}
	s.mu.Lock()
	key, suspended := s.key.Reveal(), s.switches.Suspended
	s.mu.Unlock()
	user, password, _ := r.BasicAuth()
	switch {
	case user != key || password != "X":
		refuse(w, http.StatusUnauthorized, "invalid_credentials", "You have to be logged in to perform this action.")
	case suspended:
		refuse(w, http.StatusForbidden, "account_suspended", "Your account has been suspended.")
	default:
		s.Checked(facts, func(w http.ResponseWriter, r *http.Request) { wire{s}.route(w, r, strings.Split(path, "/")) })(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	hosted.Send(w, status, hosted.Object{"code": code, "message": message})
}

var ticketFields = []string{"id number", "subject string", "status number", "company_id number", "responder_id number", "requester_id number", "spam boolean", "deleted boolean",
	"created_at string", "updated_at string", "tags list", "custom_fields object"}

var noteFields = []string{"id number", "ticket_id number", "user_id number", "body string", "body_text string", "private boolean", "incoming boolean", "source number", "created_at string", "updated_at string"}

var entryFields = []string{"id number", "agent_id number", "ticket_id number", "billable boolean", "note string", "time_spent string", "timer_running boolean", "executed_at string",
	"start_time string", "created_at string", "updated_at string"}

// facts are what is publicly known of the calls that jitney makes.
var facts = []hosted.Fact{
	{Method: "GET", Path: `/api/v2/tickets`, Query: []string{"company_id", "updated_since", "order_by", "order_type", "page", "per_page"}, Got: ticketFields},
	{Method: "GET", Path: `/api/v2/tickets/\d+`, Got: ticketFields},
	{Method: "GET", Path: `/api/v2/tickets/\d+/conversations`, Query: []string{"page", "per_page"}, Got: noteFields},
	{Method: "POST", Path: `/api/v2/tickets/\d+/notes`, Sent: []string{"body string", "private boolean"}, Got: noteFields},
	{Method: "PUT", Path: `/api/v2/tickets/\d+`, Sent: []string{"status number"}, Got: ticketFields},
	{Method: "GET", Path: `/api/v2/time_entries`, Query: []string{"page", "per_page"}, Got: entryFields},
	{Method: "GET", Path: `/api/v2/tickets/\d+/time_entries`, Query: []string{"page", "per_page"}, Got: entryFields},
	{Method: "POST", Path: `/api/v2/tickets/\d+/time_entries`, Sent: []string{"agent_id number", "billable boolean", "note string", "time_spent string", "executed_at string"}, Got: entryFields},
	{Method: "GET", Path: `/api/v2/companies`, Query: []string{"page", "per_page"}, Got: []string{"id number", "name string", "domains list"}},
	{Method: "GET", Path: `/api/v2/ticket_fields`, Query: []string{"type"}, Got: []string{"id number", "name string", "type string", "choices object"}},
	{Method: "GET", Path: `/api/v2/agents`, Query: []string{"page", "per_page"}, Got: []string{"id number", "ticket_scope number", "contact object"}},
	{Method: "GET", Path: `/api/v2/agents/me`, Got: []string{"id number", "ticket_scope number", "occasional boolean", "contact object"}},
}

// page sends one page of items, and a link that is never to be followed if
// there are more.
func (s wire) page(w http.ResponseWriter, r *http.Request, items []hosted.Object) {
	number := func(name string, missing int) int {
		if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil {
			return n
		}
		return missing
	}
	n, size := number("page", 1), number("per_page", 30)
	if n < 1 || size < 1 || size > 100 {
		hosted.Send(w, http.StatusBadRequest, hosted.Object{"description": "Validation failed", "errors": []hosted.Object{{"field": "per_page", "message": "It should be a Positive Integer less than or equal to 100", "code": "invalid_value"}}})
		return
	}
	if sw := s.look(); sw.PageCap > 0 {
		size = min(size, sw.PageCap)
	}
	from := min((n-1)*size, len(items))
	to := min(from+size, len(items))
	if to < len(items) {
		w.Header().Set("Link", `<https://somewhere-else.invalid/api/v2/tickets?page=`+strconv.Itoa(n+1)+`>; rel="next"`)
	}
	hosted.Send(w, http.StatusOK, append([]hosted.Object{}, items[from:to]...))
}

func (s *Server) look() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}

// known reports whether there is such a company.
func (s wire) known(id string) bool {
	return slices.ContainsFunc(s.companies, func(c company) bool { return strconv.FormatInt(c.id, 10) == id })
}
