package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"jitney/access"
)

// An answer is what the website said.
type answer struct {
	*http.Response
	body string
}

// ask sends a request as a person; a form makes it a post.
func (w *world) ask(t testing.TB, who, path string, form url.Values) answer {
	t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "http://jitney.example"+path, body)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if who != "" {
		r.AddCookie(&http.Cookie{Name: "as", Value: who})
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return answer{rec.Result(), rec.Body.String()}
}

// mustNot demands that the body has none of parts.
func (a answer) mustNot(t testing.TB, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(a.body, p) {
			t.Errorf("body has %q", p)
		}
	}
}

func (a answer) must(t testing.TB, status int, parts ...string) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("status %d, want %d; body: %.600s", a.StatusCode, status, a.body)
	}
	for _, p := range parts {
		if !strings.Contains(a.body, p) {
			t.Errorf("body lacks %q", p)
			if os.Getenv("JITNEY_TEST_VERBOSE") != "" {
				t.Log(a.body)
			}
		}
	}
	return a
}

// everyPage lists the pages that a person can open in a filled world.
func everyPage(who string) []string {
	pages := []string{"/request", "/request?customer=aviary&ticket=13255", "/access", "/grants", "/grants?state=overdue&sort=oldest", "/grants/active", "/grants/expiring",
		"/grants/starting", "/grants/pending", "/grants/ending", "/grants/overdue", "/grants/ended", "/grants/notgiven", "/grants/continued", "/customers",
		"/customers/aviary", "/request?customer=aviary&kind=entra", "/grants/pass", "/grants/blocked", "/grants/settling", "/grants/told", "/grants?state=stuck", "/consent?state=nobody", "/desk", "/desk?closed=yes", "/desk/t2", "/me", "/nowhere"}
	if who == ada {
		pages = append(pages, "/customers/aviary/targets/new?kind=ad", "/targets/ad-aviary", "/customers/aviary/targets/new?kind=entra", "/targets/m365-aviary", "/targets/m365-aviary/companies", "/targets/m365-aviary/companies?q=nobody", "/people", "/people/new", "/people/maya", "/audit", "/settings", "/settings?add=policy")
	}
	return pages
}

func TestEveryPageOpensFullAndEmpty(t *testing.T) {
	full := newWorld(t)
	full.fill()
	for _, who := range []string{maya, ada} {
		for _, path := range append(everyPage(who), "/tokens", "/device") {
			a := full.ask(t, who, path, nil)
			want := http.StatusOK
			switch path {
			case "/nowhere":
				want = http.StatusNotFound
			case "/consent?state=nobody":
				want = http.StatusUnprocessableEntity
			}
			if a.StatusCode != want {
				t.Errorf("%s as %s: %d, want %d: %.400s", path, who, a.StatusCode, want, a.body)
			}
			checkPage(t, path, a)
		}
	}
	empty := newWorld(t)
	empty.people[ada] = access.Person{ID: ada, Name: "Ada", Login: "ada", Roles: access.Roles, AllCustomers: true, Version: 1}
	for _, path := range []string{"/request", "/access", "/grants", "/customers", "/desk", "/people", "/people/new", "/audit", "/settings", "/me", "/tokens"} {
		checkPage(t, path, empty.ask(t, ada, path, nil).must(t, http.StatusOK))
	}
	empty.ask(t, "", "/login", nil).must(t, http.StatusOK, "Sign in")
}

var inline = regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|\sstyle=|\son[a-z]+=|javascript:`)

// never is the year of the zero time, as a page would show it. The digits of
// other instants may hold 0001 as well.
var never = regexp.MustCompile(`\b0001\b`)

// checkPage holds for every page: its policy, its headers, nothing inline, no
// unknown states of templates, and ids that are unique.
func checkPage(t *testing.T, path string, a answer) {
	t.Helper()
	policy := a.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "require-trusted-types-for 'script'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%s: policy lacks %s", path, part)
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", path, name, got, want)
		}
	}
	if m := inline.FindString(a.body); m != "" {
		t.Errorf("%s: something is inline: %q", path, m)
	}
	for _, bad := range []string{"<no value>", "ZgotmplZ", "%!"} {
		if strings.Contains(a.body, bad) {
			t.Errorf("%s: holds %q", path, bad)
		}
	}
	if m := never.FindString(a.body); m != "" {
		t.Errorf("%s: holds an instant that never was: %q", path, m)
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
		if seen[m[1]] {
			t.Errorf("%s: two elements have the id %q", path, m[1])
		}
		seen[m[1]] = true
	}
	if strings.Contains(a.body, "Wren-Copper") {
		t.Errorf("%s: holds a password", path)
	}
}

func TestSubmitting(t *testing.T) {
	w := newWorld(t)
	w.fill()
	good := url.Values{"kind": {"ad"}, "customer": {"aviary"}, "ticket": {"t1"}, "minutes": {"15"}, "reason": {"Remove the domain from the blacklist."}}
	change := func(kv ...string) url.Values {
		f := url.Values{}
		for k, v := range good {
			f[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			f.Set(kv[i], kv[i+1])
		}
		return f
	}
	for _, tt := range []struct {
		name  string
		form  url.Values
		parts []string
	}{
		{"everything is missing", url.Values{}, []string{"Customer is required.", "Ticket is required.", "Reason is required.", `href="#reason"`, `aria-invalid="true"`}},
		{"the reason is missing", change("reason", "  "), []string{"Reason is required."}},
		{"the reason is short", change("reason", "fix"), []string{"at least 10 characters"}},
		{"the ticket belongs to another customer", change("ticket", "t3"), []string{"Ticket is required."}},
		{"the ticket is closed", change("ticket", "t4"), []string{"Ticket is required."}},
		{"the customer is another's", change("customer", "kestrel"), []string{"Customer is required."}},
		{"the duration is no number", change("minutes", "other", "other", "1.5"), []string{"between 1 and 1440 minutes"}},
		{"the duration is beyond the policy", change("minutes", "other", "other", "300"), []string{"allows up to 4 h"}},
		{"the duration overflows", change("minutes", "99999999999999999999"), []string{"between 1 and 1440 minutes"}},
		{"the customer has no such target", change("customer", "harbour", "ticket", ""), []string{"has no On Prem AD"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.ask(t, maya, "/request", tt.form).must(t, http.StatusUnprocessableEntity, tt.parts...)
		})
	}
	t.Run("what was typed stays", func(t *testing.T) {
		w.ask(t, maya, "/request", change("ticket", "", "minutes", "other", "other", "25")).must(t, http.StatusUnprocessableEntity,
			"Remove the domain from the blacklist.", `value="25"`, `value="aviary" selected`)
	})
	t.Run("a good one becomes a grant", func(t *testing.T) {
		a := w.ask(t, maya, "/request", good)
		if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/grants/") {
			t.Fatalf("got %d to %q", a.StatusCode, a.Header.Get("Location"))
		}
		w.ask(t, maya, a.Header.Get("Location"), nil).must(t, http.StatusOK, "Domain Admin on Aviary Foods", "Starting", "13255 - Email Blacklist Issues")
	})
	t.Run("a silent ticket system does not block the form", func(t *testing.T) {
		w.slow.Store(true)
		defer w.slow.Store(false)
		w.ask(t, maya, "/request?customer=aviary", nil).must(t, http.StatusOK, "did not answer", "Press Refresh")
	})
}

func TestFormSaysWhatTheSourceSays(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, maya, "/request?customer=aviary", nil).must(t, http.StatusOK,
		"Identity Provider", "Customer", "Ticket", "Duration", "Reason",
		"On Prem AD (Active Directory)", "M365 (Microsoft 365)", "Choose the client for which to obtain administrative privileges.",
		"This session will be logged to the ticket.", "13255 - Email Blacklist Issues", "This will be added to the ticket.",
		"Describe the actions you will perform while using administrative privileges.",
		"Admin access is required to apply security patches and restart domain controllers in the client's on-premises Active Directory.",
		`value="15" checked`, "the policy allows up to 4 h", "The account is disabled, its admin privileges are removed, and its password is reset twice.")
}

func TestPasswordIsShownOnce(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, ada, "/grants/active/reveal", url.Values{}).must(t, http.StatusForbidden, "not for you to see")
	a := w.ask(t, maya, "/grants/active/reveal", url.Values{}).must(t, http.StatusOK, "Wren-Copper-91-Tidal")
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := a.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy is %q", got)
	}
	if strings.Contains(a.body, `hx-select="#signin"`) {
		t.Error("the page would be refreshed over the shown password")
	}
	again := w.ask(t, maya, "/grants/active/reveal", url.Values{})
	if again.StatusCode != http.StatusConflict || strings.Contains(again.body, "Wren-Copper") {
		t.Errorf("second reveal: %d", again.StatusCode)
	}
	if p := w.ask(t, maya, "/grants/active", nil); strings.Contains(p.body, "Wren-Copper") {
		t.Error("the page of the grant holds the password")
	}
	if back := w.ask(t, maya, "/grants/active/password", url.Values{}); back.StatusCode != http.StatusSeeOther {
		t.Errorf("new password: %d", back.StatusCode)
	}
}

func TestPasswordChosenOnTheForm(t *testing.T) {
	w := newWorld(t)
	w.fill()
	p := w.policies["default"]
	p.Password = access.ChosenOnForm
	w.policies["default"] = p
	form := url.Values{"kind": {"ad"}, "customer": {"aviary"}, "ticket": {"t1"}, "minutes": {"15"}, "reason": {"Remove the domain from the blacklist."}}
	w.ask(t, maya, "/request", form).must(t, http.StatusUnprocessableEntity, "Temporary password is required")
	find := regexp.MustCompile(`name="offer" value="([a-z0-9]+)"`)
	a := w.ask(t, maya, "/request/password", form).must(t, http.StatusOK, "Wren-Copper-01-Tidal", "Copy it before you send the form")
	b := w.ask(t, maya, "/request/password", form).must(t, http.StatusOK, "Wren-Copper-02-Tidal")
	if strings.Contains(b.body, "Wren-Copper-01") || find.FindStringSubmatch(a.body)[1] == find.FindStringSubmatch(b.body)[1] {
		t.Error("Refresh gave the same password again")
	}
	form.Set("offer", find.FindStringSubmatch(b.body)[1])
	if again := w.ask(t, maya, "/request/preview", form); strings.Contains(again.body, "Wren-Copper") {
		t.Error("the form shows the password a second time")
	}
	sent := w.ask(t, maya, "/request", form)
	if sent.StatusCode != http.StatusSeeOther {
		t.Fatalf("submit: %d", sent.StatusCode)
	}
}

func TestWhatIsNotYoursDoesNotExist(t *testing.T) {
	w := newWorld(t)
	w.fill()
	own := regexp.MustCompile(`nonce="[^"]*"|data-now="\d+"|name="back" value="[^"]*"|Printed from Jitney by [^<]*`) // what each answer has of its own
	for _, path := range []string{"/grants/%s", "/grants/%s/events", "/customers/%s", "/desk/%s", "/targets/%s", "/people/%s"} {
		there := map[string]string{"/grants/%s": "active", "/grants/%s/events": "active", "/customers/%s": "aviary", "/desk/%s": "t1", "/targets/%s": "ad-aviary", "/people/%s": maya}[path]
		ask := func(id string) answer {
			p := strings.Replace(path, "%s", id, 1)
			r := httptest.NewRequest(http.MethodGet, "http://jitney.example"+p, nil)
			r.Header.Set("Accept", "text/event-stream")
			r.AddCookie(&http.Cookie{Name: "as", Value: priya})
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			return answer{rec.Result(), own.ReplaceAllString(rec.Body.String(), "")}
		}
		theirs, none := ask(there), ask("nothing")
		if theirs.StatusCode != http.StatusNotFound || none.StatusCode != http.StatusNotFound || theirs.body != none.body {
			t.Errorf("%s: another customer's answers %d, nothing answers %d, same text: %v", path, theirs.StatusCode, none.StatusCode, theirs.body == none.body)
		}
	}
	for _, path := range []string{"/grants/active/end", "/grants/active/reveal", "/grants/active/revoke", "/grants/revoke", "/customers/aviary", "/targets/ad-aviary/check", "/people/maya/disable", "/settings/policy", "/audit/verify", "/audit/export"} {
		if a := w.ask(t, priya, path, url.Values{"reason": {"because"}}); a.StatusCode != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, a.StatusCode)
		}
	}
}

func TestPostsOfOthersAreRefused(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for name, header := range map[string][2]string{"another site": {"Sec-Fetch-Site", "cross-site"}, "another origin": {"Origin", "https://evil.example"}, "neither header": {}} {
		r := httptest.NewRequest(http.MethodPost, "http://jitney.example/grants/active/end", nil)
		r.AddCookie(&http.Cookie{Name: "as", Value: maya})
		if header[0] != "" {
			r.Header.Set(header[0], header[1])
		}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
	if g, _ := (memGrants{w.memory}).Grant(context.Background(), "active"); !g.StoppedAt.IsZero() {
		t.Error("the grant was ended")
	}
	huge := w.ask(t, maya, "/request", url.Values{"reason": {strings.Repeat("x", maxBody+1)}})
	if huge.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a huge form: %d", huge.StatusCode)
	}
}

func TestSigningIn(t *testing.T) {
	w := newWorld(t)
	w.ask(t, "", "/login", nil).must(t, http.StatusSeeOther)
	w.ask(t, "", "/setup", url.Values{"token": {"guess"}, "name": {"Ada"}, "login": {"ada"}}).must(t, http.StatusForbidden, "not the one in the log", `value="Ada"`)
	w.ask(t, "", "/setup", url.Values{"token": {"from-the-log"}, "name": {"Ada"}, "login": {"ada"}}).must(t, http.StatusSeeOther)
	w.ask(t, "", "/setup", nil).must(t, http.StatusNotFound)
	w.fill()
	if a := w.ask(t, "", "/grants/active?x=1", nil); a.Header.Get("Location") != "/login?next=%2Fgrants%2Factive%3Fx%3D1" {
		t.Errorf("sent to %q", a.Header.Get("Location"))
	}
	bad := w.ask(t, "", "/login", url.Values{"login": {"maya"}, "password": {"hunter2-secret"}}).must(t, http.StatusForbidden, "do not fit", `value="maya"`)
	if strings.Contains(bad.body, "hunter2") {
		t.Error("the typed password is in the page")
	}
	for next, want := range map[string]string{"/grants/active": "/grants/active", "//evil.example": "/request", "https://evil.example": "/request", "/\\evil.example": "/request", "": "/request"} {
		a := w.ask(t, "", "/login", url.Values{"login": {"maya"}, "password": {"correct horse"}, "next": {next}})
		if a.Header.Get("Location") != want {
			t.Errorf("next %q goes to %q, want %q", next, a.Header.Get("Location"), want)
		}
	}
	a := w.ask(t, maya, "/theme", url.Values{"theme": {"dark"}, "back": {"/me"}})
	if a.Header.Get("Location") != "/me" || !strings.Contains(a.Header.Get("Set-Cookie"), "theme=dark") {
		t.Errorf("theme: %v", a.Header)
	}
}

// Behind a proxy the connection itself is not encrypted, and the cookies are
// for https all the same.
func TestCookiesAreForHTTPSWhereVisitorsComeByIt(t *testing.T) {
	w := newWorld(t)
	for address, want := range map[string]bool{"https://jitney.example": true, "http://127.0.0.1:8080": false} {
		w.server.Address = address
		cookies := w.ask(t, "", "/theme", url.Values{"theme": {"dark"}}).Cookies()
		if len(cookies) != 1 || cookies[0].Secure != want || !cookies[0].HttpOnly {
			t.Errorf("%s: %v", address, cookies)
		}
	}
}
