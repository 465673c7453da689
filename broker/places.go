package broker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// The kinds of event about customers and targets.
const (
	EventCustomerSaved = "customer.saved"
	EventTargetSaved   = "target.saved"
	EventTargetChecked = "target.checked"
)

// Places is everything that people do with customers and their targets. Only
// administrators change anything; auditors read everything.
type Places struct {
	ports Ports
	gate  gate

	importing sync.Mutex // two imports at once would make one customer twice
}

// A CustomerPage is a customer with its targets.
type CustomerPage struct {
	Customer access.Customer
	Targets  []TargetPage
	Open     int // grants that have not ended, counted up to 500
}

// A TargetPage is a target with its kind.
type TargetPage struct {
	Target   access.Target
	Kind     target.Kind
	Known    bool            // this program has the kind
	Secrets  map[string]bool // the secret fields that have a value
	Policy   string          // title
	Handover target.Handover // how people get into accounts there
	Offers   []target.Entitlement
	Consent  ConsentState // what became of asking for consent, for administrators and auditors
}

// A TargetInput is a target as a form sends it.
type TargetInput struct {
	ID          string // empty to add one
	Version     int64
	Customer    string // ID; cannot change
	Kind        string // cannot change
	Name        string
	Policy      string                 // name; empty means the usual one of its kind
	AdminPolicy string                 // for what is an administrator's, where the kind tells them apart; empty likewise
	Values      map[string]string      // fields that are no secret
	Secrets     map[string]secret.Text // one that is absent or empty stays as it is
	Disabled    bool
}

// Kinds lists the kinds of target that this program knows.
func (p *Places) Kinds() []target.Kind { return p.ports.Kinds }

// Customers lists the customers that who sees, by name.
func (p *Places) Customers(ctx context.Context, who access.Person) ([]access.Customer, error) {
	if err := allow(who); err != nil {
		return nil, err
	}
	all, err := p.ports.Customers.Customers(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(c access.Customer) bool { return !sees(who, c.ID) }), nil
}

// Customer reads one customer with its targets. Settings of targets are there
// for administrators and auditors only.
func (p *Places) Customer(ctx context.Context, who access.Person, id string) (CustomerPage, error) {
	if !sees(who, id) {
		return CustomerPage{}, notFound()
	}
	c, err := p.ports.Customers.Customer(ctx, id)
	if err != nil {
		return CustomerPage{}, hide(err)
	}
	targets, err := p.ports.Targets.Targets(ctx, id)
	if err != nil {
		return CustomerPage{}, err
	}
	page := CustomerPage{Customer: c}
	for _, t := range targets {
		tp, err := p.page(ctx, t)
		if err != nil {
			return CustomerPage{}, err
		}
		if !who.Is(access.Administrator) && !who.Is(access.Auditor) {
			tp.Target.Settings, tp.Target.Findings, tp.Secrets = nil, nil, nil
		}
		page.Targets = append(page.Targets, tp)
	}
	open, err := p.ports.Grants.Find(ctx, access.GrantQuery{Customer: id, Open: true, Limit: 500, Now: time.Now().UTC()})
	page.Open = len(open)
	return page, err
}

// SaveCustomer adds a customer (without ID) or changes one.
func (p *Places) SaveCustomer(ctx context.Context, who access.Person, c access.Customer) (access.Customer, error) {
	who, err := p.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return access.Customer{}, err
	}
	c.Name, c.Note = strings.TrimSpace(clip(c.Name, 200)), clip(c.Note, 1000)
	if c.Name == "" {
		return access.Customer{}, invalid("name", "Name is required.")
	}
	text := "Changed the customer " + c.Name + "."
	if c.ID == "" {
		c.ID, c.CreatedAt, c.Version, text = newID(), time.Now().UTC(), 0, "Added the customer "+c.Name+"."
	} else {
		old, err := p.ports.Customers.Customer(ctx, c.ID)
		if err != nil {
			return access.Customer{}, hide(err)
		}
		c.CreatedAt = old.CreatedAt
	}
	saved, err := p.ports.Customers.SaveCustomer(ctx, c, by(who, EventCustomerSaved, c.ID, "", c.ID, text))
	return saved, hide(err)
}

// Target reads one target with its settings, but never a secret one.
func (p *Places) Target(ctx context.Context, who access.Person, id string) (TargetPage, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return TargetPage{}, err
	}
	t, err := p.ports.Targets.Target(ctx, id)
	if err != nil {
		return TargetPage{}, hide(err)
	}
	page, err := p.page(ctx, t)
	if err == nil {
		page.Consent, err = consents{p}.state(ctx, page)
	}
	return page, err
}

func (p *Places) page(ctx context.Context, t access.Target) (TargetPage, error) {
	out := TargetPage{Target: t, Secrets: map[string]bool{}, Policy: t.Policy}
	out.Kind, out.Known = findKind(p.ports.Kinds, t.Kind)
	sealed, err := p.ports.Targets.TargetSecrets(ctx, t.ID)
	if err != nil {
		return TargetPage{}, err
	}
	for name, s := range sealed {
		out.Secrets[name] = len(s) > 0
	}
	policy, err := p.ports.Rules.Policy(ctx, t.Policy)
	if err == nil {
		out.Policy = policy.Title
	}
	orphans, err := p.orphans(ctx, t)
	if err != nil {
		return TargetPage{}, err
	}
	out.Target.Findings = slices.Concat(t.Findings, orphans)
	out.Handover = out.Kind.Into(settingsOf(t))
	if out.Kind.Entitlements != nil {
		out.Offers = out.Kind.Entitlements(settingsOf(t))
	}
	return out, nil
}

// orphans are findings about accounts that have no live grant, for as long as
// they are there.
func (p *Places) orphans(ctx context.Context, t access.Target) (found []access.Finding, err error) {
	if p.ports.Orphans == nil {
		return nil, nil
	}
	all, err := p.ports.Orphans.Orphans(ctx, t.ID)
	for _, o := range all {
		found = append(found, access.Finding{Level: "warning",
			What: "The account " + cmp.Or(o.Username, o.ID) + " bears Jitney's mark, can be used, and has no live grant. It was found at " + o.FoundAt.Format("2006-01-02 15:04 MST") + ".",
			Fix:  "Take its access away on the target, or let the policy end such accounts. It is looked at again every few minutes."})
	}
	return found, err
}

// SaveTarget adds a target (without ID) or changes one. A customer and a kind
// are chosen once. The connection is not tried; see Check.
func (p *Places) SaveTarget(ctx context.Context, who access.Person, in TargetInput) (access.Target, error) {
	who, err := p.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return access.Target{}, err
	}
	t, err := p.begin(ctx, in)
	if err != nil {
		return access.Target{}, err
	}
	kind, ok := findKind(p.ports.Kinds, t.Kind)
	if !ok {
		return access.Target{}, invalid("kind", "Choose one of the kinds in the list.")
	}
	old, err := p.oldSecrets(ctx, in.ID)
	if err != nil {
		return access.Target{}, err
	}
	settings := target.Settings{Values: map[string]string{}, Secrets: map[string]secret.Text{}}
	wrong := readFields(kind.Fields, in.Values, in.Secrets, old, settings.Values, settings.Secrets)
	if t.Name = strings.TrimSpace(clip(in.Name, 200)); t.Name == "" {
		wrong = append(wrong, access.FieldError{Field: "name", Text: "Name is required."})
	}
	wrong = append(wrong, p.policies(ctx, kind, in, &t)...)
	if len(wrong) == 0 && kind.Valid != nil {
		wrong = p.valid(ctx, kind, t, settings, old)
	}
	if len(wrong) == 0 && in.ID != "" {
		wrong = rerouted(kind.Fields, t.Settings, settings.Values, old, settings.Secrets)
	}
	if len(wrong) == 0 {
		if wrong, err = p.taken(ctx, kind, t, settings.Values); err != nil {
			return access.Target{}, err
		}
	}
	if len(wrong) > 0 {
		return access.Target{}, &Invalid{Fields: wrong}
	}
	var moves []access.FieldError
	if in.ID != "" {
		moves = moved(kind, t.Settings, settings.Values)
	}
	t.Settings = settings.Values
	switch {
	case in.Disabled && t.DisabledAt.IsZero():
		t.DisabledAt = time.Now().UTC()
	case !in.Disabled:
		t.DisabledAt = time.Time{}
	}
	event := by(who, EventTargetSaved, t.Customer, "", t.ID, choose(in.ID == "", "Added", "Changed")+" the target "+t.Name+".")
	return p.store(ctx, t, settings.Secrets, moves, event)
}

// policies takes over the policies of a target, those that are usual for its
// kind where none is named.
func (p *Places) policies(ctx context.Context, kind target.Kind, in TargetInput, t *access.Target) (wrong []access.FieldError) {
	usual := access.DefaultPolicy().Name
	t.Policy, t.AdminPolicy = cmp.Or(in.Policy, usual), ""
	if kind.Sessions {
		t.Policy, t.AdminPolicy = cmp.Or(in.Policy, access.SessionPolicy().Name), cmp.Or(in.AdminPolicy, usual)
	}
	for field, name := range map[string]string{"policy": t.Policy, "admin_policy": t.AdminPolicy} {
		if _, err := p.ports.Rules.Policy(ctx, name); err != nil && name != "" {
			wrong = append(wrong, access.FieldError{Field: field, Text: "Choose a policy from the list."})
		}
	}
	return wrong
}

// taken lists the settings that a target of one customer alone may have, and
// that one of another customer has already: by it, whoever sets up targets of
// the one could get into what is the other's. Whose it is is not told, and what
// stays as it was is not asked about, so that such a target can be shut.
func (p *Places) taken(ctx context.Context, kind target.Kind, t access.Target, now map[string]string) (wrong []access.FieldError, err error) {
	for _, f := range kind.Fields {
		value := now[f.Name]
		if !f.Random || value == "" || value == t.Settings[f.Name] {
			continue
		}
		all, err := p.ports.Targets.Targets(ctx, "")
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o access.Target) bool {
			return o.Customer != t.Customer && o.Kind == t.Kind && o.Settings[f.Name] == value
		}) {
			wrong = append(wrong, access.FieldError{Field: f.Name, Text: f.Title + " is in use for another customer. Make one for this target alone."})
		}
	}
	return wrong, nil
}

// moved lists the settings that would lead to another place: access that is
// live at the one that was could not be ended any more.
func moved(kind target.Kind, was, now map[string]string) (fields []access.FieldError) {
	for _, f := range kind.Fields {
		if f.Place && was[f.Name] != now[f.Name] {
			fields = append(fields, access.FieldError{Field: f.Name, Text: f.Title + " cannot change while access is live there. End it first, or add another target."})
		}
	}
	return fields
}

// begin finds the target that in changes, or starts a new one.
func (p *Places) begin(ctx context.Context, in TargetInput) (access.Target, error) {
	if in.ID != "" {
		t, err := p.ports.Targets.Target(ctx, in.ID)
		t.Version = in.Version
		return t, hide(err)
	}
	if _, err := p.ports.Customers.Customer(ctx, in.Customer); err != nil {
		return access.Target{}, hide(err)
	}
	return access.Target{ID: newID(), Customer: in.Customer, Kind: in.Kind, CreatedAt: time.Now().UTC()}, nil
}

func (p *Places) oldSecrets(ctx context.Context, id string) (map[string][]byte, error) {
	if id == "" {
		return nil, nil
	}
	return p.ports.Targets.TargetSecrets(ctx, id)
}

// valid asks the kind about the settings as they will be, secrets that stay included.
func (p *Places) valid(ctx context.Context, kind target.Kind, t access.Target, s target.Settings, old map[string][]byte) []access.FieldError {
	full := target.Settings{Values: s.Values, Secrets: map[string]secret.Text{}}
	for name, sealed := range old {
		if text, err := p.ports.Sealer.Open(ctx, t.Customer, SettingPlace(t.ID, name), sealed); err == nil {
			full.Secrets[name] = text
		}
	}
	for name, text := range s.Secrets {
		full.Secrets[name] = text
	}
	return settingsError(kind.Valid(full))
}

// SettingPlace is where the secret setting called name of a target is sealed for.
func SettingPlace(targetID, name string) secret.Place {
	return secret.Place{Table: "target_secrets", Row: targetID, Column: name}
}

// store stores a target; with settings that move it only if no access is open there.
func (p *Places) store(ctx context.Context, t access.Target, secrets map[string]secret.Text, moves []access.FieldError, e access.Event) (access.Target, error) {
	sealed := map[string][]byte{}
	for name, text := range secrets {
		b, err := p.ports.Sealer.Seal(ctx, t.Customer, SettingPlace(t.ID, name), text)
		if err != nil {
			return access.Target{}, fmt.Errorf("seal setting %s: %w", name, err)
		}
		sealed[name] = b
	}
	save := p.ports.Targets.SaveTarget
	if len(moves) > 0 {
		save = p.ports.Targets.MoveTarget
	}
	saved, err := save(ctx, t, sealed, e)
	if access.CodeOf(err) == access.StillLive {
		return access.Target{}, &Invalid{Fields: moves}
	}
	return saved, hide(err)
}
