// Package ticket is the contract between jitney and the systems in which an
// MSP keeps its tickets.
//
// To add a system, write one package that exports a [Kind] and list it in
// cmd/jitney/kinds.go; package tickettest holds the tests it must pass.
package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jitney/access"
)

// A Ticket is what a system says about one ticket at one moment. Everything in
// it comes from outside and is treated as hostile.
type Ticket struct {
	ID           string // the system's own immutable id
	Number       string // what people call it
	Title        string
	Company      string // the system's id of the company it belongs to
	Status       string // the system's word
	Open         bool   // decided by the connector
	AcceptsNotes bool
	URL          string // for people; may be empty
	Assignee     string // the system's name of who works on it; empty if nobody, or unknown
	MergedInto   string // id of the ticket that this one became a part of, whose company and state are told; else empty
	OpenedAt     time.Time
	UpdatedAt    time.Time
}

// A Query asks for open tickets of one company.
type Query struct {
	Company string // the system's id
	Text    string // part of number or title; empty means all
	Cursor  string // from Page.Next; empty for the first page
	Limit   int    // tickets that are of use in one Page; a system may send fewer, and 0 is for it to say
}

// A Page is a part of a list, newest first.
type Page struct {
	Tickets []Ticket
	Next    string // cursor of the next page; empty if this is the last
	Foreign int    // tickets of other companies that the system answered with, left out here; a reason to worry
}

// A Note is what is written to a ticket. Body is plain text; a connector
// escapes it for its system and keeps the key findable in it or beside it.
type Note struct {
	Key     string // names this note for ever: "jitney:<grant>:<kind>:<n>", ASCII letters, digits, ':' and '-'
	Subject string // for systems that demand one
	Body    string
}

// A NoteRef is a note as the system knows it.
type NoteRef struct {
	ID string // may be empty where the system tells none; then the key finds it
	At time.Time
}

// Limits are what a system can take.
type Limits struct {
	Body  int           // bytes of a note's body
	Grace time.Duration // how long after a lost answer the request may still take effect
	Finds int           // tickets a minute that Find may look for when nobody waits, where it costs a call each; 0: any number
}

// A System is one connected ticket system. The caller checks the company and
// the state of everything that comes back; a System only reports.
type System interface {
	// Tickets lists open tickets of a company, newest first.
	Tickets(ctx context.Context, q Query) (Page, error)

	// Find reports the tickets with these ids. One that does not exist, or may
	// not be seen, is missing from the answer.
	Find(ctx context.Context, ids ...string) (map[string]Ticket, error)

	// Notes reports the notes of a ticket that carry key. More than one means
	// that a duplicate slipped in.
	Notes(ctx context.Context, ticketID, key string) ([]NoteRef, error)

	// AddNote writes one note with exactly one request, and never repeats it.
	AddNote(ctx context.Context, ticketID string, n Note) (NoteRef, error)

	// Limits reports what the system can take. It does not connect.
	Limits() Limits
}

// A Checker is a System that can tell whether it would work, who it is there,
// and what it cannot see.
type Checker interface {
	Check(ctx context.Context) ([]access.Finding, error)
}

// A Trouble says what can be done about a failed call. Text may be shown.
type Trouble struct {
	Kind  TroubleKind
	After time.Duration // for Throttled: when to try again
	Text  string
	Err   error // for the log only
}

// A TroubleKind is one sort of Trouble.
type TroubleKind string

const (
	Gone          TroubleKind = "gone"          // no such ticket, or not ours to see
	Closed        TroubleKind = "closed"        // the ticket takes no notes
	Forbidden     TroubleKind = "forbidden"     // a right is missing
	Throttled     TroubleKind = "throttled"     // later
	Rejected      TroubleKind = "rejected"      // this content will never be taken
	Misconfigured TroubleKind = "misconfigured" // the connection's settings are wrong
	Doubtful      TroubleKind = "doubtful"      // no answer: it may or may not have taken effect
	Down          TroubleKind = "down"          // could not be reached, so nothing took effect
)

func (t *Trouble) Error() string {
	if t.Err == nil {
		return fmt.Sprintf("%s: %s", t.Kind, t.Text)
	}
	return fmt.Sprintf("%s: %s: %v", t.Kind, t.Text, t.Err)
}

func (t *Trouble) Unwrap() error { return t.Err }

// TroubleOf reports the kind of trouble of err. An error that no connector
// classified is Doubtful, because nobody knows whether it took effect.
func TroubleOf(err error) TroubleKind {
	if t, ok := errors.AsType[*Trouble](err); ok {
		return t.Kind
	}
	return Doubtful
}

// Answered reports whether err, from a call that only asks, is what the system
// said to what it was asked, and no failure to be asked at all.
func Answered(err error) bool {
	kind := TroubleOf(err)
	return kind == Gone || kind == Forbidden || kind == Rejected
}
