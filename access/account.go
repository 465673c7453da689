package access

import (
	"slices"
	"time"
)

// A Holder is the person for whom a temporary account exists, with what its
// name is made from.
type Holder struct {
	Person string // ID
	Login  string // example.user@msp.example
	Name   string // for the display name
}

// An Account is one temporary account on a target. Whether grants of one
// person share it is up to the kind of target.
type Account struct {
	ID       string // random; a connector leaves it on the target as our mark
	Customer string
	Target   string
	Key      string // unique on its target: the person's ID where grants share an account, else the grant's ID
	Holder   Holder

	// Learned from the target, and kept so that a later look finds the same thing.
	Username string // as the person must type it
	ObjectID string // the target's own immutable id
	// TriedAt is when an Apply or Issue was begun of which it is not known what
	// became of it, so that it may still take effect; zero if there is none. It
	// is stored before the call, and stays while ObjectID is not known.
	TriedAt time.Time

	// Of kinds from which sessions are issued: what was, and what is wanted now.
	// Both are filled in for each look and stored nowhere with the account.
	Issued []Issued
	Wanted []string // entitlements for which sessions are being issued; empty while none is wanted

	Seen     Observation // the last one; its At is zero if there never was one
	Baseline string      // what the target's privileged places held before the first grant, as the connector wrote it
	Trouble  string      // what went wrong at the last look, for people; empty if nothing did
	Version  int64
}

// A Credential is the password of a temporary account while jitney has it:
// from when it is made until it is shown or the last grant ends.
type Credential struct {
	Account    string // ID
	Seq        int64  // 1, 2, 3 … for each account; a new password is a new number
	Place      string // the row that Sealed was sealed for; it opens nowhere else
	Sealed     []byte // encrypted; nil once it was erased, and while the target still has to make it
	Recipient  string // ID of the person who may see it
	Retain     bool   // stays sealed after it was shown, until the last grant ends, for an administrator to retrieve
	CreatedAt  time.Time
	SetAt      time.Time // when the target had taken it; zero until then
	RevealedAt time.Time // when it was first shown
}

// Waits reports whether the target still has to take c.
func (c Credential) Waits() bool { return c.Sealed != nil && c.SetAt.IsZero() }

// Missing reports whether there is none, or a new one was asked for that the
// target still has to make.
func (c Credential) Missing() bool { return c.Sealed == nil && c.SetAt.IsZero() }

// Ready reports whether c can be shown.
func (c Credential) Ready() bool {
	return c.Sealed != nil && !c.SetAt.IsZero() && c.RevealedAt.IsZero()
}

// An Observation is what a target showed for one account at one moment.
type Observation struct {
	At       time.Time `json:"at"`
	Exists   bool      `json:"exists"`    // there is such an account, maybe a harmless one
	Enabled  bool      `json:"enabled"`   // one can sign in with it, as far as the target is concerned
	Username string    `json:"username"`  // as the person must type it
	ObjectID string    `json:"object_id"` // the target's own immutable id

	Entitlements []string  `json:"entitlements,omitempty"` // what it holds of what the connector offers
	Parts        []string  `json:"parts,omitempty"`        // entitlements of which it holds a part, or not in effect: no use, and not their end
	Until        time.Time `json:"until"`                  // the end that the target enforces by itself; zero if none
	Extra        []string  `json:"extra,omitempty"`        // rights and back doors that nobody asked for, one phrase each
	Left         []string  `json:"left,omitempty"`         // what else must go before the account is clean, one phrase each
	Facts        []Fact    `json:"facts,omitempty"`        // the evidence, for people
	Silent       []string  `json:"silent,omitempty"`       // places that should know and did not answer

	// Settling > 0 means that everything was done and nothing is to be changed:
	// only another look, that much later, can show the rest, which Left names.
	Settling time.Duration `json:"settling,omitempty"`
}

// A Fact is one line of evidence: what was read, and what it said.
type Fact struct {
	Name  string `json:"name"`  // such as "Domain Admins"
	Found string `json:"found"` // such as "member"
	Clean bool   `json:"clean"` // whether this is how it looks when nothing is left
}

// Shows reports whether the entitlement can be used now.
func (o Observation) Shows(entitlement string) bool {
	return o.Enabled && slices.Contains(o.Entitlements, entitlement)
}

// Clean reports whether nothing is left: no sign-in, no right, no back door,
// no unfinished clean-up. Only this lets the last grant of an account end.
func (o Observation) Clean() bool {
	return !o.At.IsZero() && !o.Enabled && len(o.Entitlements) == 0 && len(o.Parts) == 0 && len(o.Extra) == 0 && len(o.Left) == 0
}

// An Orphan is an account on a target that bears our mark, can be used, and
// has no live grant. Its ID is the mark.
type Orphan struct {
	Account
	FoundAt time.Time
}

// Issued sums up the sessions of one entitlement that an account was used for.
type Issued struct {
	Entitlement string
	Count       int
	EndsAt      time.Time // from then on each is denied everything by its own limits, and may still exist
	ExpiresAt   time.Time // from then on none exists
}

// A Want is what an account should look like. An empty one means: clean.
type Want struct {
	Entitlements []Entitled
	Until        time.Time // latest end of all; a target that can enforce an end is told this one
}

// Entitled is one entitlement and until when it is wanted.
type Entitled struct {
	Name  string
	Until time.Time
}

// Names lists the wanted entitlements.
func (w Want) Names() []string {
	names := make([]string, 0, len(w.Entitlements))
	for _, e := range w.Entitlements {
		names = append(names, e.Name)
	}
	return names
}

// Empty reports whether nothing is wanted.
func (w Want) Empty() bool { return len(w.Entitlements) == 0 }
