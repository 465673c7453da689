package rt

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// anything is a value that every comparison holds for.
const anything = "\x00*"

// A values reports what a thing has in a field; false if there is no such
// field. Several are parted by NUL.
type values func(field string) (string, bool)

var token = regexp.MustCompile(`^\s*(?:('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(CF\.\{[^}]*\})|([A-Za-z_][A-Za-z0-9_]*|[0-9]+)|(!=|<=|>=|=|<|>)|([()]))`)

// A parser reads a query as Request Tracker does: quotes with backslashes, AND
// before OR, words without regard to case.
type parser struct {
	tokens []string
	query  string
}

// parse reads a whole query.
func parse(query string) (func(values) bool, error) {
	p := &parser{query: query}
	for rest := query; strings.TrimSpace(rest) != ""; {
		m := token.FindString(rest)
		if m == "" {
			return nil, fmt.Errorf("wrong query, expecting a AGGREGATOR in '%s'", query)
		}
		p.tokens = append(p.tokens, strings.TrimSpace(m))
		rest = rest[len(m):]
	}
	match, err := p.or()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("wrong query, expecting a AGGREGATOR in '%s'", query)
	}
	return match, err
}

func (p *parser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *parser) word(w string) bool {
	if len(p.tokens) > 0 && strings.EqualFold(p.tokens[0], w) {
		p.next()
		return true
	}
	return false
}

func (p *parser) or() (func(values) bool, error) {
	left, err := p.and()
	for err == nil && p.word("OR") {
		var right func(values) bool
		a := left
		right, err = p.and()
		left = func(v values) bool { return a(v) || right(v) }
	}
	return left, err
}

func (p *parser) and() (func(values) bool, error) {
	left, err := p.one()
	for err == nil && p.word("AND") {
		var right func(values) bool
		a := left
		right, err = p.one()
		left = func(v values) bool { return a(v) && right(v) }
	}
	return left, err
}

func (p *parser) one() (func(values) bool, error) {
	if p.word("(") {
		match, err := p.or()
		if err == nil && !p.word(")") {
			err = fmt.Errorf("incomplete query, missing ) in '%s'", p.query)
		}
		return match, err
	}
	field, op, value := p.next(), strings.ToUpper(p.next()), p.next()
	if value == "" || strings.ContainsAny(field[:1], `'"()=<>!`) {
		return nil, fmt.Errorf("incomplete query, last element is not close paren or value in '%s'", p.query)
	}
	if value[0] == '\'' || value[0] == '"' {
		value = regexp.MustCompile(`(?s)\\(.)`).ReplaceAllString(value[1:len(value)-1], "$1")
	}
	if op != "LIKE" && strings.Trim(op, "!<=>") != "" {
		return nil, fmt.Errorf("wrong query, %s is no operator in '%s'", op, p.query)
	}
	return func(v values) bool {
		have, ok := v(field)
		if have == anything {
			return true
		}
		for h := range strings.SplitSeq(have, "\x00") {
			if ok && compare(h, op, value) {
				return true
			}
		}
		return false
	}, nil
}

func compare(have, op, want string) bool {
	a, errA := strconv.Atoi(have)
	b, errB := strconv.Atoi(want)
	number := errA == nil && errB == nil
	switch op {
	case "=":
		return strings.EqualFold(have, want)
	case "!=":
		return !strings.EqualFold(have, want)
	case "<":
		return number && a < b
	case ">":
		return number && a > b
	case "<=":
		return number && a <= b
	case ">=":
		return number && a >= b
	default: // LIKE: % and _ stand for other letters, also in what people typed
		pattern := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(want))
		return regexp.MustCompile("(?is)" + pattern).MatchString(have)
	}
}
