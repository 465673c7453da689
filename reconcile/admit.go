package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jitney/access"
)

// admit checks again, right before they are given, the grants that were never
// read back as usable: ticket, policy, person and target may have changed
// since they were asked for. What is not allowed any more is stopped. What
// cannot be told now, because the ticket system does not answer, is left out
// of this look and of what it gives; l.doubt says why.
func (l *look) admit(ctx context.Context) error {
	now := time.Now().UTC()
	l.asked = now
	kept := l.c.Grants[:0:0]
	for _, g := range l.c.Grants {
		if !g.Wanted(now) || !g.VerifiedAt.IsZero() {
			kept = append(kept, g)
			continue
		}
		no, err := l.refusal(ctx, g)
		var doubt *doubtful
		switch {
		case errors.As(err, &doubt):
			l.doubt = doubt.Unwrap()
			continue
		case err != nil:
			return err
		case no != "":
			g.StoppedAt, g.StoppedBy, g.StopCause, g.StopReason = time.Now().UTC(), "jitney", access.ByRefusal, no
			l.event(g, access.EventStopped, "Not given after all: "+no)
		}
		kept = append(kept, g)
	}
	l.c.Grants = kept
	return nil
}

// A doubtful is an error for which a grant waits and nothing else does.
type doubtful struct{ err error }

func (d *doubtful) Error() string { return d.err.Error() }
func (d *doubtful) Unwrap() error { return d.err }

// refusal reports why g must not be given, in a sentence, or nothing.
func (l *look) refusal(ctx context.Context, g access.Grant) (string, error) {
	if !l.where.DisabledAt.IsZero() {
		return "the target takes no new access any more.", nil
	}
	right, ok := l.kind.Find(settingsOf(l.where), g.Entitlement)
	if !ok {
		return "the target does not offer " + clean(g.Entitlement, 80) + ".", nil
	}
	person, err := l.r.Rules.Person(ctx, g.Requester)
	switch {
	case err != nil && access.KindOf(err) != access.NotFound:
		return "", fmt.Errorf("read person %s: %w", g.Requester, err)
	case err != nil || !person.DisabledAt.IsZero():
		return "the requester may not sign in any more.", nil
	case !person.Is(access.Requester) || !person.WorksFor(g.Customer):
		return "the requester does not work for this customer any more.", nil
	case right.Admin && !person.Is(access.Administrator):
		return "the requester is no administrator any more.", nil
	}
	policy, err := l.r.Rules.Policy(ctx, g.Policy)
	switch {
	case err != nil && access.KindOf(err) != access.NotFound:
		return "", fmt.Errorf("read policy %s: %w", g.Policy, err)
	case err != nil:
		return "its policy is gone.", nil
	case policy.NeedsApproval && g.ApprovedBy == "policy":
		return "the policy asks for approval now.", nil
	}
	if wrong := policy.Check(g.Request); len(wrong) > 0 {
		return "the policy does not allow it any more. " + wrong[0].Text, nil
	}
	if g.Ticket.ID == "" { // the policy, which was just asked, lets it come without
		return "", nil
	}
	no, err := l.ticketRefusal(ctx, g, person, policy)
	if errors.As(err, new(*doubtful)) && g.Ticket.Unverified { // which the policy, that was just asked, allows
		return "", nil
	}
	return no, err
}

// ticketRefusal asks the ticket system whether the ticket is still there, open,
// of the same company, and assigned to the requester if the policy says so.
func (l *look) ticketRefusal(ctx context.Context, g access.Grant, person access.Person, policy access.Policy) (string, error) {
	ctx, cancel := context.WithDeadline(ctx, l.asked.Add(l.r.cfg.Ticket)) // of all grants together: an end may wait behind them
	defer cancel()
	unsure := func(err error) error {
		return &doubtful{&access.Error{Kind: access.Conflict, Text: "The ticket system did not answer, so the ticket could not be checked before giving access.",
			Hint: "Jitney tries again by itself.", Err: err}}
	}
	sys, connection, company, err := l.r.Desks(ctx, g.Customer)
	switch {
	case err != nil && access.KindOf(err) == access.NotFound:
		return "the customer has no ticket system any more.", nil
	case err != nil:
		return "", unsure(err)
	case connection != g.Ticket.System:
		return "the customer has another ticket system now.", nil
	}
	found, err := sys.Find(ctx, g.Ticket.ID)
	if err != nil {
		return "", unsure(err)
	}
	t, ok := found[g.Ticket.ID]
	switch {
	case !ok || t.ID != g.Ticket.ID:
		return "the ticket is not there any more.", nil
	case t.Company != company:
		return "the ticket belongs to another company now.", nil
	case !t.Open:
		return "the ticket is closed.", nil
	case policy.Tickets.Assigned && !person.Called(t.Assignee):
		return "the ticket is not assigned to the requester, as the policy demands.", nil
	}
	return "", nil
}
