package reconcile

import (
	"context"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/secret"
	"jitney/target"
	"jitney/ticket"
)

// Cases is the part of the store that keeps accounts with their grants.
type Cases interface {
	// Case reads an account, its grants that have not ended, and its credential.
	Case(ctx context.Context, accountID string) (access.Case, error)
	// Record stores c in one transaction if lease still holds, and gives the
	// account back if c.Done, without failures. It raises the Version of each
	// stored grant by one. A lease that was lost is schedule.ErrLost; a grant
	// that somebody changed meanwhile, or a credential whose Seq is taken, is
	// access.Conflict, and nothing is stored: look again.
	Record(ctx context.Context, lease schedule.Lease, c access.Change) error
	// WakeOpen makes every account with a grant that has not ended due at
	// latest in within, spread evenly, and reports how many there are.
	WakeOpen(ctx context.Context, within time.Duration) (int, error)
	// Accounts lists the accounts of a target that have a grant that was approved
	// and has not ended.
	Accounts(ctx context.Context, targetID string) ([]access.Account, error)
}

// Orphans is the part of the store that keeps accounts that bear our mark and
// have no live grant, until that is dealt with.
type Orphans interface {
	Orphans(ctx context.Context, targetID string) ([]access.Orphan, error)
	// SeeOrphan stores what one looks like; events only if it was not known.
	SeeOrphan(ctx context.Context, o access.Orphan, events ...access.Event) (fresh bool, err error)
	// DropOrphan forgets one that is none any more.
	DropOrphan(ctx context.Context, targetID, mark string, events ...access.Event) error
	// Stray has account a, of which no approved grant is open and the target
	// shows seen, looked at, unless it is or was since it was read.
	Stray(ctx context.Context, a access.Account, seen access.Observation) error
}

// Targets is the part of the store that keeps targets.
type Targets interface {
	Target(ctx context.Context, id string) (access.Target, error)
	Targets(ctx context.Context, customer string) ([]access.Target, error) // of every customer if empty
}

// Rules is the part of the store that keeps policies and people.
type Rules interface {
	Policy(ctx context.Context, name string) (access.Policy, error)
	Person(ctx context.Context, id string) (access.Person, error)
}

// Outbox is the part of the store that keeps side work.
type Outbox interface {
	// Tried records durably that a row is about to take effect.
	Tried(ctx context.Context, lease schedule.Lease) error
	// Finish records that it did, with what the other side calls it, or that
	// it is parked until a person starts it again, with the reason.
	Finish(ctx context.Context, lease schedule.Lease, result string, parked bool, events ...access.Event) error
	// Add queues w, due at once, unless its Key was queued before.
	Add(ctx context.Context, w access.Work, events ...access.Event) error
	// WorkOf lists the side work of a grant, oldest first.
	WorkOf(ctx context.Context, grant string) ([]access.Work, error)
	// Join has the row that is held write n, and says of those of rows, which
	// are parked, that they are done as soon as n is. If one is not as it was
	// read it is access.Conflict, and nothing is stored.
	Join(ctx context.Context, lease schedule.Lease, n access.Note, rows ...access.Work) error
}

// Log reads the audit records of a grant, and writes those that go with no
// other change.
type Log interface {
	Timeline(ctx context.Context, grant string) ([]access.Record, error) // oldest first
	Write(ctx context.Context, events ...access.Event) error
}

// Sealer seals and opens passwords.
type Sealer interface {
	Seal(ctx context.Context, customer string, place secret.Place, text secret.Text) ([]byte, error)
	Open(ctx context.Context, customer string, place secret.Place, sealed []byte) (secret.Text, error)
}

// Opener opens the System of a target, or reuses an open one.
type Opener func(ctx context.Context, targetID string) (target.System, error)

// Desks finds the ticket system of a customer, with its own id of the
// customer's company there and the ID of the connection.
type Desks func(ctx context.Context, customer string) (sys ticket.System, connection, company string, err error)

// Tickets opens the ticket system of a connection.
type Tickets func(ctx context.Context, connection string) (ticket.System, error)
