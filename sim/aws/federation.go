package aws

import (
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// loginLife is how long a sign-in token opens the console.
const loginLife = 15 * time.Minute

// cookie carries a visit to the console.
const cookie = "aws-simulated-console"

// A login is a sign-in token that was handed out.
type login struct {
	key     *credential
	expires time.Time
	ends    time.Time // of the console, if SessionDuration was given
}

// A visit is a browser that is signed in to the console.
type visit struct {
	key  *credential
	ends time.Time
}

// A visitor is a browser at the federation endpoint or in the console, or a program that wants a sign-in token.
type visitor struct{ *exchange }

func (x visitor) signIn() answer {
	c := x.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	x.now = c.Now()
	switch path := x.req.URL.Path; {
	case path == "/federation" && x.action == "getSigninToken":
		return x.signinToken()
	case path == "/federation" && x.action == "login":
		return x.login()
	case (path == "/oauth" || path == "/federation") && x.action == "logout", path == "/console/logout":
		x.action = "logout"
		return x.logout()
	case path == "/federation", path == "/oauth":
		return x.refuse(badRequest("The action is missing or unknown."))
	}
	x.action = "console"
	return x.console()
}

func badRequest(text string) *failure {
	return &failure{Status: 400, Code: "BadRequest", Message: text}
}

// signinToken changes the keys of a session for a token that opens the console.
func (x visitor) signinToken() answer {
	var s struct {
		ID    string `json:"sessionId"`
		Key   string `json:"sessionKey"`
		Token string `json:"sessionToken"`
	}
	err := json.Unmarshal([]byte(x.str("Session")), &s)
	k := x.cloud.keys[s.ID]
	if err != nil || k == nil || k.disabled || k.expires.IsZero() || k.who.how == "GetSessionToken" || !x.now.Before(k.expires) ||
		subtle.ConstantTimeCompare([]byte(k.secret+k.token), []byte(s.Key+s.Token)) != 1 {
		return x.refuse(badRequest("Invalid credentials parameter"))
	}
	x.keyID, x.who = k.id, k.who
	l := &login{key: k, expires: x.now.Add(loginLife)}
	if text := x.str("SessionDuration"); text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n < 900 || n > 43200:
			return x.refuse(badRequest("Invalid session duration parameter"))
		case k.who.chained:
			return x.refuse(badRequest("Invalid credentials parameter"))
		}
		l.ends = x.now.Add(time.Duration(n) * time.Second)
	}
	token := newSecret(180)
	x.cloud.logins[token] = l
	x.effect = true
	for t, old := range x.cloud.logins {
		if old.expires.Before(x.now) {
			delete(x.cloud.logins, t)
		}
	}
	body, _ := json.Marshal(map[string]string{"SigninToken": token}) // a map of strings never fails
	return answer{status: 200, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

// login lets a browser in that brings a sign-in token.
func (x visitor) login() answer {
	l := x.cloud.logins[x.str("SigninToken")]
	if l == nil || !x.now.Before(l.expires) {
		return x.refuse(badRequest("The sign-in token is not valid, or was not used in time."))
	}
	to, ok := x.destination(x.str("Destination"))
	if !ok {
		return x.refuse(badRequest("The destination is missing, or is not in the console."))
	}
	if v := x.visit(); v != nil && v.key.who.account != l.key.who.account && !x.cloud.opt.MultiSession {
		return x.refuse(badRequest("You must first log out before logging into a different AWS account."))
	}
	x.keyID, x.who, x.effect = l.key.id, l.key.who, true
	ends := l.key.expires
	if !l.ends.IsZero() {
		ends = l.ends
	}
	for id, old := range x.cloud.visits {
		if old.ends.Before(x.now.Add(-time.Hour)) {
			delete(x.cloud.visits, id)
		}
	}
	id := newID("", 26)
	x.cloud.visits[id] = &visit{key: l.key, ends: ends}
	a := redirect(to)
	a.header.Set("Set-Cookie", (&http.Cookie{Name: cookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: x.req.TLS != nil}).String())
	return a
}

func redirect(to string) answer {
	return answer{status: http.StatusFound, header: http.Header{"Location": {to}, "Cache-Control": {"no-store"}}}
}

// destination is where a browser goes in the console: where it was asked to, or where the simulation has that.
func (x visitor) destination(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || text == "" || u.User != nil {
		return "", false
	}
	p, here := x.cloud.partition, hostOf(x.req)
	ours := u.Host == "" && strings.HasPrefix(u.Path, "/console") || u.Host == here && strings.HasPrefix(u.Path, "/console")
	theirs := (u.Host == p.Console || strings.HasSuffix(u.Host, "."+p.Console)) && u.Scheme == "https"
	if host, _, err := net.SplitHostPort(here); err == nil {
		here = host
	}
	switch service, _, _ := p.place(here); {
	case service == serviceSignIn && theirs, ours && u.Host != "":
		return text, true
	case ours:
		return u.RequestURI(), true
	case theirs:
		return "/console" + strings.TrimSuffix("/"+strings.Trim(u.Path, "/"), "/") + question(u.RawQuery), true
	}
	return "", false
}

func question(query string) string {
	if query == "" {
		return ""
	}
	return "?" + query
}

// visit is the browser's, if it is still let in; nil if not.
func (x visitor) visit() *visit {
	v, _ := x.anyVisit()
	if v == nil || !x.now.Before(v.ends) || v.key.disabled {
		return nil
	}
	return v
}

// anyVisit is the browser's, over or not, with its id.
func (x visitor) anyVisit() (*visit, string) {
	c, err := x.req.Cookie(cookie)
	if err != nil {
		return nil, ""
	}
	return x.cloud.visits[c.Value], c.Value
}

// logout ends the visit, and goes on to the federation endpoint if it is told to.
func (x visitor) logout() answer {
	to := x.str("redirect_uri")
	if to != "" && x.cloud.opt.MultiSession {
		return x.refuse(badRequest("The request is not valid with multi-session support."))
	}
	_, id := x.anyVisit()
	delete(x.cloud.visits, id)
	gone := (&http.Cookie{Name: cookie, Path: "/", MaxAge: -1, HttpOnly: true}).String()
	u, err := url.Parse(to)
	signin := err == nil && u.Path == "/federation" && (u.Host == hostOf(x.req) || u.Host == x.cloud.partition.SignIn || strings.HasSuffix(u.Host, "."+x.cloud.partition.SignIn))
	a := x.cloud.pages.signedOut()
	if signin {
		if !strings.HasSuffix(hostOf(x.req), x.cloud.partition.SignIn) {
			to = u.RequestURI()
		}
		a = redirect(to)
	}
	a.header.Set("Set-Cookie", gone)
	return a
}
