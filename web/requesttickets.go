package web

import (
	"fmt"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
)

// listTickets offers the open tickets of the chosen customer, newest first.
// The address may name one by its number. A ticket system that does not answer
// holds nobody up: then what it told last is listed, with its age.
func (s requests) listTickets(v *visit, b *requestBody, sub *broker.Submission) error {
	rules := b.chosen.Policy
	b.NoTicket = b.chosen.Target.ID != "" && rules.NoTicket
	if sub.Customer == "" {
		b.TicketPrompt = "Choose a customer first"
		return nil
	}
	b.TicketFind = v.form("find")
	if v.form("refresh") == "clear" {
		b.TicketFind = ""
	}
	l, err := s.Broker.Access.TicketList(v.ctx(), v.Person, sub.Customer, broker.TicketQuery{Text: b.TicketFind, Refresh: v.form("refresh") == "tickets", Chosen: sub.Ticket})
	if err != nil {
		return err
	}
	b.TicketSearch = l.All > 8 || l.More || b.TicketFind != ""
	b.TicketTyped = l.Trouble != "" && rules.Tickets.Unverified && b.chosen.Target.ID != ""
	if b.TicketNumber = sub.Number; !b.TicketTyped {
		sub.Number = ""
	}
	b.chooseTicket(v, l, sub)
	if l.Trouble != "" && l.All == 0 {
		b.TicketPrompt = "No tickets to choose from"
	} else if len(b.Tickets) == 0 && b.TicketFind == "" {
		b.TicketPrompt = "This customer has no open ticket"
	}
	b.TicketsHint, b.TicketsOld = ticketsHint(v, b, l), l.Trouble != ""
	return nil
}

// chooseTicket lists what matches, and what was chosen before.
func (b *requestBody) chooseTicket(v *visit, l broker.TicketList, sub *broker.Submission) {
	switch {
	case l.Chosen.ID != "":
		sub.Ticket = l.Chosen.ID
	case sub.Ticket != "" && (l.Trouble != "" || l.More): // nobody knows
		l.Chosen = access.OpenTicket{ID: sub.Ticket, Number: sub.Ticket}
	default:
		sub.Ticket = ""
	}
	listed := false
	for _, t := range l.Tickets[:min(len(l.Tickets), mostTickets)] {
		listed = listed || t.ID == sub.Ticket
		b.Tickets = append(b.Tickets, ticketOption(v, t, t.ID == sub.Ticket))
	}
	if !listed && sub.Ticket != "" {
		b.Tickets = append([]option{ticketOption(v, l.Chosen, true)}, b.Tickets...)
	}
	if b.TicketFind != "" && len(l.Tickets) == 0 {
		b.TicketPrompt = "No ticket matches"
	}
}

// ticketOption is one ticket: number and title, then its state and age.
func ticketOption(v *visit, t access.OpenTicket, chosen bool) option {
	var more []string
	if t.Status != "" {
		more = append(more, t.Status)
	}
	if at := t.OpenedAt; !at.IsZero() {
		more = append(more, age(v.now.Sub(at)))
	}
	label := ticketLabel(t.Number, t.Title)
	if len(more) > 0 {
		label += " (" + strings.Join(more, ", ") + ")"
	}
	return option{Value: t.ID, Label: label, Selected: chosen}
}

func ticketLabel(number, title string) string {
	if title == "" {
		return number
	}
	return number + " - " + title
}

// age writes how old something is, shortly.
func age(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min", max(0, int(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// ticketsHint says how many there are, and of when.
func ticketsHint(v *visit, b *requestBody, l broker.TicketList) string {
	if l.Trouble != "" && l.ReadAt.IsZero() {
		return l.Trouble + " Press Refresh to try again."
	}
	all := fmt.Sprintf("%d open", l.All)
	if l.More {
		all = fmt.Sprintf("more than %d open", l.All)
	}
	shown := min(len(l.Tickets), mostTickets)
	switch {
	case b.TicketFind != "" && len(l.Tickets) > shown:
		all = fmt.Sprintf("%d of %s match, the newest %d are listed", len(l.Tickets), all, shown)
	case b.TicketFind != "":
		all = fmt.Sprintf("%d of %s match", len(l.Tickets), all)
	case len(l.Tickets) > shown:
		all += fmt.Sprintf(", the newest %d are listed; search finds the others", shown)
	}
	switch {
	case l.Trouble != "":
		return l.Trouble + " The list is as of " + v.Zoned(l.ReadAt) + ": " + all + "."
	case v.now.Sub(l.ReadAt) > 5*time.Second:
		return broker.Capital(all) + ", as of " + v.Second(l.ReadAt) + "."
	}
	return broker.Capital(all) + ", read just now."
}
