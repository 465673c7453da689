package ad

import (
	"context"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/lab"
	"jitney/secret"
	"jitney/target"
)

// A domain is one real directory that tests run against.
type domain struct {
	ca, base, name, host, admin, pass, addr, audit string
}

// corp is the main domain of the lab, acme the second one.
func corp(t *testing.T) domain { return labDomain(t, lab.Samba(t, 0)) }
func acme(t *testing.T) domain { return labDomain(t, lab.Samba(t, 1)) }

func labDomain(t *testing.T, l lab.Domain) domain {
	t.Helper()
	d := domain{ca: l.CAFile, base: l.BaseDN, name: l.DNSDomain, host: l.Host, admin: l.UPN, pass: l.Password, addr: l.IP, audit: l.AuditLog}
	d.ensureOU(t)
	return d
}

func (d domain) settings(values map[string]string) target.Settings {
	s := target.Settings{Values: map[string]string{
		fieldDomain: d.name, fieldControllers: d.addr, fieldCA: d.ca, fieldBindName: d.admin, fieldOU: "OU=Jitney," + d.base,
	}, Secrets: map[string]secret.Text{fieldBindPass: secret.New(d.pass)}}
	for k, v := range values {
		s.Values[k] = v
	}
	return s
}

func (d domain) open(t *testing.T, values map[string]string) *system {
	t.Helper()
	sys, err := Kind().Open(t.Context(), "t1", d.settings(values))
	if err != nil {
		t.Fatal(err)
	}
	return patient(sys)
}

// patient gives a system more time than any machine needs: what is not about
// slow servers must not take a slow machine for one.
func patient(sys target.System) *system {
	s := sys.(*system)
	s.limits = limits{dial: time.Minute, call: time.Minute, patience: time.Minute}
	return s
}

// dial is a connection that has not signed in.
func (d domain) dial(t *testing.T) *conn {
	t.Helper()
	s := d.open(t, nil).settings
	c, err := dial(context.Background(), s.controllers[0], s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// connect is an administrator's own connection, to play the world.
func (d domain) connect(t *testing.T) *conn {
	t.Helper()
	c := d.dial(t)
	if err := c.bind(context.Background(), d.admin, d.pass); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (d domain) ensureOU(t *testing.T) {
	t.Helper()
	r := ldap.NewAddRequest("OU=Jitney,"+d.base, nil)
	r.Attribute("objectClass", []string{"organizationalUnit"})
	if err := d.connect(t).add(context.Background(), r); err != nil && !isCode(err, ldap.LDAPResultEntryAlreadyExists) {
		t.Fatal(err)
	}
}
