package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

// The staff pages are the people who sign in.
type staff struct{ *Server }

// Accounts keeps the passwords and the sessions of people. Like the brokers it
// takes the person who acts, and refuses what that person may not do.
type Accounts interface {
	// Reset makes a first password for a person, ends their sessions, and
	// reports it; nobody can read it again.
	Reset(ctx context.Context, who access.Person, person string) (secret.Text, error)
	// Change gives who another password and ends their other sessions.
	Change(ctx context.Context, who access.Person, current, next secret.Text) error
	// Sessions lists the sessions of who, newest first.
	Sessions(ctx context.Context, who access.Person) ([]Session, error)
	// End ends one session of a person, or all if session is empty, but never
	// the one that ctx belongs to.
	End(ctx context.Context, who access.Person, person, session string) error
}

// A Session is one sign-in of a person.
type Session struct {
	ID            string // names it to End; opens nothing
	Agent         string // what the browser calls itself
	From          string // address it came from
	Since, SeenAt time.Time
	Here          bool // the session of this request
}

// number reads a version; 0 if it is none.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

type personRow struct {
	ID, Name, Login, Customers string
	Roles                      []access.Role
	Disabled                   bool
}

type peopleBody struct {
	Rows   []personRow
	CanAdd bool
}

func (s staff) showPeople(v *visit) error {
	people, err := s.Broker.People.People(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	names, err := s.customerNames(v)
	if err != nil {
		return err
	}
	b := peopleBody{CanAdd: v.Person.Is(access.Administrator)}
	for _, p := range people {
		row := personRow{ID: p.ID, Name: p.Name, Login: p.Login, Roles: p.Roles, Disabled: !p.DisabledAt.IsZero(), Customers: "Every customer"}
		if !p.AllCustomers {
			row.Customers = worksFor(p.Customers, names)
		}
		b.Rows = append(b.Rows, row)
	}
	return s.show(v, http.StatusOK, "people", "People", b)
}

func worksFor(ids []string, names map[string]string) string {
	var out []string
	for _, id := range ids {
		if name, ok := names[id]; ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	switch {
	case len(out) == 0:
		return "None"
	case len(out) > 3:
		return strings.Join(out[:3], ", ") + " and " + strconv.Itoa(len(out)-3) + " more"
	}
	return strings.Join(out, ", ")
}

type roleOption struct {
	Value       access.Role
	Label, Help string
	Selected    bool
}

var roleHelp = map[access.Role]string{
	access.Administrator: "Sets everything up, may revoke anything.",
	access.Approver:      "Decides on requests of the customers they work for.",
	access.Requester:     "Asks for access to the customers they work for.",
	access.Auditor:       "Reads everything, changes nothing.",
}

type personBody struct {
	ID, Crumb, Heading, Login, LoginValue, Name, TimeZone, Action, Save string
	Version                                                             int64
	Roles                                                               []roleOption
	Customers                                                           []option
	All, Disabled, ReadOnly, Passwords                                  bool
	Links                                                               []linkRow
	Provider                                                            string
	OneTime                                                             *secret.Text
	Wrong                                                               []wrongField
	Problem                                                             *access.Error
}

func (s staff) newPerson(v *visit) error {
	return s.personPage(v, http.StatusOK, access.Person{Roles: []access.Role{access.Requester}}, nil, nil)
}

func (s staff) showPerson(v *visit) error {
	p, err := s.Broker.People.Person(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.personPage(v, http.StatusOK, p, nil, nil)
}

func (s staff) personPage(v *visit, status int, p access.Person, oneTime *secret.Text, failed error) error {
	customers, err := s.Broker.Places.Customers(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	b := personBody{ID: p.ID, Crumb: "New", Heading: "Add a person", LoginValue: p.Login, Name: p.Name, TimeZone: p.TimeZone, Action: "/people", Save: "Add person",
		Version: p.Version, All: p.AllCustomers, Disabled: !p.DisabledAt.IsZero(), ReadOnly: !v.Person.Is(access.Administrator), OneTime: oneTime}
	b.Passwords = !s.NoPasswords
	if b.Links, err = s.links(v, p.ID); err != nil {
		return err
	}
	if s.Provider != nil {
		b.Provider = s.Provider.Name()
	}
	if p.ID != "" {
		b.Crumb, b.Heading, b.Login, b.Action, b.Save = p.Name, p.Name, p.Login, "/people/"+p.ID, "Save"
	}
	for _, r := range access.Roles {
		b.Roles = append(b.Roles, roleOption{Value: r, Label: strings.ToUpper(string(r[:1])) + string(r[1:]), Help: roleHelp[r], Selected: p.Is(r)})
	}
	for _, c := range customers {
		b.Customers = append(b.Customers, option{Value: c.ID, Label: c.Name, Selected: slices.Contains(p.Customers, c.ID)})
	}
	slices.SortStableFunc(b.Customers, func(x, y option) int { return ticked(y) - ticked(x) }) // what is ticked is seen without scrolling
	if failed != nil {
		if b.Wrong = wrongOf(broker.FieldsOf(failed)); len(b.Wrong) == 0 {
			if b.Problem, err = problem(failed); err != nil {
				return err
			}
		}
		status = statuses[access.KindOf(failed)]
	}
	return s.show(v, status, "person", b.Heading, b)
}

func ticked(o option) int {
	if o.Selected {
		return 1
	}
	return 0
}

func (s staff) savePerson(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	in := broker.PersonInput{ID: v.r.PathValue("id"), Version: number(v.form("version")), Login: v.form("login"), Name: v.form("name"),
		Customers: v.r.PostForm["customer"], AllCustomers: v.form("all") != "", TimeZone: v.form("time_zone")}
	for _, r := range v.r.PostForm["role"] {
		in.Roles = append(in.Roles, access.Role(r))
	}
	p, err := s.Broker.People.Save(v.ctx(), v.Person, in)
	switch {
	case err != nil && access.KindOf(err) == access.NotFound:
		return err
	case err != nil:
		typed := access.Person{ID: in.ID, Version: in.Version, Login: in.Login, Name: in.Name, Roles: in.Roles, Customers: in.Customers, AllCustomers: in.AllCustomers, TimeZone: in.TimeZone}
		return s.personPage(v, http.StatusUnprocessableEntity, typed, nil, err)
	case in.ID == "" && !s.NoPasswords:
		return s.firstPassword(v, p)
	}
	return v.back("/people/"+p.ID, "saved")
}

// firstPassword makes a password for a person and shows it, in this answer only.
func (s staff) firstPassword(v *visit, p access.Person) error {
	password, err := s.Accounts.Reset(v.ctx(), v.Person, p.ID)
	if err != nil {
		return s.personPage(v, http.StatusOK, p, nil, err)
	}
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	return s.personPage(v, http.StatusOK, p, &password, nil)
}

// person does something to the person of the address and goes back to their page.
func (s staff) person(message string, do func(v *visit, id string) error) handler {
	return func(v *visit) error {
		id := v.r.PathValue("id")
		err := do(v, id)
		if err == nil {
			return v.back("/people/"+id, message)
		}
		if k := access.KindOf(err); k == access.NotFound || k == access.Internal {
			return err
		}
		p, readErr := s.Broker.People.Person(v.ctx(), v.Person, id)
		if readErr != nil {
			return readErr
		}
		return s.personPage(v, http.StatusOK, p, nil, err)
	}
}

func (s staff) resetPassword(v *visit) error {
	p, err := s.Broker.People.Person(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.firstPassword(v, p)
}

func (s staff) disablePerson(v *visit, id string) error {
	if _, err := s.Broker.People.Disable(v.ctx(), v.Person, id, v.form("revoke") != "", v.form("reason")); err != nil {
		return err
	}
	return s.Accounts.End(v.ctx(), v.Person, id, "")
}

func (s staff) enablePerson(v *visit, id string) error {
	return s.Broker.People.Enable(v.ctx(), v.Person, id)
}

func (s staff) endSessions(v *visit, id string) error {
	return s.Accounts.End(v.ctx(), v.Person, id, "")
}
