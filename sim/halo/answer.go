package halo

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/sim/hosted"
)

// A wire is a server as its callers see it.
type wire struct{ *Server }

// route answers what the real one has more of.
func (s wire) route(w http.ResponseWriter, r *http.Request, path []string) {
	get := r.Method == http.MethodGet
	where := strings.Join(path, "/")
	switch {
	case get && where == "Agent/me":
		hosted.Send(w, http.StatusOK, hosted.Object{"id": 7, "name": "Jitney"})
	case get && where == "Agent/8":
		hosted.Send(w, http.StatusOK, hosted.Object{"id": 8, "name": "Bree Smith"})
	case get && len(path) == 2 && path[0] == "Agent":
		hosted.Send(w, http.StatusNotFound, "Not found")
	case r.Method == http.MethodPost && where == "Tickets":
		s.setStatus(w, r)
	case get && where == "Client":
		s.listClients(w, r)
	case get && where == "Status":
		s.listStatuses(w)
	case get && where == "Outcome":
		s.listOutcomes(w)
	case get && where == "Tickets":
		s.listTickets(w, r)
	case get && len(path) == 2 && path[0] == "Tickets":
		s.showTicket(w, path[1])
	case get && where == "Actions":
		s.listActions(w, r)
	case r.Method == http.MethodPost && where == "Actions":
		s.addAction(w, r)
	default:
		s.Complain("no caller needs %s %s", r.Method, r.URL.Path)
		hosted.Send(w, http.StatusNotFound, "Not found")
	}
}

// paged sends one page of items, or everything to those who do not ask for
// pages in its own spelling.
func (s wire) paged(w http.ResponseWriter, q url.Values, name string, items []hosted.Object) {
	s.mu.Lock()
	sw := s.switches
	s.mu.Unlock()
	count := len(items)
	if q.Get("pageinate") == "true" && !sw.NoPages {
		size, _ := strconv.Atoi(q.Get("page_size"))
		size = min(max(size, 1), 100)
		if sw.PageCap > 0 {
			size = min(size, sw.PageCap)
		}
		n, _ := strconv.Atoi(q.Get("page_no"))
		from := min((max(n, 1)-1)*size, count)
		items = items[from:min(from+size, count)]
	}
	hosted.Send(w, http.StatusOK, hosted.Object{"record_count": count, name: append([]hosted.Object{}, items...)})
}

func (s wire) listClients(w http.ResponseWriter, r *http.Request) {
	var items []hosted.Object
	s.mu.Lock()
	for _, c := range s.clients {
		if !c.hidden && (!c.inactive || r.URL.Query().Get("includeinactive") == "true") {
			items = append(items, hosted.Object{"id": c.id, "name": c.name, "inactive": c.inactive})
		}
	}
	s.mu.Unlock()
	s.paged(w, r.URL.Query(), "clients", items)
}

func (s wire) listStatuses(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []hosted.Object{{"id": StatusNew, "name": "New"}, {"id": StatusClosed, "name": "Closed"}, {"id": StatusBilled, "name": "Billed"}}
	if s.switches.TwoWaiting {
		all = append(all, hosted.Object{"id": 40, "name": "Waiting"}, hosted.Object{"id": 41, "name": "waiting"})
	}
	hosted.Send(w, http.StatusOK, all)
}

func (s wire) listOutcomes(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.switches.NoOutcomes {
		hosted.Send(w, http.StatusForbidden, "Forbidden")
		return
	}
	hosted.Send(w, http.StatusOK, []hosted.Object{{"id": 4, "outcome": "Email User"}, {"id": 7, "outcome": "Private Note"}})
}

func (t *ticket) shown() hosted.Object {
	stamp := func(at time.Time) string {
		if at.IsZero() {
			return "1900-01-01T00:00:00" // what is not set
		}
		return at.Format("2006-01-02T15:04:05.999")
	}
	o := hosted.Object{"id": t.id, "summary": t.summary, "status_id": t.status, "client_id": t.client, "client_name": "Some client", "agent_id": 1, "agent_name": t.agent,
		"dateoccurred": stamp(t.opened), "dateclosed": stamp(t.closed), "lastactiondate": stamp(t.updated), "hasbeenclosed": !t.closed.IsZero(), "inactive": t.inactive}
	if t.agentID > 0 {
		o["agent_id"] = t.agentID
		delete(o, "agent_name")
	}
	return o
}

func (s wire) listTickets(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var items []hosted.Object
	s.mu.Lock()
	sw := s.switches
	for _, t := range slices.Backward(s.tickets) { // as order=dateoccurred, orderdesc=true
		open := t.status != StatusClosed
		switch {
		case !s.sees(t):
		case !sw.IgnoreClient && q.Get("client_id") != "" && q.Get("client_id") != strconv.Itoa(t.client):
		case !sw.IgnoreOpen && !open && (q.Get("open_only") == "true" || q.Get("includeclosed") != "true"):
		case !sw.IgnoreIDs && q.Get("ticketids") != "" && !slices.Contains(strings.Split(q.Get("ticketids"), ","), strconv.Itoa(t.id)):
		case !strings.Contains(strings.ToLower(t.summary), strings.ToLower(q.Get("search"))):
		default:
			items = append(items, t.shown())
		}
	}
	s.mu.Unlock()
	s.paged(w, q, "tickets", items)
}

func (s wire) showTicket(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t := s.ticket(id); {
	case s.sees(t):
		hosted.Send(w, http.StatusOK, t.shown())
	case t != nil && s.switches.Forbids:
		hosted.Send(w, http.StatusForbidden, "You do not have permission")
	case s.switches.EmptyMissing:
		hosted.Send(w, http.StatusOK, hosted.Object{})
	default:
		hosted.Send(w, http.StatusNotFound, "Not found")
	}
}

func (s wire) listActions(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	most, _ := strconv.Atoi(q.Get("count"))
	if most <= 0 {
		most = 50
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sees(s.ticket(q.Get("ticket_id"))) {
		hosted.Send(w, http.StatusNotFound, "Not found")
		return
	}
	items, count := []hosted.Object{}, 0
	for _, a := range slices.Backward(s.actions) {
		if strconv.Itoa(a.ticket) != q.Get("ticket_id") {
			continue
		}
		if count++; len(items) < most {
			o := a.shown()
			if q.Get("includehtmlnote") != "true" {
				delete(o, "note_html")
			}
			items = append(items, o)
		}
	}
	hosted.Send(w, http.StatusOK, hosted.Object{"record_count": count, "actions": items})
}

func (a *action) shown() hosted.Object {
	text := strings.NewReplacer("<br>", " ", "&lt;", "<", "&gt;", ">", "&#39;", "'", "&#34;", `"`, "&amp;", "&").Replace(a.html)
	return hosted.Object{"id": a.id, "ticket_id": a.ticket, "note": text, "note_html": "<p>" + a.html + "</p>", "hiddenfromuser": a.private, "outcome": "Private Note",
		"actiondatecreated": a.created.Format("2006-01-02T15:04:05.999")}
}

// setStatus changes a ticket. What has no number of one would be a new ticket.
func (s wire) setStatus(w http.ResponseWriter, r *http.Request) {
	var in []struct {
		ID       int `json:"id"`
		StatusID int `json:"status_id"`
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || len(in) != 1 || in[0].ID == 0 {
		s.Complain("a ticket with %v", err)
		hosted.Send(w, http.StatusBadRequest, "Bad request")
		return
	}
	s.Write(w, func(w http.ResponseWriter) {
		s.mu.Lock()
		defer s.mu.Unlock()
		t := s.ticket(strconv.Itoa(in[0].ID))
		switch {
		case !s.sees(t):
			hosted.Send(w, http.StatusBadRequest, "Invalid ticket")
			return
		case s.switches.NoActions:
			hosted.Send(w, http.StatusForbidden, "You do not have permission")
			return
		case s.switches.Mandatory:
			hosted.Send(w, http.StatusBadRequest, "Please complete the mandatory field: Category")
			return
		case !s.switches.KeepStatus:
			t.status, t.updated = in[0].StatusID, time.Now().UTC()
		}
		hosted.Send(w, http.StatusCreated, t.shown())
	})
}

// addAction stores an action, unless a switch says otherwise.
func (s wire) addAction(w http.ResponseWriter, r *http.Request) {
	var in []struct {
		TicketID       int     `json:"ticket_id"`
		Outcome        string  `json:"outcome"`
		NoteHTML       string  `json:"note_html"`
		HiddenFromUser bool    `json:"hiddenfromuser"`
		SendEmail      *bool   `json:"sendemail"`
		TimeTaken      float64 `json:"timetaken"`
		DontDoRules    bool    `json:"dont_do_rules"`
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields() // an id would change an action that is there
	if err := d.Decode(&in); err != nil || len(in) != 1 {
		s.Complain("an action with %v", err)
		hosted.Send(w, http.StatusBadRequest, "Bad request")
		return
	}
	if in[0].SendEmail == nil || *in[0].SendEmail {
		s.Complain("an action that sends mail")
	}
	made := &action{ticket: in[0].TicketID, html: in[0].NoteHTML, private: in[0].HiddenFromUser, hours: in[0].TimeTaken}
	s.Write(w, func(w http.ResponseWriter) {
		s.mu.Lock()
		sw, there := s.switches, s.sees(s.ticket(strconv.Itoa(made.ticket)))
		s.mu.Unlock()
		switch {
		case !there:
			hosted.Send(w, http.StatusBadRequest, "Invalid ticket")
		case sw.NoActions:
			hosted.Send(w, http.StatusForbidden, "You do not have permission")
		case in[0].Outcome != "Private Note":
			hosted.Send(w, http.StatusBadRequest, "An outcome must be given")
		case sw.Mandatory:
			hosted.Send(w, http.StatusBadRequest, "Please complete the mandatory field: Category")
		default:
			s.store(made)
			hosted.Send(w, http.StatusCreated, made.shown())
		}
	})
}

func (s *Server) store(a *action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.id, a.created = 600+len(s.actions), time.Now().UTC()
	s.actions = append(s.actions, a)
}
