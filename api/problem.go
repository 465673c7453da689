package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"jitney/access"
	"jitney/broker"
)

// A problem is what went wrong, as RFC 9457 says.
type problem struct {
	Type   string  `json:"type" doc:"Always about:blank: see code." example:"about:blank"`
	Title  string  `json:"title" doc:"The status in words." example:"Forbidden"`
	Status int     `json:"status" doc:"The HTTP status." example:"403"`
	Detail string  `json:"detail" doc:"What went wrong, one or two sentences for people."`
	Hint   string  `json:"hint" doc:"What to do now; may be empty."`
	Code   string  `json:"code" doc:"A stable name of what went wrong." enum:"login_needed,refused,not_found,conflict,ended,invalid,too_many,unavailable,internal"`
	Fields []field `json:"errors,omitempty" doc:"What is wrong with which field."`

	after time.Duration
}

// A field is what is wrong with one field of a body.
type field struct {
	Field string `json:"field" doc:"Its name." example:"ticket"`
	Text  string `json:"text" doc:"What is wrong, for people." example:"Ticket is required."`
}

// Error, GetStatus, GetHeaders and ContentType make huma write a problem as it is.
func (p *problem) Error() string               { return p.Detail }
func (p *problem) GetStatus() int              { return p.Status }
func (p *problem) ContentType(string) string   { return "application/problem+json" }
func (p *problem) GetHeaders() (h http.Header) { return p.headers() }

func (p *problem) headers() http.Header {
	h := http.Header{}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="Jitney"`)
	}
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(max(p.after, time.Second).Seconds()))))
	}
	return h
}

func (p *problem) fill() {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
}

// write answers with a problem where huma is not at work.
func write(w http.ResponseWriter, p *problem) {
	p.fill()
	for name, values := range p.headers() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever asked has left, if this fails
}

// The status and the code of each kind of error that has no code of its own.
var kinds = map[access.Kind]problem{
	access.Invalid:     {Status: http.StatusUnprocessableEntity, Code: "invalid"},
	access.Denied:      {Status: http.StatusForbidden, Code: "refused"},
	access.NotFound:    {Status: http.StatusNotFound, Code: "not_found"},
	access.Conflict:    {Status: http.StatusConflict, Code: "conflict"},
	access.Unavailable: {Status: http.StatusServiceUnavailable, Code: "unavailable"},
	access.Internal:    {Status: http.StatusInternalServerError, Code: "internal"},
}

// Those that have: the status that a code stands for.
var codes = map[string]problem{
	"login_needed": {Status: http.StatusUnauthorized, Code: "login_needed"},
	broker.Ended:   {Status: http.StatusGone, Code: "ended"},
	"too_many":     {Status: http.StatusTooManyRequests, Code: "too_many"},
}

// problemOf turns an error into an answer. What nobody classified is logged,
// and the caller is told a number by which it is found in the log.
func (s *server) problemOf(ctx context.Context, err error) *problem {
	if errors.Is(err, context.Canceled) { // nobody reads the answer
		return &problem{Status: http.StatusServiceUnavailable, Code: "unavailable", Detail: "The call was given up."}
	}
	if fields := broker.FieldsOf(err); len(fields) > 0 {
		p := kinds[access.Invalid]
		for _, f := range fields {
			p.Fields = append(p.Fields, field{f.Field, f.Text})
			p.Detail = strings.TrimSpace(p.Detail + " " + f.Text)
		}
		p.fill()
		return &p
	}
	e, ok := errors.AsType[*access.Error](err)
	if !ok || e.Kind == access.Internal {
		id := strings.ToLower(rand.Text()[:12])
		s.Log.ErrorContext(ctx, "call failed", "request", id, "err", err)
		e = &access.Error{Kind: access.Internal, Text: "This was a fault of Jitney, not yours.", Hint: "Try again, and tell your administrator the number " + id + " if it stays."}
	}
	p, known := codes[e.Code]
	if !known {
		p = kinds[e.Kind]
	}
	p.Detail, p.Hint, p.after = e.Text, e.Hint, e.After
	if p.after == 0 {
		p.after = 5 * time.Second
	}
	p.fill()
	return &p
}

// ours turns what huma says about bodies that do not fit into a problem, which
// never repeats what was sent: it may be a secret.
func ours(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &problem{Status: m.Status, Code: "invalid", Detail: "The body is not what this call takes.", Hint: "See " + openAPIPath + "."}
	if m.Status >= http.StatusInternalServerError {
		p.Code, p.Detail = "internal", "This was a fault of Jitney, not yours."
	}
	for _, e := range m.Errors {
		name, inBody := strings.CutPrefix(e.Location, "body.")
		if !inBody {
			continue
		}
		p.Fields = append(p.Fields, field{clip(name, 60), clip(e.Message, 200)})
	}
	p.fill()
	return p, nil
}

// clip cuts text that tells what a caller sent.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// answers describes the problems of an operation, and its other answers.
func (s *server) answers(more map[string]*huma.Response) map[string]*huma.Response {
	schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[problem](), true, "Problem")
	out := map[string]*huma.Response{"default": {Description: "What went wrong, by its code.",
		Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}}}}
	for status, r := range more {
		out[status] = r
	}
	return out
}

// answer describes one answer with a body of type T.
func answer[T any](s *server, text string) *huma.Response {
	schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	return &huma.Response{Description: text, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

// finish drops the schemas of errors that huma would write without [ours], and
// leaves open what answers hold: a newer server may tell more.
func finish(doc *huma.OpenAPI) {
	all := doc.Components.Schemas.Map()
	delete(all, "ErrorModel")
	delete(all, "ErrorDetail")
	for name, schema := range all {
		if !strings.HasSuffix(name, "Ask") {
			schema.AdditionalProperties = nil
		}
	}
}
