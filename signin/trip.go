package signin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

const (
	tripFor = 10 * time.Minute
	maxNext = 500
)

// A trip is what a browser keeps while its person is away at a provider.
type trip struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // of PKCE: whoever has the code alone can do nothing
	Next     string `json:"to,omitempty"`
}

func newTrip(next string) trip {
	if len(next) > maxNext {
		next = ""
	}
	return trip{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next}
}

// fits reports whether t began and state is its own.
func (t trip) fits(state string) bool { return len(t.State) >= 26 && same(t.State, state) }

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// cookie is the one in which a trip is kept. Over https it bears the prefix
// with which no other host, also none below ours, can set it.
func (p *Provider) cookie(value string, age int) *http.Cookie {
	c := &http.Cookie{Name: "jitney-trip", Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if p.secure {
		c.Name, c.Secure = "__Host-jitney-trip", true
	}
	return c
}

func (p *Provider) remember(w http.ResponseWriter, t trip) {
	text, _ := json.Marshal(t) // strings always encode
	http.SetCookie(w, p.cookie(base64.RawURLEncoding.EncodeToString(text), int(tripFor/time.Second)))
}

// recall reads the trip and ends it: there is one way back. Without one it is
// zero, which fits nothing.
func (p *Provider) recall(w http.ResponseWriter, r *http.Request) (t trip) {
	c, err := r.Cookie(p.cookie("", 0).Name)
	if err != nil {
		return trip{}
	}
	http.SetCookie(w, p.cookie("", -1))
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(text, &t) != nil {
		return trip{}
	}
	return t
}
