package broker

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"jitney/access"
	"jitney/ticket"
)

// A TicketTrouble is the field error text when the ticket system gave no answer.
const TicketTrouble = "The ticket system did not answer, so the ticket could not be checked. Try again in a moment."

// noSuchTicket is the one answer for a ticket that does not exist and for one
// of another customer.
const noSuchTicket = "Choose an open ticket of this customer."

// submitPatience is how long a request that is sent waits for the ticket system.
const submitPatience = 8 * time.Second

// checkTicket finds the ticket, and believes neither that it is open nor whose
// it is before it has seen both. A preview takes the word of the list.
func (a clerk) checkTicket(ctx context.Context, s Submission, c *checked) error {
	s.Ticket, s.Number = strings.TrimSpace(s.Ticket), strings.TrimPrefix(strings.TrimSpace(s.Number), "#")
	switch none := s.Ticket == "" && s.Number == ""; {
	case none && c.Preview.Policy.NoTicket:
		return nil
	case none:
		c.wrong("ticket", "Ticket is required.")
		return nil
	case c.customer.ID == "" || len(s.Ticket) > 200 || len(s.Number) > 100 || clip(s.Number, 100) != s.Number:
		c.wrong("ticket", noSuchTicket)
		return nil
	}
	sys, connection, company, err := a.Desks(ctx, c.customer.ID)
	if err != nil {
		c.wrong("ticket", unmapped(err))
		return ctx.Err()
	}
	if a.brief && s.Ticket != "" {
		if t, ok := a.listed(ctx, connection, company, s.Ticket); ok {
			a.judge(ctx, c, connection, t)
			return nil
		}
	}
	patience := submitPatience
	if a.brief {
		patience = listPatience
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t, found, err := ticket.Seek(within, sys, company, s.Ticket, s.Number)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !ticket.Answered(err):
		a.unanswered(ctx, s, c, connection, company)
	case err != nil || !found:
		c.wrong("ticket", noSuchTicket)
	default:
		a.judge(ctx, c, connection, t)
	}
	return nil
}

// unmapped is why there is no ticket system to ask.
func unmapped(err error) string {
	if e, ok := errors.AsType[*access.Error](err); ok && e.Kind == access.Invalid {
		return strings.TrimSpace(e.Text + " " + e.Hint)
	}
	return TicketTrouble
}

// judge takes t, a ticket of the customer, or says why it will not do.
func (a clerk) judge(ctx context.Context, c *checked, connection string, t ticket.Ticket) {
	name := clip(strings.TrimPrefix(t.Number, "#"), 100)
	switch {
	case !t.Open && t.MergedInto != "":
		c.wrong("ticket", "Ticket "+name+" was merged into one that is closed. Choose an open one.")
	case !t.Open:
		c.wrong("ticket", "Ticket "+name+" is closed. Choose an open one, or open it again in the ticket system.")
	case c.Preview.Policy.Tickets.Assigned && !c.who.Called(t.Assignee):
		c.wrong("ticket", unassigned(name, t.Assignee))
	default:
		c.Ticket, c.ref = t, refOf(connection, t)
		c.ref.URL = a.link(ctx, connection, t.URL)
		if t.MergedInto != "" {
			c.TicketNote = "It was merged into another ticket, which the ticket system shows in its place."
		}
	}
}

// unassigned says why a ticket of somebody else will not do.
func unassigned(number, assignee string) string {
	if assignee = clip(strings.TrimSpace(assignee), 100); assignee == "" {
		return "Ticket " + number + " is assigned to nobody, and the policy asks for one of yours. Assign it to yourself in the ticket system."
	}
	return "Ticket " + number + " is assigned to " + assignee + ", and the policy asks for one of yours. Have it assigned to you in the ticket system."
}

// ticketWords name a ticket in a sentence.
func ticketWords(t access.TicketRef) string {
	switch {
	case t.None():
		return "without a ticket"
	case t.Unverified:
		return "ticket " + t.Number + ", not verified"
	}
	return "ticket " + t.Number
}

// refOf ties to t.
func refOf(connection string, t ticket.Ticket) access.TicketRef {
	return access.TicketRef{System: connection, ID: t.ID, Number: clip(t.Number, 100), Title: clip(t.Title, 300)}
}

// unanswered takes what was asked for as unverified where the policy allows it.
func (a clerk) unanswered(ctx context.Context, s Submission, c *checked, connection, company string) {
	if !c.Preview.Policy.Tickets.Unverified {
		c.wrong("ticket", TicketTrouble)
		return
	}
	t, ok := a.listed(ctx, connection, company, s.Ticket)
	switch {
	case ok && c.Preview.Policy.Tickets.Assigned && !c.who.Called(t.Assignee):
		c.wrong("ticket", unassigned(clip(strings.TrimPrefix(t.Number, "#"), 100), t.Assignee))
		return
	case ok:
		c.Ticket, c.ref = t, refOf(connection, t)
		c.ref.URL = a.link(ctx, connection, t.URL)
	case s.Number != "":
		c.Ticket = ticket.Ticket{Number: s.Number}
		c.ref = access.TicketRef{System: connection, Number: s.Number}
	default:
		c.wrong("ticket", TicketTrouble)
		return
	}
	c.ref.Unverified = true
	c.TicketNote = "The ticket system does not answer, so the ticket is not verified. It is checked as soon as it answers, and the access ends if it will not do."
}

// listed finds a ticket in what the system told of the company last.
func (a clerk) listed(ctx context.Context, connection, company, id string) (ticket.Ticket, bool) {
	if a.Shelf == nil || id == "" || connection == BuiltInDesk {
		return ticket.Ticket{}, false
	}
	known, err := a.Shelf.TicketList(ctx, connection, company)
	if err != nil {
		return ticket.Ticket{}, false
	}
	for _, t := range known.Tickets {
		if t.ID == id {
			return ticket.Ticket{ID: t.ID, Number: t.Number, Title: t.Title, Company: company, Status: t.Status, Open: true, URL: t.URL, Assignee: t.Assignee,
				OpenedAt: t.OpenedAt, UpdatedAt: t.UpdatedAt}, true
		}
	}
	return ticket.Ticket{}, false
}

// link is the address of a ticket's page, if it is https and of the
// connection's own site: whatever a ticket system says, nobody is sent
// elsewhere.
func (a clerk) link(ctx context.Context, connection, address string) string {
	if address == "" || connection == BuiltInDesk {
		return ""
	}
	one, err := a.Connections.Connection(ctx, connection)
	if err != nil {
		return ""
	}
	kind, _ := findTicketKind(a.TicketKinds, one.Kind)
	return SafeLink(kind, one, address)
}

// SafeLink is address if it is https and on the site of a connection, and
// otherwise nothing.
func SafeLink(kind ticket.Kind, one access.Connection, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(address) > 1000 || clip(address, 1000) != address {
		return ""
	}
	if base, err := url.Parse(strings.TrimSpace(one.Settings["url"])); err == nil && strings.EqualFold(base.Host, u.Host) {
		return u.String()
	}
	for _, site := range kind.Sites {
		if strings.HasSuffix(strings.ToLower(u.Host), "."+site) {
			return u.String()
		}
	}
	return ""
}
