package web

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"jitney/access"
)

// fakeProvider sends everybody to one address, and lets in who comes back with
// the code "good".
type fakeProvider struct{ links []access.Identity }

func (*fakeProvider) Name() string { return "Example ID" }

func (*fakeProvider) Begin(_ http.ResponseWriter, _ *http.Request, next string) (string, error) {
	if next == "/nowhere" {
		return "", &access.Error{Kind: access.Unavailable, Text: "Example ID does not answer as it should.", Hint: "Try again in a minute."}
	}
	return "https://id.example/authorize?then=" + url.QueryEscape(next), nil
}

func (*fakeProvider) Finish(_ http.ResponseWriter, r *http.Request) (string, error) {
	if r.FormValue("code") != "good" {
		return "/desk", &access.Error{Kind: access.Denied, Text: "Nobody here has the sign-in name <b>eve</b>.", Hint: "Ask an administrator to add you."}
	}
	return r.FormValue("then"), nil
}

func (f *fakeProvider) Links(context.Context, access.Person, string) ([]access.Identity, error) {
	return f.links, nil
}

func (f *fakeProvider) Unlink(context.Context, access.Person, string) error {
	f.links = nil
	return nil
}

func TestSignInPageOfAProvider(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, "", "/login", nil).must(t, http.StatusOK, "Password").lacks(t, "Example ID")
	for _, path := range []string{"/login/provider", "/login/provider/callback?code=good"} {
		if a := w.ask(t, "", path, nil); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s without a provider: %d", path, a.StatusCode)
		}
	}
	w.server.Provider = &fakeProvider{}
	checkPage(t, "/login", w.ask(t, "", "/login?next=/grants", nil).must(t, http.StatusOK, "Sign in with Example ID", "/login/provider?next=%2fgrants", "Password"))
	for next, want := range map[string]string{"/grants?state=active": "/grants?state=active", "https://evil.example": "", "//evil.example": ""} {
		a := w.ask(t, "", "/login/provider?next="+url.QueryEscape(next), nil)
		if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || to != "https://id.example/authorize?then="+url.QueryEscape(want) {
			t.Errorf("next %q: %d, to %q", next, a.StatusCode, to)
		}
	}
	w.ask(t, "", "/login/provider?next=/nowhere", nil).must(t, http.StatusServiceUnavailable, "Example ID does not answer", "Password")
	checkPage(t, "/login/provider/callback", w.ask(t, "", "/login/provider/callback?code=bad", nil).must(t, http.StatusForbidden, "&lt;b&gt;eve", "next=%2fdesk").lacks(t, "<b>eve"))
	for then, want := range map[string]string{"/grants": "/grants", "": "/request", "https://evil.example/": "/request"} {
		if a := w.ask(t, "", "/login/provider/callback?code=good&then="+url.QueryEscape(then), nil); a.Header.Get("Location") != want {
			t.Errorf("then %q: to %q", then, a.Header.Get("Location"))
		}
	}
}

func TestPagesWithoutPasswords(t *testing.T) {
	w := newWorld(t)
	w.fill()
	f := &fakeProvider{links: []access.Identity{{Issuer: "https://id.example", Subject: "s", Person: maya, Name: "maya@id.example", LinkedAt: time.Now()}}}
	w.server.Provider = f
	checkPage(t, "/people/maya", w.ask(t, ada, "/people/maya", nil).must(t, http.StatusOK, "Reset password", "maya@id.example", "Unlink"))
	w.ask(t, otto, "/people/maya", nil).must(t, http.StatusOK).lacks(t, "Unlink")
	w.ask(t, maya, "/people/maya/unlink", url.Values{}).must(t, http.StatusNotFound)
	w.ask(t, otto, "/people/maya/unlink", url.Values{}).must(t, http.StatusNotFound)
	if len(f.links) != 1 {
		t.Fatal("unlinked by whoever is no administrator")
	}
	if a := w.ask(t, ada, "/people/maya/unlink", url.Values{}); a.Header.Get("Location") != "/people/maya" || len(f.links) != 0 {
		t.Errorf("%d, %+v", a.StatusCode, f.links)
	}
	w.server.NoPasswords = true
	checkPage(t, "/people/maya", w.ask(t, ada, "/people/maya", nil).must(t, http.StatusOK, "for the first time").lacks(t, "Reset password", "Unlink"))
	checkPage(t, "/login", w.ask(t, "", "/login", nil).must(t, http.StatusOK, "Sign in with Example ID").lacks(t, "Password", "password"))
	w.ask(t, maya, "/me", nil).must(t, http.StatusOK).lacks(t, "Change password")
	added := w.ask(t, ada, "/people", url.Values{"name": {"Noor"}, "login": {"noor@msp.example"}, "role": {"requester"}})
	if added.StatusCode != http.StatusSeeOther {
		t.Errorf("adding a person shows a password of no use: %d", added.StatusCode)
	}
}
