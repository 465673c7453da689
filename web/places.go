package web

import (
	"net/http"
	"strings"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/target"
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
	b.Empty = emptiness{Icon: "building-2", Title: "No customers", Text: "An administrator adds them here."}
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

type findingView struct{ Level, Icon, What, Fix string }

func findingsOf(all []access.Finding) (out []findingView) {
	for _, f := range all {
		out = append(out, findingView{Level: f.Level, Icon: findingIcon(f.Level), What: f.What, Fix: f.Fix})
	}
	return out
}

type targetCard struct {
	ID, Name, Kind, Policy, Checked string
	Disabled                        bool
	Settings                        []option
	Findings                        []findingView
}

type customerBody struct {
	ID, Name, NameValue, Note string
	Version                   int64
	Archived, CanEdit         bool
	Open                      int
	Targets                   []targetCard
	Kinds                     []kindTile
	Wrong                     []wrongField
	Problem                   *access.Error
	Empty                     emptiness
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
	b := customerBody{ID: c.ID, Name: c.Name, NameValue: c.Name, Note: c.Note, Version: c.Version, Archived: !c.ArchivedAt.IsZero(), Open: p.Open,
		CanEdit: v.Person.Is(access.Administrator), Empty: emptiness{Icon: "server", Title: "No target is connected", Text: "Nothing can be asked for at this customer yet."}}
	for _, t := range p.Targets {
		b.Targets = append(b.Targets, cardOf(v, t))
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
	card := targetCard{ID: t.Target.ID, Name: t.Target.Name, Kind: t.Kind.Title, Policy: t.Policy, Disabled: !t.Target.DisabledAt.IsZero(),
		Checked: "never", Findings: findingsOf(t.Target.Findings)}
	if !t.Known {
		card.Kind = t.Target.Kind + " (unknown to this version)"
	}
	if !t.Target.CheckedAt.IsZero() {
		card.Checked = v.Ago(t.Target.CheckedAt)
	}
	for _, f := range t.Kind.Fields {
		if value := t.Target.Settings[f.Name]; value != "" && !f.Lines {
			card.Settings = append(card.Settings, option{Label: f.Title, Value: value})
		}
	}
	return card
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

type fieldView struct {
	ID, Title, Help, Example, Value     string
	Secret, Required, Lines, Has, Wrong bool
	Options                             []option
	Err                                 fieldErr
}

type targetBody struct {
	ID, CustomerID, Customer, Crumb, Title, Kind, KindName, Action, Name, Save, Checked string
	Version                                                                             int64
	Fields                                                                              []fieldView
	Policies                                                                            []option
	Disabled                                                                            bool
	Findings                                                                            []findingView
	Wrong                                                                               []wrongField
	Problem                                                                             *access.Error
}

// newTarget shows the form to connect a target of a kind.
func (s places) newTarget(v *visit) error {
	in := broker.TargetInput{Customer: v.r.PathValue("id"), Kind: v.form("kind")}
	return s.targetPage(v, http.StatusOK, in, broker.TargetPage{}, nil)
}

func (s places) showTarget(v *visit) error {
	p, err := s.Broker.Places.Target(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.targetPage(v, http.StatusOK, inputOf(p), p, nil)
}

func inputOf(p broker.TargetPage) broker.TargetInput {
	t := p.Target
	return broker.TargetInput{ID: t.ID, Version: t.Version, Customer: t.Customer, Kind: t.Kind, Name: t.Name, Policy: t.Policy,
		Values: t.Settings, Disabled: !t.DisabledAt.IsZero()}
}

// targetPage shows the form of a target. Secret fields are always empty.
func (s places) targetPage(v *visit, status int, in broker.TargetInput, p broker.TargetPage, failed error) error {
	customer, err := s.Broker.Places.Customer(v.ctx(), v.Person, in.Customer)
	if err != nil {
		return err
	}
	kind, ok := s.kind(in.Kind)
	if !ok {
		return notFound()
	}
	b := targetBody{ID: in.ID, CustomerID: in.Customer, Customer: customer.Customer.Name, Crumb: "Connect", Title: "Connect a target", Kind: kind.Title, KindName: kind.Name,
		Action: "/customers/" + in.Customer + "/targets", Name: in.Name, Save: "Connect", Version: in.Version, Disabled: in.Disabled, Findings: findingsOf(p.Target.Findings)}
	if in.ID != "" {
		b.Crumb, b.Title, b.Action, b.Save = p.Target.Name, p.Target.Name, "/targets/"+in.ID, "Save"
		if b.Checked = "never"; !p.Target.CheckedAt.IsZero() {
			b.Checked = v.Ago(p.Target.CheckedAt)
		}
	}
	wrong := map[string]string{}
	for _, f := range broker.FieldsOf(failed) {
		wrong[f.Field] = f.Text
		anchor := "field-" + f.Field
		if f.Field == "name" || f.Field == "policy" || f.Field == "settings" {
			anchor = f.Field
		}
		b.Wrong = append(b.Wrong, wrongField{Anchor: anchor, Text: f.Text})
	}
	if failed != nil && len(b.Wrong) == 0 {
		if b.Problem, err = problem(failed); err != nil {
			return err
		}
		status = statuses[b.Problem.Kind]
	}
	for _, f := range kind.Fields {
		b.Fields = append(b.Fields, fieldOf(f, in.Values[f.Name], p.Secrets[f.Name], wrong[f.Name]))
	}
	policies, err := s.Broker.Settings.Policies(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	for _, pol := range policies {
		b.Policies = append(b.Policies, option{Value: pol.Name, Label: pol.Title, Selected: pol.Name == in.Policy})
	}
	return s.show(v, status, "target", b.Title, b)
}

func fieldOf(f target.Field, value string, has bool, wrong string) fieldView {
	id := "field-" + f.Name
	out := fieldView{ID: id, Title: f.Title, Help: f.Help, Example: f.Example, Value: value, Secret: f.Secret, Required: f.Required, Lines: f.Lines,
		Has: has, Wrong: wrong != "", Err: fieldErr{ID: id + "-err", Text: wrong}}
	if f.Secret {
		out.Value = ""
	}
	for _, o := range f.Options {
		out.Options = append(out.Options, option{Value: o, Label: o, Selected: o == value})
	}
	return out
}

func (s places) kind(name string) (target.Kind, bool) {
	for _, k := range s.Broker.Places.Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return target.Kind{}, false
}

func (s places) addTarget(v *visit) error {
	return s.saveTargetOf(v, broker.TargetInput{Customer: v.r.PathValue("id"), Kind: v.form("kind")}, broker.TargetPage{})
}

func (s places) saveTarget(v *visit) error {
	p, err := s.Broker.Places.Target(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	in := inputOf(p)
	in.Version = number(v.form("version"))
	return s.saveTargetOf(v, in, p)
}

func (s places) saveTargetOf(v *visit, in broker.TargetInput, p broker.TargetPage) error {
	kind, ok := s.kind(in.Kind)
	if !ok {
		return notFound()
	}
	in.Name, in.Policy, in.Disabled = v.form("name"), v.form("policy"), v.form("disabled") != ""
	in.Values, in.Secrets = map[string]string{}, map[string]secret.Text{}
	for _, f := range kind.Fields {
		value := v.r.PostFormValue("field-" + f.Name)
		switch {
		case f.Secret && value != "":
			in.Secrets[f.Name] = secret.New(value)
		case !f.Secret:
			in.Values[f.Name] = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n"))
		}
	}
	t, err := s.Broker.Places.SaveTarget(v.ctx(), v.Person, in)
	if err == nil {
		return v.back("/targets/"+t.ID, "saved")
	}
	if access.KindOf(err) == access.NotFound {
		return err
	}
	return s.targetPage(v, http.StatusUnprocessableEntity, in, p, err)
}

func (s places) checkTarget(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := s.Broker.Places.Check(v.ctx(), v.Person, id); err != nil {
		return err
	}
	return v.back("/targets/"+id, "checked")
}
