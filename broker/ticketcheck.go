package broker

import (
	"context"
	"errors"

	"jitney/ticket"
)

// A TicketTrouble is the field error text when the ticket system gave no answer.
const TicketTrouble = "The ticket system did not answer, so the ticket could not be checked. Try again in a moment."

// checkTicket finds the ticket, and believes neither that it is open nor whose
// it is before it has seen both.
func (a clerk) checkTicket(ctx context.Context, s Submission, c *checked) error {
	if s.Ticket == "" && c.Preview.Policy.NoTicket {
		return nil
	}
	if s.Ticket == "" || c.customer.ID == "" || len(s.Ticket) > 200 {
		c.wrong("ticket", map[bool]string{true: "Ticket is required.", false: "Choose an open ticket of this customer."}[s.Ticket == ""])
		return nil
	}
	t, connection, err := findTicket(ctx, a.Desks, c.customer.ID, s.Ticket)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errNoTicket):
		c.wrong("ticket", "Choose an open ticket of this customer.")
	case err != nil:
		c.wrong("ticket", TicketTrouble)
	default:
		c.Ticket, c.connection = t, connection
	}
	return nil
}

var errNoTicket = errors.New("no such open ticket of that customer")

func findTicket(ctx context.Context, desks Desks, customer, id string) (ticket.Ticket, string, error) {
	sys, connection, company, err := desks(ctx, customer)
	if err != nil {
		return ticket.Ticket{}, "", err
	}
	found, err := sys.Find(ctx, id)
	if err != nil {
		return ticket.Ticket{}, "", err
	}
	t, ok := found[id]
	if !ok || t.ID != id || t.Company != company || !t.Open {
		return ticket.Ticket{}, "", errNoTicket
	}
	return t, connection, nil
}
