// Package halo simulates the part of HaloPSA's REST interface that jitney
// calls, with its oddities: tokens from another place than the rest, an agent
// who does not see everything and is not told so, pages only for those who
// spell pageinate, filters that may not hold, outcomes without which no action
// is taken, an id that makes a new action change an old one. It speaks HTTP
// through its handler, keeps everything in memory and is for tests and
// demonstrations; it never calls anyone.
package halo

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jitney/secret"
	"jitney/sim/hosted"
)

// What the one application needs to sign in.
const (
	ClientID = "11111111-2222-3333-4444-555555555555"
	Tenant   = "aviary"
)

// The numbers of some statuses.
const (
	StatusNew    = 1
	StatusClosed = 9
	StatusBilled = 31 // closed in fact, but for the tenant to say
)

// Switches are the oddities that can be turned on.
type Switches struct {
	LoseRequests int           // every n-th request that writes never arrives
	LoseAnswers  int           // every n-th takes effect without an answer
	LateEvery    int           // every n-th takes effect Late after its caller lost the connection
	Late         time.Duration // see LateEvery
	ErrorPages   int           // every n-th call is answered with a gateway's error page
	Throttle     int           // every n-th call is answered with 429
	IgnoreClient bool          // the filter on clients does not hold
	IgnoreOpen   bool          // the filter on open tickets does not hold
	IgnoreIDs    bool          // the filter on ids does not hold
	NoPages      bool          // everything comes at once
	PageCap      int           // pages are smaller than asked for
	EmptyMissing bool          // a missing ticket is an empty hosted.Object instead of 404
	Forbids      bool          // what the agent may not see is 403 instead of 404
	Mandatory    bool          // the tenant made another field mandatory
	NoActions    bool          // the agent may not write actions
	TwoWaiting   bool          // two statuses are called so
	KeepStatus   bool          // a changed status is answered as if it were kept, and is not
	NoOutcomes   bool          // there is no list of outcomes
	Elsewhere    string        // every call is redirected there
	AuthDown     bool          // no tokens are issued
}

// A Server is one simulated Halo: tokens below /auth, the rest below /api.
type Server struct {
	hosted.Front

	mu       sync.Mutex
	switches Switches
	secret   secret.Text
	tokens   map[string]time.Time // until when
	life     time.Duration
	clients  []*client
	tickets  []*ticket
	actions  []*action
	issued   int
}

type client struct {
	id               int
	name             string
	inactive, hidden bool
}

type ticket struct {
	id, client, status int
	summary, agent     string
	opened, closed     time.Time
	updated            time.Time
	inactive, gone     bool
	agentID            int
}

type action struct {
	id, ticket int
	html       string
	private    bool
	hours      float64
	created    time.Time
}

// New makes a server whose application has this secret.
func New(sw Switches, password secret.Text) *Server {
	s := &Server{secret: password, tokens: map[string]time.Time{}, life: time.Hour}
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
	n.Elsewhere = sw.Elsewhere
	return n
}

// Rotate gives the application another secret and ends all tokens.
func (s *Server) Rotate(password secret.Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = password
	clear(s.tokens)
}

// EndTokens has every token end before its time.
func (s *Server) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// AddClient makes a client and reports its id.
func (s *Server) AddClient(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := 12 + len(s.clients)
	s.clients = append(s.clients, &client{id: id, name: name})
	return strconv.Itoa(id)
}

// Retire makes a client inactive.
func (s *Server) Retire(id string) { s.changeClient(id, func(c *client) { c.inactive = true }) }

// Hide keeps a client and its tickets from the agent.
func (s *Server) Hide(id string) { s.changeClient(id, func(c *client) { c.hidden = true }) }

func (s *Server) changeClient(id string, f func(*client)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		if strconv.Itoa(c.id) == id {
			f(c)
		}
	}
}

// AddTicket opens a ticket of a client and reports its id.
func (s *Server) AddTicket(clientID, summary string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(clientID)
	now := time.Now().UTC()
	id := 2001 + len(s.tickets)
	s.tickets = append(s.tickets, &ticket{id: id, client: n, status: StatusNew, summary: summary, opened: now, updated: now})
	return strconv.Itoa(id)
}

// SetStatus gives a ticket a status.
func (s *Server) SetStatus(id string, status int) {
	s.change(id, func(t *ticket) { t.status = status })
}

// Close closes a ticket as Halo does: with its status and its date.
func (s *Server) Close(id string) {
	s.change(id, func(t *ticket) { t.status, t.closed = StatusClosed, time.Now().UTC() })
}

// Date sets the closing date alone.
func (s *Server) Date(id string) { s.change(id, func(t *ticket) { t.closed = time.Now().UTC() }) }

// Deactivate marks a ticket as deleted, though it can still be read.
func (s *Server) Deactivate(id string) { s.change(id, func(t *ticket) { t.inactive = true }) }

// Assign gives a ticket to an agent.
func (s *Server) Assign(id, agent string) { s.change(id, func(t *ticket) { t.agent = agent }) }

// AssignNumber gives a ticket to an agent whom lists tell by number only.
func (s *Server) AssignNumber(id string, agent int) {
	s.change(id, func(t *ticket) { t.agentID = agent })
}

// Minutes reports the time that was booked on a ticket.
func (s *Server) Minutes(id string) (all []float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.actions {
		if strconv.Itoa(a.ticket) == id && a.hours > 0 {
			all = append(all, a.hours*60)
		}
	}
	return all
}

// Transfer gives a ticket to another client.
func (s *Server) Transfer(id, clientID string) {
	s.change(id, func(t *ticket) { t.client, _ = strconv.Atoi(clientID) })
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

// Notes reports the texts of actions that carry part, and whether all of them
// are hidden from users.
func (s *Server) Notes(part string) (texts []string, internal bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	internal = true
	for _, a := range s.actions {
		if strings.Contains(a.html, part) {
			texts = append(texts, a.html)
			internal = internal && a.private
		}
	}
	return texts, internal
}

// Fill writes n actions of other people to a ticket.
func (s *Server) Fill(ticketID string, n int) {
	id, _ := strconv.Atoi(ticketID)
	for i := range n {
		s.store(&action{ticket: id, html: "Called back, attempt " + strconv.Itoa(i)})
	}
}

// Calls reports how many calls were made, and how many tokens were issued.
func (s *Server) Calls() (calls, tokens int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Front.Calls(), s.issued
}

// ticket finds what is there, whether the agent sees it or not.
func (s *Server) ticket(id string) *ticket {
	n, err := strconv.Atoi(id)
	if err != nil || n <= 2000 || n > 2000+len(s.tickets) || s.tickets[n-2001].gone {
		return nil
	}
	return s.tickets[n-2001]
}

func (s wire) sees(t *ticket) bool {
	return t != nil && !t.gone && !slices.ContainsFunc(s.clients, func(c *client) bool { return c.id == t.client && c.hidden })
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/auth/token" {
		s.Checked(facts, wire{s}.issue)(w, r)
		return
	}
	if !s.Pass(w, r) {
		return
	}
	s.mu.Lock()
	until, known := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	s.mu.Unlock()
	path, here := strings.CutPrefix(r.URL.Path, "/api/")
	switch {
	case !here:
		hosted.Page(w, http.StatusOK, "The application itself")
	case !known || time.Now().After(until):
		hosted.Send(w, http.StatusUnauthorized, "Unauthorized")
	default:
		s.Checked(facts, func(w http.ResponseWriter, r *http.Request) { wire{s}.route(w, r, strings.Split(path, "/")) })(w, r)
	}
}

// issue makes a token for the application's credentials.
func (s wire) issue(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm()
	f := r.PostForm
	switch {
	case s.switches.AuthDown:
		w.WriteHeader(http.StatusBadGateway)
	case r.Method != http.MethodPost || f.Get("grant_type") != "client_credentials" || f.Get("scope") == "" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		hosted.Send(w, http.StatusBadRequest, hosted.Object{"error": "invalid_request"})
	case f.Get("client_id") != ClientID || f.Get("client_secret") != s.secret.Reveal() || r.URL.Query().Get("tenant") != Tenant:
		hosted.Send(w, http.StatusBadRequest, hosted.Object{"error": "invalid_client"})
	default:
		token := rand.Text()
		s.issued++
		s.tokens[token] = time.Now().Add(s.life)
		hosted.Send(w, http.StatusOK, hosted.Object{"token_type": "Bearer", "access_token": token, "expires_in": int(s.life / time.Second)})
	}
}
