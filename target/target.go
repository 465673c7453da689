// Package target is the contract between jitney and the systems that it opens
// for a limited time.
//
// To add a system, write one package that exports a [Kind] and list it in
// cmd/jitney/kinds.go. Nothing else changes: the settings form and the
// reference page are made from the Kind, and the tests come from package
// targettest. docs/adding-a-target.md walks through it.
package target

import (
	"context"

	"jitney/access"
	"jitney/secret"
)

// A System is one opened target: an AD domain, an Entra tenant, an AWS account.
//
// Every method may be called at any time, again and again, and after any other
// call was cut off half way, by a process that knows nothing of the one before
// it. A System remembers nothing between calls: it finds what it made by the
// mark that it left, which is the account's ID, or by Account.ObjectID. A
// reply of the target never proves a change; only a later Observe does.
//
// An error that will pass (no answer, throttled) is an *access.Error of Kind
// access.Unavailable; one that people must mend (a missing right) is
// access.Denied or access.Invalid with Text and Hint. A System never retries
// for long by itself and gives up when ctx ends.
type System interface {
	// Observe reports what the target shows for a. It changes nothing. A
	// target that has no such account shows a clean Observation, not an error;
	// an account of that name that does not bear our mark is an error. What
	// cannot be read back (a password reset) must leave a sign that can, so
	// that a clean Observation means that all of the clean-up was done.
	Observe(ctx context.Context, a access.Account) (access.Observation, error)

	// Apply makes a look like want: it creates or re-enables it with the end
	// that the target can enforce already set, adds what is wanted, removes
	// every other right, and sets password unless that is zero. It begins with
	// what limits the account and ends with what empowers it. Kinds without a
	// password ignore it. want is never empty.
	Apply(ctx context.Context, a access.Account, want access.Want, password secret.Text) error

	// Remove ends every access of a and cleans up. It begins with what takes
	// power away; one part that fails does not keep it from trying the rest.
	// If nothing is left, it does nothing.
	Remove(ctx context.Context, a access.Account) error
}

// A Lister is a System that can find the accounts it made, so that access that
// the database does not know about is found.
type Lister interface {
	// List reports every account that bears our mark, with what the target
	// shows for it. The ID of each is the mark.
	List(ctx context.Context) ([]access.Account, error)
}

// A Witness is a System that can tell what happened to its privileged places
// while somebody held access.
type Witness interface {
	// Snapshot reports who holds privileges now, in a form that only Compare
	// reads, at most a few hundred kilobytes.
	Snapshot(ctx context.Context) (string, error)

	// Compare reports, one sentence each, what two snapshots of the same
	// target have not in common, leaving out accounts that bear our mark.
	Compare(before, after string) ([]string, error)
}

// A Checker is a System that can tell whether it would work.
type Checker interface {
	// Check tries everything that granting and, above all, removing needs, and
	// changes nothing. Its error means only that ctx ended.
	Check(ctx context.Context) ([]access.Finding, error)
}

// Settings are the values of a Kind's fields for one target.
type Settings struct {
	Values  map[string]string      // fields that are no secret
	Secrets map[string]secret.Text // fields that are
}

// A Kind describes one kind of System, and opens it. Every field is needed
// unless its comment says otherwise.
type Kind struct {
	Name         string // stable, stored in the database: "ad"
	Title        string // as the form offers it: "On Prem AD (Active Directory)"
	Icon         string // name of a lucide icon
	Fields       []Field
	Entitlements []Entitlement
	Shared       bool   // grants of one person share one account; else every grant has its own
	Passwords    bool   // accounts have a password
	SignIn       string // how to sign in, one sentence for the grant's page; may be empty
	AtTheEnd     string // what happens at the end, one sentence for the form
	Outlives     string // what may outlive the end, one honest sentence; may be empty
	ByHand       string // how to end it without jitney, steps one a line, for {account} with {right}; may be empty

	// Valid reports what is wrong with settings, as *access.Error; nil if nothing.
	Valid func(Settings) error

	// Username tells beforehand what the account of h will be called.
	Username func(Settings, access.Holder) string

	// GrantNote and EndNote are the first lines of the ticket notes, without
	// reason or times. GrantNote is written when a was read back as usable,
	// EndNote when it was read back as clean.
	GrantNote func(a access.Account, entitlement string) string
	EndNote   func(a access.Account, entitlement string) string

	// Open prepares a System; it may connect lazily. The System is used by
	// many goroutines at once, and closed by Close if it has that method.
	Open func(ctx context.Context, targetID string, s Settings) (System, error)
}

// A Field is one setting of a Kind.
type Field struct {
	Name, Title, Help string
	Example           string   // shown as placeholder
	Secret            bool     // stored sealed, never shown again
	Required          bool     // must not be empty
	Lines             bool     // several lines, such as a certificate
	Options           []string // if set, one of these; the first is the default
}

// An Entitlement is something that can be granted on a Kind of target.
type Entitlement struct {
	Name  string // stable, stored in the database: "domain-admin"
	Title string // for people: "Domain Admin"
	Help  string // one sentence; may be empty
}

// Find reports the entitlement called name.
func (k Kind) Find(name string) (Entitlement, bool) {
	for _, e := range k.Entitlements {
		if e.Name == name {
			return e, true
		}
	}
	return Entitlement{}, false
}
