// Package openid is a small OpenID Connect provider: discovery, keys, the
// authorization code flow with PKCE, and ID tokens. Nobody signs in to it: who
// visits is whom the test set last. It believes no more than a real provider
// does, and can be told to answer wrongly. It is never used by the product.
package openid

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A Provider serves below the address Issuer, which is set before its first
// request.
type Provider struct {
	Issuer           string
	ClientID, Secret string // the one client; without a secret it is a public one
	Redirect         string // the one address to which people are sent back

	mu    sync.Mutex
	key   *rsa.PrivateKey
	who   map[string]any
	spoil func(claims jwt.MapClaims)
	codes map[string]code
	calls map[string]int
}

type code struct {
	challenge, nonce string
	claims           map[string]any
	at               time.Time
}

// New makes a provider with a key of its own.
func New() (*Provider, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return &Provider{key: key, codes: map[string]code{}, calls: map[string]int{}}, err
}

// Visit says who visits from now on: claims such as sub, email and
// email_verified. Nil is somebody who refuses.
func (p *Provider) Visit(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.who = claims
}

// Spoil changes the claims of every later ID token just before it is signed;
// nil for none.
func (p *Provider) Spoil(change func(claims jwt.MapClaims)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoil = change
}

// Calls reports how often a path was asked for.
func (p *Provider) Calls(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[r.URL.Path]++
	switch r.Method + " " + r.URL.Path {
	case "GET /.well-known/openid-configuration":
		answer(w, http.StatusOK, map[string]any{"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"}})
	case "GET /keys":
		text := base64.RawURLEncoding.EncodeToString
		answer(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
			"n": text(p.key.N.Bytes()), "e": text(big.NewInt(int64(p.key.E)).Bytes())}}})
	case "GET /authorize":
		p.authorize(w, r)
	case "POST /token":
		p.token(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != p.ClientID || q.Get("redirect_uri") != p.Redirect || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "This client is not known, or does not ask as it should.", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	if p.who == nil {
		back.Set("error", "access_denied")
	} else {
		c := rand.Text()
		p.codes[c] = code{challenge: q.Get("code_challenge"), nonce: q.Get("nonce"), claims: maps.Clone(p.who), at: time.Now()}
		back.Set("code", c)
	}
	http.Redirect(w, r, p.Redirect+"?"+back.Encode(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if id != p.ClientID || secret != p.Secret {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	c, known := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !known || time.Since(c.at) > time.Minute || r.FormValue("grant_type") != "authorization_code" || r.FormValue("redirect_uri") != p.Redirect ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	claims := jwt.MapClaims{"iss": p.Issuer, "aud": p.ClientID, "nonce": c.nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix()}
	maps.Copy(claims, c.claims)
	if p.spoil != nil {
		p.spoil(claims)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = "one"
	signed, err := token.SignedString(p.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 300, "id_token": signed})
}

func answer(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(what) // whoever went away does not wait for it
}
