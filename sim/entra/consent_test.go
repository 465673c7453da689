package entra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/secret"
)

// consents is a world whose app was not yet let in, and a browser that does
// not follow redirects.
func consents(t *testing.T, o Options, redirects ...string) (world, visitor) {
	t.Helper()
	w := world{cloud: New(o)}
	w.tenant = w.cloud.AddTenant(TenantSpec{Name: "Contoso"})
	w.app = w.cloud.AddApp(AppSpec{
		Name: "Jitney <test>", Secrets: []AppSecret{{Value: secret.New(testSecret)}}, RedirectURIs: redirects,
		Permissions: []string{"User.ReadWrite.All", "RoleManagement.ReadWrite.Directory"},
	})
	v := newVisitor(t, w.cloud)
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w, v
}

func (w world) consentPath(form, redirect string, more ...string) string {
	q := url.Values{"client_id": {w.app.ID}, "redirect_uri": {redirect}, "state": {"st/1 &2"}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return "/" + form + "/adminconsent?" + q.Encode()
}

const back = "http://127.0.0.1:8080/consent?own=1"

// answered posts an answer and reports where the browser is sent.
func (v visitor) answered(path, answer string) url.Values {
	v.t.Helper()
	resp, err := v.client.PostForm(v.base+path, url.Values{"answer": {answer}})
	if err != nil {
		v.t.Fatal(err)
	}
	resp.Body.Close()
	to, err := resp.Location()
	if resp.StatusCode != http.StatusFound || err != nil || !strings.HasPrefix(to.String(), "http://127.0.0.1:8080/consent?") {
		v.t.Fatalf("got %s, %v, %v", resp.Status, to, err)
	}
	return to.Query()
}

func TestConsentIsGivenOrNot(t *testing.T) {
	for name, version := range map[string]string{"the first page": "", "the second page": "/v2.0"} {
		t.Run(name, func(t *testing.T) {
			w, v := consents(t, Options{})
			path := w.consentPath(w.tenant.ID+version, back, "scope", "https://graph.microsoft.com/.default")
			status, text := v.get(path)
			v.sees("the page", status, text, 200, "Jitney <test>", "Contoso", "User.ReadWrite.All", ">Approve<", ">Cancel<")
			if _, ok := w.tenant.Principal(w.app.ID); ok {
				t.Fatal("looking at the page let the app in")
			}
			q := v.answered(path, "cancel")
			if q.Get("error") != "permission_denied" || q.Get("error_description") == "" || q.Get("state") != "st/1 &2" || q.Has("admin_consent") || q.Get("own") != "1" {
				t.Errorf("after Cancel: %v", q)
			}
			if _, ok := w.tenant.Principal(w.app.ID); ok {
				t.Fatal("Cancel let the app in")
			}
			q = v.answered(path, "approve")
			if q.Get("tenant") != w.tenant.ID || q.Get("admin_consent") != "True" || q.Get("state") != "st/1 &2" || q.Has("error") {
				t.Errorf("after Approve: %v", q)
			}
			if p, ok := w.tenant.Principal(w.app.ID); !ok || !slices.Equal(p.Permissions, w.app.Permissions()) {
				t.Errorf("after Approve: %+v", p)
			}
			if status, _ := w.ask(t, w.tenant.ID, w.bySecret()); status != 200 {
				t.Errorf("no token after Approve: %d", status)
			}
		})
	}
}

func TestConsentTakesAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := consents(t, Options{Delays: Delays{Consent: Fixed(3 * time.Minute)}})
		v.answered(w.consentPath(w.tenant.ID, back), "approve")
		if status, answer := w.ask(t, w.tenant.ID, w.bySecret()); status != 400 || !slices.Equal(answer["error_codes"].([]any), []any{700016.0}) {
			t.Errorf("at once: %d %v", status, answer["error_codes"])
		}
		time.Sleep(3 * time.Minute)
		if status, _ := w.ask(t, w.tenant.ID, w.bySecret()); status != 200 {
			t.Errorf("after a while: %d", status)
		}
	})
}

func TestConsentForACompanyOfOnesChoice(t *testing.T) {
	w, v := consents(t, Options{})
	path := w.consentPath("organizations", back)
	status, text := v.get(path)
	v.sees("the choice", status, text, 200, "Contoso", "/"+w.tenant.ID+"/adminconsent?")
	if status, _ := v.post(path, url.Values{"answer": {"approve"}}); status != 400 {
		t.Errorf("approving for nobody: %d", status)
	}
}

func TestConsentPageRefuses(t *testing.T) {
	w, v := consents(t, Options{})
	listed, lv := consents(t, Options{}, "https://jitney.example/consent")
	single, sv := consents(t, Options{})
	single.app.Single, single.app.Home = true, single.cloud.AddTenant(TenantSpec{Name: "Other"})
	for name, c := range map[string]struct {
		v    visitor
		path string
		want int
	}{
		"an address on another machine":           {v, w.consentPath(w.tenant.ID, "https://evil.example/"), 400},
		"an address that looks like loopback":     {v, w.consentPath(w.tenant.ID, "http://127.0.0.1.evil.example/"), 400},
		"an address with a person in it":          {v, w.consentPath(w.tenant.ID, "http://127.0.0.1@evil.example/"), 400},
		"another scheme":                          {v, w.consentPath(w.tenant.ID, "javascript://127.0.0.1/%0aalert(1)"), 400},
		"no address":                              {v, w.consentPath(w.tenant.ID, ""), 400},
		"an unknown app":                          {v, w.consentPath(w.tenant.ID, back, "client_id", "x"), 400},
		"an unknown Entra tenant":                 {v, w.consentPath("nobody.example", back), 400},
		"a state without end":                     {v, w.consentPath(w.tenant.ID, back, "state", strings.Repeat("a", longestState+1)), 400},
		"the second page without a scope":         {v, w.consentPath(w.tenant.ID+"/v2.0", back), 400},
		"an app of another company":               {sv, single.consentPath(single.tenant.ID, back), 400},
		"loopback, if other addresses are listed": {lv, listed.consentPath(listed.tenant.ID, back), 400},
		"no listed address":                       {lv, listed.consentPath(listed.tenant.ID, "https://jitney.example/consent"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			if status, _ := c.v.get(c.path); status != c.want {
				t.Errorf("got %d, want %d", status, c.want)
			}
			if c.want == 400 {
				if status, _ := c.v.post(c.path, url.Values{"answer": {"approve"}}); status != 400 {
					t.Errorf("an answer got %d", status)
				}
			}
		})
	}
}
