package web

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/target"
)

type fieldView struct {
	ID, Title, Help, Example, Value     string
	Secret, Required, Lines, Has, Wrong bool
	Options                             []option
	Many                                bool   // several of Options
	Gone                                string // what was chosen and cannot be any more
	Err                                 fieldErr
}

type targetBody struct {
	ID, CustomerID, Customer, Crumb, Title, Kind, KindName, Action, Name, Save, Checked string
	Version                                                                             int64
	Fields, More                                                                        []fieldView // More are folded
	MoreSet                                                                             string      // how many of them are not as usual
	MoreOpen                                                                            bool
	Policies                                                                            []option
	AdminPolicies                                                                       []option  // of kinds with sessions
	AWS                                                                                 *awsGrant // how the visitor gets in, if they may
	Disabled, CanEdit                                                                   bool
	CheckHere                                                                           bool // at the top, as no step of connecting has it in sight
	Found                                                                               *foundView
	Onboarding                                                                          *onboarding
	Imports, Leads                                                                      bool // Leads: a new one, whose people must consent
	Offers                                                                              []target.Entitlement
	Word, Warning                                                                       string // what its credential is called, and what the form warns of
	Wrong                                                                               []wrongField
	Problem                                                                             *access.Error
}

// newTarget shows the form to connect a target of a kind.
func (s places) newTarget(v *visit) error {
	in := broker.TargetInput{Customer: v.r.PathValue("id"), Kind: v.form("kind"), Values: map[string]string{}}
	kind, _ := s.kind(in.Kind)
	for _, f := range kind.Fields {
		if f.Random {
			in.Values[f.Name] = rand.Text()
		}
	}
	return s.targetPage(v, http.StatusOK, in, broker.TargetPage{}, nil)
}

func (s places) showTarget(v *visit) error { return s.targetAgain(v, nil) }

// targetAgain shows the page of the target of the address as it is stored,
// with what could not be done, if anything.
func (s places) targetAgain(v *visit, failed error) error {
	p, err := s.Broker.Places.Target(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.targetPage(v, http.StatusOK, inputOf(p), p, failed)
}

func inputOf(p broker.TargetPage) broker.TargetInput {
	t := p.Target
	return broker.TargetInput{ID: t.ID, Version: t.Version, Customer: t.Customer, Kind: t.Kind, Name: t.Name, Policy: t.Policy,
		AdminPolicy: t.AdminPolicy, Values: t.Settings, Disabled: !t.DisabledAt.IsZero()}
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
	v.section = "/customers"
	b := targetBody{ID: in.ID, CustomerID: in.Customer, Customer: customer.Customer.Name, Crumb: "Connect", Title: "Connect a target", Kind: kind.Title, KindName: kind.Name,
		Action: "/customers/" + in.Customer + "/targets", Name: in.Name, Save: "Connect", Version: in.Version, Disabled: in.Disabled, CanEdit: v.Person.Is(access.Administrator)}
	if in.ID != "" {
		b.stored(v, p)
		if b.Onboarding, err = s.onboarding(v, p); err != nil {
			return err
		}
		b.CheckHere = b.Onboarding == nil || b.Onboarding.Done
	}
	b.Leads = in.ID == "" && kind.Consent != nil
	wrong := b.complain(failed)
	if failed != nil && len(b.Wrong) == 0 {
		if b.Problem, err = problem(failed); err != nil {
			return err
		}
		status = statuses[b.Problem.Kind]
	}
	b.fields(kind, in, p.Secrets, wrong)
	if kind.Sessions && in.ID == "" && in.Policy == "" {
		in.Policy, in.AdminPolicy = access.SessionPolicy().Name, access.DefaultPolicy().Name
	}
	if may := v.Person.Is(access.Requester) && v.Person.WorksFor(in.Customer); kind.Sessions && in.ID != "" && may && !in.Disabled {
		b.AWS = &awsGrant{Target: in.ID, Level: levelName(false)}
		if err := s.mayLead(v, in.ID); err != nil {
			return err
		}
	}
	policies, err := s.Broker.Settings.Policies(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	for _, pol := range policies {
		b.Policies = append(b.Policies, option{Value: pol.Name, Label: pol.Title, Selected: pol.Name == in.Policy})
		if kind.Sessions {
			b.AdminPolicies = append(b.AdminPolicies, option{Value: pol.Name, Label: pol.Title, Selected: pol.Name == in.AdminPolicy})
		}
	}
	return s.show(v, status, "target", b.Title, b)
}

// stored shows what is known of a target that is connected.
func (b *targetBody) stored(v *visit, p broker.TargetPage) {
	t := p.Target
	b.Crumb, b.Title, b.Action, b.Save = t.Name, t.Name, "/targets/"+t.ID, "Save"
	b.Found, b.Offers, b.Imports = foundOf(t.Findings), p.Offers, p.Kind.For != nil && b.CanEdit
	b.Word, b.Warning = p.Handover.Word, p.Handover.Warning
	if b.Checked = "never"; !t.CheckedAt.IsZero() {
		b.Checked = v.Ago(t.CheckedAt)
	}
}

// complain lists what is wrong with the form that was sent, by field.
func (b *targetBody) complain(failed error) map[string]string {
	wrong := map[string]string{}
	for _, f := range broker.FieldsOf(failed) {
		wrong[f.Field] = f.Text
		anchor := "field-" + f.Field
		if f.Field == "name" || f.Field == "policy" || f.Field == "admin_policy" || f.Field == "settings" {
			anchor = f.Field
		}
		b.Wrong = append(b.Wrong, wrongField{Anchor: anchor, Text: f.Text})
	}
	return wrong
}

// fields lays out the settings of a kind. What stands after the last one that
// is required or secret can stay as it is: if it is much, it is folded.
func (b *targetBody) fields(kind target.Kind, in broker.TargetInput, secrets map[string]bool, wrong map[string]string) {
	last := 0
	for i, f := range kind.Fields {
		if f.Required || f.Secret {
			last = i + 1
		}
	}
	if len(kind.Fields)-last < 3 {
		last = len(kind.Fields)
	}
	set := 0
	for i, f := range kind.Fields {
		view := fieldOf(f, in.Values[f.Name], secrets[f.Name], wrong[f.Name])
		if i < last {
			b.Fields = append(b.Fields, view)
			continue
		}
		b.More = append(b.More, view)
		b.MoreOpen = b.MoreOpen || view.Wrong
		if value := in.Values[f.Name]; value != "" && (len(f.Options) == 0 || value != f.Options[0]) {
			set++
		}
	}
	if b.MoreSet = "all as usual"; set > 0 {
		b.MoreSet = counted(set, "is set", "are set")
	}
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
	in.Name, in.Policy, in.AdminPolicy, in.Disabled = v.form("name"), v.form("policy"), v.form("admin_policy"), v.form("disabled") != ""
	in.Values, in.Secrets = map[string]string{}, map[string]secret.Text{}
	sentFields(v, kind.Fields, in.Values, in.Secrets)
	t, err := s.Broker.Places.SaveTarget(v.ctx(), v.Person, in)
	if err == nil {
		return s.savedTarget(v, kind, t)
	}
	if access.KindOf(err) == access.NotFound {
		return err
	}
	return s.targetPage(v, http.StatusUnprocessableEntity, in, p, err)
}

// savedTarget goes to the page of a target that was saved, once its roles have
// been told how long their sessions may be. That they cannot be told yet is
// usual where somebody is about to set up the account.
func (s places) savedTarget(v *visit, kind target.Kind, t access.Target) error {
	message := "saved"
	if kind.Sessions {
		roles, err := s.Broker.Sessions.Follow(v.ctx(), v.Person, t.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(roles, func(r broker.RoleLimit) bool { return r.Read != r.Wanted }) {
			message = "savednot"
		}
	}
	return v.back("/targets/"+t.ID, message)
}

func (s places) checkTarget(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := s.Broker.Places.Check(v.ctx(), v.Person, id); err != nil {
		return err
	}
	return v.back("/targets/"+url.PathEscape(id), "checked")
}
