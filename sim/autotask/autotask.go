// Package autotask simulates the part of Autotask PSA's REST interface that
// jitney calls, with its oddities: a zone that is asked for first and can
// change, missing things that come as null with status 200, missing rights and
// records that come with status 500, refusals inside of status 200, the oldest
// first always, pages of 500, at most three calls at a time. It speaks HTTP
// through its handler, keeps everything in memory and is for tests and
// demonstrations; it never calls anyone.
package autotask

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"jitney/secret"
	"jitney/sim/hosted"
)

// What the one API user is called.
const (
	User = "jitney@aviary.example"
	Code = "TRACKING0001"
)

// The numbers of some choices.
const (
	StatusNew      = 1
	StatusComplete = 5
	StatusInvoiced = 21 // closed in fact, but for the tenant to say
	PublishAll     = 1
	PublishInside  = 2
	NoteSummary    = 3
)

// Switches are the oddities that can be turned on.
type Switches struct {
	LoseRequests  int           // every n-th request that writes never arrives
	LoseAnswers   int           // every n-th takes effect without an answer
	LateEvery     int           // every n-th takes effect Late after its caller lost the connection
	Late          time.Duration // see LateEvery
	ErrorPages    int           // every n-th call is answered with a gateway's error page
	Throttle      int           // every n-th call is answered with 429
	IgnoreCompany bool          // filters on companies hold for all tickets
	NoNotes       bool          // the security level does not allow to add notes: status 500 and words
	Refused200    bool          // notes are refused inside of an answer with status 200
	TwoInside     bool          // two choices of Publish are called internal
	Zone          string        // address that the finder names instead of its own
	Slow          time.Duration // of every call
	TwoWaiting    bool          // two statuses are called so, and one that is not in use any more is called Complete
	Hidden        bool          // resources may not be read
	NoTime        bool          // entries of time may not be read
	KeepStatus    bool          // a changed status is answered as if it were kept, and is not
	NoteLength    int           // characters of the longest note, instead of 32000
	Used          int           // calls of this hour by other integrations
	Moody         bool          // notes fail with status 500 and words that say nothing
}

// A Server is one simulated Autotask.
type Server struct {
	hosted.Front

	mu        sync.Mutex
	switches  Switches
	password  secret.Text
	zone      string
	companies []*company
	tickets   []*ticket
	notes     []*note
	people    []person
	entries   []*Entry
	busy      map[string]int
}

type company struct {
	id, kind int
	name     string
	active   bool
}

type ticket struct {
	id, company, status int
	title               string
	resource, role      int
	created, updated    time.Time
	completed           time.Time
	gone                bool
}

type note struct {
	id, ticket, publish, kind int
	title, text               string
	created                   time.Time
}

type person struct {
	id, role    int
	login, mail string
}

// An Entry is the time that somebody worked on a ticket.
type Entry struct {
	Ticket, Resource, Role int
	Hours                  float64
	Summary, Internal      string
	Start, End             string
	id                     int
	created                time.Time
}

// New makes a server whose API user has this secret. The company with number
// 0 is the one that owns it.
func New(sw Switches, password secret.Text) *Server {
	s := &Server{password: password, zone: "ww1", busy: map[string]int{}, companies: []*company{{0, 1, "Aviary MSP", true}}}
	s.Set(sw)
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
	return n
}

// Rotate gives the API user another secret.
func (s *Server) Rotate(password secret.Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = password
}

// Move puts the account into another zone; the old one accepts it no more.
func (s *Server) Move(zone string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone = zone
}

// AddCompany makes a company of a type (1 is a customer) and reports its id.
func (s *Server) AddCompany(name string, kind int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := 29683500 + len(s.companies)
	s.companies = append(s.companies, &company{id, kind, name, true})
	return strconv.Itoa(id)
}

// Retire makes a company inactive.
func (s *Server) Retire(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.companies {
		c.active = c.active && strconv.Itoa(c.id) != id
	}
}

// AddTicket opens a ticket of a company and reports its id.
func (s *Server) AddTicket(companyID, title string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(companyID)
	now := time.Now().UTC()
	id := 7001 + len(s.tickets)
	s.tickets = append(s.tickets, &ticket{id: id, company: n, status: StatusNew, title: title, created: now, updated: now})
	return strconv.Itoa(id)
}

// SetStatus gives a ticket a status.
func (s *Server) SetStatus(id string, status int) {
	s.change(id, func(t *ticket) { t.status = status })
}

// Complete sets the completion date of a ticket.
func (s *Server) Complete(id string) {
	s.change(id, func(t *ticket) { t.completed = time.Now().UTC() })
}

// AddResource makes somebody with a role and reports the number.
func (s *Server) AddResource(login, mail string, role int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people = append(s.people, person{29682885 + len(s.people), role, login, mail})
	return 29682884 + len(s.people)
}

// Entries reports the time that was booked on a ticket.
func (s *Server) Entries(ticketID string) (all []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if strconv.Itoa(e.Ticket) == ticketID {
			all = append(all, *e)
		}
	}
	return all
}

// Assign gives a ticket to a resource.
func (s *Server) Assign(id string, resource int) {
	s.change(id, func(t *ticket) {
		t.resource, t.role = resource, 0
		for _, p := range s.people {
			if p.id == resource {
				t.role = p.role
			}
		}
	})
}

// Transfer gives a ticket to another company.
func (s *Server) Transfer(id, companyID string) {
	s.change(id, func(t *ticket) { t.company, _ = strconv.Atoi(companyID) })
}

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
// stay inside.
func (s *Server) Notes(part string) (texts []string, internal bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	internal = true
	for _, n := range s.notes {
		if strings.Contains(n.text, part) {
			texts = append(texts, n.text)
			internal = internal && n.publish == PublishInside
		}
	}
	return texts, internal
}

// Fill writes n notes of other people to a ticket.
func (s *Server) Fill(ticketID string, n int) {
	id, _ := strconv.Atoi(ticketID)
	for i := range n {
		s.store(&note{ticket: id, publish: PublishAll, kind: 1, title: "Call", text: "Called back, attempt " + strconv.Itoa(i)})
	}
}

func (s *Server) ticket(id string) *ticket {
	n, err := strconv.Atoi(id)
	if err != nil || n <= 7000 || n > 7000+len(s.tickets) || s.tickets[n-7001].gone {
		return nil
	}
	return s.tickets[n-7001]
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.URL.Path, "/atservicesrest/v1.0/zoneInformation") {
		s.Checked(facts(), s.findZone)(w, r)
		return
	}
	s.mu.Lock()
	sw, zone, password := s.switches, s.zone, s.password.Reveal()
	s.mu.Unlock()
	path, here := strings.CutPrefix(r.URL.Path, "/"+zone+"/ATServicesRest/V1.0/")
	endpoint, _, _ := strings.Cut(path, "/")
	if done, ok := s.enter(endpoint); ok {
		defer done()
	} else {
		s.Complain("more than three calls to %s at a time", endpoint)
		fail(w, http.StatusTooManyRequests, "thread limit")
		return
	}
	if sw.Slow > 0 {
		<-time.After(sw.Slow)
	}
	switch {
	case !s.Pass(w, r):
	case !here || r.Header.Get("UserName") != User || r.Header.Get("ApiIntegrationCode") != Code || r.Header.Get("Secret") != password:
		fail(w, http.StatusUnauthorized, "Unauthorized")
	default:
		s.Checked(facts(), func(w http.ResponseWriter, r *http.Request) { wire{s}.route(w, r, strings.Split(path, "/")) })(w, r)
	}
}

// enter counts the calls to an endpoint that are under way.
func (s *Server) enter(endpoint string) (done func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[endpoint] >= 3 {
		return nil, false
	}
	s.busy[endpoint]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy[endpoint]--
	}, true
}

func (s *Server) findZone(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Secret") != "" || r.Header.Get("ApiIntegrationCode") != "" {
		s.Complain("the zone was asked for with credentials")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Query().Get("user") != User { // it does not say so any better
		fail(w, http.StatusInternalServerError, "Zone information could not be determined")
		return
	}
	at := "http://" + r.Host + "/" + s.zone + "/ATServicesRest/"
	if s.switches.Zone != "" {
		at = s.switches.Zone
	}
	hosted.Send(w, http.StatusOK, hosted.Object{"zoneName": "Zone " + s.zone, "url": at, "webUrl": "http://" + r.Host + "/", "ci": 1})
}

func fail(w http.ResponseWriter, status int, message string) {
	hosted.Send(w, status, hosted.Object{"errors": []string{message}})
}
