package broker

import (
	"context"
	"strings"
	"time"

	"jitney/access"
)

// The kinds of event of the built-in desk.
const (
	EventTicketOpened   = "ticket.opened"
	EventTicketClosed   = "ticket.closed"
	EventTicketReopened = "ticket.reopened"
)

// A Deskbook is the built-in ticket desk: requesters open and close tickets of
// the customers they work for, administrators of all.
type Deskbook struct {
	desk      Desk
	gate      gate
	customers Customers
}

// A DeskPage is one ticket with its notes.
type DeskPage struct {
	Ticket access.DeskTicket
	Notes  []access.DeskNote // oldest first
	May    bool              // open and close it
}

// Tickets lists tickets of one customer, or of all that who sees.
func (d *Deskbook) Tickets(ctx context.Context, who access.Person, customer string, closed bool) ([]access.DeskTicket, error) {
	if err := allow(who); err != nil {
		return nil, err
	}
	if customer != "" && !sees(who, customer) {
		return nil, notFound()
	}
	all, err := d.desk.DeskTickets(ctx, customer, closed)
	if err != nil {
		return nil, err
	}
	var seen []access.DeskTicket
	for _, t := range all {
		if sees(who, t.Customer) {
			seen = append(seen, t)
		}
	}
	return seen, nil
}

// Ticket reads one ticket with its notes.
func (d *Deskbook) Ticket(ctx context.Context, who access.Person, id string) (DeskPage, error) {
	t, err := d.visible(ctx, who, id)
	if err != nil {
		return DeskPage{}, err
	}
	notes, err := d.desk.DeskNotes(ctx, id)
	return DeskPage{Ticket: t, Notes: notes, May: tends(who, t.Customer)}, err
}

// Open makes a new ticket.
func (d *Deskbook) Open(ctx context.Context, who access.Person, customer, title string) (access.DeskTicket, error) {
	who, err := d.gate.fresh(ctx, who)
	if err != nil {
		return access.DeskTicket{}, err
	}
	if _, err := d.customers.Customer(ctx, customer); err != nil {
		return access.DeskTicket{}, hide(err)
	}
	if !tends(who, customer) {
		return access.DeskTicket{}, notFound()
	}
	if title = strings.TrimSpace(clip(title, 200)); title == "" {
		return access.DeskTicket{}, invalid("title", "Title is required.")
	}
	now := time.Now().UTC()
	t := access.DeskTicket{ID: newID(), Customer: customer, Title: title, OpenedBy: who.ID, OpenedAt: now, UpdatedAt: now}
	t, err = d.desk.SaveDeskTicket(ctx, t, by(who, EventTicketOpened, customer, "", t.ID, "Opened a ticket: "+title))
	return t, hide(err)
}

// Close closes a ticket; closing a closed one changes nothing.
func (d *Deskbook) Close(ctx context.Context, who access.Person, id string) (access.DeskTicket, error) {
	return d.set(ctx, who, id, true)
}

// Reopen opens a closed ticket again.
func (d *Deskbook) Reopen(ctx context.Context, who access.Person, id string) (access.DeskTicket, error) {
	return d.set(ctx, who, id, false)
}

func (d *Deskbook) set(ctx context.Context, who access.Person, id string, closed bool) (access.DeskTicket, error) {
	who, err := d.gate.fresh(ctx, who)
	if err != nil {
		return access.DeskTicket{}, err
	}
	t, err := d.visible(ctx, who, id)
	switch {
	case err != nil:
		return access.DeskTicket{}, err
	case !tends(who, t.Customer):
		return access.DeskTicket{}, denied("Only requesters of this customer and administrators open and close tickets.", "")
	case closed != t.ClosedAt.IsZero():
		return t, nil
	}
	kind, text := EventTicketReopened, "Opened ticket "+t.Number+" again."
	t.UpdatedAt, t.ClosedAt = time.Now().UTC(), time.Time{}
	if closed {
		kind, text, t.ClosedAt = EventTicketClosed, "Closed ticket "+t.Number+".", t.UpdatedAt
	}
	t, err = d.desk.SaveDeskTicket(ctx, t, by(who, kind, t.Customer, "", t.ID, text))
	return t, hide(err)
}

func (d *Deskbook) visible(ctx context.Context, who access.Person, id string) (access.DeskTicket, error) {
	t, err := d.desk.DeskTicket(ctx, id)
	switch {
	case err != nil:
		return t, hide(err)
	case !sees(who, t.Customer):
		return access.DeskTicket{}, notFound()
	}
	return t, nil
}

// tends reports whether who may open and close tickets of the customer.
func tends(who access.Person, customer string) bool {
	return asks(who, customer) || who.DisabledAt.IsZero() && who.Is(access.Administrator)
}
