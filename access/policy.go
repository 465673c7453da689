package access

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Ceiling is the longest that any grant can last, whatever a policy says.
const Ceiling = 24 * time.Hour

// A PasswordMode says how a person gets the password of a temporary account.
type PasswordMode string

const (
	RevealOnce   PasswordMode = "reveal" // shown once on the grant's page when the account is ready
	ChosenOnForm PasswordMode = "form"   // shown on the form before it is sent; an administrator can retrieve it later
)

// A Policy says what may be asked for on the targets that name it. Every
// change makes a new version, and a grant remembers the one that allowed it.
type Policy struct {
	Name          string // stable, such as "default"
	Title         string // for people; the name of the request form
	Version       int64
	Default       time.Duration // offered first
	Max           time.Duration // of a grant with all its extensions
	StartWithin   time.Duration // how long jitney tries to make the access usable before the request lapses
	MinReason     int           // characters
	NeedsApproval bool
	NoTicket      bool // a request may come without a ticket
	NoReason      bool // and without a reason
	Password      PasswordMode
	EndOrphans    bool // end, not only report, accounts that bear our mark and have no grant
	Tickets       TicketRules
	ChangedAt     time.Time
	ChangedBy     string
}

// DefaultPolicy is what a new installation starts with.
func DefaultPolicy() Policy {
	return Policy{Name: "default", Title: "Just in time admin access", Version: 1, Default: 15 * time.Minute, Max: 4 * time.Hour,
		StartWithin: time.Hour, MinReason: 10, Password: RevealOnce, Tickets: TicketRules{CloseGrace: DefaultCloseGrace}}
}

// SessionPolicy is what rules sessions that are no administrator's, on targets
// that name no policy: one click, neither ticket nor reason.
func SessionPolicy() Policy {
	return Policy{Name: "sessions", Title: "Sessions", Version: 1, Default: time.Hour, Max: 12 * time.Hour, StartWithin: 15 * time.Minute,
		MinReason: 10, NoTicket: true, NoReason: true, Password: RevealOnce, Tickets: TicketRules{CloseGrace: DefaultCloseGrace}}
}

// BuiltIns lists the policies that are there before they were ever saved.
func BuiltIns() []Policy { return []Policy{DefaultPolicy(), SessionPolicy()} }

// BuiltIn reports the one of that name.
func BuiltIn(name string) (Policy, bool) {
	for _, p := range BuiltIns() {
		if p.Name == name {
			return p, true
		}
	}
	return Policy{}, false
}

// MaxReason bounds the length of a reason, in characters.
const MaxReason = 1000

// Minutes turns a number of minutes into a duration, or reports why it cannot
// be one. It bounds before it multiplies, so no number overflows.
func Minutes(n int64) (time.Duration, error) {
	if n < 1 || n > int64(Ceiling/time.Minute) {
		return 0, &Error{Kind: Invalid, Text: fmt.Sprintf("The duration must be between 1 and %d minutes.", int64(Ceiling/time.Minute))}
	}
	return time.Duration(n) * time.Minute, nil
}

// Valid reports the first thing that is wrong with p as a whole.
func (p Policy) Valid() error {
	whole := func(d time.Duration) bool { return d > 0 && d <= Ceiling && d%time.Minute == 0 }
	switch {
	case p.Name == "" || p.Title == "":
		return &Error{Kind: Invalid, Text: "A policy needs a name and a title."}
	case !whole(p.Max):
		return &Error{Kind: Invalid, Text: "The longest duration must be whole minutes, from 1 to 1440."}
	case !whole(p.Default) || p.Default > p.Max:
		return &Error{Kind: Invalid, Text: "The default duration must be whole minutes, and not longer than the longest."}
	case !whole(p.StartWithin):
		return &Error{Kind: Invalid, Text: "The time to become ready must be whole minutes, from 1 to 1440."}
	case p.MinReason < 1 || p.MinReason > 200:
		return &Error{Kind: Invalid, Text: "The shortest reason must be between 1 and 200 characters."}
	case p.Password != RevealOnce && p.Password != ChosenOnForm:
		return &Error{Kind: Invalid, Text: "The password is either revealed once or chosen on the form."}
	}
	return p.Tickets.valid()
}

// A FieldError is what is wrong with one field of a request.
type FieldError struct {
	Field string // "duration", "reason", "ticket", "customer", "target", "entitlement"
	Text  string
}

// Check reports everything that p finds wrong with r, field by field; nothing
// means that p allows it.
func (p Policy) Check(r Request) (wrong []FieldError) {
	add := func(field, text string) { wrong = append(wrong, FieldError{field, text}) }
	if no := p.ticketless(r.Ticket); no != "" {
		add("ticket", no)
	}
	switch {
	case r.Duration <= 0 || r.Duration%time.Minute != 0:
		add("duration", "The duration must be a whole number of minutes.")
	case r.Duration > min(p.Max, Ceiling):
		add("duration", fmt.Sprintf("The policy %q allows up to %s.", p.Title, Length(min(p.Max, Ceiling))))
	}
	switch n := utf8.RuneCountInString(strings.TrimSpace(r.Reason)); {
	case n == 0 && p.NoReason:
	case n == 0:
		add("reason", "Reason is required.")
	case n < p.MinReason:
		add("reason", fmt.Sprintf("Say a little more: at least %d characters.", p.MinReason))
	case n > MaxReason:
		add("reason", fmt.Sprintf("The reason may have up to %d characters.", MaxReason))
	}
	return wrong
}

// CheckExtension reports why p does not let g last more longer at now, or nil.
func (p Policy) CheckExtension(g Grant, more time.Duration, now time.Time) error {
	left := min(p.Max, Ceiling) - g.Duration - g.Extension
	switch {
	case !g.Wanted(now) || g.VerifiedAt.IsZero():
		return &Error{Kind: Conflict, Text: "Only active access can be extended.", Hint: "Ask for new access instead."}
	case more <= 0 || more%time.Minute != 0:
		return &Error{Kind: Invalid, Text: "The extension must be a whole number of minutes."}
	case more > left && left < time.Minute:
		return &Error{Kind: Denied, Text: fmt.Sprintf("This access already has the longest time that the policy %q allows.", p.Title),
			Hint: "Ask for new access when it has ended."}
	case more > left:
		return &Error{Kind: Denied, Text: fmt.Sprintf("The policy %q allows %s more at most.", p.Title, Length(left))}
	}
	return nil
}

// Length writes a duration of whole minutes for people: "15 min", "1 h 30 min".
func Length(d time.Duration) string {
	h, m := int64(d/time.Hour), int64(d%time.Hour/time.Minute)
	switch {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	default:
		return fmt.Sprintf("%d h %d min", h, m)
	}
}
