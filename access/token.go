package access

import "time"

// The kinds of token.
const (
	TokenAPI = "api" // made by an administrator, for a program
	TokenCLI = "cli" // the sign-in of a command line, authorized in a browser
)

const (
	// TokenLongest is how long an API token lasts at most.
	TokenLongest = 365 * 24 * time.Hour
	// TokenWarning is how long before its end people are told of an API token.
	TokenWarning = 14 * 24 * time.Hour
	// CLISignIn is how long the sign-in of a command line lasts.
	CLISignIn = 12 * time.Hour
)

// A Token lets a program act for a person, in a scope that is never wider than
// what the person may do. Its text is known to the program only.
type Token struct {
	ID          string // names it; opens nothing
	Kind        string
	Name        string
	Person      string   // ID of whom it acts for
	Admin       bool     // may ask for what is administrative at a target
	Customers   []string // IDs of the customers it is for; nil means all of the person
	CreatedAt   time.Time
	CreatedBy   string // ID of a person
	ExpiresAt   time.Time
	UsedAt      time.Time // last use, to the minute; zero if never
	UsedFrom    string    // address of that use
	RevokedAt   time.Time // zero while it may be used
	RevokedBy   string    // ID of a person
	Machine     string    // where the command line runs, as it says itself
	Application string    // what the command line calls itself
}

// Live reports whether t can be used at now, as far as t itself says.
func (t Token) Live(now time.Time) bool { return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt) }

// Ending reports whether t is live and ends so soon that people are told.
func (t Token) Ending(now time.Time) bool {
	return t.Kind == TokenAPI && t.Live(now) && t.ExpiresAt.Sub(now) <= TokenWarning
}

// PairingFor is how long a command line waits for somebody to authorize it.
const PairingFor = 10 * time.Minute

// The states of a pairing.
const (
	PairingWaiting    = "waiting"
	PairingAuthorized = "authorized" // a person did; the token was not handed out yet
	PairingDelivered  = "delivered"
	PairingCancelled  = "cancelled"
	PairingEnded      = "ended" // nobody decided in time, or nobody fetched the token
)

// A Pairing is a command line that asks to sign in as whoever authorizes it.
// Application, Machine, User and Tenant are what it says itself: anybody can
// say anything.
type Pairing struct {
	ID          string
	Application string
	Machine     string
	User        string // who runs it, as the machine calls them
	Tenant      string // customer that it was first asked for; may be empty
	Admin       bool   // asks for what is administrative too
	Challenge   string // PKCE S256: base64url of the SHA-256 of a verifier that only it knows
	State       string // told back to it, so that it knows its own answer
	Port        int    // it listens on 127.0.0.1 there; 0 if it cannot, and the code must be typed
	Code        string // match code, such as "ABCD-EFGH", shown on both sides
	Address     string // where it asked from
	CreatedAt   time.Time
	ExpiresAt   time.Time
	Person      string // ID of who authorized or cancelled it
	Login       string // of Person
	OneTime     string // hash of the code that fetches the token; empty if there is none
	DecidedAt   time.Time
	DeliveredAt time.Time
	CancelledAt time.Time
	Version     int64
}

// Device reports whether somebody must type the match code.
func (p Pairing) Device() bool { return p.Port == 0 }

// StateAt reports the state of p at now.
func (p Pairing) StateAt(now time.Time) string {
	switch {
	case !p.DeliveredAt.IsZero():
		return PairingDelivered
	case !p.CancelledAt.IsZero():
		return PairingCancelled
	case !now.Before(p.ExpiresAt):
		return PairingEnded
	case p.Person != "":
		return PairingAuthorized
	}
	return PairingWaiting
}
