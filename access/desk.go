package access

import "time"

// A DeskTicket is a ticket that jitney keeps itself, for those who have no
// other ticket system.
type DeskTicket struct {
	ID        string
	Number    string // given when it is opened: "1001"
	Customer  string // ID
	Title     string
	OpenedBy  string // ID of a person
	OpenedAt  time.Time
	ClosedAt  time.Time // zero while it is open
	UpdatedAt time.Time
	Version   int64
}

// A DeskNote is one note on a DeskTicket.
type DeskNote struct {
	ID      string
	Ticket  string
	Key     string // unique; empty for none
	Subject string
	Body    string
	At      time.Time
}

// A RecordQuery selects audit records, newest first. Zero fields select
// everything.
type RecordQuery struct {
	Customer string
	Grant    string
	Actor    string
	Subject  string
	Kind     string // exact, or "grant." for all kinds that begin so
	From, To time.Time
	Before   string // ID of the last record of the page before
	Limit    int    // at most this many; 0 means 100
}
