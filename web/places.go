package web

import (
	"net/http"

	"jitney/access"
	"jitney/broker"
)

// The places pages are customers and their targets.
type places struct{ *Server }

type customersBody struct {
	Rows       []customerRow
	CanAdd     bool
	Name, Note string
	Wrong      []wrongField
	Empty      emptiness
}

type customerRow struct {
	ID, Name, Note, Since string
	Archived              bool
}

func (s places) showCustomers(v *visit) error {
	return s.customersPage(v, http.StatusOK, customersBody{})
}

func (s places) customersPage(v *visit, status int, b customersBody) error {
	customers, err := s.Broker.Places.Customers(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	for _, c := range customers {
		b.Rows = append(b.Rows, customerRow{ID: c.ID, Name: c.Name, Note: c.Note, Since: v.Short(c.CreatedAt), Archived: !c.ArchivedAt.IsZero()})
	}
	b.CanAdd = v.Person.Is(access.Administrator)
	b.Empty = emptiness{Icon: "building-2", Title: "No customers yet", Text: "An administrator adds them, and ticks those that you work for."}
	if b.CanAdd {
		b.Empty.Text = "Add the first one. Then connect its Active Directory, Microsoft 365 or AWS, check the connection, and add the people who work for it."
	}
	return s.show(v, status, "customers", "Customers", b)
}

func (s places) addCustomer(v *visit) error {
	c, err := s.Broker.Places.SaveCustomer(v.ctx(), v.Person, access.Customer{Name: v.form("name"), Note: v.form("note")})
	if fields := broker.FieldsOf(err); len(fields) > 0 {
		return s.customersPage(v, http.StatusUnprocessableEntity, customersBody{Name: v.form("name"), Note: v.form("note"), Wrong: wrongOf(fields)})
	}
	if err != nil {
		return err
	}
	return v.back("/customers/"+c.ID, "created")
}

// wrongOf lists complaints about fields whose ids are their names.
func wrongOf(fields []access.FieldError) (out []wrongField) {
	for _, f := range fields {
		out = append(out, wrongField{Anchor: f.Field, Text: f.Text})
	}
	return out
}

type targetCard struct {
	ID, Name, Kind, Icon, Policy, Checked, Offers string
	Sessions                                      bool // of which the visitor may have them
	Disabled, Unfinished                          bool // Unfinished: people must consent, and it was never checked
	Settings                                      []option
	Found                                         *foundView
}

type customerBody struct {
	ID, Name, NameValue, Note string
	Link                      string // to the form, for tickets
	Version                   int64
	Archived, CanEdit         bool
	Open                      int
	Targets                   []targetCard
	Kinds                     []kindTile
	Wrong                     []wrongField
	Problem                   *access.Error
	Empty                     emptiness
	Desks                     []option
	DeskTrouble               string
	Lengths                   []option // of AWS sessions
}

func (s places) showCustomer(v *visit) error {
	return s.customerPage(v, http.StatusOK, nil)
}

func (s places) customerPage(v *visit, status int, failed error) error {
	p, err := s.Broker.Places.Customer(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	c := p.Customer
	b := customerBody{ID: c.ID, Name: c.Name, NameValue: c.Name, Note: c.Note, Link: s.address(v.r) + "/request?customer=" + c.ID, Version: c.Version, Archived: !c.ArchivedAt.IsZero(), Open: p.Open,
		CanEdit: v.Person.Is(access.Administrator), Empty: emptiness{Icon: "server", Title: "No target is connected", Text: "Nothing can be asked for at this customer yet."}}
	sessions := false
	for _, t := range p.Targets {
		card := cardOf(v, t)
		card.Sessions = t.Kind.Sessions && !card.Disabled && v.Person.Is(access.Requester) && v.Person.WorksFor(c.ID)
		sessions = sessions || t.Kind.Sessions
		b.Targets = append(b.Targets, card)
	}
	if sessions {
		if b.Lengths, err = s.lengthsOf(v, c.ID); err != nil {
			return err
		}
	}
	if b.CanEdit {
		if err := s.desks(v, c.ID, &b); err != nil {
			return err
		}
	}
	for _, k := range s.Broker.Places.Kinds() {
		b.Kinds = append(b.Kinds, kindTile{Value: k.Name, Title: k.Title, Icon: k.Icon})
	}
	if failed != nil {
		b.NameValue, b.Note = v.form("name"), v.form("note")
		if b.Wrong = wrongOf(broker.FieldsOf(failed)); len(b.Wrong) == 0 {
			if b.Problem, err = problem(failed); err != nil {
				return err
			}
		}
		status = statuses[access.KindOf(failed)]
	}
	return s.show(v, status, "customer", c.Name, b)
}

func cardOf(v *visit, t broker.TargetPage) targetCard {
	card := targetCard{ID: t.Target.ID, Name: t.Target.Name, Kind: t.Kind.Title, Icon: t.Kind.Icon, Policy: t.Policy, Disabled: !t.Target.DisabledAt.IsZero(),
		Checked: "never", Found: foundOf(t.Target.Findings), Offers: titles(t.Offers, 6)}
	card.Unfinished = t.Kind.Consent != nil && t.Target.CheckedAt.IsZero()
	if !t.Known {
		card.Kind = t.Target.Kind + " (unknown to this version)"
	}
	if !t.Target.CheckedAt.IsZero() {
		card.Checked = v.Ago(t.Target.CheckedAt)
	}
	for _, f := range t.Kind.Fields {
		usual := len(f.Options) > 0 && t.Target.Settings[f.Name] == f.Options[0]
		if value := t.Target.Settings[f.Name]; value != "" && !f.Lines && !usual {
			card.Settings = append(card.Settings, option{Label: f.Title, Value: value})
		}
	}
	return card
}

// desks offers the ticket systems that the customer can use.
func (s places) desks(v *visit, customer string, b *customerBody) error {
	choices, err := s.Broker.Tickets.For(v.ctx(), v.Person, customer)
	if err != nil {
		return err
	}
	for _, d := range choices {
		b.Desks = append(b.Desks, option{Value: d.ID, Label: d.Name, Selected: d.Chosen})
		if d.Chosen && !d.Mapped {
			b.DeskTrouble = "This customer is not mapped there yet, so its tickets cannot be found. Map it under Settings, Ticket systems."
		}
	}
	return nil
}

func (s places) saveCustomer(v *visit) error {
	c := access.Customer{ID: v.r.PathValue("id"), Name: v.form("name"), Note: v.form("note"), Version: number(v.form("version"))}
	if v.form("archived") != "" {
		c.ArchivedAt = v.now.UTC()
	}
	_, err := s.Broker.Places.SaveCustomer(v.ctx(), v.Person, c)
	if err == nil {
		return v.back("/customers/"+c.ID, "saved")
	}
	return s.customerPage(v, http.StatusUnprocessableEntity, err)
}
