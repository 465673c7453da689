package aws

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// facts are what conditions may ask: values by key in lower case. A key that is missing is not there at all.
type facts map[string][]string

func (f facts) set(key string, values ...string) { f[strings.ToLower(key)] = values }

// maybe sets a key if there is a value.
func (f facts) maybe(key, value string) {
	if value != "" {
		f.set(key, value)
	}
}

// expand fills in policy variables; false if one of them has no single value.
func (f facts) expand(text string) (string, bool) {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "${")
		out.WriteString(before)
		if !ok {
			return out.String(), true
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return "", false
		}
		name, def, hasDefault := strings.Cut(name, ",")
		got := f[strings.ToLower(strings.TrimSpace(name))]
		switch {
		case name == "*" || name == "?" || name == "$":
			out.WriteString(name) // AWS means the character itself; here it still is a wildcard
		case len(got) == 1:
			out.WriteString(got[0])
		case hasDefault:
			out.WriteString(strings.Trim(strings.TrimSpace(def), "'"))
		default:
			return "", false
		}
		text = after
	}
}

// A condition is one operator on one key.
type condition struct {
	key      string // in lower case
	want     []string
	set      string // ForAllValues or ForAnyValue, or empty
	ifExists bool
	negated  bool
	null     bool
	holds    func(got, want string) bool
}

// newCondition reads an operator; false if AWS has none of that name.
func newCondition(op, key string, want []string) (condition, bool) {
	c := condition{key: strings.ToLower(key), want: want}
	if set, rest, ok := strings.Cut(op, ":"); ok {
		if set != "ForAllValues" && set != "ForAnyValue" {
			return c, false
		}
		c.set, op = set, rest
	}
	if op == "Null" {
		c.null = true
		return c, true
	}
	op, c.ifExists = strings.CutSuffix(op, "IfExists")
	if c.holds = operators()[op]; c.holds != nil {
		return c, true
	}
	for _, family := range []string{"String", "Arn", "Numeric", "Date"} {
		if rest, ok := strings.CutPrefix(op, family+"Not"); ok {
			c.negated, c.holds = true, operators()[family+rest]
		}
	}
	if op == "NotIpAddress" {
		c.negated, c.holds = true, operators()["IpAddress"]
	}
	return c, c.holds != nil
}

// operators are the positive ones; each has to do with one value that is there and one that is wanted.
func operators() map[string]func(got, want string) bool {
	dates := func(f func(int) bool) func(got, want string) bool {
		return func(got, want string) bool {
			a, okA := moment(got)
			b, okB := moment(want)
			return okA && okB && f(a.Compare(b))
		}
	}
	numbers := func(f func(float64) bool) func(got, want string) bool {
		return func(got, want string) bool {
			a, errA := strconv.ParseFloat(got, 64)
			b, errB := strconv.ParseFloat(want, 64)
			return errA == nil && errB == nil && f(a-b)
		}
	}
	return map[string]func(got, want string) bool{
		"StringEquals":             func(got, want string) bool { return got == want },
		"StringEqualsIgnoreCase":   strings.EqualFold,
		"StringLike":               like,
		"ArnEquals":                likeARN,
		"ArnLike":                  likeARN,
		"Bool":                     strings.EqualFold,
		"IpAddress":                inNetwork,
		"DateEquals":               dates(func(n int) bool { return n == 0 }),
		"DateLessThan":             dates(func(n int) bool { return n < 0 }),
		"DateLessThanEquals":       dates(func(n int) bool { return n <= 0 }),
		"DateGreaterThan":          dates(func(n int) bool { return n > 0 }),
		"DateGreaterThanEquals":    dates(func(n int) bool { return n >= 0 }),
		"NumericEquals":            numbers(func(n float64) bool { return n == 0 }),
		"NumericLessThan":          numbers(func(n float64) bool { return n < 0 }),
		"NumericLessThanEquals":    numbers(func(n float64) bool { return n <= 0 }),
		"NumericGreaterThan":       numbers(func(n float64) bool { return n > 0 }),
		"NumericGreaterThanEquals": numbers(func(n float64) bool { return n >= 0 }),
	}
}

// met reports whether the condition holds for what is known.
func (c condition) met(f facts) bool {
	got, there := f[c.key]
	if c.null {
		return len(c.want) > 0 && strings.EqualFold(c.want[0], "true") != there
	}
	if !there || len(got) == 0 {
		return c.ifExists || c.set == "ForAllValues" || c.negated && c.set == ""
	}
	switch c.set {
	case "ForAllValues":
		return !slices.ContainsFunc(got, func(g string) bool { return !c.one(f, g) })
	case "ForAnyValue":
		return slices.ContainsFunc(got, func(g string) bool { return c.one(f, g) })
	}
	if c.negated {
		return !slices.ContainsFunc(got, func(g string) bool { return !c.one(f, g) })
	}
	return slices.ContainsFunc(got, func(g string) bool { return c.one(f, g) })
}

// one holds one value that is there against all that are wanted.
func (c condition) one(f facts, got string) bool {
	match := slices.ContainsFunc(c.want, func(w string) bool {
		w, ok := f.expand(w)
		return ok && c.holds(got, w)
	})
	return match != c.negated
}

// moment reads a time as policies write it: ISO 8601 in several lengths, or seconds since 1970.
func moment(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil
}

// like matches * (any run of characters) and ? (any one).
func like(text, pattern string) bool {
	t, p, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// likeARN matches the six parts of an ARN one by one.
func likeARN(text, pattern string) bool {
	if pattern == "*" {
		return true
	}
	t, p := strings.SplitN(text, ":", 6), strings.SplitN(pattern, ":", 6)
	if len(t) != 6 || len(p) != 6 {
		return false
	}
	for i := range t {
		if !like(t[i], p[i]) {
			return false
		}
	}
	return true
}

func inNetwork(got, want string) bool {
	ip, err := netip.ParseAddr(got)
	if err != nil {
		return false
	}
	if net, err := netip.ParsePrefix(want); err == nil {
		return net.Contains(ip.Unmap())
	}
	return got == want
}
