package ad

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
)

const (
	// grace is how far the end that the domain enforces lies behind the wanted
	// one: it is the net, not the clock.
	grace = time.Minute
	// tolerance is how much further behind it may lie before it is set again.
	tolerance = time.Minute
)

// Apply makes the account look like want on the preferred domain controller
// that answers; the others learn it by replication.
func (s *system) Apply(ctx context.Context, a access.Account, want access.Want, password secret.Text) error {
	groups, refusal := s.wanted(want)
	sv, _, silent, err := s.first(ctx)
	if err != nil {
		return err
	}
	defer sv.Close()
	if refusal == nil && sv.skew.Abs() > maxSkew {
		refusal = &access.Error{Kind: access.Unavailable, Text: fmt.Sprintf("The clock of %s is %s apart from the one here.", sv.dc, sv.skew.Abs().Round(time.Second)),
			Hint: "Correct the clock that is wrong. Until then no access is given, because its end would come at the wrong time."}
	}
	g := granting{server: sv, a: a, want: want, groups: groups, password: password, until: want.Until.Add(sv.skew).Truncate(time.Second)}
	return explain(g.run(ctx, len(silent) > 0, refusal), "prepare the account", sv.dc)
}

// wanted turns entitlements into SIDs of groups; "" stands for Domain Admins,
// whose SID only the domain knows. What is refused does not keep the rest from
// being taken away, so both are reported.
func (s *system) wanted(want access.Want) (sids []string, refused error) {
	for _, e := range want.Entitlements {
		switch {
		case e.Name == DomainAdmin && s.domainAdmin:
			sids = append(sids, "")
		case e.Name == DomainAdmin:
			refused = &access.Error{Kind: access.Denied, Text: "Domain Admin may not be given on this domain.", Hint: "Ask for the delegated groups, or change the target's settings."}
		case e.Name == Delegated && len(s.groups) > 0:
			sids = append(sids, s.groups...)
		case e.Name == Delegated:
			refused = &access.Error{Kind: access.Invalid, Text: "No delegated groups are set for this domain.", Hint: "Name them in the target's settings."}
		default:
			refused = &access.Error{Kind: access.Invalid, Text: "Active Directory targets do not know that entitlement."}
		}
	}
	if refused == nil && (len(sids) == 0 || want.Until.IsZero()) {
		refused = &access.Error{Kind: access.Internal, Text: "Nothing is wanted, or without an end."}
	}
	return sids, refused
}

// A granting is one run of Apply.
type granting struct {
	*server
	a        access.Account
	want     access.Want
	groups   []string
	password secret.Text
	until    time.Time // by the server's clock
}

func (g *granting) run(ctx context.Context, unsure bool, refusal error) error {
	for i, sid := range g.groups {
		if sid == "" {
			g.groups[i] = g.rid(ridDomainAdmins)
		}
	}
	acc, err := g.settle(ctx, unsure)
	if err != nil {
		return err
	}
	if acc != nil { // whatever cannot be given, what is over is taken
		if err := g.limit(ctx, acc); err != nil {
			return err
		}
	}
	if refusal != nil {
		return refusal
	}
	if !g.holdsAll(acc) {
		if err := g.sound(ctx); err != nil {
			return err
		}
	}
	created := acc == nil
	if created {
		if acc, err = g.create(ctx); err != nil {
			return err
		}
		if err := g.limit(ctx, acc); err != nil {
			return err
		}
	}
	if acc, err = g.enable(ctx, acc, created); err != nil {
		return err
	}
	if err := g.empower(ctx, acc); err != nil {
		return err
	}
	return g.verify(ctx, acc)
}

// sound refuses what should not be given here, before anything is given.
func (g *granting) sound(ctx context.Context) error {
	if slices.Contains(g.groups, g.rid(ridDomainAdmins)) {
		return g.revocable(ctx)
	}
	for _, sid := range g.groups {
		leads, err := g.leadsTo(ctx, sid)
		if err != nil {
			return err
		}
		if leads != "" {
			return &access.Error{Kind: access.Denied, Text: "The delegated group " + g.groupName(ctx, sid) + " leads to " + leads + ", which was not asked for.", Hint: "Take it out of the target's settings, or out of that group."}
		}
	}
	return nil
}

// settle finds the one account to work on, nil if there is none yet, and
// takes power from any other that bears the same mark.
func (g *granting) settle(ctx context.Context, unsure bool) (*account, error) {
	found, err := g.find(ctx, g.a)
	if err != nil {
		return nil, err
	}
	missing := len(found) == 0 && g.a.ObjectID != "" || len(found) > 0 && found[0].mark.seq < markSeq(g.a.Seen)
	if unsure && missing {
		return nil, &access.Error{Kind: access.Unavailable, Text: g.dc + " does not know the latest state of the account, and the preferred domain controller does not answer.",
			Hint: "Bring the preferred domain controller back, or name another one first in the target's settings."}
	}
	if len(found) == 0 {
		return nil, nil
	}
	for _, twin := range found[1:] {
		if err := g.clean(ctx, g.a, twin, 0); err != nil {
			return nil, err
		}
		_ = g.delete(ctx, byGUID(twin.guid)) // clean by now; being gone is only tidier
	}
	return found[0], nil
}

// holdsAll reports whether acc is already a member of all that is wanted.
func (g *granting) holdsAll(acc *account) bool {
	return acc != nil && containsAll(memberships(acc), g.groups)
}

func memberships(acc *account) (sids []string) {
	for _, x := range acc.groups {
		sids = append(sids, x.sid)
	}
	return sids
}

// create makes the account in one Add, which the directory does wholly or not
// at all, with its end already set.
func (g *granting) create(ctx context.Context) (*account, error) {
	for range maxTries {
		name, err := g.freeName(ctx, g.a)
		if err != nil {
			return nil, err
		}
		err = g.add(ctx, g.addRequest(name))
		if err != nil && !isCode(err, ldap.LDAPResultEntryAlreadyExists) {
			return nil, explain(err, "create the account", g.dc)
		}
		found, err := g.find(ctx, g.a) // also after "already exists": it may be ours, from an attempt whose answer was lost
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return nil, &access.Error{Kind: access.Conflict, Text: "No free name was found for the account."}
}

func (g *granting) addRequest(name Name) *ldap.AddRequest {
	password := g.password
	if password.IsZero() {
		password = randomPassword()
	}
	r := ldap.NewAddRequest("CN="+escapeRDN(name.Long)+","+g.ou, nil)
	r.Attribute("objectClass", []string{"user"})
	r.Attribute("sAMAccountName", []string{name.SAM})
	r.Attribute("userPrincipalName", []string{name.UPN(g.sys.domain)})
	r.Attribute("displayName", []string{name.Long})
	r.Attribute("description", []string{"Temporary account of " + describe(g.a.Holder) + ", kept by Jitney; disabled while nobody needs it"})
	r.Attribute("userAccountControl", []string{strconv.Itoa(uacLive)})
	r.Attribute("unicodePwd", []string{unicodePwd(password)})
	r.Attribute("accountExpires", []string{fileTime(g.until.Add(grace))})
	r.Attribute(markAttr, []string{mark{id: g.a.ID}.next(phaseLive, markSeq(g.a.Seen)+1).String()})
	return r
}

func describe(h access.Holder) string {
	if name := plain(h.Name); name != "" {
		return name
	}
	return plain(h.Login)
}

func fileTime(t time.Time) string { return strconv.FormatInt(toFileTime(t), 10) }

// unicodePwd writes a password as the directory wants it: in quotes, UTF-16
// with the low byte first. [MS-ADTS] 3.1.1.3.1.5
func unicodePwd(password secret.Text) string {
	units := utf16.Encode([]rune("\"" + password.Reveal() + "\""))
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// limit takes everything from the account that is not wanted, before anything
// is given: groups, primary group, back doors, account flags.
func (g *granting) limit(ctx context.Context, acc *account) error {
	keep := slices.Clone(g.groups)
	if g.sys.protected {
		keep = append(keep, g.rid(ridProtectedUsers))
	}
	if err := g.strip(ctx, acc, keep); err != nil {
		return err
	}
	if err := g.closeDoors(ctx, acc); err != nil {
		return err
	}
	if want := acc.uac &^ uacKnown(); want != acc.uac {
		return explain(g.set(ctx, acc, "userAccountControl", strconv.FormatInt(uacNormal|want&uacDisabled, 10)), "reset the account's flags", g.dc)
	}
	return nil
}

// enable makes one change of everything that lets people sign in: password,
// state, end, lockout, and our mark. The change names the mark that was read,
// so that a late one does not undo the clean-up of somebody faster. The mark
// rises for a group that is still to come, too: who does not know of it is behind.
func (g *granting) enable(ctx context.Context, acc *account, created bool) (*account, error) {
	password := g.password
	if acc.mark.phase != phaseLive || acc.disabled() { // whoever set one by hand in between must not get in with it; one that only expired keeps its own
		password = cmp.Or(password, randomPassword())
	}
	own := acc.mark
	own.id = g.a.ID
	if created { // its password was set with it
		password = secret.Text{}
	}
	if !password.IsZero() {
		if own.phase == "" {
			own.phase = phaseEnding
		}
		own = own.next(own.phase, markSeq(g.a.Seen)+1)
		if err := g.forget(ctx, acc, own); err != nil {
			return nil, explain(err, "reset the former password", g.dc)
		}
		acc.info = own.String()
	}
	r := ldap.NewModifyRequest(byGUID(acc.guid), nil)
	if !password.IsZero() {
		r.Replace("unicodePwd", []string{unicodePwd(password)})
	}
	if acc.uac != uacLive {
		r.Replace("userAccountControl", []string{strconv.Itoa(uacLive)})
	}
	if acc.expires.Before(g.until) || acc.expires.After(g.until.Add(grace+tolerance)) {
		r.Replace("accountExpires", []string{fileTime(g.until.Add(grace))})
	}
	if acc.lockout {
		r.Replace("lockoutTime", []string{"0"})
	}
	if len(r.Changes) == 0 && acc.mark.phase == phaseLive && acc.mark.id == g.a.ID && (created || g.holdsAll(acc)) {
		return acc, nil
	}
	remark(r, acc.info, own.next(phaseLive, markSeq(g.a.Seen)+1))
	return acc, explain(g.modify(ctx, r), "enable the account", g.dc)
}

// forget resets the password to one that nobody knows, in a change of its own:
// directories accept the password before the last one for up to an hour, and
// so the one that was known before must be older than that.
func (g *granting) forget(ctx context.Context, acc *account, own mark) error {
	r := ldap.NewModifyRequest(byGUID(acc.guid), nil)
	r.Replace("unicodePwd", []string{unicodePwd(randomPassword())})
	remark(r, acc.info, own)
	return g.modify(ctx, r)
}

// remark replaces the mark that was read by another one, and so makes the
// change fail if the mark is no longer that.
func remark(r *ldap.ModifyRequest, was string, is mark) {
	if was != "" {
		r.Delete(markAttr, []string{was})
	}
	r.Add(markAttr, []string{is.String()})
}

// empower adds the account to the groups that are wanted; Protected Users,
// which only restricts, comes first.
func (g *granting) empower(ctx context.Context, acc *account) error {
	groups := g.groups
	if g.sys.protected {
		groups = append([]string{g.rid(ridProtectedUsers)}, groups...)
	}
	held := memberships(acc)
	ttl, err := g.hasTTL(ctx)
	if err != nil {
		return err
	}
	for _, sid := range groups {
		if !slices.Contains(held, sid) {
			err = g.join(ctx, acc, sid, ttl)
		} else if ttl {
			err = g.renew(ctx, acc, sid)
		}
		if err != nil {
			return explain(err, "add the account to "+g.groupName(ctx, sid), g.dc)
		}
	}
	return nil
}

func (g *granting) join(ctx context.Context, acc *account, sid string, ttl bool) error {
	r := ldap.NewModifyRequest(bySID(sid), nil)
	r.Add("member", []string{g.member(acc, ttl)})
	err := g.modify(ctx, r)
	if isCode(err, ldap.LDAPResultEntryAlreadyExists, ldap.LDAPResultAttributeOrValueExists) {
		return nil // verify looks
	}
	return err
}

// member is the value that makes acc a member, for a limited time if the
// directory can do that.
func (g *granting) member(acc *account, ttl bool) string {
	if !ttl {
		return byGUID(acc.guid)
	}
	left := int64(g.until.Add(grace).Sub(g.now)/time.Second) + 1
	return fmt.Sprintf("<TTL=%d,%s>", max(left, 1), acc.dn)
}

func (g *granting) groupName(ctx context.Context, sid string) string {
	if found, err := g.group(ctx, bySID(sid)); err == nil && found != nil {
		return found.name
	}
	return sid
}

// verify reads the account back and tries the password.
func (g *granting) verify(ctx context.Context, acc *account) error {
	now, err := g.account(ctx, acc.guid)
	if err != nil || now == nil {
		return orMissing(err)
	}
	if now.mark.phase != phaseLive || now.mark.id != g.a.ID || !now.canSignIn(g.now) {
		return &access.Error{Kind: access.Conflict, Text: "Somebody else changed the account while it was being prepared.", Hint: "Jitney looks again."}
	}
	if !containsAll(now.token, g.groups) {
		return &access.Error{Kind: access.Conflict, Text: g.dc + " does not show the account's new rights yet.", Hint: "Jitney looks again. If it lasts, check that the delegated groups are security groups."}
	}
	if g.password.IsZero() {
		return nil
	}
	return g.tryPassword(ctx, now)
}

// tryPassword signs in with the new password on a connection of its own.
func (g *granting) tryPassword(ctx context.Context, acc *account) error {
	name := acc.upn
	if name == "" {
		name = acc.dn
	}
	c, err := dial(ctx, g.ep, g.sys.settings)
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.bind(ctx, name, g.password.Reveal())
	switch {
	case err == nil, isCode(err, ldap.LDAPResultInvalidCredentials) && bindCode(err) == "52f": // Protected Users: right, but not in this way
		return nil
	case isTransient(err):
		return explain(err, "try the new password", g.dc)
	default:
		return &access.Error{Kind: access.Conflict, Text: g.dc + " does not accept the new password yet (" + bindReason(err) + ").", Hint: "Jitney sets it again.", Err: bounded(err)}
	}
}
