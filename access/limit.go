package access

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The settings of how long sessions last.
const (
	SessionLength = "length"   // how long a session lasts: AWS Access Token Validity, AdminJitSessionDuration
	RoleMax       = "role-max" // what the role itself allows: AWS Role Max Session Duration
)

// The names under which people know them.
const (
	TitleLength      = "AWS Access Token Validity"
	TitleAdminLength = "AdminJitSessionDuration" // at AtScope(true)
	TitleRoleMax     = "AWS Role Max Session Duration"
)

// Bounds of both, as AWS sets them: STS AssumeRole and IAM UpdateRole.
const (
	ShortestSession = 15 * time.Minute
	LongestSession  = 12 * time.Hour
	ShortestRoleMax = time.Hour
	UsualSession    = time.Hour // where nothing is set
)

// A Limit is one setting at one place.
type Limit struct {
	Setting string
	Place   string // "", or what one of the functions below made
	Length  time.Duration
	SetBy   string // person ID
	SetAt   time.Time
}

// Title is the name of l and where it stands, for people.
func (l Limit) Title() string {
	name := TitleLength
	if l.Setting == RoleMax {
		name = TitleRoleMax
	}
	kind, _, _ := strings.Cut(l.Place, ":")
	switch {
	case kind == "target":
		return name + " of this target"
	case kind == "customer":
		return name + " of the tenant"
	case l.Place == AtScope(true) && l.Setting == SessionLength:
		return TitleAdminLength
	case l.Place == AtScope(true):
		return name + " of the admin level"
	case kind == "scope":
		return name + " of the tenant level"
	default:
		return name + ", everywhere"
	}
}

// The places at which a Limit can be set, the strongest last.
const Everywhere = ""

// AtScope is every session of administrators, or every other one.
func AtScope(admin bool) string {
	if admin {
		return "scope:admin"
	}
	return "scope:tenant"
}

// AtCustomer is one customer, AtTarget one of its targets.
func AtCustomer(id string) string { return "customer:" + id }

// AtTarget is one target.
func AtTarget(id string) string { return "target:" + id }

// A SessionPlace is whose sessions are meant.
type SessionPlace struct {
	Target, Customer string // IDs
	Admin            bool
}

// Places lists where a setting for p may stand, the strongest first: target
// over customer over scope over everywhere.
func (p SessionPlace) Places() []string {
	return []string{AtTarget(p.Target), AtCustomer(p.Customer), AtScope(p.Admin), Everywhere}
}

// Winning reports the limit that counts for p; false if nothing is set.
func Winning(all []Limit, setting string, p SessionPlace) (Limit, bool) {
	for _, place := range p.Places() {
		i := slices.IndexFunc(all, func(l Limit) bool { return l.Setting == setting && l.Place == place })
		if i >= 0 {
			return all[i], true
		}
	}
	return Limit{}, false
}

// Length reports how long sessions at p last by the settings alone.
func (p SessionPlace) Length(all []Limit) time.Duration {
	if l, ok := Winning(all, SessionLength, p); ok {
		return l.Length
	}
	return UsualSession
}

// Valid reports what is wrong with l, as Invalid.
func (l Limit) Valid() error {
	bad := func(text string) error { return &Error{Kind: Invalid, Text: text} }
	kind, id, _ := strings.Cut(l.Place, ":")
	known := l.Place == Everywhere || l.Place == AtScope(true) || l.Place == AtScope(false) || (kind == "customer" || kind == "target") && id != ""
	switch {
	case l.Setting != SessionLength && l.Setting != RoleMax:
		return bad("There is no such setting.")
	case !known:
		return bad("The setting cannot stand there.")
	case l.Setting == RoleMax && (l.Length < ShortestRoleMax || l.Length > LongestSession):
		return bad(fmt.Sprintf("A role's longest session lasts from %d to %d seconds.", int64(ShortestRoleMax.Seconds()), int64(LongestSession.Seconds())))
	case l.Length < ShortestSession || l.Length > LongestSession:
		return bad(fmt.Sprintf("A session lasts from %d to %d seconds.", int64(ShortestSession.Seconds()), int64(LongestSession.Seconds())))
	case l.Length%time.Second != 0:
		return bad("The length is in whole seconds.")
	}
	return nil
}

// The switches of sessions, as settings of the whole installation. Each is on
// if its value is "true".
const (
	SwitchAdmin    = "aws.admin.enabled"     // Enable Admin AWS JIT Access On UI
	SwitchNonAdmin = "aws.nonadmin.disabled" // Disable Non-Admin AWS JIT Access On UI
)

// SwitchTitle is the name under which people know a switch.
func SwitchTitle(name string) string {
	return map[string]string{
		SwitchAdmin:    "Enable Admin AWS JIT Access On UI",
		SwitchNonAdmin: "Disable Non-Admin AWS JIT Access On UI",
	}[name]
}
