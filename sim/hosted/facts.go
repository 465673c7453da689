package hosted

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// A Fact is what is publicly known of one call.
type Fact struct {
	Method string
	Path   string   // a regular expression for all of it
	Query  []string // the parameters that there are
	Fields string   // the one of them that names fields of what comes back, parted by commas; may be empty
	Sent   []string // the fields of what is sent, each with its kind: "body string"; nil if nothing is
	Form   bool     // what is sent is a form
	Got    []string // the fields of what comes back, of each item if it is a list
	Under  string   // the name under which that is; empty if it is all
}

// Checked is next, with complaints about every call and answer that the facts
// do not know.
func (f *Front) Checked(facts []Fact, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(facts, func(k Fact) bool {
			return k.Method == r.Method && regexp.MustCompile("^"+k.Path+"$").MatchString(r.URL.Path)
		})
		if i < 0 {
			f.Complain("there is no call %s %s", r.Method, r.URL.Path)
			next(w, r)
			return
		}
		f.asked(facts[i], r)
		a := newAnswer()
		next(a, r)
		if a.status < 300 {
			f.compare("the answer to "+r.Method+" "+r.URL.Path, a.body.Bytes(), facts[i].Got, facts[i].Under)
		}
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body.Bytes())
	}
}

// asked looks at a call.
func (f *Front) asked(k Fact, r *http.Request) {
	what := r.Method + " " + r.URL.Path
	for name := range r.URL.Query() {
		if !slices.Contains(k.Query, name) {
			f.Complain("%s has no parameter %s", what, name)
		}
	}
	for name := range strings.SplitSeq(r.URL.Query().Get(k.Fields), ",") {
		if name != "" && !slices.ContainsFunc(k.Got, func(field string) bool { return strings.HasPrefix(field, name+" ") }) {
			f.Complain("%s has no field %s", what, name)
		}
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	kind := r.Header.Get("Content-Type")
	switch {
	case k.Form && kind != "application/x-www-form-urlencoded", !k.Form && k.Sent != nil && kind != "application/json", !k.Form && k.Sent == nil && len(body) > 0:
		f.Complain("%s with a body of %d bytes of type %q", what, len(body), kind)
	case k.Sent != nil:
		f.compare(what, body, k.Sent, "")
	}
}

// compare looks at the fields of an object, or of each item of a list.
func (f *Front) compare(what string, text []byte, fields []string, under string) {
	var v any
	if json.Unmarshal(text, &v) != nil {
		f.Complain("%s is no JSON", what)
		return
	}
	if o, ok := v.(Object); ok && under != "" {
		v = o[under]
	}
	all, ok := v.([]any)
	if !ok {
		all = []any{v}
	}
	for _, one := range all {
		o, _ := one.(Object)
		for name, value := range o {
			if !slices.ContainsFunc(fields, func(field string) bool {
				known, kinds, _ := strings.Cut(field, " ")
				return known == name && (value == nil || strings.Contains(kinds, kindOf(value)))
			}) {
				f.Complain("%s: there is no field %s of kind %s", what, name, kindOf(value))
			}
		}
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case float64:
		return "number"
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "list"
	default:
		return "object"
	}
}
