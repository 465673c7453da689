package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/ticket"
)

// The kinds of work that follow the note of an end, where the policy says so.
const (
	WorkTime   = "time"
	WorkStatus = "status"
)

// settle queues what is to be done on the ticket of g, which has ended: to
// book its time, and to give the ticket its next status.
func (l scribe) settle(ctx context.Context, g access.Grant) {
	if g.Ticket.ID == "" || g.Ticket.Unverified || g.VerifiedAt.IsZero() {
		return
	}
	policy, err := l.r.policies.get(ctx, g.Policy)
	if err != nil {
		l.r.cfg.Log.Warn("could not read what a policy says of tickets", "grant", g.ID, "err", err)
		return
	}
	if rules := policy.Tickets; rules.TimeEntry {
		to := g.EndsAt()
		minutes := max(1, int64((to.Sub(g.VerifiedAt)+time.Minute-1)/time.Minute))
		l.queue(WorkTime, access.Note{Grant: g.ID, Ticket: g.Ticket, Subject: "Jitney: Time of the access", Minutes: minutes, From: g.VerifiedAt, To: to,
			Body: fmt.Sprintf("Access with %s, %s", l.username(), access.Length(time.Duration(minutes)*time.Minute))})
	}
	if policy.Tickets.Status != "" && g.ContinuedBy == "" {
		l.queue(WorkStatus, access.Note{Grant: g.ID, Ticket: g.Ticket, Subject: "Jitney: Status of the ticket", Status: policy.Tickets.Status})
	}
}

// queue queues work on a ticket, behind the notes of its lane.
func (l scribe) queue(kind string, n access.Note) {
	n.Key = fmt.Sprintf("jitney:%s:%s:1", n.Grant, kind)
	if n.Body != "" {
		n.Body += "\n[" + n.Key + "]"
	}
	payload, err := json.Marshal(n)
	if err != nil {
		l.r.cfg.Log.Error("cannot queue what is to be done on a ticket", "grant", n.Grant, "err", err)
		return
	}
	l.change.Work = append(l.change.Work, access.Work{Kind: kind, Key: n.Key, Group: n.Ticket.System, Lane: n.Ticket.System + "/" + n.Ticket.ID, Grant: n.Grant, Payload: payload})
}

// A timesheet is a ticket system in which notes are entries of time, so that
// they are booked exactly once by the same steps.
type timesheet struct {
	ticket.System
	timer ticket.Timer
	note  access.Note
}

func (s timesheet) Notes(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	return s.timer.Times(ctx, ticketID, key)
}

func (s timesheet) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	return s.timer.BookTime(ctx, ticketID, ticket.TimeEntry{Key: n.Key, Text: n.Body, Minutes: s.note.Minutes, From: s.note.From, To: s.note.To})
}

// A settler does what follows an end on its ticket.
type settler struct{ *Reconciler }

// quietly says that something is done without anything having been written.
func (r settler) quietly(ctx context.Context, item schedule.Item[access.Work], result string) (schedule.Result, error) {
	kctx, cancel := r.keep(ctx)
	defer cancel()
	if err := r.Outbox.Finish(kctx, item.Lease, result, false); err != nil {
		return schedule.Result{}, fmt.Errorf("record what became of %s: %w", item.Value.Key, err)
	}
	return schedule.Recorded(), nil
}

// foreign says why t, the ticket of n, is not the customer's any more; nothing
// if it is.
func (r settler) foreign(ctx context.Context, n access.Note, t ticket.Ticket) (string, error) {
	g, err := r.Grants.Grant(ctx, n.Grant)
	if err != nil {
		return "", fmt.Errorf("read grant %s: %w", n.Grant, err)
	}
	_, connection, company, err := r.Desks(ctx, g.Customer)
	switch kind := access.KindOf(err); {
	case kind == access.Invalid || kind == access.NotFound:
		return "It is not known any more what the customer is called in the ticket system", nil
	case err != nil:
		return "", fmt.Errorf("find the ticket system of customer %s: %w", g.Customer, err)
	case connection != n.Ticket.System:
		return "The customer has another ticket system now", nil
	case t.ID != n.Ticket.ID || t.Company != company:
		return "The ticket belongs to another company now", nil
	}
	return "", nil
}

// move gives a ticket its next status. One that is closed, or another
// company's by now, stays as it is, and one that other live access hangs on
// keeps its status: closing it would end that.
func (r settler) move(ctx context.Context, item schedule.Item[access.Work], sys ticket.System, n access.Note) (schedule.Result, error) {
	mover, ok := ticket.As[ticket.Mover](sys)
	if !ok {
		return r.quietly(ctx, item, "This ticket system cannot be asked for another status.")
	}
	if r.Watch != nil {
		live, _, err := r.Watch.Watched(ctx, n.Ticket.System)
		if err != nil {
			return schedule.Result{}, err
		}
		for _, g := range live {
			if g.Ticket.ID == n.Ticket.ID && g.Grant != n.Grant {
				return r.quietly(ctx, item, "Other access hangs on the ticket, so its status stays.")
			}
		}
	}
	found, err := sys.Find(ctx, n.Ticket.ID)
	if err != nil {
		return r.noteTrouble(ctx, item, n, err, false)
	}
	switch t, ok := found[n.Ticket.ID]; {
	case !ok || !t.Open:
		return r.quietly(ctx, item, "The ticket is closed already.")
	case t.MergedInto != "": // it would be the status of the other one, on which other access may hang
		return r.quietly(ctx, item, "The ticket was merged into another one, whose status stays.")
	}
	why, err := r.foreign(ctx, n, found[n.Ticket.ID])
	if err != nil {
		return schedule.Result{}, err
	}
	if why != "" {
		return r.quietly(ctx, item, why+", so its status stays.")
	}
	if err := mover.SetStatus(ctx, n.Ticket.ID, n.Status); err != nil {
		return r.noteTrouble(ctx, item, n, err, true)
	}
	return r.quietly(ctx, item, n.Status)
}
