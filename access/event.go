package access

import "time"

// An Event is one thing that happened. It is stored in the transaction that
// made it happen, and becomes an audit record and a line of the timeline.
type Event struct {
	At       time.Time
	Kind     string // one of the constants below, or "thing.verb" of another package
	Actor    string // ID of a person, or "jitney"
	Customer string // ID; empty if it concerns none
	Grant    string // ID; empty if it concerns none
	Subject  string // ID of what else it is about: a target, a person, a ticket
	Text     string // one line for people
	Data     map[string]string
}

// The kinds of event in the life of a grant.
const (
	EventSubmitted  = "grant.submitted"
	EventApproved   = "grant.approved"
	EventVerified   = "grant.verified" // its clock starts
	EventLost       = "grant.lost"     // wanted, and not there any more
	EventStopped    = "grant.stopped"  // by a person, by drift, by a failed check
	EventExtended   = "grant.extended"
	EventRemoving   = "grant.removing" // the end is reached, clean-up starts
	EventOverdue    = "grant.overdue"
	EventBlocked    = "grant.blocked"   // the end needs a person
	EventUnblocked  = "grant.unblocked" // and does not any more
	EventEnded      = "grant.ended"     // read back as gone
	EventContinued  = "grant.continued" // over, same access under another grant
	EventFinding    = "grant.finding"   // something beyond the grant was seen
	EventTrouble    = "grant.trouble"   // a step failed and will be tried again
	EventHistory    = "grant.history"   // what the account did, as the target tells after the end
	EventTicket     = "grant.ticket"    // something became of the ticket: closed, opened again, merged, gone, verified
	EventNoteTwice  = "note.twice"      // a ticket note is there more than once; the subject is the connection
	EventRevealed   = "credential.revealed"
	EventReissued   = "credential.reissued"
	EventRetrieved  = "credential.retrieved"
	EventCredential = "credential.set" // the target took the new password
)
