package access

import "time"

// An Identity is the account of a person at a provider of identities.
type Identity struct {
	Issuer   string
	Subject  string // what the issuer calls the account; it never gives it to another one
	Person   string // ID
	Name     string // what the account was known by when it was linked, such as its mail address
	LinkedAt time.Time
}
