package aws

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An operation is one action of the query protocol.
type operation struct {
	service, name string
	fields        []field
	// open: nobody has to sign. own: the operation itself decides who may call it.
	open, own bool
	// resource is what the caller needs the permission on; nil is *.
	resource func(x *exchange) string
	// first does what takes long, without the cloud's lock. May be nil.
	first func(x *exchange) *failure
	// do carries the operation out, with the cloud's lock. A nil result is one that is not there at all.
	do func(x *exchange) ([]node, *failure)
}

// A field is a parameter. The limits are those of AWS's own description of the service.
type field struct {
	name     string // as in the form: Tags.member.N.Key has an N for each number
	required bool
	number   bool
	min, max int // of characters, or of the number; 0: no bound
	pattern  string
	list     int // the most entries of a list; 0: no list, or no bound
	hidden   bool
	value    *regexp.Regexp // pattern, compiled
	entries  *regexp.Regexp // matches the names of a list's entries; nil: no list
}

// compiled is the field, ready for use.
func (f field) compiled() field {
	if f.pattern != "" {
		f.value = compile(f.pattern)
	}
	if strings.Contains(f.name, ".N") {
		f.entries = compile(strings.ReplaceAll(regexp.QuoteMeta(f.name), `\.N`, `\.\d+`))
	}
	return f
}

// required marks fields as required.
func required(fields ...field) []field {
	for i := range fields {
		fields[i].required = true
	}
	return fields
}

// The patterns of AWS's service descriptions that the simulation uses.
const (
	wordPattern       = `[\w+=,.@-]*`
	namePattern       = `[\w+=,.@-]+`
	externalIDPattern = `[\w+=,.@:\/-]*`
	tagKeyPattern     = `[\p{L}\p{Z}\p{N}_.:/=+\-@]+`
	tagValuePattern   = `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`
	documentPattern   = `[\u0009\u000A\u000D\u0020-\u00FF]+`
	arnPattern        = `[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`
	pathPattern       = `(\u002F)|(\u002F[\u0021-\u007E]+\u002F)`
)

// compile reads a pattern of AWS's; those are Java's.
func compile(pattern string) *regexp.Regexp {
	pattern = regexp.MustCompile(`\\u([0-9A-F]{4,6})`).ReplaceAllString(pattern, `\x{$1}`)
	return regexp.MustCompile(`^(?:` + pattern + `)$`)
}

// check holds a form to the operation's fields, as AWS does before anything else.
func (op *operation) check(form url.Values) *failure {
	var wrong []string
	for _, f := range op.fields {
		wrong = append(wrong, f.check(form)...)
	}
	switch len(wrong) {
	case 0:
		return nil
	case 1:
		return validation("1 validation error detected: %s", wrong[0])
	}
	return validation("%d validation errors detected: %s", len(wrong), strings.Join(wrong, "; "))
}

func (f field) check(form url.Values) (wrong []string) {
	if f.entries == nil {
		v, there := form[f.name]
		if !there || v[0] == "" && f.required && f.number {
			if f.required {
				return []string{fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", place(f.name))}
			}
			return nil
		}
		return f.one(f.name, v[0])
	}
	heads := map[string]bool{}
	for _, name := range sortedKeys(form) {
		if f.entries.MatchString(name) {
			wrong = append(wrong, f.one(name, form.Get(name))...)
			heads[strings.Join(strings.Split(name, ".")[:3], ".")] = true
		}
	}
	list, _, _ := strings.Cut(f.name, ".")
	if f.required && len(heads) == 0 {
		return []string{fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", place(list))}
	}
	if f.list > 0 && len(heads) > f.list {
		wrong = append(wrong, fmt.Sprintf("Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", place(list), f.list))
	}
	return wrong
}

// one holds one value to the field's limits.
func (f field) one(name, v string) (wrong []string) {
	shown := "Value '" + v + "' at '" + place(name) + "'"
	if f.hidden {
		shown = "Value at '" + place(name) + "'"
	}
	add := func(format string, args ...any) {
		wrong = append(wrong, shown+" failed to satisfy constraint: "+fmt.Sprintf(format, args...))
	}
	if f.number {
		n, err := strconv.Atoi(v)
		switch {
		case err != nil:
			add("Member must be a number")
		case f.max > 0 && n > f.max:
			add("Member must have value less than or equal to %d", f.max)
		case n < f.min:
			add("Member must have value greater than or equal to %d", f.min)
		}
		return wrong
	}
	n := utf8.RuneCountInString(v)
	if f.value != nil && !f.value.MatchString(v) {
		add("Member must satisfy regular expression pattern: %s", f.pattern)
	}
	if f.max > 0 && n > f.max {
		add("Member must have length less than or equal to %d", f.max)
	}
	if n < f.min {
		add("Member must have length greater than or equal to %d", f.min)
	}
	return wrong
}

// place writes a parameter's name as AWS's sentences do: tags.2.member.key for Tags.member.2.Key.
func place(name string) string {
	parts := strings.Split(name, ".")
	for i := 0; i+1 < len(parts); i++ {
		if parts[i] == "member" {
			parts[i], parts[i+1] = parts[i+1], "member"
			i++
		}
	}
	for i := range parts {
		parts[i] = strings.ToLower(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, ".")
}

// params are what a request asks for: its form.
type params struct{ form url.Values }

// str is a parameter's value.
func (x params) str(name string) string { return x.form.Get(name) }

// num is a number that has been checked, or the default if it is not there.
func (x params) num(name string, def int) int {
	n, err := strconv.Atoi(x.form.Get(name))
	if err != nil {
		return def
	}
	return n
}

// all are the values of a list: all("TransitiveTagKeys", "") or all("PolicyArns", "arn").
func (x params) all(list, part string) []string {
	var out []string
	for i := 1; i <= len(x.form); i++ {
		name := fmt.Sprintf("%s.member.%d", list, i)
		if part != "" {
			name += "." + part
		}
		if v, ok := x.form[name]; ok {
			out = append(out, v[0])
		}
	}
	return out
}

func sortedKeys(form url.Values) []string {
	var out []string
	for k := range form {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
