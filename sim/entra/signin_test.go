package entra

import (
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/secret"
)

const (
	goodPass     = "Canary-Pass-1"
	goodPassword = "Canary-Passw0rd!"
)

// givePass puts a Temporary Access Pass on an account, known everywhere.
func givePass(t *Tenant, user string, minutes int, once bool) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.cloud.Now()
	p := &pass{id: guid(t.dice), user: user, value: secret.New(goodPass), created: now, start: now, minutes: minutes, once: once}
	t.passes.put(p.id, p, t.spread(authority, now))
	t.passes.settle(p.id, now)
	return p.id
}

// alter changes an account, known everywhere.
func alter(t *Tenant, id string, change func(*user)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.cloud.Now()
	t.put(t.users.at(id, authority, now).with(change), authority, now)
	t.users.settle(id, now)
}

// A person is an account of the world with a Temporary Access Pass.
type person struct {
	world
	id, upn, pass string
}

func newPerson(t *testing.T, o Options) person {
	t.Helper()
	p := person{world: newWorld(t, o)}
	p.upn = "jit-a@" + p.tenant.InitialDomain()
	p.id = p.tenant.AddUser(UserSpec{UPN: p.upn, Name: "JIT admin", Password: goodPassword, Roles: []string{GlobalAdministrator}})
	p.pass = givePass(p.tenant, p.id, 60, false)
	return p
}

func TestSignInDecidesAsEntraWould(t *testing.T) {
	for name, c := range map[string]struct {
		before     func(p *person)
		method     Method
		credential string
		want       string // in the refusal; empty: let in
		code       int
	}{
		"a pass lets in":                                  {method: WithPass, credential: goodPass},
		"a wrong pass does not":                           {method: WithPass, credential: "Canary-wrong", want: "incorrect or has expired", code: 130503},
		"a pass that has ended does not":                  {before: func(*person) { time.Sleep(61 * time.Minute) }, method: WithPass, credential: goodPass, want: "has expired", code: 130504},
		"a pass that was deleted does not":                {before: func(p *person) { p.tenant.passes = table[pass]{} }, method: WithPass, credential: goodPass, want: "incorrect", code: 130503},
		"a pass does not where passes are off":            {before: func(p *person) { p.tenant.SetTAPPolicy(TAPPolicy{Off: true}) }, method: WithPass, credential: goodPass, want: "policy", code: 130502},
		"a pass does not for those out of scope":          {before: func(p *person) { p.tenant.SetTAPPolicy(TAPPolicy{Groups: []string{"few"}}) }, method: WithPass, credential: goodPass, want: "policy", code: 130502},
		"a password alone meets the wall":                 {method: WithPassword, credential: goodPassword, want: "second factor", code: 50072},
		"a wrong password does not":                       {method: WithPassword, credential: "Canary-wrong", want: "incorrect", code: 50126},
		"a disabled account does not":                     {before: func(p *person) { alter(p.tenant, p.id, func(u *user) { u.enabled = false }) }, method: WithPass, credential: goodPass, want: "disabled", code: 50057},
		"a disabled account says so only to its password": {before: func(p *person) { alter(p.tenant, p.id, func(u *user) { u.enabled = false }) }, method: WithPassword, credential: "Canary-wrong", want: "incorrect", code: 50126},
		"a deleted account does not exist":                {before: func(p *person) { alter(p.tenant, p.id, func(u *user) { u.deleted = time.Now() }) }, method: WithPass, credential: goodPass, want: "does not exist", code: 50034},
		"an unknown account does not exist":               {before: func(p *person) { p.upn = "x" + p.upn }, method: WithPass, credential: goodPass, want: "does not exist", code: 50034},
		"an unknown company does not exist":               {before: func(p *person) { p.upn = "a@nobody.example" }, method: WithPass, credential: goodPass, want: "does not exist", code: 50034},
		"no name at all does not exist":                   {before: func(p *person) { p.upn = "" }, method: WithPass, credential: goodPass, want: "does not exist", code: 50034},
		"a policy that blocks admins":                     {before: func(p *person) { p.tenant.access = []AccessPolicy{{Roles: []string{GlobalAdministrator}, Block: true}} }, method: WithPass, credential: goodPass, want: "blocks", code: 53003},
		"a policy that a pass does not satisfy":           {before: func(p *person) { p.tenant.access = []AccessPolicy{{PhishingResistant: true}} }, method: WithPass, credential: goodPass, want: "phishing", code: 53003},
		"a policy that a pass satisfies":                  {before: func(p *person) { p.tenant.access = []AccessPolicy{{MFA: true}} }, method: WithPass, credential: goodPass},
		"a policy that only reports": {before: func(p *person) {
			p.tenant.access = []AccessPolicy{{Block: true, State: "enabledForReportingButNotEnforced"}}
		}, method: WithPass, credential: goodPass},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPerson(t, Options{})
				if c.before != nil {
					c.before(&p)
				}
				s, err := p.cloud.SignIn(p.upn, c.method, secret.New(c.credential))
				var refused *Refusal
				switch {
				case c.want == "" && err != nil:
					t.Fatalf("refused: %v", err)
				case c.want == "":
					if look := s.Look(); !look.Admin() || look.Ended != "" {
						t.Errorf("the portal shows %+v", look)
					}
				case !errors.As(err, &refused) || !strings.Contains(refused.Text, c.want) || refused.Code != c.code:
					t.Errorf("got %v, want %q", err, c.want)
				case strings.Contains(refused.Text, "Canary"):
					t.Error("the refusal repeats a secret")
				}
				if strings.HasSuffix(p.upn, p.tenant.InitialDomain()) {
					log := p.tenant.signIns
					if len(log) != 1 || log[0].value["status"].(object)["errorCode"] != c.code {
						t.Errorf("the log says %+v", log)
					}
				}
			})
		})
	}
}

func TestAOneTimePassOpensOneSession(t *testing.T) {
	p := newPerson(t, Options{})
	givePass(p.tenant, p.id, 60, true)
	s, err := p.cloud.SignIn(p.upn, WithPass, secret.New(goodPass))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.cloud.SignIn(p.upn, WithPass, secret.New(goodPass)); err == nil || !strings.Contains(err.Error(), "already been used") {
		t.Errorf("the second time: %v", err)
	}
	if look := s.Look(); !look.Admin() {
		t.Errorf("the first session must go on; it shows %+v", look)
	}
}

func TestASessionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		do   func(p person)
		want string // why it ended; empty: it goes on
	}{
		"not by itself":                            {do: func(person) {}},
		"with the hour":                            {do: func(p person) { givePass(p.tenant, p.id, 480, false); time.Sleep(time.Hour) }, want: "expired"},
		"when sign-ins are revoked":                {do: func(p person) { alter(p.tenant, p.id, func(u *user) { u.validFrom = time.Now().Add(time.Second) }) }, want: "revoked"},
		"when the account is disabled":             {do: func(p person) { alter(p.tenant, p.id, func(u *user) { u.enabled = false }) }, want: "disabled"},
		"when the account is in the bin":           {do: func(p person) { alter(p.tenant, p.id, func(u *user) { u.deleted = time.Now() }) }, want: "does not exist"},
		"not when the pass is deleted":             {do: func(p person) { p.tenant.passes = table[pass]{} }},
		"when the pass is deleted, if so switched": {o: Options{Switches: Switches{TAPDeleteEndsTokens: true}}, do: func(p person) { p.tenant.passes = table[pass]{} }, want: "withdrawn"},
		"not with the switch while the pass lives": {o: Options{Switches: Switches{TAPDeleteEndsTokens: true}}, do: func(person) {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPerson(t, c.o)
				s, err := p.cloud.SignIn(p.upn, WithPass, secret.New(goodPass))
				if err != nil {
					t.Fatal(err)
				}
				c.do(p)
				look := s.Look()
				if c.want == "" {
					if look.Ended != "" || !look.Admin() {
						t.Errorf("got %+v", look)
					}
					return
				}
				if !strings.Contains(look.Ended, c.want) || look.Admin() || len(look.Roles) > 0 {
					t.Errorf("got %+v, want %q", look, c.want)
				}
				alter(p.tenant, p.id, func(u *user) { u.enabled, u.deleted = true, time.Time{} })
				if s.Look().Ended == "" {
					t.Error("a session that ended came back")
				}
			})
		})
	}
}

func TestASessionEndsWithItsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPerson(t, Options{})
		time.Sleep(50 * time.Minute)
		s, err := p.cloud.SignIn(p.upn, WithPass, secret.New(goodPass))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Minute)
		if look := s.Look(); !look.Admin() {
			t.Errorf("before the end of the pass: %+v", look)
		}
		time.Sleep(time.Minute)
		if look := s.Look(); look.Ended == "" {
			t.Errorf("after the end of the pass: %+v", look)
		}
	})
}

func TestThePortalShowsARoleOnlyWhileItIsEffective(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPerson(t, Options{Delays: Delays{Roles: Fixed(10 * time.Minute)}})
		other := "plain@" + p.tenant.InitialDomain()
		id := p.tenant.AddUser(UserSpec{UPN: other})
		givePass(p.tenant, id, 60, false)
		s, err := p.cloud.SignIn(other, WithPass, secret.New(goodPass))
		if err != nil || s.Look().Admin() {
			t.Fatalf("got %+v, %v", s, err)
		}
		p.tenant.mu.Lock()
		a := p.tenant.assign(assignment{principal: id, role: GlobalAdministrator, scope: "/"}, 0, time.Now(), false)
		p.tenant.mu.Unlock()
		if s.Look().Admin() {
			t.Error("a role is shown before it is in effect")
		}
		time.Sleep(10 * time.Minute)
		if !s.Look().Admin() {
			t.Error("a role in effect is not shown")
		}
		p.tenant.mu.Lock()
		p.tenant.putAssignment(a.id, nil, 0, time.Now())
		p.tenant.mu.Unlock()
		if !s.Look().Admin() {
			t.Error("a role that was taken must stay in effect for a while")
		}
		time.Sleep(10 * time.Minute)
		if look := s.Look(); look.Admin() || look.Ended != "" {
			t.Errorf("without a role: %+v", look)
		}
	})
}

// A visitor is a browser without scripts.
type visitor struct {
	t      *testing.T
	client *http.Client
	base   string
}

func newVisitor(t *testing.T, c *Cloud) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, &http.Client{Transport: c.Transport(), Jar: jar}, "http://127.0.0.1:9"}
}

// page reads an answer: its status and its text.
func (v visitor) page(resp *http.Response, err error) (int, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	text := html.UnescapeString(string(body))
	if strings.Contains(text, "Canary") {
		v.t.Errorf("%s repeats a secret", resp.Request.URL.Path)
	}
	return resp.StatusCode, text
}

func (v visitor) get(path string) (int, string) { return v.page(v.client.Get(v.base + path)) }

func (v visitor) post(path string, form url.Values) (int, string) {
	return v.page(v.client.PostForm(v.base+path, form))
}

func (v visitor) sees(what string, status int, text string, wantStatus int, want ...string) {
	v.t.Helper()
	if status != wantStatus {
		v.t.Errorf("%s: got %d, want %d", what, status, wantStatus)
	}
	for _, w := range append(want, "Simulated Microsoft 365", `<label`, `<html lang="en">`)[:len(want)+1] {
		if !strings.Contains(text, w) {
			v.t.Errorf("%s: the page lacks %q:\n%s", what, w, text)
		}
	}
}

func TestThePagesLeadInAndOut(t *testing.T) {
	p := newPerson(t, Options{})
	v := newVisitor(t, p.cloud)
	status, text := v.get("/portal")
	v.sees("the portal of nobody", status, text, 200, "<h1>Sign in</h1>", `<label for="upn">`)
	status, text = v.post("/signin", url.Values{"upn": {"nobody@" + p.tenant.InitialDomain()}})
	v.sees("an unknown account", status, text, 401, "This account does not exist.", `role="alert"`)
	status, text = v.post("/signin", url.Values{"upn": {p.upn}})
	v.sees("a known account", status, text, 200, "Enter your Temporary Access Pass", `<label for="credential">`, p.upn)
	status, text = v.post("/signin", url.Values{"upn": {p.upn}, "method": {"password"}})
	v.sees("the other method", status, text, 200, "Enter your password")
	status, text = v.post("/signin", url.Values{"upn": {p.upn}, "method": {"password"}, "credential": {goodPassword}})
	v.sees("a password", status, text, 403, "More information required", "You were not signed in")
	status, text = v.post("/signin", url.Values{"upn": {p.upn}, "method": {"pass"}, "credential": {"Canary-wrong"}})
	v.sees("a wrong pass", status, text, 401, "incorrect or has expired")
	status, text = v.post("/signin", url.Values{"upn": {p.upn}, "method": {"pass"}, "credential": {" " + goodPass + " "}})
	v.sees("the pass", status, text, 200, "You are Global Administrator.", "Contoso", p.upn, `<noscript><meta http-equiv="refresh" content="2"></noscript>`, scriptPath)
	alter(p.tenant, p.id, func(u *user) { u.enabled = false })
	status, text = v.get("/portal")
	v.sees("the portal of a disabled account", status, text, 401, "Your access has ended", "Your account has been disabled.")
	if strings.Contains(text, "You are Global Administrator") || strings.Contains(text, "refresh") || strings.Contains(text, scriptPath) {
		t.Error("the page of an ended session shows too much")
	}
	status, text = v.post("/signin", url.Values{"upn": {p.upn}, "method": {"pass"}, "credential": {goodPass}})
	v.sees("a disabled account", status, text, 401, "Your account has been disabled.")
}

func TestSigningOut(t *testing.T) {
	p := newPerson(t, Options{})
	v := newVisitor(t, p.cloud)
	v.post("/signin", url.Values{"upn": {p.upn}, "method": {"pass"}, "credential": {goodPass}})
	status, text := v.post("/signout", nil)
	v.sees("after signing out", status, text, 401, "You have signed out.")
}

func TestFormsFromElsewhereAreRefused(t *testing.T) {
	p := newPerson(t, Options{})
	v := newVisitor(t, p.cloud)
	req, err := http.NewRequest("POST", v.base+"/signin", strings.NewReader(url.Values{"upn": {p.upn}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _ := v.page(v.client.Do(req)); status != 403 {
		t.Errorf("got %d", status)
	}
}

func TestNothingOfACredentialIsKept(t *testing.T) {
	p := newPerson(t, Options{})
	v := newVisitor(t, p.cloud)
	v.post("/signin", url.Values{"upn": {p.upn}, "method": {"pass"}, "credential": {goodPass}})
	p.ask(t, p.tenant.ID, p.bySecret())
	for _, e := range p.cloud.Journal() {
		if strings.Contains(e.Path, "Canary") || strings.Contains(e.Path, "?") {
			t.Errorf("the journal holds %q", e.Path)
		}
	}
}
