package entra

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"jitney/access"
	"jitney/secret"
	"jitney/sim/entra"
	"jitney/sim/entra/contract"
	"jitney/target"
	"jitney/target/targettest"
)

// A world is a simulated cloud with one Entra tenant, whose every exchange is
// held to the contract.
type world struct {
	cloud  *entra.Cloud
	tenant *entra.Tenant
	app    *entra.App
	other  *entra.App // the customer's administrator, who can do anything
	pace   pace
	values map[string]string
}

type worldSpec struct {
	options entra.Options
	tenant  entra.TenantSpec
	strong  bool // the app holds Privileged Authentication Administrator
	values  map[string]string
	without []string // permissions
}

func newWorld(t *testing.T, s worldSpec) *world {
	t.Helper()
	s.options.Check = contract.Check
	c := entra.New(s.options)
	s.tenant.Name = "Contoso"
	w := &world{cloud: c, tenant: c.AddTenant(s.tenant), pace: usualPace(), values: s.values}
	w.app = c.AddApp(entra.AppSpec{ID: testApp, Name: "Jitney", Secrets: []entra.AppSecret{{Value: secret.New(testSecret)}}})
	w.other = c.AddApp(entra.AppSpec{Name: "Customer's own", Secrets: []entra.AppSecret{{Value: secret.New(testSecret)}}})
	permissions := append(all(), "User-PasswordProfile.ReadWrite.All")
	for _, p := range s.without {
		for i := range permissions {
			if permissions[i] == p {
				permissions = append(permissions[:i], permissions[i+1:]...)
				break
			}
		}
	}
	w.tenant.Consent(w.app, permissions...)
	w.tenant.Consent(w.other, append(all(), "User-PasswordProfile.ReadWrite.All")...)
	w.tenant.AppRole(w.other, entra.GlobalAdministrator)
	if s.strong {
		w.tenant.AppRole(w.app, entra.PrivilegedAuthenticationAdministrator)
	}
	t.Cleanup(func() {
		for _, err := range c.Breaches() {
			t.Errorf("against the contract: %v", err)
		}
	})
	return w
}

// openOver opens the Entra tenant with everything sent through rt.
func (w *world) openOver(t *testing.T, rt http.RoundTripper, app string) *system {
	t.Helper()
	s := testSettings(map[string]string{fieldTenant: w.tenant.ID, fieldApp: app, fieldDomain: ""})
	for k, v := range w.values {
		s.Values[k] = v
	}
	sys, err := kindAt(rt, w.pace).Open(t.Context(), "target", s)
	if err != nil {
		t.Fatal(err)
	}
	return sys.(*system)
}

func (w *world) open(t *testing.T) *system { return w.openOver(t, w.cloud.Transport(), w.app.ID) }

// admin is the customer's administrator, who uses the same calls.
func (w *world) admin(t *testing.T) *system { return w.openOver(t, w.cloud.Transport(), w.other.ID) }

func (w *world) account(*testing.T) access.Account {
	id := strings.ToLower(rand.Text())
	return access.Account{ID: id, Key: "grant-" + id[:6], Holder: access.Holder{Person: "p", Login: "ada.lovelace@msp.example", Name: "Ada Lovelace"}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*access.Error](err); ok {
		t.Fatalf("%s (%s) %s %v", e.Text, e.Hint, e.Kind, e.Err)
	}
	t.Fatal(err)
}

// user is the account of a as it is in truth.
func (w *world) user(t *testing.T, a access.Account) (entra.User, bool) {
	t.Helper()
	if a.ObjectID != "" {
		return w.tenant.User(a.ObjectID)
	}
	return w.tenant.User(alias(a.Holder.Login, a.ID) + "@" + w.tenant.InitialDomain())
}

func (w *world) mustUser(t *testing.T, a access.Account) entra.User {
	t.Helper()
	u, ok := w.user(t, a)
	if !ok {
		t.Fatal("there is no such user")
	}
	return u
}

func (w *world) signIn(_ *testing.T, username string, credential secret.Text) bool {
	if w.values[fieldCredential] == credentialPass {
		u, ok := w.tenant.User(username)
		return ok && u.Enabled && w.tenant.PasswordFits(u.ID, credential.Reveal())
	}
	s, err := w.cloud.SignIn(username, entra.WithPass, credential)
	return err == nil && s != nil
}

// peer is a world of s for each test, as the shared suite wants it.
func peer(s worldSpec) targettest.Peer {
	var mu sync.Mutex
	worlds := map[*testing.T]*world{}
	in := func(t *testing.T) *world { // made inside the test's bubble
		mu.Lock()
		defer mu.Unlock()
		if worlds[t] == nil {
			worlds[t] = newWorld(t, s)
		}
		return worlds[t]
	}
	return targettest.Peer{
		Open:         func(t *testing.T) target.System { return in(t).open(t) },
		Account:      func(t *testing.T) access.Account { return in(t).account(t) },
		Entitlements: []string{GlobalAdmin, rolePrefix + roleID("Global Reader")},
		Once:         true, Virtual: true, Drawn: s.values[fieldCredential] == credentialPass,
		SignIn:   func(t *testing.T, username string, p secret.Text) bool { return in(t).signIn(t, username, p) },
		Meddle:   func(t *testing.T, a access.Account) { in(t).meddle(t, a) },
		TakeAway: func(t *testing.T, a access.Account) { in(t).takeAway(t, a) },
		Squat:    func(t *testing.T, a access.Account) func() bool { return in(t).squat(a) },
		Faulty: func(t *testing.T, n int, f targettest.Fault) (target.System, func() bool) {
			b := &breaker{to: in(t).cloud.Transport(), n: n, fault: f}
			return in(t).openOver(t, b, in(t).app.ID), b.struck
		},
	}
}

func (w *world) meddle(t *testing.T, a access.Account) {
	must(t, w.admin(t).assign(t.Context(), w.mustUser(t, a).ID, roleID("Exchange Administrator")))
}

func (w *world) takeAway(t *testing.T, a access.Account) {
	s := w.admin(t)
	held, _, err := s.assignments(t.Context(), w.mustUser(t, a).ID)
	must(t, err)
	for _, h := range held {
		must(t, s.unassign(t.Context(), h.ID))
	}
}

func (w *world) squat(a access.Account) func() bool {
	id := w.tenant.AddUser(entra.UserSpec{UPN: alias(a.Holder.Login, a.ID) + "@" + w.tenant.InitialDomain(), Name: "The boss", Password: "Her-Own-Password-1"})
	return func() bool {
		u, ok := w.tenant.User(id)
		return ok && u.Enabled && u.Deleted.IsZero() && len(u.Roles) == 0 && u.Passes == 0 && w.tenant.PasswordFits(id, "Her-Own-Password-1")
	}
}

// A breaker spoils the n-th changing request to Graph; later ones do not arrive.
type breaker struct {
	to    http.RoundTripper
	fault targettest.Fault

	mu   sync.Mutex
	n    int
	hit  bool
	seen []string
}

var errCut = errors.New("the connection was cut")

func (b *breaker) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || !strings.HasPrefix(r.URL.Path, version) {
		return b.to.RoundTrip(r)
	}
	b.mu.Lock()
	b.n--
	n := b.n
	b.hit = b.hit || n == 0
	b.seen = append(b.seen, r.Method+" "+r.URL.Path)
	b.mu.Unlock()
	switch {
	case n > 0:
		return b.to.RoundTrip(r)
	case n == 0 && b.fault == targettest.Unanswered:
		if _, err := b.to.RoundTrip(r); err != nil {
			return nil, err
		}
	}
	return nil, errCut
}

func (b *breaker) struck() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hit
}
