package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/ticket"
)

// The kinds of event about connected ticket systems.
const (
	EventConnectionSaved = "connection.saved"
	EventDeskChosen      = "connection.chosen"
	EventMapped          = "connection.mapped"
	EventCompaniesRead   = "connection.companies"
)

// SettingDesk is the key of the connection that customers use who have none of
// their own; empty for the built-in desk.
const SettingDesk = "desk.connection"

// ConnectionKey names the data key under which secrets of connections are
// sealed, in the place of a customer.
const ConnectionKey = "connections"

// ConnectionStore keeps connected ticket systems.
type ConnectionStore interface {
	Connection(ctx context.Context, id string) (access.Connection, error)
	Connections(ctx context.Context) ([]access.Connection, error) // by name
	ConnectionSecrets(ctx context.Context, id string) (map[string][]byte, error)
	ConnectionSaver
	MappingStore
}

// ConnectionSaver stores connected ticket systems.
type ConnectionSaver interface {
	// SaveConnection stores c; each sealed setting in secrets replaces the one of that name, an empty one erases it.
	SaveConnection(ctx context.Context, c access.Connection, secrets map[string][]byte, events ...access.Event) (access.Connection, error)
	// MoveConnection is SaveConnection with settings that lead to another system, and takes the mappings away; access.StillLive if something hangs on the one they lead to now.
	MoveConnection(ctx context.Context, c access.Connection, secrets map[string][]byte, events ...access.Event) (access.Connection, error)
}

// MappingStore keeps which customer is whose company.
type MappingStore interface {
	Companies(ctx context.Context, connection string) ([]access.Company, error)
	SetCompanies(ctx context.Context, connection string, companies []access.Company, events ...access.Event) error
	Mappings(ctx context.Context, connection string) ([]access.Mapping, error)
	SetMapping(ctx context.Context, m access.Mapping, events ...access.Event) error // without company it takes the mapping away
	DeskChoice
}

// DeskChoice keeps which customers use another ticket system than the default.
type DeskChoice interface {
	CustomerDesk(ctx context.Context, customer string) (string, error) // empty for the default
	SetCustomerDesk(ctx context.Context, customer, connection string, events ...access.Event) error
}

// Connections is everything that administrators do with ticket systems.
type Connections struct {
	ports Ports
	gate  gate
	hints *hints
}

// A ConnectionPage is a connection as an administrator sees it.
type ConnectionPage struct {
	Connection access.Connection
	Kind       ticket.Kind
	Known      bool            // this program knows its kind
	Secrets    map[string]bool // which secret settings are stored
	Default    bool            // customers use it who have no other
	Mapped     int
}

// A ConnectionInput is a connection as a form sends it.
type ConnectionInput struct {
	ID      string // empty to add one
	Version int64
	Kind    string
	Name    string
	Values  map[string]string
	Secrets map[string]secret.Text // those to be replaced
}

// Kinds lists the kinds of ticket system that this program knows, without the
// built-in desk.
func (c *Connections) Kinds() []ticket.Kind { return c.ports.TicketKinds }

// List lists every connection.
func (c *Connections) List(ctx context.Context, who access.Person) ([]ConnectionPage, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return nil, err
	}
	all, err := c.ports.Connections.Connections(ctx)
	if err != nil {
		return nil, err
	}
	var out []ConnectionPage
	for _, one := range all {
		p, err := c.page(ctx, one)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Get reads one connection.
func (c *Connections) Get(ctx context.Context, who access.Person, id string) (ConnectionPage, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return ConnectionPage{}, err
	}
	one, err := c.ports.Connections.Connection(ctx, id)
	if err != nil {
		return ConnectionPage{}, hide(err)
	}
	return c.page(ctx, one)
}

func (c *Connections) page(ctx context.Context, one access.Connection) (ConnectionPage, error) {
	p := ConnectionPage{Connection: one, Secrets: map[string]bool{}}
	p.Kind, p.Known = findTicketKind(c.ports.TicketKinds, one.Kind)
	sealed, err := c.ports.Connections.ConnectionSecrets(ctx, one.ID)
	if err != nil {
		return p, err
	}
	for name, s := range sealed {
		p.Secrets[name] = len(s) > 0
	}
	standard, err := c.ports.Rules.Setting(ctx, SettingDesk)
	if err != nil {
		return p, err
	}
	p.Default = standard == one.ID
	mapped, err := c.ports.Connections.Mappings(ctx, one.ID)
	p.Mapped = len(mapped)
	return p, err
}

func findTicketKind(kinds []ticket.Kind, name string) (ticket.Kind, bool) {
	i := slices.IndexFunc(kinds, func(k ticket.Kind) bool { return k.Name == name })
	if i < 0 {
		return ticket.Kind{}, false
	}
	return kinds[i], true
}

// ConnectionPlace is where the secret setting called name of a connection is
// sealed for, under ConnectionKey.
func ConnectionPlace(connection, name string) secret.Place {
	return secret.Place{Table: "connection_secrets", Row: connection, Column: name}
}

// Save adds a connection (without ID) or changes one, whose kind stays. It is
// not tried; see Check.
func (c *Connections) Save(ctx context.Context, who access.Person, in ConnectionInput) (access.Connection, error) {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return access.Connection{}, err
	}
	one := access.Connection{ID: newID(), Kind: in.Kind, CreatedAt: time.Now().UTC()}
	var old map[string][]byte
	if in.ID != "" {
		if one, err = c.ports.Connections.Connection(ctx, in.ID); err != nil {
			return access.Connection{}, hide(err)
		}
		if old, err = c.ports.Connections.ConnectionSecrets(ctx, in.ID); err != nil {
			return access.Connection{}, err
		}
		one.Version = in.Version
	}
	kind, ok := findTicketKind(c.ports.TicketKinds, one.Kind)
	if !ok {
		return access.Connection{}, invalid("kind", "Choose one of the ticket systems in the list.")
	}
	settings := ticket.Settings{Values: map[string]string{}, Secrets: map[string]secret.Text{}}
	wrong := readFields(kind.Fields, in.Values, in.Secrets, old, settings.Values, settings.Secrets)
	if one.Name = strings.TrimSpace(clip(in.Name, 200)); one.Name == "" {
		one.Name = kind.Title
	}
	if len(wrong) == 0 && kind.Valid != nil {
		wrong = c.valid(ctx, kind, one.ID, settings, old)
	}
	if len(wrong) == 0 && in.ID != "" {
		wrong = rerouted(kind.Fields, one.Settings, settings.Values, old, settings.Secrets)
	}
	if len(wrong) > 0 {
		return access.Connection{}, &Invalid{Fields: wrong}
	}
	save, moves := c.ports.Connections.SaveConnection, ""
	if in.ID != "" {
		if wrong = movedDesk(kind, one.Settings, settings.Values); len(wrong) > 0 {
			save, moves = c.ports.Connections.MoveConnection, " It leads to another system now, whose companies are to be mapped anew."
		}
	}
	one.Settings = settings.Values
	sealed := map[string][]byte{}
	for name, text := range settings.Secrets {
		if sealed[name], err = c.ports.Sealer.Seal(ctx, ConnectionKey, ConnectionPlace(one.ID, name), text); err != nil {
			return access.Connection{}, fmt.Errorf("seal setting %s: %w", name, err)
		}
	}
	saved, err := save(ctx, one, sealed,
		by(who, EventConnectionSaved, "", "", one.ID, choose(in.ID == "", "Added", "Changed")+" the connection to the ticket system "+one.Name+"."+moves))
	if access.CodeOf(err) == access.StillLive {
		return access.Connection{}, &Invalid{Fields: wrong}
	}
	if err == nil && c.ports.Shelf != nil && in.ID != "" { // it may be another system from now on; what is still being read of the one before is not stored
		err = c.ports.Shelf.DropTicketLists(ctx, one.ID)
	}
	return saved, hide(err)
}

// movedDesk lists the settings that would lead to another system: a ticket's id
// means another ticket there, maybe of another customer.
func movedDesk(kind ticket.Kind, was, now map[string]string) (fields []access.FieldError) {
	for _, f := range kind.Fields {
		if f.Place && was[f.Name] != now[f.Name] {
			fields = append(fields, access.FieldError{Field: f.Name,
				Text: f.Title + " cannot change while access is open on tickets of this system, or notes to it wait. Connect the other system beside this one, or wait until they are done."})
		}
	}
	return fields
}

// valid asks the kind about the settings as they will be, secrets that stay included.
func (c *Connections) valid(ctx context.Context, kind ticket.Kind, id string, s ticket.Settings, old map[string][]byte) []access.FieldError {
	full := ticket.Settings{Values: s.Values, Secrets: map[string]secret.Text{}}
	for name, sealed := range old {
		if text, err := c.ports.Sealer.Open(ctx, ConnectionKey, ConnectionPlace(id, name), sealed); err == nil {
			full.Secrets[name] = text
		}
	}
	for name, text := range s.Secrets {
		full.Secrets[name] = text
	}
	return settingsError(kind.Valid(full))
}

// Check tries a connection and stores what it found.
func (c *Connections) Check(ctx context.Context, who access.Person, id string) ([]access.Finding, error) {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return nil, err
	}
	one, err := c.ports.Connections.Connection(ctx, id)
	if err != nil {
		return nil, hide(err)
	}
	findings, err := c.try(ctx, id)
	if err != nil {
		return nil, err
	}
	one.CheckedAt, one.Findings = time.Now().UTC(), findings
	_, err = c.ports.Connections.SaveConnection(ctx, one, nil, by(who, EventConnectionSaved, "", "", id, "Checked the connection to the ticket system "+one.Name+"."))
	return findings, hide(err)
}

func (c *Connections) try(ctx context.Context, id string) ([]access.Finding, error) {
	sys, err := c.ports.OpenDesk(ctx, id)
	if err == nil {
		if checker, ok := ticket.As[ticket.Checker](sys); ok {
			var findings []access.Finding
			if findings, err = checker.Check(ctx); err == nil {
				return findings, nil
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil:
		return []access.Finding{{Level: "info", What: "This ticket system cannot be checked without a ticket."}}, nil
	}
	return []access.Finding{{Level: "error", What: saidBy(err), Fix: "Correct the settings, then check again."}}, nil
}

// saidBy is what of an error may be shown.
func saidBy(err error) string {
	if e, ok := errors.AsType[*access.Error](err); ok && e.Text != "" {
		return strings.TrimSpace(e.Text + " " + e.Hint)
	}
	if t, ok := errors.AsType[*ticket.Trouble](err); ok && t.Text != "" {
		return clip(t.Text, 400)
	}
	return "The ticket system cannot be used."
}

// Choose makes a connection the one of every customer who has no other; an
// empty id makes it the built-in desk.
func (c *Connections) Choose(ctx context.Context, who access.Person, id string) error {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return err
	}
	name, err := c.nameOf(ctx, id)
	if err != nil {
		return err
	}
	return c.ports.Rules.SetSetting(ctx, SettingDesk, id, by(who, EventDeskChosen, "", "", id, "Customers without another choice now use "+name+"."))
}

// ChooseFor has one customer use a connection, "desk" for the built-in desk,
// or, if it is empty, what all use.
func (c *Connections) ChooseFor(ctx context.Context, who access.Person, customer, id string) error {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return err
	}
	if _, err := c.ports.Customers.Customer(ctx, customer); err != nil {
		return hide(err)
	}
	name := "the default ticket system"
	if id != "" && id != BuiltInDesk {
		if name, err = c.nameOf(ctx, id); err != nil {
			return err
		}
	} else if id == BuiltInDesk {
		name = "the built-in desk"
	}
	return c.ports.Connections.SetCustomerDesk(ctx, customer, id, by(who, EventDeskChosen, customer, "", id, "This customer now uses "+name+"."))
}

// A DeskChosen is one ticket system that a customer can use.
type DeskChosen struct {
	ID, Name string // ID is empty for what all use
	Chosen   bool
	Mapped   bool // the customer is mapped there, or need not be
}

// For lists what a customer can use; nothing if only the built-in desk is there.
func (c *Connections) For(ctx context.Context, who access.Person, customer string) ([]DeskChosen, error) {
	all, err := c.List(ctx, who)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	chosen, err := c.ports.Connections.CustomerDesk(ctx, customer)
	if err != nil {
		return nil, err
	}
	standard := "the built-in desk"
	out := []DeskChosen{{Chosen: chosen == "", Mapped: true}, {ID: BuiltInDesk, Name: "Built-in desk", Chosen: chosen == BuiltInDesk, Mapped: true}}
	for _, p := range all {
		mapped, err := c.ports.Connections.Mappings(ctx, p.Connection.ID)
		if err != nil {
			return nil, err
		}
		one := DeskChosen{ID: p.Connection.ID, Name: p.Connection.Name, Chosen: chosen == p.Connection.ID,
			Mapped: p.Kind.Company == "" || slices.ContainsFunc(mapped, func(m access.Mapping) bool { return m.Customer == customer })}
		if p.Default {
			standard, out[0].Mapped = one.Name, one.Mapped
		}
		out = append(out, one)
	}
	out[0].Name = "What all use: " + standard
	return out, nil
}

// BuiltInDesk is the name of the built-in desk where a connection is chosen.
const BuiltInDesk = "desk"

func (c *Connections) nameOf(ctx context.Context, id string) (string, error) {
	if id == "" {
		return "the built-in desk", nil
	}
	one, err := c.ports.Connections.Connection(ctx, id)
	return one.Name, hide(err)
}
