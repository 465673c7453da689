package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"jitney/broker"
)

// canaryAWS starts an AWS account, and reports what connects a customer.
func canaryAWS(t *testing.T) broker.TargetInput {
	t.Helper()
	cloud, err := startDemoCloud(t.Context(), []demoCustomer{{name: "Pedro's Aviary", aws: "kestrel-aviary"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.server.Close() })
	return cloud.target("kestrel-aviary")
}

// walkAWS lets the technician have keys and the address of a console from the
// page and from the API, by a token of the administrator's making and by one of
// a command line that signed in.
func walkAWS(t *testing.T, tech, ada *visitor, secrets map[string]string) {
	t.Helper()
	found := func(what, body, pattern string) {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("%s is not shown:\n%s", what, text(body))
		}
		secrets[what] = html.UnescapeString(m[1])
	}
	place := regexp.MustCompile(`name="place"[^>]*>\s*<option value="([a-z0-9]+)"|name="place" value="([a-z0-9]+)"`).FindStringSubmatch(tech.get("/aws"))
	if place == nil {
		t.Fatal("there is no AWS account on the page")
	}
	form := url.Values{"place": {place[1] + place[2]}, "level": {"tenant"}}
	body := tech.show("/aws/keys", form)
	found("the secret key", body, `AWS_SECRET_ACCESS_KEY=(?:<[^>]*>|&#39;)*([^<\s]{30,})`)
	found("the session token", body, `AWS_SESSION_TOKEN=(?:<[^>]*>|&#39;)*([^<\s]{30,})`)
	found("the console's token", tech.show("/aws/url", form), `SigninToken=([^&<"]{20,})`)

	people := ada.get("/tokens")
	body = ada.show("/tokens", url.Values{"name": {"ci"}, "person": {option(t, people, "person", "Tech")}, "days": {"1"}, "for": {"all"}})
	found("the API token", body, `(jat_[a-z2-7]{52})`)
	secrets["the verifier"] = "correct-horse-battery-staple-of-the-command-line"
	secrets["the sign-in of a command line"] = pairDevice(t, tech, secrets["the verifier"])
	for what, token := range map[string]string{" by API token": secrets["the API token"], " by command line": secrets["the sign-in of a command line"]} {
		a := callAPI(t, tech.base, "/api/v1/aws/sessions", token, map[string]any{"console": true, "machine": "ci-7"})
		secrets["the secret key"+what], secrets["the session token"+what] = a["secret_access_key"].(string), a["session_token"].(string)
		console, err := url.Parse(a["console_url"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if secrets["the console's token"+what] = console.Query().Get("SigninToken"); secrets["the console's token"+what] == "" {
			t.Error("the address of the console has no token")
		}
	}
	processes(t, secrets)
}

// pairDevice signs a command line in as the visitor, who types its code.
func pairDevice(t *testing.T, v *visitor, verifier string) (token string) {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	p := callAPI(t, v.base, "/api/v1/cli/pairings", "", map[string]any{"challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "state": "0123456789abcdef", "machine": "laptop"})
	v.post(v.post("/device", url.Values{"code": {p["code"].(string)}})+"/authorize", url.Values{})
	return callAPI(t, v.base, "/api/v1/cli/pairings/"+p["pairing"].(string)+"/token", "", map[string]any{"verifier": verifier})["token"].(string)
}

func callAPI(t *testing.T, base, path, token string, in map[string]any) (out map[string]any) {
	t.Helper()
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 || json.Unmarshal(text, &out) != nil {
		t.Fatalf("%s: status %d, %v: %.300s", path, resp.StatusCode, err, text)
	}
	return out
}

// walkDesk connects a ticket system, one that does not answer, and makes the
// secret of its webhook.
func walkDesk(t *testing.T, ada *visitor, secrets map[string]string) {
	t.Helper()
	secrets["the key of the ticket system"] = "canary-key-of-the-ticket-system-41c7"
	at := ada.post("/ticket-systems", url.Values{"kind": {"redmine"}, "name": {"Desk"}, "field-url": {"https://redmine.invalid"}, "field-key": {secrets["the key of the ticket system"]}})
	if !strings.HasPrefix(at, "/ticket-systems/") {
		t.Fatalf("the ticket system is not connected: %q", at)
	}
	ada.post(at+"/check", url.Values{})
	m := regexp.MustCompile(`<code id="hooksecret"[^>]*>([^<]*)`).FindStringSubmatch(ada.show(at+"/webhook", url.Values{}))
	if m == nil {
		t.Fatal("no secret of the webhook is shown")
	}
	secrets["the secret of the webhook"] = m[1]
}
