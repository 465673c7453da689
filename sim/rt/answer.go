package rt

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

func say(w http.ResponseWriter, status int, message string) {
	send(w, status, object{"message": message})
}

func send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", `application/json; charset="utf-8"`)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// route answers what the real one has more of.
func (s *Server) route(w http.ResponseWriter, r *http.Request, u user, path []string) {
	get := r.Method == http.MethodGet
	switch {
	case get && len(path) == 1 && path[0] == "rt":
		send(w, http.StatusOK, object{"Version": "5.0.3"})
	case get && len(path) == 2 && path[0] == "user":
		showUser(s, w, path[1])
	case get && len(path) == 2 && path[0] == "queues" && path[1] == "all":
		listQueues(s, w, r, u)
	case get && len(path) == 2 && path[0] == "queue":
		showQueue(s, w, u, path[1])
	case get && len(path) == 1 && path[0] == "tickets":
		listTickets(s, w, r, u)
	case get && len(path) == 2 && path[0] == "ticket":
		showTicket(s, w, u, path[1])
	case get && len(path) == 1 && path[0] == "transactions":
		listEntries(s, w, r, u)
	case get && len(path) == 2 && path[0] == "transaction":
		showEntry(s, w, u, path[1])
	case r.Method == http.MethodPost && len(path) == 3 && path[0] == "ticket" && path[2] == "attachments":
		listTexts(s, w, r, u, path[1])
	case r.Method == http.MethodPut && len(path) == 2 && path[0] == "ticket":
		s.update(w, r, u, path[1])
	case r.Method == http.MethodPost && len(path) == 3 && path[0] == "ticket" && path[2] == "comment":
		s.comment(w, r, u, path[1])
	default:
		s.complain("no caller needs %s %s", r.Method, r.URL.Path)
		say(w, http.StatusNotFound, "Not Found")
	}
}

func (s *Server) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.odd = append(s.odd, fmt.Sprintf(format, args...))
}

func showUser(s *Server, w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.tokens {
		if u.id == id || u.name == id {
			n, _ := strconv.Atoi(u.id)
			send(w, http.StatusOK, object{"id": n, "Name": u.name, "Privileged": 1})
			return
		}
	}
	say(w, http.StatusNotFound, "Not Found")
}

func listQueues(s *Server, w http.ResponseWriter, r *http.Request, u user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []object
	for i, name := range s.queues {
		if u.sees(i + 1) {
			items = append(items, object{"type": "queue", "id": strconv.Itoa(i + 1), "Name": name, "Disabled": "0"})
		}
	}
	paged(w, r, items, false)
}

func showQueue(s *Server, w http.ResponseWriter, u user, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := strconv.Atoi(id)
	switch {
	case err != nil || n < 1 || n > len(s.queues):
		say(w, http.StatusNotFound, "Not Found")
	case !u.sees(n):
		say(w, http.StatusForbidden, "Forbidden")
	default:
		q := object{"id": n, "Name": s.queues[n-1], "Disabled": "0", "TicketCustomFields": []object{{"id": "3", "name": CompanyField}}}
		if !s.switches.NoKeys {
			q["TicketTransactionCustomFields"] = []object{{"id": "2", "name": KeyField}}
		}
		send(w, http.StatusOK, q)
	}
}

// paged sends one page of items. Searches for tickets know their total, other
// lists do not; more than 100 items are never sent.
func paged(w http.ResponseWriter, r *http.Request, items []object, total bool) {
	q := r.URL.Query()
	per, _ := strconv.Atoi(q.Get("per_page"))
	if per <= 0 {
		per = 20
	}
	per = min(per, 100)
	n, _ := strconv.Atoi(q.Get("page"))
	n = max(n, 1)
	from := min((n-1)*per, len(items))
	to := min(from+per, len(items))
	answer := object{"page": n, "per_page": per, "count": to - from, "items": append([]object{}, items[from:to]...), "total": nil, "pages": nil}
	if total {
		answer["total"], answer["pages"] = len(items), (len(items)+per-1)/per
	}
	if to < len(items) { // the address of somebody else, as a wrong WebBaseURL gives
		answer["next_page"] = "http://rt.somewhere-else.invalid/REST/2.0/?page=" + strconv.Itoa(n+1)
	}
	send(w, http.StatusOK, answer)
}

func (t *ticket) fields(id any) object {
	stamp := func(at time.Time) string { return at.Format(time.RFC3339) }
	o := object{"type": "ticket", "id": id, "Subject": t.subject, "Status": t.status, "Created": stamp(t.created), "LastUpdated": stamp(t.updated),
		"Queue": object{"type": "queue", "id": strconv.Itoa(t.queue)}, "Owner": object{"type": "user", "id": t.owner},
		"CustomFields": []object{{"id": "3", "name": CompanyField, "values": []string{}}, {"id": "9", "name": "Picture", "values": []object{{"filename": "a.png"}}}}}
	if t.company != "" {
		o["CustomFields"].([]object)[0]["values"] = []string{t.company}
	}
	return o
}

func showTicket(s *Server, w http.ResponseWriter, u user, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.switches.Swap[id]; other != "" {
		id = other
	}
	t := s.whole(id)
	switch {
	case t == nil:
		say(w, http.StatusNotFound, "Not Found")
	case !u.sees(t.queue):
		say(w, http.StatusForbidden, "Forbidden")
	default:
		send(w, http.StatusOK, t.fields(t.id)) // a number here
	}
}

func listTickets(s *Server, w http.ResponseWriter, r *http.Request, u user) {
	q := r.URL.Query()
	for name := range q {
		if !slices.Contains([]string{"query", "fields", "orderby", "order", "per_page", "page"}, name) {
			s.complain("a search has no parameter %s", name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	match, err := parse(q.Get("query"))
	if err != nil {
		say(w, http.StatusBadRequest, err.Error()+" at /usr/share/request-tracker5/lib/RT/Tickets.pm line 3187.\n")
		return
	}
	var items []object
	for _, t := range slices.Backward(s.tickets) { // as orderby=id, order=DESC
		hit := match(ticketValue(s, t))
		if hit && t.effective == t.id && t.status != "deleted" && u.sees(t.queue) {
			o := t.fields(strconv.Itoa(t.id)) // a string here
			if !strings.Contains(q.Get("fields"), "CustomFields") {
				delete(o, "CustomFields")
			}
			items = append(items, o)
		}
	}
	paged(w, r, items, true)
}

// ticketValue reports what a ticket has in a field of a query.
func ticketValue(s *Server, t *ticket) func(field string) (string, bool) {
	return func(field string) (string, bool) {
		switch strings.ToLower(field) {
		case "id":
			return strconv.Itoa(t.id), true
		case "queue":
			if s.switches.IgnoreCompany {
				return anything, true
			}
			return strconv.Itoa(t.queue) + "\x00" + s.queues[t.queue-1], true
		case "status":
			if slices.Contains([]string{"new", "open", "stalled"}, t.status) {
				return t.status + "\x00__Active__", true
			}
			return t.status + "\x00__Inactive__", true
		case "subject":
			return t.subject, true
		case "cf.{" + strings.ToLower(CompanyField) + "}":
			if s.switches.IgnoreCompany {
				return anything, true
			}
			return t.company, true
		}
		return "", strings.HasPrefix(field, "CF.{")
	}
}

func listEntries(s *Server, w http.ResponseWriter, r *http.Request, u user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	match, err := parse(r.URL.Query().Get("query"))
	if err != nil {
		say(w, http.StatusBadRequest, err.Error())
		return
	}
	var items []object
	for _, e := range s.entries {
		hit := match(func(field string) (string, bool) {
			switch strings.ToLower(field) {
			case "ticketid":
				return strconv.Itoa(e.ticket), true
			case "cf.{" + strings.ToLower(KeyField) + "}":
				return e.key, true
			}
			return "", strings.HasPrefix(field, "CF.{")
		})
		if hit && u.sees(s.tickets[e.ticket-1].queue) {
			items = append(items, object{"type": "transaction", "id": strconv.Itoa(e.id), "Object": "", "Created": e.created.Format(time.RFC3339), "CustomFields": e.fields()})
		}
	}
	paged(w, r, items, false)
}

func (e *entry) fields() []object {
	values := []string{}
	if e.key != "" {
		values = append(values, e.key)
	}
	return []object{{"id": "2", "name": KeyField, "values": values}}
}

func showEntry(s *Server, w http.ResponseWriter, u user, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(s.entries) || !u.sees(s.tickets[s.entries[n-1].ticket-1].queue) {
		say(w, http.StatusForbidden, "Forbidden")
		return
	}
	e := s.entries[n-1]
	send(w, http.StatusOK, object{"id": e.id, "Type": "Comment", "Creator": object{"type": "user", "id": e.creator}, "Created": e.created.Format(time.RFC3339), "CustomFields": e.fields(),
		"Object": object{"type": "ticket", "id": strconv.Itoa(e.ticket)}})
}

// listTexts finds texts on a ticket. Asked for a ticket that was merged, it
// finds nothing; asked for the one that it became a part of, it finds both.
func listTexts(s *Server, w http.ResponseWriter, r *http.Request, u user, id string) {
	var filters []struct{ Field, Operator, Value string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&filters); err != nil || len(filters) != 1 || filters[0].Field != "Content" || filters[0].Operator != "LIKE" {
		s.complain("a search for texts with %v", filters)
		say(w, http.StatusBadRequest, "Query is not valid")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []object
	for _, e := range s.entries {
		whole := s.whole(strconv.Itoa(e.ticket))
		if strconv.Itoa(whole.id) == id && u.sees(whole.queue) && strings.Contains(strings.ToLower(e.text), strings.ToLower(filters[0].Value)) {
			items = append(items, object{"type": "attachment", "id": strconv.Itoa(1000 + e.id), "TransactionId": strconv.Itoa(e.id), "Content": e.text, "Creator": object{"type": "user", "id": e.creator}, "Created": e.created.Format(time.RFC3339)})
		}
	}
	paged(w, r, items, false)
}

// update changes the status of a ticket, and answers what became of it; with
// status 200 also if nothing did.
func (s *Server) update(w http.ResponseWriter, r *http.Request, u user, id string) {
	var c struct{ Status string }
	in := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	in.DisallowUnknownFields()
	if err := in.Decode(&c); err != nil {
		s.complain("a change with %v", err)
		say(w, http.StatusBadRequest, "invalid JSON")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.whole(id)
	switch {
	case t == nil || !u.sees(t.queue):
		say(w, http.StatusNotFound, "Not Found")
	case !slices.Contains([]string{"new", "open", "stalled", "resolved", "rejected"}, c.Status):
		send(w, http.StatusOK, []string{"Ticket " + id + ": Status '" + c.Status + "' isn't a valid status for this ticket."})
	default:
		t.status = c.Status
		send(w, http.StatusOK, []string{"Ticket " + id + ": Status changed to '" + c.Status + "'"})
	}
}

// comment stores a comment, unless a switch says otherwise.
func (s *Server) comment(w http.ResponseWriter, r *http.Request, u user, id string) {
	var c struct {
		Content, ContentType, Subject string
		TimeTaken                     int64
		TxnCustomFields               map[string]string
	}
	in := json.NewDecoder(io.LimitReader(r.Body, 20<<20))
	in.DisallowUnknownFields()
	if err := in.Decode(&c); err != nil {
		s.complain("a comment with %v", err)
		say(w, http.StatusBadRequest, "invalid JSON")
		return
	}
	s.mu.Lock()
	s.comments++
	n, sw, t := s.comments, s.switches, s.whole(id)
	allowed := t != nil && u.sees(t.queue) && u.comment
	s.mu.Unlock()
	switch {
	case every(n, sw.LoseRequests):
		panic(http.ErrAbortHandler)
	case every(n, sw.LateEvery):
		s.mu.Lock() // so that who waits has seen it begin
		s.late.Go(func() {
			<-time.After(sw.Late)
			s.store(u, t, c.Content, c.TxnCustomFields[KeyField], c.TimeTaken)
		})
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	case c.ContentType == "":
		say(w, http.StatusBadRequest, "ContentType is a required field for application/json")
		return
	case !allowed:
		say(w, http.StatusBadRequest, "Permission Denied")
		return
	}
	s.store(u, t, c.Content, c.TxnCustomFields[KeyField], c.TimeTaken)
	if every(n, sw.LoseAnswers) {
		panic(http.ErrAbortHandler)
	}
	messages := []string{"Comments added"}
	if sw.NoKeys && len(c.TxnCustomFields) > 0 {
		messages = append(messages, "Unable to load transaction custom field: "+KeyField)
	}
	send(w, http.StatusCreated, messages) // no id
}

func (s *Server) store(u user, t *ticket, text, key string, minutes int64) {
	if t == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.switches.NoKeys {
		key = ""
	}
	s.entries = append(s.entries, &entry{id: len(s.entries) + 1, ticket: t.id, text: text, key: key, creator: u.name, created: time.Now().UTC()})
	t.minutes += minutes
	t.updated = time.Now().UTC()
}
