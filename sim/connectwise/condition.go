package connectwise

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// anything is a value that every comparison holds for.
const anything = "\x00*"

var token = regexp.MustCompile(`^\s*(?:("[^"]*"|'[^']*')|([A-Za-z_][A-Za-z0-9_/]*|[0-9]+)|(!=|<=|>=|=|<|>)|([(),]))`)

// A parser reads conditions: names, numbers and quoted text, compared, joined
// by and before or.
type parser struct{ tokens []string }

type test = func(map[string]string) bool

// parse reads all conditions of a call; none hold for everything.
func parse(conditions string) (test, error) {
	p := &parser{}
	for rest := conditions; strings.TrimSpace(rest) != ""; {
		m := token.FindString(rest)
		if m == "" {
			return nil, fmt.Errorf("cannot read %q", rest)
		}
		p.tokens = append(p.tokens, strings.TrimSpace(m))
		rest = rest[len(m):]
	}
	if len(p.tokens) == 0 {
		return func(map[string]string) bool { return true }, nil
	}
	match, err := p.or()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("unexpected %q", p.tokens[0])
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

func (p *parser) or() (test, error) {
	left, err := p.and()
	for err == nil && p.word("or") {
		var right test
		a := left
		right, err = p.and()
		left = func(v map[string]string) bool { return a(v) || right(v) }
	}
	return left, err
}

func (p *parser) and() (test, error) {
	left, err := p.one()
	for err == nil && p.word("and") {
		var right test
		a := left
		right, err = p.one()
		left = func(v map[string]string) bool { return a(v) && right(v) }
	}
	return left, err
}

func (p *parser) one() (test, error) {
	if p.word("(") {
		match, err := p.or()
		if err == nil && !p.word(")") {
			err = fmt.Errorf("missing )")
		}
		return match, err
	}
	field, op := strings.ToLower(p.next()), strings.ToLower(p.next())
	var wants []string
	if op == "in" {
		if !p.word("(") {
			return nil, fmt.Errorf("in needs a list")
		}
		for !p.word(")") {
			if len(p.tokens) == 0 {
				return nil, fmt.Errorf("missing )")
			}
			wants = append(wants, unquoted(p.next()))
			p.word(",")
		}
	} else if v := p.next(); v != "" && v != "(" && v != ")" {
		wants = []string{unquoted(v)}
	}
	if len(wants) == 0 || field == "" || !strings.Contains(" = != < > <= >= in contains ", " "+op+" ") {
		return nil, fmt.Errorf("cannot read the condition on %q", field)
	}
	return func(v map[string]string) bool {
		for _, want := range wants {
			if have := v[field]; have == anything || compare(have, op, want) {
				return true
			}
		}
		return false
	}, nil
}

func unquoted(v string) string {
	if v != "" && (v[0] == '"' || v[0] == '\'') {
		return v[1 : len(v)-1]
	}
	return v
}

func compare(have, op, want string) bool {
	a, errA := strconv.Atoi(have)
	b, errB := strconv.Atoi(want)
	number := errA == nil && errB == nil
	switch op {
	case "=", "in":
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
	default: // contains
		return strings.Contains(strings.ToLower(have), strings.ToLower(want))
	}
}
