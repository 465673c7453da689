package schedule

import (
	"context"
	"time"
)

// A Lease is the right of one owner to work on one row until it runs out, is
// given back, or is taken away. Every write to a leased row is fenced by ID,
// Owner and Epoch together.
type Lease struct {
	ID       string
	Owner    string // who holds it; unique to one start of one process
	Epoch    int64  // raised by every claim of the row
	Group    string // what the row shares limits and outages with, such as a target
	Due      time.Time
	Attempts int // failures since the last success, before this claim
}

// An Item is a claimed row.
type Item[T any] struct {
	Lease
	Late  time.Duration // how long it had been due when it was claimed, by the table's clock
	Value T             // its content, as it was when claimed

	// Err says that Value could not be loaded. It counts as a failure of this
	// row, so that one broken row never holds up those claimed with it.
	Err error
}

// A Claim asks for rows that are due.
type Claim struct {
	Owner string
	For   time.Duration // length of the lease
	Limit int           // most rows; at least 1
	Skip  []string      // groups of which no row is wanted now; may be empty
}

// A Return gives one row back. If Never is unset the row is due next at At,
// or, if At is zero, In after the table's now. A row that was woken while it
// was leased is due at once instead, whatever the Return says.
type Return struct {
	Lease
	At       time.Time
	In       time.Duration
	Never    bool   // nothing more to do, until somebody schedules it anew
	Attempts int    // the new number of failures; 0 after a success
	Error    string // what went wrong, for people; empty after a success, at most 500 bytes
}

// A Table is a set of rows that carry their own schedule. The table, not the
// caller, decides what time it is: on PostgreSQL the database's clock rules,
// so that replicas need not agree on theirs.
//
// A leased row has one of three fates. It is returned; its lease runs out,
// and it is due from then on; or its owner is found dead, and [Recovery.Free]
// makes it due. Somebody who changes the business of a leased row wakes it:
// the store remembers that and makes the row due the moment it is returned,
// also if the handler wrote its own give-back. No wake-up is ever lost.
//
// Every method is one short transaction and may be called by many goroutines.
type Table[T any] interface {
	// Claim leases at most c.Limit due rows, longest due first, in one
	// statement: the epoch goes up by one and the row is next due when the
	// lease runs out. It never waits for rows that another replica is just
	// claiming.
	Claim(ctx context.Context, c Claim) ([]Item[T], error)

	// Probe leases the one row of a group that is the longest due of those
	// that are due or have failed; a failed one may be claimed before its
	// time. False means that there is none.
	Probe(ctx context.Context, owner, group string, lease time.Duration) (Item[T], bool, error)

	// Renew lets the leases run for another d from now. It reports the IDs of
	// those that are not held any more by that owner and epoch.
	Renew(ctx context.Context, leases []Lease, d time.Duration) (lost []string, err error)

	// Return gives rows back, all in one transaction. Those whose lease is not
	// held any more are left alone and reported.
	Return(ctx context.Context, rows []Return) (lost []string, err error)

	// Next reports how long it is until a row is due, leases that run out
	// included, groups in skip left out: zero or less if one is due now. False
	// means that there is none.
	Next(ctx context.Context, skip []string) (time.Duration, bool, error)
}

// A Recovery is the part of a table that brings rows forward.
type Recovery interface {
	// Hasten makes the rows of a group that have failed and are not leased due
	// now; an empty group means all groups. It reports how many.
	Hasten(ctx context.Context, group string) (int, error)

	// Free takes away the leases of owner, so that those rows are due again as
	// they were before; an empty owner means every owner, which only an
	// embedded process may ask for that has the database to itself.
	Free(ctx context.Context, owner string) (int, error)
}

// A Beacon tells the replicas which of them are alive, where a database is
// shared. On PostgreSQL it is an advisory lock held by a dedicated session.
type Beacon interface {
	// Hold shows owner as alive until ctx ends. It returns as soon as that is
	// visible to others; lost is closed when it is not any more, ctx ended or
	// connection broken.
	Hold(ctx context.Context, owner string) (lost <-chan struct{}, err error)

	// Dead reports the owners of leases that are not alive, never self.
	Dead(ctx context.Context, self string) ([]string, error)
}
