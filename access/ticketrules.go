package access

import (
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultCloseGrace is how long access goes on after its ticket was closed,
// where a policy does not say otherwise.
const DefaultCloseGrace = 5 * time.Minute

// TicketRules are what a policy says of tickets. The ticket is the authority
// for the access; how far that goes is for each policy to say.
type TicketRules struct {
	Unverified bool          // while the ticket system does not answer, a number that was typed will do, and is checked later
	Assigned   bool          // the ticket must be assigned to the requester
	EndOnClose bool          // closing the ticket ends the access
	CloseGrace time.Duration // that much later, unless it is opened again; whole minutes, 0 for at once
	TimeEntry  bool          // the time of the access is booked on the ticket when it has ended
	Status     string        // the ticket gets this status when the access has ended; empty to leave it
}

func (t TicketRules) valid() error {
	switch {
	case t.CloseGrace < 0 || t.CloseGrace > Ceiling || t.CloseGrace%time.Minute != 0:
		return &Error{Kind: Invalid, Text: "Access may go on for 0 to 1440 whole minutes after its ticket was closed."}
	case utf8.RuneCountInString(t.Status) > 100 || strings.ContainsFunc(t.Status, func(r rune) bool { return r < ' ' }):
		return &Error{Kind: Invalid, Text: "The status that tickets get is a name of up to 100 characters."}
	}
	return nil
}

// ticketless says why p does not do with what is known of a ticket; nothing if
// it does.
func (p Policy) ticketless(t TicketRef) string {
	switch {
	case t.Unverified && !p.Tickets.Unverified:
		return "The policy " + p.Title + " asks for a ticket that was checked."
	case t.ID == "" && !t.Unverified && !p.NoTicket:
		return "Ticket is required."
	}
	return ""
}

// Called reports whether a ticket system that calls somebody name means p: by
// the login, what stands in it before the @, or the name, without regard to
// case.
func (p Person) Called(name string) bool {
	name = strings.TrimSpace(name)
	short, _, _ := strings.Cut(p.Login, "@")
	for _, own := range []string{p.Login, short, p.Name} {
		if name != "" && strings.EqualFold(strings.TrimSpace(own), name) {
			return true
		}
	}
	return false
}
