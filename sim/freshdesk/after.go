package freshdesk

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"jitney/sim/hosted"
)

// wrong refuses what a field holds.
func wrong(w http.ResponseWriter, field, message string) {
	hosted.Send(w, http.StatusBadRequest, hosted.Object{"description": "Validation failed", "errors": []hosted.Object{{"field": field, "message": message, "code": "invalid_value"}}})
}

// setStatus changes the status of a ticket.
func (s wire) setStatus(w http.ResponseWriter, r *http.Request, id string) {
	var in struct{ Status int }
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err := json.Unmarshal(body, &in); err != nil {
		s.Complain("a change with %v", err)
	}
	s.Write(w, func(w http.ResponseWriter) {
		if s.refused(w, id) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		t := s.ticket(id)
		switch done := in.Status == StatusResolved || in.Status == StatusClosed; {
		case in.Status < StatusOpen || in.Status > StatusBilled:
			wrong(w, "status", "It should be one of these values: '2,3,4,5,8'")
			return
		case done && s.switches.Demands:
			wrong(w, "type", "It should be one of these values: 'Question,Incident'")
			return
		case !s.switches.KeepStatus:
			t.status, t.updated = in.Status, time.Now().UTC().Truncate(time.Second)
		}
		hosted.Send(w, http.StatusOK, t.shown())
	})
}

func (e *Entry) shown() hosted.Object {
	return hosted.Object{"id": e.id, "agent_id": cmp.Or(e.agent, 7), "ticket_id": e.Ticket, "billable": e.Billable, "note": e.Note, "time_spent": e.Spent, "timer_running": false,
		"executed_at": e.At, "start_time": e.At, "created_at": e.At, "updated_at": e.At}
}

// listEntries lists the time of one ticket, or of all.
func (s wire) listEntries(w http.ResponseWriter, r *http.Request, id string) {
	if s.untimed(w) || id != "" && s.refused(w, id) {
		return
	}
	var items []hosted.Object
	s.mu.Lock()
	for _, e := range s.entries {
		if id == "" || strconv.FormatInt(e.Ticket, 10) == id {
			items = append(items, e.shown())
		}
	}
	s.mu.Unlock()
	s.page(w, r, items)
}

// untimed refuses to an account whose plan takes no time.
func (s wire) untimed(w http.ResponseWriter) bool {
	if !s.look().NoTime {
		return false
	}
	refuse(w, http.StatusForbidden, "access_denied", "You are not authorized to perform this action.")
	return true
}

var spent = regexp.MustCompile(`^\d\d:[0-5]\d$`)

// book stores an entry of time, if the network lets it through.
func (s wire) book(w http.ResponseWriter, r *http.Request, id string) {
	var in struct {
		Note       string    `json:"note"`
		TimeSpent  string    `json:"time_spent"`
		Billable   *bool     `json:"billable"`
		ExecutedAt time.Time `json:"executed_at"`
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err := json.Unmarshal(body, &in); err != nil || in.Billable == nil {
		s.Complain("an entry of time that does not say whether it is billed: %v", err)
		in.Billable = new(bool)
	}
	s.Write(w, func(w http.ResponseWriter) {
		switch {
		case s.untimed(w) || s.refused(w, id):
			return
		case !spent.MatchString(in.TimeSpent):
			wrong(w, "time_spent", "It should be in the 'hh:mm' format")
			return
		case in.ExecutedAt.After(time.Now()):
			wrong(w, "executed_at", "It should not be in the future")
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		e := &Entry{Ticket: s.ticket(id).id, Spent: in.TimeSpent, Note: in.Note, At: in.ExecutedAt.UTC().Format(time.RFC3339), Billable: *in.Billable, id: int64(70001 + len(s.entries))}
		s.entries = append(s.entries, e)
		hosted.Send(w, http.StatusCreated, e.shown())
	})
}
