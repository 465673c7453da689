package web

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"jitney/access"
)

// A badge is a state as people see it: colour, icon and word together.
type badge struct{ Tone, Icon, Word string }

var stateBadges = map[access.State]badge{
	access.Pending:   {"pending", "hourglass", "Waits for approval"},
	access.Starting:  {"work", "refresh-cw", "Starting"},
	access.Active:    {"active", "shield-check", "Active"},
	access.Expiring:  {"expiring", "alarm-clock", "Expiring"},
	access.Ending:    {"work", "refresh-cw", "Removing"},
	access.Overdue:   {"failed", "octagon-alert", "Removal stuck"},
	access.Blocked:   {"failed", "hand", "Needs a person"},
	access.Ended:     {"ended", "circle-check", "Ended, verified"},
	access.Continued: {"ended", "arrow-right-left", "Continued"},
	access.NotGiven:  {"ended", "circle-x", "Not given"},
}

// states lists the states in the order in which filters offer them.
var states = []access.State{access.Pending, access.Starting, access.Active, access.Expiring,
	access.Ending, access.Overdue, access.Blocked, access.Ended, access.Continued, access.NotGiven}

// A step is how one kind of event looks in a timeline.
type step struct{ Tone, Icon string }

func stepOf(kind string) step {
	switch kind {
	case access.EventSubmitted:
		return step{"info", "send"}
	case access.EventVerified, access.EventApproved, access.EventCredential:
		return step{"ok", "circle-check"}
	case access.EventEnded:
		return step{"ok", "shield-check"}
	case access.EventContinued:
		return step{"info", "arrow-right-left"}
	case access.EventExtended:
		return step{"info", "clock-plus"}
	case access.EventStopped:
		return step{"info", "ban"}
	case access.EventRemoving:
		return step{"work", "refresh-cw"}
	case access.EventTrouble, access.EventLost, access.EventFinding:
		return step{"warn", "triangle-alert"}
	case access.EventOverdue:
		return step{"bad", "octagon-alert"}
	case access.EventBlocked:
		return step{"bad", "hand"}
	case access.EventUnblocked:
		return step{"ok", "circle-check"}
	case access.EventHistory:
		return step{"info", "scroll-text"}
	case access.EventRevealed:
		return step{"info", "eye"}
	case access.EventReissued, access.EventRetrieved:
		return step{"warn", "key-round"}
	}
	if strings.HasPrefix(kind, "note.") {
		return step{"info", "message-square"}
	}
	return step{"info", "circle-dot"}
}

// findingIcon is the icon of one level of access.Finding.
func findingIcon(level string) string {
	switch level {
	case "ok":
		return "circle-check"
	case "warning":
		return "triangle-alert"
	case "error":
		return "octagon-alert"
	}
	return "info"
}

// initials are one or two capitals for the account button.
func initials(name string) string {
	out := ""
	for _, word := range strings.Fields(name) {
		r, _ := utf8.DecodeRuneInString(word)
		if unicode.IsLetter(r) && utf8.RuneCountInString(out) < 2 {
			out += string(unicode.ToUpper(r))
		}
	}
	if out == "" {
		return "?"
	}
	return out
}
