package ad

import (
	"bufio"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// A domain is one real directory that tests run against.
type domain struct {
	url, ca, base, name, host, admin, pass, dir string
	addr                                         string
}

func envDomain(t *testing.T, file string) domain {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := map[string]string{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		k, val, _ := strings.Cut(sc.Text(), "=")
		v[k] = val
	}
	return domain{url: v["AD_URL"], ca: v["AD_CA"], base: v["AD_BASE"], name: v["AD_DOMAIN"], host: v["AD_HOST"], admin: v["AD_BIND"], pass: v["AD_PASS"], dir: v["AD_DIR"], addr: strings.TrimPrefix(v["AD_URL"], "ldaps://")}
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
	return sys.(*system)
}

// connect is an administrator's own connection, to play the world.
func (d domain) connect(t *testing.T) *conn {
	t.Helper()
	s, err := parseSettings(d.settings(nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(context.Background(), endpoint{host: d.addr, port: "636"}, s)
	if err != nil {
		t.Fatal(err)
	}
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

func corp(t *testing.T) domain {
	d := envDomain(t, os.Getenv("AD_ENV"))
	d.ensureOU(t)
	return d
}

func TestSmoke(t *testing.T) {
	d := corp(t)
	sys := d.open(t, nil)
	found, err := sys.Check(t.Context())
	for _, f := range found {
		t.Log(f.Level, f.What, "->", f.Fix)
	}
	if err != nil {
		t.Fatal(err)
	}
	a := access.Account{ID: "acct1", Holder: access.Holder{Person: "p1", Login: "example.user@" + d.name, Name: "Example User"}}
	show := func() access.Observation {
		t.Helper()
		o, err := sys.Observe(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", o)
		return o
	}
	show()
	snap, err := sys.Snapshot(t.Context())
	t.Log(snap, err)
	start := time.Now()
	if err := sys.Apply(t.Context(), a, access.Want{Entitlements: []access.Entitled{{Name: DomainAdmin}}, Until: time.Now().Add(time.Hour)}, secret.New("Corr3ct-Horse-Battery!")); err != nil {
		e := err.(*access.Error)
		t.Fatal(err, e.Err)
	}
	t.Log("apply", time.Since(start))
	show()
	list, err := sys.List(t.Context())
	t.Log(list, err)
	start = time.Now()
	if err := sys.Remove(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	t.Log("remove", time.Since(start))
	if o := show(); !o.Clean() {
		t.Error("not clean")
	}
}
