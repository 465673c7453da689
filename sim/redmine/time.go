package redmine

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

func (e Entry) fields() object {
	return object{"id": e.id, "user": object{"id": e.user}, "project": object{"id": e.project}, "issue": object{"id": e.Issue}, "hours": e.Hours, "comments": e.Comments, "spent_on": e.Day, "created_on": e.created.Format(time.RFC3339)}
}

// listEntries answers with the time booked on a ticket. To those without the
// right to see it there is none, and nothing says so.
func listEntries(s *Server, w http.ResponseWriter, r *http.Request, u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	if s.issue(q.Get("issue_id")) == nil {
		silent(w, http.StatusNotFound)
		return
	}
	var all []object
	for _, e := range slices.Backward(s.entries) {
		if strconv.Itoa(e.Issue) == q.Get("issue_id") && s.may(u, e.project, ViewTime) {
			all = append(all, e.fields())
		}
	}
	send(w, http.StatusOK, object{"time_entries": cut(q, all), "total_count": len(all)})
}

// book stores an entry of time.
func (s *Server) book(w http.ResponseWriter, r *http.Request, u *user) {
	var body struct {
		Entry struct {
			IssueID    int     `json:"issue_id"`
			ActivityID int     `json:"activity_id"`
			SpentOn    string  `json:"spent_on"`
			Hours      float64 `json:"hours"`
			Comments   string  `json:"comments"`
		} `json:"time_entry"`
	}
	in := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil {
		s.complain("an entry of time with %v", err)
	}
	s.mu.Lock()
	s.writes++
	n, sw := s.writes, s.switches
	s.mu.Unlock()
	e := body.Entry
	if e.ActivityID == 0 {
		e.ActivityID = 9 // the default
	}
	s.write(w, n, sw, func(w http.ResponseWriter) {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := s.issue(strconv.Itoa(e.IssueID))
		_, err := time.Parse("2006-01-02", e.SpentOn)
		switch {
		case i == nil:
			silent(w, http.StatusNotFound)
		case !s.may(u, i.project, LogTime):
			silent(w, http.StatusForbidden)
		case e.ActivityID != 8 && e.ActivityID != 9:
			send(w, http.StatusUnprocessableEntity, object{"errors": []string{"Activity is not included in the list"}})
		case err != nil || e.Hours <= 0 || utf8.RuneCountInString(e.Comments) > 255:
			send(w, http.StatusUnprocessableEntity, object{"errors": []string{"Time entry is invalid"}})
		default:
			made := Entry{Issue: i.id, Activity: e.ActivityID, Hours: e.Hours, Comments: e.Comments, Day: e.SpentOn, user: u.id, id: len(s.entries) + 1, project: i.project, created: time.Now().UTC()}
			s.entries = append(s.entries, made)
			send(w, http.StatusCreated, object{"time_entry": made.fields()})
		}
	})
}
