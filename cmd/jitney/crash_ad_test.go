//go:build crashpoints

package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/broker"
	"jitney/lab"
	"jitney/secret"
)

// A unit is an organisational unit of its own in a real Active Directory.
type unit struct {
	t      *testing.T
	domain lab.Domain
	ou     string
}

func (u *unit) target() broker.TargetInput {
	u.t.Helper()
	u.makeOU()
	ca, err := os.ReadFile(u.domain.CAFile)
	if err != nil {
		u.t.Fatal(err)
	}
	return broker.TargetInput{Kind: "ad", Name: "pedroaviary.local",
		Values:  map[string]string{"domain": u.domain.DNSDomain, "controllers": u.domain.IP, "ca": string(ca), "bind_name": u.domain.UPN, "ou": u.ou},
		Secrets: map[string]secret.Text{"bind_password": secret.New(u.domain.Password)}}
}

func (u *unit) connect() *ldap.Conn {
	u.t.Helper()
	ca, err := os.ReadFile(u.domain.CAFile)
	if err != nil {
		u.t.Fatal(err)
	}
	c, err := ldap.DialURL(u.domain.URL, ldap.DialWithTLSConfig(trust(ca, u.domain.Host)))
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { _ = c.Close() })
	if err := c.Bind(u.domain.UPN, u.domain.Password); err != nil {
		u.t.Fatal(err)
	}
	return c
}

func (u *unit) makeOU() {
	u.t.Helper()
	r := ldap.NewAddRequest(u.ou, nil)
	r.Attribute("objectClass", []string{"organizationalUnit"})
	if err := u.connect().Add(r); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
		u.t.Fatal(err)
	}
}

// absent asks the directory itself: the one account that there is cannot be
// used any more.
func (u *unit) absent(took time.Duration) {
	u.t.Helper()
	found, err := u.connect().Search(ldap.NewSearchRequest(u.ou, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=user)", []string{"userAccountControl", "memberOf", "sAMAccountName"}, nil))
	if err != nil {
		u.t.Fatal(err)
	}
	if len(found.Entries) != 1 {
		u.t.Errorf("the unit holds %d accounts; want 1", len(found.Entries))
	}
	for _, e := range found.Entries {
		var control int
		fmt.Sscan(e.GetAttributeValue("userAccountControl"), &control)
		if control&2 == 0 || len(e.GetAttributeValues("memberOf")) > 0 {
			u.t.Errorf("after %s %s is not clean: userAccountControl %d, member of %v", took, e.GetAttributeValue("sAMAccountName"), control, e.GetAttributeValues("memberOf"))
		}
	}
}
