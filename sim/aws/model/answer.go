package model

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// shared are the codes that every operation may answer with, and the status that goes with each.
func shared() map[string]int {
	return map[string]int{
		"AccessDenied": 403, "ValidationError": 400, "InvalidParameterValue": 400, "SignatureDoesNotMatch": 403, "InvalidClientTokenId": 403,
		"MissingAuthenticationToken": 403, "IncompleteSignature": 400, "ExpiredToken": 403, "Throttling": 400, "InvalidAction": 400,
		"ServiceUnavailable": 503, "InternalFailure": 500, "OptInRequired": 403, "RequestExpired": 400, "MalformedInput": 400,
	}
}

// An element is XML that has been read.
type element struct {
	name, space, text string
	kids              []element
}

func (e element) kid(name string) *element {
	for i := range e.kids {
		if e.kids[i].name == name {
			return &e.kids[i]
		}
	}
	return nil
}

// parseXML reads one element and all within.
func parseXML(body []byte) (element, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if err != nil {
			return element{}, err
		}
		if start, ok := token.(xml.StartElement); ok {
			return parseElement(d, start)
		}
	}
}

func parseElement(d *xml.Decoder, start xml.StartElement) (element, error) {
	e := element{name: start.Name.Local, space: start.Name.Space}
	for {
		token, err := d.Token()
		if err != nil {
			return e, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			kid, err := parseElement(d, t)
			if err != nil {
				return e, err
			}
			e.kids = append(e.kids, kid)
		case xml.CharData:
			e.text += string(t)
		case xml.EndElement:
			return e, nil
		}
	}
}

// answer says what is wrong with an answer; empty if nothing is.
func (s *service) answer(name string, op operation, status int, header http.Header, body []byte) string {
	if !strings.HasPrefix(header.Get("Content-Type"), "text/xml") {
		return "the content type is not text/xml"
	}
	root, err := parseXML(body)
	switch {
	case err != nil:
		return "the body is no XML"
	case root.space != s.Metadata.Namespace:
		return "the namespace is not the service's"
	case status != http.StatusOK:
		return s.failure(op, status, root)
	case root.name != name+"Response":
		return "the element is not " + name + "Response"
	}
	if meta := root.kid("ResponseMetadata"); meta == nil || meta.kid("RequestId") == nil {
		return "ResponseMetadata with a RequestId is missing"
	}
	if op.Output == nil {
		if len(root.kids) != 1 {
			return "there is a result where none should be"
		}
		return ""
	}
	result := root.kid(op.Output.Wrapper)
	if result == nil || len(root.kids) != 2 {
		return op.Output.Wrapper + " is missing, or not alone"
	}
	return s.match(op.Output.Wrapper, *op.Output, *result)
}

func (s *service) failure(op operation, status int, root element) string {
	e := root.kid("Error")
	if root.name != "ErrorResponse" || e == nil || root.kid("RequestId") == nil {
		return "the element is not ErrorResponse with Error and RequestId"
	}
	for _, part := range []string{"Type", "Code", "Message"} {
		if e.kid(part) == nil {
			return "the error has no " + part
		}
	}
	code := e.kid("Code").text
	want, ok := shared()[code]
	for _, ref := range op.Errors {
		if sh := s.Shapes[ref.Shape]; sh.Error.Code == code {
			want, ok = sh.Error.Status, true
		}
	}
	switch {
	case !ok:
		return "the operation has no error " + code
	case want != status:
		return fmt.Sprintf("the error %s has the status %d, not %d", code, want, status)
	}
	return ""
}

// match holds an element to a shape.
func (s *service) match(at string, ref reference, e element) string {
	sh := s.Shapes[ref.Shape]
	switch sh.Type {
	case "structure":
		seen := map[string]bool{}
		for _, kid := range e.kids {
			member, ok := sh.Members[kid.name]
			if !ok || seen[kid.name] {
				return join(at, kid.name) + " is unknown, or there twice"
			}
			seen[kid.name] = true
			if text := s.match(join(at, kid.name), member, kid); text != "" {
				return text
			}
		}
		for _, name := range sh.Required {
			if !seen[name] {
				return join(at, name) + " is required"
			}
		}
		return ""
	case "list":
		for i, kid := range e.kids {
			if kid.name != "member" {
				return join(at, kid.name) + " should be called member"
			}
			if text := s.match(fmt.Sprintf("%s.%d", at, i+1), *sh.Member, kid); text != "" {
				return text
			}
		}
		return sh.size(at, len(e.kids))
	}
	if len(e.kids) > 0 {
		return at + " should hold text only"
	}
	return sh.scalar(at, e.text)
}

// size holds the length of a list to the shape's bounds.
func (sh *shape) size(at string, n int) string {
	if sh.Max != nil && n > int(*sh.Max) || sh.Min != nil && n < int(*sh.Min) {
		return at + " has too many entries, or too few"
	}
	return ""
}

// scalar holds one value to the shape.
func (sh *shape) scalar(at, v string) string {
	size := float64(utf8.RuneCountInString(v))
	switch sh.Type {
	case "integer", "long":
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return at + " is no whole number"
		}
		size = float64(n)
	case "boolean":
		if v != "true" && v != "false" {
			return at + " is neither true nor false"
		}
		return ""
	case "timestamp":
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return at + " is no time"
		}
		return ""
	}
	switch {
	case sh.Max != nil && size > *sh.Max:
		return at + " is too long, or too large"
	case sh.Min != nil && size < *sh.Min:
		return at + " is too short, or too small"
	case sh.pattern != nil && !sh.pattern.MatchString(v):
		return at + " has characters that it must not have"
	case len(sh.Enum) > 0 && !slices.Contains(sh.Enum, v):
		return at + " is none of the values that there are"
	}
	return ""
}
