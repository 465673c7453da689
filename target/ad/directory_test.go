package ad

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
)

func hour(entitlements ...string) access.Want {
	w := access.Want{Until: time.Now().Add(time.Hour).UTC()}
	for _, e := range entitlements {
		w.Entitlements = append(w.Entitlements, access.Entitled{Name: e, Until: w.Until})
	}
	return w
}

var testPassword = secret.New("Correct-Horse-7-Battery")

func must(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if e, ok := err.(*access.Error); ok {
		t.Fatalf("%s (%s) %v", e.Text, e.Hint, e.Err)
	}
	t.Fatal(err)
}

// look observes and keeps what a reconciler keeps.
func look(t *testing.T, s *system, a *access.Account) access.Observation {
	t.Helper()
	o, err := s.Observe(t.Context(), *a)
	must(t, err)
	a.Seen, a.Username, a.ObjectID = o, o.Username, o.ObjectID
	return o
}

func TestGroupsAreFoundBySIDAndNotByName(t *testing.T) {
	d := acme(t)
	admins, users := bySID(d.domainSID(t)+"-512"), "CN=Users,"+d.base
	c, ctx := d.connect(t), context.Background()
	ou := ldap.NewAddRequest(`OU=Groups\, special,`+d.base, nil)
	ou.Attribute("objectClass", []string{"organizationalUnit"})
	if err := c.add(ctx, ou); err != nil && !isCode(err, ldap.LDAPResultEntryAlreadyExists) {
		t.Fatal(err)
	}
	rename := func(rdn, parent string) {
		t.Helper()
		e, err := c.read(ctx, admins, nil, "cn")
		if err != nil || e == nil {
			t.Fatal(err)
		}
		must(t, c.ldap.ModifyDN(ldap.NewModifyDNRequest(e.DN, rdn, true, parent)))
		must(t, d.change(t, admins, func(r *ldap.ModifyRequest) { r.Replace("sAMAccountName", []string{"dn-" + rdn[3:6]}) }))
	}
	rename(`CN=Domänen-Admins \+ \"x\"`, `OU=Groups\, special,`+d.base)
	decoy := d.makeGroup(t, "Domain Admins")
	t.Cleanup(func() {
		_ = c.delete(ctx, "CN=Domain Admins,"+users)
		rename("CN=Domain Admins", users)
	})
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	if o := look(t, s, &a); !o.Shows(DomainAdmin) || len(o.Extra) > 0 {
		t.Fatalf("not found by SID: %+v", o)
	}
	if e, err := c.read(ctx, bySID(decoy), nil, "member"); err != nil || len(e.GetAttributeValues("member")) > 0 {
		t.Errorf("the decoy has members: %v, %v", e, err)
	}
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() {
		t.Errorf("not clean: %+v", o)
	}
}

func TestAccountIsFoundWhereverItWasMoved(t *testing.T) {
	d := corp(t)
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	c := d.connect(t)
	must(t, c.ldap.ModifyDN(ldap.NewModifyDNRequest(d.dnOf(t, a), "CN=Renamed "+a.ID, true, "CN=Users,"+d.base)))
	if o := look(t, s, &a); !o.Shows(DomainAdmin) {
		t.Fatalf("lost after it was moved: %+v", o)
	}
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() || !o.Exists {
		t.Errorf("not clean: %+v", o)
	}
}

func TestTwoPeopleWithOneReadableNameGetTwoAccounts(t *testing.T) {
	d := corp(t)
	s := d.open(t, nil)
	a, b := d.newAccount(t), d.newAccount(t)
	a.Holder.Login, b.Holder.Login = "al."+a.ID[:4]+"@one.example", "al."+a.ID[:4]+"@two.example"
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	must(t, s.Apply(t.Context(), b, hour(DomainAdmin), testPassword))
	oa, ob := look(t, s, &a), look(t, s, &b)
	if oa.Username == ob.Username || oa.ObjectID == ob.ObjectID || !ob.Shows(DomainAdmin) {
		t.Errorf("%+v and %+v", oa, ob)
	}
	must(t, s.Remove(t.Context(), a))
	if oa, ob = look(t, s, &a), look(t, s, &b); !oa.Clean() || !ob.Shows(DomainAdmin) {
		t.Errorf("the end of one touched the other: %+v and %+v", oa, ob)
	}
	must(t, s.Remove(t.Context(), b))
}

func TestLateApplyDoesNotUndoACleanUp(t *testing.T) {
	d := corp(t)
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	must(t, s.Remove(t.Context(), a))
	sv, _, _, err := s.first(t.Context())
	must(t, err)
	defer sv.Close()
	late := granting{server: sv, a: a, want: hour(DomainAdmin), groups: []string{sv.rid(ridDomainAdmins)}, password: testPassword, until: time.Now().Add(time.Hour)}
	acc, err := late.settle(t.Context(), false) // it has read, and then sleeps while others work
	must(t, err)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	must(t, s.Remove(t.Context(), a))
	if _, err := late.enable(t.Context(), acc, false); access.KindOf(err) != access.Conflict {
		t.Errorf("the late change got through: %v", err)
	}
	if o := look(t, s, &a); !o.Clean() {
		t.Errorf("not clean: %+v", o)
	}
}

func TestProtectedUsers(t *testing.T) {
	d := corp(t)
	if e, err := d.connect(t).read(context.Background(), bySID(d.domainSID(t)+"-525"), nil, "cn"); err != nil || e == nil {
		t.Fatal("the lab's domain has no Protected Users", err)
	}
	s, a := d.open(t, map[string]string{fieldProtected: yes}), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword)) // its own sign-in check meets 52f
	o := look(t, s, &a)
	if !o.Shows(DomainAdmin) || len(o.Extra) > 0 {
		t.Fatalf("%+v", o)
	}
	if err := d.bindResult(t, o.Username, testPassword); err == nil || bindCode(err) != "52f" {
		t.Errorf("not restricted: %v", err)
	}
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() {
		t.Errorf("not clean: %+v", o)
	}
}

func TestSecondAccountWithTheSameMarkLosesItsPower(t *testing.T) {
	d := corp(t)
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	c, dn := d.connect(t), "CN=Twin "+a.ID+",OU=Jitney,"+d.base
	r := ldap.NewAddRequest(dn, nil)
	r.Attribute("objectClass", []string{"user"})
	r.Attribute("sAMAccountName", []string{"twin-" + a.ID})
	r.Attribute("unicodePwd", []string{unicodePwd(testPassword)})
	r.Attribute("userAccountControl", []string{"512"})
	r.Attribute("info", []string{mark{id: a.ID}.next(phaseLive, 1).String()})
	must(t, c.add(context.Background(), r))
	d.mustChange(t, bySID(d.domainSID(t)+"-512"), func(r *ldap.ModifyRequest) { r.Add("member", []string{dn}) })
	if o := look(t, s, &a); len(o.Extra) == 0 {
		t.Fatalf("a second account hides behind the mark: %+v", o)
	}
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() {
		t.Errorf("not clean: %+v", o)
	}
	if d.signIn(t, "twin-"+a.ID+"@"+d.name, testPassword) {
		t.Error("the second account still works")
	}
}

func TestPasswordThatThePolicyRefuses(t *testing.T) {
	d := corp(t)
	s, a := d.open(t, nil), d.newAccount(t)
	err := s.Apply(t.Context(), a, hour(DomainAdmin), secret.New("short"))
	if access.KindOf(err) != access.Invalid || !strings.Contains(err.Error(), "longer password") && !strings.Contains(err.Error(), "refused the password") {
		t.Errorf("got %v", err)
	}
	if o := look(t, s, &a); o.Exists || !o.Clean() {
		t.Errorf("something was left: %+v", o)
	}
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	if err := s.Apply(t.Context(), a, hour(DomainAdmin), secret.New("short")); access.KindOf(err) != access.Invalid {
		t.Errorf("got %v", err)
	}
	must(t, s.Remove(t.Context(), a))
}

func TestServersThatCannotProveWhoTheyAre(t *testing.T) {
	d := corp(t)
	p := newProxy(t, d, 0, "")
	_, port, _ := strings.Cut(p.addr, ":")
	tests := []struct {
		name   string
		values map[string]string
		says   string
	}{
		{"an authority that is not trusted", map[string]string{fieldCA: ""}, "authority that is not trusted"},
		{"a certificate for another name", map[string]string{fieldControllers: "localhost:" + port, fieldCA: p.ca}, "not made out to that name"},
		{"a port that does not speak TLS", map[string]string{fieldControllers: d.addr + ":389"}, "Could not open a protected connection"},
		{"nobody listens", map[string]string{fieldControllers: "127.0.0.1:1"}, "did not answer"},
		{"another domain", map[string]string{fieldDomain: "elsewhere.test"}, "serves another domain"},
		{"a unit that does not exist", map[string]string{fieldOU: "OU=Nowhere," + d.base}, "organizational unit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := d.open(t, tt.values).Observe(t.Context(), d.newAccount(t))
			e, ok := err.(*access.Error)
			if !ok || !strings.Contains(e.Text, tt.says) {
				t.Fatalf("got %v, want it to say %q", err, tt.says)
			}
			if strings.Contains(err.Error(), d.pass) {
				t.Error("the error holds the password")
			}
			found, err := d.open(t, tt.values).Check(t.Context())
			if err != nil || !slices.ContainsFunc(found, func(f access.Finding) bool { return f.Level == levelError && strings.Contains(f.What, tt.says) }) {
				t.Errorf("the check does not say it: %v, %v", found, err)
			}
		})
	}
}

func TestStartTLS(t *testing.T) {
	d := corp(t)
	s, a := d.open(t, map[string]string{fieldProtocol: protocolStartTLS}), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	if o := look(t, s, &a); !o.Shows(DomainAdmin) {
		t.Errorf("%+v", o)
	}
	must(t, s.Remove(t.Context(), a))
	if _, err := d.open(t, map[string]string{fieldProtocol: protocolStartTLS, fieldCA: ""}).Observe(t.Context(), a); err == nil {
		t.Error("StartTLS takes any certificate")
	}
}

func TestWrongServicePasswordIsTriedOnce(t *testing.T) {
	d := corp(t)
	p := newProxy(t, d, 0, "")
	set := d.settings(map[string]string{fieldControllers: p.addr + "\n" + p.addr + "\n" + p.addr, fieldCA: p.ca})
	set.Secrets[fieldBindPass] = secret.New("Wrong-Password-42")
	sys, err := Kind().Open(t.Context(), "t", set)
	must(t, err)
	_, err = patient(sys).Observe(t.Context(), d.newAccount(t))
	if access.KindOf(err) != access.Denied || strings.Contains(err.Error(), "Wrong-Password-42") {
		t.Errorf("got %v", err)
	}
	if n := p.binds(); n != 1 {
		t.Errorf("tried %d times; that locks the account", n)
	}
}

// TestSambaItselfSawIt asks the domain controller's own audit log, which does
// not depend on anything that Jitney says.
func TestSambaItselfSawIt(t *testing.T) {
	d := corp(t)
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	look(t, s, &a)
	dn := d.dnOf(t, a)
	must(t, s.Remove(t.Context(), a))
	if o := look(t, s, &a); !o.Clean() {
		t.Fatalf("not clean: %+v", o)
	}
	var added, removed, resets, enabled, disabled int
	deadline := time.Now().Add(time.Minute)
	for {
		added, removed, resets, enabled, disabled = d.witness(t, dn)
		if removed > 0 && resets >= 3 && disabled > 0 || time.Now().After(deadline) {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if added != 1 || removed != 1 || resets != 3 || enabled != 1 || disabled != 1 {
		t.Errorf("the audit log saw: added %d, removed %d, passwords set %d, made enabled %d, disabled %d; want 1, 1, 3 (one given, two resets), 1, 1", added, removed, resets, enabled, disabled)
	}
}

// witness counts what Samba's audit log tells about the account dn.
func (d domain) witness(t *testing.T, dn string) (added, removed, resets, enabled, disabled int) {
	t.Helper()
	f, err := os.Open(d.audit)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, text, ok := strings.Cut(lines.Text(), "{")
		if !ok || !strings.Contains(text, rdn(dn)) {
			continue
		}
		var e struct {
			Type  string `json:"type"`
			Group struct {
				Action, User, Group string
			} `json:"groupChange"`
			Password struct {
				DN     string `json:"dn"`
				Status string `json:"status"`
			} `json:"passwordChange"`
			Change struct {
				DN         string `json:"dn"`
				Attributes map[string]struct {
					Actions []struct {
						Values []struct{ Value string }
					}
				}
			} `json:"dsdbChange"`
		}
		if json.Unmarshal([]byte("{"+text), &e) != nil {
			continue
		}
		switch {
		case e.Group.Action == "Added" && strings.HasPrefix(e.Group.Group, "CN=Domain Admins,"):
			added++
		case e.Group.Action == "Removed" && strings.HasPrefix(e.Group.Group, "CN=Domain Admins,"):
			removed++
		case e.Type == "passwordChange" && e.Password.Status == "Success":
			resets++
		case e.Type == "dsdbChange":
			for _, action := range e.Change.Attributes["userAccountControl"].Actions {
				for _, v := range action.Values {
					switch v.Value {
					case "512":
						enabled++
					case "514":
						disabled++
					}
				}
			}
		}
	}
	return added, removed, resets, enabled, disabled
}

func TestCompareFindsWhatWasPlanted(t *testing.T) {
	d := corp(t)
	s, a := d.open(t, nil), d.newAccount(t)
	before, err := s.Snapshot(t.Context())
	must(t, err)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	c, sid := d.connect(t), d.domainSID(t)
	dn, nested := "CN=Planted "+a.ID+",CN=Users,"+d.base, d.makeGroup(t, "Nest "+a.ID)
	r := ldap.NewAddRequest(dn, nil)
	r.Attribute("objectClass", []string{"user"})
	r.Attribute("sAMAccountName", []string{"planted-" + a.ID})
	must(t, c.add(context.Background(), r))
	d.mustChange(t, bySID(nested), func(r *ldap.ModifyRequest) { r.Add("member", []string{dn}) })
	d.mustChange(t, bySID(sid+"-512"), func(r *ldap.ModifyRequest) { r.Add("member", []string{bySID(nested)}) })
	t.Cleanup(func() {
		_ = d.change(t, bySID(sid+"-512"), func(r *ldap.ModifyRequest) { r.Delete("member", []string{bySID(nested)}) })
	})
	after, err := s.Snapshot(t.Context())
	must(t, err)
	found, err := s.Compare(before, after)
	must(t, err)
	for _, want := range []string{"Nest " + a.ID + " was added to Domain Admins.", "Planted " + a.ID + " was added to Domain Admins."} {
		if !slices.Contains(found, want) {
			t.Errorf("%q is missing in %q", want, found)
		}
	}
	if slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, "technician") }) {
		t.Errorf("our own account is reported: %q", found)
	}
	must(t, s.Remove(t.Context(), a))
}

func TestPasswordSetByHandAfterTheEndOpensNothingLater(t *testing.T) {
	d := corp(t)
	s, a := d.open(t, nil), d.newAccount(t)
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), testPassword))
	must(t, s.Remove(t.Context(), a))
	byHand := secret.New("Planted-By-Hand-42")
	d.mustChange(t, d.dnOf(t, a), func(r *ldap.ModifyRequest) { r.Replace("unicodePwd", []string{unicodePwd(byHand)}) })
	must(t, s.Apply(t.Context(), a, hour(DomainAdmin), secret.Text{})) // no password of ours yet
	if o := look(t, s, &a); !o.Shows(DomainAdmin) || d.signIn(t, o.Username, byHand) {
		t.Errorf("the planted password opens the next grant: %+v", o)
	}
	must(t, s.Remove(t.Context(), a))
}
