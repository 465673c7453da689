// Package entra is a simulated Microsoft Entra with Microsoft Graph, inside the process: tenants with users, roles,
// Temporary Access Passes, a bin and several replicas that learn of changes late, apps with consent, tokens, and faults on
// demand. It serves the demonstration and the tests. It never stands in for the real service: nothing is kept on disk,
// only what temporary administrators touch is there, and what could not be verified against Microsoft is a Switch.
package entra

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Cloud is all of the simulated service: every tenant, every app. Its methods may be called from many goroutines.
// It has no sockets and no goroutines of its own; its clock is time.Now and the skew.
type Cloud struct {
	opt  Options
	mux  *http.ServeMux
	id   *identity // tokens, sign-ins, consent pages: identity.go
	skew atomic.Int64

	mu      sync.RWMutex // guards the maps and dice, not what they point to
	tenants map[string]*Tenant
	byName  map[string]*Tenant // domain names in lower case
	order   []*Tenant
	apps    map[string]*App
	dice    *rand.Rand

	faults  faults
	journal journal
	quotas  quotas
}

// New returns a cloud with no tenants and no apps.
func New(o Options) *Cloud {
	o.defaults()
	c := &Cloud{
		opt: o, mux: http.NewServeMux(), tenants: map[string]*Tenant{}, byName: map[string]*Tenant{}, apps: map[string]*App{},
		dice: rand.New(rand.NewPCG(o.Seed, 1)),
	}
	c.faults.dice = rand.New(rand.NewPCG(o.Seed, 2))
	c.journal.limit = o.Journal
	c.quotas.limits = o.Quotas
	c.id = newIdentity(c)
	registerGraph(c)
	registerAdmin(c)
	c.registerIdentity(c.mux)
	return c
}

// Now is the cloud's clock: time.Now and the skew, UTC.
func (c *Cloud) Now() time.Time { return time.Now().Add(time.Duration(c.skew.Load())).UTC() }

// SetSkew makes the cloud's clock run ahead of the caller's by d, or behind it.
func (c *Cloud) SetSkew(d time.Duration) { c.skew.Store(int64(d)) }

// handle routes a pattern of [http.ServeMux] to h. Everything so routed passes faults and journal.
func (c *Cloud) handle(pattern string, h http.HandlerFunc) { c.mux.HandleFunc(pattern, h) }

// AddTenant adds an Entra tenant. It panics if the id or a domain is taken already, which is a mistake in the caller.
func (c *Cloud) AddTenant(s TenantSpec) *Tenant {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := newTenant(c, s, len(c.order))
	names := []string{}
	for _, d := range t.domains {
		names = append(names, strings.ToLower(d.Name))
	}
	if c.tenants[t.ID] != nil || slices.ContainsFunc(names, func(n string) bool { return c.byName[n] != nil }) {
		panic(fmt.Sprintf("entra: tenant %s or one of its domains is there already", t.Name))
	}
	c.tenants[t.ID] = t
	for _, n := range names {
		c.byName[n] = t
	}
	c.order = append(c.order, t)
	return t
}

// AddApp registers an app. It panics if its client id is taken.
func (c *Cloud) AddApp(s AppSpec) *App {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := newApp(s, c.dice)
	if c.apps[a.ID] != nil {
		panic("entra: app " + a.ID + " is there already")
	}
	c.apps[a.ID] = a
	return a
}

// Tenant finds a tenant by its id or by one of its domain names; nil if there is none.
func (c *Cloud) Tenant(name string) *Tenant {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if t := c.tenants[strings.ToLower(name)]; t != nil {
		return t
	}
	return c.byName[strings.ToLower(name)]
}

// Tenants are all tenants, oldest first.
func (c *Cloud) Tenants() []*Tenant {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.order)
}

// App finds an app by its client id; nil if there is none.
func (c *Cloud) App(id string) *App {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.apps[strings.ToLower(id)]
}

// Breaches are the exchanges so far that Options.Check found fault with.
func (c *Cloud) Breaches() []error {
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	return slices.Clone(c.journal.breaches)
}

// errLost is how a connection that breaks off looks to the client of Transport.
var errLost = errors.New("entra: connection reset by the simulation")
