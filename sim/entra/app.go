package entra

import (
	"crypto/x509"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/secret"
)

// AppSecret is a client secret.
type AppSecret struct {
	Value   secret.Text
	Expires time.Time // zero is never
}

// AppSpec says what app to register.
type AppSpec struct {
	ID   string // client id, a GUID; drawn if empty
	Name string
	// Home is the tenant it is registered in, if that matters. Single keeps all others from using it.
	Home   *Tenant
	Single bool
	// Secrets and Certificates are how it proves who it is.
	Secrets      []AppSecret
	Certificates []*x509.Certificate
	// Permissions are the application permissions that the consent page asks for.
	Permissions []string
	// RedirectURIs are where the consent page may send the browser; empty allows every loopback address.
	RedirectURIs []string
}

// App is a registered app. Its methods may be called from many goroutines.
type App struct {
	ID, Name string
	Single   bool
	Home     *Tenant

	mu           sync.Mutex // guards what follows
	secrets      []AppSecret
	certificates []*x509.Certificate
	permissions  []string
	redirects    []string
}

func newApp(s AppSpec, dice *rand.Rand) *App {
	a := &App{
		ID: strings.ToLower(s.ID), Name: s.Name, Single: s.Single, Home: s.Home, secrets: s.Secrets, certificates: s.Certificates,
		permissions: s.Permissions, redirects: s.RedirectURIs,
	}
	if a.ID == "" {
		a.ID = guid(dice)
	}
	if a.Name == "" {
		a.Name = "App " + a.ID[:8]
	}
	return a
}

// Secrets are the app's client secrets.
func (a *App) Secrets() []AppSecret {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.secrets)
}

// SetSecrets replaces the client secrets.
func (a *App) SetSecrets(s ...AppSecret) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secrets = s
}

// Certificates are what the app may sign its assertions with.
func (a *App) Certificates() []*x509.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.certificates)
}

// SetCertificates replaces the certificates.
func (a *App) SetCertificates(c ...*x509.Certificate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.certificates = c
}

// Permissions are what the consent page asks for.
func (a *App) Permissions() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.permissions)
}

// SetPermissions changes what the consent page asks for.
func (a *App) SetPermissions(p ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.permissions = p
}

// RedirectURIs are where the consent page may send the browser; empty allows every loopback address.
func (a *App) RedirectURIs() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.redirects)
}

// A principal is an app in one tenant, with what the tenant allows it.
type principal struct {
	id          string // object id
	app         *App
	permissions []permission
	disabled    bool
	created     time.Time
}

type permission struct {
	id, name string // of the app role assignment; User.Read.All and the like
	at       time.Time
}

// Principal is an app's service principal in a tenant, as it was when asked for.
type Principal struct {
	ID          string // object id
	AppID, Name string
	Permissions []string // granted, in the order of granting
	Disabled    bool
}

// Consent lets an app into the tenant and grants it application permissions; without any, those that its registration
// asks for. What it had before stays.
func (t *Tenant) Consent(a *App, permissions ...string) Principal {
	if len(permissions) == 0 {
		permissions = a.Permissions()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.cloud.Now()
	p := t.principals[a.ID]
	if p == nil {
		p = &principal{id: guid(t.dice), app: a, created: now}
		t.principals[a.ID] = p
	}
	for _, name := range permissions {
		if !slices.ContainsFunc(p.permissions, func(x permission) bool { return x.name == name }) {
			p.permissions = append(p.permissions, permission{id: guid(t.dice), name: name, at: now})
		}
	}
	t.writes++
	return p.show()
}

// Withdraw throws an app out of the tenant: its service principal, its permissions and its directory roles are gone.
func (t *Tenant) Withdraw(a *App) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.cloud.Now()
	if p := t.principals[a.ID]; p != nil {
		delete(t.principals, a.ID)
		for _, as := range t.held(p.id, authority, now) {
			t.putAssignment(as.id, nil, authority, now)
		}
		t.writes++
	}
}

// Revoke takes permissions from an app, which keeps the tokens that it has.
func (t *Tenant) Revoke(a *App, permissions ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.principals[a.ID]; p != nil {
		p.permissions = slices.DeleteFunc(p.permissions, func(x permission) bool { return slices.Contains(permissions, x.name) })
		t.writes++
	}
}

// SetDisabled bars an app from signing in to the tenant, or lets it.
func (t *Tenant) SetDisabled(a *App, disabled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.principals[a.ID]; p != nil {
		p.disabled = disabled
	}
}

// AppRole gives an app's service principal a directory role by its template id, in effect at once.
func (t *Tenant) AppRole(a *App, role string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.principals[a.ID]; p != nil {
		t.assign(assignment{principal: p.id, role: role, scope: "/"}, authority, t.cloud.Now(), true)
	}
}

// Principal is an app's service principal; false if the tenant did not let it in.
func (t *Tenant) Principal(appID string) (Principal, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.principals[strings.ToLower(appID)]
	if p == nil {
		return Principal{}, false
	}
	return p.show(), true
}

func (p *principal) show() Principal {
	s := Principal{ID: p.id, AppID: p.app.ID, Name: p.app.Name, Disabled: p.disabled}
	for _, x := range p.permissions {
		s.Permissions = append(s.Permissions, x.name)
	}
	return s
}
