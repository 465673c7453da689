package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fake is a Jitney that follows the HTTP interface of the command line, and
// goes wrong on demand.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string          // "POST /api/v1/aws/sessions"
	asks     []map[string]any  // bodies of requests for sessions
	tokens   map[string]string // whose token it is
	ends     time.Time         // when the grant ends
	validity time.Duration
	slow     time.Duration
	problem  func(ask map[string]any) (status int, detail, hint string)
	change   func(answer map[string]any)
	date     func() time.Time
	issued   int
	pairs    bool // sign-ins are possible
	pairings []map[string]any
}

// fakeServer starts a fake at which token tok_ada is Ada's.
func fakeServer(t testing.TB) *fake {
	f := newFake()
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func newFake() *fake {
	return &fake{tokens: map[string]string{"jat_ada": "ada", "jat_bob": "bob"}, validity: time.Hour, ends: time.Now().Add(8 * time.Hour)}
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// count reports how many requests there were.
func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	slow := f.slow
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	f.mu.Unlock()
	time.Sleep(slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.date != nil {
		w.Header().Set("Date", f.date().UTC().Format(http.TimeFormat))
	}
	if f.pairing(w, r) {
		return
	}
	who, known := f.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !known {
		refuse(w, 401, "login_needed", "Jitney does not know this token.", "Sign in again.")
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /api/v1/aws/sessions":
		f.session(w, r, who)
	case "POST /api/v1/aws/sessions/end":
		f.end(w, r)
	case "GET /api/v1/me":
		answer(w, 200, map[string]any{"person": map[string]any{"id": "p1", "login": who, "name": "Ada L.", "administrator": true},
			"token": map[string]any{"kind": "api", "name": "ci", "admin": true, "tenants": nil, "expires_at": f.ends.UTC()}})
	case "GET /api/v1/aws/tenants":
		answer(w, 200, map[string]any{"tenants": []any{map[string]any{"id": "t1", "name": "dev01", "account_id": "123456789012", "region": "eu-central-1", "scopes": []string{"tenant", "admin"}}}})
	case "POST /api/v1/logout":
		w.WriteHeader(204)
	default:
		refuse(w, 404, "not_found", "There is no such thing.", "")
	}
}

// asked reads what is asked for, and remembers it; false if it is refused.
func (f *fake) asked(w http.ResponseWriter, r *http.Request) (ask map[string]any, ok bool) {
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.Header.Get("Content-Type") != "application/json" {
		refuse(w, 422, "invalid", "This is no request.", "")
		return nil, false
	}
	f.asks = append(f.asks, ask)
	if f.problem != nil {
		if status, detail, hint := f.problem(ask); status != 0 {
			code := map[int]string{401: "login_needed", 403: "refused", 404: "not_found", 410: "ended", 422: "invalid"}[status]
			refuse(w, status, code, detail, hint)
			return nil, false
		}
	}
	return ask, true
}

// end says that grant g1, of which all keys are, is ended, and g2 withdrawn.
func (f *fake) end(w http.ResponseWriter, r *http.Request) {
	if ask, ok := f.asked(w, r); ok {
		one := func(grant, state string) map[string]any {
			return map[string]any{"grant": grant, "tenant_id": "t1", "state": state, "page": "https://jitney.example.net/grants/" + grant}
		}
		answer(w, 200, map[string]any{"scope": map[bool]string{false: "tenant", true: "admin"}[ask["admin"] == true], "grants": []any{one("g1", "ending"), one("g2", "withdrawn")}})
	}
}

func (f *fake) session(w http.ResponseWriter, r *http.Request, who string) {
	ask, ok := f.asked(w, r)
	if !ok {
		return
	}
	f.issued++
	scope, tenant, id := "tenant", ask["tenant"], "id-of-"+fmt.Sprint(ask["tenant"])
	if ask["tenant_id"] != "" {
		tenant, id = "named", fmt.Sprint(ask["tenant_id"])
	}
	if ask["admin"] == true {
		scope = "admin"
	}
	now := time.Now()
	if f.date != nil {
		now = f.date()
	}
	expires := now.Add(f.validity)
	if expires.After(f.ends) {
		expires = f.ends
	}
	a := map[string]any{
		"session": fmt.Sprint("s", f.issued), "grant": "g1", "tenant": tenant, "tenant_id": id, "scope": scope,
		"account_id": "123456789012", "region": "eu-central-1", "session_name": who,
		"access_key_id":     "ASIA" + strings.ToUpper(fmt.Sprint(who, scope, f.issued)),
		"secret_access_key": fmt.Sprintf("secret/%v+%s==", tenant, who), "session_token": fmt.Sprintf("token-%s-%v-%d", scope, tenant, f.issued),
		"expiration": expires.UTC().Format(time.RFC3339), "validity": int(f.validity.Seconds()), "grant_ends": f.ends.UTC().Format(time.RFC3339),
		"notices": []string{}, "page": "https://jitney.example.net/grants/g1",
	}
	if ask["console"] == true {
		a["console_url"] = "https://signin.aws.amazon.com/federation?Action=login&SigninToken=verysecret"
	}
	if f.change != nil {
		f.change(a)
	}
	status := 200
	if a["state"] == "pending" {
		status = 202
	}
	answer(w, status, a)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, code, detail, hint string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": "Refused", "status": status, "detail": detail, "code": code, "hint": hint})
}
