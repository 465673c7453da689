package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The kinds of policy documents, which differ in what they must and must not hold.
type policyKind int

const (
	identityPolicy policyKind = iota
	sessionPolicy
	trustPolicy
)

// A document is a policy that has been read.
type document struct {
	text       string
	statements []statement
}

type statement struct {
	Sid          string                       `json:"Sid"`
	Effect       string                       `json:"Effect"`
	Principal    principals                   `json:"Principal"`
	NotPrincipal principals                   `json:"NotPrincipal"`
	Action       words                        `json:"Action"`
	NotAction    words                        `json:"NotAction"`
	Resource     words                        `json:"Resource"`
	NotResource  words                        `json:"NotResource"`
	Condition    map[string]map[string]values `json:"Condition"`
	conditions   []condition                  // from Condition
}

// words are one string or a list of them.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// values are words that may also be numbers and truths.
type values []string

func (v *values) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var any any
	if err := d.Decode(&any); err != nil {
		return err
	}
	list, ok := any.([]interface{})
	if !ok {
		list = []interface{}{any}
	}
	*v = values{}
	for _, one := range list {
		switch one.(type) {
		case string, json.Number, bool:
			*v = append(*v, fmt.Sprint(one))
		default:
			return errors.New("a condition value must be a string")
		}
	}
	return nil
}

// principals are who a statement is about: by kind, or everyone.
type principals map[string]words

func (p *principals) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		if one != "*" {
			return errors.New(`a principal must be "*" or an object`)
		}
		*p = principals{"*": {"*"}}
		return nil
	}
	m := map[string]words{}
	err := json.Unmarshal(b, &m)
	*p = m
	return err
}

// malformed is what AWS says about a policy that it does not take, in its own words.
type malformed string

func (m malformed) Error() string { return string(m) }

// errSyntax is what AWS says about most mistakes.
const errSyntax = malformed("Syntax errors in policy.")

// parse reads a policy document. Its errors are texts as AWS gives them.
func parse(text string, kind policyKind) (*document, error) {
	if !json.Valid([]byte(text)) {
		return nil, malformed("This policy contains invalid Json")
	}
	var raw struct {
		Version   string          `json:"Version"`
		ID        string          `json:"Id"`
		Statement json.RawMessage `json:"Statement"`
	}
	if err := strict([]byte(text), &raw); err != nil || raw.Version != "" && raw.Version != "2012-10-17" && raw.Version != "2008-10-17" {
		return nil, errSyntax
	}
	d := &document{text: text}
	if err := strict(raw.Statement, &d.statements); err != nil {
		one := statement{}
		if err := strict(raw.Statement, &one); err != nil {
			return nil, errSyntax
		}
		d.statements = []statement{one}
	}
	if len(d.statements) == 0 {
		return nil, errSyntax
	}
	sids := map[string]bool{}
	for i := range d.statements {
		s := &d.statements[i]
		if s.Sid != "" && sids[s.Sid] {
			return nil, malformed("Statement IDs (SID) in a single policy must be unique.")
		}
		sids[s.Sid] = true
		if err := s.check(kind); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// mustParse is parse for texts of the caller's own.
func mustParse(text string, kind policyKind) *document {
	d, err := parse(text, kind)
	if err != nil {
		panic("aws: " + err.Error() + " in " + text)
	}
	return d
}

func strict(b []byte, into any) error {
	if len(b) == 0 {
		return io.ErrUnexpectedEOF
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (s *statement) check(kind policyKind) error {
	if s.Effect != "Allow" && s.Effect != "Deny" || (s.Action == nil) == (s.NotAction == nil) {
		return errSyntax
	}
	if kind != trustPolicy && !made(s.Sid, "") {
		return malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	for _, a := range slices.Concat(s.Action, s.NotAction) {
		service, name, ok := strings.Cut(a, ":")
		if a != "*" && (!ok || service == "" || name == "" || !made(service, "*?-") || !made(name, "*?")) {
			return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
		}
	}
	if err := s.checkSubject(kind); err != nil {
		return err
	}
	for op, keys := range s.Condition {
		for key, want := range keys {
			c, ok := newCondition(op, key, want)
			if !ok {
				return errSyntax
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return nil
}

// made reports whether a text is made of letters, digits and some more characters.
func made(text, more string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(more, r)
	})
}

// checkSubject holds a statement to whom and what its kind of policy names.
func (s *statement) checkSubject(kind policyKind) error {
	resources, who := slices.Concat(s.Resource, s.NotResource), s.Principal != nil || s.NotPrincipal != nil
	if kind == trustPolicy {
		switch {
		case s.Resource != nil || s.NotResource != nil:
			return malformed("Has prohibited field Resource")
		case !who:
			return malformed("Missing required field Principal")
		case s.Principal != nil && s.NotPrincipal != nil:
			return errSyntax
		}
		for _, a := range slices.Concat(s.Action, s.NotAction) {
			if !strings.HasPrefix(strings.ToLower(a), "sts:") {
				return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
			}
		}
		return nil
	}
	if who {
		return malformed("Policy document should not specify a principal.")
	}
	if (s.Resource == nil) == (s.NotResource == nil) {
		return malformed("Policy statement must contain resources.")
	}
	for _, r := range resources {
		if r != "*" && !strings.HasPrefix(r, "arn:") && !strings.HasPrefix(r, "*") {
			return malformed("Resource " + r + ` must be in ARN format or "*".`)
		}
	}
	return nil
}
