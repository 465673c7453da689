package ad

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
)

// Bits of userAccountControl. [MS-ADTS] 2.2.16
const (
	uacDisabled = 0x0002
	uacNormal   = 0x0200
	uacLive     = uacNormal
	uacClean    = uacNormal | uacDisabled // 514
)

const (
	maxTwins = 20
	// neverExpires is one of the two values of accountExpires that mean never; 0 is the other.
	neverExpires = 1<<63 - 1
)

// accountAttrs is everything that is read of an account.
var accountAttrs = []string{
	"objectClass", "objectGUID", "objectSid", "sAMAccountName", "userPrincipalName", "userAccountControl", "msDS-User-Account-Control-Computed",
	"primaryGroupID", "accountExpires", "lockoutTime", "pwdLastSet", "whenCreated", "tokenGroups", markAttr,
	"servicePrincipalName", "altSecurityIdentities", "msDS-KeyCredentialLink", "msDS-AllowedToDelegateTo", "msDS-AllowedToActOnBehalfOfOtherIdentity", "sIDHistory",
}

// backDoors are attributes that let somebody in as, or through, an account
// without its password. A temporary account has none of them.
var backDoors = []struct{ attr, name string }{
	{"servicePrincipalName", "service principal names"},
	{"altSecurityIdentities", "certificates or other identities mapped to it"},
	{"msDS-KeyCredentialLink", "key credentials"},
	{"msDS-AllowedToDelegateTo", "delegation to services"},
	{"msDS-AllowedToActOnBehalfOfOtherIdentity", "others that may act on its behalf"},
	{"sIDHistory", "a SID history"},
}

// A group is one group that an account is a direct member of.
type group struct {
	dn, sid, guid string
	name          string
}

// An account is what one domain controller shows of one account.
type account struct {
	dn, guid, sid string
	sam, upn      string
	uac, computed int64
	primary       int64
	expires       time.Time // zero if never
	lockout       bool
	pwdLastSet    time.Time
	created       string
	mark          mark   // zero if it bears none
	info          string // the attribute that holds the mark, as it is
	groups        []group
	token         []string // SIDs that a new session would carry
	doors         []string // attributes of backDoors that are not empty
	inOU          bool
}

func (a *account) disabled() bool               { return a.uac&uacDisabled != 0 }
func (a *account) expired(now time.Time) bool   { return !a.expires.IsZero() && !a.expires.After(now) }
func (a *account) canSignIn(now time.Time) bool { return !a.disabled() && !a.expired(now) }

// conflict reports whether the object is what replication left of two that
// were made under one name on two domain controllers.
func (a *account) conflict() bool {
	return strings.Contains(a.dn, "\nCNF:") || strings.Contains(strings.ToUpper(a.dn), "\\0ACNF:")
}

// find reads every account that is a's: the one with its objectGUID, wherever
// that is by now, and those in our unit that bear its mark. The mark counts
// nowhere else, because people can write it on themselves.
func (sv *server) find(ctx context.Context, a access.Account) ([]*account, error) {
	var found []*account
	take := func(guid string) error {
		if slices.ContainsFunc(found, func(x *account) bool { return x.guid == guid }) {
			return nil
		}
		acc, err := sv.account(ctx, guid)
		if err == nil && acc != nil {
			found = append(found, acc)
		}
		return err
	}
	if validGUID(a.ObjectID) {
		if err := take(a.ObjectID); err != nil {
			return nil, err
		}
	}
	if !validID(a.ID) {
		return nil, &access.Error{Kind: access.Internal, Text: "The account has no usable id."}
	}
	marked, err := sv.search(ctx, sv.ou, ldap.ScopeWholeSubtree, "("+markAttr+"="+markPrefix+a.ID+":*)", "objectGUID")
	if err != nil {
		return nil, err
	}
	if len(marked) > maxTwins {
		return nil, errTooMany
	}
	for _, e := range marked {
		guid, err := parseGUID(e.GetRawAttributeValue("objectGUID"))
		if err != nil {
			return nil, err
		}
		if err := take(guid); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(x, y *account) int { return rank(x, a) - rank(y, a) })
	return found, nil
}

// rank puts the account that we know first, and what replication set aside last.
func rank(x *account, a access.Account) int {
	switch {
	case x.guid == a.ObjectID:
		return 0
	case x.conflict():
		return 2
	}
	return 1
}

// account reads one account by objectGUID; nil if there is none.
func (sv *server) account(ctx context.Context, guid string) (*account, error) {
	e, err := sv.read(ctx, byGUID(guid), nil, accountAttrs...)
	if err != nil || e == nil {
		return nil, err
	}
	a := &account{dn: e.DN, guid: guid, sam: e.GetAttributeValue("sAMAccountName"), upn: e.GetAttributeValue("userPrincipalName"), created: e.GetAttributeValue("whenCreated")}
	if got, err := parseGUID(e.GetRawAttributeValue("objectGUID")); err != nil || got != guid {
		return nil, fmt.Errorf("asked for the object %s, got %q", guid, got)
	}
	if a.sid, err = parseSID(e.GetRawAttributeValue("objectSid")); err != nil {
		return nil, err
	}
	if err := a.numbers(e); err != nil {
		return nil, err
	}
	a.info = e.GetAttributeValue(markAttr)
	a.mark, _ = parseMark(a.info)
	a.inOU = below(a.dn, sv.ou)
	a.token = sids(e.GetRawAttributeValues("tokenGroups"))
	for _, d := range backDoors {
		if len(e.GetRawAttributeValues(d.attr)) > 0 {
			a.doors = append(a.doors, d.attr)
		}
	}
	if a.groups, err = sv.groupsOf(ctx, guid); err != nil {
		return nil, err
	}
	return a, nil
}

// numbers reads what must be there: a value that cannot be read must not pass
// for a harmless one.
func (a *account) numbers(e *ldap.Entry) error {
	num := func(attr string, must bool) (n int64, err error) {
		s := e.GetAttributeValue(attr)
		if s == "" && !must {
			return 0, nil
		}
		if n, err = strconv.ParseInt(s, 10, 64); err != nil {
			return 0, fmt.Errorf("%s of the account cannot be read: %w", attr, err)
		}
		return n, nil
	}
	var expires, set, lockout int64
	for _, f := range []struct {
		attr string
		must bool
		to   *int64
	}{
		{"userAccountControl", true, &a.uac}, {"primaryGroupID", true, &a.primary}, {"msDS-User-Account-Control-Computed", false, &a.computed},
		{"accountExpires", false, &expires}, {"pwdLastSet", false, &set}, {"lockoutTime", false, &lockout},
	} {
		n, err := num(f.attr, f.must)
		if err != nil {
			return err
		}
		*f.to = n
	}
	if expires != 0 && expires != neverExpires {
		a.expires = fromFileTime(expires)
	}
	if set > 0 {
		a.pwdLastSet = fromFileTime(set)
	}
	a.lockout = lockout > 0 || a.computed&0x10 != 0
	return nil
}

// groupsOf lists the groups that an account is a direct member of. The primary
// group is not among them, unless it was a member before.
func (sv *server) groupsOf(ctx context.Context, guid string) ([]group, error) {
	dns, err := sv.values(ctx, byGUID(guid), "memberOf")
	if err != nil {
		return nil, err
	}
	if len(dns) > 2000 {
		return nil, errTooMany
	}
	var out []group
	for _, dn := range dns {
		g, err := sv.group(ctx, dn)
		if err != nil {
			return nil, err
		}
		if g == nil { // renamed or moved in between: still a membership
			g = &group{dn: dn, name: rdn(dn)}
		}
		out = append(out, *g)
	}
	return out, nil
}

// group reads a group by DN or <SID=…>; nil if there is none.
func (sv *server) group(ctx context.Context, base string) (*group, error) {
	e, err := sv.read(ctx, base, nil, "objectSid", "objectGUID")
	if err != nil || e == nil {
		return nil, err
	}
	g := &group{dn: e.DN, name: rdn(e.DN)}
	if g.sid, err = parseSID(e.GetRawAttributeValue("objectSid")); err != nil {
		return nil, err
	}
	g.guid, err = parseGUID(e.GetRawAttributeValue("objectGUID"))
	return g, err
}

// rid is the SID of the domain's own object with that relative id.
func (sv *server) rid(rid int64) string { return sv.domainSID + "-" + strconv.FormatInt(rid, 10) }

// rdn is the first value of a distinguished name, for people.
func rdn(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 || len(parsed.RDNs[0].Attributes) == 0 {
		return plain(dn)
	}
	return plain(parsed.RDNs[0].Attributes[0].Value)
}

// plain makes text from a directory fit for a sentence: bounded, one line.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "…"
	}
	return strings.TrimSpace(s)
}

// fileTimeZero is the start of the times that directories count in 100 ns.
var fileTimeZero = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)

const fileTimeSecond = 10_000_000

func fromFileTime(n int64) time.Time {
	return time.Unix(fileTimeZero.Unix()+n/fileTimeSecond, n%fileTimeSecond*100).UTC()
}

func toFileTime(t time.Time) int64 {
	return (t.Unix() - fileTimeZero.Unix()) * fileTimeSecond
}
