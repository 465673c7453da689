package login

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/cli/keep"
)

// A pairing is what the fake Jitney knows of one.
type pairing struct {
	Application, Machine, User, Tenant, Challenge, State string
	Admin                                                bool
	Port                                                 int

	id, code, oneTime, decided string // decided: "", authorized, cancelled, delivered, ended
	asked                      int    // for its token
}

// matchCode is that of every pairing.
const matchCode = "WXYZ-2345"

// A jitney is a fake that pairs as the real one does: a token only against the
// verifier, with the one-time code if the command line listens, once.
type jitney struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	pairings []*pairing
	live     map[string]bool                                   // tokens
	asked    int                                               // requests
	answer   func(w http.ResponseWriter, r *http.Request) bool // takes the place of the real answer if true
}

func newJitney(t *testing.T) *jitney {
	j := &jitney{t: t, live: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/cli/pairings", j.pair)
	mux.HandleFunc("POST /api/v1/cli/pairings/{id}/token", j.token)
	mux.HandleFunc("POST /api/v1/logout", j.logout)
	mux.HandleFunc("POST /person", j.person)
	j.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		j.mu.Lock()
		if r.URL.Path != "/person" {
			j.asked++
		}
		answer := j.answer
		j.mu.Unlock()
		if strings.Contains(r.URL.String(), "jcl_") {
			t.Errorf("a token in the URL %s", r.URL)
		}
		if answer == nil || !answer(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	j.Start()
	t.Cleanup(j.Close)
	return j
}

func reject(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"Said by the \u001b[31mserver.","hint":"Do this."}`, status, code)
}

func (j *jitney) pair(w http.ResponseWriter, r *http.Request) {
	p := &pairing{id: strings.ToLower(rand.Text()), code: matchCode}
	if err := json.NewDecoder(r.Body).Decode(p); err != nil || len(p.State) != 43 || len(p.Challenge) != 43 {
		j.t.Errorf("a pairing that makes no sense: %+v, %v", p, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pairings = append(j.pairings, p)
	link := j.URL + "/local-access/" + p.id
	if p.Port == 0 {
		link = j.URL + "/device"
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"pairing": p.id, "url": link, "code": p.code, "expires_at": time.Now().Add(10 * time.Minute)})
}

func (j *jitney) find(id string) *pairing {
	for _, p := range j.pairings {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (j *jitney) token(w http.ResponseWriter, r *http.Request) {
	var in struct{ Verifier, Code string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.find(r.PathValue("id"))
	sum := sha256.Sum256([]byte(in.Verifier))
	if p != nil {
		p.asked++
	}
	switch {
	case p == nil || base64url(sum[:]) != p.Challenge:
		reject(w, 404, "not_found")
	case p.decided == "cancelled":
		reject(w, 403, "refused")
	case p.decided == "ended" || p.decided == "delivered":
		reject(w, 410, "ended")
	case in.Code != "" && in.Code != p.oneTime:
		reject(w, 403, "refused") // the command line must find out which of the two it is
	case p.decided == "":
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"state":"waiting"}`)
	case p.Port != 0 && in.Code == "":
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"state":"authorized"}`)
	default:
		p.decided = "delivered"
		text := "jcl_" + rand.Text()
		j.live[text] = true
		_ = json.NewEncoder(w).Encode(map[string]any{"token": text, "expires_at": time.Now().Add(12 * time.Hour), "login": "ada"})
	}
}

func (j *jitney) logout(w http.ResponseWriter, r *http.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !j.live[text] {
		reject(w, 401, "login_needed")
		return
	}
	delete(j.live, text)
	w.WriteHeader(http.StatusNoContent)
}

// decide lets the person decide and reports where the browser is sent, "" if
// nowhere.
func (j *jitney) decide(id, decided string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.find(id)
	if p.decided = decided; p.Port == 0 {
		return ""
	}
	q := url.Values{"state": {p.State}}
	if decided == "cancelled" {
		q.Set("error", "access_denied")
	} else {
		p.oneTime = rand.Text()
		q.Set("code", p.oneTime)
	}
	return fmt.Sprintf("http://127.0.0.1:%d/?%s", p.Port, q.Encode())
}

// person is the whole person for other processes: it authorizes what is at
// the link in the body.
func (j *jitney) person(w http.ResponseWriter, r *http.Request) {
	link, _ := io.ReadAll(r.Body)
	status, _, _ := visit(j.decide(path.Base(string(link)), "authorized"), nil)
	w.WriteHeader(status)
}

// knows reports whether a token is live, and how many are.
func (j *jitney) knows(text string) (bool, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.live[text], len(j.live)
}

// requests reports how many there were.
func (j *jitney) requests() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.asked
}

// last reports the newest pairing and how many there are.
func (j *jitney) last() (pairing, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pairings) == 0 {
		return pairing{}, 0
	}
	return *j.pairings[len(j.pairings)-1], len(j.pairings)
}

// visit is a browser: it asks for a link and reports what it got, without
// following.
func visit(link string, change func(*http.Request)) (status int, location string, err error) {
	req, err := http.NewRequest(http.MethodGet, link, nil)
	if err != nil {
		return 0, "", err
	}
	if change != nil {
		change(req)
	}
	c := clientOf(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute})
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("Location"), err
}

// A screenful is what a call printed, to be read while it runs.
type screenful struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screenful) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screenful) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A desk is a computer with a person at it.
type desk struct {
	*jitney
	Request
	screen *screenful
	tabs   []string // links that were opened
	see    func(link string)
	mu     sync.Mutex
}

// newDesk makes a computer with a screen and a browser; see is what the person
// does when a link opens.
func newDesk(t *testing.T, j *jitney, see func(link string)) *desk {
	d := &desk{jitney: j, screen: &screenful{}, see: see}
	vars := map[string]string{"XDG_STATE_HOME": t.TempDir(), "BROWSER": "true", "USER": "ada", "JITNEY_KEYRING": "file"}
	env := func(name string) string { return vars[name] }
	d.Request = Request{Host: j.URL, Application: "jitney", Machine: "desk", Tenant: "acme", Budget: 2 * time.Minute, Err: d.screen,
		Store: keep.Open(env), Env: env, poll: 10 * time.Millisecond,
		launch: func(_ []string, link string) error {
			d.mu.Lock()
			d.tabs = append(d.tabs, link)
			see := d.see
			d.mu.Unlock()
			if see != nil {
				see(link)
			}
			return nil
		}}
	t.Cleanup(func() {
		for _, secret := range []string{"jcl_", "verifier"} {
			if strings.Contains(d.screen.String(), secret) {
				t.Errorf("the screen shows %s:\n%s", secret, d.screen)
			}
		}
	})
	return d
}

// set changes the environment of the desk.
func (d *desk) set(pairs ...string) {
	before := d.Env
	d.Env = func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return before(name)
	}
}

func (d *desk) opened() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.tabs)
}

// authorize is a person who presses Authorize.
func authorize(t *testing.T, j *jitney) func(link string) {
	return func(link string) {
		p, _ := j.last()
		status, location, err := visit(j.decide(p.id, "authorized"), nil)
		if err != nil || status != http.StatusSeeOther || location != j.URL+"/local-access/"+p.id+"/done" {
			t.Errorf("after Authorize: %d to %q, %v", status, location, err)
		}
	}
}
