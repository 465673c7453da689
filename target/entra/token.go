package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// tokens gets access tokens for one Entra tenant and app. azidentity keeps
// them; this renews its credential object when a token is known to be stale,
// because a permission that was given back shows only in the next one.
type tokens struct {
	make  func() (azcore.TokenCredential, error)
	scope string
	turn  chan struct{} // held by the one who asks: azidentity's own lock heeds no ctx

	mu   sync.Mutex
	cred azcore.TokenCredential
	made time.Time
	last string
}

// newTokens prepares the credential of s. Tokens are never shared between
// Entra tenants.
func newTokens(s *settings, transport policy.Transporter) *tokens {
	options := azcore.ClientOptions{
		Cloud:     azcloud.Configuration{ActiveDirectoryAuthorityHost: s.cloud.authority},
		Transport: transport,
		Retry:     policy.RetryOptions{MaxRetries: 1, RetryDelay: 300 * time.Millisecond, MaxRetryDelay: 2 * time.Second, TryTimeout: tryTimeout},
		Telemetry: policy.TelemetryOptions{Disabled: true},
	}
	// The authorities are ours or the owner's, so nobody else needs to be
	// asked whether they are trustworthy.
	resource := s.cloud.graph
	if s.other { // a proxy in front of the usual one, or a simulation of it
		resource = clouds()[0].graph
	}
	return &tokens{scope: resource + "/.default", turn: make(chan struct{}, 1), make: func() (azcore.TokenCredential, error) {
		if s.key != nil {
			return azidentity.NewClientCertificateCredential(s.tenant, s.app, s.certs, s.key,
				&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
		}
		return azidentity.NewClientSecretCredential(s.tenant, s.app, s.secret.Reveal(),
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	}}
}

// get returns a token that is good for some minutes at least. Claims are what
// Graph's challenge asked for; with them the token is a new one.
func (t *tokens) get(ctx context.Context, claims string) (string, error) {
	t.mu.Lock()
	if t.cred == nil {
		cred, err := t.make()
		if err != nil {
			t.mu.Unlock()
			return "", invalid("The certificate or client secret of the app cannot be used.", "Enter it again in the target's settings.")
		}
		t.cred, t.made = cred, time.Now()
	}
	cred := t.cred
	t.mu.Unlock()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	got, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{t.scope}, Claims: claims, EnableCAE: true})
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	t.last = got.Token
	t.mu.Unlock()
	return got.Token, nil
}

// renew makes the next token a new one, unless this one is younger than age.
func (t *tokens) renew(age time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.made) >= age {
		t.cred = nil
	}
}

// claims are what a token says of itself. Nobody but Graph checks its
// signature: here they serve diagnosis only.
type claims struct {
	Roles  []string `json:"roles"` // the application permissions that were consented
	Tenant string   `json:"tid"`
	App    string   `json:"appid"`
	Object string   `json:"oid"` // of the app's service principal
}

// claims reads the last token; ok is false if there is none that can be read.
func (t *tokens) claims() (c claims, ok bool) {
	t.mu.Lock()
	token := t.last
	t.mu.Unlock()
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > 64<<10 {
		return c, false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(b, &c) != nil {
		return claims{}, false
	}
	return c, true
}

// hidden are the secrets that no error may repeat.
func (t *tokens) hidden(s *settings) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return []string{t.last, s.secret.Reveal()}
}

// String keeps the token out of anything that prints.
func (t *tokens) String() string { return fmt.Sprintf("tokens for %s", t.scope) }
