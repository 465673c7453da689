package ad

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
)

// Levels of findings.
const (
	levelOK      = "ok"
	levelInfo    = "info"
	levelWarning = "warning"
	levelError   = "error"
)

// A doctor collects what a check finds.
type doctor struct {
	*system
	findings []access.Finding
}

func (d *doctor) say(level, what, fix string) {
	d.findings = append(d.findings, access.Finding{Level: level, What: what, Fix: fix})
}

// trouble turns an error of one step into a finding.
func (d *doctor) trouble(level string, err error) {
	e, ok := explain(err, "check the domain", "").(*access.Error)
	if !ok {
		return
	}
	d.say(level, e.Text, e.Hint)
}

// Check tries what granting and removing need, and changes nothing.
func (s *system) Check(ctx context.Context) ([]access.Finding, error) {
	d := &doctor{system: s}
	f := d.reach(ctx)
	if f == nil {
		return d.findings, ctx.Err()
	}
	defer f.Close()
	for _, sv := range f.servers {
		d.clock(sv)
		d.certificate(sv)
	}
	sv := f.first()
	for _, step := range []func(context.Context, *server) error{d.plain, d.unit, d.groupsExist, d.revocation, d.domain, d.strangers} {
		if err := step(ctx, sv); err != nil {
			d.trouble(levelError, err)
		}
	}
	return d.findings, ctx.Err()
}

// reach connects to every domain controller and says which cannot be used.
func (d *doctor) reach(ctx context.Context) *fleet {
	for i, e := range d.controllers { // one by one, for the reason of each
		sv, err := d.connect(ctx, e)
		if err != nil {
			d.trouble(levelError, err)
			if access.KindOf(err) == access.Denied { // again would only lock the account
				return nil
			}
			continue
		}
		sv.Close()
		role := ""
		if i == 0 {
			role = ", the preferred one,"
		}
		d.say(levelOK, "The domain controller "+e.String()+role+" answers over TLS and accepts the service account.", "")
	}
	f, err := d.all(ctx)
	if err != nil {
		if len(d.controllers) == 0 {
			d.trouble(levelError, err)
		}
		return nil
	}
	for _, host := range f.silent {
		if !slices.ContainsFunc(d.controllers, func(e endpoint) bool { return e.String() == host }) {
			d.say(levelWarning, "The domain names another writable domain controller, "+host+", which does not answer here.",
				"Open LDAPS to it and make sure that its certificate carries that name. Until then an end reaches it only by replication, in 15 seconds to 3 hours.")
		}
	}
	return f
}

func (d *doctor) clock(sv *server) {
	switch skew := sv.skew.Abs().Round(time.Second); {
	case skew > maxSkew:
		d.say(levelError, fmt.Sprintf("The clock of %s is %s apart from the one here.", sv.host, skew), "Correct the clock that is wrong; no access is given until then.")
	case skew > time.Minute:
		d.say(levelWarning, fmt.Sprintf("The clock of %s is %s apart from the one here.", sv.host, skew), "Let both follow the same time servers.")
	default:
		d.say(levelOK, "The clock of "+sv.host+" agrees with the one here.", "")
	}
}

func (d *doctor) certificate(sv *server) {
	if len(sv.tls.PeerCertificates) == 0 {
		return
	}
	left := time.Until(sv.tls.PeerCertificates[0].NotAfter)
	text := fmt.Sprintf("The certificate of %s is valid until %s (%s).", sv.host, sv.tls.PeerCertificates[0].NotAfter.UTC().Format("2006-01-02"), tls.VersionName(sv.tls.Version))
	if left < 21*24*time.Hour {
		d.say(levelWarning, text, "Renew it before then: afterwards nothing can be given, and nothing taken away.")
		return
	}
	d.say(levelOK, text, "")
}

// plain looks whether the domain controller would take a password in clear
// text. It sends an invented name and password, never the real ones.
func (d *doctor) plain(ctx context.Context, sv *server) error {
	if sv.ep.port != "636" && sv.ep.port != "389" {
		return nil
	}
	dialer := net.Dialer{Timeout: 2 * time.Second}
	tcp, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(sv.ep.host, "389"))
	if err != nil {
		return nil // closed is best
	}
	raw := &budgetConn{Conn: tcp, patience: 2 * time.Second}
	c := &conn{raw: raw, dc: sv.dc, ldap: ldap.NewConn(raw, false)}
	c.ldap.Start()
	c.ldap.SetTimeout(2 * time.Second)
	defer c.Close()
	err = c.bind(ctx, "nobody-"+randomPassword().Reveal()[4:12]+"@"+d.settings.domain, "no password of anybody")
	if isCode(err, ldap.LDAPResultInvalidCredentials) {
		d.say(levelWarning, sv.host+" accepts sign-ins without protection on port 389. Jitney never does that, others might.",
			"Require signing on domain controllers: the policy “Domain controller: LDAP server signing requirements”.")
	} else if isCode(err, ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired) {
		d.say(levelOK, sv.host+" refuses sign-ins without protection.", "")
	}
	return nil
}

// unit looks at the organizational unit and the right to create in it.
func (d *doctor) unit(ctx context.Context, sv *server) error {
	e, err := sv.read(ctx, sv.ou, nil, "allowedChildClassesEffective")
	if err != nil || e == nil {
		return orMissing(err)
	}
	if has(e, "allowedChildClassesEffective", "user") {
		d.say(levelOK, "The service account may create users in "+plain(sv.ou)+".", "")
	} else {
		d.say(levelError, "The service account may not create users in "+plain(sv.ou)+".", "Give it “Create user objects” and “Delete user objects” there.")
	}
	return nil
}

func has(e *ldap.Entry, attr, value string) bool {
	return slices.ContainsFunc(e.GetAttributeValues(attr), func(v string) bool { return strings.EqualFold(v, value) })
}

// groupsExist looks at each group that can be given and the right to change
// its members.
func (d *doctor) groupsExist(ctx context.Context, sv *server) error {
	sids := slices.Clone(d.groups)
	if d.domainAdmin {
		sids = append([]string{sv.rid(ridDomainAdmins)}, sids...)
	}
	for _, sid := range sids {
		e, err := sv.read(ctx, bySID(sid), nil, "allowedAttributesEffective", "groupType")
		if err != nil {
			return err
		}
		if e == nil {
			d.say(levelError, "There is no group with the SID "+sid+".", "Correct the delegated groups in the target's settings.")
			continue
		}
		name := rdn(e.DN)
		if t, _ := strconv.ParseInt(e.GetAttributeValue("groupType"), 10, 64); t >= 0 {
			d.say(levelError, name+" is a distribution group; membership gives no rights.", "Name security groups only.")
		}
		if has(e, "allowedAttributesEffective", "member") {
			d.say(levelOK, "The service account may change the members of "+name+".", "")
		} else {
			d.say(levelError, "The service account may not change the members of "+name+".", "Give it “Write Members” on that group"+ifAdmins(sid, sv)+".")
		}
		if err := d.nested(ctx, sv, sid, name); err != nil {
			return err
		}
	}
	return nil
}

func ifAdmins(sid string, sv *server) string {
	if sid == sv.rid(ridDomainAdmins) {
		return ", and the same on AdminSDHolder, or use a service account in Administrators"
	}
	return ""
}

// nested warns of a delegated group that leads to the whole domain.
func (d *doctor) nested(ctx context.Context, sv *server, sid, name string) error {
	if sid == sv.rid(ridDomainAdmins) {
		return nil
	}
	leads, err := sv.leadsTo(ctx, sid)
	if err == nil && leads != "" {
		d.say(levelError, "The delegated group "+name+" leads to "+leads+"; it is not given.", "Take it out of the target's settings, or out of "+leads+".")
	}
	return err
}

// revocation looks at the rights that are left an hour after a grant.
func (d *doctor) revocation(ctx context.Context, sv *server) error {
	s, err := survivalOf(ctx, sv)
	if err != nil {
		return err
	}
	const fix = "Either give the service account, on CN=AdminSDHolder,CN=System: Write Members, Reset Password, Write Account Restrictions and Write info; or “Delete user objects” on the organizational unit; or put it into Administrators."
	switch {
	case !s.known && d.domainAdmin:
		d.say(levelWarning, "It could not be read whether the service account may still take Domain Admin away after the hourly protection of administrators.", "Let it read the access lists of AdminSDHolder and of the organizational unit.")
	case !s.known:
	case !s.remove && !s.enough() && d.domainAdmin:
		d.say(levelError, "An hour after a grant the service account could not take Domain Admin away any more: the domain overwrites the access lists of administrators. Domain Admin is not given.", fix)
	case d.domainAdmin && !(s.member && s.reset && s.disable && s.mark):
		d.say(levelWarning, "An hour after a grant the service account can only delete a Domain Admin account, not clean it up: the domain overwrites the access lists of administrators.", fix)
	case d.domainAdmin:
		d.say(levelOK, "The service account may take Domain Admin away also after the hourly protection of administrators.", "")
	}
	if s.known && !s.remove {
		d.say(levelWarning, "The service account may not delete users in the organizational unit, which is the way out when a clean-up is refused.", "Give it “Delete user objects” there.")
	}
	for _, p := range sv.protectedSIDs()[:4] {
		if slices.Contains(sv.tokens, p.sid) {
			d.say(levelInfo, "The service account holds "+p.name+": whoever has its password has the domain.", "That is one of the ways to connect a domain; guard its password and this server like a domain controller.")
			break
		}
	}
	return nil
}

// domain looks at what the domain offers and asks for.
func (d *doctor) domain(ctx context.Context, sv *server) error {
	names := map[int]string{0: "2000", 1: "2003 interim", 2: "2003", 3: "2008", 4: "2008 R2", 5: "2012", 6: "2012 R2", 7: "2016", 10: "2025"}
	level := names[sv.level]
	if level == "" {
		level = "number " + strconv.Itoa(sv.level)
	}
	d.say(levelInfo, "The functional level of the domain is Windows Server "+level+".", "")
	if d.protected {
		g, err := sv.group(ctx, bySID(sv.rid(ridProtectedUsers)))
		if err != nil {
			return err
		}
		if g == nil {
			d.say(levelError, "The domain has no group Protected Users.", "Turn that option off, or raise the domain to Windows Server 2012 R2.")
		}
	}
	ttl, err := sv.hasTTL(ctx)
	if err != nil {
		return err
	}
	if ttl {
		d.say(levelOK, "The domain ends memberships by itself (Privileged Access Management feature); Jitney uses that too.", "")
	} else {
		d.say(levelInfo, "The domain cannot end memberships by itself. It ends sign-ins by the account's expiry date, and Jitney does the rest.", "Optional: the Privileged Access Management feature of Windows Server 2016. Turning it on cannot be undone; Jitney never does.")
	}
	e, err := sv.read(ctx, sv.base, nil, "minPwdLength")
	if err != nil || e == nil {
		return err
	}
	if n, _ := strconv.Atoi(e.GetAttributeValue("minPwdLength")); n > 16 {
		d.say(levelWarning, fmt.Sprintf("The domain asks for passwords of at least %d characters.", n), "Make sure that generated passwords are that long.")
	}
	return nil
}

// strangers looks for accounts in our unit that are not ours.
func (d *doctor) strangers(ctx context.Context, sv *server) error {
	found, err := sv.search(ctx, sv.ou, ldap.ScopeWholeSubtree, "(&(objectClass=user)(!("+markAttr+"="+markPrefix+"*)))", "sAMAccountName")
	if err != nil {
		return err
	}
	if len(found) > 0 {
		d.say(levelWarning, fmt.Sprintf("%d accounts in the organizational unit do not bear Jitney's mark, such as %s.", len(found), plain(found[0].GetAttributeValue("sAMAccountName"))),
			"Keep only temporary accounts there. Jitney does not touch the others.")
	}
	return nil
}
