package broker

import (
	"strings"
	"time"

	"jitney/access"
)

// noteKind reads the kind of a note from its key: "jitney:<grant>:<kind>:<n>".
func noteKind(key string) string {
	if parts := strings.Split(key, ":"); len(parts) == 4 {
		return parts[2]
	}
	return ""
}

// compare lays what is wanted of g, a grant of title, beside what the target showed last.
func compare(title string, g access.Grant, c access.Case, now time.Time) []Comparison {
	seen := c.Account.Seen
	wanted := g.Wanted(now)
	unknown := seen.At.IsZero()
	row := func(what string, want, found bool, yes, no string) Comparison {
		r := Comparison{What: what, Wanted: choose(want, yes, no), Found: choose(found, yes, no), AtEnd: no, OK: want == found}
		if unknown {
			r.Found, r.OK = "not looked at yet", !want
		}
		return r
	}
	others := false
	for _, o := range c.Grants {
		others = others || o.ID != g.ID && o.Wanted(now)
	}
	rows := []Comparison{
		row("Sign-in", wanted || others, seen.Enabled, "enabled", "disabled"),
		row(title, wanted || others && holds(c.Grants, g.Entitlement, now), contains(seen.Entitlements, g.Entitlement), "held", "not held"),
	}
	if unknown {
		return rows
	}
	if contains(seen.Parts, g.Entitlement) { // no use yet, and not its end
		rows[1].Found, rows[1].OK = "a part of it, or not in effect", false
	}
	if end := endOf(c.Grants, now); !seen.Until.IsZero() && !end.IsZero() { // with no end wanted it says nothing
		rows = append(rows, Comparison{What: "The target's own end", Wanted: stamp(end), Found: stamp(seen.Until), AtEnd: "—", OK: true})
	}
	for _, x := range seen.Extra {
		rows = append(rows, Comparison{What: "Not part of any grant", Wanted: "nothing", Found: x, AtEnd: "nothing"})
	}
	for _, x := range seen.Left {
		if !wanted && !others { // before the end there is nothing to clean up yet
			rows = append(rows, Comparison{What: "Clean-up", Wanted: "done", Found: x, AtEnd: "done"})
		}
	}
	for _, f := range seen.Facts {
		rows = append(rows, Comparison{What: f.Name, Wanted: "", Found: f.Found, AtEnd: choose(f.Clean, f.Found, ""), OK: f.Clean != (wanted || others)})
	}
	for _, s := range seen.Silent {
		rows = append(rows, Comparison{What: s, Wanted: "an answer", Found: "no answer", AtEnd: "an answer"})
	}
	return rows
}

// waits reports whether everything was done for an end that is not over, and
// only another look can show the rest.
func waits(state access.State, seen access.Observation) bool {
	return (state == access.Ending || state == access.Overdue) && seen.Settling > 0 && !seen.Enabled && len(seen.Entitlements) == 0 && len(seen.Parts) == 0 && len(seen.Extra) == 0
}

func choose(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func holds(grants []access.Grant, entitlement string, now time.Time) bool {
	for _, g := range grants {
		if g.Entitlement == entitlement && g.Wanted(now) {
			return true
		}
	}
	return false
}

func endOf(grants []access.Grant, now time.Time) (end time.Time) {
	for _, g := range grants {
		if g.Wanted(now) && g.EndsAt().After(end) {
			end = g.EndsAt()
		}
	}
	return end
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// upcoming tells what will happen, as far as it is decided.
func upcoming(atTheEnd string, p GrantPage) []Upcoming {
	g := p.Grant
	if atTheEnd == "" {
		atTheEnd = "The access is taken away."
	}
	ends := []Upcoming{
		{At: g.ExpiresAt(), Text: atTheEnd},
		{Text: "Jitney reads back that nothing is left, and writes it to ticket " + clip(g.Ticket.Number, 100) + "."},
	}
	if g.Ticket.None() {
		ends[1].Text = "Jitney reads back that nothing is left."
	}
	switch p.State {
	case access.Pending:
		return []Upcoming{{Text: "An approver decides."}, {Text: "After that, Jitney gives the access and reads it back."}}
	case access.Starting:
		return append([]Upcoming{
			{Text: "Jitney gives the access and reads it back. The time starts to run only then."},
			{At: g.StartBy, Text: "If it is not usable by then, the request lapses and everything is cleaned up."},
		}, Upcoming{Text: atTheEnd}, ends[1])
	case access.Active, access.Expiring:
		return ends
	case access.Blocked:
		return []Upcoming{{Text: "A person removes what keeps the end back: " + clip(g.Blocked, 60) + "."},
			{Text: "Jitney keeps trying meanwhile, and goes on by itself as soon as it can."}, ends[1]}
	case access.Ending, access.Overdue:
		if !p.Kept.IsZero() {
			return []Upcoming{{At: p.Kept, Text: "The last of the keys and consoles that were fetched ends. Nothing can end it sooner."}, ends[1]}
		}
		if p.Waits {
			return []Upcoming{{At: p.Observation.At.Add(p.Observation.Settling), Text: "Jitney looks again. Nothing is left to be changed; it is only not certain yet."}, ends[1]}
		}
		return []Upcoming{{Text: "Jitney keeps removing, at least once a minute, until the target shows nothing any more."}, ends[1]}
	default:
		return nil
	}
}
