package autotask

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"jitney/sim/hosted"
)

// A wire is a server as its callers see it.
type wire struct{ *Server }

// route answers what the real one has more of.
func (s wire) route(w http.ResponseWriter, r *http.Request, path []string) {
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	where := strings.Join(path, "/")
	switch {
	case get && where == "ThresholdInformation":
		hosted.Send(w, http.StatusOK, hosted.Object{"externalRequestThreshold": 10000, "requestThresholdTimeframe": 60, "currentTimeframeRequestCount": s.used() + s.Calls()})
	case get && len(path) == 3 && path[1] == "entityInformation" && path[2] == "fields":
		s.fields(w, path[0])
	case post && len(path) == 2 && path[1] == "query":
		s.query(w, r, path[0])
	case get && len(path) == 2 && path[0] == "Tickets":
		s.showTicket(w, path[1])
	case post && where == "TimeEntries":
		after{s}.book(w, r)
	case r.Method == http.MethodPatch && where == "Tickets":
		after{s}.patch(w, r)
	case post && len(path) == 3 && path[0] == "Tickets" && path[2] == "Notes":
		s.addNote(w, r, path[1])
	default:
		s.Complain("no caller needs %s %s", r.Method, r.URL.Path)
		fail(w, http.StatusNotFound, "No HTTP resource was found")
	}
}

func (s wire) used() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches.Used
}

func choice(value int, label string, system, standard bool) hosted.Object {
	return hosted.Object{"value": strconv.Itoa(value), "label": label, "isDefaultValue": standard, "isActive": true, "isSystem": system, "sortOrder": value}
}

// fields answers with what a kind of thing has, and its pick lists.
func (s wire) fields(w http.ResponseWriter, entity string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pick := func(name string, values ...hosted.Object) hosted.Object {
		return hosted.Object{"name": name, "dataType": "integer", "isPickList": true, "isRequired": true, "picklistValues": values}
	}
	switch entity {
	case "Tickets":
		statuses := []hosted.Object{choice(StatusNew, "New", true, true), choice(StatusComplete, "Complete", true, false), choice(StatusInvoiced, "Invoiced", false, false)}
		if s.switches.TwoWaiting {
			old := choice(32, "complete", false, false)
			old["isActive"] = false
			statuses = append(statuses, choice(30, "Waiting", false, false), choice(31, "waiting ", false, false), old)
		}
		hosted.Send(w, http.StatusOK, hosted.Object{"fields": []hosted.Object{pick("status", statuses...)}})
	case "TicketNotes":
		inside := []hosted.Object{choice(PublishAll, "All Autotask Users", true, false), choice(PublishInside, "Internal Project Team", true, false)}
		if s.switches.TwoInside {
			inside = append(inside, choice(4, "Internal & Co-Managed", true, false))
		}
		hosted.Send(w, http.StatusOK, hosted.Object{"fields": []hosted.Object{
			pick("publish", inside...), pick("noteType", choice(13, "Workflow Rule Note", true, false), choice(NoteSummary, "Task Notes", false, false)),
			{"name": "description", "dataType": "string", "length": s.switches.longest()}}})
	default:
		fail(w, http.StatusNotFound, "No such entity")
	}
}

// A row is one thing, with what filters can look at.
type row = map[string]any

func stamp(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.Format("2006-01-02T15:04:05.99Z")
}

func (s wire) rows(entity string) (rows []row, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch entity {
	case "Companies":
		for _, c := range s.companies {
			rows = append(rows, row{"id": c.id, "companyName": c.name, "companyType": c.kind, "isActive": c.active})
		}
	case "Tickets":
		for _, t := range s.tickets {
			if !t.gone {
				rows = append(rows, t.row())
			}
		}
	case "TicketNotes":
		for _, n := range s.notes {
			rows = append(rows, row{"id": n.id, "ticketID": n.ticket, "title": n.title, "description": n.text, "noteType": n.kind, "publish": n.publish, "createDateTime": stamp(n.created)})
		}
	case "Resources":
		for _, p := range s.people {
			rows = append(rows, row{"id": p.id, "userName": p.login, "email": p.mail, "firstName": strings.ToUpper(p.login), "lastName": "Smith", "isActive": true})
		}
	case "Roles":
		rows = append(rows, row{"id": 8, "name": "Engineer", "isActive": true}, row{"id": 9, "name": "Dentist", "isActive": false})
	case "TimeEntries":
		for _, e := range s.entries {
			rows = append(rows, row{"id": e.id, "ticketID": e.Ticket, "summaryNotes": e.Summary, "internalNotes": e.Internal, "createDateTime": stamp(e.created)})
		}
	default:
		return nil, false
	}
	return rows, !(entity == "Resources" && s.switches.Hidden || entity == "TimeEntries" && s.switches.NoTime)
}

func (t *ticket) row() row {
	o := row{"id": t.id, "ticketNumber": "T" + t.created.Format("20060102") + "." + strconv.Itoa(t.id), "title": t.title, "status": t.status, "companyID": t.company,
		"createDate": stamp(t.created), "lastActivityDate": stamp(t.updated), "completedDate": stamp(t.completed), "assignedResourceID": nil, "assignedResourceRoleID": nil}
	if t.resource > 0 {
		o["assignedResourceID"] = t.resource
	}
	if t.role > 0 {
		o["assignedResourceRoleID"] = t.role
	}
	return o
}

// query answers with what filters let through: the oldest first, at most 500.
func (s wire) query(w http.ResponseWriter, r *http.Request, entity string) {
	var q struct {
		Filter        []condition `json:"filter"`
		MaxRecords    int
		IncludeFields []string
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil || len(q.Filter) == 0 {
		s.Complain("a query for %s that cannot be read: %v", entity, err)
		fail(w, http.StatusInternalServerError, "The query could not be read")
		return
	}
	if s.asked(entity, q.Filter); q.MaxRecords < 1 || q.MaxRecords > 500 {
		s.Complain("a query for %d %s", q.MaxRecords, entity)
	}
	rows, ok := s.rows(entity)
	if !ok && (entity == "Resources" || entity == "TimeEntries") {
		fail(w, http.StatusInternalServerError, "The logged in Resource does not have the adequate permissions to query this entity type.")
		return
	}
	if !ok {
		fail(w, http.StatusNotFound, "No such entity")
		return
	}
	most := 500
	if q.MaxRecords > 0 && q.MaxRecords < most {
		most = q.MaxRecords
	}
	s.mu.Lock()
	ignore := s.switches.IgnoreCompany
	s.mu.Unlock()
	items, next := []row{}, any(nil)
	for _, o := range rows {
		if !all(q.Filter, o, ignore) {
			continue
		}
		if len(items) == most { // never to be followed
			next = "https://somewhere-else.invalid/ATServicesRest/V1.0/" + entity + "/query/next"
			break
		}
		shown := row{}
		for _, f := range q.IncludeFields {
			if v, ok := o[f]; ok {
				shown[f] = v
			} else {
				s.Complain("%s have no field %s", entity, f)
			}
		}
		items = append(items, shown)
	}
	hosted.Send(w, http.StatusOK, hosted.Object{"items": items, "pageDetails": hosted.Object{"count": len(items), "requestCount": most, "prevPageUrl": nil, "nextPageUrl": next}})
}

// showTicket answers with null for what is not there.
func (s wire) showTicket(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.ticket(id); t != nil {
		hosted.Send(w, http.StatusOK, hosted.Object{"item": t.row()})
		return
	}
	hosted.Send(w, http.StatusOK, hosted.Object{"item": nil})
}

// addNote stores a note, unless a switch says otherwise.
func (s wire) addNote(w http.ResponseWriter, r *http.Request, id string) {
	var in struct {
		Title, Description string
		NoteType, Publish  int
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		s.Complain("a note with %v", err)
	}
	s.Write(w, func(w http.ResponseWriter) {
		s.mu.Lock()
		sw, there := s.switches, s.ticket(id) != nil
		s.mu.Unlock()
		ticketID, _ := strconv.Atoi(id)
		made := &note{ticket: ticketID, publish: in.Publish, kind: in.NoteType, title: in.Title, text: in.Description}
		switch {
		case s.refused(w, there):
		case in.Title == "" || len(in.Title) > 250 || in.Publish == 0 || in.NoteType == 0:
			fail(w, http.StatusInternalServerError, "Field: title is required.")
		case utf8.RuneCountInString(in.Description) > sw.longest():
			fail(w, http.StatusInternalServerError, "Field: description exceeds maximum length.")
		case sw.Refused200:
			hosted.Send(w, http.StatusOK, hosted.Object{"itemId": nil, "errors": []string{"Value is not in the picklist: publish"}})
		default:
			s.store(made)
			hosted.Send(w, http.StatusOK, hosted.Object{"itemId": made.id})
		}
	})
}

func (sw Switches) longest() int { return cmp.Or(sw.NoteLength, 32000) }

// refused reports whether a ticket cannot be written to, and says so in
// Autotask's way.
func (s wire) refused(w http.ResponseWriter, there bool) bool {
	s.mu.Lock()
	sw := s.switches
	s.mu.Unlock()
	switch {
	case !there:
		fail(w, http.StatusInternalServerError, "Could not find the parent entity")
	case sw.NoNotes:
		fail(w, http.StatusInternalServerError, "The logged in Resource does not have the adequate permissions to create this entity type.")
	case sw.Moody:
		fail(w, http.StatusInternalServerError, "Object reference not set")
	default:
		return false
	}
	return true
}

func (s *Server) store(n *note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.id, n.created = 30001+len(s.notes), time.Now().UTC()
	s.notes = append(s.notes, n)
}
