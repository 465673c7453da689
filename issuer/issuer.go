package issuer

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"jitney/access"
	"jitney/secret"
)

const (
	// Setting is the key under which the signing keys are stored, sealed.
	Setting = "issuer.keys"
	// SettingAddress is the key under which the address is stored.
	SettingAddress = "issuer.address"
	// Lead is how long a new key is published before anything is signed with
	// it, because others keep the published keys for a while.
	Lead = time.Hour
	// Trail is how long a key stays published after the next one took over.
	Trail = 24 * time.Hour

	keyring  = "issuer"         // whose data key seals them
	again    = 30 * time.Second // how long the keys of the database are believed
	longest  = 15 * time.Minute // life of a token
	keyBits  = 2048
	maxParts = 50 // session tags, as AWS takes them
)

// The kinds of event about the issuer.
const (
	EventRotated = "issuer.rotated"
	EventMoved   = "issuer.moved"
)

// Settings keeps a few values of the whole installation.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error) // empty if it was never set
	SetSetting(ctx context.Context, key, value string, events ...access.Event) error
}

// Sealer seals secrets for one place in the database.
type Sealer interface {
	Seal(ctx context.Context, customer string, place secret.Place, text secret.Text) ([]byte, error)
	Open(ctx context.Context, customer string, place secret.Place, sealed []byte) (secret.Text, error)
}

// An Issuer signs tokens. It is safe for concurrent use.
type Issuer struct {
	address  string
	settings Settings
	sealer   Sealer

	mu   sync.Mutex
	keys []key
	read time.Time
}

// New returns the issuer of an installation. It makes keys when it first needs
// them.
func New(settings Settings, sealer Sealer) *Issuer {
	return &Issuer{settings: settings, sealer: sealer}
}

// Move stores the address below which the documents are, such as that of this
// installation, https://jitney.example. Every replica and command goes by it.
func (i *Issuer) Move(ctx context.Context, address string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.address = strings.TrimRight(address, "/")
	was, err := i.settings.Setting(ctx, SettingAddress)
	if err != nil || was == i.address {
		return err
	}
	var events []access.Event
	if was != "" { // what trusted the issuer at its old address does not any more
		events = append(events, access.Event{At: time.Now().UTC(), Kind: EventMoved, Actor: "jitney", Subject: i.address,
			Text: "The OpenID Connect issuer was at " + was + " and is at " + i.address + " now."})
	}
	return i.settings.SetSetting(ctx, SettingAddress, i.address, events...)
}

// stored is a key as the database has it.
type stored struct {
	ID     string    `json:"kid"`
	From   time.Time `json:"from"`
	Sealed []byte    `json:"sealed"`
}

type key struct {
	stored
	private *rsa.PrivateKey
}

func place(id string) secret.Place {
	return secret.Place{Table: "settings", Row: Setting, Column: id}
}

// Claims are what a token says.
type Claims struct {
	Audience, Subject string
	SourceIdentity    string            // may be empty
	Tags              map[string]string // session tags; may be empty
	Lifetime          time.Duration     // at most 15 minutes
}

// Address is the issuer's name in tokens; AWS wants https, no port, and calls
// the documents below it.
func (i *Issuer) Address(ctx context.Context) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.address != "" {
		return i.address, nil
	}
	address, err := i.settings.Setting(ctx, SettingAddress)
	switch {
	case err != nil:
		return "", err
	case address == "":
		return "", &access.Error{Kind: access.Invalid, Text: "Jitney does not know its own address yet, which its tokens must name.", Hint: "Start the server once."}
	}
	i.address = address
	return address, nil
}

// Fit reports what about an address AWS would not take; nil if nothing.
func Fit(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Port() != "" || u.RawQuery != "" || len(address) > 255 {
		return &access.Error{Kind: access.Invalid, Text: "AWS takes tokens only from an issuer with an https address without a port, and this installation is at " + address + ".",
			Hint: "Start the server with --base-url https://…, or publish the two documents elsewhere (\"jitney issuer export\") and name that address with --issuer."}
	}
	return nil
}

// Mint signs a token. What it says is bounded by who reads it, not here.
func (i *Issuer) Mint(ctx context.Context, c Claims) (secret.Text, error) {
	now := time.Now().UTC()
	all, err := i.all(ctx)
	if err != nil {
		return secret.Text{}, err
	}
	address, err := i.Address(ctx)
	if err != nil {
		return secret.Text{}, err
	}
	if c.Audience == "" || c.Subject == "" || len(c.Tags) > maxParts {
		return secret.Text{}, errors.New("a token needs an audience and a subject, and takes few tags")
	}
	claims := jwt.MapClaims{"iss": address, "aud": c.Audience, "sub": c.Subject, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(min(max(c.Lifetime, time.Minute), longest)).Unix()}
	if c.SourceIdentity != "" {
		claims["https://aws.amazon.com/source_identity"] = c.SourceIdentity
	}
	if len(c.Tags) > 0 {
		tags := map[string][]string{}
		for name, value := range c.Tags {
			tags[name] = []string{value}
		}
		claims["https://aws.amazon.com/tags"] = map[string]any{"principal_tags": tags}
	}
	signing := all[0]
	for _, k := range all { // the newest that was published long enough; the first of all may sign at once
		if !k.From.After(now) {
			signing = k
		}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = signing.ID
	text, err := token.SignedString(signing.private)
	if err != nil {
		return secret.Text{}, errors.New("sign token failed") // the library's text could hold parts of the claims
	}
	return secret.New(text), nil
}

// Documents are the two documents of an issuer, by their path below its
// address.
func (i *Issuer) Documents(ctx context.Context) (map[string][]byte, error) {
	all, err := i.all(ctx)
	if err != nil {
		return nil, err
	}
	address, err := i.Address(ctx)
	if err != nil {
		return nil, err
	}
	type jwk struct {
		Type string `json:"kty"`
		Use  string `json:"use"`
		Alg  string `json:"alg"`
		ID   string `json:"kid"`
		N    string `json:"n"`
		E    string `json:"e"`
	}
	keys := []jwk{}
	for _, k := range all {
		b64 := base64.RawURLEncoding.EncodeToString
		keys = append(keys, jwk{"RSA", "sig", "RS256", k.ID, b64(k.private.N.Bytes()), b64(big.NewInt(int64(k.private.E)).Bytes())})
	}
	jwks, err := json.MarshalIndent(map[string]any{"keys": keys}, "", "  ")
	if err != nil {
		return nil, err
	}
	discovery, err := json.MarshalIndent(map[string]any{
		"issuer": address, "jwks_uri": address + JWKS, "response_types_supported": []string{"id_token"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"claims_supported": []string{"iss", "aud", "sub", "iat", "nbf", "exp", "jti"},
	}, "", "  ")
	return map[string][]byte{Discovery: discovery, JWKS: jwks}, err
}

// The paths of the documents.
const (
	Discovery = "/.well-known/openid-configuration"
	JWKS      = "/.well-known/jwks.json"
)

// Rotate makes a new key. It is published at once and signs after [Lead]; keys
// that were replaced more than [Trail] ago are forgotten.
func (i *Issuer) Rotate(ctx context.Context, actor string) error {
	if _, err := i.all(ctx); err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now().UTC()
	kept := i.keys[:0:0]
	for n, k := range i.keys {
		if n+1 < len(i.keys) && i.keys[n+1].From.Add(Trail).Before(now) {
			continue
		}
		kept = append(kept, k)
	}
	return i.add(ctx, kept, now.Add(Lead), actor, "Made a new key of the OpenID Connect issuer; it signs in an hour.")
}

// all reads the keys, the oldest first, and makes one if there is none.
func (i *Issuer) all(ctx context.Context) ([]key, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.keys) > 0 && time.Since(i.read) < again {
		return i.keys, nil
	}
	if err := i.reread(ctx); err != nil || len(i.keys) > 0 {
		return i.keys, err
	}
	err := i.add(ctx, nil, time.Now().UTC(), "jitney", "Made the first key of the OpenID Connect issuer.")
	return i.keys, err
}

// reread takes what the database has. i.mu is held.
func (i *Issuer) reread(ctx context.Context) error {
	text, err := i.settings.Setting(ctx, Setting)
	if err != nil {
		return fmt.Errorf("read the keys of the issuer: %w", err)
	}
	var rows []stored
	if text != "" {
		if err := json.Unmarshal([]byte(text), &rows); err != nil {
			return fmt.Errorf("read the keys of the issuer: %w", err)
		}
	}
	var keys []key
	for _, row := range rows {
		opened, err := i.sealer.Open(ctx, keyring, place(row.ID), row.Sealed)
		if err != nil {
			return fmt.Errorf("open key %s of the issuer: %w", row.ID, err)
		}
		der, err := base64.StdEncoding.DecodeString(opened.Reveal())
		if err != nil {
			return fmt.Errorf("open key %s of the issuer: it is not as it was sealed", row.ID)
		}
		private, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			return fmt.Errorf("open key %s of the issuer: it is no key", row.ID)
		}
		keys = append(keys, key{row, private})
	}
	i.keys, i.read = keys, time.Now()
	return nil
}

// add makes a key after those in kept, and stores them all. What is stored is
// read back, because another replica may have been later. i.mu is held.
func (i *Issuer) add(ctx context.Context, kept []key, from time.Time, actor, text string) error {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return fmt.Errorf("make key of the issuer: %w", err)
	}
	n := stored{ID: strings.ToLower(rand.Text()), From: from}
	der := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(private))
	if n.Sealed, err = i.sealer.Seal(ctx, keyring, place(n.ID), secret.New(der)); err != nil {
		return fmt.Errorf("seal key of the issuer: %w", err)
	}
	rows := []stored{}
	for _, k := range kept {
		rows = append(rows, k.stored)
	}
	value, err := json.Marshal(append(rows, n))
	if err != nil {
		return err
	}
	e := access.Event{At: time.Now().UTC(), Kind: EventRotated, Actor: actor, Subject: n.ID, Text: text}
	if err := i.settings.SetSetting(ctx, Setting, string(value), e); err != nil {
		return fmt.Errorf("store key of the issuer: %w", err)
	}
	return i.reread(ctx)
}
