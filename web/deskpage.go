package web

import (
	"net/http"

	"jitney/access"
	"jitney/broker"
)

// The deskPages are the built-in ticket desk.
type deskPages struct{ *Server }

type deskRow struct {
	ID, Number, Title, Customer, Opened string
	IsOpen                              bool
}

type deskBody struct {
	Rows      []deskRow
	Closed    bool
	Customers []option
	Title     string
	Wrong     []wrongField
	Empty     emptiness
}

func (s deskPages) showDesk(v *visit) error { return s.deskPage(v, http.StatusOK, nil) }

func (s deskPages) deskPage(v *visit, status int, wrong []access.FieldError) error {
	b := deskBody{Closed: v.form("closed") != "", Title: v.form("title"), Wrong: wrongOf(wrong),
		Empty: emptiness{Icon: "ticket", Title: "No open ticket", Text: "A request needs one. Open it here."}}
	tickets, err := s.Broker.Desk.Tickets(v.ctx(), v.Person, "", b.Closed)
	if err != nil {
		return err
	}
	names, err := s.customerNames(v)
	if err != nil {
		return err
	}
	for _, t := range tickets {
		b.Rows = append(b.Rows, deskRow{ID: t.ID, Number: t.Number, Title: t.Title, Customer: names[t.Customer], Opened: v.Short(t.OpenedAt), IsOpen: t.ClosedAt.IsZero()})
	}
	if v.Person.Is(access.Administrator) || v.Person.Is(access.Requester) {
		if b.Customers, err = s.customerOptions(v, v.form("customer")); err != nil {
			return err
		}
	}
	if len(b.Customers) == 0 {
		b.Empty.Text = "A ticket belongs to a customer, and you have none yet."
	}
	return s.show(v, status, "desk", "Ticket desk", b)
}

func (s deskPages) openTicket(v *visit) error {
	if v.form("customer") == "" {
		return s.deskPage(v, http.StatusUnprocessableEntity, []access.FieldError{{Field: "customer", Text: "Customer is required."}})
	}
	t, err := s.Broker.Desk.Open(v.ctx(), v.Person, v.form("customer"), v.form("title"))
	if fields := broker.FieldsOf(err); len(fields) > 0 {
		return s.deskPage(v, http.StatusUnprocessableEntity, fields)
	}
	if err != nil {
		return err
	}
	return v.back("/desk/"+t.ID, "opened")
}

type deskTicketBody struct {
	ID, Number, Title, Customer, CustomerID, Opened string
	IsOpen, May                                     bool
	Notes                                           []deskNote
	Empty                                           emptiness
}

type deskNote struct{ Subject, Body, At string }

func (s deskPages) showTicket(v *visit) error {
	p, err := s.Broker.Desk.Ticket(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	names, err := s.customerNames(v)
	if err != nil {
		return err
	}
	t := p.Ticket
	b := deskTicketBody{ID: t.ID, Number: t.Number, Title: t.Title, Customer: names[t.Customer], CustomerID: t.Customer, Opened: v.Zoned(t.OpenedAt),
		IsOpen: t.ClosedAt.IsZero(), May: p.May, Empty: emptiness{Icon: "message-square", Title: "No notes yet", Text: "Jitney writes one when access begins, and one when it was read back as gone."}}
	for _, n := range p.Notes {
		b.Notes = append(b.Notes, deskNote{Subject: n.Subject, Body: n.Body, At: v.Zoned(n.At)})
	}
	return s.show(v, http.StatusOK, "deskticket", t.Number, b)
}

func (s deskPages) closeTicket(v *visit) error {
	t, err := s.Broker.Desk.Close(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.back("/desk/"+t.ID, "closed")
}

func (s deskPages) reopenTicket(v *visit) error {
	t, err := s.Broker.Desk.Reopen(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.back("/desk/"+t.ID, "opened")
}
