package entra

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A filter is a $filter that was read.
type filter struct {
	match    func(object) bool
	advanced bool     // needs ConsistencyLevel: eventual on directory objects
	names    []string // the properties that it names
}

type scope struct {
	root object
	vars map[string]any
}

type test func(scope) bool

type parser struct {
	tokens   []string
	vars     []string
	advanced bool
	names    []string
	depth    int
}

var errFilter = errors.New("syntax error")

// parseFilter reads the part of OData's language that Graph takes.
func parseFilter(text string) (*filter, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	run, err := p.or()
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, fmt.Errorf("%w near %q", errFilter, p.tokens[0])
	}
	return &filter{func(o object) bool { return run(scope{root: o}) }, p.advanced, p.names}, nil
}

// lex splits a filter into words, 'texts' and signs.
func lex(s string) ([]string, error) {
	var out []string
	for len(s) > 0 {
		switch c := s[0]; {
		case c == ' ':
			s = s[1:]
		case strings.IndexByte("(),:", c) >= 0:
			out, s = append(out, s[:1]), s[1:]
		case c == '\'':
			end := 1
			for ; end < len(s); end++ {
				if s[end] == '\'' && (end+1 == len(s) || s[end+1] != '\'') {
					break
				} else if s[end] == '\'' {
					end++
				}
			}
			if end >= len(s) {
				return nil, fmt.Errorf("there is an unterminated string literal at position %d", len(s))
			}
			out, s = append(out, s[:end+1]), s[end+1:]
		default:
			end := strings.IndexAny(s, " (),'")
			if colon := strings.IndexByte(s, ':'); colon >= 0 && (end < 0 || colon < end) && (c < '0' || c > '9') {
				end = colon // of a lambda; times begin with a digit
			}
			if end < 0 {
				end = len(s)
			}
			out, s = append(out, s[:end]), s[end:]
		}
	}
	if len(out) > 500 {
		return nil, errors.New("too many terms")
	}
	return out, nil
}

func (p *parser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *parser) peek(words ...string) bool {
	return len(p.tokens) > 0 && slices.Contains(words, p.tokens[0])
}

func (p *parser) want(sign string) error {
	if got := p.next(); got != sign {
		return fmt.Errorf("%w: %q expected, not %q", errFilter, sign, got)
	}
	return nil
}

func (p *parser) or() (test, error) {
	if p.depth++; p.depth > 30 {
		return nil, errors.New("nested too deeply")
	}
	defer func() { p.depth-- }()
	left, err := p.and()
	for err == nil && p.peek("or") {
		p.next()
		var right test
		if right, err = p.and(); err == nil {
			a, b := left, right
			left = func(s scope) bool { return a(s) || b(s) }
		}
	}
	return left, err
}

func (p *parser) and() (test, error) {
	left, err := p.not()
	for err == nil && p.peek("and") {
		p.next()
		var right test
		if right, err = p.not(); err == nil {
			a, b := left, right
			left = func(s scope) bool { return a(s) && b(s) }
		}
	}
	return left, err
}

func (p *parser) not() (test, error) {
	if !p.peek("not") {
		return p.compare()
	}
	p.next()
	p.advanced = true
	inner, err := p.compare()
	return func(s scope) bool { return !inner(s) }, err
}

// compare reads one test: something in brackets, a function, a lambda, or a property against a value.
func (p *parser) compare() (test, error) {
	word := p.next()
	switch {
	case word == "(":
		inner, err := p.or()
		if err == nil {
			err = p.want(")")
		}
		return inner, err
	case p.peek("(") && slices.Contains([]string{"startswith", "endswith", "contains"}, strings.ToLower(word)):
		return p.function(strings.ToLower(word))
	case p.peek("(") && strings.HasSuffix(word, "/any"):
		return p.lambda(strings.TrimSuffix(word, "/any"))
	}
	get, err := p.property(word)
	if err != nil {
		return nil, err
	}
	op := p.next()
	if op == "in" {
		return p.in(get)
	}
	want, err := literal(p.next())
	if err != nil {
		return nil, err
	}
	p.advanced = p.advanced || op == "ne"
	judge, ok := map[string]func(int) bool{
		"eq": func(c int) bool { return c == 0 }, "ne": func(c int) bool { return c != 0 },
		"gt": func(c int) bool { return c == 1 }, "ge": func(c int) bool { return c == 0 || c == 1 },
		"lt": func(c int) bool { return c == -1 }, "le": func(c int) bool { return c == 0 || c == -1 },
	}[op]
	if !ok {
		return nil, fmt.Errorf("%w: unknown operator %q", errFilter, op)
	}
	return func(s scope) bool { return judge(against(get(s), want)) }, nil
}

func (p *parser) in(get func(scope) any) (test, error) {
	if err := p.want("("); err != nil {
		return nil, err
	}
	var values []any
	for {
		v, err := literal(p.next())
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		if sign := p.next(); sign == ")" {
			return func(s scope) bool {
				return slices.ContainsFunc(values, func(v any) bool { return against(get(s), v) == 0 })
			}, nil
		} else if sign != "," {
			return nil, errFilter
		}
	}
}

func (p *parser) function(name string) (test, error) {
	p.next() // (
	get, err := p.property(p.next())
	if err == nil {
		err = p.want(",")
	}
	if err != nil {
		return nil, err
	}
	v, err := literal(p.next())
	if err == nil {
		err = p.want(")")
	}
	text, ok := v.(string)
	if err != nil || !ok {
		return nil, errFilter
	}
	p.advanced = p.advanced || name != "startswith"
	if p.peek("eq") { // startswith(a,'b') eq true
		p.tokens = p.tokens[min(2, len(p.tokens)):]
	}
	has := map[string]func(s, part string) bool{"startswith": strings.HasPrefix, "endswith": strings.HasSuffix, "contains": strings.Contains}[name]
	return func(s scope) bool {
		have, _ := get(s).(string)
		return has(strings.ToLower(have), strings.ToLower(text))
	}, nil
}

// lambda reads name/any(x:x/id eq '1').
func (p *parser) lambda(name string) (test, error) {
	p.next() // (
	get, err := p.property(name)
	if err != nil {
		return nil, err
	}
	v := p.next()
	if err := p.want(":"); err != nil {
		return nil, err
	}
	p.vars = append(p.vars, v)
	inner, err := p.or()
	p.vars = p.vars[:len(p.vars)-1]
	if err == nil {
		err = p.want(")")
	}
	return func(s scope) bool {
		return slices.ContainsFunc(elements(get(s)), func(e any) bool {
			return inner(scope{s.root, map[string]any{v: e}})
		})
	}, err
}

func elements(v any) []any {
	switch list := v.(type) {
	case []any:
		return list
	case []object:
		out := make([]any, len(list))
		for i, o := range list {
			out[i] = o
		}
		return out
	case []string:
		out := make([]any, len(list))
		for i, o := range list {
			out[i] = o
		}
		return out
	}
	return nil
}

// property reads a path such as initiatedBy/user/id, or x/id inside a lambda over x.
func (p *parser) property(path string) (func(scope) any, error) {
	first := strings.TrimLeft(path, "@")
	if first == "" || !(first[0] >= 'a' && first[0] <= 'z' || first[0] >= 'A' && first[0] <= 'Z') {
		return nil, fmt.Errorf("%w: a property is expected, not %q", errFilter, path)
	}
	steps := strings.Split(path, "/")
	inLambda := slices.Contains(p.vars, steps[0])
	if !inLambda {
		p.names = append(p.names, steps[0])
	}
	return func(s scope) any {
		var at any = s.root
		rest := steps
		if inLambda {
			at, rest = s.vars[steps[0]], steps[1:]
		}
		for _, step := range rest {
			o, _ := at.(object)
			if m, plain := at.(map[string]any); plain {
				o = m
			}
			at = o[step]
		}
		return at
	}, nil
}

// literal reads a value: a text in quotes, true, false, null, a number; anything else (an id, a time) is a text.
func literal(word string) (any, error) {
	switch word {
	case "", "(", ")", ",", ":":
		return nil, fmt.Errorf("%w: a value is expected, not %q", errFilter, word)
	case "true", "false":
		return word == "true", nil
	case "null":
		return nil, nil
	}
	if word[0] == '\'' {
		return strings.ReplaceAll(word[1:len(word)-1], "''", "'"), nil
	}
	if n, err := strconv.ParseFloat(word, 64); err == nil {
		return n, nil
	}
	return word, nil
}

// against compares a property with a literal: -1, 0, 1, or 2 if they cannot be compared.
func against(have, want any) int {
	switch w := want.(type) {
	case nil:
		if have == nil {
			return 0
		}
	case bool:
		if h, ok := have.(bool); ok && h == w {
			return 0
		}
	case float64:
		if h, ok := have.(int); ok {
			have = float64(h)
		}
		if h, ok := have.(float64); ok {
			return compareNumbers(h, w)
		}
	case string:
		h, ok := have.(string)
		if !ok {
			return 2
		}
		a, errA := time.Parse(time.RFC3339, h)
		b, errB := time.Parse(time.RFC3339, w)
		if errA == nil && errB == nil {
			return a.Compare(b)
		}
		return strings.Compare(strings.ToLower(h), strings.ToLower(w))
	}
	return 2
}

func compareNumbers(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
