package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"jitney/access"
	"jitney/secret"
)

// An entry is how people come in and go out.
type entry struct{ *Server }

// SignIn knows who is visiting. Its sessions live in cookies that it sets.
type SignIn interface {
	// Load makes the session of a request available to the other methods,
	// through the context, and stores what changed.
	Load(next http.Handler) http.Handler
	// Who reports the person who is signed in; access.Denied if nobody is.
	Who(ctx context.Context) (access.Person, error)
	// In signs a person in, in a new session. It is access.Denied if name and
	// password do not fit, and access.Unavailable after too many tries.
	In(r *http.Request, login string, password secret.Text) error
	// Out ends the session.
	Out(ctx context.Context) error
	// Swap keeps a value under a key in the session, until that ends, and
	// reports the one before; empty is none. Without a session it does nothing.
	Swap(ctx context.Context, key, value string) (before string)
}

// Setup makes the first administrator.
type Setup interface {
	// Needed reports whether there is nobody yet who could sign in.
	Needed(ctx context.Context) (bool, error)
	// First makes the first administrator. It is access.Denied if token is not
	// the one that the server's log shows, and access.NotFound if none is needed.
	First(ctx context.Context, token secret.Text, name, login string, password secret.Text) error
}

type loginBody struct {
	Problem   *access.Error
	Login     string
	Next      string
	Hint      string
	Provider  string // what people call it; empty if there is none
	Passwords bool   // whether they let anybody in
}

func (s entry) showLogin(v *visit) error {
	if needed, err := s.Setup.Needed(v.ctx()); err != nil || needed {
		if err != nil {
			return err
		}
		http.Redirect(v.w, v.r, "/setup", http.StatusSeeOther)
		return nil
	}
	if _, err := s.SignIn.Who(v.ctx()); err == nil {
		return v.back(localPath(v.form("next"), "/request"), "")
	}
	hint := s.LoginHint
	if v.r.URL.Query().Has("out") {
		hint = "You are signed out."
	}
	if v.r.URL.Query().Has("made") {
		hint = "The first administrator is made. Sign in."
	}
	return s.loginPage(v, loginBody{Next: v.form("next"), Hint: hint}, nil)
}

func (s entry) login(v *visit) error {
	login := v.form("login")
	err := s.SignIn.In(v.r, login, secret.New(v.r.PostFormValue("password")))
	if err == nil {
		return v.back(localPath(v.form("next"), "/request"), "")
	}
	return s.loginPage(v, loginBody{Login: login, Next: v.form("next")}, err)
}

func (s entry) logout(v *visit) error {
	if err := s.SignIn.Out(v.ctx()); err != nil {
		return err
	}
	return v.back("/login?out", "")
}

type setupBody struct {
	Problem     *access.Error
	Name, Login string
}

// setupNeeded keeps the set-up away once there is somebody.
func (s entry) setupNeeded(v *visit) error {
	needed, err := s.Setup.Needed(v.ctx())
	if err == nil && !needed {
		return notFound()
	}
	return err
}

func (s entry) showSetup(v *visit) error {
	if err := s.setupNeeded(v); err != nil {
		return err
	}
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	return s.show(v, http.StatusOK, "setup", "Set up", setupBody{})
}

func (s entry) setup(v *visit) error {
	if err := s.setupNeeded(v); err != nil {
		return err
	}
	name, login := v.form("name"), v.form("login")
	err := s.Setup.First(v.ctx(), secret.New(strings.TrimSpace(v.r.PostFormValue("token"))), name, login, secret.New(v.r.PostFormValue("password")))
	if err == nil {
		return v.back("/login?made&next="+url.QueryEscape("/customers"), "")
	}
	p, err := problem(err)
	if err != nil {
		return err
	}
	return s.show(v, statuses[p.Kind], "setup", "Set up", setupBody{Problem: p, Name: name, Login: login})
}
