package servicenow

import (
	"regexp"
	"slices"
	"strings"
)

// A row is a row of a table: what is stored, and what people are shown
// instead.
type row struct {
	values, shown map[string]string
	hidden        bool // by rights, after it was counted
}

var (
	condition = regexp.MustCompile(`^([a-z_.]+)(NOT IN|IN|LIKE|!=|<|=)(.*)$`)
	ordering  = regexp.MustCompile(`^ORDERBY(DESC)?([a-z_]+)$`)
)

// find reports the rows that an encoded query lets through. A condition on a
// field that does not exist is left out, or lets nothing through if strict.
func find(rows []row, fields []string, query string, strict bool) []row {
	var groups [][]func(row) bool
	for part := range strings.SplitSeq(query, "^") {
		if part == "" {
			continue
		}
		if o := ordering.FindStringSubmatch(part); o != nil {
			if slices.Contains(fields, o[2]) {
				slices.SortStableFunc(rows, func(a, b row) int {
					d := strings.Compare(a.values[o[2]], b.values[o[2]])
					if o[1] != "" {
						return -d
					}
					return d
				})
			}
			continue
		}
		or := strings.HasPrefix(part, "OR")
		c := condition.FindStringSubmatch(strings.TrimPrefix(part, "OR"))
		if c == nil || !slices.Contains(fields, c[1]) {
			if strict {
				return nil
			}
			continue
		}
		holds := func(r row) bool { return compare(r.values[c[1]], c[2], c[3]) }
		if or && len(groups) > 0 {
			groups[len(groups)-1] = append(groups[len(groups)-1], holds)
			continue
		}
		groups = append(groups, []func(row) bool{holds})
	}
	return slices.DeleteFunc(rows, func(r row) bool {
		return slices.ContainsFunc(groups, func(g []func(row) bool) bool {
			return !slices.ContainsFunc(g, func(holds func(row) bool) bool { return holds(r) })
		})
	})
}

func compare(have, op, want string) bool {
	if want == "javascript:gs.getUserID()" {
		want = userID
	}
	switch op {
	case "=":
		return have == want
	case "!=":
		return have != want
	case "<":
		return have < want
	case "LIKE":
		return strings.Contains(strings.ToLower(have), strings.ToLower(want))
	case "IN":
		return slices.Contains(strings.Split(want, ","), have)
	default:
		return !slices.Contains(strings.Split(want, ","), have)
	}
}
