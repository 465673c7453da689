package broker

import (
	"context"
	"time"

	"jitney/access"
)

// End ends the access of its holder before its time. The holder may always do
// so and needs nobody's leave; a request that still waits for approval is
// withdrawn. Ending what is over already changes nothing and is no error.
func (a *Access) End(ctx context.Context, who access.Person, grantID string) (access.Grant, error) {
	return endFrom(ctx, a, who, grantID, Caller{})
}

// endFrom is [Access.End], and records from where it was called.
func endFrom(ctx context.Context, a *Access, who access.Person, grantID string, from Caller) (access.Grant, error) {
	who, err := a.gate.fresh(ctx, who)
	if err != nil {
		return access.Grant{}, err
	}
	if _, err := a.visible(ctx, who, grantID); err != nil {
		return access.Grant{}, err
	}
	g, err := a.Grants.Update(ctx, grantID, func(g *access.Grant) ([]access.Event, error) {
		if g.Requester != who.ID {
			return nil, denied("Only the person who holds this access can end it early.", "An administrator can revoke it.")
		}
		cause, text := access.ByHolder, "Ended early by the holder."
		if g.ApprovedAt.IsZero() {
			cause, text = access.ByWithdrawal, "Withdrawn by the requester."
		}
		events := stop(g, who, cause, "", text)
		for _, e := range events {
			from.tell(e.Data)
		}
		return events, nil
	})
	return g, hide(err)
}

// stop writes that g is over from now on, unless it is already.
func stop(g *access.Grant, who access.Person, cause access.Cause, reason, text string) []access.Event {
	now := time.Now().UTC()
	if over(*g, now) {
		return nil
	}
	g.StoppedAt, g.StoppedBy, g.StopCause, g.StopReason = now, who.ID, cause, reason
	e := by(who, access.EventStopped, g.Customer, g.ID, g.Target, text)
	e.Data = map[string]string{"cause": string(cause)}
	return []access.Event{e}
}

// over reports whether g has ended or should have.
func over(g access.Grant, now time.Time) bool {
	pending := g.ApprovedAt.IsZero() && g.StoppedAt.IsZero() && g.EndedAt.IsZero()
	return !pending && !g.Wanted(now)
}

// visible reads a grant that who may see.
func (a *Access) visible(ctx context.Context, who access.Person, grantID string) (access.Grant, error) {
	if grantID == "" {
		return access.Grant{}, notFound()
	}
	g, err := a.Grants.Grant(ctx, grantID)
	switch {
	case err != nil:
		return access.Grant{}, hide(err)
	case !seesGrant(who, g):
		return access.Grant{}, notFound()
	}
	return g, nil
}

// EventNoteRetried is the kind of the record that RetryNote leaves.
const EventNoteRetried = "note.retried"

// RetryNote starts a parked ticket note of a grant again.
func (a *Access) RetryNote(ctx context.Context, who access.Person, grantID, workID string) error {
	who, err := a.gate.fresh(ctx, who)
	if err != nil {
		return err
	}
	g, err := a.visible(ctx, who, grantID)
	switch {
	case err != nil:
		return err
	case !who.Is(access.Administrator) && g.Requester != who.ID:
		return denied("Only the requester and administrators can send a note again.", "")
	}
	works, err := a.Notes.WorkOf(ctx, grantID)
	if err != nil {
		return err
	}
	for _, w := range works {
		if w.ID == workID {
			return hide(a.Notes.Retry(ctx, workID, by(who, EventNoteRetried, g.Customer, g.ID, workID, "Sent a ticket note again.")))
		}
	}
	return notFound()
}
