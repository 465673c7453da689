package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

// memory keeps what a store would, so that the real brokers run in these tests.
type memory struct {
	mu          sync.Mutex
	grants      []access.Grant // oldest first
	accounts    map[string]access.Account
	credentials map[string]access.Credential
	offers      map[string]access.Offer
	people      map[string]access.Person
	customers   map[string]access.Customer
	targets     map[string]access.Target
	secrets     map[string]map[string][]byte
	policies    map[string]access.Policy
	settings    map[string]string
	records     []access.Record // oldest first
	works       []access.Work
	tickets     []access.DeskTicket
	notes       []access.DeskNote
	tampered    bool
	issued      []access.Session // newest first
	limits      []access.Limit
	banks       map[string]*fake.Bank
	pulses      int // that were read
}

func newMemory() *memory {
	return &memory{accounts: map[string]access.Account{}, credentials: map[string]access.Credential{}, offers: map[string]access.Offer{},
		people: map[string]access.Person{}, customers: map[string]access.Customer{}, targets: map[string]access.Target{},
		secrets: map[string]map[string][]byte{}, policies: map[string]access.Policy{"default": access.DefaultPolicy()}, settings: map[string]string{}}
}

func (m *memory) write(events ...access.Event) {
	for _, e := range events {
		m.records = append(m.records, access.Record{ID: strings.ToLower(rand.Text()), Event: e, Seq: int64(len(m.records))})
	}
}

// find reads one thing of a map, or says that there is none.
func find[T any](m *memory, from map[string]T, id string) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := from[id]
	if !ok {
		return t, &access.Error{Kind: access.NotFound, Text: "No such thing."}
	}
	return t, nil
}

// put stores one thing if its version is still the stored one.
func put[T any](m *memory, into map[string]T, id string, v *int64, t *T, version func(T) int64, events []access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := into[id]; ok && version(old) != *v {
		return &access.Error{Kind: access.Conflict, Text: "Somebody else changed this meanwhile.", Hint: "Load the page again."}
	}
	*v++
	into[id] = *t
	m.write(events...)
	return nil
}

type memGrants struct{ *memory }

func (m memGrants) Create(_ context.Context, n access.NewGrant) (access.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.accounts {
		if a.Target == n.Account.Target && a.Key == n.Account.Key {
			n.Grant.Account = a.ID
		}
	}
	if _, ok := m.accounts[n.Grant.Account]; !ok {
		m.accounts[n.Account.ID] = n.Account
	}
	if o, ok := m.offers[n.Offer]; ok {
		m.credentials[n.Grant.Account] = access.Credential{Account: n.Grant.Account, Seq: 1, Place: "offer:" + o.Person + ":" + o.ID,
			Sealed: o.Sealed, Recipient: o.Person, Retain: true, CreatedAt: n.Grant.SubmittedAt}
	} else if n.Offer != "" {
		return access.Grant{}, &access.Error{Kind: access.NotFound, Text: "No such offer."}
	}
	n.Grant.Version = 1
	m.grants = append(m.grants, n.Grant)
	m.write(n.Events...)
	return n.Grant, nil
}

func (m memGrants) Grant(_ context.Context, id string) (access.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.grants {
		if g.ID == id {
			return g, nil
		}
	}
	return access.Grant{}, &access.Error{Kind: access.NotFound, Text: "No such grant."}
}

func (m memGrants) Update(_ context.Context, id string, fn func(*access.Grant) ([]access.Event, error)) (access.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.grants {
		if m.grants[i].ID != id {
			continue
		}
		g := m.grants[i]
		events, err := fn(&g)
		if err != nil {
			return access.Grant{}, err
		}
		g.Version++
		m.grants[i] = g
		m.write(events...)
		return g, nil
	}
	return access.Grant{}, &access.Error{Kind: access.NotFound, Text: "No such grant."}
}

func fits(g access.Grant, q access.GrantQuery) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	text := strings.ToLower(g.Reason + g.Ticket.Number + g.Ticket.Title)
	return (q.Customers == nil || slices.Contains(q.Customers, g.Customer)) && is(q.Customer, g.Customer) && is(q.Target, g.Target) &&
		is(q.Requester, g.Requester) && (is(q.Ticket, g.Ticket.Number) || q.Ticket == g.Ticket.ID) && is(q.Policy, g.Policy) &&
		strings.Contains(text, strings.ToLower(q.Text)) && (q.From.IsZero() || !g.SubmittedAt.Before(q.From)) &&
		(q.To.IsZero() || g.SubmittedAt.Before(q.To)) && (!q.Open || g.EndedAt.IsZero()) &&
		(len(q.States) == 0 || slices.Contains(q.States, g.State(q.Now)))
}

func (m memGrants) Find(_ context.Context, q access.GrantQuery) ([]access.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.grants)
	slices.SortFunc(all, func(a, b access.Grant) int { return a.SubmittedAt.Compare(b.SubmittedAt) })
	if !q.Oldest {
		slices.Reverse(all)
	}
	if i := slices.IndexFunc(all, func(g access.Grant) bool { return g.ID == q.After }); i >= 0 {
		all = all[i+1:]
	}
	all = slices.DeleteFunc(all, func(g access.Grant) bool { return !fits(g, q) })
	return all[:min(len(all), cmp.Or(q.Limit, 100))], nil
}

func (m memGrants) Case(_ context.Context, id string) (access.Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := access.Case{Account: m.accounts[id], Credential: m.credentials[id]}
	c.Account.Issued = nil
	for _, s := range m.issued {
		if s.Account == id {
			c.Account.Issued = append(c.Account.Issued, access.Issued{Entitlement: s.Entitlement, Count: 1, EndsAt: s.EndsAt, ExpiresAt: s.ExpiresAt})
		}
	}
	for _, g := range m.grants {
		if g.Account == id && g.EndedAt.IsZero() {
			c.Grants = append(c.Grants, g)
		}
	}
	return c, nil
}

func (m memGrants) Pulse(_ context.Context, id string) (access.Pulse, error) {
	g, err := m.Grant(context.Background(), id)
	if err != nil {
		return access.Pulse{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pulses++
	records := 0
	for _, r := range m.records {
		if r.Grant == id {
			records++
		}
	}
	c, p := m.credentials[g.Account], access.Pulse{}
	p.Mark = fmt.Sprint(g.Version, m.accounts[g.Account].Version, c.Seq, c.SetAt.UnixMicro(), c.RevealedAt.UnixMicro(), records)
	if g.State(time.Now()) == access.Overdue {
		p.Attempts, p.LastError, p.NextTry = 7, "dial tcp 192.0.2.4:636: i/o timeout", time.Now().Add(20*time.Second)
	}
	return p, nil
}

type memCredentials struct{ *memory }

func (m memCredentials) Credential(_ context.Context, account string) (access.Credential, error) {
	return find(m.memory, m.credentials, account)
}

func (m memCredentials) Replace(_ context.Context, c access.Credential, events ...access.Event) (access.Credential, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.Seq = m.credentials[c.Account].Seq + 1
	m.credentials[c.Account] = c
	m.write(events...)
	return c, nil
}

func (m memCredentials) Take(_ context.Context, account string, seq int64, events ...access.Event) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.credentials[account]
	if c.Seq != seq || c.Sealed == nil || !c.RevealedAt.IsZero() && !c.Retain {
		return nil, &access.Error{Kind: access.Conflict, Text: "The password was shown already.", Hint: "Make a new password."}
	}
	sealed := c.Sealed
	c.RevealedAt = time.Now()
	if !c.Retain {
		c.Sealed = nil
	}
	m.credentials[account] = c
	m.write(events...)
	return sealed, nil
}

func (m memCredentials) PutOffer(_ context.Context, o access.Offer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offers[o.ID] = o
	return nil
}

type memPeople struct{ *memory }

func (m memPeople) Person(_ context.Context, id string) (access.Person, error) {
	return find(m.memory, m.people, id)
}

func (m memPeople) People(context.Context) (out []access.Person, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.people {
		out = append(out, p)
	}
	return out, nil
}

func (m memPeople) SavePerson(_ context.Context, p access.Person, events ...access.Event) (access.Person, error) {
	err := put(m.memory, m.people, p.ID, &p.Version, &p, func(o access.Person) int64 { return o.Version }, events)
	return p, err
}

func (m memPeople) SavePersonIf(ctx context.Context, p access.Person, allowed func([]access.Person) error, events ...access.Event) (access.Person, error) {
	all, err := m.People(ctx)
	if err != nil {
		return p, err
	}
	all = append(slices.DeleteFunc(all, func(o access.Person) bool { return o.ID == p.ID }), p)
	if err := allowed(all); err != nil {
		return p, err
	}
	return m.SavePerson(ctx, p, events...)
}

type memPlaces struct{ *memory }

func (m memPlaces) Customer(_ context.Context, id string) (access.Customer, error) {
	return find(m.memory, m.customers, id)
}

func (m memPlaces) Customers(context.Context) (out []access.Customer, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.customers {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b access.Customer) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (m memPlaces) CustomersNamed(ctx context.Context, name string) ([]access.Customer, error) {
	all, err := m.Customers(ctx)
	return slices.DeleteFunc(all, func(c access.Customer) bool { return c.ID != name && !strings.EqualFold(c.Name, name) }), err
}

func (m memPlaces) SaveCustomer(_ context.Context, c access.Customer, events ...access.Event) (access.Customer, error) {
	err := put(m.memory, m.customers, c.ID, &c.Version, &c, func(o access.Customer) int64 { return o.Version }, events)
	return c, err
}

func (m memPlaces) Target(_ context.Context, id string) (access.Target, error) {
	return find(m.memory, m.targets, id)
}

func (m memPlaces) Targets(_ context.Context, customer string) (out []access.Target, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.targets {
		if customer == "" || t.Customer == customer {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b access.Target) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (m memPlaces) SaveTarget(_ context.Context, t access.Target, secrets map[string][]byte, events ...access.Event) (access.Target, error) {
	err := put(m.memory, m.targets, t.ID, &t.Version, &t, func(o access.Target) int64 { return o.Version }, events)
	if err == nil && len(secrets) > 0 {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.secrets[t.ID] = secrets
	}
	return t, err
}

func (m memPlaces) MoveTarget(ctx context.Context, t access.Target, secrets map[string][]byte, events ...access.Event) (access.Target, error) {
	return m.SaveTarget(ctx, t, secrets, events...)
}

func (m memPlaces) TargetSecrets(_ context.Context, id string) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.secrets[id], nil
}

type memRules struct{ *memory }

func (m memRules) Policy(_ context.Context, name string) (access.Policy, error) {
	return find(m.memory, m.policies, name)
}

func (m memRules) Policies(context.Context) (out []access.Policy, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.policies {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b access.Policy) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (m memRules) SavePolicy(_ context.Context, p access.Policy, events ...access.Event) (access.Policy, error) {
	err := put(m.memory, m.policies, p.Name, &p.Version, &p, func(o access.Policy) int64 { return o.Version }, events)
	return p, err
}

func (m memRules) Setting(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings[key], nil
}

func (m memRules) SetSetting(_ context.Context, key, value string, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settings[key] = value
	m.write(events...)
	return nil
}
