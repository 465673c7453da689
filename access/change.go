package access

import "time"

// A Change is what one look at an account leaves behind. It is stored in one
// transaction, or not at all.
type Change struct {
	Account    Account     // Username, ObjectID, TriedAt, Seen, Baseline and Trouble are stored
	Grants     []Grant     // each only if its Version is still the stored one
	Events     []Event     // become audit records
	Notes      []Note      // become work
	Work       []Work      // other side work to be queued, as Outbox.Add takes it
	Credential *Credential // a new password to be set on the target, with the Seq after the newest; nil for none
	SetSeq     int64       // the password of this Seq was taken by the target at Account.Seen.At; 0 for none
	DropSeq    int64       // erase passwords up to this Seq, because the last grant ended; 0 for none

	// Done gives the account back to the schedule, to be looked at again at
	// Again (zero: not before somebody wakes it). Otherwise the lease is kept.
	Done  bool
	Again time.Time
}

// A Note is a message to a ticket, rendered once and never changed, but for
// those that it brings along.
type Note struct {
	Key     string    `json:"key"` // "jitney:<grant>:<kind>:<n>": the same key is never written twice
	Grant   string    `json:"grant"`
	Ticket  TicketRef `json:"ticket"`
	Subject string    `json:"subject"`
	Body    string    `json:"body"`
	Alone   string    `json:"alone,omitempty"` // what to write instead if Body, which brings other notes along, is refused

	Minutes int64     `json:"minutes,omitempty"` // to be booked on the ticket; then this is no note
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Status  string    `json:"status,omitempty"` // to be given to the ticket; then this is no note
}

// GoesWith, before the key of a note, is the Result of one that the other note
// brings along. It is as far as that one is.
const GoesWith = "in the note "

// Work is something to be done beside the grants: one row of the work table.
type Work struct {
	ID        string
	Kind      string // "note", "history", "mail" or "sweep"
	Key       string // unique
	Group     string // what shares limits and a circuit breaker, such as a ticket system's connection
	Lane      string // what must stay in order: the rows of one lane are done one after the other
	Grant     string // ID; may be empty
	Payload   []byte // JSON; for "note" a Note
	CreatedAt time.Time
	TriedAt   time.Time // last time that it may have taken effect; zero before the first
	DoneAt    time.Time
	ParkedAt  time.Time // given up for now; a person can start it again
	Result    string    // reference on success, reason when parked
	Attempts  int64
	Version   int64
}

// A NewGrant is a submitted request with all that is stored with it at once.
type NewGrant struct {
	Grant   Grant
	Account Account // used if its target has none with that Key; else the existing one is, and Grant.Account follows
	// Offer is the ID of the password that the form had shown; empty if none.
	// It is used up by this, becoming the account's next credential.
	Offer  string
	Events []Event
}

// An Offer is a password that a form has shown and that no account has yet.
type Offer struct {
	ID        string
	Person    string // to whom it was shown
	Customer  string // for whose targets
	Sealed    []byte
	ExpiresAt time.Time
}

// A Pulse tells, for the price of one row, whether anything about a grant has
// changed, and how its account is scheduled.
type Pulse struct {
	Mark      string // changes whenever grant, account, credential, notes or timeline do
	Attempts  int    // looks that failed since the last one that did not
	LastError string // of the last of those, for administrators; empty if none did
	NextTry   time.Time
}

// A GrantQuery selects grants. Zero fields select everything.
type GrantQuery struct {
	Customers []string // IDs; nil means all, empty means none
	Customer  string
	Target    string
	Requester string
	Ticket    string // number or ID
	Policy    string
	Account   string
	Text      string    // part of reason, ticket number or title, without regard to case
	From, To  time.Time // submitted at
	Open      bool      // only those that have not ended
	States    []State   // computed at Now
	Now       time.Time
	Oldest    bool   // oldest first; else newest first
	After     string // ID of the last grant of the page before
	Limit     int    // at most this many; 0 means 100
}

// A Record is an event as the audit log keeps it.
type Record struct {
	ID string // random, made when written
	Event
	Seq int64 // its place in the log, from 0; -1 until it is sealed
}
