package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/signin"
)

const verifier = "a-verifier-of-at-least-43-characters-which-is-this-long"

// asks has a command line ask to sign in.
func (w *world) asks(t testing.TB, change func(*access.Pairing)) access.Pairing {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	ask := access.Pairing{Application: "jitney", Machine: "dev-box", User: "maya", Tenant: "Aviary Foods", Challenge: base64.RawURLEncoding.EncodeToString(sum[:]),
		State: "state-of-the-command-line", Port: 43123, Address: "192.0.2.1"}
	if change != nil {
		change(&ask)
	}
	p, err := w.pairing.Begin(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// redeem is what the command line does.
func (w *world) redeem(t testing.TB, id, code string) (access.Token, error) {
	t.Helper()
	_, token, _, err := w.pairing.Redeem(t.Context(), id, secret.New(verifier), secret.New(code), "192.0.2.1")
	return token, err
}

func TestAuthorizingACommandLine(t *testing.T) {
	w := newWorld(t)
	w.fill()
	p := w.asks(t, nil)
	page := "/local-access/" + p.ID
	if a := w.ask(t, "", page, nil); a.Header.Get("Location") != "/login?next="+url.QueryEscape(page) {
		t.Errorf("without a session: %d to %s", a.StatusCode, a.Header.Get("Location"))
	}
	a := w.ask(t, maya, page, nil).must(t, http.StatusOK, "<h1>Local Access Requested</h1>", "<title>Local Access Requested · Jitney</title>", "dev-box", p.Code, "Aviary Foods", "port 43123", "the same address as yours")
	checkPage(t, page, a)
	if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' http://127.0.0.1:43123;") {
		t.Errorf("policy: %s", policy)
	}
	if strings.Contains(a.body, "autofocus") || strings.Index(a.body, ">Cancel<") > strings.Index(a.body, ">Authorize<") {
		t.Error("Cancel must be left, and neither be focused")
	}
	if token, err := w.redeem(t, p.ID, ""); err != nil || token.ID != "" {
		t.Fatalf("a token before anybody decided: %v, %v", token, err)
	}
	to := w.ask(t, maya, page+"/authorize", url.Values{}).Header.Get("Location")
	u, err := url.Parse(to)
	if err != nil || u.Scheme+"://"+u.Host+u.Path != "http://127.0.0.1:43123/" || u.Query().Get("state") != "state-of-the-command-line" {
		t.Fatalf("led to %q", to)
	}
	w.ask(t, maya, page+"/done", nil).must(t, http.StatusOK, "Authorized", "jitney on dev-box")
	if got := w.ask(t, priya, page+"/done", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else sees the outcome: %d", got.StatusCode)
	}
	again := w.ask(t, maya, page, nil).must(t, http.StatusSeeOther).Header.Get("Location") // opened once more: no click
	v, err := url.Parse(again)
	if err != nil || v.Query().Get("code") == "" || v.Query().Get("code") == u.Query().Get("code") {
		t.Fatalf("opened again: %q", again)
	}
	if _, err := w.redeem(t, p.ID, u.Query().Get("code")); access.CodeOf(err) != signin.PairingRefused {
		t.Errorf("the code of before: %v", err)
	}
	token, err := w.redeem(t, p.ID, v.Query().Get("code"))
	if err != nil || token.Person != maya || token.Kind != access.TokenCLI || token.Admin {
		t.Fatalf("%+v, %v", token, err)
	}
	if _, err := w.redeem(t, p.ID, v.Query().Get("code")); access.CodeOf(err) != signin.PairingOver {
		t.Errorf("the code a second time: %v", err)
	}
	w.ask(t, maya, page+"/done", nil).must(t, http.StatusOK, "Signed in")
	w.ask(t, maya, page, nil).must(t, http.StatusOK, "Signed in")
	w.ask(t, maya, "/tokens", nil).must(t, http.StatusOK, "dev-box", "Sign out")
	w.ask(t, maya, "/tokens/"+token.ID+"/revoke", url.Values{}).must(t, http.StatusSeeOther)
	if n := w.tokens.tokens; len(n) != 1 {
		t.Fatal(n)
	}
	for _, one := range w.tokens.tokens {
		if one.Live(time.Now()) {
			t.Error("still live after signing out")
		}
	}
}

// The page must not promise another end than the sign-in gets.
func TestTheEndOfASignInIsTheOneThatItGets(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.server.CommandLines, w.pairing.Lasts = 30*time.Minute, 30*time.Minute
	before := time.Now()
	p := w.asks(t, nil)
	page := w.ask(t, maya, "/local-access/"+p.ID, nil).must(t, http.StatusOK)
	said := regexp.MustCompile(`every tenant that you may open, until [^<]*?(\d\d:\d\d) ([A-Za-z/]+)<`).FindStringSubmatch(page.body)
	if said == nil {
		t.Fatal("the page names no end")
	}
	zone, err := time.LoadLocation(said[2])
	if err != nil {
		t.Fatal(err)
	}
	if from, to := before.Add(30*time.Minute).In(zone).Format("15:04"), time.Now().Add(30*time.Minute).In(zone).Format("15:04"); said[1] != from && said[1] != to {
		t.Errorf("says %s, want %s", said[1], to)
	}
}

func TestRefusingACommandLine(t *testing.T) {
	w := newWorld(t)
	w.fill()
	t.Run("Cancel tells the command line, for good", func(t *testing.T) {
		p := w.asks(t, nil)
		page := "/local-access/" + p.ID
		to := w.ask(t, maya, page+"/cancel", url.Values{}).must(t, http.StatusSeeOther).Header.Get("Location")
		if to != "http://127.0.0.1:43123/?error=access_denied&state=state-of-the-command-line" {
			t.Errorf("led to %q", to)
		}
		if _, err := w.redeem(t, p.ID, ""); access.CodeOf(err) != signin.PairingRefused {
			t.Errorf("after Cancel: %v", err)
		}
		if to := w.ask(t, maya, page+"/authorize", url.Values{}).Header.Get("Location"); to != page+"/done" {
			t.Errorf("authorized after Cancel: to %q", to)
		}
		w.ask(t, maya, page, nil).must(t, http.StatusOK, "Cancelled")
	})
	t.Run("an auditor cannot authorize", func(t *testing.T) {
		p := w.asks(t, nil)
		a := w.ask(t, otto, "/local-access/"+p.ID, nil).must(t, http.StatusOK, "You may only read")
		if strings.Contains(a.body, "Authorize") {
			t.Error("the button is there")
		}
		w.ask(t, otto, "/local-access/"+p.ID+"/authorize", url.Values{}).must(t, http.StatusForbidden)
	})
	t.Run("admin is for administrators", func(t *testing.T) {
		p := w.asks(t, func(p *access.Pairing) { p.Admin = true })
		a := w.ask(t, maya, "/local-access/"+p.ID, nil).must(t, http.StatusOK, "admin access to whole accounts", "for administrators only")
		if strings.Contains(a.body, "/authorize") {
			t.Error("the button is there")
		}
		w.ask(t, maya, "/local-access/"+p.ID+"/authorize", url.Values{}).must(t, http.StatusForbidden)
		w.ask(t, ada, "/local-access/"+p.ID+"/authorize", url.Values{}).must(t, http.StatusSeeOther)
	})
	t.Run("nobody takes over what somebody authorized", func(t *testing.T) {
		p := w.asks(t, nil)
		w.ask(t, maya, "/local-access/"+p.ID+"/authorize", url.Values{}).must(t, http.StatusSeeOther)
		for _, what := range []string{"", "/done"} {
			w.ask(t, priya, "/local-access/"+p.ID+what, nil).must(t, http.StatusNotFound)
		}
		w.ask(t, priya, "/local-access/"+p.ID+"/authorize", url.Values{}).must(t, http.StatusNotFound)
		w.ask(t, priya, "/local-access/"+p.ID+"/cancel", url.Values{}).must(t, http.StatusNotFound)
	})
	t.Run("what was never asked does not exist", func(t *testing.T) {
		w.ask(t, maya, "/local-access/nothing", nil).must(t, http.StatusNotFound)
	})
	t.Run("the time runs out", func(t *testing.T) {
		p := w.asks(t, nil)
		late := w.tokens.pairings[p.ID]
		late.ExpiresAt = time.Now().Add(-time.Second)
		w.tokens.pairings[p.ID] = late
		w.ask(t, maya, "/local-access/"+p.ID, nil).must(t, http.StatusOK, "The time is up")
		w.ask(t, maya, "/local-access/"+p.ID+"/authorize", url.Values{}).must(t, http.StatusSeeOther)
		if _, err := w.redeem(t, p.ID, ""); access.CodeOf(err) != signin.PairingOver {
			t.Errorf("%v", err)
		}
	})
}

func TestHostileNamesOfACommandLine(t *testing.T) {
	w := newWorld(t)
	w.fill()
	p := w.asks(t, func(p *access.Pairing) {
		p.Application, p.Machine = "<script>alert(1)</script>", "\u202egnp.exe\u200b"+strings.Repeat("x\u0301\u0301\u0301\u0301", 300)+"\n\x1b[31m"
		p.User, p.Tenant, p.Address = "a\x00b", "\"><img src=x>", "198.51.100.7"
	})
	a := w.ask(t, maya, "/local-access/"+p.ID, nil).must(t, http.StatusOK, "&lt;script&gt;alert(1)", "not the address that you come from", "198.51.100.7")
	checkPage(t, "local", a)
	for _, bad := range []string{"\u202e", "\u200b", "\x00", "\x1b", "<script>alert", "\u0301\u0301\u0301"} {
		if strings.Contains(a.body, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if n := len([]rune(p.Machine)); n > 64 {
		t.Errorf("a machine name of %d characters", n)
	}
}

func TestTypingTheCodeOfADevice(t *testing.T) {
	w := newWorld(t)
	w.fill()
	p := w.asks(t, func(p *access.Pairing) { p.Port = 0 })
	page := "/local-access/" + p.ID
	if to := w.ask(t, maya, page, nil).must(t, http.StatusSeeOther).Header.Get("Location"); to != "/device" {
		t.Errorf("the address alone leads to %q", to)
	}
	w.ask(t, maya, page+"/authorize", url.Values{}).must(t, http.StatusForbidden)
	w.ask(t, maya, "/device", url.Values{"code": {"BBBB-BBBB"}}).must(t, http.StatusUnprocessableEntity, "There is no sign-in with this code")
	w.ask(t, maya, "/device", url.Values{"code": {"<b>"}}).must(t, http.StatusUnprocessableEntity)
	loop := w.asks(t, nil)
	w.ask(t, maya, "/device", url.Values{"code": {loop.Code}}).must(t, http.StatusUnprocessableEntity)
	typed := strings.ToLower(strings.ReplaceAll(p.Code, "-", " ")) + " "
	if to := w.ask(t, maya, "/device", url.Values{"code": {typed}}).must(t, http.StatusSeeOther).Header.Get("Location"); to != page {
		t.Fatalf("led to %q", to)
	}
	a := w.ask(t, maya, page, nil).must(t, http.StatusOK, p.Code, "Did somebody else send you the code?")
	if strings.Contains(a.Header.Get("Content-Security-Policy"), "127.0.0.1") {
		t.Error("a form may lead to the loopback for no reason")
	}
	w.ask(t, priya, page+"/authorize", url.Values{}).must(t, http.StatusForbidden) // typed nothing
	if to := w.ask(t, maya, page+"/authorize", url.Values{}).must(t, http.StatusSeeOther).Header.Get("Location"); to != page+"/done" {
		t.Errorf("led to %q", to)
	}
	if token, err := w.redeem(t, p.ID, ""); err != nil || token.Person != maya {
		t.Errorf("%+v, %v", token, err)
	}
	t.Run("guessing ends after five tries", func(t *testing.T) {
		status := 0
		for range 6 {
			status = w.ask(t, priya, "/device", url.Values{"code": {"CCCC-CCCC"}}).StatusCode
		}
		if status != http.StatusServiceUnavailable {
			t.Errorf("the sixth try: %d", status)
		}
	})
}

func TestAPITokens(t *testing.T) {
	w := newWorld(t)
	w.fill()
	form := url.Values{"name": {"Nightly pipeline"}, "person": {maya}, "for": {"some"}, "customer": {"aviary"}, "days": {"10"}}
	change := func(kv ...string) url.Values {
		f := url.Values{}
		for k, v := range form {
			f[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			f.Set(kv[i], kv[i+1])
		}
		return f
	}
	for _, tt := range []struct {
		name string
		form url.Values
		want string
	}{
		{"no name", change("name", " "), "A name is required"},
		{"a customer of others", change("customer", "kestrel"), "Choose customers that the person works for."},
		{"no customer at all", url.Values{"name": {"x"}, "person": {maya}, "for": {"some"}, "days": {"10"}}, "Choose at least one customer."},
		{"too long", change("days", "366"), "from 1 to 365 days"},
		{"no time", change("days", "x"), "from 1 to 365 days"},
		{"nobody", change("person", "nobody"), "Choose somebody who is enabled."},
		{"admin for who is none", change("admin", "yes"), "Only a token of an administrator"},
	} {
		t.Run(tt.name, func(t *testing.T) { w.ask(t, ada, "/tokens", tt.form).must(t, http.StatusUnprocessableEntity, tt.want) })
	}
	w.ask(t, maya, "/tokens", form).must(t, http.StatusNotFound)
	a := w.ask(t, ada, "/tokens", form).must(t, http.StatusOK, "jat_", "data-copy", "Nightly pipeline", "Aviary Foods", "Expires in")
	checkPage(t, "/tokens", a)
	if b := w.ask(t, ada, "/tokens", nil).must(t, http.StatusOK, "Nightly pipeline", "Maya Okafor"); strings.Contains(b.body, "jat_") {
		t.Error("the text is shown again")
	}
	w.ask(t, ada, "/tokens", form).must(t, http.StatusUnprocessableEntity, "has a token of this name already")
	mine := w.ask(t, maya, "/tokens", nil).must(t, http.StatusOK, "Nightly pipeline", "1 token ends within 14 days")
	if strings.Contains(mine.body, "Make a token") {
		t.Error("Maya can make one")
	}
	w.ask(t, maya, "/me", nil).must(t, http.StatusOK, "1 of your API tokens ends")
	if b := w.ask(t, priya, "/tokens", nil).must(t, http.StatusOK, "No API tokens"); strings.Contains(b.body, "Nightly") {
		t.Error("Priya sees the token of Maya")
	}
	w.ask(t, otto, "/tokens", nil).must(t, http.StatusOK, "Nightly pipeline")
	var id string
	for _, one := range w.tokens.tokens {
		id = one.ID
	}
	w.ask(t, priya, "/tokens/"+id+"/revoke", url.Values{}).must(t, http.StatusNotFound)
	w.ask(t, otto, "/tokens/"+id+"/revoke", url.Values{}).must(t, http.StatusNotFound)
	w.ask(t, maya, "/tokens/"+id+"/revoke", url.Values{}).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/tokens", nil).must(t, http.StatusOK, "1 revoked or expired")
	kinds := map[string]int{}
	for _, r := range w.records {
		kinds[r.Kind]++
		if strings.Contains(r.Text, "jat_") {
			t.Error("a record holds the text")
		}
	}
	if kinds[signin.EventTokenCreated] != 1 || kinds[signin.EventTokenRevoked] != 1 {
		t.Errorf("records: %v", kinds)
	}
}
