// Package connectwise simulates the part of ConnectWise PSA's REST interface
// that jitney calls, with its oddities: a codebase that is asked for first and
// can move, a client ID demanded on every call, conditions in a language of
// their own, pages of 25 unless asked, boards hidden by a role, notes of which
// one flag must be set. It speaks HTTP through its handler, keeps everything
// in memory and is for tests and demonstrations; it never calls anyone.
package connectwise

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jitney/secret"
	"jitney/sim/hosted"
)

// What the one API member needs to sign in.
const (
	Company   = "aviary_msp"
	PublicKey = "PublicKey0001"
	ClientID  = "01234567-89ab-cdef-0123-456789abcdef"
)

// Switches are the oddities that can be turned on.
type Switches struct {
	LoseRequests  int           // every n-th request that writes never arrives
	LoseAnswers   int           // every n-th takes effect without an answer
	LateEvery     int           // every n-th takes effect Late after its caller lost the connection
	Late          time.Duration // see LateEvery
	ErrorPages    int           // every n-th call is answered with a gateway's error page
	Throttle      int           // every n-th call is answered with 429
	IgnoreCompany bool          // conditions on companies hold for all tickets
	NoNotes       bool          // the role does not allow to write notes, or anything
	NoTime        bool          // the role does not allow to see entries of time
	KeepStatus    bool          // changes of a status are answered as if they were made, and are not
	TwoNew        bool          // boards are made with two statuses that are called New
	Elsewhere     string        // every call is redirected there
	Bare          bool          // tickets come without closedFlag
}

// A Server is one simulated ConnectWise PSA.
type Server struct {
	hosted.Front

	mu        sync.Mutex
	switches  Switches
	private   secret.Text
	codebase  string
	companies []*company
	boards    []*board
	tickets   []*ticket
	notes     []*note
	entries   []Entry
}

type company struct {
	id      int
	name    string
	deleted bool
}

type board struct {
	id       int
	name     string
	hidden   bool
	statuses []status
}

type status struct {
	name     string
	closed   bool
	inactive bool
	noTime   bool // no time may be booked
}

type ticket struct {
	id, company, board, status, parent int
	summary, owner                     string
	entered, updated                   time.Time
}

type note struct {
	id, ticket int
	text       string
	flags      [3]bool // internal analysis, discussion, resolution
	created    time.Time
}

// An Entry is the time that somebody worked on a ticket.
type Entry struct {
	Ticket                     int
	Member, Notes, Internal    string
	Hours                      float64
	Discussion, Analysis, Mail bool
	WorkType, WorkRole         int
	Billable                   string
	Start                      string
}

// New makes a server with one board, whose member has this private key.
func New(sw Switches, private secret.Text) *Server {
	s := &Server{private: private, codebase: "v2025_1/"} // with its slash
	s.Set(sw)
	s.AddBoard("Service Desk")
	return s
}

// Set changes the switches from now on.
func (s *Server) Set(sw Switches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = sw
	s.Connect(sw.network())
}

// network is the part of the switches that lies between a caller and any desk.
func (sw Switches) network() hosted.Network {
	n := hosted.Network{LoseRequests: sw.LoseRequests, LoseAnswers: sw.LoseAnswers, LateEvery: sw.LateEvery, Late: sw.Late, ErrorPages: sw.ErrorPages, Throttle: sw.Throttle}
	n.Elsewhere = sw.Elsewhere
	return n
}

// Rotate gives the member another private key.
func (s *Server) Rotate(private secret.Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.private = private
}

// Move has the site run another release from now on.
func (s *Server) Move(codebase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codebase = codebase
}

// AddCompany makes a company and reports its id.
func (s *Server) AddCompany(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.companies = append(s.companies, &company{id: 19000 + len(s.companies), name: name})
	return strconv.Itoa(18999 + len(s.companies))
}

// Delete marks a company as deleted.
func (s *Server) Delete(companyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.companies {
		c.deleted = c.deleted || strconv.Itoa(c.id) == companyID
	}
}

// AddBoard makes a board with an open and two closed statuses and reports its
// id. Every board has statuses of its own.
func (s *Server) AddBoard(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boards = append(s.boards, &board{id: len(s.boards) + 1, name: name, statuses: []status{{name: "New"}, {name: ">Closed", closed: true}, {name: "Cancelled", closed: true}, {name: "Waiting", inactive: true}, {name: "In Progress"}, {name: "On Hold", noTime: true}}})
	if b := s.boards[len(s.boards)-1]; s.switches.TwoNew {
		b.statuses = append(b.statuses, status{name: "new "})
	}
	return len(s.boards)
}

// Hide takes a board out of what the member's role sees.
func (s *Server) Hide(boardID int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boards[boardID-1].hidden = true
}

// AddTicket opens a ticket of a company on a board and reports its id.
func (s *Server) AddTicket(companyID string, boardID int, summary string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(companyID)
	now := time.Now().UTC().Truncate(time.Second)
	id := 50001 + len(s.tickets)
	s.tickets = append(s.tickets, &ticket{id: id, company: n, board: boardID, summary: summary, entered: now, updated: now})
	return strconv.Itoa(id)
}

// Close closes a ticket.
func (s *Server) Close(id string) { s.change(id, func(t *ticket) { t.status = 1 }) }

// Reopen opens a ticket again.
func (s *Server) Reopen(id string) { s.change(id, func(t *ticket) { t.status = 0 }) }

// Assign gives a ticket an owner.
func (s *Server) Assign(id, owner string) { s.change(id, func(t *ticket) { t.owner = owner }) }

// Transfer gives a ticket to another company.
func (s *Server) Transfer(id, companyID string) {
	s.change(id, func(t *ticket) { t.company, _ = strconv.Atoi(companyID) })
}

// Merge makes a ticket a part of another.
func (s *Server) Merge(id, into string) {
	s.change(id, func(t *ticket) { t.parent, _ = strconv.Atoi(into) })
}

// Remove deletes a ticket.
func (s *Server) Remove(id string) { s.change(id, func(t *ticket) { t.company = -1 }) }

func (s *Server) change(id string, f func(*ticket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.ticket(id); t != nil {
		f(t)
		t.updated = time.Now().UTC()
	}
}

// Notes reports the texts of notes that carry part, and whether all of them
// stay inside.
func (s *Server) Notes(part string) (texts []string, internal bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	internal = true
	for _, n := range s.notes {
		if strings.Contains(n.text, part) {
			texts = append(texts, n.text)
			internal = internal && n.flags == [3]bool{true, false, false}
		}
	}
	return texts, internal
}

// Entries reports the time that was booked on a ticket.
func (s *Server) Entries(ticketID string) (all []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if strconv.Itoa(e.Ticket) == ticketID {
			all = append(all, e)
		}
	}
	return all
}

// SetStatus gives a ticket the status of that name on its board.
func (s *Server) SetStatus(id, name string) {
	s.change(id, func(t *ticket) {
		t.status = slices.IndexFunc(s.boards[t.board-1].statuses, func(st status) bool { return st.name == name })
	})
}

// Status reports the name of a ticket's status.
func (s *Server) Status(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.ticket(id)
	return s.boards[t.board-1].statuses[t.status].name
}

// Fill writes n notes of other people to a ticket.
func (s *Server) Fill(ticketID string, n int) {
	for i := range n {
		id, _ := strconv.Atoi(ticketID)
		s.store(id, "Called back, attempt "+strconv.Itoa(i), [3]bool{false, true, false})
	}
}

func (s *Server) ticket(id string) *ticket {
	n, err := strconv.Atoi(id)
	if err != nil || n <= 50000 || n > 50000+len(s.tickets) || s.tickets[n-50001].company < 0 {
		return nil
	}
	return s.tickets[n-50001]
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/login/companyinfo/"); ok {
		s.Checked(facts, func(w http.ResponseWriter, r *http.Request) { s.companyInfo(w, r, name) })(w, r)
		return
	}
	if !s.Pass(w, r) {
		return
	}
	s.mu.Lock()
	codebase := strings.Trim(s.codebase, "/")
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(Company+"+"+PublicKey+":"+s.private.Reveal()))
	s.mu.Unlock()
	path, here := strings.CutPrefix(r.URL.Path, "/"+codebase+"/apis/3.0/")
	switch {
	case !here:
		hosted.Page(w, http.StatusNotFound, "The resource cannot be found")
	case r.Header.Get("clientId") == "":
		say(w, http.StatusUnauthorized, "ClientIdRequired", "ClientId is missing or invalid")
	case r.Header.Get("Authorization") != want:
		say(w, http.StatusUnauthorized, "Unauthorized", "Username or password is incorrect")
	default:
		if !strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.connectwise.com+json; version=") {
			s.Complain("%s does not say which version of the interface it is for", path)
		}
		s.Checked(facts, func(w http.ResponseWriter, r *http.Request) { wire{s}.route(w, r, strings.Split(path, "/")) })(w, r)
	}
}

func (s *Server) companyInfo(w http.ResponseWriter, r *http.Request, name string) {
	if r.Header.Get("Authorization") != "" || r.Header.Get("clientId") != "" {
		s.Complain("the company info was asked for with credentials")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != Company {
		hosted.Send(w, http.StatusOK, nil)
		return
	}
	hosted.Send(w, http.StatusOK, hosted.Object{"CompanyName": "Aviary MSP", "CompanyID": Company, "Codebase": s.codebase, "IsCloud": true, "SiteUrl": "somewhere-else.invalid"})
}

func say(w http.ResponseWriter, status int, code, message string) {
	hosted.Send(w, status, hosted.Object{"code": code, "message": message})
}
