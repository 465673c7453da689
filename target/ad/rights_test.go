package ad

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
)

// A delegate is a service account with some rights of its own, and nothing else.
type delegate struct {
	domain
	dn, sid, ou, upn string
	pass             string
}

// delegate makes a service account that may create and keep temporary accounts
// in a unit of its own, as docs/connecting-active-directory.md tells.
func (d domain) delegate(t *testing.T, mayDelete bool) delegate {
	t.Helper()
	id := strings.ToLower(rand.Text()[:8])
	c, ctx := d.connect(t), context.Background()
	out := delegate{domain: d, dn: "CN=svc-" + id + ",CN=Users," + d.base, ou: "OU=Unit " + id + "," + d.base, upn: "svc-" + id + "@" + d.name, pass: "Service-Account-7-" + id}
	ou := ldap.NewAddRequest(out.ou, nil)
	ou.Attribute("objectClass", []string{"organizationalUnit"})
	must(t, c.add(ctx, ou))
	r := ldap.NewAddRequest(out.dn, nil)
	r.Attribute("objectClass", []string{"user"})
	r.Attribute("sAMAccountName", []string{"svc-" + id})
	r.Attribute("userPrincipalName", []string{out.upn})
	r.Attribute("unicodePwd", []string{unicodePwd(secret.New(out.pass))})
	r.Attribute("userAccountControl", []string{"512"})
	must(t, c.add(ctx, r))
	e, err := c.read(ctx, out.dn, nil, "objectSid")
	must(t, err)
	out.sid, err = parseSID(e.GetRawAttributeValue("objectSid"))
	must(t, err)
	children := uint32(1) // create child
	if mayDelete {
		children |= rightDeleteChild
	}
	aces := [][]byte{grantACE(out.sid, children, typeUser, "", false)}
	aces = append(aces, out.accountACEs(true)...)
	d.permit(t, out.ou, aces...)
	return out
}

// accountACEs are the rights over temporary accounts.
func (d delegate) accountACEs(inherit bool) [][]byte {
	forUsers := ""
	if inherit {
		forUsers = typeUser
	}
	aces := [][]byte{grantACE(d.sid, rightControl, typeResetPassword, forUsers, inherit)}
	for _, attr := range []string{typeAccountRestrict, "28630ebf-41d5-11d1-a9c1-0000f80367c1", "bf967a00-0de6-11d0-a285-00aa003049e2", typeInfo, // lockoutTime, primaryGroupID
		"f3a64788-5306-11d1-a9c5-0000f80367c1", "00fbf30c-91fe-11d1-aebc-0000f80367c1"} { // servicePrincipalName, altSecurityIdentities
		aces = append(aces, grantACE(d.sid, rightWriteProperty|0x10, attr, forUsers, inherit))
	}
	return aces
}

func (d delegate) system(t *testing.T, values map[string]string) *system {
	t.Helper()
	all := map[string]string{fieldBindName: d.upn, fieldOU: d.ou}
	for k, v := range values {
		all[k] = v
	}
	set := d.settings(all)
	set.Secrets[fieldBindPass] = secret.New(d.pass)
	sys, err := Kind().Open(t.Context(), "t", set)
	must(t, err)
	return patient(sys)
}

// grantACE is one entry that allows mask on an object type.
func grantACE(sid string, mask uint32, object, inheritedBy string, inherit bool) []byte {
	guid := func(s string) []byte {
		b, _ := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
		slices.Reverse(b[0:4])
		slices.Reverse(b[4:6])
		slices.Reverse(b[6:8])
		return b
	}
	present := uint32(1)
	body := guid(object)
	if inheritedBy != "" {
		present |= 2
		body = append(body, guid(inheritedBy)...)
	}
	raw, err := encodeSID(sid)
	if err != nil {
		panic(err)
	}
	body = append(body, raw...)
	flags := byte(0)
	if inherit {
		flags = 0x2 | aceInheritOnly
	}
	b := []byte{aceAllowObject, flags}
	b = binary.LittleEndian.AppendUint16(b, uint16(12+len(body)))
	b = binary.LittleEndian.AppendUint32(b, mask)
	b = binary.LittleEndian.AppendUint32(b, present)
	return append(b, body...)
}

var onlyList = []ldap.Control{&ldap.ControlMicrosoftSDFlags{ControlValue: 4}}

// permit adds entries to the access list of an object.
func (d domain) permit(t *testing.T, dn string, aces ...[]byte) {
	t.Helper()
	d.editList(t, dn, func(sd []byte) []byte {
		off := int(binary.LittleEndian.Uint32(sd[16:]))
		acl := slices.Clone(sd[off : off+int(binary.LittleEndian.Uint16(sd[off+2:]))])
		acl[0] = 4 // the revision that knows object entries
		for _, a := range aces {
			acl = append(acl, a...)
		}
		binary.LittleEndian.PutUint16(acl[2:], uint16(len(acl)))
		binary.LittleEndian.PutUint16(acl[4:], binary.LittleEndian.Uint16(acl[4:])+uint16(len(aces)))
		return listOnly(binary.LittleEndian.Uint16(sd[2:]), acl)
	})
}

// listOnly is a security descriptor that holds an access list and nothing else.
func listOnly(control uint16, acl []byte) []byte {
	head := make([]byte, 20)
	head[0] = 1
	binary.LittleEndian.PutUint16(head[2:], control|0x8004) // self-relative, with a list
	binary.LittleEndian.PutUint32(head[16:], 20)
	return append(head, acl...)
}

func (d domain) editList(t *testing.T, dn string, edit func([]byte) []byte) {
	t.Helper()
	c, ctx := d.connect(t), context.Background()
	e, err := c.read(ctx, dn, onlyList, "nTSecurityDescriptor")
	if err != nil || e == nil {
		t.Fatal(dn, err)
	}
	r := ldap.NewModifyRequest(dn, onlyList)
	r.Replace("nTSecurityDescriptor", []string{string(edit(e.GetRawAttributeValue("nTSecurityDescriptor")))})
	must(t, c.modify(ctx, r))
}

// protectAdmins does what a Windows domain does every hour and Samba never: it
// gives the access list of AdminSDHolder to Domain Admins and its members.
func (d domain) protectAdmins(t *testing.T) {
	t.Helper()
	c, ctx := d.connect(t), context.Background()
	holder, err := c.read(ctx, "CN=AdminSDHolder,CN=System,"+d.base, onlyList, "nTSecurityDescriptor")
	must(t, err)
	sd := holder.GetRawAttributeValue("nTSecurityDescriptor")
	off := int(binary.LittleEndian.Uint32(sd[16:]))
	protected := listOnly(0x1000, sd[off:off+int(binary.LittleEndian.Uint16(sd[off+2:]))])
	group, err := c.read(ctx, bySID(d.domainSID(t)+"-512"), nil, "member")
	must(t, err)
	for _, dn := range append(group.GetAttributeValues("member"), group.DN) {
		d.editList(t, dn, func([]byte) []byte { return protected })
	}
}

// restoreLists puts access lists back after a test.
func (d domain) restoreLists(t *testing.T) {
	t.Helper()
	for _, dn := range []string{"CN=AdminSDHolder,CN=System," + d.base, "CN=Domain Admins,CN=Users," + d.base, "CN=Administrator,CN=Users," + d.base} {
		e, err := d.connect(t).read(context.Background(), dn, onlyList, "nTSecurityDescriptor")
		if err != nil || e == nil {
			t.Fatal(err)
		}
		sd := e.GetRawAttributeValue("nTSecurityDescriptor")
		t.Cleanup(func() { d.editList(t, dn, func([]byte) []byte { return sd }) })
	}
}

func levels(t *testing.T, s *system, level, says string) bool {
	t.Helper()
	found, err := s.Check(t.Context())
	must(t, err)
	return slices.ContainsFunc(found, func(f access.Finding) bool { return f.Level == level && strings.Contains(f.What, says) })
}

func TestRightsOnDomainAdminsAloneAreNotEnough(t *testing.T) {
	d := corp(t)
	d.restoreLists(t)
	svc := d.delegate(t, false)
	d.permit(t, "CN=Domain Admins,CN=Users,"+d.base, grantACE(svc.sid, rightWriteProperty|0x10, typeMember, "", false))
	s, a := svc.system(t, nil), d.newAccount(t)
	if !levels(t, s, levelError, "could not take Domain Admin away") {
		t.Error("the check does not say that taking away will fail")
	}
	if err := s.Apply(t.Context(), a, hour(DomainAdmin), testPassword); access.KindOf(err) != access.Denied {
		t.Errorf("given without a way back: %v", err)
	}
	if o := look(t, s, &a); o.Exists {
		t.Errorf("something was left: %+v", o)
	}
}

func TestRightsOnAdminSDHolderOutliveTheHourlyProtection(t *testing.T) {
	d := corp(t)
	d.restoreLists(t)
	svc := d.delegate(t, true)
	member := grantACE(svc.sid, rightWriteProperty|0x10, typeMember, "", false)
	d.permit(t, "CN=Domain Admins,CN=Users,"+d.base, member)
	d.permit(t, "CN=AdminSDHolder,CN=System,"+d.base, append(svc.accountACEs(false), member)...)
	s, a := svc.system(t, nil), d.newAccount(t)
	if levels(t, s, levelError, "") {
		found, _ := s.Check(t.Context())
		t.Errorf("the check finds errors: %v", found)
	}
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	if o := look(t, s, &a); !o.Shows(DomainAdmin) {
		t.Fatalf("%+v", o)
	}
	d.protectAdmins(t)
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() || !o.Exists {
		t.Errorf("not cleaned up: %+v", o)
	}
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	d.meddle(t, a) // groups that the service account has no right on
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() || o.Exists {
		t.Errorf("not deleted: %+v", o)
	}
}

func TestAccountThatCannotBeCleanedIsDeleted(t *testing.T) {
	d := corp(t)
	d.restoreLists(t)
	svc := d.delegate(t, true)
	d.permit(t, "CN=Domain Admins,CN=Users,"+d.base, grantACE(svc.sid, rightWriteProperty|0x10, typeMember, "", false))
	s, a := svc.system(t, nil), d.newAccount(t)
	if !levels(t, s, levelWarning, "can only delete") {
		t.Error("the check does not say that accounts will be deleted")
	}
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	o := look(t, s, &a)
	if !o.Shows(DomainAdmin) {
		t.Fatalf("%+v", o)
	}
	name := o.Username
	d.protectAdmins(t)
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() || o.Exists {
		t.Errorf("still there: %+v", o)
	}
	if d.signIn(t, name, testPassword) {
		t.Error("the password still opens it")
	}
}

func TestNeitherCleanedNorDeletedIsSaidLoudly(t *testing.T) {
	d := corp(t)
	d.restoreLists(t)
	svc := d.delegate(t, true)
	d.permit(t, "CN=Domain Admins,CN=Users,"+d.base, grantACE(svc.sid, rightWriteProperty|0x10, typeMember, "", false))
	s, a := svc.system(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	d.protectAdmins(t)
	d.editList(t, svc.ou, func(sd []byte) []byte { return listOnly(0x1000, dropSID(sd, svc.sid)) }) // somebody takes the right to delete away, too
	err := s.Remove(t.Context(), a)
	if e, ok := err.(*access.Error); !ok || e.Kind != access.Denied || !strings.Contains(e.Text, "neither clean up nor delete") || !strings.Contains(e.Hint, "by hand") {
		t.Errorf("got %v", err)
	}
	if o := look(t, s, &a); o.Clean() || !o.Shows(DomainAdmin) {
		t.Errorf("passes for clean: %+v", o)
	}
	must(t, d.open(t, map[string]string{fieldOU: svc.ou}).Remove(t.Context(), a))
}

// dropSID is the access list of sd without the entries of one account.
func dropSID(sd []byte, sid string) []byte {
	off := int(binary.LittleEndian.Uint32(sd[16:]))
	acl := sd[off : off+int(binary.LittleEndian.Uint16(sd[off+2:]))]
	raw, _ := encodeSID(sid)
	out, n := slices.Clone(acl[:8]), uint16(0)
	for rest := acl[8:]; len(rest) >= 8; {
		size := int(binary.LittleEndian.Uint16(rest[2:]))
		if !strings.HasSuffix(string(rest[:size]), string(raw)) {
			out, n = append(out, rest[:size]...), n+1
		}
		rest = rest[size:]
	}
	binary.LittleEndian.PutUint16(out[2:], uint16(len(out)))
	binary.LittleEndian.PutUint16(out[4:], n)
	return out
}

func TestDelegatedGroupsNeedNoPowerOverAdministrators(t *testing.T) {
	d := corp(t)
	svc := d.delegate(t, true)
	group := d.makeGroup(t, "Agreed "+svc.sid[len(svc.sid)-4:])
	d.permit(t, bySID(group), grantACE(svc.sid, rightWriteProperty|0x10, typeMember, "", false))
	s, a := svc.system(t, map[string]string{fieldDomainAdmin: no, fieldGroups: group}), d.newAccount(t)
	if levels(t, s, levelError, "") {
		found, _ := s.Check(t.Context())
		t.Errorf("the check finds errors: %v", found)
	}
	if err := s.Apply(t.Context(), a, hour(DomainAdmin), testPassword); access.KindOf(err) != access.Denied {
		t.Errorf("gives Domain Admin although it may not: %v", err)
	}
	must(t, s.Apply(t.Context(), a, hour(Delegated), testPassword))
	if o := look(t, s, &a); !o.Shows(Delegated) {
		t.Fatalf("%+v", o)
	}
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() || !o.Exists {
		t.Errorf("not clean: %+v", o)
	}
}

func TestDelegatedGroupThatLeadsToDomainAdminsIsRefused(t *testing.T) {
	d := corp(t)
	group, admins := d.makeGroup(t, "Sly "+strings.ToLower(rand.Text()[:6])), bySID(d.domainSID(t)+"-512")
	d.mustChange(t, admins, func(r *ldap.ModifyRequest) { r.Add("member", []string{bySID(group)}) })
	t.Cleanup(func() {
		_ = d.change(t, admins, func(r *ldap.ModifyRequest) { r.Delete("member", []string{bySID(group)}) })
	})
	s, a := d.open(t, map[string]string{fieldGroups: group}), d.newAccount(t)
	if !levels(t, s, levelError, "leads to Domain Admins") {
		t.Error("the check does not say it")
	}
	if err := s.Apply(t.Context(), a, hour(Delegated), testPassword); access.KindOf(err) != access.Denied {
		t.Errorf("given: %v", err)
	}
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() {
		t.Errorf("not clean: %+v", o)
	}
}
