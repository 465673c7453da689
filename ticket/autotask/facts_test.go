package autotask_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An operation is what is publicly known of one call: the fields of what is
// sent, and those of what comes back, of each item if it is a list.
type operation struct {
	method, path   string
	sent, answered []string
}

var (
	ticketFields = []string{"id integer", "ticketNumber string", "title string", "status integer", "companyID integer", "assignedResourceID integer", "assignedResourceRoleID integer", "createDate string", "lastActivityDate string", "completedDate string"}
	noteFields   = []string{"id integer", "ticketID integer", "title string", "description string", "noteType integer", "publish integer", "createDateTime string"}
	timeFields   = []string{"id integer", "ticketID integer", "resourceID integer", "roleID integer", "dateWorked string", "startDateTime string", "endDateTime string", "hoursWorked integer", "summaryNotes string",
		"internalNotes string", "createDateTime string"}
	queryFields = []string{"filter list", "MaxRecords integer", "IncludeFields list"}
)

const api = `/ww\d/ATServicesRest/V1\.0/`

var operations = []operation{
	{"GET", `/atservicesrest/v1\.0/zoneInformation`, nil, []string{"zoneName string", "url string", "webUrl string", "ci integer"}},
	{"GET", api + `ThresholdInformation`, nil, []string{"externalRequestThreshold integer", "requestThresholdTimeframe integer", "currentTimeframeRequestCount integer"}},
	{"GET", api + `(Tickets|TicketNotes)/entityInformation/fields`, nil, []string{"fields list"}},
	{"POST", api + `Tickets/query`, queryFields, ticketFields},
	{"POST", api + `TicketNotes/query`, queryFields, noteFields},
	{"POST", api + `Companies/query`, queryFields, []string{"id integer", "companyName string", "companyType integer", "isActive boolean"}},
	{"POST", api + `Resources/query`, queryFields, []string{"id integer", "userName string", "email string", "firstName string", "lastName string", "isActive boolean"}},
	{"POST", api + `Roles/query`, queryFields, []string{"id integer", "name string", "isActive boolean"}},
	{"POST", api + `TimeEntries/query`, queryFields, timeFields},
	{"POST", api + `TimeEntries`, timeFields, []string{"itemId integer", "errors list"}},
	{"PATCH", api + `Tickets`, []string{"id integer", "status integer"}, []string{"itemId integer", "errors list"}},
	{"GET", api + `Tickets/\d+`, nil, []string{"item object"}},
	{"POST", api + `Tickets/\d+/Notes`, []string{"title string", "description string", "noteType integer", "publish integer"}, []string{"itemId integer", "errors list"}},
}

// checked complains about every call and answer that the facts do not know.
func checked(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(operations, func(o operation) bool {
			return o.method == r.Method && regexp.MustCompile("^"+o.path+"$").MatchString(r.URL.Path)
		})
		if i < 0 {
			t.Errorf("there is no call %s %s", r.Method, r.URL.Path)
			next.ServeHTTP(w, r)
			return
		}
		o := operations[i]
		if q := r.URL.RawQuery; q != "" && !(strings.HasSuffix(r.URL.Path, "zoneInformation") && strings.HasPrefix(q, "user=")) {
			t.Errorf("%s %s with %s", r.Method, r.URL.Path, q)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if o.sent == nil && len(body) > 0 || o.sent != nil && r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s with the body %q of type %q", r.Method, r.URL.Path, body, r.Header.Get("Content-Type"))
		}
		compare(t, r.Method+" "+r.URL.Path, body, o.sent)
		if strings.HasSuffix(r.URL.Path, "/query") {
			known := append([]string{"companyType integer"}, o.answered...)
			filters(t, r.URL.Path, body, known)
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		if rec.Code < 300 {
			compare(t, "the answer to "+r.URL.Path, rec.Body.Bytes(), o.answered)
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

type condition struct {
	Op, Field string
	Value     any
	Items     []condition
}

// filters looks at the conditions of a query.
func filters(t *testing.T, path string, body []byte, known []string) {
	var q struct {
		Filter     []condition
		MaxRecords int
	}
	if err := json.Unmarshal(body, &q); err != nil || q.MaxRecords < 1 || q.MaxRecords > 500 {
		t.Errorf("%s: %s", path, body)
	}
	for todo := q.Filter; len(todo) > 0; todo = todo[1:] {
		c := todo[0]
		todo = append(todo, c.Items...)
		if !slices.Contains([]string{"eq", "noteq", "gt", "lt", "in", "contains", "or"}, c.Op) || (c.Op == "or") != (c.Field == "") ||
			c.Field != "" && !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, c.Field+" ") }) {
			t.Errorf("%s: there is no condition %+v", path, c)
		}
	}
}

// compare looks at the fields of an object, or of each item in it.
func compare(t *testing.T, what string, text []byte, fields []string) {
	var v map[string]any
	if len(text) == 0 || json.Unmarshal(text, &v) != nil {
		return
	}
	all := []any{v}
	if items, ok := v["items"].([]any); ok {
		all = items
	}
	for _, one := range all {
		o, _ := one.(map[string]any)
		for name, value := range o {
			kind := map[string]string{"float64": "integer", "string": "string", "bool": "boolean", "[]interface {}": "list", "map[string]interface {}": "object"}[fmt.Sprintf("%T", value)]
			if value != nil && !slices.Contains(fields, name+" "+kind) {
				t.Errorf("%s: there is no field %s that is of kind %s", what, name, kind)
			}
		}
	}
}
