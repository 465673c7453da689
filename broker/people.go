package broker

import (
	"context"
	"slices"
	"strings"
	"time"

	"jitney/access"
)

// The kinds of event about people.
const (
	EventPersonSaved    = "person.saved"
	EventPersonDisabled = "person.disabled"
	EventPersonEnabled  = "person.enabled"
)

// A Staff is everything that administrators do with people. Passwords and
// sessions are the business of package signin.
type Staff struct {
	ports  Ports
	gate   gate
	access *Access
}

// A PersonInput is a person as a form sends it.
type PersonInput struct {
	ID           string // empty to add one
	Version      int64
	Login        string
	Name         string
	Roles        []access.Role
	Customers    []string
	AllCustomers bool
	TimeZone     string
}

// People lists everybody, by name.
func (s *Staff) People(ctx context.Context, who access.Person) ([]access.Person, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return nil, err
	}
	all, err := s.ports.People.People(ctx)
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b access.Person) int {
		return strings.Compare(strings.ToLower(a.Name+a.Login), strings.ToLower(b.Name+b.Login))
	})
	return all, err
}

// Person reads one person; anybody may read themselves.
func (s *Staff) Person(ctx context.Context, who access.Person, id string) (access.Person, error) {
	if id != who.ID {
		if err := allow(who, access.Administrator, access.Auditor); err != nil {
			return access.Person{}, err
		}
	}
	if err := allow(who); err != nil {
		return access.Person{}, err
	}
	p, err := s.ports.People.Person(ctx, id)
	return p, hide(err)
}

// Save adds a person (without ID) or changes one. The last administrator who
// can sign in stays one.
func (s *Staff) Save(ctx context.Context, who access.Person, in PersonInput) (access.Person, error) {
	who, err := s.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return access.Person{}, err
	}
	p := access.Person{ID: newID(), CreatedAt: time.Now().UTC()}
	if in.ID != "" {
		if p, err = s.ports.People.Person(ctx, in.ID); err != nil {
			return access.Person{}, hide(err)
		}
	}
	p.Login, p.Name, p.Version = strings.TrimSpace(in.Login), strings.TrimSpace(clip(in.Name, 200)), in.Version
	p.Roles, p.Customers, p.AllCustomers, p.TimeZone = in.Roles, in.Customers, in.AllCustomers, in.TimeZone
	if err := s.valid(ctx, p); err != nil {
		return access.Person{}, err
	}
	e := by(who, EventPersonSaved, "", "", p.ID, choose(in.ID == "", "Added ", "Changed ")+p.Login+".")
	e.Data = map[string]string{"roles": joinRoles(p.Roles), "customers": choose(p.AllCustomers, "all", strings.Join(p.Customers, " "))}
	saved, err := s.ports.People.SavePersonIf(ctx, p, keepsOne, e)
	return saved, hide(err)
}

func joinRoles(roles []access.Role) string {
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = string(r)
	}
	return strings.Join(out, " ")
}

func (s *Staff) valid(ctx context.Context, p access.Person) error {
	var wrong []access.FieldError
	add := func(field, text string) { wrong = append(wrong, access.FieldError{Field: field, Text: text}) }
	if p.Login == "" || len(p.Login) > 200 || p.Login != clip(p.Login, 200) || strings.ContainsAny(p.Login, " \t") {
		add("login", "A login is required, without spaces, such as example.user@msp.example.")
	}
	if p.Name == "" {
		add("name", "Name is required.")
	}
	if len(p.Roles) == 0 {
		add("roles", "Choose at least one role.")
	}
	for _, r := range p.Roles {
		if !slices.Contains(access.Roles, r) {
			add("roles", "Choose roles from the list.")
		}
	}
	if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" {
		add("time_zone", "Choose a time zone such as Europe/London, or none.")
	}
	for _, id := range p.Customers {
		if _, err := s.ports.Customers.Customer(ctx, id); err != nil {
			add("customers", "Choose customers from the list.")
			break
		}
	}
	if len(wrong) > 0 {
		return &Invalid{Fields: wrong}
	}
	return nil
}

// keepsOne demands that an administrator who can sign in is left.
func keepsOne(everybody []access.Person) error {
	for _, p := range everybody {
		if p.Is(access.Administrator) && p.DisabledAt.IsZero() {
			return nil
		}
	}
	return &access.Error{Kind: access.Conflict, Text: "The last administrator cannot be taken away.", Hint: "Make somebody else an administrator first."}
}

// Disable keeps a person out from now on and, if revoke is set, revokes
// everything they hold; it reports how many grants that were.
func (s *Staff) Disable(ctx context.Context, who access.Person, id string, revoke bool, reason string) (int, error) {
	who, err := s.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return 0, err
	}
	if reason, err = demand("reason", reason, "Reason is required."); err != nil {
		return 0, err
	}
	if err := s.setDisabled(ctx, who, id, time.Now().UTC(), by(who, EventPersonDisabled, "", "", id, "Disabled: "+reason)); err != nil {
		return 0, err
	}
	if !revoke {
		return 0, nil
	}
	if who.ID == id { // an administrator who disabled themselves may still do this last thing
		return revoker{s.access}.revokeMany(ctx, who, access.GrantQuery{Requester: id}, reason)
	}
	return s.access.Revoke(ctx, who, Scope{Person: id}, reason)
}

// Enable lets a person in again.
func (s *Staff) Enable(ctx context.Context, who access.Person, id string) error {
	who, err := s.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return err
	}
	return s.setDisabled(ctx, who, id, time.Time{}, by(who, EventPersonEnabled, "", "", id, "Enabled again."))
}

func (s *Staff) setDisabled(ctx context.Context, who access.Person, id string, at time.Time, e access.Event) error {
	p, err := s.ports.People.Person(ctx, id)
	if err != nil {
		return hide(err)
	}
	if p.DisabledAt.IsZero() == at.IsZero() {
		return nil
	}
	p.DisabledAt = at
	_, err = s.ports.People.SavePersonIf(ctx, p, keepsOne, e)
	return hide(err)
}

// SetTimeZone stores the time zone in which who reads times.
func (s *Staff) SetTimeZone(ctx context.Context, who access.Person, zone string) (access.Person, error) {
	p, err := s.gate.fresh(ctx, who)
	if err != nil {
		return access.Person{}, err
	}
	if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		return access.Person{}, invalid("time_zone", "Choose a time zone such as Europe/London, or none.")
	}
	p.TimeZone = zone
	saved, err := s.ports.People.SavePerson(ctx, p, by(p, EventPersonSaved, "", "", p.ID, "Changed their time zone."))
	return saved, hide(err)
}
