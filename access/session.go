package access

import "time"

// What a session was issued for.
const (
	ForKeys    = "keys"    // a set of keys
	ForConsole = "console" // a console, opened at once
	ForURL     = "url"     // the address of a console, to be copied
)

// How a session was asked for.
const (
	ViaPage  = "page"
	ViaCLI   = "cli"   // by a person's sign-in from the command line
	ViaToken = "token" // by an API token
)

// A Session is what was issued from a grant and can be used. Its secrets are
// kept nowhere.
type Session struct {
	ID          string
	Grant       string
	Account     string
	Customer    string
	Target      string
	Entitlement string
	Person      string // ID
	For         string // ForKeys, ForConsole or ForURL
	Via         string // ViaPage, ViaCLI or ViaToken
	Token       string // ID of the token it was asked for with; empty on the page
	Application string // as the caller said
	Machine     string // as the caller said
	Address     string // where the call came from
	Name        string // as the target's own log shows it
	KeyID       string // of its keys; no secret
	IssuedAt    time.Time
	EndsAt      time.Time // denied everything by its own limits from then on
	ExpiresAt   time.Time // does not exist from then on
}

// The kinds of event about sessions and their settings.
const (
	EventSession        = "session.issued"
	EventSessionRefused = "session.refused" // at most once an hour for the same reason
	EventSessionLimit   = "session.limit"
	EventSessionSwitch  = "session.switch"
)
