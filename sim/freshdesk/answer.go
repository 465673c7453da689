package freshdesk

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
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
	case get && where == "agents/me":
		scope := 1
		if s.look().Scoped {
			scope = 2
		}
		hosted.Send(w, http.StatusOK, hosted.Object{"id": 7, "ticket_scope": scope, "occasional": false, "contact": hosted.Object{"name": "Jitney", "email": "jitney@aviary.example"}})
	case get && where == "agents" && s.look().NoAgents:
		refuse(w, http.StatusForbidden, "access_denied", "You are not authorized to perform this action.")
	case get && where == "agents":
		s.page(w, r, []hosted.Object{{"id": 7, "ticket_scope": 1, "contact": hosted.Object{"name": "Jitney", "email": "jitney@aviary.example"}},
			{"id": Agent, "ticket_scope": 1, "contact": hosted.Object{"name": "Bree", "email": "bree@aviary.example"}}})
	case get && where == "companies":
		s.listCompanies(w, r)
	case get && where == "ticket_fields":
		s.listFields(w)
	case get && where == "tickets":
		s.listTickets(w, r)
	case get && len(path) == 2 && path[0] == "tickets":
		s.showTicket(w, path[1])
	case get && len(path) == 3 && path[2] == "conversations":
		s.listNotes(w, r, path[1])
	case r.Method == http.MethodPut && len(path) == 2 && path[0] == "tickets":
		s.setStatus(w, r, path[1])
	case get && where == "time_entries":
		s.listEntries(w, r, "")
	case get && len(path) == 3 && path[2] == "time_entries":
		s.listEntries(w, r, path[1])
	case r.Method == http.MethodPost && len(path) == 3 && path[2] == "time_entries":
		s.book(w, r, path[1])
	case r.Method == http.MethodPost && len(path) == 3 && path[2] == "notes":
		s.addNote(w, r, path[1])
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s wire) listCompanies(w http.ResponseWriter, r *http.Request) {
	var items []hosted.Object
	s.mu.Lock()
	for _, c := range s.companies {
		items = append(items, hosted.Object{"id": c.id, "name": c.name, "domains": []string{}})
	}
	s.mu.Unlock()
	s.page(w, r, items)
}

func (s wire) listFields(w http.ResponseWriter) {
	if s.look().NoFields {
		refuse(w, http.StatusForbidden, "access_denied", "You are not authorized to perform this action.")
		return
	}
	hosted.Send(w, http.StatusOK, []hosted.Object{{"id": 3, "name": "status", "type": "default_status", "choices": hosted.Object{
		"2": []string{"Open", "Being Processed"}, "3": []string{"Pending", "Awaiting your Reply"}, "4": []string{"Resolved", "This ticket has been Resolved"},
		"5": []string{"Closed", "This ticket has been Closed"}, "8": []string{"Billed", "Billed"}}}})
}

func (t *ticket) shown() hosted.Object {
	o := hosted.Object{"id": t.id, "subject": t.subject, "status": t.status, "company_id": nil, "responder_id": nil, "requester_id": 11, "spam": t.spam,
		"created_at": t.created.Format(time.RFC3339), "updated_at": t.updated.Format(time.RFC3339), "tags": []string{}, "custom_fields": hosted.Object{}}
	if t.company > 0 {
		o["company_id"] = t.company
	}
	if t.responder > 0 {
		o["responder_id"] = t.responder
	}
	if t.trash {
		o["deleted"] = true
	}
	return o
}

// listTickets lists tickets of every status, the newest first.
func (s wire) listTickets(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	since, err := time.Parse(time.RFC3339, q.Get("updated_since"))
	if q.Get("updated_since") == "" {
		since, err = time.Time{}, nil
	}
	s.mu.Lock()
	if err != nil || q.Get("company_id") != "" && !s.known(q.Get("company_id")) {
		s.mu.Unlock()
		hosted.Send(w, http.StatusBadRequest, hosted.Object{"description": "Validation failed", "errors": []hosted.Object{{"field": "company_id", "message": "There is no company matching the given company_id", "code": "invalid_value"}}})
		return
	}
	var items []hosted.Object
	for _, t := range slices.Backward(s.tickets) { // as order_by=created_at, order_type=desc
		switch {
		case t.gone, t.trash, t.spam, t.hidden && s.switches.Scoped:
		case !s.switches.IgnoreCompany && q.Get("company_id") != strconv.FormatInt(t.company, 10):
		case since.IsZero() && time.Since(t.created) > 30*24*time.Hour:
		case t.updated.Before(since):
		default:
			items = append(items, t.shown())
		}
	}
	s.mu.Unlock()
	s.page(w, r, items)
}

// refused answers for a ticket that is not to be seen.
func (s wire) refused(w http.ResponseWriter, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.ticket(id)
	switch {
	case t == nil, t.trash && !s.switches.ShowTrash:
		w.WriteHeader(http.StatusNotFound) // without a word
	case t.hidden && s.switches.Scoped:
		refuse(w, http.StatusForbidden, "access_denied", "You are not authorized to perform this action.")
	default:
		return false
	}
	return true
}

func (s wire) showTicket(w http.ResponseWriter, id string) {
	if s.refused(w, id) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	hosted.Send(w, http.StatusOK, s.ticket(id).shown())
}

func (s wire) listNotes(w http.ResponseWriter, r *http.Request, id string) {
	if s.refused(w, id) {
		return
	}
	var items []hosted.Object
	s.mu.Lock()
	for _, n := range s.notes {
		if strconv.FormatInt(n.ticket, 10) == id {
			o := n.shown()
			if s.switches.NoPlainText {
				delete(o, "body_text")
			}
			items = append(items, o)
		}
	}
	if s.switches.NewestFirst {
		slices.Reverse(items)
	}
	s.mu.Unlock()
	s.page(w, r, items)
}

// shown is a note as it comes back: in a block, with other quotes and breaks.
func (n *note) shown() hosted.Object {
	at := n.created.Format(time.RFC3339)
	html := strings.NewReplacer("<br>", "<br />\n", "&#34;", `"`, "&#39;", "'").Replace(n.html)
	text := strings.NewReplacer("<br>", " ", "&lt;", "<", "&gt;", ">", "&#39;", "'", "&#34;", `"`, "&amp;", "&").Replace(n.html)
	return hosted.Object{"id": n.id, "ticket_id": n.ticket, "user_id": cmp.Or(n.user, 7), "body": "<div>" + html + "</div>", "body_text": text, "private": n.private, "incoming": false, "source": 2,
		"created_at": at, "updated_at": at}
}

// addNote stores a note, if the network lets it through.
func (s wire) addNote(w http.ResponseWriter, r *http.Request, id string) {
	var in struct {
		Body    string `json:"body"`
		Private *bool  `json:"private"`
	}
	text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err := json.Unmarshal(text, &in); err != nil || in.Private == nil {
		s.Complain("a note that does not say whether it is private: %v", err)
		in.Private = new(bool)
	}
	s.Write(w, func(w http.ResponseWriter) {
		switch {
		case s.refused(w, id):
			return
		case s.look().NoNotes:
			refuse(w, http.StatusForbidden, "access_denied", "You are not authorized to perform this action.")
			return
		case strings.TrimSpace(in.Body) == "":
			hosted.Send(w, http.StatusBadRequest, hosted.Object{"description": "Validation failed", "errors": []hosted.Object{{"field": "body", "message": "It should not be blank as this is a mandatory field", "code": "invalid_value"}}})
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		n := &note{ticket: s.ticket(id).id, html: in.Body, private: *in.Private}
		s.store(n)
		hosted.Send(w, http.StatusCreated, n.shown())
	})
}
