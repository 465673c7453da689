package directory_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/lab"
	"jitney/secret"
	"jitney/sim/directory"
)

// A place is a domain that the same steps run on: the simulation, or Samba.
type place struct {
	name            string
	url, host, base string
	upn, password   string
	domain, netbios string
	ca              string
}

func simulated(d *directory.Domain) place {
	return place{name: "simulation", url: d.URL(), host: d.Controllers()[0].Host(), base: d.BaseDN(), upn: d.AdminUPN(), password: d.AdminPassword().Reveal(),
		domain: d.Name(), netbios: d.NetBIOS(), ca: d.CAPEM()}
}

func real(t *testing.T) place {
	s := lab.Samba(t, 0)
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	return place{name: "Samba", url: s.URL, host: s.Host, base: s.BaseDN, upn: s.UPN, password: s.Password, domain: s.DNSDomain, netbios: s.NetBIOS, ca: string(ca)}
}

func (p place) dial(t *testing.T) *ldap.Conn {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(p.ca))
	c, err := ldap.DialURL(p.url, ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool, ServerName: p.host}))
	if err != nil {
		t.Fatal(err)
	}
	c.SetTimeout(2 * time.Minute)
	t.Cleanup(func() { c.Close() })
	return c
}

func (p place) admin(t *testing.T) *ldap.Conn {
	t.Helper()
	c := p.dial(t)
	if err := c.Bind(p.upn, p.password); err != nil {
		t.Fatal(err)
	}
	return c
}

// code tells an error as its LDAP result, with the data code of a refused sign-in.
func code(err error) string {
	if err == nil {
		return "0"
	}
	var e *ldap.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	out := fmt.Sprint(e.ResultCode)
	if _, rest, ok := strings.Cut(err.Error(), "data "); ok && e.ResultCode == 49 {
		data, _, _ := strings.Cut(rest, ",")
		out += " " + data
	}
	return out
}

func pw(s string) string { return directory.EncodePassword(secret.New(s)) }

// A step is one request; its outcome is a result code or what was read.
type step struct {
	name    string
	do      func(x *run) string
	differs string // why Samba may answer otherwise, and that it must
}

// A run is one pass of all steps over one place.
type run struct {
	t       *testing.T
	p       place
	c       *ldap.Conn
	ou      string
	sid     string
	id      string // <GUID=…> of the account
	account string
}

func (x *run) bind(name, password string) string { return code(x.p.dial(x.t).Bind(name, password)) }

func (x *run) add(sam string, more map[string]string) string {
	r := ldap.NewAddRequest("CN="+sam+","+x.ou, nil)
	r.Attribute("objectClass", []string{"user"})
	r.Attribute("sAMAccountName", []string{sam})
	for k, v := range more {
		r.Attribute(k, []string{v})
	}
	return code(x.c.Add(r))
}

func (x *run) replace(dn, attr string, values ...string) string {
	r := ldap.NewModifyRequest(dn, nil)
	r.Replace(attr, values)
	return code(x.c.Modify(r))
}

func (x *run) member(op, group, who string) string {
	r := ldap.NewModifyRequest(group, nil)
	if op == "add" {
		r.Add("member", []string{who})
	} else {
		r.Delete("member", []string{who})
	}
	return code(x.c.Modify(r))
}

func (x *run) read(base string, attrs ...string) (*ldap.Entry, string) {
	got, err := x.c.Search(ldap.NewSearchRequest(base, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", attrs, nil))
	if err != nil || len(got.Entries) == 0 {
		return ldap.NewEntry("", nil), code(err)
	}
	return got.Entries[0], "0"
}

func (x *run) find(filter string) string {
	got, err := x.c.Search(ldap.NewSearchRequest(x.ou, ldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"sAMAccountName"}, nil))
	if err != nil {
		return code(err)
	}
	var out []string
	for _, e := range got.Entries {
		out = append(out, e.GetAttributeValue("sAMAccountName"))
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// tokens tells which of the well-known groups are in tokenGroups.
func (x *run) tokens() string {
	e, result := x.read(x.id, "tokenGroups")
	if result != "0" {
		return result
	}
	var out []string
	for _, rid := range []string{"512", "513", "525"} {
		for _, raw := range e.GetRawAttributeValues("tokenGroups") {
			if directory.TextSID(raw) == x.sid+"-"+rid {
				out = append(out, rid)
			}
		}
	}
	return strings.Join(out, ",")
}

const (
	first, second, third = "First-Passw0rd!", "Second-Passw0rd!", "Third-Passw0rd!"
)

func (x *run) upn() string    { return x.account + "@" + x.p.domain }
func (x *run) admins() string { return "<SID=" + x.sid + "-512>" }

var steps = []step{
	{name: "an account is made with everything in one request", do: func(x *run) string {
		return x.add(x.account, map[string]string{"userPrincipalName": x.upn(), "userAccountControl": "512", "unicodePwd": pw(first), "accountExpires": "0"})
	}},
	{name: "its identity can be read", do: func(x *run) string {
		e, result := x.read("CN="+x.account+","+x.ou, "objectGUID")
		x.id = fmt.Sprintf("<GUID=%x>", e.GetRawAttributeValue("objectGUID"))
		return result
	}},
	{name: "a second one of that name is refused", do: func(x *run) string { return x.add(x.account, nil) }},
	{name: "a weak password is refused", do: func(x *run) string {
		return x.add("weak", map[string]string{"userAccountControl": "512", "unicodePwd": pw("short")})
	}},
	{name: "and leaves nothing behind", do: func(x *run) string { _, r := x.read("CN=weak,"+x.ou, "cn"); return r }},
	{name: "a password without quotes is refused", do: func(x *run) string { return x.replace(x.id, "unicodePwd", "N0-quotes-here!!") }},
	{name: "a name of forbidden characters is refused", do: func(x *run) string {
		r := ldap.NewAddRequest("CN=forbidden,"+x.ou, nil)
		r.Attribute("objectClass", []string{"user"})
		r.Attribute("sAMAccountName", []string{"a*b"})
		return code(x.c.Add(r))
	}},
	{name: "a name of 24 characters is refused", do: func(x *run) string { return x.add("example.user-pedroaviary", nil) }, differs: "Samba takes up to 256 characters"},
	{name: "an enabled account without a password is refused", do: func(x *run) string { return x.add("naked", map[string]string{"userAccountControl": "512"}) }, differs: "Samba enables it"},
	{name: "sign-in by user principal name works", do: func(x *run) string { return x.bind(x.upn(), first) }},
	{name: "sign-in by DOMAIN\\name works", do: func(x *run) string { return x.bind(x.p.netbios+`\`+x.account, first) }},
	{name: "sign-in by DN works", do: func(x *run) string { return x.bind("CN="+x.account+","+x.ou, first) }},
	{name: "a wrong password is 52e", do: func(x *run) string { return x.bind(x.upn(), "wrong") }},
	{name: "an unknown user is 525", do: func(x *run) string { return x.bind("nobody@"+x.p.domain, "wrong") }, differs: "Samba says 52e"},
	{name: "it joins Domain Admins by SID and GUID", do: func(x *run) string { return x.member("add", x.admins(), x.id) }},
	{name: "twice is refused", do: func(x *run) string { return x.member("add", x.admins(), x.id) }},
	{name: "its token shows the group", do: func(x *run) string { return x.tokens() }},
	{name: "tokenGroups needs the base scope", do: func(x *run) string {
		_, err := x.c.Search(ldap.NewSearchRequest(x.ou, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=user)", []string{"tokenGroups"}, nil))
		return code(err)
	}},
	{name: "Domain Admins becomes its primary group", do: func(x *run) string { return x.replace(x.id, "primaryGroupID", "512") }},
	{name: "removal is then refused", do: func(x *run) string { return x.member("delete", x.admins(), x.id) }},
	{name: "while the power stays", do: func(x *run) string { return x.tokens() }},
	{name: "Domain Users becomes primary again", do: func(x *run) string { return x.replace(x.id, "primaryGroupID", "513") }},
	{name: "a group that it is not in cannot become primary", do: func(x *run) string { return x.replace(x.id, "primaryGroupID", "519") }},
	{name: "now removal works", do: func(x *run) string { return x.member("delete", x.admins(), x.id) }},
	{name: "twice is refused again", do: func(x *run) string { return x.member("delete", x.admins(), x.id) }},
	{name: "the power is gone", do: func(x *run) string { return x.tokens() }},
	{name: "one reset", do: func(x *run) string { return x.replace(x.id, "unicodePwd", pw(second)) }},
	{name: "leaves the old password alive", do: func(x *run) string { return x.bind(x.upn(), first) }},
	{name: "a second reset", do: func(x *run) string { return x.replace(x.id, "unicodePwd", pw(third)) }},
	{name: "closes it", do: func(x *run) string { return x.bind(x.upn(), first) }},
	{name: "must change is 773", do: func(x *run) string { x.replace(x.id, "pwdLastSet", "0"); return x.bind(x.upn(), third) }},
	{name: "and passes", do: func(x *run) string { return x.replace(x.id, "pwdLastSet", "-1") }},
	{name: "an end in the past is 701", do: func(x *run) string {
		x.replace(x.id, "accountExpires", "116444736000000001")
		return x.bind(x.upn(), third)
	}},
	{name: "disabled wins as 533", do: func(x *run) string { x.replace(x.id, "userAccountControl", "514"); return x.bind(x.upn(), third) }},
	{name: "with a wrong password it is 52e", do: func(x *run) string { return x.bind(x.upn(), "wrong") }},
	{name: "enabled in one modify", do: func(x *run) string {
		r := ldap.NewModifyRequest(x.id, nil)
		r.Replace("unicodePwd", []string{pw("Fourth-Passw0rd!")})
		r.Replace("userAccountControl", []string{"512"})
		r.Replace("accountExpires", []string{"0"})
		r.Replace("lockoutTime", []string{"0"})
		return code(x.c.Modify(r))
	}},
	{name: "signs in again", do: func(x *run) string { return x.bind(x.upn(), "Fourth-Passw0rd!") }},
	{name: "Protected Users cannot bind", do: func(x *run) string {
		x.member("add", "<SID="+x.sid+"-525>", x.id)
		out := x.bind(x.upn(), "Fourth-Passw0rd!")
		x.member("delete", "<SID="+x.sid+"-525>", x.id)
		return out
	}},
	{name: "info is set once", do: func(x *run) string { return x.replace(x.id, "info", "one") }},
	{name: "compare and set refuses a stale value", do: func(x *run) string {
		r := ldap.NewModifyRequest(x.id, nil)
		r.Replace("description", []string{"must not stay"})
		r.Delete("info", []string{"stale"})
		r.Add("info", []string{"two"})
		return code(x.c.Modify(r))
	}},
	{name: "and changes nothing", do: func(x *run) string {
		e, _ := x.read(x.id, "info", "description")
		return e.GetAttributeValue("info") + e.GetAttributeValue("description")
	}},
	{name: "filters find by bit, prefix, class and absence", do: func(x *run) string {
		return x.find("(&(objectClass=user)(userAccountControl:1.2.840.113556.1.4.803:=512)(info=on*)(!(description=*))(|(cn=none)(sAMAccountName=" + x.account + ")))")
	}},
	{name: "a time to live is refused without the feature", do: func(x *run) string { return x.member("add", x.admins(), "<TTL=60,CN="+x.account+","+x.ou+">") }},
	{name: "a rename keeps the identity", do: func(x *run) string {
		return code(x.c.ModifyDN(ldap.NewModifyDNRequest("CN="+x.account+","+x.ou, "CN=Renamed \\, \\+", true, "")))
	}},
	{name: "found by GUID afterwards", do: func(x *run) string { e, _ := x.read(x.id, "cn"); return e.GetAttributeValue("cn") }},
	{name: "a broken DN is 34", do: func(x *run) string { _, r := x.read("this is no DN", "cn"); return r }},
	{name: "an unknown DN is 32", do: func(x *run) string { _, r := x.read("CN=none,"+x.ou, "cn"); return r }},
	{name: "a unit with children cannot be deleted", do: func(x *run) string { return code(x.c.Del(ldap.NewDelRequest(x.ou, nil))) }},
	{name: "the account is deleted", do: func(x *run) string { return code(x.c.Del(ldap.NewDelRequest(x.id, nil))) }},
	{name: "and gone", do: func(x *run) string { _, r := x.read(x.id, "cn"); return r }},
	{name: "an unknown critical control is 12", do: func(x *run) string {
		_, err := x.c.Search(ldap.NewSearchRequest(x.ou, 0, 0, 0, 0, false, "(objectClass=*)", []string{"cn"}, []ldap.Control{ldap.NewControlString("1.2.3.4.5", true, "")}))
		return code(err)
	}, differs: "Samba ignores it"},
}

func (x *run) prepare() {
	x.account = "sim.compare"
	x.ou = "OU=Compare-" + fmt.Sprint(time.Now().UnixNano()) + "," + x.p.base
	x.c = x.p.admin(x.t)
	r := ldap.NewAddRequest(x.ou, nil)
	r.Attribute("objectClass", []string{"organizationalUnit"})
	if err := x.c.Add(r); err != nil {
		x.t.Fatal(err)
	}
	e, _ := x.read(x.p.base, "objectSid")
	x.sid = directory.TextSID(e.GetRawAttributeValue("objectSid"))
}

func TestTheSimulationAnswersAsSambaDoes(t *testing.T) {
	d := start(t, directory.Options{})
	sim, samba := &run{t: t, p: simulated(d)}, &run{t: t, p: real(t)}
	sim.prepare()
	samba.prepare()
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			got, want := s.do(sim), s.do(samba)
			if s.differs == "" && got != want {
				t.Errorf("the simulation answers %q, Samba %q", got, want)
			}
			if s.differs != "" && got == want {
				t.Errorf("both answer %q, though %s", got, s.differs)
			}
		})
	}
}

func (p place) rawTLS(t *testing.T) *tls.Conn {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(p.ca))
	c, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "ldaps://"), &tls.Config{RootCAs: pool, ServerName: p.host})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
