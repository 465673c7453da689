package access

import "time"

// A Connection is one connected ticket system.
type Connection struct {
	ID         string
	Kind       string // name of its connector: "rt"
	Name       string
	Settings   map[string]string // as its connector's fields; secret fields are not in here
	CreatedAt  time.Time
	DisabledAt time.Time // no new requests since then; notes are still written
	CheckedAt  time.Time // last connection check
	Findings   []Finding // what that check found
	Version    int64
}

// A Company is a customer as a ticket system knows it.
type Company struct {
	Connection string
	ID         string // the system's own immutable id
	Name       string // as it was when last seen
	Was        string // its name before, if it changed since somebody looked at it
	SeenAt     time.Time
	GoneAt     time.Time // not listed any more since then; zero while it is
}

// A Mapping says which company of a ticket system a customer is. No two
// customers are the same company.
type Mapping struct {
	Connection string
	Customer   string // ID
	Company    string // the system's own id
	Name       string // of the company when it was chosen
	MappedAt   time.Time
}
