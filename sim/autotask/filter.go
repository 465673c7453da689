package autotask

import (
	"fmt"
	"slices"
	"strings"
)

// A condition is a part of a query.
type condition struct {
	Op    string      `json:"op"`
	Field string      `json:"field"`
	Value any         `json:"value"`
	Items []condition `json:"items"`
}

// all reports whether every condition holds for a row. ignore has those on
// companies hold always.
func all(conditions []condition, r row, ignore bool) bool {
	return !slices.ContainsFunc(conditions, func(c condition) bool { return !c.holds(r, ignore) })
}

func (c condition) holds(r row, ignore bool) bool {
	switch c.Op {
	case "and":
		return all(c.Items, r, ignore)
	case "or":
		return slices.ContainsFunc(c.Items, func(i condition) bool { return i.holds(r, ignore) })
	}
	have, ok := r[c.Field]
	if ignore && c.Field == "companyID" {
		return true
	}
	if !ok {
		return false
	}
	n, isNumber := have.(int)
	want, wantNumber := c.Value.(float64)
	both := isNumber && wantNumber
	switch c.Op {
	case "eq":
		if b, ok := c.Value.(bool); ok {
			return have == b
		}
		return both && n == int(want)
	case "noteq":
		return both && n != int(want)
	case "gt":
		return both && n > int(want)
	case "lt":
		return both && n < int(want)
	case "in":
		values, _ := c.Value.([]any)
		return slices.ContainsFunc(values, func(v any) bool { f, ok := v.(float64); return ok && isNumber && n == int(f) })
	case "contains":
		return strings.Contains(strings.ToLower(fmt.Sprint(have)), strings.ToLower(fmt.Sprint(c.Value)))
	}
	return false
}
