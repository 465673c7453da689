package access

import (
	"slices"
	"time"
)

// A Role is what a person may do in jitney itself.
type Role string

const (
	Administrator Role = "administrator" // sets everything up, may revoke anything
	Approver      Role = "approver"      // decides on requests of the customers they work for
	Requester     Role = "requester"     // asks for access to the customers they work for
	Auditor       Role = "auditor"       // reads everything, changes nothing
)

// Roles lists every role, in the order in which pages show them.
var Roles = []Role{Administrator, Approver, Requester, Auditor}

// A Person is somebody who signs in to jitney.
type Person struct {
	ID           string
	Login        string // what they sign in with, such as example.user@msp.example; unique without regard to case
	Name         string
	Roles        []Role
	Customers    []string // IDs of the customers they work for
	AllCustomers bool     // works for every customer, also future ones
	TimeZone     string   // IANA name; empty means the server's
	CreatedAt    time.Time
	DisabledAt   time.Time // zero while they may sign in
	Version      int64
}

// Is reports whether p holds role r.
func (p Person) Is(r Role) bool { return slices.Contains(p.Roles, r) }

// WorksFor reports whether p may ask for access to the customer's targets.
func (p Person) WorksFor(customer string) bool {
	return p.AllCustomers || slices.Contains(p.Customers, customer)
}

// Sees reports whether p may know that the customer exists. What a person does
// not see answers exactly like what does not exist.
func (p Person) Sees(customer string) bool {
	return p.Is(Administrator) || p.Is(Auditor) || p.WorksFor(customer)
}

// A Customer is a client company, or one environment of a platform team.
// Everything else hangs below it.
type Customer struct {
	ID         string
	Name       string
	Note       string // for people, such as the company's domain
	CreatedAt  time.Time
	ArchivedAt time.Time // zero while it is served
	Version    int64
}

// A Target is one connected place of a customer: a domain, an Entra tenant.
type Target struct {
	ID          string
	Customer    string
	Kind        string // name of its connector: "ad"
	Name        string
	Policy      string            // name of the policy that rules requests for it
	AdminPolicy string            // of those for what is an administrator's, where the kind tells them apart; empty means the default
	Settings    map[string]string // as its connector's fields; secret fields are not in here
	CreatedAt   time.Time
	DisabledAt  time.Time // no new grants since then; live ones still end
	CheckedAt   time.Time // last connection check
	Findings    []Finding // what that check found
	Version     int64
}

// A Finding is one result of a connection check, or something seen on a target
// that a person should know.
type Finding struct {
	Level string `json:"level"` // "ok", "info", "warning", "error": an error means that grants would fail, or would not end
	What  string `json:"what"`  // one sentence
	Fix   string `json:"fix"`   // what to do about it; may be empty
}
