package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/api"
	"jitney/broker"
	"jitney/secret"
	"jitney/signin"
	"jitney/store"
	"jitney/target"
)

// A world is the API over a real database, with tokens and pairings as the
// server has them; only what AWS would answer is made up.
type world struct {
	store    *store.Store
	tokens   *signin.Tokens
	pairings *signin.Pairings
	server   *httptest.Server
	log      *bytes.Buffer
	issuer   *issuer
	address  string
}

// An issuer answers for AWS, and remembers who asked for what.
type issuer struct {
	mu     sync.Mutex
	who    access.Person
	ask    broker.SessionAsk
	answer broker.SessionAnswer
	ended  []access.Grant
	err    error
}

func (i *issuer) Issue(_ context.Context, who access.Person, ask broker.SessionAsk) (broker.SessionAnswer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.who, i.ask = who, ask
	return i.answer, i.err
}

func (i *issuer) End(_ context.Context, who access.Person, ask broker.SessionAsk) ([]access.Grant, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.who, i.ask = who, ask
	return i.ended, i.err
}

func (i *issuer) Places(_ context.Context, who access.Person, from broker.Caller) ([]broker.SessionPlace, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.who, i.ask = who, broker.SessionAsk{From: from}
	return []broker.SessionPlace{{Customer: access.Customer{ID: "aviary", Name: "Aviary Foods"}, Account: "123456789012", Region: "eu-west-1",
		Levels: []broker.SessionLevel{{Right: target.Entitlement{Name: "tenant"}}, {Right: target.Entitlement{Name: "admin", Admin: true}, Refused: "The switch is off."}}}}, nil
}

type customers struct{}

func (customers) Customers(context.Context, access.Person) ([]access.Customer, error) {
	return []access.Customer{{ID: "aviary", Name: "Aviary Foods"}, {ID: "kestrel", Name: "Kestrel"}}, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "jitney.db"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: s, log: &bytes.Buffer{}, issuer: &issuer{}, address: "192.0.2.1"}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	w.tokens, w.pairings = signin.NewTokens(s.People, s.Tokens, s.Log, log), signin.NewPairings(s.People, s.Pairings, log)
	for _, p := range []access.Person{
		{ID: "maya", Login: "maya@msp.example", Name: "Maya Okafor", Roles: []access.Role{access.Requester}, Customers: []string{"aviary", "kestrel"}},
		{ID: "ada", Login: "ada@msp.example", Name: "Ada Brandt", Roles: []access.Role{access.Administrator, access.Requester}, AllCustomers: true},
		{ID: "priya", Login: "priya@msp.example", Name: "Priya Nair", Roles: []access.Role{access.Requester}, Customers: []string{"kestrel"}},
	} {
		if _, err := s.People.SavePerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	h, err := api.New(api.Config{Tokens: w.tokens, Pairings: w.pairings, Sessions: w.issuer, Customers: customers{}, Base: "https://jitney.example", Version: "1.2.3",
		Log: log, Address: func(*http.Request) string { return w.address }})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(h)
	t.Cleanup(func() {
		w.server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// An answer is what a call got.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// call calls the API; body is JSON, as text or to be made of a map.
func (w *world) call(t *testing.T, token, method, path string, body any) answer {
	t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+path, in)
	if err != nil {
		t.Fatal(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return w.send(t, r)
}

func (w *world) send(t *testing.T, r *http.Request) answer {
	t.Helper()
	resp, err := w.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			t.Fatalf("%s %s: %v: %.200s", r.Method, r.URL.Path, err, text)
		}
	}
	return a
}

func (a answer) must(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	if a.status < 400 {
		return a
	}
	if a.body["code"] != code || a.header.Get("Content-Type") != "application/problem+json" || a.body["detail"] == "" || a.body["title"] != http.StatusText(status) || a.body["status"] != float64(status) {
		t.Fatalf("%s: %s", a.header.Get("Content-Type"), a.text)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if a.header.Get("Date") == "" {
		t.Error("no Date")
	}
	return a
}

// token makes an API token for a person.
func (w *world) token(t *testing.T, person string, change func(*access.Token)) (access.Token, string) {
	t.Helper()
	want := access.Token{Name: "pipeline " + person, Person: person, ExpiresAt: time.Now().Add(time.Hour)}
	if change != nil {
		change(&want)
	}
	token, text, err := w.tokens.Create(t.Context(), access.Person{ID: "ada"}, want)
	if err != nil {
		t.Fatal(err)
	}
	return token, text.Reveal()
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const verifier = "verifier-verifier-verifier-verifier-verifier"

// begin asks to sign in a command line.
func (w *world) begin(t *testing.T, change map[string]any) answer {
	t.Helper()
	body := map[string]any{"application": "jitney", "machine": "dev-box", "user": "maya", "challenge": challenge(verifier), "state": "state-of-the-command-line", "port": 43123}
	for k, v := range change {
		body[k] = v
	}
	return w.call(t, "", "POST", "/api/v1/cli/pairings", body)
}

func (w *world) redeem(t *testing.T, id any, verifier, code string) answer {
	t.Helper()
	return w.call(t, "", "POST", "/api/v1/cli/pairings/"+id.(string)+"/token", map[string]any{"verifier": verifier, "code": code})
}

func (w *world) authorize(t *testing.T, who string, id any, typed string) string {
	t.Helper()
	_, code, err := w.pairings.Authorize(t.Context(), access.Person{ID: who}, id.(string), typed)
	if err != nil {
		t.Fatal(err)
	}
	return code.Reveal()
}

// secrets are texts that may be nowhere but in the one answer.
func (w *world) mustNotHold(t *testing.T, texts ...string) {
	t.Helper()
	records, err := w.store.Log.Records(t.Context(), access.RecordQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range texts {
		if strings.Contains(string(all), s) || strings.Contains(w.log.String(), s) {
			t.Errorf("%.8s… was kept", s)
		}
	}
}

func sealed(text string) secret.Text { return secret.New(text) }
