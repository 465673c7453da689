package issuer_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"jitney/access"
	"jitney/issuer"
	"jitney/secret"
)

// memory keeps settings, and seals by remembering what was sealed where.
type memory struct {
	mu     sync.Mutex
	values map[string]string
	sealed map[string]secret.Text
	events []access.Event
}

func newMemory() *memory {
	return &memory{values: map[string]string{}, sealed: map[string]secret.Text{}}
}

func (m *memory) Setting(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key], nil
}

func (m *memory) SetSetting(_ context.Context, key, value string, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = value
	m.events = append(m.events, events...)
	return nil
}

func (m *memory) Seal(_ context.Context, customer string, at secret.Place, text secret.Text) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := fmt.Sprint(customer, at, len(m.sealed))
	m.sealed[name] = text
	return []byte(name), nil
}

func (m *memory) Open(_ context.Context, _ string, _ secret.Place, sealed []byte) (secret.Text, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.sealed[string(sealed)]
	if !ok {
		return secret.Text{}, fmt.Errorf("nothing was sealed as this")
	}
	return text, nil
}

func at(t *testing.T, m *memory, address string) *issuer.Issuer {
	t.Helper()
	i := issuer.New(m, m)
	if err := i.Move(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	return i
}

// check verifies a token as a reader of the documents does.
func check(t *testing.T, i *issuer.Issuer, token secret.Text) jwt.MapClaims {
	t.Helper()
	w := httptest.NewRecorder()
	i.ServeHTTP(w, httptest.NewRequest("GET", issuer.JWKS, nil))
	var set struct {
		Keys []struct{ Kid, N, E, Alg string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token.Reveal(), claims, func(tok *jwt.Token) (any, error) {
		for _, k := range set.Keys {
			if k.Kid == tok.Header["kid"] {
				n, _ := base64.RawURLEncoding.DecodeString(k.N)
				e, _ := base64.RawURLEncoding.DecodeString(k.E)
				return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
			}
		}
		return nil, fmt.Errorf("key %v is not published", tok.Header["kid"])
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer("https://jitney.example"))
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestATokenSaysWhatAWSReads(t *testing.T) {
	m := newMemory()
	i := at(t, m, "https://jitney.example/")
	token, err := i.Mint(t.Context(), issuer.Claims{Audience: "sts.amazonaws.com", Subject: "grant", SourceIdentity: "jo@msp.example",
		Tags: map[string]string{"jitney:grant": "g1"}, Lifetime: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	claims := check(t, i, token)
	if claims["https://aws.amazon.com/source_identity"] != "jo@msp.example" {
		t.Errorf("source identity is missing: %v", claims)
	}
	if got := fmt.Sprint(claims["https://aws.amazon.com/tags"]); !strings.Contains(got, "principal_tags:map[jitney:grant:[g1]]") {
		t.Errorf("tags are %s", got)
	}
	for _, name := range []string{"iat", "exp", "nbf"} {
		if v, ok := claims[name].(float64); !ok || v != float64(int64(v)) {
			t.Errorf("%s is %v, and AWS takes whole seconds only", name, claims[name])
		}
	}
	if strings.Contains(m.values[issuer.Setting], "PRIVATE") || len(m.events) != 1 {
		t.Errorf("the key is stored in the open, or its making is not recorded: %d events", len(m.events))
	}
	if another, err := issuer.New(m, m).Mint(t.Context(), issuer.Claims{Audience: "a", Subject: "s"}); err != nil {
		t.Fatal(err)
	} else {
		check(t, i, another) // a replica signs with the same key
	}
}

func TestANewKeyIsPublishedBeforeItSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		i := at(t, m, "https://jitney.example")
		mint := func() (kid string) {
			t.Helper()
			token, err := i.Mint(t.Context(), issuer.Claims{Audience: "a", Subject: "s", Lifetime: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			check(t, i, token)
			parsed, _, err := jwt.NewParser().ParseUnverified(token.Reveal(), jwt.MapClaims{})
			if err != nil {
				t.Fatal(err)
			}
			return parsed.Header["kid"].(string)
		}
		first := mint()
		if err := i.Rotate(t.Context(), "somebody"); err != nil {
			t.Fatal(err)
		}
		if mint() != first {
			t.Error("the new key signs before others can know it")
		}
		time.Sleep(issuer.Lead + time.Minute)
		if mint() == first {
			t.Error("the new key never signs")
		}
		time.Sleep(issuer.Trail + time.Minute)
		if err := i.Rotate(t.Context(), "somebody"); err != nil {
			t.Fatal(err)
		}
		documents, err := i.Documents(t.Context())
		if err != nil || strings.Contains(string(documents[issuer.JWKS]), first) {
			t.Errorf("a key that was replaced a day ago is still published (%v)", err)
		}
	})
}

func TestAnAddressThatAWSDoesNotTakeIsSaidToBeOne(t *testing.T) {
	for address, fits := range map[string]bool{"https://jitney.example": true, "https://jitney.example/x": true,
		"https://jitney.example:8443": false, "http://jitney.example": false} {
		if err := issuer.Fit(address); (err == nil) != fits {
			t.Errorf("%s: %v", address, err)
		}
	}
}
