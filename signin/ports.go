package signin

import (
	"context"
	"time"

	"jitney/access"
)

// People is the part of the store that keeps who may sign in. What does not
// exist is *access.Error of Kind access.NotFound.
type People interface {
	Person(ctx context.Context, id string) (access.Person, error)
	// ByLogin finds a person, without regard to case, and the hash of their
	// password, empty if none was set.
	ByLogin(ctx context.Context, login string) (p access.Person, hash string, err error)
	// SetPassword stores the hash of a new password and ends every session of
	// the person but the one with the key keep (empty: ends them all), in one
	// transaction with its events.
	SetPassword(ctx context.Context, personID, hash, keep string, events ...access.Event) error
	// Nobody reports whether there is nobody yet.
	Nobody(ctx context.Context) (bool, error)
	// AddFirst stores the first person with the hash of their password;
	// access.Conflict if there is anybody already.
	AddFirst(ctx context.Context, p access.Person, hash string, events ...access.Event) error
}

// Persons knows who somebody is: the part of [People] that programs need.
type Persons interface {
	Person(ctx context.Context, id string) (access.Person, error)
}

// Identities is the part of the store that knows whose an account at a
// provider of identities is.
type Identities interface {
	// Identity is access.NotFound if that account is linked to nobody.
	Identity(ctx context.Context, issuer, subject string) (access.Identity, error)
	// IdentitiesOf lists the linked accounts of a person.
	IdentitiesOf(ctx context.Context, person string) ([]access.Identity, error)
	// Link is access.Conflict if the account is linked already, or the person
	// to another account of that issuer.
	Link(ctx context.Context, n access.Identity, events ...access.Event) error
	// Unlink forgets the linked accounts of a person and ends their sign-ins.
	Unlink(ctx context.Context, person string, events ...access.Event) error
}

// Sessions is the part of the store that keeps sessions.
type Sessions interface {
	// Session is access.NotFound if there is none with that key.
	Session(ctx context.Context, key string) (access.Visit, error)
	// AddSession stores a new session with its events, and forgets those that ran out.
	AddSession(ctx context.Context, s access.Visit, events ...access.Event) error
	// KeepSession stores Data, SeenAt and ExpiresAt of a session that is still
	// there. It never brings back one that was ended; that is no error.
	KeepSession(ctx context.Context, s access.Visit) error
	// EndSession deletes a session, if there is one with that key.
	EndSession(ctx context.Context, key string, events ...access.Event) error
	// SessionsOf lists the sessions of a person, the latest seen first.
	SessionsOf(ctx context.Context, personID string) ([]access.Visit, error)
}

// Settings keeps a few values of the whole installation.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error) // empty if it was never set
	SetSetting(ctx context.Context, key, value string, events ...access.Event) error
}

// Log writes audit records that go with no other change.
type Log interface {
	Write(ctx context.Context, events ...access.Event) error
}

// TokenTable is the part of the store that keeps tokens, by the hash of their
// text.
type TokenTable interface {
	// TokenByHash also finds one that is of no use any more.
	TokenByHash(ctx context.Context, hash string) (access.Token, error)
	// Tokens lists the tokens of a person, of everybody if that is empty, the newest first.
	Tokens(ctx context.Context, person string) ([]access.Token, error)
	// AddToken also has letter sent in time before the token ends, unless it is
	// revoked by then; none if it has no subject.
	AddToken(ctx context.Context, t access.Token, hash string, letter access.Letter, events ...access.Event) error
	UseToken(ctx context.Context, id string, at time.Time, from string) error
	// RevokeToken leaves one alone that was revoked before, and records nothing then.
	RevokeToken(ctx context.Context, id string, at time.Time, by string, events ...access.Event) error
}

// A Voider cancels what a person authorized and no command line fetched yet.
type Voider interface {
	VoidPairings(ctx context.Context, person string, at time.Time) error
}

// PairingTable is the part of the store that keeps command lines that ask to
// sign in. A write whose Version is not the stored one is access.Conflict.
type PairingTable interface {
	Pairing(ctx context.Context, id string) (access.Pairing, error)
	PairingByCode(ctx context.Context, code string) (access.Pairing, error)
	// AddPairing is access.Conflict if its match code is taken.
	AddPairing(ctx context.Context, p access.Pairing) error
	UpdatePairing(ctx context.Context, p access.Pairing, events ...access.Event) error
	// DeliverPairing stores p and the token that came of it in one transaction.
	DeliverPairing(ctx context.Context, p access.Pairing, t access.Token, hash string, events ...access.Event) error
}
