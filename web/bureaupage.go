package web

import (
	"net/http"
	"net/url"
	"strings"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/ticket"
)

// The bureau pages are the ticket systems, and which customer is which company
// there.
type bureauPages struct{ *Server }

func (s bureauPages) routes(admin, reader func(pattern string, h handler)) {
	reader("GET /ticket-systems", s.showBureaus)
	admin("POST /ticket-systems", s.addBureau)
	admin("GET /ticket-systems/new", s.newBureau)
	admin("POST /ticket-systems/default", s.chooseBureau)
	reader("GET /ticket-systems/{id}", s.showBureau)
	admin("POST /ticket-systems/{id}", s.saveBureau)
	admin("POST /ticket-systems/{id}/check", s.checkBureau)
	admin("POST /ticket-systems/{id}/refresh", s.refreshBureau)
	admin("POST /ticket-systems/{id}/choices", s.refreshChoices)
	admin("POST /ticket-systems/{id}/retry", s.retryParked)
	admin("POST /ticket-systems/{id}/webhook", s.newHook)
	admin("POST /ticket-systems/{id}/map", s.mapCustomers)
	admin("POST /ticket-systems/{id}/adopt", s.adoptCompanies)
	admin("POST /customers/{id}/ticket-system", s.chooseForCustomer)
}

type bureausBody struct {
	Rows    []bureauRow
	Kinds   []kindTile
	Builtin bool // customers without another choice use the built-in desk
	CanEdit bool
	Empty   emptiness
}

type bureauRow struct {
	ID, Name, Kind, Checked string
	Mapped                  int
	Default                 bool
	Found                   *foundView
}

func (s bureauPages) showBureaus(v *visit) error {
	all, err := s.Broker.Tickets.List(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	v.section = "/settings"
	b := bureausBody{Builtin: true, CanEdit: v.Person.Is(access.Administrator),
		Empty: emptiness{Icon: "ticket", Title: "No ticket system is connected", Text: "All customers use the built-in desk."}}
	for _, p := range all {
		row := bureauRow{ID: p.Connection.ID, Name: p.Connection.Name, Kind: p.Kind.Title, Mapped: p.Mapped, Default: p.Default, Checked: "never", Found: deskFound(p.Connection.Findings)}
		if !p.Connection.CheckedAt.IsZero() {
			row.Checked = v.Ago(p.Connection.CheckedAt)
		}
		b.Builtin = b.Builtin && !p.Default
		b.Rows = append(b.Rows, row)
	}
	for _, k := range s.Broker.Tickets.Kinds() {
		b.Kinds = append(b.Kinds, kindTile{Value: k.Name, Title: k.Title, Icon: "ticket"})
	}
	return s.show(v, http.StatusOK, "bureaus", "Ticket systems", b)
}

// deskFound is what a check of a ticket system found.
func deskFound(all []access.Finding) *foundView {
	v := foundOf(all)
	if v != nil && len(v.Mend) > 0 {
		v.Verdict = counted(len(v.Mend), "thing must be", "things must be") + " mended: tickets would not be found, or notes not written"
	}
	return v
}

// chooseBureau makes one the ticket system of customers without another choice.
func (s bureauPages) chooseBureau(v *visit) error {
	if err := s.Broker.Tickets.Choose(v.ctx(), v.Person, v.form("id")); err != nil {
		return err
	}
	return v.back("/ticket-systems", "saved")
}

// chooseForCustomer has one customer use another ticket system than the rest.
func (s bureauPages) chooseForCustomer(v *visit) error {
	id := v.r.PathValue("id")
	if err := s.Broker.Tickets.ChooseFor(v.ctx(), v.Person, id, v.form("connection")); err != nil {
		return err
	}
	return v.back("/customers/"+url.PathEscape(id), "saved")
}

type bureauBody struct {
	ID, Name, Title, Crumb, Kind, KindName, Action, Save, Checked string
	Version                                                       int64
	Fields                                                        []fieldView
	CanEdit, Default                                              bool
	Found                                                         *foundView
	Mapping                                                       *mappingView
	Wrong                                                         []wrongField
	Problem                                                       *access.Error

	Picked   bool   // some fields can be chosen from what the system tells
	PickedAt string // when it told; empty if it did not
	Parked   []parkedView
	Twice    []twiceView
	Hook     hookView
}

// A parkedView is one note that the ticket system does not take.
type parkedView struct{ Grant, Number, What, Why, When string }

// A twiceView tells of a note that is on its ticket more than once.
type twiceView struct{ Grant, Text, When string }

// A hookView is how the ticket system can tell that a ticket changed.
type hookView struct {
	Address string
	Has     bool
	Shown   *secret.Text // a new secret, once
}

// A mappingView lays the customers beside the companies.
type mappingView struct {
	Word      string // what a company is called there
	ReadAt    string
	Rows      []mappingRow
	Unmapped  []option
	Mapped    int
	Suggested int
}

type mappingRow struct {
	ID, Name, Trouble string
	Choices           []option
	Suggested         string // name of what is suggested; chosen in Choices
}

func (s bureauPages) newBureau(v *visit) error {
	return s.bureauPage(v, http.StatusOK, broker.ConnectionInput{Kind: v.form("kind")}, nil)
}

func (s bureauPages) showBureau(v *visit) error { return s.bureauAgain(v, nil) }

func (s bureauPages) bureauAgain(v *visit, failed error) error {
	p, err := s.Broker.Tickets.Get(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	c := p.Connection
	return s.bureauPage(v, http.StatusOK, broker.ConnectionInput{ID: c.ID, Version: c.Version, Kind: c.Kind, Name: c.Name, Values: c.Settings}, failed)
}

func (s bureauPages) kind(name string) (ticket.Kind, bool) {
	for _, k := range s.Broker.Tickets.Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return ticket.Kind{}, false
}

// bureauPage shows the form of a connection and, for one that is stored, the
// mapping. Secret fields are always empty.
func (s bureauPages) bureauPage(v *visit, status int, in broker.ConnectionInput, failed error) error {
	kind, ok := s.kind(in.Kind)
	if !ok {
		return notFound()
	}
	v.section = "/settings"
	b := bureauBody{ID: in.ID, Name: in.Name, Title: "Connect " + kind.Title, Crumb: "Connect", Kind: kind.Title, KindName: kind.Name,
		Action: "/ticket-systems", Save: "Connect", Version: in.Version, CanEdit: v.Person.Is(access.Administrator)}
	var has map[string]bool
	if in.ID != "" {
		page, err := s.Broker.Tickets.Mapping(v.ctx(), v.Person, in.ID)
		if err != nil {
			return err
		}
		has = page.Secrets
		b.stored(v, page)
		if err := s.state(v, &b, page); err != nil {
			return err
		}
	}
	wrong := map[string]string{}
	for _, f := range broker.FieldsOf(failed) {
		wrong[f.Field] = f.Text
		b.Wrong = append(b.Wrong, wrongField{Anchor: anchorOf(f.Field), Text: f.Text})
	}
	if failed != nil && len(b.Wrong) == 0 {
		var err error
		if b.Problem, err = problem(failed); err != nil {
			return err
		}
		status = statuses[b.Problem.Kind]
	}
	if len(b.Wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	choices, err := s.choices(v, in.ID)
	if err != nil {
		return err
	}
	for _, f := range kind.Fields {
		field := fieldOf(f, in.Values[f.Name], has[f.Name], wrong[f.Name])
		if c := choices[f.Name]; len(c.All) > 0 {
			field.choose(f, c.All)
			b.PickedAt = v.Ago(c.ReadAt)
		}
		b.Picked = b.Picked || f.Picked && in.ID != ""
		b.Fields = append(b.Fields, field)
	}
	if v.hook != nil {
		b.Hook.Shown = v.hook
		v.w.Header().Set("Referrer-Policy", "no-referrer")
	}
	return s.show(v, status, "bureau", b.Title, b)
}

// anchorOf is where on the page something is to be corrected.
func anchorOf(field string) string {
	switch field {
	case "name", "settings":
		return field
	case "company":
		return "mapping"
	}
	return "field-" + field
}

// stored shows what is known of a connection that is there.
func (b *bureauBody) stored(v *visit, p broker.MappingPage) {
	c := p.Connection
	b.Title, b.Crumb, b.Action, b.Save, b.Default = c.Name, c.Name, "/ticket-systems/"+c.ID, "Save", p.Default
	b.Found = deskFound(c.Findings)
	if b.Checked = "never"; !c.CheckedAt.IsZero() {
		b.Checked = v.Ago(c.CheckedAt)
	}
	if p.Kind.Company == "" {
		return
	}
	m := &mappingView{Word: p.Kind.Company, Mapped: p.Mapped}
	if !p.ReadAt.IsZero() {
		m.ReadAt = v.Ago(p.ReadAt)
	}
	for _, u := range p.Unmapped {
		m.Unmapped = append(m.Unmapped, option{Value: u.ID, Label: u.Name})
	}
	for _, r := range p.Rows {
		row := mappingRow{ID: r.Customer.ID, Name: r.Customer.Name, Trouble: r.Trouble, Suggested: r.Suggested.Name}
		chosen := r.Company.ID
		if r.Suggested.ID != "" {
			chosen = r.Suggested.ID
			m.Suggested++
		}
		if r.Company.ID != "" {
			row.Choices = append(row.Choices, option{Value: r.Company.ID, Label: r.Company.Name, Selected: true})
		}
		for _, u := range p.Unmapped {
			row.Choices = append(row.Choices, option{Value: u.ID, Label: u.Name, Selected: u.ID == chosen})
		}
		m.Rows = append(m.Rows, row)
	}
	b.Mapping = m
}

func (s bureauPages) addBureau(v *visit) error {
	return s.saveBureauOf(v, broker.ConnectionInput{Kind: v.form("kind")})
}

func (s bureauPages) saveBureau(v *visit) error {
	p, err := s.Broker.Tickets.Get(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.saveBureauOf(v, broker.ConnectionInput{ID: p.Connection.ID, Kind: p.Connection.Kind, Version: number(v.form("version"))})
}

func (s bureauPages) saveBureauOf(v *visit, in broker.ConnectionInput) error {
	kind, ok := s.kind(in.Kind)
	if !ok {
		return notFound()
	}
	in.Name, in.Values, in.Secrets = v.form("name"), map[string]string{}, map[string]secret.Text{}
	sentFields(v, kind.Fields, in.Values, in.Secrets)
	c, err := s.Broker.Tickets.Save(v.ctx(), v.Person, in)
	switch {
	case err == nil:
		return v.back("/ticket-systems/"+c.ID, "saved")
	case access.KindOf(err) == access.NotFound:
		return err
	}
	return s.bureauPage(v, http.StatusOK, in, err)
}

// sentFields reads the fields of a connector from a form that was sent.
func sentFields(v *visit, fields []access.Field, values map[string]string, secrets map[string]secret.Text) {
	for _, f := range fields {
		value := v.r.PostFormValue("field-" + f.Name)
		switch {
		case f.Secret && value != "":
			secrets[f.Name] = secret.New(value)
		case f.Many && len(v.r.PostForm["field-"+f.Name]) > 1:
			values[f.Name] = strings.TrimPrefix(strings.Join(v.r.PostForm["field-"+f.Name], ", "), ", ") // the first is empty, for none
		case !f.Secret:
			values[f.Name] = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n"))
		}
	}
}

func (s bureauPages) checkBureau(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := s.Broker.Tickets.Check(v.ctx(), v.Person, id); err != nil {
		return err
	}
	return v.back("/ticket-systems/"+url.PathEscape(id), "checked")
}

// refreshBureau asks the ticket system for its companies.
func (s bureauPages) refreshBureau(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := s.Broker.Tickets.Refresh(v.ctx(), v.Person, id); err != nil {
		if access.KindOf(err) == access.NotFound {
			return err
		}
		return s.bureauAgain(v, err)
	}
	return v.back("/ticket-systems/"+url.PathEscape(id)+"#mapping", "read")
}

// mapCustomers stores the choices of the mapping that differ from what is.
func (s bureauPages) mapCustomers(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	page, err := s.Broker.Tickets.Mapping(v.ctx(), v.Person, id)
	if err != nil {
		return err
	}
	for _, r := range page.Rows {
		sent, ok := v.r.PostForm["customer-"+r.Customer.ID]
		if !ok || len(sent) != 1 || sent[0] == r.Company.ID {
			continue
		}
		if err := s.Broker.Tickets.Map(v.ctx(), v.Person, id, r.Customer.ID, sent[0]); err != nil {
			return s.bureauAgain(v, err)
		}
	}
	return v.back("/ticket-systems/"+url.PathEscape(id)+"#mapping", "saved")
}

// adoptCompanies makes customers of companies that were ticked.
func (s bureauPages) adoptCompanies(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	if _, err := s.Broker.Tickets.Adopt(v.ctx(), v.Person, id, v.r.PostForm["company"]); err != nil {
		return s.bureauAgain(v, err)
	}
	return v.back("/ticket-systems/"+url.PathEscape(id)+"#mapping", "created")
}
