package broker

import (
	"context"
	"io"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
	"jitney/ticket"
)

// Each interface is the part of the store that one broker needs. Reads of what
// does not exist are *access.Error of Kind access.NotFound; a write whose
// Version is not the stored one is access.Conflict. Every write stores its
// events, as audit records, in the same transaction.

// Grants keeps grants.
type Grants interface {
	// Create stores a request with its account, and wakes the account.
	Create(ctx context.Context, n access.NewGrant) (access.Grant, error)
	Grant(ctx context.Context, id string) (access.Grant, error)
	// Update changes what people decide about a grant by fn and wakes its
	// account. If somebody else was first, fn runs again on the newer grant.
	Update(ctx context.Context, id string, fn func(*access.Grant) ([]access.Event, error)) (access.Grant, error)
	Find(ctx context.Context, q access.GrantQuery) ([]access.Grant, error)
	// Case reads the account of a grant, its open grants and its credential.
	Case(ctx context.Context, accountID string) (access.Case, error)
}

// Pulses tells cheaply whether a grant changed.
type Pulses interface {
	Pulse(ctx context.Context, grantID string) (access.Pulse, error)
}

// Credentials keeps sealed passwords.
type Credentials interface {
	Credential(ctx context.Context, accountID string) (access.Credential, error)
	// Replace stores c as the account's next credential, sets its Seq, and wakes the account.
	Replace(ctx context.Context, c access.Credential, events ...access.Event) (access.Credential, error)
	// Take stores events, marks credential seq as revealed, erases it unless it
	// is retained, and only then reports what it held. The second Take of one
	// that is not retained is access.Conflict.
	Take(ctx context.Context, accountID string, seq int64, events ...access.Event) ([]byte, error)
	// PutOffer stores an offered password, and forgets those that ran out.
	PutOffer(ctx context.Context, o access.Offer) error
}

// People keeps who signs in.
type People interface {
	Person(ctx context.Context, id string) (access.Person, error)
	People(ctx context.Context) ([]access.Person, error)
	SavePerson(ctx context.Context, p access.Person, events ...access.Event) (access.Person, error) // Version 0 creates
	// SavePersonIf stores p unless allowed, given everybody with p as it is to
	// be, reports an error. No other such change comes in between, on any replica.
	SavePersonIf(ctx context.Context, p access.Person, allowed func(everybody []access.Person) error, events ...access.Event) (access.Person, error)
}

// Customers keeps customers.
type Customers interface {
	Customer(ctx context.Context, id string) (access.Customer, error)
	Customers(ctx context.Context) ([]access.Customer, error) // by name
	// CustomersNamed lists those whose ID is name, or whose name it is without regard to case.
	CustomersNamed(ctx context.Context, name string) ([]access.Customer, error)
	SaveCustomer(ctx context.Context, c access.Customer, events ...access.Event) (access.Customer, error)
}

// Targets keeps targets and their sealed settings.
type Targets interface {
	Target(ctx context.Context, id string) (access.Target, error)
	Targets(ctx context.Context, customer string) ([]access.Target, error) // of every customer if empty
	// SaveTarget stores t; each sealed setting in secrets replaces the one of that name, an empty one erases it.
	SaveTarget(ctx context.Context, t access.Target, secrets map[string][]byte, events ...access.Event) (access.Target, error)
	// MoveTarget is SaveTarget with settings that lead elsewhere; access.StillLive if access is open at the target.
	MoveTarget(ctx context.Context, t access.Target, secrets map[string][]byte, events ...access.Event) (access.Target, error)
	TargetSecrets(ctx context.Context, id string) (map[string][]byte, error)
}

// Orphans keeps the accounts of targets that bear our mark and have no live grant.
type Orphans interface {
	Orphans(ctx context.Context, targetID string) ([]access.Orphan, error)
}

// Rules keeps policies and the few settings of the whole installation.
type Rules interface {
	Policy(ctx context.Context, name string) (access.Policy, error)
	Policies(ctx context.Context) ([]access.Policy, error)
	// SavePolicy stores p as version p.Version+1; Conflict if p.Version is not the newest.
	SavePolicy(ctx context.Context, p access.Policy, events ...access.Event) (access.Policy, error)
	Setting(ctx context.Context, key string) (string, error) // empty if it was never set
	SetSetting(ctx context.Context, key, value string, events ...access.Event) error
}

// Log reads the audit records, and writes those that go with no other change.
type Log interface {
	Timeline(ctx context.Context, grant string) ([]access.Record, error) // oldest first
	Write(ctx context.Context, events ...access.Event) error
}

// Notes reads and restarts the side work of grants.
type Notes interface {
	WorkOf(ctx context.Context, grant string) ([]access.Work, error)
	Retry(ctx context.Context, workID string, events ...access.Event) error // a parked row starts again
}

// Sealer seals secrets for one place in the database, and opens them there only.
type Sealer interface {
	Seal(ctx context.Context, customer string, place secret.Place, text secret.Text) ([]byte, error)
	Open(ctx context.Context, customer string, place secret.Place, sealed []byte) (secret.Text, error)
}

// Desk keeps the tickets of the built-in desk.
type Desk interface {
	// DeskTickets lists the tickets of a customer, of all if empty, newest first; closed ones only if asked for.
	DeskTickets(ctx context.Context, customer string, closed bool) ([]access.DeskTicket, error)
	DeskTicket(ctx context.Context, id string) (access.DeskTicket, error)
	DeskNotes(ctx context.Context, ticketID string) ([]access.DeskNote, error) // oldest first
	// SaveDeskTicket stores t; Version 0 opens it and gives it a number.
	SaveDeskTicket(ctx context.Context, t access.DeskTicket, events ...access.Event) (access.DeskTicket, error)
}

// Records reads the audit log as a whole.
type Records interface {
	Records(ctx context.Context, q access.RecordQuery) ([]access.Record, error) // newest first
}

// An AuditReport is what a verification of the audit log found.
type AuditReport struct {
	OK         bool
	Size       int64     // sealed records that were read
	Unsealed   int64     // records that wait to be sealed
	Oldest     time.Time // the oldest of those; zero if none
	Checkpoint time.Time // when the last checkpoint was signed; zero if never
	Text       string    // one sentence; names the first bad record, if there is one
}

// Proof verifies the audit log and writes it out.
type Proof interface {
	Verify(ctx context.Context) (AuditReport, error)
	Export(ctx context.Context, w io.Writer) error // JSON lines with what offline verification needs
}

// Opener opens the System of a target, or reuses an open one.
type Opener func(ctx context.Context, targetID string) (target.System, error)

// Desks finds the ticket system of a customer, with its own id of the
// customer's company there and the ID of the connection.
type Desks func(ctx context.Context, customer string) (sys ticket.System, connection, company string, err error)

// OpenDesk opens the ticket system of a connection.
type OpenDesk func(ctx context.Context, connection string) (ticket.System, error)
