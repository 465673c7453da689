package web

import (
	"context"
	"net/http"

	"jitney/access"
)

// Provider vouches for people: they sign in there and come back. Its Links and
// Unlink take the person who acts, and refuse what that person may not do.
type Provider interface {
	// Name is what people call it.
	Name() string
	// Begin reports where to send the visitor, who wants to go to next afterwards.
	Begin(w http.ResponseWriter, r *http.Request, next string) (address string, err error)
	// Finish signs in the visitor who comes back, and reports next also with an error.
	Finish(w http.ResponseWriter, r *http.Request) (next string, err error)
	// Links lists the linked accounts of a person.
	Links(ctx context.Context, who access.Person, person string) ([]access.Identity, error)
	// Unlink forgets them and ends the person's sign-ins.
	Unlink(ctx context.Context, who access.Person, person string) error
}

// loginPage shows the sign-in, with what went wrong.
func (s entry) loginPage(v *visit, b loginBody, failed error) (err error) {
	status := http.StatusOK
	if failed != nil {
		if b.Problem, err = problem(failed); err != nil {
			return err
		}
		status = statuses[b.Problem.Kind]
	}
	b.Passwords = !s.NoPasswords
	if s.Provider != nil {
		b.Provider = s.Provider.Name()
	}
	return s.show(v, status, "login", "Sign in", b)
}

func (s entry) leave(v *visit) error {
	if s.Provider == nil {
		return notFound()
	}
	next := localPath(v.form("next"), "")
	to, err := s.Provider.Begin(v.w, v.r, next)
	if err != nil {
		return s.loginPage(v, loginBody{Next: next}, err)
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

func (s entry) comeBack(v *visit) error {
	if s.Provider == nil {
		return notFound()
	}
	v.w.Header().Set("Referrer-Policy", "no-referrer") // the address holds a code, of no use any more
	next, err := s.Provider.Finish(v.w, v.r)
	if err != nil {
		return s.loginPage(v, loginBody{Next: next}, err)
	}
	return v.back(localPath(next, "/request"), "")
}

// A linkRow is an account of a person at the provider.
type linkRow struct{ Name, Since string }

func (s staff) links(v *visit, person string) (rows []linkRow, err error) {
	if s.Provider == nil || person == "" || !v.Person.Is(access.Administrator) {
		return nil, nil
	}
	all, err := s.Provider.Links(v.ctx(), v.Person, person)
	for _, l := range all {
		rows = append(rows, linkRow{l.Name, v.Short(l.LinkedAt)})
	}
	return rows, err
}

func (s staff) unlink(v *visit, id string) error {
	if s.Provider == nil {
		return notFound()
	}
	return s.Provider.Unlink(v.ctx(), v.Person, id)
}
