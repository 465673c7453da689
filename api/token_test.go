package api_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/signin"
	"jitney/target"
)

// over keeps tokens that run out as soon as they are made.
type over struct{ signin.TokenTable }

func (o over) AddToken(ctx context.Context, t access.Token, hash string, letter access.Letter, events ...access.Event) error {
	t.ExpiresAt = time.Now().Add(-time.Second)
	return o.TokenTable.AddToken(ctx, t, hash, letter, events...)
}

func TestOnlyAGoodTokenLetsIn(t *testing.T) {
	w := newWorld(t)
	good, text := w.token(t, "maya", func(want *access.Token) { want.Customers = []string{"kestrel"} })
	a := w.call(t, text, "GET", "/api/v1/me", nil).must(t, http.StatusOK, "")
	person, token := a.body["person"].(map[string]any), a.body["token"].(map[string]any)
	if person["login"] != "maya@msp.example" || person["administrator"] != false || token["kind"] != "api" || token["tenants"].([]any)[0] != "Kestrel" {
		t.Errorf("%s", a.text)
	}
	revoked, revokedText := w.token(t, "ada", nil)
	if err := w.tokens.Revoke(t.Context(), access.Person{ID: "ada"}, revoked.ID); err != nil {
		t.Fatal(err)
	}
	_, short, err := signin.NewTokens(w.store.People, over{w.store.Tokens}, w.store.Log, nil).Create(t.Context(), access.Person{ID: "ada"},
		access.Token{Name: "short", Person: "priya", ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"no token": "", "a wrong one": "jat_" + strings.Repeat("a", 52), "one of another kind": strings.Replace(text, "jat_", "jcl_", 1),
		"a revoked one": revokedText, "the text in another case": strings.ToUpper(text), "the ID of one": good.ID, "a long one": strings.Repeat("jat_", 1000)} {
		t.Run(name, func(t *testing.T) {
			a := w.call(t, text, "GET", "/api/v1/me", nil).must(t, http.StatusUnauthorized, "login_needed")
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("no WWW-Authenticate")
			}
		})
	}
	t.Run("an expired one", func(t *testing.T) {
		w.call(t, short.Reveal(), "GET", "/api/v1/me", nil).must(t, http.StatusUnauthorized, "login_needed")
	})
	t.Run("a cookie is nothing", func(t *testing.T) {
		r, _ := http.NewRequest("GET", w.server.URL+"/api/v1/me", nil)
		r.AddCookie(&http.Cookie{Name: "jitney", Value: text})
		w.send(t, r).must(t, http.StatusUnauthorized, "login_needed")
	})
	t.Run("what is not there needs a token, too", func(t *testing.T) {
		w.call(t, "", "GET", "/api/v1/nothing", nil).must(t, http.StatusUnauthorized, "login_needed")
		w.call(t, text, "GET", "/api/v1/nothing", nil).must(t, http.StatusNotFound, "not_found")
	})
	t.Run("an API token is not signed out", func(t *testing.T) {
		w.call(t, text, "POST", "/api/v1/logout", nil).must(t, http.StatusUnprocessableEntity, "invalid")
	})
	t.Run("one of somebody who is disabled", func(t *testing.T) {
		p, err := w.store.People.Person(t.Context(), "maya")
		if err != nil {
			t.Fatal(err)
		}
		p.DisabledAt = time.Now()
		if _, err := w.store.People.SavePerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		w.call(t, text, "GET", "/api/v1/me", nil).must(t, http.StatusUnauthorized, "login_needed")
	})
	w.mustNotHold(t, text, revokedText, short.Reveal())
	records, err := w.store.Log.Records(t.Context(), access.RecordQuery{Kind: signin.EventTokenRefused, Limit: 100})
	if err != nil || len(records) < 3 {
		t.Errorf("%d refusals are recorded, %v", len(records), err)
	}
}

func TestTheLastUseOfAToken(t *testing.T) {
	w := newWorld(t)
	_, text := w.token(t, "maya", nil)
	for _, from := range []string{"192.0.2.1", "192.0.2.2"} { // within a minute: stored once
		w.address = from
		w.call(t, text, "GET", "/api/v1/me", nil).must(t, http.StatusOK, "")
	}
	all, err := w.tokens.List(t.Context(), access.Person{ID: "maya"}, false)
	if err != nil || len(all) != 1 || all[0].UsedFrom != "192.0.2.1" || time.Since(all[0].UsedAt) > time.Minute {
		t.Errorf("%+v, %v", all, err)
	}
}

// answerOf is what the issuer gives, until in 20 minutes.
func answerOf(now time.Time) broker.SessionAnswer {
	ends := now.Add(20*time.Minute + 700*time.Millisecond)
	return broker.SessionAnswer{Customer: access.Customer{ID: "aviary", Name: "Aviary Foods"}, Session: access.Session{ID: "s1", EndsAt: ends},
		Grant: access.Grant{ID: "g1", Request: access.Request{Duration: 20 * time.Minute}, ApprovedAt: now, VerifiedAt: now.Add(700 * time.Millisecond)},
		Keys: target.Keys{ID: "ASIAEXAMPLE", Secret: sealed("canary-secret-key"), Token: sealed("canary-session-token"), Account: "123456789012", Region: "eu-west-1",
			Name: "maya-g1", EndsAt: ends, ExpiresAt: ends.Add(time.Hour), Notices: []string{"Cut to 20 min: the grant ends then."}},
		URL: sealed("https://signin.example/canary-console")}
}

func TestIssuing(t *testing.T) {
	w := newWorld(t)
	id, text := w.token(t, "maya", func(want *access.Token) { want.Customers = []string{"aviary"} })
	now := time.Now().UTC()
	w.issuer.answer = answerOf(now)
	a := w.call(t, text, "POST", "/api/v1/aws/sessions", map[string]any{"tenant": "Aviary Foods", "minutes": 20, "ticket": "t1", "reason": "because", "console": true,
		"destination": "s3", "region": "eu-west-1", "logout_first": true, "machine": "runner", "application": "pipeline"}).must(t, http.StatusOK, "")
	took := time.Since(now)
	for k, want := range map[string]any{"session": "s1", "grant": "g1", "tenant": "Aviary Foods", "tenant_id": "aviary", "scope": "tenant", "access_key_id": "ASIAEXAMPLE",
		"secret_access_key": "canary-secret-key", "session_token": "canary-session-token", "console_url": "https://signin.example/canary-console",
		"page": "https://jitney.example/grants/g1", "session_name": "maya-g1", "account_id": "123456789012"} {
		if a.body[k] != want {
			t.Errorf("%s is %v, want %v", k, a.body[k], want)
		}
	}
	expires, err := time.Parse(time.RFC3339, a.body["expiration"].(string))
	if err != nil || !strings.HasSuffix(a.body["expiration"].(string), "Z") || expires.After(w.issuer.answer.Keys.EndsAt) || a.body["validity"].(float64) > 1200 || a.body["validity"].(float64) < 1199-took.Seconds() {
		t.Errorf("expiration %v, validity %v", a.body["expiration"], a.body["validity"])
	}
	ask := w.issuer.ask
	if w.issuer.who.ID != "maya" || ask.From.Via != access.ViaToken || ask.From.Token != id.ID || !ask.From.NoAdmin || len(ask.From.Customers) != 1 || ask.From.Address != "192.0.2.1" ||
		ask.For != access.ForConsole || ask.Minutes != 20 || !ask.To.LogoutFirst || ask.From.Machine != "runner" || ask.To.Issuer != "https://jitney.example" {
		t.Errorf("asked as %s for %+v", w.issuer.who.ID, ask)
	}
	if n := strings.Count(w.log.String(), "session issued"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	w.mustNotHold(t, text, "canary-secret-key", "canary-session-token", "canary-console")

	w.issuer.answer = broker.SessionAnswer{Pending: true, Grant: access.Grant{ID: "g2"}}
	if a := w.call(t, text, "POST", "/api/v1/aws/sessions", "{}").must(t, http.StatusAccepted, ""); a.body["state"] != "pending" || a.body["grant"] != "g2" || len(a.body) != 3 {
		t.Errorf("%s", a.text)
	}
	if a := w.call(t, text, "GET", "/api/v1/aws/tenants", nil).must(t, http.StatusOK, ""); a.text != `{"tenants":[{"id":"aviary","name":"Aviary Foods","account_id":"123456789012","region":"eu-west-1","scopes":["tenant"]}]}`+"\n" {
		t.Errorf("%s", a.text)
	}
}

func TestEnding(t *testing.T) {
	w := newWorld(t)
	id, text := w.token(t, "maya", func(want *access.Token) { want.Customers = []string{"aviary"} })
	w.issuer.ended = []access.Grant{{ID: "g1", Request: access.Request{Customer: "aviary"}, StopCause: access.ByHolder}, {ID: "g2", Request: access.Request{Customer: "aviary"}, StopCause: access.ByWithdrawal}}
	a := w.call(t, text, "POST", "/api/v1/aws/sessions/end", map[string]any{"tenant": "Aviary Foods", "tenant_id": "aviary", "grant": "g1", "admin": true, "machine": "runner", "application": "pipeline"}).must(t, http.StatusOK, "")
	if a.text != `{"scope":"admin","grants":[{"grant":"g1","tenant_id":"aviary","state":"ending","page":"https://jitney.example/grants/g1"},{"grant":"g2","tenant_id":"aviary","state":"withdrawn","page":"https://jitney.example/grants/g2"}]}`+"\n" {
		t.Errorf("%s", a.text)
	}
	want := broker.SessionAsk{Customer: "aviary", Tenant: "Aviary Foods", Grant: "g1", Admin: true,
		From: broker.Caller{Via: access.ViaToken, Token: id.ID, Machine: "runner", Application: "pipeline", Address: "192.0.2.1", NoAdmin: true, Customers: []string{"aviary"}}}
	if !reflect.DeepEqual(w.issuer.ask, want) || w.issuer.who.ID != "maya" {
		t.Errorf("asked as %s for %+v, want %+v", w.issuer.who.ID, w.issuer.ask, want)
	}
	if n := strings.Count(w.log.String(), "sessions ended early"); n != 2 {
		t.Errorf("%d lines in the log", n)
	}
}

func TestWhatIsAnsweredWhenItDoesNotWork(t *testing.T) {
	w := newWorld(t)
	_, text := w.token(t, "maya", nil)
	for _, tt := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"a switch says no", &access.Error{Kind: access.Denied, Text: "The switch is off.", Hint: "Ask Ada."}, http.StatusForbidden, "refused"},
		{"no such tenant", &access.Error{Kind: access.NotFound, Text: "There is no such tenant."}, http.StatusNotFound, "not_found"},
		{"somebody was first", &access.Error{Kind: access.Conflict, Text: "Somebody was first."}, http.StatusConflict, "conflict"},
		{"the grant is over", &access.Error{Kind: access.Conflict, Code: broker.Ended, Text: "This access is over."}, http.StatusGone, "ended"},
		{"a ticket is missing", &broker.Invalid{Fields: []access.FieldError{{Field: "ticket", Text: "Ticket is required."}}}, http.StatusUnprocessableEntity, "invalid"},
		{"several tenants", &access.Error{Kind: access.Invalid, Text: "Say which tenant."}, http.StatusUnprocessableEntity, "invalid"},
		{"AWS does not answer", &access.Error{Kind: access.Unavailable, Text: "AWS does not answer.", After: 7 * time.Second, Err: errors.New("canary: inner")}, http.StatusServiceUnavailable, "unavailable"},
		{"a fault of ours", errors.New("canary: inner"), http.StatusInternalServerError, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.issuer.err = tt.err
			w.call(t, text, "POST", "/api/v1/aws/sessions/end", "{}").must(t, tt.status, tt.code)
			a := w.call(t, text, "POST", "/api/v1/aws/sessions", "{}").must(t, tt.status, tt.code)
			if strings.Contains(a.text, "canary") {
				t.Errorf("what is for the log only: %s", a.text)
			}
			if tt.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "7" {
				t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
			}
		})
	}
	for name, body := range map[string]string{"no JSON": "{", "another type": `{"minutes":"canary"}`, "an unknown field": `{"canary":1}`, "too long": `{"tenant":"` + strings.Repeat("x", 300) + `"}`,
		"negative": `{"minutes":-1}`, "a list": "[]"} {
		t.Run(name, func(t *testing.T) {
			a := w.call(t, text, "POST", "/api/v1/aws/sessions", body)
			if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest || a.body["code"] != "invalid" {
				t.Errorf("%d: %s", a.status, a.text)
			}
			if strings.Contains(strings.ReplaceAll(a.text, `"field":"canary"`, ""), "canary") {
				t.Errorf("repeats what was sent: %s", a.text)
			}
		})
	}
	t.Run("a flood", func(t *testing.T) {
		w.call(t, text, "POST", "/api/v1/aws/sessions", `{"reason":"`+strings.Repeat("x", 20<<10)+`"}`).must(t, http.StatusRequestEntityTooLarge, "invalid")
	})
	t.Run("no JSON by its own word", func(t *testing.T) {
		r, _ := http.NewRequest("POST", w.server.URL+"/api/v1/aws/sessions", strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+text)
		r.Header.Set("Content-Type", "text/plain")
		w.send(t, r).must(t, http.StatusUnsupportedMediaType, "invalid")
	})
}

func TestTheDescription(t *testing.T) {
	w := newWorld(t)
	a := w.call(t, "", "GET", "/api/openapi.json", nil).must(t, http.StatusOK, "")
	if name := os.Getenv("JITNEY_OPENAPI"); name != "" {
		if err := os.WriteFile(name, []byte(a.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if v, _ := a.body["openapi"].(string); !strings.HasPrefix(v, "3.1.") {
		t.Errorf("openapi is %q", v)
	}
	checkDescription(t, a.body)
	valid(t, a.text)
}
