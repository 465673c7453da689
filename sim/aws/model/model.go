// Package model holds requests to AWS STS and IAM, and answers from them, to the descriptions that AWS publishes. Only
// tests import it, so that neither the descriptions nor the validator becomes part of the product. It says nothing about
// permissions, timing or quotas, and never repeats a value that it was given: a value may be a secret.
package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed sts-service-2.json
var stsDescription []byte

//go:embed iam-service-2.json
var iamDescription []byte

// services are read at the first use and never change.
var services = sync.OnceValues(read)

// A Side is the half of an exchange that breaks the description.
type Side string

// The two sides of an exchange.
const (
	Request Side = "request"
	Answer  Side = "answer"
)

// An Error is a breach of a description. Its text names the operation, the side, the place and the rule, and no value.
type Error struct {
	Operation string // service and action
	Side      Side
	Text      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("model: %s of %s: %s", e.Side, e.Operation, e.Text)
}

// A service is one description.
type service struct {
	Metadata struct {
		Version   string `json:"apiVersion"`
		Name      string `json:"serviceId"`
		Namespace string `json:"xmlNamespace"`
	} `json:"metadata"`
	Operations map[string]operation `json:"operations"`
	Shapes     map[string]*shape    `json:"shapes"`
}

type operation struct {
	Input  *reference  `json:"input"`
	Output *reference  `json:"output"`
	Errors []reference `json:"errors"`
}

type reference struct {
	Shape   string `json:"shape"`
	Wrapper string `json:"resultWrapper"`
	Name    string `json:"locationName"`
}

type shape struct {
	Type      string               `json:"type"`
	Required  []string             `json:"required"`
	Members   map[string]reference `json:"members"`
	Member    *reference           `json:"member"`
	Key       *reference           `json:"key"`
	Value     *reference           `json:"value"`
	Flattened bool                 `json:"flattened"`
	Enum      []string             `json:"enum"`
	Pattern   string               `json:"pattern"`
	Min       *float64             `json:"min"`
	Max       *float64             `json:"max"`
	Error     struct {
		Code   string `json:"code"`
		Status int    `json:"httpStatusCode"`
	} `json:"error"`
	pattern *regexp.Regexp
}

// read reads both descriptions, by API version.
func read() (map[string]*service, error) {
	out := map[string]*service{}
	for _, text := range [][]byte{stsDescription, iamDescription} {
		s := &service{}
		if err := json.Unmarshal(text, s); err != nil {
			return nil, err
		}
		for _, shape := range s.Shapes {
			if shape.Pattern != "" {
				shape.pattern = compile(shape.Pattern)
			}
		}
		out[s.Metadata.Version] = s
	}
	return out, nil
}

// escaped is how Java writes a character by its number.
var escaped = regexp.MustCompile(`\\u([0-9A-Fa-f]{4,6})`)

// compile reads a pattern; nil if Go cannot.
func compile(pattern string) *regexp.Regexp {
	re, err := regexp.Compile(`^(?:` + escaped.ReplaceAllString(pattern, `\x{$1}`) + `)$`)
	if err != nil {
		return nil
	}
	return re
}

// Check reports the first breach of AWS's descriptions in an exchange: the request, with its body apart, and the answer.
// The error is an [*Error], except where the descriptions cannot be read. The request's own Body is neither read nor
// changed. A test that sends rubbish on purpose looks at the Side of the error.
func Check(req *http.Request, reqBody []byte, status int, header http.Header, body []byte) error {
	all, err := services()
	if err != nil {
		return fmt.Errorf("model: read the descriptions: %w", err)
	}
	form, err := url.ParseQuery(string(reqBody))
	if err != nil {
		return &Error{Operation: req.Method + " " + req.URL.Path, Side: Request, Text: "the body is no form"}
	}
	for k, v := range req.URL.Query() {
		if _, ok := form[k]; !ok {
			form[k] = v
		}
	}
	name := form.Get("Action")
	s := all[form.Get("Version")]
	if s == nil {
		return &Error{Operation: name, Side: Request, Text: "there is no service with that Version"}
	}
	op, ok := s.Operations[name]
	where := s.Metadata.Name + " " + name
	if !ok {
		return &Error{Operation: where, Side: Request, Text: "there is no such operation in the description"}
	}
	if text := s.request(op, form); text != "" {
		return &Error{Operation: where, Side: Request, Text: text}
	}
	if text := s.answer(name, op, status, header, body); text != "" {
		return &Error{Operation: where, Side: Answer, Text: text}
	}
	return nil
}

// request says what is wrong with a form; empty if nothing is.
func (s *service) request(op operation, form url.Values) string {
	left := map[string]string{}
	for k, v := range form {
		if k == "Action" || k == "Version" || strings.HasPrefix(k, "X-Amz-") {
			continue
		}
		if len(v) != 1 {
			return k + " is there more than once"
		}
		left[k] = v[0]
	}
	if op.Input != nil {
		if text := s.take("", *op.Input, left); text != "" {
			return text
		}
	}
	for k := range left {
		return k + " is no parameter of it"
	}
	return ""
}

// take checks the part of a form that is of a shape, and takes it out.
func (s *service) take(at string, ref reference, form map[string]string) string {
	sh := s.Shapes[ref.Shape]
	switch sh.Type {
	case "structure":
		for _, name := range sorted(sh.Members) {
			member := sh.Members[name]
			path := join(at, wire(name, member))
			if !present(form, path) {
				if slices.Contains(sh.Required, name) {
					return path + " is required"
				}
				continue
			}
			if text := s.take(path, member, form); text != "" {
				return text
			}
		}
		return ""
	case "list":
		head := join(at, "member")
		if sh.Flattened {
			head = at
		}
		n := 0
		for present(form, fmt.Sprintf("%s.%d", head, n+1)) {
			n++
			if text := s.take(fmt.Sprintf("%s.%d", head, n), *sh.Member, form); text != "" {
				return text
			}
		}
		if form[at] == "" {
			delete(form, at) // a list without entries
		}
		return sh.size(at, n)
	}
	v, ok := form[at]
	if !ok {
		return at + " should be one value"
	}
	delete(form, at)
	return sh.scalar(at, v)
}

func wire(name string, r reference) string {
	if r.Name != "" {
		return r.Name
	}
	return name
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// present reports whether a form holds something at or under a path.
func present(form map[string]string, path string) bool {
	for k := range form {
		if k == path || strings.HasPrefix(k, path+".") {
			return true
		}
	}
	return false
}

func sorted(m map[string]reference) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
