package ad

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
	"jitney/target/targettest"
)

// newAccount is one that the domain has never seen, with a name that has to be
// shortened.
func (d domain) newAccount(*testing.T) access.Account {
	id := strings.ToLower(rand.Text()[:12])
	return access.Account{ID: id, Holder: access.Holder{Person: "person-" + id, Login: "Technician." + id + "@msp.example", Name: "Tech, Nick=ian"}}
}

// helpers makes the security group that the entitlement Delegated gives.
func (d domain) helpers(t *testing.T) (sid string) {
	t.Helper()
	return d.makeGroup(t, "Jitney Helpers")
}

func (d domain) makeGroup(t *testing.T, name string) (sid string) {
	t.Helper()
	c, dn := d.connect(t), "CN="+name+",CN=Users,"+d.base
	r := ldap.NewAddRequest(dn, nil)
	r.Attribute("objectClass", []string{"group"})
	r.Attribute("sAMAccountName", []string{name})
	if err := c.add(context.Background(), r); err != nil && !isCode(err, ldap.LDAPResultEntryAlreadyExists) {
		t.Fatal(err)
	}
	e, err := c.read(context.Background(), dn, nil, "objectSid")
	if err != nil || e == nil {
		t.Fatal(err)
	}
	sid, err = parseSID(e.GetRawAttributeValue("objectSid"))
	if err != nil {
		t.Fatal(err)
	}
	return sid
}

// domainSID asks the domain for its SID.
func (d domain) domainSID(t *testing.T) string {
	t.Helper()
	e, err := d.connect(t).read(context.Background(), d.base, nil, "objectSid")
	if err != nil || e == nil {
		t.Fatal(err)
	}
	sid, err := parseSID(e.GetRawAttributeValue("objectSid"))
	if err != nil {
		t.Fatal(err)
	}
	return sid
}

// dnOf finds the account that bears a's mark.
func (d domain) dnOf(t *testing.T, a access.Account) string {
	t.Helper()
	found, err := d.connect(t).search(context.Background(), d.base, ldap.ScopeWholeSubtree, "(info=jitney:"+a.ID+":*)", "info")
	if err != nil || len(found) != 1 {
		t.Fatalf("%d accounts bear the mark of %s: %v", len(found), a.ID, err)
	}
	return found[0].DN
}

// change makes one change as an administrator.
func (d domain) change(t *testing.T, dn string, build func(*ldap.ModifyRequest)) error {
	t.Helper()
	r := ldap.NewModifyRequest(dn, nil)
	build(r)
	return d.connect(t).modify(context.Background(), r)
}

func (d domain) mustChange(t *testing.T, dn string, build func(*ldap.ModifyRequest)) {
	t.Helper()
	if err := d.change(t, dn, build); err != nil {
		t.Fatalf("change %s: %v", dn, err)
	}
}

// meddle plants what a technician could plant: groups, a primary group that
// hides a membership, and ways in without the password.
func (d domain) meddle(t *testing.T, a access.Account) {
	t.Helper()
	dn, sid := d.dnOf(t, a), d.domainSID(t)
	for _, g := range []string{sid + "-512", sid + "-519", "S-1-5-32-551"} {
		if err := d.change(t, bySID(g), func(r *ldap.ModifyRequest) { r.Add("member", []string{dn}) }); err != nil && !isCode(err, ldap.LDAPResultEntryAlreadyExists) {
			t.Fatal(err)
		}
	}
	d.mustChange(t, dn, func(r *ldap.ModifyRequest) { r.Replace("primaryGroupID", []string{"512"}) })
	d.mustChange(t, dn, func(r *ldap.ModifyRequest) {
		r.Replace("servicePrincipalName", []string{"HTTP/backdoor-" + a.ID})
		r.Replace("altSecurityIdentities", []string{"X509:<I>CN=evil<S>CN=" + a.ID})
	})
	uac := 0x10000 | 0x400000 | uacNormal
	if e, err := d.connect(t).read(context.Background(), dn, nil, "userAccountControl"); err != nil || e == nil {
		t.Fatal(err)
	} else if now, _ := strconv.Atoi(e.GetAttributeValue("userAccountControl")); now&uacDisabled != 0 {
		uac |= uacDisabled
	}
	d.mustChange(t, dn, func(r *ldap.ModifyRequest) { r.Replace("userAccountControl", []string{strconv.Itoa(uac)}) })
}

func (d domain) takeAway(t *testing.T, a access.Account) {
	t.Helper()
	dn := d.dnOf(t, a)
	d.mustChange(t, bySID(d.domainSID(t)+"-512"), func(r *ldap.ModifyRequest) { r.Delete("member", []string{dn}) })
}

// squat makes a user of the customer's under the name that a would get.
func (d domain) squat(t *testing.T, a access.Account) func() bool {
	t.Helper()
	n := NameFor(a.Holder.Login, a.Holder.Person, d.name, "", 0)
	c, dn := d.connect(t), "CN=Somebody "+a.ID+",CN=Users,"+d.base
	r := ldap.NewAddRequest(dn, nil)
	r.Attribute("objectClass", []string{"user"})
	r.Attribute("sAMAccountName", []string{n.SAM})
	r.Attribute("info", []string{"jitney:" + a.ID + ":live:1:forged"}) // a mark outside our unit counts for nothing
	if err := c.add(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		e, err := d.connect(t).read(context.Background(), dn, nil, "uSNChanged", "userAccountControl", "memberOf", "info")
		if err != nil || e == nil {
			return "gone"
		}
		return e.GetAttributeValue("uSNChanged") + e.GetAttributeValue("userAccountControl") + e.GetAttributeValue("info") + strings.Join(e.GetAttributeValues("memberOf"), ";")
	}
	before := state()
	return func() bool { return state() == before }
}

func (d domain) signIn(t *testing.T, username string, password secret.Text) bool {
	t.Helper()
	err := d.bindResult(t, username, password)
	if err != nil && !isCode(err, ldap.LDAPResultInvalidCredentials) {
		t.Fatalf("the domain controller neither lets %s in nor refuses: %v", username, err)
	}
	return err == nil
}

func (d domain) bindResult(t *testing.T, username string, password secret.Text) error {
	t.Helper()
	c := d.dial(t)
	defer c.Close()
	return c.bind(context.Background(), username, password.Reveal())
}

// peer is d as the shared suite wants it.
func (d domain) peer(t *testing.T) targettest.Peer {
	values := map[string]string{fieldGroups: d.helpers(t) + " Jitney Helpers"}
	return targettest.Peer{
		Open:         func(t *testing.T) target.System { return d.open(t, values) },
		Account:      d.newAccount,
		Entitlements: []string{DomainAdmin, Delegated},
		SignIn:       d.signIn,
		Meddle:       d.meddle,
		TakeAway:     d.takeAway,
		Squat:        d.squat,
		Faulty: func(t *testing.T, n int, f targettest.Fault) (target.System, func() bool) {
			p := newProxy(t, d, n, f)
			return d.open(t, map[string]string{fieldGroups: values[fieldGroups], fieldControllers: p.addr, fieldCA: p.ca}), p.hit
		},
	}
}

func TestSuiteOnSamba(t *testing.T) {
	targettest.Run(t, corp(t).peer(t))
}
