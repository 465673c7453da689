package entra

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MarkerType is the employeeType that says that an account was made by the product; its employeeId is the marker then.
const MarkerType = "jitney"

// Invariants look for what must never be, in truth and not as replicas show it. live says which markers may have an
// account at the time at; grace is in live's hands. The answer is one sentence for each finding:
//
//  1. an account with our marker and no live grant that is enabled, holds a role, or has a usable pass;
//  2. one that lies in the bin, restorable;
//  3. one that is there at all, disabled;
//  4. a role that one of our apps gave to somebody who has no live grant;
//  5. two accounts for one marker;
//  6. a password, a pass or a token in the journal.
func (c *Cloud) Invariants(at time.Time, live func(marker string) bool) []string {
	var out []string
	for _, t := range c.Tenants() {
		out = append(out, tenantInvariants(t, at, live)...)
	}
	return append(out, leaks(c)...)
}

// Invariants are the findings in one tenant, save for those in the journal.
func tenantInvariants(t *Tenant, at time.Time, live func(marker string) bool) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if at.IsZero() {
		at = now
	}
	var out []string
	say := func(format string, args ...any) { out = append(out, t.Name+": "+fmt.Sprintf(format, args...)) }
	ours, seen := map[string]bool{}, map[string]string{}
	for _, u := range t.users.all(authority, now) {
		marker := u.text("employeeId")
		if u.text("employeeType") != MarkerType {
			continue
		}
		if other := seen[marker]; other != "" {
			say("%s and %s bear the same marker %s", other, u.upn, marker)
		}
		seen[marker] = u.upn
		if live(marker) {
			ours[u.id] = true
			continue
		}
		overstays(t, u, at, say)
	}
	for _, a := range t.assignments.all(authority, now) {
		if a.by != "" && !ours[a.principal] && !a.ended(at) && t.users.at(a.principal, authority, now) != nil {
			say("app %s gave %s to %s, which has no live grant", a.by, RoleName(a.role), a.principal)
		}
	}
	return out
}

// overstays says what is wrong with an account that should be gone.
func overstays(t *Tenant, u *user, at time.Time, say func(string, ...any)) {
	switch {
	case !u.deleted.IsZero():
		say("%s lies in the bin since %s", u.upn, u.deleted.Format(time.RFC3339))
		return
	case u.enabled:
		say("%s is enabled", u.upn)
	default:
		say("%s is there, disabled", u.upn)
	}
	for _, a := range t.held(u.id, authority, at) {
		say("%s holds %s", u.upn, RoleName(a.role))
	}
	for _, p := range t.passesOf(u.id, authority, at) {
		if ok, _ := usable(t, p, at); ok {
			say("%s has a usable Temporary Access Pass", u.upn)
		}
	}
}

// leaks are secrets that got into the journal.
func leaks(c *Cloud) []string {
	secrets := map[string]bool{}
	for _, t := range c.Tenants() {
		t.mu.Lock()
		for _, s := range t.secrets {
			secrets[s] = true
		}
		t.mu.Unlock()
	}
	split := func(r rune) bool { return strings.ContainsRune("/?&='\"(), ", r) }
	var out []string
	for _, e := range c.Journal() {
		words := strings.FieldsFunc(e.Path+" "+e.ClientID+" "+e.Rule, split)
		if slices.ContainsFunc(words, func(w string) bool { return secrets[w] || strings.HasPrefix(w, "eyJ") }) {
			out = append(out, "the journal holds a secret, in request "+e.ID)
		}
	}
	return out
}
