package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jitney/sim/openid"
)

// TestSignInAtAnIssuer makes the first administrator with a password, who then
// signs in at an OpenID Connect issuer, and at last only there.
func TestSignInAtAnIssuer(t *testing.T) {
	t.Parallel()
	sim, err := openid.New()
	if err != nil {
		t.Fatal(err)
	}
	issuer := httptest.NewServer(sim)
	defer issuer.Close()
	sim.Issuer, sim.ClientID, sim.Secret = issuer.URL, "jitney", "fourteen quiet magpies"
	sim.Visit(map[string]any{"sub": "s-1", "email": "ada@msp.example", "email_verified": true})
	data, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(sim.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--data", data, "--metrics-listen=", "--sign-in-issuer", issuer.URL, "--sign-in-client", "jitney", "--sign-in-secret-file", file, "--sign-in-name", "Example ID"}
	p, base := serve(t, nil, args...)
	token := p.await(`"token":"([A-Z0-9]+)"`)
	visit(t, base).post("/setup", url.Values{"token": {token}, "name": {"Ada"}, "login": {"ada@msp.example"}, "password": {"seven wet herons fly"}, "again": {"seven wet herons fly"}})

	enter := func(base string) (status int, location string) {
		t.Helper()
		sim.Redirect = base + "/login/provider/callback"
		v := visit(t, base)
		_, _, to := v.do("GET", "/login/provider?next=/people", nil)
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		a, err := client.Get(to)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		status, _, location = v.do("GET", strings.TrimPrefix(a.Header.Get("Location"), base), nil)
		if status == http.StatusSeeOther {
			if status, body, _ := v.do("GET", location, nil); status != http.StatusOK || !strings.Contains(body, "Ada") {
				t.Errorf("GET %s after signing in: %d", location, status)
			}
		}
		return status, location
	}
	if status, location := enter(base); status != http.StatusSeeOther || location != "/people" {
		t.Fatalf("%d, to %q\n%s", status, location, p.output())
	}
	sim.Visit(map[string]any{"sub": "s-2", "email": "eve@msp.example", "email_verified": true})
	if status, _ := enter(base); status != http.StatusForbidden {
		t.Errorf("somebody whom nobody added: %d", status)
	}
	p.stop()
	if strings.Contains(p.output(), sim.Secret) {
		t.Error("the client secret is in the log")
	}

	sim.Visit(map[string]any{"sub": "s-1"}) // linked: the subject is enough
	p, base = serve(t, nil, append(args, "--sign-in-only")...)
	if status, body, _ := visit(t, base).do("POST", "/login", url.Values{"login": {"ada@msp.example"}, "password": {"seven wet herons fly"}}); status != http.StatusForbidden || !strings.Contains(body, "Passwords let nobody in here.") {
		t.Errorf("a password lets in: %d", status)
	}
	if status, _ := enter(base); status != http.StatusSeeOther {
		t.Errorf("%d\n%s", status, p.output())
	}
}

func TestWrongSignInSettings(t *testing.T) {
	t.Parallel()
	open := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(open, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--sign-in-issuer is missing": {"--sign-in-only"},
		"not an address such as":      {"--sign-in-issuer", "http://id.example.net", "--sign-in-client", "jitney"},
		"name the tenant":             {"--sign-in-issuer", "https://login.microsoftonline.com/common/v2.0", "--sign-in-client", "jitney"},
		"client ID, is missing":       {"--sign-in-issuer", "https://id.example.net"},
		"others can read it":          {"--sign-in-issuer", "https://id.example.net", "--sign-in-client", "jitney", "--sign-in-secret-file", open},
	} {
		p := start(t, nil, append([]string{"serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--metrics-listen="}, args...)...)
		<-p.done
		if out := p.output(); p.cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(out, want) {
			t.Errorf("%v: exits with %d; want %d and %q:\n%s", args, p.cmd.ProcessState.ExitCode(), exitUsage, want, out)
		}
	}
}
