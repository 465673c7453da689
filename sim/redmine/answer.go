package redmine

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

func send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) route(w http.ResponseWriter, r *http.Request, u *user) {
	path, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), ".json")
	parts := strings.Split(path, "/")
	get := r.Method == http.MethodGet
	switch {
	case !ok:
		page(w, http.StatusNotFound, "Page not found")
	case get && path == "users/current":
		showUser(s, w, u)
	case get && len(parts) == 2 && parts[0] == "roles":
		showRole(s, w, parts[1])
	case get && path == "projects":
		listProjects(s, w, r, u)
	case get && path == "issue_statuses":
		listStatuses(s, w)
	case get && path == "issues":
		listIssues(s, w, r, u, 0)
	case get && len(parts) == 3 && parts[0] == "projects" && parts[2] == "issues":
		n, err := strconv.Atoi(parts[1])
		if err != nil || n < 1 {
			n = -1
		}
		listIssues(s, w, r, u, n)
	case get && len(parts) == 2 && parts[0] == "issues":
		showIssue(s, w, r, u, parts[1])
	case get && path == "time_entries":
		listEntries(s, w, r, u)
	case get && path == "enumerations/time_entry_activities":
		send(w, http.StatusOK, object{"time_entry_activities": []object{{"id": 8, "name": "Design", "is_default": false, "active": true}, {"id": 9, "name": "Development", "is_default": true, "active": true}, {"id": 10, "name": "Old", "active": false}}})
	case r.Method == http.MethodPost && path == "time_entries":
		s.book(w, r, u)
	case r.Method == http.MethodPut && len(parts) == 2 && parts[0] == "issues":
		s.update(w, r, u, parts[1])
	default:
		s.complain("no caller needs %s %s", r.Method, r.URL.Path)
		silent(w, http.StatusNotFound)
	}
}

func (s *Server) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.odd = append(s.odd, fmt.Sprintf(format, args...))
}

func showUser(s *Server, w http.ResponseWriter, u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	members := []object{}
	for p, role := range u.roles {
		members = append(members, object{"project": object{"id": p, "name": s.projects[p-1].name}, "roles": []object{{"id": role, "name": u.login}}})
	}
	send(w, http.StatusOK, object{"user": object{"id": u.id, "login": u.login, "admin": u.admin, "api_key": "not for anybody", "memberships": members}})
}

// names are those of the statuses that tickets can have, by number.
var names = map[string]string{"1": "New", "3": "Waiting", "4": "waiting ", "5": "Closed"}

func listStatuses(s *Server, w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []object{{"id": 1, "name": "New", "is_closed": false}, {"id": 5, "name": "Closed", "is_closed": !s.switches.NeverClosed}}
	if s.switches.TwoWaiting {
		all = append(all, object{"id": 3, "name": names["3"], "is_closed": false}, object{"id": 4, "name": names["4"], "is_closed": false})
	}
	send(w, http.StatusOK, object{"issue_statuses": all})
}

func showRole(s *Server, w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(s.roles) {
		silent(w, http.StatusNotFound)
		return
	}
	send(w, http.StatusOK, object{"role": object{"id": n, "name": "Role", "permissions": s.roles[n-1]}})
}

// may reports whether u has a permission in a project; every member may look.
func (s *Server) may(u *user, project int, permission string) bool {
	role := u.roles[project]
	return u.admin || role > 0 && slices.Contains(s.roles[role-1], permission)
}

// cut is the part of all that a call asks for, at most 100.
func cut(q url.Values, all []object) []object {
	limit, _ := strconv.Atoi(q.Get("limit"))
	if limit <= 0 {
		limit = 25
	}
	offset, _ := strconv.Atoi(q.Get("offset"))
	offset = min(max(offset, 0), len(all))
	return append([]object{}, all[offset:min(offset+min(limit, 100), len(all))]...)
}

func listProjects(s *Server, w http.ResponseWriter, r *http.Request, u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []object
	for i, p := range s.projects {
		if s.may(u, i+1, "view_issues") {
			all = append(all, object{"id": i + 1, "name": p.name, "status": 1})
		}
	}
	send(w, http.StatusOK, object{"projects": cut(r.URL.Query(), all), "total_count": len(all)})
}

// listIssues answers a search, in one project or its subprojects, or in all
// if project is 0.
func listIssues(s *Server, w http.ResponseWriter, r *http.Request, u *user, project int) {
	q := r.URL.Query()
	if fields := q["f[]"]; q.Get("sort") != "id:desc" || len(fields) > 0 && q.Get("set_filter") != "1" {
		s.complain("a search with %v", q)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if project < 0 || project > len(s.projects) {
		silent(w, http.StatusNotFound)
		return
	}
	if project > 0 && !s.may(u, project, "view_issues") {
		silent(w, http.StatusForbidden)
		return
	}
	var all []object
	for _, i := range slices.Backward(s.issues) {
		if !i.gone && s.may(u, i.project, "view_issues") && within(s, q, i, project) && wanted(q, i) {
			all = append(all, s.fields(i))
		}
	}
	if slices.ContainsFunc(strings.Split(q.Get("issue_id"), ","), func(id string) bool { _, err := strconv.Atoi(id); return id != "" && err != nil }) {
		send(w, http.StatusUnprocessableEntity, object{"errors": []string{"Issue is invalid"}})
		return
	}
	send(w, http.StatusOK, object{"issues": cut(q, all), "total_count": len(all), "offset": 0})
}

// within reports whether a ticket is in a project; those of subprojects are,
// unless a filter takes them out.
func within(s *Server, q url.Values, i *issue, project int) bool {
	if project == 0 || i.project == project || s.switches.IgnoreCompany {
		return true
	}
	if q.Get("op[subproject_id]") == "!*" {
		return false
	}
	for p := s.projects[i.project-1].parent; p > 0; p = s.projects[p-1].parent {
		if p == project {
			return true
		}
	}
	return false
}

// wanted applies the filters, of which only those named in f[] count, or else
// the short ones.
func wanted(q url.Values, i *issue) bool {
	open := i.status != "Closed"
	if fields := q["f[]"]; len(fields) > 0 {
		for _, f := range fields {
			op, value := q.Get("op["+f+"]"), q.Get("v["+f+"][]")
			n, _ := strconv.Atoi(value)
			switch {
			case f == "status_id" && op == "o" && !open,
				f == "issue_id" && op == "<=" && i.id > n,
				f == "subject" && op == "~" && !strings.Contains(strings.ToLower(i.subject), strings.ToLower(value)):
				return false
			}
		}
		return true
	}
	if ids := q.Get("issue_id"); ids != "" && !slices.Contains(strings.Split(ids, ","), strconv.Itoa(i.id)) {
		return false
	}
	return q.Get("status_id") == "*" || open
}

func (s *Server) fields(i *issue) object {
	closed := i.status == "Closed"
	status := object{"id": 1, "name": i.status, "is_closed": closed}
	if closed {
		status["id"] = 5
	}
	if s.switches.NoClosed {
		delete(status, "is_closed")
	}
	o := object{"id": i.id, "subject": i.subject, "status": status, "project": object{"id": i.project, "name": s.projects[i.project-1].name},
		"created_on": i.created.Format(time.RFC3339), "updated_on": i.updated.Format(time.RFC3339), "closed_on": nil}
	if i.assignee != "" {
		o["assigned_to"] = object{"id": 9, "name": i.assignee}
	}
	return o
}

func showIssue(s *Server, w http.ResponseWriter, r *http.Request, u *user, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.switches.Swap[id]; other != "" {
		id = other
	}
	i := s.issue(id)
	if i == nil {
		silent(w, http.StatusNotFound)
		return
	}
	if !s.may(u, i.project, "view_issues") {
		silent(w, http.StatusForbidden)
		return
	}
	o := s.fields(i)
	if r.URL.Query().Get("include") == "journals" {
		all := []object{}
		for _, j := range s.journals {
			if j.issue == i.id && (!j.private || j.author == u || u.admin) {
				all = append(all, object{"id": j.id, "user": object{"id": j.author.id, "name": j.author.login}, "notes": j.text, "private_notes": j.private, "created_on": j.created.Format(time.RFC3339)})
			}
		}
		o["journals"] = all
	}
	send(w, http.StatusOK, object{"issue": o})
}

// update stores a note, unless a switch says otherwise, and answers nothing.
func (s *Server) update(w http.ResponseWriter, r *http.Request, u *user, id string) {
	var body struct {
		Issue struct {
			Notes        string `json:"notes"`
			PrivateNotes bool   `json:"private_notes"`
			StatusID     string `json:"status_id"`
		} `json:"issue"`
	}
	in := json.NewDecoder(io.LimitReader(r.Body, 20<<20))
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil {
		s.complain("a note with %v", err)
	}
	s.mu.Lock()
	s.writes++
	n, sw, i := s.writes, s.switches, s.issue(id)
	store := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if i != nil && body.Issue.StatusID != "" && s.may(u, i.project, EditIssues) { // without the right nothing says so
			i.status = names[body.Issue.StatusID]
		}
		if i != nil && !sw.DropNotes && body.Issue.Notes != "" {
			s.journals = append(s.journals, &journal{id: len(s.journals) + 1, issue: i.id, text: body.Issue.Notes, author: u, created: time.Now().UTC(),
				private: body.Issue.PrivateNotes && s.may(u, i.project, PrivateNotes)}) // without the right it is public, and nothing says so
		}
	}
	allowed := i != nil && s.may(u, i.project, AddNotes)
	s.mu.Unlock()
	s.write(w, n, sw, func(w http.ResponseWriter) {
		switch {
		case i == nil:
			silent(w, http.StatusNotFound)
		case !allowed:
			silent(w, http.StatusForbidden)
		default:
			store()
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// write brings a request that writes to where it takes effect, or not.
func (s *Server) write(w http.ResponseWriter, n int, sw Switches, effect func(http.ResponseWriter)) {
	switch {
	case every(n, sw.LoseRequests):
		panic(http.ErrAbortHandler)
	case every(n, sw.LateEvery):
		s.mu.Lock() // so that who waits has seen it begin
		s.late.Go(func() {
			<-time.After(sw.Late)
			effect(httptest.NewRecorder())
		})
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	case every(n, sw.LoseAnswers):
		effect(httptest.NewRecorder())
		panic(http.ErrAbortHandler)
	default:
		effect(w)
	}
}
