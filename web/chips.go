package web

import (
	"fmt"
	"slices"
	"time"

	"jitney/access"
)

// chips are the durations to choose from, shortest first, and a field for any
// other number of minutes.
type chips struct {
	Chips        []chip
	OtherChecked bool
	Other        string
	Max          int64
}

type chip struct {
	Value             int64
	Label             string
	Checked, Disabled bool
}

// durationChips offers minutes up to limit; chosen is added if it is not among
// them and no number was typed.
func durationChips(chosen int64, typed string, offered []int64, limit time.Duration) chips {
	c := chips{Max: int64(limit / time.Minute), Other: typed}
	if chosen > 0 && typed == "" && chosen <= c.Max && !slices.Contains(offered, chosen) {
		offered = append(slices.Clone(offered), chosen)
		slices.Sort(offered)
	}
	found := false
	for _, m := range offered {
		one := chip{Value: m, Label: access.Length(time.Duration(m) * time.Minute), Checked: m == chosen, Disabled: m > c.Max}
		found = found || one.Checked && !one.Disabled
		c.Chips = append(c.Chips, one)
	}
	c.OtherChecked = !found
	if c.OtherChecked && c.Other == "" && chosen > 0 {
		c.Other = fmt.Sprint(chosen)
	}
	if found {
		c.Other = ""
	}
	return c
}
