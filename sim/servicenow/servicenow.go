// Package servicenow simulates the part of ServiceNow's Table API that jitney
// calls, with its oddities: conditions that it does not understand and leaves
// out instead of refusing them, rows that rights take out of a page after it
// was counted, fields that they take out of a row without a word, on the way
// in too, notes that are written to a ticket and read from another table,
// failures inside of status 200. It speaks HTTP through its handler, keeps
// everything in memory and is for tests and demonstrations; it never calls
// anyone.
package servicenow

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"jitney/secret"
	"jitney/sim/hosted"
)

// What the one account needs to sign in, by itself or with an application.
const (
	User     = "jitney.api"
	ClientID = "0123456789abcdef0123456789abcdef"
)

// Some states of an incident.
const (
	StateNew      = "1"
	StateOnHold   = "3"
	StateResolved = "6" // it is still active
	StateClosed   = "7"
)

// Some states of a case of Customer Service Management, where other numbers
// mean other things.
const (
	CaseNew       = "1"
	CaseClosed    = "3"
	CaseResolved  = "6" // it is still active
	CaseCancelled = "7"
	CaseOpen      = "10"
	CaseAwaiting  = "18"
)

// Switches are the oddities that can be turned on.
type Switches struct {
	hosted.Network
	Strict            bool // a condition that is not understood lets nothing through (glide.invalid_query.returns_no_rows)
	NoCompany         bool // tickets have no field company
	JournalHidden     bool // the account sees no row of the journal, and is not told
	JournalForbidden  bool // the account may not read the journal: 403
	NotesHidden       bool // the account does not see the notes on a ticket, and is not told
	NotesDropped      bool // a note is taken and thrown away, and nobody is told
	NoWrites          bool // the account may not write tickets
	StateDropped      bool // a state is taken and thrown away, and nobody is told
	Demands           bool // a ticket cannot be resolved without a code
	Cancelled         bool // lists are cut off by a time limit, told inside of status 200
	NoCounts          bool // no headers tell how many rows there are
	NoChoices         bool // the account sees no choices of fields
	NoUsers           bool // the account sees no users
	NoteLength        int  // longer notes are cut
	ClientCredentials bool // the instance allows the grant of that name
	Cases             bool // tickets are cases of Customer Service Management, which belong to accounts
	NoBasic           bool // the instance takes tokens only
}

// A Server is one simulated instance.
type Server struct {
	hosted.Front
	mu        sync.Mutex
	switches  Switches
	password  secret.Text
	tokens    map[string]bool
	issued    int
	companies []*company
	tickets   []*ticket
	notes     []*note
}

type company struct {
	id, name         string
	customer, vendor bool
}

type ticket struct {
	id, number, title, company, state, assignee string
	inactive, hidden, gone                      bool
	created, updated                            time.Time
}

type note struct {
	id, ticket, element, text, by string
	created                       time.Time
}

// New makes an instance whose account and application have this secret.
func New(sw Switches, password secret.Text) *Server {
	s := &Server{password: password, tokens: map[string]bool{}}
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

// Rotate gives the account another secret and ends all tokens.
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

// AddCompany makes a company that is a customer and reports its id.
func (s *Server) AddCompany(name string) string { return s.add(&company{name: name, customer: true}) }

// AddVendor makes a company that only sells things.
func (s *Server) AddVendor(name string) string { return s.add(&company{name: name, vendor: true}) }

// AddOwn makes a company that neither buys nor sells, such as the one whose
// instance it is.
func (s *Server) AddOwn(name string) string { return s.add(&company{name: name}) }

func (s *Server) add(c *company) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.id = fmt.Sprintf("c0%030x", len(s.companies)+1)
	s.companies = append(s.companies, c)
	return c.id
}

// AddTicket opens an incident, or a case, of a company and reports its id.
func (s *Server) AddTicket(companyID, title string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, now := len(s.tickets)+1, time.Now().UTC().Truncate(time.Second)
	t := &ticket{id: fmt.Sprintf("a1%030x", n), number: fmt.Sprintf("INC%07d", 10000+n), title: title, company: companyID, state: StateNew, created: now, updated: now}
	s.tickets = append(s.tickets, t)
	return t.id
}

// SetState gives a ticket a state; it stays active.
func (s *Server) SetState(id, state string) { s.change(id, func(t *ticket) { t.state = state }) }

// Close closes a ticket.
func (s *Server) Close(id string) {
	s.change(id, func(t *ticket) {
		t.state, t.inactive = StateClosed, true
		if s.switches.Cases {
			t.state = CaseClosed
		}
	})
}

// Deactivate ends a ticket and leaves its state as it is.
func (s *Server) Deactivate(id string) { s.change(id, func(t *ticket) { t.inactive = true }) }

// Assign gives a ticket to a person.
func (s *Server) Assign(id, name string) { s.change(id, func(t *ticket) { t.assignee = name }) }

// Transfer gives a ticket to another company.
func (s *Server) Transfer(id, companyID string) {
	s.change(id, func(t *ticket) { t.company = companyID })
}

// Hide keeps a ticket from the account.
func (s *Server) Hide(id string) { s.change(id, func(t *ticket) { t.hidden = true }) }

// Remove deletes a ticket.
func (s *Server) Remove(id string) { s.change(id, func(t *ticket) { t.gone = true }) }

func (s *Server) change(id string, f func(*ticket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.ticket(id); t != nil {
		f(t)
		t.updated = time.Now().UTC().Truncate(time.Second)
	}
}

// Notes reports the texts of notes that carry part, and whether all of them
// are work notes, which only people inside see.
func (s *Server) Notes(part string) (texts []string, internal bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	internal = true
	for _, n := range s.notes {
		if strings.Contains(n.text, part) {
			texts = append(texts, n.text)
			internal = internal && n.element == "work_notes"
		}
	}
	return texts, internal
}

// Fill writes n notes of other people to a ticket, each with text in it.
func (s *Server) Fill(ticketID string, n int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.store(ticketID, "work_notes", text, User)
	}
}

// Paste has somebody else write a note with a key that is not theirs.
func (s *Server) Paste(ticketID, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(ticketID, "work_notes", "See ["+key+"]", "ann")
}

func (s *Server) store(ticketID, element, text, by string) {
	if most := s.switches.NoteLength; most > 0 && len(text) > most {
		text = text[:most]
	}
	s.notes = append(s.notes, &note{id: fmt.Sprintf("f2%030x", len(s.notes)+1), ticket: ticketID, element: element, text: text, by: by, created: time.Now().UTC().Truncate(time.Second)})
}

// Tokens reports how many tokens were issued.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

func (s *Server) ticket(id string) *ticket {
	for _, t := range s.tickets {
		if t.id == id && !t.gone {
			return t
		}
	}
	return nil
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.Pass(w, r) {
		return
	}
	path, here := strings.CutPrefix(r.URL.Path, "/api/now/table/")
	switch {
	case r.URL.Path == "/oauth_token.do":
		s.Checked(facts, s.issue)(w, r)
	case !here:
		hosted.Page(w, http.StatusOK, "Log in")
	case !s.known(r):
		refuse(w, http.StatusUnauthorized, "User Not Authenticated", "Required to provide Auth information")
	default:
		s.Checked(facts, func(w http.ResponseWriter, r *http.Request) { wire{s}.route(w, r, strings.Split(path, "/")) })(w, r)
	}
}

// known reports whether a call is one of the account.
func (s *Server) known(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return s.tokens[token]
	}
	user, password, ok := r.BasicAuth()
	return ok && user == User && password == s.password.Reveal() && !s.switches.NoBasic
}

// issue makes a token for the credentials of the application, and of the
// account where it is told them.
func (s *Server) issue(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm()
	f := r.PostForm
	granted := f.Get("client_id") == ClientID && f.Get("client_secret") == s.password.Reveal()
	switch f.Get("grant_type") {
	case "client_credentials":
		granted = granted && s.switches.ClientCredentials
	case "password":
		granted = granted && f.Get("username") == User && f.Get("password") == s.password.Reveal()
	default:
		granted = false
	}
	if !granted {
		hosted.Send(w, http.StatusUnauthorized, hosted.Object{"error": "server_error", "error_description": "access_denied"})
		return
	}
	token := rand.Text()
	s.issued++
	s.tokens[token] = true
	hosted.Send(w, http.StatusOK, hosted.Object{"access_token": token, "token_type": "Bearer", "expires_in": 1799, "scope": "useraccount"})
}

func refuse(w http.ResponseWriter, status int, message, detail string) {
	hosted.Send(w, status, hosted.Object{"error": hosted.Object{"message": message, "detail": detail}, "status": "failure"})
}

var (
	asked  = []string{"sysparm_query", "sysparm_fields", "sysparm_limit", "sysparm_offset", "sysparm_display_value", "sysparm_exclude_reference_link"}
	either = " string object" // with or without display values
	task   = []string{"sys_id" + either, "number" + either, "short_description" + either, "state" + either, "active" + either, "company" + either, "account" + either, "assigned_to" + either,
		"opened_at" + either, "sys_created_on" + either, "sys_updated_on" + either, "work_notes" + either, "comments" + either}
)

// facts are what is publicly known of the calls that jitney makes.
var facts = []hosted.Fact{
	{Method: "POST", Path: `/oauth_token\.do`, Form: true, Got: []string{"access_token string", "token_type string", "expires_in number", "scope string"}},
	{Method: "GET", Path: `/api/now/table/(incident|sn_customerservice_case)`, Query: asked, Under: "result", Got: task},
	{Method: "GET", Path: `/api/now/table/(incident|sn_customerservice_case)/[0-9a-f]{32}`, Query: asked, Under: "result", Got: task},
	{Method: "PATCH", Path: `/api/now/table/(incident|sn_customerservice_case)/[0-9a-f]{32}`, Query: asked, Sent: []string{"work_notes string", "comments string", "state string"}, Under: "result", Got: task},
	{Method: "GET", Path: `/api/now/table/sys_journal_field`, Query: asked, Under: "result", Got: []string{"sys_id string", "element_id string", "element string", "name string", "value string", "sys_created_on string", "sys_created_by string"}},
	{Method: "GET", Path: `/api/now/table/core_company`, Query: asked, Under: "result", Got: []string{"sys_id string", "name string", "customer string", "vendor string", "manufacturer string"}},
	{Method: "GET", Path: `/api/now/table/customer_account`, Query: asked, Under: "result", Got: []string{"sys_id string", "name string", "number string", "customer string", "partner string"}},
	{Method: "GET", Path: `/api/now/table/sys_choice`, Query: asked, Under: "result", Got: []string{"name string", "element string", "value string", "label string", "inactive string", "language string"}},
	{Method: "GET", Path: `/api/now/table/sys_user`, Query: asked, Under: "result", Got: []string{"sys_id string", "user_name string", "name string"}},
}
