package connectwise

import (
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
	case get && where == "system/info":
		hosted.Send(w, http.StatusOK, hosted.Object{"version": "v2025.1.100", "isCloud": true})
	case get && where == "company/companies":
		s.listCompanies(w, r)
	case get && where == "service/boards":
		s.listBoards(w, r)
	case get && len(path) == 4 && path[1] == "boards" && path[3] == "statuses":
		s.listStatuses(w, r, path[2])
	case get && where == "service/tickets":
		s.listTickets(w, r)
	case get && len(path) == 4 && path[1] == "tickets" && path[3] == "notes":
		s.listNotes(w, r, path[2])
	case r.Method == http.MethodPost && len(path) == 4 && path[1] == "tickets" && path[3] == "notes":
		s.addNote(w, r, path[2])
	case where == "time/entries" || where == "time/workTypes" || where == "time/workRoles" || r.Method == http.MethodPatch && len(path) == 3 && path[1] == "tickets":
		after{s}.route(w, r, path)
	default:
		s.Complain("no caller needs %s %s", r.Method, r.URL.Path)
		say(w, http.StatusNotFound, "NotFound", "Not Found")
	}
}

// An item is one thing of a list, with what conditions can look at.
type item struct {
	shown  hosted.Object
	values map[string]string
}

// paged sends one page of the items that the conditions hold for: 25 unless
// asked for up to 1000.
func (s wire) paged(w http.ResponseWriter, r *http.Request, items []item) {
	q := r.URL.Query()
	for name := range q {
		if !slices.Contains([]string{"conditions", "orderBy", "fields", "page", "pageSize"}, name) {
			s.Complain("a list has no parameter %s", name)
		}
	}
	match, err := parse(q.Get("conditions"))
	if err != nil {
		say(w, http.StatusBadRequest, "InvalidObject", "conditions: "+err.Error())
		return
	}
	var hits []hosted.Object
	for _, i := range items {
		if match(i.values) {
			hits = append(hits, cut(i.shown, q.Get("fields")))
		}
	}
	sorted(hits, q.Get("orderBy"))
	size, n := 25, 1
	if v, err := strconv.Atoi(q.Get("pageSize")); err == nil && v > 0 {
		size = v
	}
	if v, err := strconv.Atoi(q.Get("page")); err == nil && v > 0 {
		n = v
	}
	if size > 1000 {
		say(w, http.StatusBadRequest, "InvalidObject", "pageSize must be less than or equal to 1000")
		return
	}
	from := min((n-1)*size, len(hits))
	to := min(from+size, len(hits))
	if to < len(hits) { // never to be followed
		w.Header().Set("Link", `<https://somewhere-else.invalid/?page=`+strconv.Itoa(n+1)+`>; rel="next"`)
	}
	hosted.Send(w, http.StatusOK, append([]hosted.Object{}, hits[from:to]...))
}

func cut(o hosted.Object, fields string) hosted.Object {
	if fields == "" {
		return o
	}
	out := hosted.Object{}
	for f := range strings.SplitSeq(fields, ",") {
		if v, ok := o[f]; ok {
			out[f] = v
		}
	}
	return out
}

func sorted(all []hosted.Object, by string) {
	field, way, _ := strings.Cut(by, " ")
	if field != "id" {
		return
	}
	slices.SortStableFunc(all, func(a, b hosted.Object) int {
		d := a["id"].(int) - b["id"].(int)
		if way == "desc" {
			return -d
		}
		return d
	})
}

func (s wire) listCompanies(w http.ResponseWriter, r *http.Request) {
	var items []item
	s.mu.Lock()
	for _, c := range s.companies {
		items = append(items, item{hosted.Object{"id": c.id, "identifier": "c" + strconv.Itoa(c.id), "name": c.name, "deletedFlag": c.deleted},
			map[string]string{"id": strconv.Itoa(c.id), "name": c.name, "deletedflag": strconv.FormatBool(c.deleted)}})
	}
	s.mu.Unlock()
	s.paged(w, r, items)
}

func (s wire) listBoards(w http.ResponseWriter, r *http.Request) {
	var items []item
	s.mu.Lock()
	for _, b := range s.boards {
		if !b.hidden {
			items = append(items, item{hosted.Object{"id": b.id, "name": b.name, "inactiveFlag": false}, map[string]string{"id": strconv.Itoa(b.id)}})
		}
	}
	s.mu.Unlock()
	s.paged(w, r, items)
}

func (s wire) listStatuses(w http.ResponseWriter, r *http.Request, id string) {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(s.boards) {
		say(w, http.StatusNotFound, "NotFound", "ServiceBoard "+id+" not found")
		return
	}
	var items []item
	s.mu.Lock()
	for i, st := range s.boards[n-1].statuses {
		items = append(items, item{hosted.Object{"id": n*100 + i, "name": st.name, "closedStatus": st.closed, "inactive": st.inactive, "timeEntryNotAllowed": st.noTime}, nil})
	}
	s.mu.Unlock()
	s.paged(w, r, items)
}

func (s wire) listTickets(w http.ResponseWriter, r *http.Request) {
	var items []item
	s.mu.Lock()
	for _, t := range s.tickets {
		b := s.boards[t.board-1]
		if b.hidden || t.company < 0 {
			continue
		}
		st := b.statuses[t.status]
		o := hosted.Object{"id": t.id, "summary": t.summary, "recordType": "ServiceTicket", "closedFlag": st.closed,
			"board": hosted.Object{"id": b.id, "name": b.name}, "status": hosted.Object{"id": b.id*100 + t.status, "name": st.name},
			"company": hosted.Object{"id": t.company, "identifier": "c" + strconv.Itoa(t.company), "name": "Some company"},
			"_info":   hosted.Object{"dateEntered": t.entered.Format(time.RFC3339), "lastUpdated": t.updated.Format(time.RFC3339)}}
		if t.owner != "" {
			o["owner"] = hosted.Object{"id": 7, "identifier": t.owner, "name": t.owner}
		}
		if t.parent > 0 {
			o["mergedParentTicket"] = hosted.Object{"id": t.parent}
		}
		if s.switches.Bare {
			delete(o, "closedFlag")
		}
		v := map[string]string{"id": strconv.Itoa(t.id), "summary": t.summary, "closedflag": strconv.FormatBool(st.closed), "company/id": strconv.Itoa(t.company)}
		if s.switches.IgnoreCompany {
			v["company/id"] = anything
		}
		items = append(items, item{o, v})
	}
	s.mu.Unlock()
	s.paged(w, r, items)
}

func (s wire) seen(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.ticket(id)
	return t != nil && !s.boards[t.board-1].hidden
}

func (s wire) listNotes(w http.ResponseWriter, r *http.Request, id string) {
	if !s.seen(id) {
		say(w, http.StatusNotFound, "NotFound", "ServiceTicket "+id+" not found")
		return
	}
	var items []item
	s.mu.Lock()
	for _, n := range s.notes {
		if strconv.Itoa(n.ticket) == id {
			items = append(items, item{n.shown(), map[string]string{"id": strconv.Itoa(n.id)}})
		}
	}
	s.mu.Unlock()
	s.paged(w, r, items)
}

func (n *note) shown() hosted.Object {
	return hosted.Object{"id": n.id, "ticketId": n.ticket, "text": n.text, "internalAnalysisFlag": n.flags[0], "detailDescriptionFlag": n.flags[1], "resolutionFlag": n.flags[2],
		"dateCreated": n.created.Format(time.RFC3339), "createdBy": "jitney"}
}

// addNote stores a note, unless a switch says otherwise.
func (s wire) addNote(w http.ResponseWriter, r *http.Request, id string) {
	var in struct {
		Text                                                                              string
		InternalAnalysisFlag, DetailDescriptionFlag, ResolutionFlag, ProcessNotifications bool
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		s.Complain("a note with %v", err)
		say(w, http.StatusBadRequest, "InvalidObject", err.Error())
		return
	}
	if in.ProcessNotifications {
		s.Complain("a note that sends mail")
	}
	flags := [3]bool{in.InternalAnalysisFlag, in.DetailDescriptionFlag, in.ResolutionFlag}
	s.Write(w, func(w http.ResponseWriter) {
		switch {
		case !s.may(w, id):
		case in.Text == "" || flags == [3]bool{}:
			say(w, http.StatusBadRequest, "InvalidObject", "serviceNote object is invalid")
		default:
			n, _ := strconv.Atoi(id)
			hosted.Send(w, http.StatusCreated, s.store(n, in.Text, flags).shown())
		}
	})
}

// may reports whether a ticket can be written to; if not, it says so.
func (s wire) may(w http.ResponseWriter, id string) bool {
	s.mu.Lock()
	forbidden := s.switches.NoNotes
	s.mu.Unlock()
	switch {
	case !s.seen(id):
		say(w, http.StatusNotFound, "NotFound", "ServiceTicket "+id+" not found")
	case forbidden:
		say(w, http.StatusForbidden, "Forbidden", "You do not have security permission to perform this action.")
	default:
		return true
	}
	return false
}

func (s *Server) store(ticketID int, text string, flags [3]bool) *note {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &note{id: 900 + len(s.notes), ticket: ticketID, text: text, flags: flags, created: time.Now().UTC().Truncate(time.Second)}
	s.notes = append(s.notes, n)
	return n
}
