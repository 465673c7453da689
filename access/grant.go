package access

import "time"

// A TicketRef is the ticket that a request is tied to, as it was when asked.
type TicketRef struct {
	System string // ID of the ticket system's connection; "desk" is the built-in one
	ID     string // the system's own immutable id
	Number string // what people call it
	Title  string
	URL    string // of its page in its own system, https; empty if none is known

	// Unverified says that the ticket system did not answer when access was
	// asked for. ID is empty if only the number was typed.
	Unverified bool
}

// None reports whether t stands for no ticket at all.
func (t TicketRef) None() bool { return t.ID == "" && t.Number == "" }

// A Request is what a person asked for. It never changes once submitted.
type Request struct {
	Requester   string // ID of the person
	Customer    string // ID of the customer whose target is entered
	Target      string // ID of the target at that customer
	Entitlement string // what one gets there, as the connector names it, such as "domain-admin"
	Ticket      TicketRef
	Reason      string
	Duration    time.Duration // whole minutes
}

// A Cause says why a grant stopped before or at its end.
type Cause string

const (
	NotOver      Cause = ""
	ByExpiry     Cause = "expired"       // its time was reached
	ByHolder     Cause = "ended early"   // the requester was done
	ByRevoking   Cause = "revoked"       // an administrator ended it
	ByDrift      Cause = "drift"         // somebody took the access away on the target
	ByLapse      Cause = "lapsed"        // never became usable in the time allowed for that
	ByRefusal    Cause = "refused"       // ticket, policy or person no longer allowed it when it was to be given
	ByTicket     Cause = "ticket closed" // the ticket was closed, or is not what it was taken for
	ByDenial     Cause = "denied"        // an approver said no
	ByWithdrawal Cause = "withdrawn"     // the requester took the request back before approval
)

// A Grant is a submitted Request and everything that became of it.
type Grant struct {
	ID string
	Request
	Policy        string // name of the policy that allowed it
	PolicyVersion int64
	Account       string // ID of the temporary account that carries it

	// Written by people, through package broker.
	Patience    time.Duration // how long its end may take before that is a fault; zero means OverdueAfter
	SubmittedAt time.Time
	ApprovedAt  time.Time     // zero until approved
	ApprovedBy  string        // person ID, or "policy"
	StartBy     time.Time     // not verified by then: it lapses
	Extension   time.Duration // added to Duration by extending
	StoppedAt   time.Time     // zero unless it was stopped before its time
	StoppedBy   string        // person ID, or "jitney"
	StopCause   Cause
	StopReason  string // what the one who stopped it said

	// Written by package reconcile only.
	VerifiedAt  time.Time // first read back as present: its clock starts
	LostAt      time.Time // since when the access is missing although wanted; zero if it is not
	RemovingAt  time.Time // when clean-up began
	OverdueAt   time.Time // when people were told that it does not end
	EndedAt     time.Time // when the target was read back without it
	ContinuedBy string    // ID of the grant under which the same access goes on; then EndedAt is no proof of absence
	Blocked     string    // what keeps it from ending until a person helps, such as "purge refused"; empty if nothing does
	Findings    []string  // what was found beyond the grant, one sentence each

	Version int64 // raised by every update
}

// A State is what a grant looks like to people. It is computed, never stored.
type State string

const (
	Pending   State = "pending"   // waits for approval
	Starting  State = "starting"  // approved, not yet read back as usable
	Active    State = "active"    // read back as usable
	Expiring  State = "expiring"  // active, with little time left
	Ending    State = "ending"    // should be gone, not yet read back as gone
	Overdue   State = "overdue"   // ending for longer than it may
	Blocked   State = "blocked"   // ending, and a person must help; Grant.Blocked says with what
	Ended     State = "ended"     // read back as gone
	Continued State = "continued" // over, but the same access goes on under another grant
	NotGiven  State = "not given" // denied, withdrawn, refused or lapsed, and nothing is there
)

// OverdueAfter is how long a grant may be ending before that is a fault, where
// the kind of target does not say otherwise.
const OverdueAfter = time.Minute

// Late reports whether g should have ended for longer than it may take.
func (g Grant) Late(now time.Time) bool {
	after := OverdueAfter
	if g.Patience > 0 {
		after = g.Patience
	}
	return g.EndedAt.IsZero() && !g.ApprovedAt.IsZero() && !g.Wanted(now) && now.Sub(g.EndsAt()) > after
}

// ExpiresAt is the instant at which g ends by itself; zero until its clock runs.
func (g Grant) ExpiresAt() time.Time {
	if g.VerifiedAt.IsZero() {
		return time.Time{}
	}
	return g.VerifiedAt.Add(g.Duration + g.Extension)
}

// EndsAt is the instant from which the target should show nothing of g: when
// it was stopped, when it expires, or when it lapses. Zero means not decided,
// because g waits for approval.
func (g Grant) EndsAt() time.Time {
	end := g.StartBy
	if !g.VerifiedAt.IsZero() {
		end = g.ExpiresAt()
	}
	switch {
	case !g.StoppedAt.IsZero() && (end.IsZero() || g.StoppedAt.Before(end)):
		return g.StoppedAt
	case g.ApprovedAt.IsZero():
		return time.Time{}
	default:
		return end
	}
}

// Wanted reports whether the target should show the access of g at now.
func (g Grant) Wanted(now time.Time) bool {
	return g.EndedAt.IsZero() && !g.ApprovedAt.IsZero() && g.StoppedAt.IsZero() && now.Before(g.EndsAt())
}

// State computes what g looks like at now.
func (g Grant) State(now time.Time) State {
	switch {
	case !g.EndedAt.IsZero() && g.ContinuedBy != "":
		return Continued
	case !g.EndedAt.IsZero() && g.VerifiedAt.IsZero():
		return NotGiven
	case !g.EndedAt.IsZero():
		return Ended
	case g.ApprovedAt.IsZero() && g.StoppedAt.IsZero():
		return Pending
	case !g.Wanted(now) && g.Blocked != "":
		return Blocked
	case g.Late(now):
		return Overdue
	case !g.Wanted(now):
		return Ending
	case g.VerifiedAt.IsZero():
		return Starting
	case isExpiring(g.ExpiresAt().Sub(now), g.Duration+g.Extension):
		return Expiring
	default:
		return Active
	}
}

// isExpiring reports whether left of the whole length is little: under ten
// minutes or under a sixth, but never more than half of a short grant.
func isExpiring(left, whole time.Duration) bool {
	return left < min(max(10*time.Minute, whole/6), whole/2)
}

// Cause reports why g is over or ending at now, and NotOver while it is not.
func (g Grant) Cause(now time.Time) Cause {
	end := g.EndsAt()
	switch {
	case !g.StoppedAt.IsZero() && !end.Before(g.StoppedAt):
		return g.StopCause
	case end.IsZero() || now.Before(end) && g.EndedAt.IsZero():
		return NotOver
	case g.VerifiedAt.IsZero():
		return ByLapse
	default:
		return ByExpiry
	}
}
