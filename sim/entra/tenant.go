package entra

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Licence is what a tenant has paid for.
type Licence int

// The licences that make a difference here.
const (
	Free Licence = iota
	P1           // sign-in logs, conditional access
	P2           // and PIM
)

// Size is a tenant's class for quotas.
type Size int

// The sizes: up to 50 users, up to 500, more.
const (
	Small Size = iota
	Medium
	Large
)

// Domain is one domain name of a tenant.
type Domain struct {
	Name       string
	Initial    bool // the *.onmicrosoft.com one
	Default    bool
	Federated  bool
	Unverified bool
}

// TAPPolicy is the tenant's policy for Temporary Access Passes. Times are minutes.
type TAPPolicy struct {
	Off               bool
	Min, Max, Default int
	Length            int
	Once              bool
	Groups            []string // if not empty, only these groups are in scope; nobody here is in a group
}

// DefaultTAPPolicy is what a new tenant has once the method is on.
func DefaultTAPPolicy() TAPPolicy {
	return TAPPolicy{Min: 60, Max: 480, Default: 60, Length: 8}
}

// AccessPolicy is a conditional access policy, as far as it matters here.
type AccessPolicy struct {
	Name string
	// State is enabled, disabled or enabledForReportingButNotEnforced; default enabled.
	State string
	// Roles are the role templates it covers; empty is all users.
	Roles []string
	// Apps are the client ids it covers; empty is All.
	Apps []string
	// MFA demands any second factor. PhishingResistant demands what a Temporary Access Pass is not. Block lets nobody in.
	MFA, PhishingResistant, Block bool
}

// Relationship is a GDAP relationship or a reseller contract with a customer, in a partner's tenant.
type Relationship struct {
	Customer string // the customer's tenant id
	Name     string
	Domain   string // its default domain name
	Status   string // default active
	Until    time.Time
	Roles    []string // role templates
}

// TenantSpec says what tenant to add. Everything has a default.
type TenantSpec struct {
	ID      string // a GUID
	Name    string
	Domains []Domain // default: the name's letters and .onmicrosoft.com
	Licence Licence
	Size    Size
	// SecurityDefaults are on.
	SecurityDefaults bool
	// TAP is nil for DefaultTAPPolicy.
	TAP *TAPPolicy
	// Access are the conditional access policies.
	Access []AccessPolicy
	// Relationships make it a partner's tenant.
	Relationships []Relationship
	// Quota is how many objects it may hold, those in the bin too; default 50,000.
	Quota int
}

// Tenant is one Entra tenant. Its methods may be called from many goroutines.
type Tenant struct {
	ID, Name string
	size     Size
	quota    int

	mu sync.Mutex // guards everything below
	store
	licence     Licence
	turn        int // of RoundRobin
	domains     []Domain
	created     time.Time
	secDefaults bool
	tapPolicy   TAPPolicy
	access      []AccessPolicy
	relations   []Relationship
	requests    table[pimRequest]
	principals  map[string]*principal // by client id
	rules       map[string]*pimRules  // by role template id
	units       table[unit]
	hooks       map[string]object // subscriptions
	signIns     []logged[object]
	purgeStop   map[string]time.Time // users that may not be purged before
}

// A store is what a tenant holds, with the past that its replicas still show: users, roles, passes, and the log of what
// was done. Tenant.mu guards it.
type store struct {
	cloud       *Cloud
	dice        *rand.Rand
	writes      int // so far
	users       table[user]
	names       map[string][]string // lower-case UPN to the ids of all users that ever bore it
	assignments table[assignment]
	holds       map[string][]string // principal to the ids of its assignments
	passes      table[pass]
	roles       map[string]string // role template id to the directoryRole's object id, for activated roles
	custom      []roleDefinition
	audits      []logged[object]
	secrets     []string             // every password and pass so far; what the journal must never hold
	timed       map[string]time.Time // what happens by itself, by id
	due         time.Time            // the earliest of timed
}

func newTenant(c *Cloud, s TenantSpec, n int) *Tenant {
	if s.Name == "" {
		s.Name = fmt.Sprintf("Tenant %d", n+1)
	}
	t := &Tenant{
		ID: strings.ToLower(s.ID), Name: s.Name, licence: s.Licence, size: s.Size, quota: s.Quota, created: c.Now(), secDefaults: s.SecurityDefaults,
		tapPolicy: DefaultTAPPolicy(), access: s.Access, relations: s.Relationships, domains: s.Domains, principals: map[string]*principal{},
		rules: map[string]*pimRules{}, hooks: map[string]object{}, purgeStop: map[string]time.Time{},
		store: store{
			cloud: c, dice: rand.New(rand.NewPCG(c.opt.Seed, uint64(n)+100)), names: map[string][]string{}, holds: map[string][]string{},
			roles: map[string]string{}, timed: map[string]time.Time{},
		},
	}
	if t.ID == "" {
		t.ID = guid(t.dice)
	}
	if t.quota == 0 {
		t.quota = 50_000
	}
	if s.TAP != nil {
		t.tapPolicy = *s.TAP
	}
	if len(t.domains) == 0 {
		t.domains = []Domain{{Name: label(s.Name) + ".onmicrosoft.com", Initial: true, Default: true}}
	}
	t.roles[GlobalAdministrator] = guid(t.dice)
	return t
}

// label is the letters and digits of a name, in lower case.
func label(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// InitialDomain is the tenant's *.onmicrosoft.com name, or its first one.
func (t *Tenant) InitialDomain() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.domains {
		if d.Initial {
			return d.Name
		}
	}
	return t.domains[0].Name
}

// SetLicence changes what the tenant has paid for.
func (t *Tenant) SetLicence(l Licence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.licence = l
}

// SetTAPPolicy changes the policy for Temporary Access Passes.
func (t *Tenant) SetTAPPolicy(p TAPPolicy) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tapPolicy = p
}

// TAPPolicy is the policy for Temporary Access Passes.
func (t *Tenant) TAPPolicy() TAPPolicy {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tapPolicy
}

// SecurityDefaults reports whether security defaults are on.
func (t *Tenant) SecurityDefaults() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.secDefaults
}

// Access are the conditional access policies.
func (t *Tenant) Access() []AccessPolicy {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]AccessPolicy(nil), t.access...)
}

// guid draws an id that looks like Microsoft's.
func guid(dice *rand.Rand) string {
	a, b := dice.Uint64(), dice.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a>>32), uint16(a>>16), a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}
