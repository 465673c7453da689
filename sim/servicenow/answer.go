package servicenow

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

// userID is the account's own.
const userID = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

// A wire is an instance as its callers see it.
type wire struct{ *Server }

// route answers for the tables that the real one has, of which there are
// thousands.
func (s wire) route(w http.ResponseWriter, r *http.Request, path []string) {
	s.mu.Lock()
	sw := s.switches
	rows, fields := s.table(path[0])
	s.mu.Unlock()
	switch {
	case fields == nil:
		refuse(w, http.StatusBadRequest, "Invalid table "+path[0], "")
	case path[0] == "sys_journal_field" && sw.JournalForbidden:
		refuse(w, http.StatusForbidden, "User Not Authorized", "Failed API level ACL Validation")
	case r.Method == http.MethodGet && len(path) == 1:
		s.list(w, r.URL.Query(), rows, fields)
	case r.Method == http.MethodGet && len(path) == 2:
		s.show(w, r.URL.Query(), rows, path[1])
	case r.Method == http.MethodPatch && len(path) == 2 && path[0] == sw.table():
		s.change(w, r, path[1])
	default:
		refuse(w, http.StatusMethodNotAllowed, "Method not supported", "")
	}
}

const caseTable = "sn_customerservice_case"

// table is the one where tickets are.
func (sw Switches) table() string {
	if sw.Cases {
		return caseTable
	}
	return "incident"
}

// table reports the rows of a table, the oldest first, and its fields.
func (s wire) table(name string) (rows []row, fields []string) {
	plain := func(hidden bool, pairs ...string) row {
		v := map[string]string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			v[pairs[i]] = pairs[i+1]
		}
		return row{values: v, shown: v, hidden: hidden}
	}
	sw := s.switches
	switch name {
	case sw.table():
		fields = []string{"sys_id", "number", "short_description", "state", "active", "assigned_to", "opened_at", "sys_created_on", "sys_updated_on", "work_notes", "comments"}
		if !sw.NoCompany {
			fields = append(fields, "company")
		}
		if sw.Cases {
			fields = append(fields, "account")
		}
		for _, t := range s.tickets {
			if !t.gone {
				rows = append(rows, s.row(t))
			}
		}
	case "sys_journal_field":
		fields = []string{"sys_id", "element_id", "element", "name", "value", "sys_created_on", "sys_created_by"}
		for _, n := range s.notes {
			rows = append(rows, plain(sw.JournalHidden, "sys_id", n.id, "element_id", n.ticket, "element", n.element, "name", sw.table(), "value", n.text, "sys_created_on", stamp(n.created), "sys_created_by", n.by))
		}
	case "core_company":
		fields = []string{"sys_id", "name", "customer", "vendor", "manufacturer"}
		for _, c := range s.companies {
			rows = append(rows, plain(false, "sys_id", c.id, "name", c.name, "customer", strconv.FormatBool(c.customer), "vendor", strconv.FormatBool(c.vendor), "manufacturer", "false"))
		}
	case "customer_account": // the companies that are customers
		if !sw.Cases {
			return nil, nil
		}
		fields = []string{"sys_id", "name", "number", "customer", "partner"}
		for _, c := range s.companies {
			if c.customer {
				rows = append(rows, plain(false, "sys_id", c.id, "name", c.name, "customer", "true", "partner", "false"))
			}
		}
	case "sys_choice":
		fields = []string{"name", "element", "value", "label", "inactive", "language"}
		for _, c := range [][3]string{{"task", "1", "Open"}, {"task", "4", "Closed Incomplete"}, {"incident", "1", "New"}, {"incident", "3", "On Hold"}, {"incident", "6", "Resolved"}, {"incident", "7", "Closed"}, {"incident", "8", "Canceled"},
			{caseTable, CaseNew, "New"}, {caseTable, CaseOpen, "Open"}, {caseTable, CaseAwaiting, "Awaiting Info"}, {caseTable, CaseResolved, "Resolved"}, {caseTable, CaseClosed, "Closed"}, {caseTable, CaseCancelled, "Cancelled"}} {
			rows = append(rows, plain(sw.NoChoices, "name", c[0], "element", "state", "value", c[1], "label", c[2], "inactive", "false", "language", "en"))
		}
	case "sys_user":
		fields = []string{"sys_id", "user_name", "name"}
		rows = append(rows, plain(sw.NoUsers, "sys_id", userID, "user_name", User, "name", "Jitney"), plain(sw.NoUsers, "sys_id", strings.Repeat("0", 32), "user_name", "ann", "name", "Ann"))
	}
	return rows, fields
}

func stamp(at time.Time) string { return at.Format("2006-01-02 15:04:05") }

// row is a ticket with its notes, which are seen only by those who ask for
// what people see.
func (s wire) row(t *ticket) row {
	v := map[string]string{"sys_id": t.id, "number": t.number, "short_description": t.title, "state": t.state, "active": strconv.FormatBool(!t.inactive), "assigned_to": "",
		"opened_at": stamp(t.created), "sys_created_on": stamp(t.created), "sys_updated_on": stamp(t.updated)}
	if t.assignee != "" {
		v["assigned_to"] = strings.Repeat("d", 32)
	}
	if !s.switches.NoCompany {
		v["company"] = t.company
	}
	if s.switches.Cases { // they are tasks, so they have a company too, which nobody fills in
		v["company"], v["account"] = "", t.company
	}
	if !s.switches.NotesHidden {
		v["work_notes"], v["comments"] = "", ""
	}
	shown := map[string]string{}
	for name, value := range v {
		shown[name] = value
	}
	shown["assigned_to"] = t.assignee
	shown["state"] = map[string]string{StateNew: "New", StateOnHold: "On Hold", StateResolved: "Resolved", StateClosed: "Closed"}[t.state]
	if s.switches.Cases {
		shown["state"] = map[string]string{CaseNew: "New", CaseOpen: "Open", CaseAwaiting: "Awaiting Info", CaseResolved: "Resolved", CaseClosed: "Closed", CaseCancelled: "Cancelled"}[t.state]
	}
	for _, n := range s.notes {
		if _, seen := shown[n.element]; seen && n.ticket == t.id {
			shown[n.element] = stamp(n.created) + " - Jitney (" + n.element + ")\n" + n.text + "\n\n" + shown[n.element]
		}
	}
	return row{values: v, shown: shown, hidden: t.hidden}
}

// shape is a row with the fields that were asked for and may be seen.
func shape(r row, q url.Values) hosted.Object {
	o := hosted.Object{}
	for name, value := range r.values {
		if wanted := q.Get("sysparm_fields"); wanted != "" && !slices.Contains(strings.Split(wanted, ","), name) {
			continue
		}
		switch q.Get("sysparm_display_value") {
		case "true":
			o[name] = r.shown[name]
		case "all":
			o[name] = hosted.Object{"value": value, "display_value": r.shown[name]}
		default:
			o[name] = value
		}
	}
	return o
}

func (s wire) list(w http.ResponseWriter, q url.Values, rows []row, fields []string) {
	s.mu.Lock()
	sw := s.switches
	s.mu.Unlock()
	found := find(rows, fields, q.Get("sysparm_query"), sw.Strict)
	limit, _ := strconv.Atoi(q.Get("sysparm_limit"))
	if limit <= 0 {
		limit = 10000
	}
	from, _ := strconv.Atoi(q.Get("sysparm_offset"))
	from = min(max(from, 0), len(found))
	to := min(from+limit, len(found))
	if !sw.NoCounts {
		w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
		if to < len(found) {
			w.Header().Set("Link", `<https://somewhere-else.invalid/next>;rel="next"`)
		}
	}
	items := []hosted.Object{}
	for _, r := range found[from:to] {
		if !r.hidden {
			items = append(items, shape(r, q))
		}
	}
	if sw.Cancelled {
		hosted.Send(w, http.StatusOK, hosted.Object{"result": items[:len(items)/2], "status": "failure",
			"error": hosted.Object{"message": "Transaction cancelled: maximum execution time exceeded", "detail": "Check logs for error trace"}})
		return
	}
	hosted.Send(w, http.StatusOK, hosted.Object{"result": items})
}

func (s wire) show(w http.ResponseWriter, q url.Values, rows []row, id string) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.values["sys_id"] == id && !r.hidden })
	if i < 0 {
		refuse(w, http.StatusNotFound, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
		return
	}
	hosted.Send(w, http.StatusOK, hosted.Object{"result": shape(rows[i], q)})
}

// change adds a note to a ticket, if the network lets it through.
func (s wire) change(w http.ResponseWriter, r *http.Request, id string) {
	var in map[string]string
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err := json.Unmarshal(body, &in); err != nil || len(in) != 1 {
		s.Complain("a change of %d fields, %v", len(in), err)
	}
	s.Write(w, func(w http.ResponseWriter) {
		s.mu.Lock()
		sw, t := s.switches, s.ticket(id)
		if t != nil && !t.hidden && !sw.NoWrites && !sw.NotesDropped {
			for element, text := range in {
				if element == "state" {
					if !sw.StateDropped && !(sw.Demands && text == StateResolved) {
						t.state = text
					}
					continue
				}
				s.store(id, element, text, User)
			}
		}
		rows, _ := s.table(sw.table())
		s.mu.Unlock()
		if sw.NoWrites && t != nil && !t.hidden {
			refuse(w, http.StatusForbidden, "Operation Failed", "ACL Exception Update Failed due to security constraints")
			return
		}
		if sw.Demands && in["state"] == StateResolved && t != nil {
			refuse(w, http.StatusForbidden, "Operation Failed", "Error: Data Policy Exception: The following fields are mandatory: Resolution code")
			return
		}
		s.show(w, r.URL.Query(), rows, id)
	})
}
