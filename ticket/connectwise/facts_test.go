package connectwise_test

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

// An operation is what is publicly known of one call: its parameters, the
// fields of what is sent, and those of what comes back.
type operation struct {
	method, path          string
	query, sent, answered []string
}

var listing = []string{"conditions", "childConditions", "customFieldConditions", "orderBy", "fields", "page", "pageSize", "pageId"}

var note = []string{"id integer", "ticketId integer", "text string", "detailDescriptionFlag boolean", "internalAnalysisFlag boolean", "resolutionFlag boolean",
	"issueFlag boolean", "member object", "contact object", "customerUpdatedFlag boolean", "processNotifications boolean", "dateCreated string", "createdBy string"}

var entry = []string{"id integer", "chargeToId integer", "chargeToType string", "member object", "timeStart string", "actualHours integer", "billableOption string", "notes string", "internalNotes string",
	"workType object", "workRole object", "addToDetailDescriptionFlag boolean", "addToInternalAnalysisFlag boolean", "addToResolutionFlag boolean", "emailResourceFlag boolean", "emailContactFlag boolean", "emailCcFlag boolean"}

var operations = []operation{
	{"GET", `/login/companyinfo/[A-Za-z0-9_.-]+`, nil, nil, []string{"CompanyName string", "CompanyID string", "Codebase string", "VersionCode string", "SiteUrl string", "IsCloud boolean"}},
	{"GET", api + `system/info`, nil, nil, []string{"version string", "isCloud boolean", "serverTimeZone string"}},
	{"GET", api + `service/tickets`, listing, nil, []string{"id integer", "summary string", "recordType string", "board object", "status object", "company object", "owner object",
		"resources string", "closedFlag boolean", "mergedParentTicket object", "_info object"}},
	{"GET", api + `service/tickets/\d+/notes`, listing, nil, note},
	{"POST", api + `service/tickets/\d+/notes`, nil, note, note},
	{"GET", api + `service/boards`, listing, nil, []string{"id integer", "name string", "inactiveFlag boolean"}},
	{"GET", api + `service/boards/\d+/statuses`, listing, nil, []string{"id integer", "name string", "board object", "inactive boolean", "closedStatus boolean", "timeEntryNotAllowed boolean", "defaultFlag boolean"}},
	{"PATCH", api + `service/tickets/\d+`, nil, []string{"op string", "path string", "value integer"}, []string{"id integer", "summary string"}},
	{"POST", api + `time/entries`, nil, entry, entry},
	{"GET", api + `time/entries`, listing, nil, entry},
	{"GET", api + `time/work(Types|Roles)`, listing, nil, []string{"id integer", "name string", "inactiveFlag boolean"}},
	{"GET", api + `company/companies`, listing, nil, []string{"id integer", "identifier string", "name string", "status object", "deletedFlag boolean"}},
}

const api = `/v\d+_\d+/apis/3\.0/`

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
		for name := range r.URL.Query() {
			if !slices.Contains(o.query, name) {
				t.Errorf("%s %s has no parameter %s", r.Method, r.URL.Path, name)
			}
		}
		for f := range strings.SplitSeq(r.URL.Query().Get("fields"), ",") {
			if f != "" && !slices.ContainsFunc(o.answered, func(known string) bool { return strings.HasPrefix(known, f+" ") }) {
				t.Errorf("%s has no field %s", r.URL.Path, f)
			}
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if o.sent == nil && len(body) > 0 || o.sent != nil && r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s with the body %q of type %q", r.Method, r.URL.Path, body, r.Header.Get("Content-Type"))
		}
		compare(t, r.Method+" "+r.URL.Path, body, o.sent)
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

// compare looks at the fields of an object, or of each object of a list.
func compare(t *testing.T, what string, text []byte, fields []string) {
	var v any
	if len(text) == 0 || json.Unmarshal(text, &v) != nil {
		return
	}
	all, ok := v.([]any)
	if !ok {
		all = []any{v}
	}
	for _, one := range all {
		o, _ := one.(map[string]any)
		for name, value := range o {
			kind := map[string]string{"float64": "integer", "string": "string", "bool": "boolean", "map[string]interface {}": "object"}[fmt.Sprintf("%T", value)]
			if !slices.Contains(fields, name+" "+kind) {
				t.Errorf("%s: there is no field %s that is of kind %s", what, name, kind)
			}
		}
	}
}
