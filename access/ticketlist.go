package access

import "time"

// A TicketList is what a ticket system told of the open tickets of one company
// when it was asked last.
type TicketList struct {
	Connection string
	Company    string // the system's own id
	Tickets    []OpenTicket
	More       bool      // there are more than these
	ReadAt     time.Time // zero if it was never asked
	Edition    int64     // version of the connection that was asked; 0 if that is not known. It is not stored.
}

// An OpenTicket is one ticket of a TicketList.
type OpenTicket struct {
	ID        string    `json:"id"`
	Number    string    `json:"number"`
	Title     string    `json:"title"`
	Status    string    `json:"status"`
	URL       string    `json:"url,omitempty"`
	Assignee  string    `json:"assignee,omitempty"`
	OpenedAt  time.Time `json:"opened_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Choices are what a ticket system told that can be chosen for a setting.
type Choices struct {
	Connection string
	Field      string
	All        []Choice
	ReadAt     time.Time // zero if it was never asked
	Edition    int64     // version of the connection that was asked; 0 if that is not known. It is not stored.
}

// A Choice is one value of Choices.
type Choice struct {
	Value string `json:"value"`
	Title string `json:"title"`
}

// A Watched is a grant that has not ended, or whose ticket is still to be
// verified, with its ticket.
type Watched struct {
	Grant    string // ID
	Customer string
	Policy   string // name
	Ticket   TicketRef
	Person   string // who asked for it
}

// A TicketSign is what was noticed about a ticket that live grants hang on.
// One of which nothing was noticed has none.
type TicketSign struct {
	Connection string
	Ticket     string    // what it was noticed of: the system's own id, and for which customer; or the grant, while it is not verified
	ClosedAt   time.Time // when it was first seen closed, gone or moved; zero if it is not
	Missed     int64     // how often in a row it was not there
	Why        string    // what was told of it, one phrase
}

// WatchKey is the key of the row of work that watches the tickets of a
// connection.
func WatchKey(connection string) string { return "watch:" + connection }

// WatchWork is that row. It shares no breaker with the notes of the
// connection: where notes cannot be written, tickets may still be read.
func WatchWork(connection string) Work {
	key := WatchKey(connection)
	return Work{Kind: "watch", Key: key, Group: key, Lane: key}
}
