package web

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

// Tokens keeps the tokens with which programs act for people. Like the brokers
// it takes the person who acts, and refuses what that person may not do.
type Tokens interface {
	// List lists, newest first, the tokens of everybody if all is set and who may
	// see them, else the person's own: API tokens, and sign-ins that are good.
	List(ctx context.Context, who access.Person, all bool) ([]access.Token, error)
	// Create makes an API token; its text is reported once. Of want count Name,
	// Person, Admin, Customers and ExpiresAt.
	Create(ctx context.Context, who access.Person, want access.Token) (access.Token, secret.Text, error)
	Revoke(ctx context.Context, who access.Person, id string) error
}

// The token pages show and make what programs sign in with.
type tokenPages struct{ *Server }

func (s tokenPages) routes(admin, person func(pattern string, h handler)) {
	person("GET /tokens", s.showTokens)
	admin("POST /tokens", s.createToken)
	person("POST /tokens/{id}/revoke", s.revokeToken)
}

type tokenRow struct {
	ID, Name, Owner, Scope, Customers      string
	Created, Expires, Used, Badge, Tone    string
	Icon                                   string
	Live, Mine                             bool
	created, expires                       time.Time
	Application, Machine, UsedFrom, Signed string
}

type tokensBody struct {
	All, CanCreate bool
	Rows, SignIns  []tokenRow
	Over           []tokenRow // revoked or run out
	Ending         int        // of the rows that people are told about
	People         []option
	Customers      []option
	Name           string
	Days           int
	Admin, Some    bool
	Made           *tokenRow
	OneTime        *secret.Text
	Wrong          []wrongField
	Problem        *access.Error
	Empty          emptiness
}

func (s tokenPages) showTokens(v *visit) error {
	return s.tokensPage(v, http.StatusOK, access.Token{Person: v.Person.ID}, 90, nil, nil, nil)
}

// tokensPage lists the tokens, with the one that was just made, or the form as
// it was filled in and what is wrong with it.
func (s tokenPages) tokensPage(v *visit, status int, form access.Token, days int, made *access.Token, text *secret.Text, failed error) error {
	b := tokensBody{All: v.Person.Is(access.Administrator) || v.Person.Is(access.Auditor), CanCreate: v.Person.Is(access.Administrator),
		Name: form.Name, Days: days, Admin: form.Admin, Some: form.Customers != nil, OneTime: text}
	names, err := s.tokenNames(v, &b, form)
	if err != nil {
		return err
	}
	all, err := s.Tokens.List(v.ctx(), v.Person, b.All)
	if err != nil {
		return err
	}
	for _, t := range all {
		row := rowOf(v, t, names)
		if made != nil && made.ID == t.ID {
			b.Made = &row
		}
		switch {
		case t.Kind == access.TokenCLI:
			b.SignIns = append(b.SignIns, row)
		case row.Live:
			b.Rows = append(b.Rows, row)
		default:
			b.Over = append(b.Over, row)
		}
		if t.Ending(v.now) {
			b.Ending++
		}
	}
	b.Over = b.Over[:min(len(b.Over), 50)]
	slices.SortStableFunc(b.Rows, func(x, y tokenRow) int { return cmp.Compare(x.expires.UnixMicro(), y.expires.UnixMicro()) })
	b.Empty = emptiness{Icon: "key-round", Title: "No API tokens", Text: "An API token lets a program act for a person, without a browser. Administrators make them."}
	if failed != nil {
		if b.Wrong = wrongOf(broker.FieldsOf(failed)); len(b.Wrong) == 0 {
			if b.Problem, err = problem(failed); err != nil {
				return err
			}
		}
		status = statuses[access.KindOf(failed)]
	}
	v.section = "/me"
	return s.show(v, status, "tokens", "API tokens", b)
}

// nameBook tells the names of people and customers by ID.
type nameBook struct{ people, customers map[string]string }

// tokenNames reads the names that the page shows, and the choices of its form.
func (s tokenPages) tokenNames(v *visit, b *tokensBody, form access.Token) (nameBook, error) {
	n := nameBook{people: map[string]string{v.Person.ID: v.Person.Name}}
	customers, err := s.Broker.Places.Customers(v.ctx(), v.Person)
	if err != nil {
		return n, err
	}
	n.customers = map[string]string{}
	for _, c := range customers {
		n.customers[c.ID] = c.Name
		if c.ArchivedAt.IsZero() {
			b.Customers = append(b.Customers, option{Value: c.ID, Label: c.Name, Selected: slices.Contains(form.Customers, c.ID)})
		}
	}
	if !b.All {
		return n, nil
	}
	people, err := s.Broker.People.People(v.ctx(), v.Person)
	if err != nil {
		return n, err
	}
	for _, p := range people {
		n.people[p.ID] = p.Name
		if p.DisabledAt.IsZero() {
			b.People = append(b.People, option{Value: p.ID, Label: p.Name + " (" + p.Login + ")", Selected: p.ID == form.Person})
		}
	}
	return n, nil
}

func rowOf(v *visit, t access.Token, names nameBook) tokenRow {
	row := tokenRow{ID: t.ID, Name: t.Name, Owner: cmp.Or(names.people[t.Person], "Somebody"), Mine: t.Person == v.Person.ID, Scope: "Tenant", Customers: "All of the person",
		Created: v.Short(t.CreatedAt), Expires: v.Short(t.ExpiresAt), Used: "Never", Live: t.Live(v.now), created: t.CreatedAt, expires: t.ExpiresAt,
		Application: t.Application, Machine: t.Machine, UsedFrom: t.UsedFrom, Signed: v.Zoned(t.CreatedAt)}
	if t.Admin {
		row.Scope = "Tenant and admin"
	}
	if t.Customers != nil {
		row.Customers = worksFor(t.Customers, names.customers)
	}
	if !t.UsedAt.IsZero() {
		row.Used = v.Ago(t.UsedAt)
	}
	switch {
	case !t.RevokedAt.IsZero():
		row.Badge, row.Tone, row.Icon = "Revoked", "ended", "ban"
	case !row.Live:
		row.Badge, row.Tone, row.Icon = "Expired", "ended", "hourglass"
	case t.Ending(v.now):
		row.Badge, row.Tone, row.Icon = "Expires in "+daysLeft(t.ExpiresAt.Sub(v.now)), "expiring", "alarm-clock"
	default:
		row.Badge, row.Tone, row.Icon = "Active", "ok", "circle-check"
	}
	return row
}

func daysLeft(d time.Duration) string {
	if d < 48*time.Hour {
		return strconv.Itoa(max(1, int(d/time.Hour))) + " h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + " days"
}

func (s tokenPages) createToken(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	days, err := strconv.Atoi(v.form("days"))
	if err != nil || days < 0 || days > math.MaxInt16 {
		days = 0
	}
	want := access.Token{Name: v.form("name"), Person: v.form("person"), Admin: v.form("admin") != "", ExpiresAt: v.now.Add(time.Duration(days) * 24 * time.Hour)}
	if v.form("for") == "some" {
		want.Customers = append([]string{}, v.r.PostForm["customer"]...)
		for i, c := range want.Customers {
			want.Customers[i] = strings.ToValidUTF8(c, "")
		}
	}
	t, text, err := s.Tokens.Create(v.ctx(), v.Person, want)
	if err != nil {
		if access.KindOf(err) == access.NotFound {
			return err
		}
		return s.tokensPage(v, http.StatusUnprocessableEntity, want, days, nil, nil, err)
	}
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	return s.tokensPage(v, http.StatusOK, access.Token{Person: v.Person.ID}, 90, &t, &text, nil)
}

func (s tokenPages) revokeToken(v *visit) error {
	if err := s.Tokens.Revoke(v.ctx(), v.Person, v.r.PathValue("id")); err != nil {
		return err
	}
	return v.back("/tokens", "revoked")
}

// endingTokens counts the visitor's own API tokens that end so soon that they
// are told.
func (s *Server) endingTokens(v *visit) (n int, err error) {
	all, err := s.Tokens.List(v.ctx(), v.Person, false)
	for _, t := range all {
		if t.Ending(v.now) {
			n++
		}
	}
	return n, err
}
