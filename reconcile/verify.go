package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"jitney/access"
	"jitney/ticket"
)

// doubted names what is noticed about the ticket of g while it is not verified.
func doubted(g access.Watched) string { return "grant:" + g.Grant }

// verify looks for the tickets that could not be checked when access was asked
// for. One that will do is tied to its grant, and told so; one that will not
// ends the grant. One failure does not keep it from the others.
func (r *round) verify(ctx context.Context, sys ticket.System, found map[string]ticket.Ticket) {
	for _, g := range r.grants {
		if !g.Ticket.Unverified || !r.asked[subject(g)] {
			continue
		}
		if err := r.verifyOne(ctx, sys, g, found); err != nil {
			r.cfg.Log.Warn("could not verify a ticket", "grant", g.Grant, "err", err)
			r.next = min(r.next, watchSoon)
		}
	}
}

func (r *round) verifyOne(ctx context.Context, sys ticket.System, g access.Watched, found map[string]ticket.Ticket) error {
	company, known := r.companies[g.Customer]
	if !known {
		_, connection, _, err := r.Desks(ctx, g.Customer)
		if err == nil && connection != r.connection {
			return r.reject(ctx, g, access.TicketRef{System: r.connection, Number: g.Ticket.Number}, "the customer has another ticket system now")
		}
		if err == nil {
			err = fmt.Errorf("what customer %s is called in its ticket system is not known", g.Customer)
		}
		return err
	}
	t, ok := found[g.Ticket.ID]
	ok = ok && t.ID == g.Ticket.ID && t.Company == company
	if g.Ticket.ID == "" {
		ctx, cancel := context.WithTimeout(ctx, watchLong)
		defer cancel()
		var err error
		if t, ok, err = ticket.Seek(ctx, sys, company, "", g.Ticket.Number); err != nil && !ticket.Answered(err) {
			return err
		}
		ok = ok && err == nil
	} else if r.unknown[g.Ticket.ID] {
		return fmt.Errorf("the ticket system does not tell of ticket %s", g.Ticket.ID)
	}
	person, err := r.Rules.Person(ctx, g.Person)
	if err != nil {
		return err
	}
	ref := access.TicketRef{System: r.connection, ID: t.ID, Number: clean(t.Number, 100), Title: clean(t.Title, 300), URL: g.Ticket.URL}
	name := "ticket " + clean(g.Ticket.Number, 100)
	switch rules := r.policies[g.Policy].Tickets; {
	case !ok:
		return r.unfound(ctx, g, name)
	case !t.Open:
		return r.reject(ctx, g, ref, name+", which was not verified when access was asked for, is closed")
	case rules.Assigned && !person.Called(t.Assignee):
		return r.reject(ctx, g, ref, name+", which was not verified when access was asked for, is not assigned to the requester")
	}
	return r.accept(ctx, g, ref)
}

// unfound ends the grant of a ticket that was looked for twice: one that was
// opened a moment ago is not always listed at once.
func (r *round) unfound(ctx context.Context, g access.Watched, name string) error {
	sign := r.signs[doubted(g)]
	sign.Connection, sign.Ticket = r.connection, doubted(g)
	if sign.Missed++; sign.Missed < missedEnough {
		r.next = min(r.next, watchSoon)
		return r.Watch.Notice(ctx, sign)
	}
	return r.reject(ctx, g, access.TicketRef{System: r.connection, Number: g.Ticket.Number}, name+", which was not verified when access was asked for, is no ticket of this customer")
}

// reject ends a grant whose ticket will not do. Without ID in ref its notes
// have nowhere to go: never to a ticket of somebody else.
func (r *round) reject(ctx context.Context, g access.Watched, ref access.TicketRef, why string) error {
	if err := r.stop(ctx, g, why); err != nil {
		return err
	}
	return r.Watch.SetTicket(ctx, g.Grant, ref, nil, r.event(g, upper(why)+"."))
}

// accept ties a grant to the ticket that was found.
func (r *round) accept(ctx context.Context, g access.Watched, ref access.TicketRef) error {
	now := time.Now().UTC()
	key := "jitney:" + g.Grant + ":ticket:1"
	note := access.Note{Key: key, Grant: g.Grant, Ticket: ref, Subject: "Jitney: Ticket verified", Body: "The number of this ticket was given while the ticket system did not answer.\n" +
		"It was verified at " + now.In(r.cfg.Zone(ctx)).Format("2006-01-02 15:04:05 MST") + ": it is open, and of the same customer.\n[" + key + "]"}
	if err := r.Watch.SetTicket(ctx, g.Grant, ref, []access.Note{note}, r.event(g, "Ticket "+ref.Number+" is verified: open, and of this customer.")); err != nil {
		return err
	}
	return r.Watch.Notice(ctx, access.TicketSign{Connection: r.connection, Ticket: doubted(g)})
}

// upper is text, a phrase of ours, as a sentence begins.
func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
