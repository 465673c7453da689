package fake

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// Sessions is the name of the kind of practice target from which sessions are
// issued, of two scopes: the entitlements Tenant, and Admin if the setting
// "admin_role" is not empty.
const Sessions = "fake-sessions"

// Tenant is the scope of sessions that are no administrator's.
const Tenant = "tenant"

// A Bank is what stands behind one practice target with sessions. It keeps
// every set of keys that it made, and what was denied.
type Bank struct {
	mu      sync.Mutex
	issued  []target.Keys
	holders []string // accounts, one for each of issued
	denied  map[string]bool
	longest map[string]time.Duration
	trouble error
}

// NewBank makes a Bank whose roles allow an hour.
func NewBank() *Bank {
	return &Bank{denied: map[string]bool{}, longest: map[string]time.Duration{Tenant: time.Hour, Admin: time.Hour}}
}

// Issued lists the keys that were made, the oldest first.
func (b *Bank) Issued() []target.Keys {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]target.Keys(nil), b.issued...)
}

// Denied reports whether the sessions of an account are denied everything.
func (b *Bank) Denied(account string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.denied[account]
}

// Fail has every call fail with err; nil ends that.
func (b *Bank) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = err
}

// SessionKind describes such targets. bank is called once for every System
// that is opened, with the ID of its target.
func SessionKind(bank func(targetID string) *Bank) target.Kind {
	return target.Kind{Name: Sessions, Title: "Practice account", Icon: "cloud", Sessions: true,
		Fields: []target.Field{{Name: "account", Title: "Account ID", Required: true, Place: true}, {Name: "region", Title: "Region", Required: true}, {Name: "external_id", Title: "External ID", Random: true},
			{Name: "admin_role", Title: "Admin role"}, {Name: "endpoint", Title: "Endpoint", Help: "Where consoles open."}},
		Entitlements: func(s target.Settings) []target.Entitlement {
			all := []target.Entitlement{{Name: Tenant, Title: "AWS tenant", Help: "What the tenant owns."}}
			if s.Values["admin_role"] != "" {
				all = append(all, target.Entitlement{Name: Admin, Title: "AWS admin", Help: "The whole account.", Admin: true})
			}
			return all
		},
		AtTheEnd: "Every session is denied everything.",
		Keeps: func(s target.Settings) string {
			if s.Values["edit_role"] != "no" {
				return ""
			}
			return "Each session ends by a limit of its own; nothing ends it sooner."
		},
		Username: func(_ target.Settings, h access.Holder) string { return username("", h) },
		Open: func(_ context.Context, targetID string, s target.Settings) (target.System, error) {
			return &SessionSystem{bank: bank(targetID), settings: s.Values}, nil
		}}
}

// A SessionSystem is a Bank as jitney uses it.
type SessionSystem struct {
	bank     *Bank
	settings map[string]string
}

var (
	_ target.Sessioner = (*SessionSystem)(nil)
	_ target.Limiter   = (*SessionSystem)(nil)
)

// OpenSessions opens a Bank with the settings of a target.
func OpenSessions(b *Bank, settings map[string]string) *SessionSystem {
	return &SessionSystem{bank: b, settings: settings}
}

// Observe shows what is wanted, and what still works of what was issued.
func (s *SessionSystem) Observe(_ context.Context, a access.Account) (access.Observation, error) {
	s.bank.mu.Lock()
	defer s.bank.mu.Unlock()
	o := access.Observation{At: time.Now().UTC(), Username: username("", a.Holder), Entitlements: a.Wanted}
	live := 0
	for i, k := range s.bank.issued {
		if s.bank.holders[i] == a.ID && k.EndsAt.After(o.At) && !s.bank.denied[a.ID] {
			live++
		}
	}
	o.Enabled = len(a.Wanted) > 0 || live > 0
	o.Exists = o.Enabled
	return o, s.bank.trouble
}

// Apply lifts what Remove did; nothing else stands on the target.
func (s *SessionSystem) Apply(_ context.Context, a access.Account, _ access.Want, _ secret.Text) error {
	s.bank.mu.Lock()
	defer s.bank.mu.Unlock()
	delete(s.bank.denied, a.ID)
	return s.bank.trouble
}

// Remove denies the account's sessions everything.
func (s *SessionSystem) Remove(_ context.Context, a access.Account) error {
	s.bank.mu.Lock()
	defer s.bank.mu.Unlock()
	if s.bank.trouble == nil {
		s.bank.denied[a.ID] = true
	}
	return s.bank.trouble
}

// Session makes keys, cut to what the role allows and to the end of the grant.
func (s *SessionSystem) Session(_ context.Context, a access.Account, ask target.SessionAsk) (target.Keys, error) {
	b, now := s.bank, time.Now().UTC()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble != nil {
		return target.Keys{}, b.trouble
	}
	k := target.Keys{ID: "ASIA" + rand.Text()[:16], Secret: secret.New(rand.Text() + "/+" + rand.Text()[:12]), Token: secret.New("IQoJb3JpZ2luX2VjE" + strings.Repeat(rand.Text(), 12) + "=="),
		Account: s.settings["account"], Partition: "aws", Region: cmp.Or(ask.Region, s.settings["region"]), Name: username("", a.Holder) + "-" + ask.Grant[:min(8, len(ask.Grant))]}
	k.ExpiresAt = now.Add(ask.Length)
	if most := b.longest[ask.Entitlement]; most < ask.Length {
		k.ExpiresAt, k.Notices = now.Add(most), []string{"Cut to " + access.Length(most) + ": the role allows no longer session."}
	}
	if k.EndsAt = k.ExpiresAt; ask.Until.Before(k.EndsAt) {
		k.EndsAt = ask.Until
	}
	b.issued, b.holders = append(b.issued, k), append(b.holders, a.ID)
	return k, nil
}

// Console makes an address that holds the ID and a part of the keys' secret.
func (s *SessionSystem) Console(_ context.Context, k target.Keys, to target.Place) (secret.Text, error) {
	q := url.Values{"Action": {"login"}, "Issuer": {to.Issuer}, "Destination": {cmp.Or(to.Destination, "https://console.aws.amazon.com/")}, "SigninToken": {k.ID + k.Secret.Reveal()[:12]}}
	address := cmp.Or(s.settings["endpoint"], "https://signin.aws.amazon.com") + "/federation?" + q.Encode()
	if to.LogoutFirst {
		address = cmp.Or(s.settings["endpoint"], "https://signin.aws.amazon.com") + "/oauth?" + url.Values{"Action": {"logout"}, "redirect_uri": {address}}.Encode()
	}
	return secret.New(address), nil
}

// Longest reports what a role allows.
func (s *SessionSystem) Longest(_ context.Context, entitlement string) (time.Duration, error) {
	s.bank.mu.Lock()
	defer s.bank.mu.Unlock()
	return s.bank.longest[entitlement], s.bank.trouble
}

// SetLongest changes it.
func (s *SessionSystem) SetLongest(_ context.Context, entitlement string, d time.Duration) (time.Duration, error) {
	s.bank.mu.Lock()
	defer s.bank.mu.Unlock()
	if s.bank.trouble == nil {
		s.bank.longest[entitlement] = d
	}
	return s.bank.longest[entitlement], s.bank.trouble
}
