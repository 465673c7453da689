package ad

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"jitney/access"
)

// A verdict is what one account on one domain controller amounts to.
type verdict struct {
	enabled      bool
	until        time.Time // when the domain ends it by itself; zero if never
	entitlements []string
	parts        []string // entitlements that it holds in part
	extra, left  []string
	mark         string // what the mark says is left; empty if the clean-up was sealed
	facts        []access.Fact
}

func (v *verdict) fact(name, found string, clean bool) {
	v.facts = append(v.facts, access.Fact{Name: name, Found: found, Clean: clean})
}

// harmless reports whether the account can do nothing and holds nothing.
func (v *verdict) harmless() bool {
	return !v.enabled && len(v.entitlements) == 0 && len(v.extra) == 0
}

// protectedSIDs are the groups that hold the domain, with their usual names.
// https://learn.microsoft.com/windows-server/identity/ad-ds/plan/security-best-practices/appendix-c--protected-accounts-and-groups-in-active-directory
func (sv *server) protectedSIDs() []group {
	return []group{
		{sid: sv.rid(ridDomainAdmins), name: "Domain Admins"}, {sid: sv.rid(519), name: "Enterprise Admins"}, {sid: sv.rid(518), name: "Schema Admins"},
		{sid: "S-1-5-32-544", name: "Administrators"}, {sid: "S-1-5-32-548", name: "Account Operators"}, {sid: "S-1-5-32-549", name: "Server Operators"},
		{sid: "S-1-5-32-550", name: "Print Operators"}, {sid: "S-1-5-32-551", name: "Backup Operators"}, {sid: "S-1-5-32-552", name: "Replicator"},
		{sid: sv.rid(516), name: "Domain Controllers"}, {sid: sv.rid(520), name: "Group Policy Creator Owners"},
		{sid: sv.rid(526), name: "Key Admins"}, {sid: sv.rid(527), name: "Enterprise Key Admins"},
	}
}

// A judge looks at one account on one domain controller.
type judge struct {
	*server
	*verdict
	acc *account
}

// judge says what acc amounts to on sv.
func (sv *server) judge(ctx context.Context, acc *account) (*verdict, error) {
	v := &verdict{enabled: acc.canSignIn(sv.now), until: acc.expires}
	j := judge{sv, v, acc}
	j.state()
	j.memberships()
	if err := j.tokens(ctx); err != nil {
		return nil, err
	}
	if err := j.links(ctx); err != nil {
		return nil, err
	}
	for _, d := range backDoors {
		if slices.Contains(acc.doors, d.attr) {
			v.extra = append(v.extra, d.name+" ("+d.attr+")")
		}
	}
	v.mark = markLeft(acc)
	v.fact("Password", passwordFact(acc), acc.mark.phase == phaseClean)
	v.fact(factMark, fmt.Sprintf("change %d, %s", acc.mark.seq, acc.mark.phase), acc.mark.phase == phaseClean)
	return v, nil
}

// markLeft says what is left to do as far as the mark tells.
func markLeft(acc *account) string {
	switch {
	case acc.mark.id == "" && acc.info == "":
		return "our mark is missing, so that it is not known whether the clean-up was done"
	case acc.mark.id == "":
		return "our mark was overwritten, so that it is not known whether the clean-up was done"
	case acc.mark.phase != phaseClean:
		return "the password was not yet reset twice"
	}
	return ""
}

// clean reports whether nothing is left at all.
func (v *verdict) clean() bool { return v.harmless() && len(v.all()) == 0 }

// all is everything that is left.
func (v *verdict) all() []string {
	if v.mark == "" {
		return v.left
	}
	return append(slices.Clone(v.left), v.mark)
}

func passwordFact(acc *account) string {
	set := "never set"
	if !acc.pwdLastSet.IsZero() {
		set = "last set " + acc.pwdLastSet.Truncate(time.Second).Format(time.RFC3339)
	}
	if acc.mark.phase == phaseClean {
		return "reset twice, known to nobody; " + set
	}
	return set
}

// state looks at whether and how long one can sign in.
func (j judge) state() {
	v, acc, sv := j.verdict, j.acc, j.server
	state := "enabled"
	switch {
	case acc.disabled():
		state = "disabled"
	case acc.expired(sv.now):
		state = "expired, but not disabled"
		v.left = append(v.left, "it is expired, but not disabled")
	}
	v.fact("Account", fmt.Sprintf("%s (userAccountControl %d)", state, acc.uac), acc.disabled())
	for _, bit := range uacDoors {
		if acc.uac&bit.mask != 0 {
			v.extra = append(v.extra, "the account flag “"+bit.name+"”")
		}
	}
	if rest := acc.uac &^ (uacClean | uacKnown()); rest != 0 || acc.uac&uacNormal == 0 {
		v.extra = append(v.extra, fmt.Sprintf("unusual account flags (userAccountControl %d)", acc.uac))
	}
	switch {
	case acc.expires.IsZero() && !acc.disabled():
		v.extra = append(v.extra, "no expiry date: somebody removed it")
		v.fact("Expires", "never", false)
	case acc.expires.IsZero():
		v.left = append(v.left, "its expiry date is not in the past")
		v.fact("Expires", "never", false)
	default:
		if acc.disabled() && !acc.expired(sv.now) {
			v.left = append(v.left, "its expiry date is not in the past")
		}
		v.fact("Expires", acc.expires.Format(time.RFC3339), acc.expired(sv.now))
	}
	if acc.lockout {
		v.fact("Lockout", "locked after wrong passwords", true)
	}
	if !acc.inOU {
		v.fact("Place", "outside the unit for temporary accounts: "+plain(acc.dn), true)
	}
}

// uacDoors are account flags that weaken an account. A temporary one has none.
var uacDoors = []struct {
	mask int64
	name string
}{
	{0x20, "no password required"}, {0x80, "reversible encryption"}, {0x10000, "password never expires"}, {0x40000, "smart card required"},
	{0x80000, "trusted for delegation"}, {0x200000, "DES keys only"}, {0x400000, "no Kerberos pre-authentication"}, {0x1000000, "trusted to authenticate for delegation"},
}

func uacKnown() (mask int64) {
	for _, bit := range uacDoors {
		mask |= bit.mask
	}
	return mask
}

// memberships looks at direct memberships and the primary group.
func (j judge) memberships() {
	v, acc, sv := j.verdict, j.acc, j.server
	admins, protected := sv.rid(ridDomainAdmins), sv.rid(ridProtectedUsers)
	primary := sv.rid(acc.primary)
	isAdmin := primary == admins
	var delegated, names []string
	for _, g := range acc.groups {
		names = append(names, g.name)
		switch {
		case g.sid == admins:
			isAdmin = true
		case g.sid == protected:
			v.left = append(v.left, "member of "+g.name)
		case slices.Contains(sv.sys.groups, g.sid):
			delegated = append(delegated, g.sid)
			v.left = append(v.left, "member of "+g.name)
		default:
			v.extra = append(v.extra, "member of "+g.name+" ("+g.sid+")")
		}
	}
	if primary != sv.rid(ridDomainUsers) {
		v.extra = append(v.extra, "its primary group is "+primary+", not Domain Users")
	}
	if isAdmin && !slices.Contains(acc.token, admins) {
		v.left = append(v.left, "member of Domain Admins, though not yet effective")
		v.parts = append(v.parts, DomainAdmin)
	}
	if slices.Contains(acc.token, admins) {
		v.entitlements = append(v.entitlements, DomainAdmin)
	}
	switch {
	case len(delegated) == 0:
	case len(delegated) == len(sv.sys.groups) && containsAll(acc.token, delegated):
		v.entitlements = append(v.entitlements, Delegated)
	default:
		v.parts = append(v.parts, Delegated)
	}
	member := "not a member"
	if isAdmin {
		member = "member"
	}
	v.fact("Domain Admins", member, !isAdmin)
	found := "none"
	if len(names) > 0 {
		found = strings.Join(names[:min(len(names), 20)], ", ")
	}
	v.fact("Groups", found, len(names) == 0)
	v.fact("Primary group", primary, primary == sv.rid(ridDomainUsers))
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// tokens looks at what a new session would carry, which also shows nested
// groups and memberships that memberOf does not.
func (j judge) tokens(ctx context.Context) error {
	v, acc, sv := j.verdict, j.acc, j.server
	admins := sv.rid(ridDomainAdmins)
	direct := slices.ContainsFunc(acc.groups, func(g group) bool { return g.sid == admins }) || sv.rid(acc.primary) == admins
	other := slices.ContainsFunc(acc.groups, func(g group) bool { return g.sid != admins && g.sid != sv.rid(ridProtectedUsers) })
	var held, unexplained []group
	for _, p := range sv.protectedSIDs() {
		if !slices.Contains(acc.token, p.sid) {
			continue
		}
		held = append(held, p)
		byAdmins := direct && (p.sid == admins || p.sid == "S-1-5-32-544")
		if !byAdmins && !other { // another direct group is removed first, and explains it until then
			unexplained = append(unexplained, p)
		}
	}
	var everybody []string
	if len(unexplained) > 0 {
		var err error
		if everybody, err = sv.closure(ctx, sv.rid(ridDomainUsers)); err != nil {
			return err
		}
	}
	for _, p := range unexplained {
		if slices.Contains(everybody, p.sid) {
			v.fact("Domain Users", "every user of this domain holds "+p.name, true)
			continue
		}
		v.extra = append(v.extra, "holds "+p.name+" in a way that its groups do not show")
	}
	found := "no protected group"
	if len(held) > 0 {
		var names []string
		for _, p := range held {
			names = append(names, p.name)
		}
		found = strings.Join(names, ", ")
	}
	v.fact("Token", found, len(held) == 0)
	return nil
}

// links looks whether a membership ends by itself before the account does.
func (j judge) links(ctx context.Context) error {
	if len(j.acc.groups) == 0 {
		return nil
	}
	ttl, err := j.hasTTL(ctx)
	if err != nil || !ttl {
		return err
	}
	for _, g := range j.acc.groups {
		ends, err := memberUntil(ctx, j.server, j.acc, g.sid)
		if err != nil {
			return err
		}
		if ends.IsZero() {
			continue
		}
		j.fact("Membership", g.name+" ends by itself "+ends.Format(time.RFC3339), false)
		if j.until.IsZero() || ends.Before(j.until) {
			j.until = ends
		}
	}
	return nil
}

// closure lists the SIDs of every group that the group sid is in, also indirectly.
func (sv *server) closure(ctx context.Context, sid string) ([]string, error) {
	all, next := []string{sid}, []string{bySID(sid)}
	for len(next) > 0 && len(all) < 500 {
		dns, err := sv.values(ctx, next[0], "memberOf")
		if err != nil {
			return nil, err
		}
		next = next[1:]
		for _, dn := range dns {
			g, err := sv.group(ctx, dn)
			if err != nil {
				return nil, err
			}
			if g != nil && !slices.Contains(all, g.sid) {
				all, next = append(all, g.sid), append(next, g.dn)
			}
		}
	}
	return all, nil
}

// leadsTo names the protected group that a group is in, also indirectly; empty
// if there is none.
func (sv *server) leadsTo(ctx context.Context, sid string) (string, error) {
	in, err := sv.closure(ctx, sid)
	if err != nil {
		return "", err
	}
	for _, p := range sv.protectedSIDs() {
		if slices.Contains(in, p.sid) {
			return p.name, nil
		}
	}
	return "", nil
}
