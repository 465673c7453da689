package entra

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"jitney/access"
)

// Names of the facts that a later look reads again: an Observation is all
// that is remembered.
const (
	factAbsent   = "Read as gone"
	factShown    = "Last shown"
	factPurged   = "Purged"
	factBin      = "In the bin since"
	factRoleless = "Without a role since"
)

// restorable is how long a deleted user can be restored.
// https://learn.microsoft.com/entra/fundamentals/users-restore
const restorable = 30 * 24 * time.Hour

// A reporter says what a view means.
type reporter struct{ *system }

// report says what v means.
func (s reporter) report(a access.Account, v view) access.Observation {
	o := access.Observation{At: v.at, Username: v.upn, ObjectID: v.id, Exists: v.live != nil || v.bin != nil}
	o.Entitlements = s.names(v, a)
	o.Extra = s.extra(v, a)
	for _, h := range v.held {
		o.Facts = append(o.Facts, access.Fact{Name: "Role", Found: roleTitle(strings.ToLower(h.Role)) + scopeText(h)})
	}
	switch {
	case v.live != nil:
		s.reportLive(a, v, &o)
	case v.bin != nil:
		o.Left = append(o.Left, "the account is deleted, restorable until "+stamp(v.bin.Deleted.Add(restorable))+", and still has to be purged")
		o.Facts = append(o.Facts, access.Fact{Name: "Account", Found: "deleted, restorable"}, access.Fact{Name: factBin, Found: stamp(v.bin.Deleted)})
	default:
		s.reportAbsent(a, v, &o)
	}
	if len(v.held) == 0 && v.id != "" {
		o.Facts = append(o.Facts, access.Fact{Name: "Roles", Found: "none", Clean: true})
	}
	if v.live == nil && len(v.held) > 0 {
		o.Left = append(o.Left, "a role assignment of the deleted account")
	}
	for _, r := range v.read[max(0, len(v.read)-8):] {
		o.Facts = append(o.Facts, access.Fact{Name: "Read", Found: r, Clean: true})
	}
	return o
}

func (s reporter) reportLive(a access.Account, v view, o *access.Observation) {
	o.Enabled, o.Username = v.live.enabled(), strings.ToLower(v.live.UserPrincipalName)
	state := "disabled"
	if o.Enabled {
		state = "enabled"
	}
	o.Facts = append(o.Facts, access.Fact{Name: "Account", Found: state})
	o.Left = append(o.Left, "the account itself")
	if o.Username != v.upn {
		o.Facts = append(o.Facts, access.Fact{Name: "Account name", Found: "was changed from " + v.upn})
	}
	for _, p := range v.passes {
		o.Facts = append(o.Facts, access.Fact{Name: "Temporary Access Pass", Found: p.String()})
	}
	if len(v.methods) > 0 {
		o.Facts = append(o.Facts, access.Fact{Name: "Further ways to sign in", Found: strings.Join(v.methods, ", ") + "; they end with the account"})
	}
	if !v.live.Created.IsZero() && v.live.PasswordChanged.Sub(v.live.Created) > time.Minute && s.tap {
		o.Facts = append(o.Facts, access.Fact{Name: "Password", Found: "changed at " + stamp(v.live.PasswordChanged) + ", not by Jitney; it ends with the account"})
	}
	if note := s.noteOf(v.id); note != "" {
		o.Facts = append(o.Facts, access.Fact{Name: "New pass", Found: note})
	}
	o.Until = v.until()
	if fuse := a.Seen.Until; len(v.held) == 0 && len(v.scheduled) == 0 && !fuse.IsZero() && !fuse.After(v.at) {
		o.Until = fuse // Entra's own clock has ended it, nobody else
	}
	if len(v.held) == 0 {
		o.Facts = append(o.Facts, access.Fact{Name: factRoleless, Found: stamp(roleless(a.Seen, v.at))})
	}
	o.Facts = append(o.Facts, access.Fact{Name: "Takes effect", Found: "role changes within 15 minutes"})
}

// reportAbsent is about an account that neither users nor bin show. One read
// proves nothing, because a replica that is behind for the users and one that
// is behind for the bin can hide it together. So several reads over some time
// must agree; and unless Graph has confirmed the purge, as much time must have
// passed as a replica can be late since the account was last shown or made.
func (s reporter) reportAbsent(a access.Account, v view, o *access.Observation) {
	say := func(name, found string) {
		o.Facts = append(o.Facts, access.Fact{Name: name, Found: found, Clean: true})
	}
	say("Account", "not among the users")
	if v.id == "" && a.TriedAt.IsZero() {
		return
	}
	say("Bin", "not among the deleted users")
	count, since := absentBefore(a.Seen)
	if count == 0 {
		since = v.at.Add(time.Millisecond - 1).Truncate(time.Millisecond)
	}
	count++
	say(factAbsent, fmt.Sprintf("%d times since %s", count, since.UTC().Format(time.RFC3339Nano)))
	purged := told(a.Seen, factPurged)
	if at := s.purgedAt(v.id); purged == "" && !at.IsZero() {
		purged = "confirmed at " + stamp(at)
	}
	last := lastShown(a)
	switch {
	case purged != "":
		say(factPurged, purged)
	case !last.IsZero():
		say(factShown, last.UTC().Format(time.RFC3339Nano))
	}
	say("May outlive the end", outlives)
	missing := s.pace.over - v.at.Sub(since)
	switch lag := last.Add(s.pace.late).Sub(v.at); {
	case purged == "" && !last.IsZero() && lag > 0:
		o.Settling = min(lag+10*time.Millisecond, s.pace.late/16)
		o.Left = append(o.Left, "no confirmation that the account was purged arrived, and the directory may show it late; waiting until "+stamp(last.Add(s.pace.late)))
	case count < s.pace.reads || missing > 0:
		o.Settling = max(missing/time.Duration(max(s.pace.reads-count, 1)), time.Millisecond)
		o.Left = append(o.Left, fmt.Sprintf("it was read as gone %d times; at least %d reads over %s must agree", count, s.pace.reads, s.pace.over))
	}
}

// lastShown is when the account was last read, among the users or in the bin,
// or when it may last have been made; zero if never.
func lastShown(a access.Account) time.Time {
	last := a.TriedAt
	if a.Seen.Exists && a.Seen.At.After(last) {
		last = a.Seen.At
	}
	if t, err := time.Parse(time.RFC3339Nano, told(a.Seen, factShown)); err == nil && t.After(last) {
		last = t
	}
	return last
}

// absentBefore is how often, and since when without interruption, earlier
// looks have read the account as gone.
func absentBefore(seen access.Observation) (count int, since time.Time) {
	if seen.Exists {
		return 0, since
	}
	for _, f := range seen.Facts {
		var at string
		if f.Name != factAbsent {
			continue
		}
		if n, _ := fmt.Sscanf(f.Found, "%d times since %s", &count, &at); n != 2 {
			return 0, since
		}
		since, err := time.Parse(time.RFC3339, at)
		if err != nil || count < 0 || since.After(seen.At.Add(time.Second)) {
			return 0, time.Time{}
		}
		return count, since
	}
	return 0, since
}

// told is what the fact with that name said; empty if there is none.
func told(seen access.Observation, name string) string {
	for _, f := range seen.Facts {
		if f.Name == name {
			return f.Found
		}
	}
	return ""
}

// binned reports whether the last look has seen the account in the bin.
func binned(seen access.Observation) bool { return seen.Exists && told(seen, factBin) != "" }

// roleless is since when the account was read without a role, again and again.
func roleless(seen access.Observation, now time.Time) time.Time {
	for _, f := range seen.Facts {
		if f.Name != factRoleless {
			continue
		}
		if t, err := time.Parse(time.RFC3339, f.Found); err == nil && t.Before(now) {
			return t
		}
	}
	return now
}

// names are the entitlements that v shows: roles over the whole directory that
// are offered, or were a moment ago.
func (s *settings) names(v view, a access.Account) (out []string) {
	for _, h := range v.held {
		if name := (role{id: strings.ToLower(h.Role)}).entitlement(); s.counts(h, a) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, p := range v.scheduled {
		h := p.assignment()
		if name := (role{id: strings.ToLower(h.Role)}).entitlement(); s.counts(h, a) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (s *settings) counts(h assignment, a access.Account) bool {
	id := strings.ToLower(h.Role)
	return h.Scope == "/" && (offers(s.roles, id) || slices.Contains(a.Seen.Entitlements, role{id: id}.entitlement()))
}

// extra are rights that no grant of this target can be about.
func (s reporter) extra(v view, a access.Account) (out []string) {
	add := func(text string) {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, h := range v.held {
		name := (role{id: strings.ToLower(h.Role)}).entitlement()
		switch {
		case !s.counts(h, a):
			add("the role " + roleTitle(strings.ToLower(h.Role)) + scopeText(h))
		case a.Seen.Enabled && len(a.Seen.Entitlements) > 0 && !slices.Contains(a.Seen.Entitlements, name):
			// An account has one grant, so what came to a role later, somebody else gave.
			add("the role " + roleTitle(strings.ToLower(h.Role)) + ", given by somebody else")
		}
	}
	for _, g := range v.groups {
		add("membership in the group " + clip(g.Name, 80) + ", which can carry roles")
	}
	return out
}

func scopeText(h assignment) string {
	switch {
	case h.Scope == "/":
		return ""
	case h.Scope == "" && h.AppScope != "":
		return ", limited to " + clip(h.AppScope, 80)
	default:
		return ", limited to " + clip(h.Scope, 80)
	}
}
