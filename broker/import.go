package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// mostCompanies bounds a list of companies, and mostImported what is imported
// of it at once.
const (
	mostCompanies = 5000
	mostImported  = 1000
)

// A CompanyRow is a company that a target knows, and what importing it would do.
type CompanyRow struct {
	target.Company
	Target     string // ID of the target that is connected to it already; empty if none
	CustomerID string // of that target, or the customer to which it would be added; empty if it would be a new one
	Customer   string // name of the customer, also of a new one
	Problem    string // why it cannot be imported, with what to do; empty if it can
}

// A CompanyList is what can be imported through one target.
type CompanyList struct {
	Page    TargetPage
	IDTitle string // what the kind calls the ID of a company
	Rows    []CompanyRow
}

// An Imported is what became of one company.
type Imported struct {
	CompanyRow
	Done bool // it is connected now, and was not before
}

// Companies lists the companies that a target knows, by name. It may be slow,
// as the target is asked; nothing is changed.
func (p *Places) Companies(ctx context.Context, who access.Person, targetID string) (CompanyList, error) {
	if _, err := p.gate.fresh(ctx, who, access.Administrator); err != nil {
		return CompanyList{}, err
	}
	m, err := importer{p}.open(ctx, targetID)
	if err != nil {
		return CompanyList{}, err
	}
	list := CompanyList{IDTitle: "ID"}
	if list.Page, err = p.page(ctx, m.source); err != nil {
		return list, err
	}
	if err := (importer{p}).chart(ctx, &m); err != nil {
		return list, err
	}
	for _, c := range m.companies {
		list.Rows = append(list.Rows, m.row(c))
		for _, f := range m.kind.Fields {
			if slices.Contains(m.identity(c), f.Name) {
				list.IDTitle = f.Title
			}
		}
	}
	return list, nil
}

// Import connects the companies with these IDs, which a target knows, with
// the same app and the policy. One that is connected stays as it is, so that
// an import can be repeated. What goes wrong with one does not keep the rest.
func (p *Places) Import(ctx context.Context, who access.Person, targetID, policy string, ids []string) ([]Imported, error) {
	who, err := p.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > mostImported {
		return nil, invalid("id", fmt.Sprintf("Choose at least one company, and %d at most.", mostImported))
	}
	if _, err := p.ports.Rules.Policy(ctx, policy); err != nil {
		return nil, invalid("policy", "Choose a policy from the list.")
	}
	m, err := importer{p}.open(ctx, targetID)
	if err != nil {
		return nil, err
	}
	p.importing.Lock()
	defer p.importing.Unlock()
	if err := (importer{p}).chart(ctx, &m); err != nil {
		return nil, err
	}
	var out []Imported
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		i := slices.IndexFunc(m.companies, func(c target.Company) bool { return c.ID == id })
		if i < 0 {
			out = append(out, Imported{CompanyRow: CompanyRow{Company: target.Company{ID: clip(id, 100)}, Problem: "The target does not list it any more. Load the list again."}})
			continue
		}
		one := Imported{CompanyRow: m.row(m.companies[i])}
		if one.Target == "" && one.Problem == "" {
			if err := (importer{p}).connect(ctx, who, &m, &one, policy); err != nil {
				return out, err
			}
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Imported) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out, nil
}

// An importer connects companies.
type importer struct{ *Places }

// A terrain is what an import goes by.
type terrain struct {
	kind      target.Kind
	source    access.Target
	settings  target.Settings // of source, with its secrets
	companies []target.Company
	customers []access.Customer
	targets   []access.Target // of the same kind
}

// open asks a target for the companies that it knows.
func (p importer) open(ctx context.Context, id string) (m terrain, err error) {
	if m.source, err = p.ports.Targets.Target(ctx, id); err != nil {
		return m, hide(err)
	}
	var ok bool
	if m.kind, ok = findKind(p.ports.Kinds, m.source.Kind); !ok || m.kind.For == nil {
		return m, notFound()
	}
	ctx, cancel := context.WithTimeout(ctx, CheckFor)
	defer cancel()
	sys, err := p.ports.Open(ctx, id)
	if err != nil {
		return m, silent(err, "The target could not be opened.")
	}
	able, ok := target.As[target.Importer](sys)
	if !ok {
		return m, notFound()
	}
	found, err := able.Companies(ctx)
	if err != nil {
		return m, silent(err, "The companies could not be read.")
	}
	seen := map[string]bool{}
	for _, c := range found[:min(len(found), mostCompanies)] {
		c.Name, c.Domain, c.Source = strings.TrimSpace(clip(c.Name, 150)), strings.TrimSpace(clip(c.Domain, 200)), clip(c.Source, 200)
		if c.ID = clip(c.ID, 200); c.ID == "" || seen[c.ID] {
			continue
		}
		seen[c.ID] = true
		c.Name = cmp.Or(c.Name, c.Domain, c.ID)
		m.companies = append(m.companies, c)
	}
	slices.SortFunc(m.companies, func(a, b target.Company) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return m, nil
}

// silent is err for people; text says what did not work if it does not.
func silent(err error, text string) error {
	if e, ok := errors.AsType[*access.Error](err); ok && e.Kind != access.Internal && e.Kind != access.NotFound {
		return err
	}
	return &access.Error{Kind: access.Unavailable, Text: text, Hint: "Press Check connection on the page of the target; it says what is wrong.", Err: err}
}

// chart reads what is there already.
func (p importer) chart(ctx context.Context, m *terrain) (err error) {
	if m.customers, err = p.ports.Customers.Customers(ctx); err != nil {
		return err
	}
	targets, err := p.ports.Targets.Targets(ctx, "")
	if err != nil {
		return err
	}
	m.targets = slices.DeleteFunc(slices.Clone(targets), func(t access.Target) bool { return t.Kind != m.kind.Name })
	sealed, err := p.ports.Targets.TargetSecrets(ctx, m.source.ID)
	if err != nil {
		return err
	}
	m.settings = target.Settings{Values: m.source.Settings, Secrets: map[string]secret.Text{}}
	for name, s := range sealed {
		if len(s) == 0 {
			continue
		}
		if m.settings.Secrets[name], err = p.ports.Sealer.Open(ctx, m.source.Customer, SettingPlace(m.source.ID, name), s); err != nil {
			return fmt.Errorf("open setting %s of target %s: %w", name, m.source.ID, err)
		}
	}
	return nil
}

// forCompany are the settings for c.
func (m terrain) forCompany(c target.Company) target.Settings {
	return m.kind.For(target.Settings{Values: maps.Clone(m.settings.Values), Secrets: maps.Clone(m.settings.Secrets)}, c)
}

// identity names the settings that hold the ID of a company.
func (m terrain) identity(c target.Company) (names []string) {
	values := m.forCompany(c).Values
	for _, f := range m.kind.Fields {
		if !f.Secret && strings.EqualFold(strings.TrimSpace(values[f.Name]), c.ID) {
			names = append(names, f.Name)
		}
	}
	return names
}

// connected finds the target of c.
func (m terrain) connected(c target.Company) (access.Target, bool) {
	names := m.identity(c)
	for _, t := range m.targets {
		for _, name := range names {
			if strings.EqualFold(strings.TrimSpace(t.Settings[name]), c.ID) {
				return t, true
			}
		}
		if len(names) == 0 && maps.Equal(t.Settings, m.forCompany(c).Values) {
			return t, true
		}
	}
	return access.Target{}, false
}

// row tells what importing c would do.
func (m terrain) row(c target.Company) CompanyRow {
	r := CompanyRow{Company: c}
	if t, ok := m.connected(c); ok {
		r.Target, r.CustomerID, r.Customer = t.ID, t.Customer, t.Customer
		for _, known := range m.customers {
			if known.ID == t.Customer {
				r.Customer = known.Name
			}
		}
		return r
	}
	// A customer of that name with such a target of its own is somebody else,
	// who only has the same name.
	for _, name := range []string{c.Name, c.Name + " (" + cmp.Or(c.Domain, c.ID) + ")"} {
		same := slices.DeleteFunc(slices.Clone(m.customers), func(known access.Customer) bool {
			return !strings.EqualFold(strings.TrimSpace(known.Name), name)
		})
		switch {
		case len(same) == 0:
			r.Customer = name
			return r
		case len(same) > 1:
			r.Customer, r.Problem = name, fmt.Sprintf("%d customers have that name. Connect it by hand on the page of the right one.", len(same))
			return r
		case slices.ContainsFunc(m.targets, func(t access.Target) bool { return t.Customer == same[0].ID }):
			continue
		case !same[0].ArchivedAt.IsZero():
			r.Customer, r.CustomerID, r.Problem = name, same[0].ID, "The customer of that name is archived. Bring it back first, or give it another name."
			return r
		}
		r.Customer, r.CustomerID = same[0].Name, same[0].ID
		return r
	}
	r.Problem = "Customers of that name have another one connected. Connect it by hand."
	return r
}

// connect adds the target of one company, and its customer if there is none.
// What is wrong with that company is kept with it; the error is of the store.
func (p importer) connect(ctx context.Context, who access.Person, m *terrain, one *Imported, policy string) error {
	made := m.forCompany(one.Company)
	settings := target.Settings{Values: map[string]string{}, Secrets: map[string]secret.Text{}}
	if wrong := readFields(m.kind.Fields, made.Values, made.Secrets, nil, settings.Values, settings.Secrets); len(wrong) > 0 {
		one.Problem = wrong[0].Text
		return nil
	}
	if m.kind.Valid != nil {
		if err := m.kind.Valid(settings); err != nil {
			one.Problem = textOf(err)
			return nil
		}
	}
	if one.CustomerID == "" {
		c := access.Customer{ID: newID(), Name: one.Customer, Note: one.Domain, CreatedAt: time.Now().UTC()}
		saved, err := p.ports.Customers.SaveCustomer(ctx, c, by(who, EventCustomerSaved, c.ID, "", c.ID, "Added the customer "+c.Name+", imported from "+m.source.Name+"."))
		if err != nil {
			return hide(err)
		}
		m.customers, one.CustomerID = append(m.customers, saved), saved.ID
	}
	t := access.Target{ID: newID(), Customer: one.CustomerID, Kind: m.kind.Name, Name: cmp.Or(one.Domain, one.Name), Policy: policy,
		Settings: settings.Values, CreatedAt: time.Now().UTC()}
	saved, err := p.store(ctx, t, settings.Secrets, nil, by(who, EventTargetSaved, t.Customer, "", t.ID, "Added the target "+t.Name+", imported from "+m.source.Name+" ("+one.ID+")."))
	if err != nil {
		return err
	}
	m.targets, one.Target, one.Done = append(m.targets, saved), saved.ID, true
	return nil
}
