package lab_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/jackc/pgx/v5"

	"jitney/lab"
)

func TestPostgresGivesEachTestADatabaseOfItsOwn(t *testing.T) {
	ctx := t.Context()
	var urls []string
	for range 2 {
		u := lab.Postgres(t)
		conn, err := pgx.Connect(ctx, u)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(ctx, "CREATE TABLE only_here (n BIGINT)"); err != nil {
			t.Fatalf("the database is not empty: %v", err)
		}
		urls = append(urls, u)
	}
	if urls[0] == urls[1] {
		t.Fatal("two calls gave one database")
	}
}

func bind(t *testing.T, d lab.Domain) *ldap.Conn {
	t.Helper()
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := ldap.DialURL(d.URL, ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool, ServerName: d.Host}))
	if err != nil {
		t.Fatalf("%s: %v", d.Host, err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Bind(d.UPN, d.Password); err != nil {
		t.Fatalf("%s: %v", d.Host, err)
	}
	return conn
}

func TestTwoSambaDomainsStandSideBySide(t *testing.T) {
	for n := range 2 {
		d := lab.Samba(t, n)
		found, err := bind(t, d).Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, 0, 0, 10, false, "(objectClass=*)", []string{"defaultNamingContext"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := found.Entries[0].GetAttributeValue("defaultNamingContext"); got != d.BaseDN {
			t.Fatalf("domain %d is %s, want %s", n, got, d.BaseDN)
		}
		for deadline := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
			log, err := os.ReadFile(d.AuditLog)
			if err == nil && strings.Contains(string(log), `"type": "Authentication"`) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the audit log %s does not know of the bind (%v)", d.AuditLog, err)
			}
		}
	}
}

func TestASecondControllerSeesAChangeAfterReplication(t *testing.T) {
	first, second := lab.SambaPair(t)
	dn := "OU=Seen " + rand.Text() + "," + first.BaseDN
	add := ldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{"organizationalUnit"})
	if err := bind(t, first).Add(add); err != nil {
		t.Fatal(err)
	}
	lab.Replicate(t, first, second)
	if _, err := bind(t, second).Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 10, false, "(objectClass=*)", nil, nil)); err != nil {
		t.Fatalf("after replication: %v", err)
	}
}

func TestChromiumRuns(t *testing.T) {
	out, err := exec.Command(lab.Chromium(t), "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
