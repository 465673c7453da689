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
	"net/url"
	"time"

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

// As finds what else s, or the System that it wraps, can do: it is a
// Lister, a Witness, or another of the abilities below. A System that wraps
// one has the method Unwrap() System.
func As[Ability any](s System) (Ability, bool) {
	for s != nil {
		if able, ok := s.(Ability); ok {
			return able, true
		}
		w, ok := s.(interface{ Unwrap() System })
		if !ok {
			break
		}
		s = w.Unwrap()
	}
	var none Ability
	return none, false
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

// An Issuer is a System whose target makes the credential, and shows it once.
type Issuer interface {
	// Issue brings the account of a into being if there is none, without any
	// power, and gives it a new credential in place of every earlier one. It
	// is called before Apply, which then gives the power; if what it returned
	// was not stored, it is called again.
	Issue(ctx context.Context, a access.Account, want access.Want) (Issued, error)
}

// Issued is what an Issuer made.
type Issued struct {
	Text     secret.Text
	Username string // as the person must type it
	ObjectID string // the target's own immutable id of the account
}

// A Sessioner is a System of which nothing stands on the target for a grant but
// the sessions that were issued from it. Its Kind has Sessions. Observe then
// goes by Account.Wanted, for which it tries whether a session would be given,
// and by Account.Issued, of which it reports what may still work.
type Sessioner interface {
	// Session makes keys with which one works as a may. They are for one person's
	// hands only: whoever calls it must be able to throw them away.
	Session(ctx context.Context, a access.Account, ask SessionAsk) (Keys, error)
	// Console turns keys into the address that signs a browser in; whoever opens
	// it has the access, so it is a secret.
	Console(ctx context.Context, k Keys, to Place) (secret.Text, error)
}

// A SessionAsk is what a session must be like.
type SessionAsk struct {
	Grant       string // ID, to be left on the session as a mark
	Entitlement string
	Until       time.Time     // from then on nothing works
	Length      time.Duration // how long settings let it last
	Region      string        // empty means that of the target
}

// Keys are what a session works with.
type Keys struct {
	ID            string // no secret
	Secret, Token secret.Text
	Account       string // of the target, as people know it
	Partition     string
	Region        string
	Name          string    // of the session, as the target's own log shows it
	ExpiresAt     time.Time // from then on they do not exist
	EndsAt        time.Time // from then on they are denied everything; never after ExpiresAt or Until
	Notices       []string  // why they last shorter than asked, one sentence each
}

// A Place is where a console opens.
type Place struct {
	Region      string
	Destination string // an address of the console; empty means its first page
	LogoutFirst bool   // sign out whoever is signed in there
	Issuer      string // where to go when it has ended
}

// A Limiter is a System whose roles limit how long a session may last.
type Limiter interface {
	// Longest reports the limit of an entitlement.
	Longest(ctx context.Context, entitlement string) (time.Duration, error)
	// SetLongest changes it, and reports what was read back.
	SetLongest(ctx context.Context, entitlement string, d time.Duration) (time.Duration, error)
}

// A Tidier is a System that leaves behind what is of no use later.
type Tidier interface {
	// Tidy removes what is of no use any more, and says what; one phrase each.
	Tidy(ctx context.Context) ([]string, error)
}

// A Historian is a System that can tell what an account did.
type Historian interface {
	// History reports, one sentence each, what a did to accounts, roles and
	// other objects from then until to, and what of it was left behind. It is
	// asked after the end; the target may know more if asked later. Without
	// the permission it is access.Denied.
	History(ctx context.Context, a access.Account, from, to time.Time) ([]string, error)
}

// An Overseer is a System that can tell who else is powerful there.
type Overseer interface {
	// Unexplained reports, one phrase each, who holds the highest privileges
	// and does not bear our mark.
	Unexplained(ctx context.Context) ([]string, error)
}

// An Importer is a System that knows the customers of the company whose it is.
type Importer interface {
	// Companies lists them, at most some thousands.
	Companies(ctx context.Context) ([]Company, error)
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
	Name   string // stable, stored in the database: "ad"
	Title  string // as the form offers it: "On Prem AD (Active Directory)"
	Icon   string // name of a lucide icon
	Fields []Field
	// Entitlements are what can be granted on a target with settings s, of
	// which Secrets may be missing.
	Entitlements func(s Settings) []Entitlement
	// Handover says how people get into an account; nil if it has no credential.
	Handover func(s Settings) Handover
	// Confirm is how long access must be missing to count as taken away. Zero
	// means a few seconds; a system whose reads lag needs longer.
	Confirm time.Duration
	// Patience is how long an end may take to be read back before that is a
	// fault. Zero means a minute; a system whose reads lag needs longer.
	Patience time.Duration

	Sessions bool   // the System is a Sessioner
	Shared   bool   // grants of one person share one account; else every grant has its own
	AtTheEnd string // what happens at the end, one sentence for the form; see End
	Outlives string // what may outlive the end, one honest sentence; may be empty
	ByHand   string // how to end it without jitney, steps one a line, for {account} with {right}; may be empty

	// Keeps says, in place of AtTheEnd, what happens at the end on a target with
	// settings s on which nothing ends a session sooner than its own limit does.
	// It is empty where Remove ends them; nil if it always does.
	Keeps func(s Settings) string

	// Valid reports what is wrong with settings, as *access.Error; nil if nothing.
	Valid func(Settings) error

	// Username tells beforehand what the account of h will be called.
	Username func(Settings, access.Holder) string

	// GrantNote and EndNote are the first lines of the ticket notes, without
	// reason or times. GrantNote is written when a was read back as usable,
	// EndNote when it was read back as clean.
	GrantNote func(a access.Account, entitlement string) string
	EndNote   func(a access.Account, entitlement string) string

	// Consent, if people of the customer must admit jitney first; else nil.
	Consent *Consent
	// For changes settings to those of the same app at another company, which
	// an Importer listed; nil if the kind has no Importer.
	For func(s Settings, c Company) Settings

	// Open prepares a System; it may connect lazily. The System is used by
	// many goroutines at once, and closed by Close if it has that method.
	Open func(ctx context.Context, targetID string, s Settings) (System, error)
}

// A Field is one setting of a Kind.
type Field = access.Field

// A Handover says how people get into an account.
type Handover struct {
	Word    string // what its credential is called: "password", "Temporary Access Pass"; empty: accounts have none
	Issued  bool   // the target makes it, so the System is an Issuer; else jitney draws it and Apply sets it
	SignIn  string // how to sign in, one sentence for the grant's page; may be empty
	Warning string // what the form must warn of; may be empty
}

// Consent is how people of a customer admit jitney at the target's own page.
type Consent struct {
	Title string // of the button, such as "Ask for admin consent"
	Help  string // who must do it, and what it gives; one or two sentences
	// URL is the page to send them to. It leads them back to redirect, with state.
	URL func(s Settings, redirect, state string) (string, error)
	// Answer reports what came back as wrong, as *access.Error; nil if they
	// agreed, and for this very target.
	Answer func(s Settings, q url.Values) error
}

// A Company is a customer that a partner's own directory knows.
type Company struct {
	ID     string // as the target kind calls it, such as an Entra tenant ID
	Name   string
	Domain string // may be empty
	Source string // where it stands, for people: "GDAP relationship until 2027-01-31"
}

// An Entitlement is something that can be granted on a Kind of target.
type Entitlement struct {
	Name  string // stable, stored in the database: "domain-admin"
	Title string // for people: "Domain Admin"
	Help  string // one sentence; may be empty
	Leads string // where it leads, for people; the same on two targets that lead to the same right. May be empty
	Admin bool   // of kinds with sessions: for administrators of jitney only, under the target's policy for them
}

// Offer is an Entitlements that does not depend on settings.
func Offer(all ...Entitlement) func(Settings) []Entitlement {
	return func(Settings) []Entitlement { return all }
}

// Password is a Handover by passwords that jitney draws.
func Password(signIn string) func(Settings) Handover {
	return func(Settings) Handover { return Handover{Word: "password", SignIn: signIn} }
}

// End says what happens at the end on a target with settings s, and whether
// sessions go on until their own limit if access is ended before that.
func (k Kind) End(s Settings) (text string, keeps bool) {
	if k.Keeps != nil {
		if text := k.Keeps(s); text != "" {
			return text, true
		}
	}
	return k.AtTheEnd, false
}

// Into says how people get into an account on a target with settings s.
func (k Kind) Into(s Settings) Handover {
	if k.Handover == nil {
		return Handover{}
	}
	return k.Handover(s)
}

// Find reports the entitlement called name on a target with settings s.
func (k Kind) Find(s Settings, name string) (Entitlement, bool) {
	if k.Entitlements == nil {
		return Entitlement{}, false
	}
	for _, e := range k.Entitlements(s) {
		if e.Name == name {
			return e, true
		}
	}
	return Entitlement{}, false
}
