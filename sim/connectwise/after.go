package connectwise

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"jitney/sim/hosted"
)

// An after is what callers do to a ticket when the work is done.
type after struct{ wire }

func (s after) route(w http.ResponseWriter, r *http.Request, path []string) {
	get := r.Method == http.MethodGet
	switch {
	case r.Method == http.MethodPatch:
		s.patch(w, r, path[2])
	case r.Method == http.MethodPost && path[1] == "entries":
		s.book(w, r)
	case get && path[1] == "entries":
		s.list(w, r)
	case get && path[1] == "workTypes":
		s.paged(w, r, []item{{hosted.Object{"id": 1, "name": "Regular", "inactiveFlag": false}, nil}, {hosted.Object{"id": 2, "name": "After Hours", "inactiveFlag": false}, nil}, {hosted.Object{"id": 3, "name": "Fax", "inactiveFlag": true}, nil}})
	case get && path[1] == "workRoles":
		s.paged(w, r, []item{{hosted.Object{"id": 5, "name": "Engineer", "inactiveFlag": false}, nil}})
	}
}

// patch changes the status of a ticket, to one of its board.
func (s after) patch(w http.ResponseWriter, r *http.Request, id string) {
	var in []struct {
		Op, Path string
		Value    int
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil || len(in) != 1 || in[0].Op != "replace" || in[0].Path != "status/id" {
		s.Complain("a change of a ticket that cannot be read: %v", err)
		say(w, http.StatusBadRequest, "InvalidObject", "ticket object is invalid")
		return
	}
	s.Write(w, func(w http.ResponseWriter) {
		if !s.may(w, id) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		t, n := s.ticket(id), in[0].Value
		b := s.boards[t.board-1]
		if n/100 != b.id || n%100 >= len(b.statuses) || b.statuses[n%100].inactive {
			say(w, http.StatusBadRequest, "InvalidObject", "The status is not one of the board")
			return
		}
		if !s.switches.KeepStatus {
			t.status, t.updated = n%100, time.Now().UTC()
		}
		hosted.Send(w, http.StatusOK, hosted.Object{"id": t.id, "summary": t.summary})
	})
}

// book stores an entry of time. Without a flag it would go where customers see
// it.
func (s after) book(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ChargeToID                                                                 int
		ChargeToType, TimeStart, Notes, InternalNotes, BillableOption              string
		ActualHours                                                                float64
		Member                                                                     struct{ Identifier string }
		WorkType, WorkRole                                                         struct{ ID int }
		AddToDetailDescriptionFlag, AddToInternalAnalysisFlag, AddToResolutionFlag *bool
		EmailResourceFlag, EmailContactFlag, EmailCcFlag                           *bool
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || in.AddToDetailDescriptionFlag == nil || in.AddToInternalAnalysisFlag == nil || in.EmailContactFlag == nil {
		s.Complain("an entry of time that cannot be read, or does not say where it goes: %v", err)
		say(w, http.StatusBadRequest, "InvalidObject", "timeEntry object is invalid")
		return
	}
	if _, err := time.Parse("2006-01-02T15:04:05Z", in.TimeStart); err != nil { // it takes no parts of seconds
		s.Complain("an entry of time that begins at %q", in.TimeStart)
	}
	id := strconv.Itoa(in.ChargeToID)
	e := Entry{Ticket: in.ChargeToID, Member: in.Member.Identifier, Notes: in.Notes, Internal: in.InternalNotes, Hours: in.ActualHours, Discussion: *in.AddToDetailDescriptionFlag,
		Analysis: *in.AddToInternalAnalysisFlag, Mail: *in.EmailContactFlag, WorkType: in.WorkType.ID, WorkRole: in.WorkRole.ID, Billable: in.BillableOption, Start: in.TimeStart}
	s.Write(w, func(w http.ResponseWriter) {
		if !s.may(w, id) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		t := s.ticket(id)
		switch {
		case s.boards[t.board-1].statuses[t.status].noTime:
			say(w, http.StatusBadRequest, "InvalidObject", "Time entry is not allowed for the status of this ticket")
		case in.ChargeToType != "ServiceTicket" || e.Member != Member || e.Hours <= 0 || e.Hours > 24:
			say(w, http.StatusBadRequest, "InvalidObject", "timeEntry object is invalid")
		default:
			s.entries = append(s.entries, e)
			hosted.Send(w, http.StatusCreated, e.shown(len(s.entries)))
		}
	})
}

// Member is somebody for whom time can be booked.
const Member = "bree"

func (e Entry) shown(id int) hosted.Object {
	return hosted.Object{"id": id, "chargeToId": e.Ticket, "chargeToType": "ServiceTicket", "member": hosted.Object{"id": 7, "identifier": e.Member}, "timeStart": e.Start,
		"actualHours": e.Hours, "notes": strings.ReplaceAll(e.Notes, "\n", "\r\n"), "internalNotes": e.Internal}
}

// list answers with entries of time, also of projects, which are counted apart.
func (s after) list(w http.ResponseWriter, r *http.Request) {
	var items []item
	s.mu.Lock()
	if s.switches.NoTime {
		s.mu.Unlock()
		say(w, http.StatusForbidden, "Forbidden", "You do not have security permission to perform this action.")
		return
	}
	for i, e := range s.entries {
		items = append(items, item{e.shown(i + 1), map[string]string{"id": strconv.Itoa(i + 1), "chargetoid": strconv.Itoa(e.Ticket), "chargetotype": "ServiceTicket"}})
	}
	s.mu.Unlock()
	s.paged(w, r, items)
}
