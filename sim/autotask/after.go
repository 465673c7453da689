package autotask

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"jitney/sim/hosted"
)

// An after is what callers do to a ticket when the work is done.
type after struct{ wire }

// book stores an entry of time, of at most a day, of a resource in its role.
func (s after) book(w http.ResponseWriter, r *http.Request) {
	var in struct {
		TicketID, ResourceID, RoleID           int
		HoursWorked                            float64
		DateWorked, StartDateTime, EndDateTime string
		SummaryNotes, InternalNotes            string
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		s.Complain("an entry of time with %v", err)
	}
	from, err1 := time.Parse(time.RFC3339, in.StartDateTime)
	to, err2 := time.Parse(time.RFC3339, in.EndDateTime)
	if day, err := time.Parse(time.RFC3339, in.DateWorked); err != nil || err1 != nil || err2 != nil || from.Truncate(24*time.Hour) != day || to.Sub(from).Hours()-in.HoursWorked > 0.001 {
		s.Complain("an entry of time that does not agree with itself: %+v", in)
	}
	s.Write(w, func(w http.ResponseWriter) {
		s.mu.Lock()
		there, known := s.ticket(strconv.Itoa(in.TicketID)) != nil, false
		for _, p := range s.people {
			known = known || p.id == in.ResourceID && p.role == in.RoleID
		}
		s.mu.Unlock()
		switch {
		case s.refused(w, there):
		case !known || in.SummaryNotes == "":
			fail(w, http.StatusInternalServerError, "The combination of resourceID and roleID is required to be an active one.")
		case in.HoursWorked <= 0 || in.HoursWorked > 24:
			fail(w, http.StatusInternalServerError, "hoursWorked exceeds 24")
		default:
			s.mu.Lock()
			defer s.mu.Unlock()
			e := &Entry{Ticket: in.TicketID, Resource: in.ResourceID, Role: in.RoleID, Hours: in.HoursWorked, Summary: in.SummaryNotes, Internal: in.InternalNotes,
				Start: in.StartDateTime, End: in.EndDateTime, id: 501 + len(s.entries), created: time.Now().UTC()}
			s.entries = append(s.entries, e)
			hosted.Send(w, http.StatusOK, hosted.Object{"itemId": e.id})
		}
	})
}

// patch changes the status of a ticket.
func (s after) patch(w http.ResponseWriter, r *http.Request) {
	var in struct{ ID, Status int }
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		s.Complain("a change of a ticket with %v", err)
	}
	id := strconv.Itoa(in.ID)
	s.Write(w, func(w http.ResponseWriter) {
		s.mu.Lock()
		there, keep := s.ticket(id) != nil, s.switches.KeepStatus
		s.mu.Unlock()
		if s.refused(w, there) {
			return
		}
		if !keep {
			s.SetStatus(id, in.Status)
		}
		hosted.Send(w, http.StatusOK, hosted.Object{"itemId": in.ID})
	})
}
