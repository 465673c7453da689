package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Domain says how to reach one Samba AD domain controller as its administrator.
type Domain struct {
	Name      string // of the controller in the lab, for Replicate
	URL       string // ldaps://127.x.y.z; StartTLS works on ldap:// of the same address
	Host      string // the controller's DNS name, which its certificate bears beside the address: dc1.pedroaviary.local
	IP        string
	CAFile    string // PEM of the authority that signed the certificate
	UPN       string // Administrator@pedroaviary.local
	BindDN    string // the same account as a DN
	Password  string // of that account; not a secret, the domain is thrown away
	DNSDomain string
	NetBIOS   string
	BaseDN    string
	// AuditLog is Samba's own output. Its JSON lines (types Authentication, passwordChange, groupChange, dsdbChange)
	// are a witness that does not depend on what the product says.
	AuditLog string
	dir      string
}

func domainOf(env map[string]string, prefix string) Domain {
	get := func(name string) string { return env[prefix+name] }
	return Domain{
		Name: get("AD_NAME"), URL: get("AD_URL"), Host: get("AD_HOST"), IP: get("AD_IP"), CAFile: get("AD_CA"),
		UPN: get("AD_BIND"), BindDN: "CN=Administrator,CN=Users," + get("AD_BASE"), Password: get("AD_PASSWORD"),
		DNSDomain: get("AD_DOMAIN"), NetBIOS: get("AD_NETBIOS"), BaseDN: get("AD_BASE"), AuditLog: get("AD_AUDIT"),
		dir: get("LAB_DIR"),
	}
}

// Samba returns the n-th Samba domain of this test binary, started at first use in about a second (four the very
// first time on a machine): 0 is pedroaviary.local, 1 is acme.test. Tests of one binary share them, so each works in
// an organizational unit of its own. JITNEY_TEST_SAMBA (JITNEY_TEST_SAMBA_2 for n = 1) names the env file of a running one.
func Samba(t testing.TB, n int) Domain {
	t.Helper()
	if file := os.Getenv([]string{"JITNEY_TEST_SAMBA", "JITNEY_TEST_SAMBA_2"}[n]); file != "" {
		env, err := readEnv(file)
		if err != nil {
			t.Fatalf("lab: read the named Samba domain: %v", err)
		}
		return domainOf(env, "")
	}
	names := [][3]string{{"pedroaviary", "pedroaviary.local", "PEDROAVIARY"}, {"acme", "acme.test", "ACME"}}
	d := names[n]
	env, err := once(fmt.Sprint("samba ", n), func() (map[string]string, error) {
		if err := sambaRuns(); err != nil {
			return nil, err
		}
		return hold(nil, "ad", d[0], address(n), d[1], d[2])
	})
	if err != nil {
		missing(t, "a Samba AD domain controller", err)
	}
	return domainOf(env, "")
}

// SambaPair returns two domain controllers of one domain, pedroaviary.local, which replicate, apart from those of
// Samba. Changes pass on their own within seconds; Replicate forces them.
func SambaPair(t testing.TB) (first, second Domain) {
	t.Helper()
	env, err := once("samba pair", func() (map[string]string, error) {
		if err := sambaRuns(); err != nil {
			return nil, err
		}
		return hold(nil, "pair", address(2), address(3), "pedroaviary.local", "PEDROAVIARY")
	})
	if err != nil {
		missing(t, "a pair of Samba AD domain controllers", err)
	}
	return domainOf(env, ""), domainOf(env, "SECOND_")
}

// Replicate makes the controller to pull the changes of from now. Both come from SambaPair. It tries for two minutes:
// a controller that has just started may not take the order yet, and one on a busy machine may not answer in time.
func Replicate(t testing.TB, from, to Domain) {
	t.Helper()
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; <-time.After(100 * time.Millisecond) {
		cmd := exec.Command(filepath.Join(dir, "ad", "replicate"), from.Name, to.Name)
		cmd.Env = append(os.Environ(), "LAB_DIR="+from.dir)
		var out tail
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("lab: replicate %s to %s: %v: %s", from.Host, to.Host, err, out.String())
		}
	}
}

// sambaRuns says why Samba cannot run here, before a script finds out halfway.
func sambaRuns() error {
	if os.Geteuid() != 0 {
		return errors.New("ports below 1024 need root or lab/run")
	}
	for _, path := range []string{"/usr/sbin/samba", "/usr/share/samba/setup/provision.ldif"} {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	return nil
}

// readEnv reads the NAME=value lines that lab/ad/up wrote.
func readEnv(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[name] = value
		}
	}
	return env, nil
}
