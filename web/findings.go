package web

import (
	"fmt"
	"strings"

	"jitney/access"
	"jitney/broker"
	"jitney/target"
)

type findingView struct{ Level, Icon, What, Fix string }

func findingOf(f access.Finding) findingView {
	return findingView{Level: f.Level, Icon: findingIcon(f.Level), What: f.What, Fix: f.Fix}
}

// A foundView is what a check found, what matters first.
type foundView struct {
	Mend, Watch, Fine []findingView // errors, warnings, the rest
	Others            []string      // who holds the highest privileges without a grant
	Verdict           string
	Icon, Tone        string
}

// foundOf sorts what a check found; nil if nothing was found.
func foundOf(all []access.Finding) *foundView {
	if len(all) == 0 {
		return nil
	}
	v := foundView{Verdict: "Everything is in order", Icon: "circle-check", Tone: "ok"}
	for _, f := range all {
		switch other, ok := strings.CutPrefix(f.What, broker.Unexplained); {
		case ok && f.Level == "info":
			v.Others = append(v.Others, other)
		case f.Level == "error":
			v.Mend = append(v.Mend, findingOf(f))
		case f.Level == "warning":
			v.Watch = append(v.Watch, findingOf(f))
		default:
			v.Fine = append(v.Fine, findingOf(f))
		}
	}
	if n := len(v.Watch); n > 0 {
		v.Verdict, v.Icon, v.Tone = counted(n, "thing is", "things are")+" worth a look", "triangle-alert", "warnmark"
	}
	if n := len(v.Mend); n > 0 {
		v.Verdict, v.Icon, v.Tone = counted(n, "thing must be", "things must be")+" mended: grants would fail, or would not end", "octagon-alert", "bad"
	}
	return &v
}

// counted writes how many there are of something.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// titles lists what can be asked for, n of it at most.
func titles(all []target.Entitlement, n int) string {
	var out []string
	for i, e := range all {
		if i == n {
			return strings.Join(out, ", ") + fmt.Sprintf(" and %d more", len(all)-n)
		}
		out = append(out, e.Title)
	}
	return strings.Join(out, ", ")
}
