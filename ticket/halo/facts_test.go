package halo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"
)

// An operation is what is publicly known of one call: its parameters, the
// fields of what is sent, and those of what comes back, of each item if it is
// a list. That there is a list of outcomes is known from clients only.
type operation struct {
	method, path          string
	query, sent, answered []string
}

var (
	actionFields = []string{"id integer", "ticket_id integer", "outcome string", "note string", "note_html string", "hiddenfromuser boolean", "sendemail boolean", "timetaken integer",
		"dont_do_rules boolean", "new_status integer", "actiondatecreated string", "datetime string"}
	ticketFields = []string{"id integer", "summary string", "status_id integer", "status_name string", "client_id integer", "client_name string", "agent_id integer", "agent_name string",
		"dateoccurred string", "dateclosed string", "lastactiondate string", "hasbeenclosed boolean", "inactive boolean"}
)

var operations = []operation{
	{"POST", `/auth/token`, []string{"tenant"}, nil, []string{"token_type string", "access_token string", "expires_in integer"}},
	{"GET", `/api/Tickets`, []string{"client_id", "open_only", "includeclosed", "pageinate", "page_size", "page_no", "order", "orderdesc", "search", "ticketids"}, nil, ticketFields},
	{"GET", `/api/Tickets/\d+`, nil, nil, ticketFields},
	{"POST", `/api/Tickets`, nil, []string{"id integer", "status_id integer"}, ticketFields},
	{"GET", `/api/Agent/\d+`, nil, nil, []string{"id integer", "name string"}},
	{"GET", `/api/Actions`, []string{"ticket_id", "excludesys", "count", "includehtmlnote"}, nil, actionFields},
	{"POST", `/api/Actions`, nil, actionFields, actionFields},
	{"GET", `/api/Client`, []string{"pageinate", "page_size", "page_no", "includeactive", "includeinactive", "order"}, nil, []string{"id integer", "name string", "inactive boolean"}},
	{"GET", `/api/Status`, []string{"showall"}, nil, []string{"id integer", "name string"}},
	{"GET", `/api/Outcome`, nil, nil, []string{"id integer", "outcome string"}},
	{"GET", `/api/Agent/me`, nil, nil, []string{"id integer", "name string"}},
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
		for name := range r.URL.Query() {
			if !slices.Contains(o.query, name) {
				t.Errorf("%s %s has no parameter %s", r.Method, r.URL.Path, name)
			}
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.URL.Path != "/auth/token" {
			if o.sent == nil && len(body) > 0 || o.sent != nil && (r.Header.Get("Content-Type") != "application/json" || body[0] != '[') {
				t.Errorf("%s %s with the body %q of type %q", r.Method, r.URL.Path, body, r.Header.Get("Content-Type"))
			}
			compare(t, r.Method+" "+r.URL.Path, body, o.sent)
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

// compare looks at the fields of an object, or of each item of a list in it.
func compare(t *testing.T, what string, text []byte, fields []string) {
	var v any
	if len(text) == 0 || json.Unmarshal(text, &v) != nil {
		return
	}
	if o, ok := v.(map[string]any); ok {
		for _, name := range []string{"tickets", "actions", "clients"} {
			if items, ok := o[name].([]any); ok {
				v = items
			}
		}
	}
	all, ok := v.([]any)
	if !ok {
		all = []any{v}
	}
	for _, one := range all {
		o, _ := one.(map[string]any)
		for name, value := range o {
			kind := map[string]string{"float64": "integer", "string": "string", "bool": "boolean"}[fmt.Sprintf("%T", value)]
			if !slices.Contains(fields, name+" "+kind) {
				t.Errorf("%s: there is no field %s that is of kind %s", what, name, kind)
			}
		}
	}
}
