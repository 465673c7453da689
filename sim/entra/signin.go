package entra

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"jitney/secret"
)

// sessionLife is how long a sign-in lasts at most; one by a Temporary Access
// Pass ends with the pass, if that is sooner.
const sessionLife = time.Hour

// portalApp is the client ID under which sign-ins to the toy portal are logged.
const portalApp = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"

// A Method is what somebody signs in with.
type Method string

// The methods of the sign-in page.
const (
	WithPass     Method = "pass" // a Temporary Access Pass
	WithPassword Method = "password"
)

// A Refusal is why somebody was not signed in. Its text is for that person and
// holds no secret.
type Refusal struct {
	Code int // as in Entra's sign-in log
	Text string
	wall bool // the password is right, and does not suffice
}

func (r *Refusal) Error() string { return r.Text }

// The refusals of the sign-in page. Codes are Entra's, those of passes from
// memory; the words are our own.
func noAccount() *Refusal { return &Refusal{Code: 50034, Text: "This account does not exist."} }
func isDisabled() *Refusal {
	return &Refusal{Code: 50057, Text: "Your account has been disabled. Ask your administrator."}
}
func wrongPassword() *Refusal {
	return &Refusal{Code: 50126, Text: "Your account name or password is incorrect."}
}
func needsFactor() *Refusal {
	return &Refusal{Code: 50072, Text: "A password alone is not enough here: register a second factor first.", wall: true}
}
func isBlocked() *Refusal {
	return &Refusal{Code: 53003, Text: "You are not allowed to sign in here: a conditional access policy of your company blocks it."}
}
func tooWeak() *Refusal {
	return &Refusal{Code: 53003, Text: "You are not allowed to sign in with this: a conditional access policy of your company demands a sign-in that resists phishing, which a Temporary Access Pass is not."}
}

// passRefusal puts the verdict of UsePass into words.
func passRefusal(why string) *Refusal {
	switch why {
	case "DisabledByPolicy":
		return &Refusal{Code: 130502, Text: "Temporary Access Pass sign-in is not allowed for this account by the policy of your company."}
	case "OneTimeUsed":
		return &Refusal{Code: 130505, Text: "Your Temporary Access Pass has already been used. It was good for one sign-in."}
	case "NotYetValid":
		return &Refusal{Code: 130503, Text: "Your Temporary Access Pass is not valid yet."}
	case "Expired":
		return &Refusal{Code: 130504, Text: "Your Temporary Access Pass is incorrect or has expired."}
	}
	return &Refusal{Code: 130503, Text: "Your Temporary Access Pass is incorrect or has expired."}
}

// SignIn tries to sign in to the portal, as a person with a browser would. It
// writes the sign-in log. The error is a [*Refusal].
func (c *Cloud) SignIn(upn string, method Method, credential secret.Text) (*Session, error) {
	upn = strings.TrimSpace(upn)
	t, u := c.id.account(upn)
	if t == nil {
		return nil, noAccount()
	}
	s, refused := letIn(t, u, method, credential)
	logSignIn(t, upn, u, refused)
	if refused != nil {
		return nil, refused
	}
	return s, nil
}

// account finds the Entra tenant by the domain in upn, and the live account in
// it; its ID is empty if there is none.
func (id *identity) account(upn string) (*Tenant, User) {
	_, domain, ok := strings.Cut(upn, "@")
	if !ok || len(upn) > 256 {
		return nil, User{}
	}
	t := id.cloud.Tenant(domain)
	if t == nil || strings.EqualFold(domain, t.ID) {
		return nil, User{}
	}
	u, ok := t.User(upn)
	if !ok || !u.Deleted.IsZero() || !strings.EqualFold(u.UPN, upn) {
		return t, User{}
	}
	return t, u
}

// letIn decides as Entra would: the account, the credential, then what the
// portal and the company demand beyond it.
func letIn(t *Tenant, u User, method Method, credential secret.Text) (*Session, *Refusal) {
	if u.ID == "" {
		return nil, noAccount()
	}
	now := t.cloud.Now()
	s := &Session{tenant: t, user: u.ID, upn: u.UPN, name: u.Name, method: method, until: now.Add(sessionLife), validFrom: u.SessionsValidFrom}
	if method == WithPassword {
		switch {
		case !t.PasswordFits(u.ID, credential.Reveal()):
			return nil, wrongPassword()
		case !u.Enabled:
			return nil, isDisabled()
		}
		return nil, needsFactor() // the portals ask everyone, and nobody here can register one
	}
	if !u.Enabled {
		return nil, isDisabled()
	}
	if refused := policyRefuses(t, u); refused != nil {
		return nil, refused
	}
	p, why := t.UsePass(u.ID, credential.Reveal())
	if why != "" {
		return nil, passRefusal(why)
	}
	s.pass = p.ID
	if p.End.Before(s.until) {
		s.until = p.End
	}
	return s, nil
}

// policyRefuses reports which conditional access policy keeps out an account
// that comes with a Temporary Access Pass, which counts as a second factor.
func policyRefuses(t *Tenant, u User) *Refusal {
	for _, p := range t.Access() {
		covered := len(p.Roles) == 0 || slices.ContainsFunc(p.Roles, func(role string) bool { return slices.Contains(u.Roles, role) })
		here := len(p.Apps) == 0 || slices.ContainsFunc(p.Apps, func(app string) bool {
			return app == portalApp || app == "All" || app == "MicrosoftAdminPortals"
		})
		switch {
		case p.State != "" && p.State != "enabled", !covered, !here:
		case p.Block:
			return isBlocked()
		case p.PhishingResistant:
			return tooWeak()
		}
	}
	return nil
}

// logSignIn writes an attempt to the sign-in log.
func logSignIn(t *Tenant, upn string, u User, refused *Refusal) {
	if u.ID == "" {
		u.ID = "00000000-0000-0000-0000-000000000000"
	}
	entry := SignIn{User: u.ID, UPN: strings.ToLower(upn), App: "Azure Portal", Address: "127.0.0.1"}
	if refused != nil {
		entry.Code, entry.Reason = refused.Code, refused.Text
	}
	t.RecordSignIn(entry)
}

// showSignIn asks for the name of an account.
func (id *identity) showSignIn(w http.ResponseWriter, r *http.Request) {
	upn := r.URL.Query().Get("login_hint")
	if len(upn) > 256 {
		upn = ""
	}
	id.show(w, http.StatusOK, "signin", page{Title: "Sign in", UPN: upn})
}

// signIn takes a name and asks for the credential, or takes both and decides.
func (id *identity) signIn(w http.ResponseWriter, r *http.Request) {
	f, ok := form(w, r)
	if !ok {
		return
	}
	upn, credential := strings.TrimSpace(f.Get("upn")), secret.New(strings.TrimSpace(f.Get("credential")))
	t, u := id.account(upn)
	if t == nil || u.ID == "" {
		if t != nil {
			logSignIn(t, upn, u, noAccount())
		}
		id.show(w, http.StatusUnauthorized, "signin", page{Title: "Sign in", UPN: upn, Error: noAccount().Text})
		return
	}
	method := Method(f.Get("method"))
	if method != WithPass && method != WithPassword {
		method = WithPassword // as Entra, which offers a pass to whom it gave one
		if u.Passes > 0 {
			method = WithPass
		}
	}
	ask := page{Title: "Sign in", UPN: upn, Pass: method == WithPass}
	if credential.IsZero() {
		id.show(w, http.StatusOK, "credential", ask)
		return
	}
	s, err := id.cloud.SignIn(upn, method, credential)
	if err != nil {
		id.showRefusal(w, ask, err)
		return
	}
	id.open(w, s)
	http.Redirect(w, r, "/portal", http.StatusSeeOther)
}

func (id *identity) showRefusal(w http.ResponseWriter, ask page, err error) {
	if refused, ok := err.(*Refusal); ok && refused.wall {
		ask.Title = "More information required"
		id.show(w, http.StatusForbidden, "wall", ask)
		return
	}
	ask.Error = err.Error()
	id.show(w, http.StatusUnauthorized, "credential", ask)
}

// sessionCookie is what the portal knows a browser by. Cookies do not tell
// ports apart, so the name is not one that others on this machine would use.
const sessionCookie = "simulated-m365"

// open gives the browser a cookie for s.
func (id *identity) open(w http.ResponseWriter, s *Session) {
	key := rand.Text()
	id.mu.Lock()
	defer id.mu.Unlock()
	if len(id.sessions) >= mostSessions {
		clear(id.sessions)
	}
	id.sessions[key] = s
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: key, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// mostSessions bounds what the portal remembers.
const mostSessions = 10_000
