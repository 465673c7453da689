package directory_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/secret"
	"jitney/sim/directory"
)

func start(t *testing.T, opt directory.Options) *directory.Domain {
	t.Helper()
	d, err := directory.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock is a time that the test moves.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time                  { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) pass(d time.Duration)            { c.now.Add(int64(d)) }
func newClock() *clock                           { c := &clock{}; c.now.Store(time.Now().UnixNano()); return c }
func text(s string) (out secret.Text)            { return secret.New(s) }
func inGroup(a directory.Account, g string) bool { return slices.Contains(a.Groups, g) }

const good = "Good-Passw0rd!"

func TestStartTLSAndNoBindBefore(t *testing.T) {
	d := start(t, directory.Options{})
	c, err := ldap.DialURL(d.Controllers()[0].PlainURL())
	must(t, err)
	defer c.Close()
	if got := code(c.Bind(d.AdminUPN(), d.AdminPassword().Reveal())); got != "8" {
		t.Fatalf("a bind in the clear answers %s", got)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(d.CAPEM()))
	must(t, c.StartTLS(&tls.Config{RootCAs: pool, ServerName: d.Controllers()[0].Host()}))
	must(t, c.Bind(d.AdminUPN(), d.AdminPassword().Reveal()))
	if who, err := c.WhoAmI(nil); err != nil || who.AuthzID != `u:PEDROAVIARY\Administrator` {
		t.Fatalf("%v %v", who, err)
	}
}

func TestNothingIsReadBeforeASignIn(t *testing.T) {
	p := simulated(start(t, directory.Options{}))
	x := &run{t: t, p: p, c: p.dial(t)}
	if _, got := x.read(p.base, "objectSid"); got != "1" {
		t.Fatalf("answers %s", got)
	}
	if e, got := x.read("", "defaultNamingContext"); got != "0" || e.GetAttributeValue("defaultNamingContext") != p.base {
		t.Fatalf("the root answers %s", got)
	}
}

func TestManyObjectsComeInPagesAndManyMembersInRanges(t *testing.T) {
	d := start(t, directory.Options{})
	o := d.Outsider()
	must(t, o.CreateGroup("many", "OU=Jitney,"+d.BaseDN()))
	for n := range 1600 {
		sam := fmt.Sprintf("u%d", n)
		must(t, o.CreateUser(sam, text(good), "OU=Jitney,"+d.BaseDN()))
		must(t, o.AddMember("many", sam))
	}
	p := simulated(d)
	x := &run{t: t, p: p, c: p.admin(t)}
	r := ldap.NewSearchRequest("OU=Jitney,"+p.base, ldap.ScopeWholeSubtree, 0, 0, 20, false, "(objectClass=user)", []string{"cn"}, nil)
	if _, err := x.c.Search(r); code(err) != "4" {
		t.Fatalf("1,600 objects without paging: %v", err)
	}
	all, err := x.c.SearchWithPaging(r, 500)
	if err != nil || len(all.Entries) != 1600 {
		t.Fatalf("%d with paging, %v", len(all.Entries), err)
	}
	e, _ := x.read("CN=many,OU=Jitney,"+p.base, "member")
	if got := len(e.GetAttributeValues("member;range=0-1499")); got != 1500 {
		t.Fatalf("%d in the first range", got)
	}
	e, _ = x.read("CN=many,OU=Jitney,"+p.base, "member;range=1500-*")
	if got := len(e.GetAttributeValues("member;range=1500-*")); got != 100 {
		t.Fatalf("%d in the last range", got)
	}
}

func TestMembershipWithATimeToLiveEndsByItself(t *testing.T) {
	c := newClock()
	d := start(t, directory.Options{PAM: true, Now: c.Now})
	must(t, d.Outsider().CreateUser("tess", text(good), ""))
	must(t, d.Outsider().Set("Domain Admins", "member", "<TTL=60,CN=tess,CN=Users,"+d.BaseDN()+">"))
	p := simulated(d)
	conn := p.admin(t)
	ask := ldap.NewSearchRequest("<SID="+d.SID()+"-512>", 0, 0, 0, 10, false, "(objectClass=*)", []string{"member"}, []ldap.Control{ldap.NewControlString("1.2.840.113556.1.4.2309", true, "")})
	got, err := conn.Search(ask)
	must(t, err)
	if v := got.Entries[0].GetAttributeValues("member"); len(v) != 1 || !strings.HasPrefix(v[0], "<TTL=60,CN=tess,") {
		t.Fatalf("members are %v", v)
	}
	c.pass(61 * time.Second)
	if m := d.Members("Domain Admins"); slices.Contains(m, "tess") {
		t.Fatalf("after its time: %v", m)
	}
}

func TestExpiryAndTheOldPasswordFollowTheClock(t *testing.T) {
	c := newClock()
	d := start(t, directory.Options{Now: c.Now})
	o := d.Outsider()
	must(t, o.CreateUser("old", text(good), ""))
	must(t, o.Reset("old", text("Newer-Passw0rd!")))
	if got := d.SignsIn("old@pedroaviary.local", good); got != "" {
		t.Fatalf("the old password answers %s within the hour", got)
	}
	c.pass(time.Hour)
	if got := d.SignsIn("old@pedroaviary.local", good); got != "52e" {
		t.Fatalf("the old password answers %q after an hour", got)
	}
	must(t, o.Set("old", "accountExpires", fmt.Sprint((c.Now().Unix()+60+11644473600)*1e7)))
	if got := d.SignsIn("old@pedroaviary.local", "Newer-Passw0rd!"); got != "" {
		t.Fatalf("before the end: %s", got)
	}
	c.pass(2 * time.Minute)
	if got := d.SignsIn("old@pedroaviary.local", "Newer-Passw0rd!"); got != "701" {
		t.Fatalf("after the end: %q", got)
	}
}

func TestALaggingControllerStillLetsIn(t *testing.T) {
	c := newClock()
	d := start(t, directory.Options{Controllers: 2, ReplicationDelay: time.Minute, Now: c.Now})
	o := d.Outsider()
	must(t, o.CreateUser("lag", text(good), ""))
	c.pass(2 * time.Minute)
	other := d.Controllers()[1]
	must(t, o.Disable("lag"))
	if got := d.SignsIn("lag@pedroaviary.local", good); got != "533" {
		t.Fatalf("the first controller answers %q", got)
	}
	if got := other.SignsIn("lag@pedroaviary.local", good); got != "" {
		t.Fatalf("the second knows too early: %q", got)
	}
	c.pass(2 * time.Minute)
	if got := other.SignsIn("lag@pedroaviary.local", good); got != "533" {
		t.Fatalf("the second answers %q after replication", got)
	}
}

func TestTwoControllersMakeATwin(t *testing.T) {
	d := start(t, directory.Options{Controllers: 2, ReplicationDelay: -1})
	for _, dc := range d.Controllers() {
		must(t, dc.Outsider().CreateUser("twin", text(good), ""))
		must(t, dc.Outsider().AddMember("Domain Admins", "twin"))
	}
	d.Replicate()
	if got := d.Members("Domain Admins"); len(got) != 3 {
		t.Fatalf("Domain Admins are %v", got)
	}
	if got := d.SignsIn("twin@pedroaviary.local", good); got != "52e" {
		t.Fatalf("a twin answers %q", got)
	}
}

func TestSDPropTakesRightsFromADelegatedAccount(t *testing.T) {
	for _, row := range []struct {
		name        string
		how         directory.Delegation
		grant       string
		after       string
		afterDelete string
	}{
		{"rights on the unit alone never reach Domain Admins", directory.UnitOnly, "50", "50", "0"},
		{"rights on the group last until SDProp", directory.UnitAndGroup, "0", "50", "0"},
		{"rights on AdminSDHolder survive", directory.UnitAndHolder, "0", "0", "0"},
		{"an administrator keeps everything", directory.Administrators, "0", "0", "0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := start(t, directory.Options{})
			ou := "OU=Jitney," + d.BaseDN()
			must(t, d.Outsider().CreateUser("svc", text(good), ""))
			must(t, d.Delegate("svc", ou, row.how))
			p := simulated(d)
			p.upn, p.password = "svc@pedroaviary.local", good
			x := &run{t: t, p: p, c: p.admin(t), ou: ou, sid: d.SID()}
			if got := x.add("temp", map[string]string{"userAccountControl": "512", "unicodePwd": pw(good), "info": "mark"}); got != "0" {
				t.Fatalf("create: %s", got)
			}
			who := "CN=temp," + ou
			if got := x.member("add", x.admins(), who); got != row.grant {
				t.Fatalf("grant: %s", got)
			}
			if row.grant != "0" {
				must(t, d.Outsider().AddMember("Domain Admins", "temp"))
			}
			must(t, d.SDProp())
			for what, got := range map[string]string{"remove": x.member("delete", x.admins(), who), "reset": x.replace(who, "unicodePwd", pw("Other-Passw0rd!")), "disable": x.replace(who, "userAccountControl", "514")} {
				if got != row.after {
					t.Errorf("%s after SDProp: %s", what, got)
				}
			}
			if got := code(x.c.Del(ldap.NewDelRequest(who, nil))); got != row.afterDelete {
				t.Errorf("delete after SDProp: %s", got)
			}
		})
	}
}

func TestFaultsStrikeBeforeAndAfterTheEffect(t *testing.T) {
	d := start(t, directory.Options{})
	p := simulated(d)
	add := func(name string) string {
		x := &run{t: t, p: p, c: p.admin(t), ou: "OU=Jitney," + p.base}
		return x.add(name, nil)
	}
	stop := d.Fail(directory.Fault{Operation: directory.Add, Times: 1})
	if got := add("lost"); got == "0" {
		t.Fatal("a dropped request was answered")
	}
	if _, ok := d.Account("lost"); ok {
		t.Fatal("it had an effect")
	}
	if n := stop(); n != 1 {
		t.Fatalf("%d were hit", n)
	}
	d.Fail(directory.Fault{Operation: directory.Add, After: true, Times: 1, Code: 51})
	if got := add("done"); got != "51" {
		t.Fatalf("answers %s", got)
	}
	if _, ok := d.Account("done"); !ok {
		t.Fatal("it had no effect")
	}
}

func TestADownOrFrozenControllerComesBack(t *testing.T) {
	d := start(t, directory.Options{Controllers: 2})
	second := d.Controllers()[1]
	second.SetDown(true)
	if c, err := ldap.DialURL(second.PlainURL()); err == nil {
		if _, err := c.Search(ldap.NewSearchRequest("", 0, 0, 0, 1, false, "(objectClass=*)", nil, nil)); err == nil {
			t.Fatal("a controller that is down answers")
		}
		c.Close()
	}
	must(t, d.Outsider().CreateUser("later", text(good), ""))
	second.SetDown(false)
	if _, ok := second.Account("later"); !ok {
		t.Fatal("it missed a change while it was down")
	}
	p := simulated(d)
	conn := p.admin(t)
	d.Controllers()[0].Freeze()
	answered := make(chan string, 1)
	x := &run{t: t, p: p, c: conn}
	go func() { _, got := x.read(p.base, "cn"); answered <- got }()
	select {
	case got := <-answered:
		t.Fatalf("a frozen controller answers %s", got)
	case <-time.After(50 * time.Millisecond):
	}
	d.Controllers()[0].Thaw()
	if got := <-answered; got != "0" {
		t.Fatalf("after the thaw: %s", got)
	}
}

func TestTheJournalNamesTheActorAndHoldsNoPassword(t *testing.T) {
	d := start(t, directory.Options{})
	o := d.Outsider()
	must(t, o.CreateUser("jo", text(good), ""))
	must(t, o.Reset("jo", text("Never-Sh0wn-Passw0rd")))
	must(t, o.AddMember("Domain Admins", "jo"))
	must(t, o.Set("jo", "servicePrincipalName", "http/evil"))
	a, ok := d.Account("jo")
	if !ok || !inGroup(a, "Domain Admins") || !inGroup(a, "Administrators") || len(a.SPNs) != 1 || a.ResetsJournaled != 1 {
		t.Fatalf("%+v", a)
	}
	all := fmt.Sprintf("%+v", d.Journal())
	if !strings.Contains(all, "outside") || !strings.Contains(all, "CN=jo") || strings.Contains(all, "Never-Sh0wn") || strings.Contains(all, "N\x00e\x00v") {
		t.Fatalf("journal: %s", all)
	}
}

func TestLockout(t *testing.T) {
	d := start(t, directory.Options{Lockout: 3})
	must(t, d.Outsider().CreateUser("locked", text(good), ""))
	p := simulated(d)
	for range 3 {
		_ = p.dial(t).Bind("locked@"+p.domain, "wrong")
	}
	if got := d.SignsIn("locked@"+p.domain, good); got != "775" {
		t.Fatalf("answers %q", got)
	}
	must(t, d.Outsider().Set("locked", "lockoutTime", "0"))
	if got := d.SignsIn("locked@"+p.domain, good); got != "" {
		t.Fatalf("answers %q after unlocking", got)
	}
}
