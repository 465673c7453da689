package ad

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestNameFor(t *testing.T) {
	tests := []struct {
		name, login, domain, prefix string
		long, sam                   string // a trailing * stands for the hash
	}{
		{"the source's own example keeps its readable form and gets a short account name",
			"example.user@pedroaviary.local", "pedroaviary.local", "", "example.user-pedroaviary", "example.user-*"},
		{"a technician of the provider on a customer's domain", "alex@msp.example", "acme.test", "", "alex-acme", "alex-acme"},
		{"exactly twenty characters are not touched", "abcdefghijklmno@x", "acme.test", "", "abcdefghijklmno-acme", "abcdefghijklmno-acme"},
		{"twenty-one characters are cut", "abcdefghijklmnop@x", "acme.test", "", "abcdefghijklmnop-acme", "abcdefghijklm-*"},
		{"a prefix comes first", "alex@msp.example", "acme.test", "adm-", "adm-alex-acme", "adm-alex-acme"},
		{"upper case becomes lower case", "Alex.Smith@MSP.example", "ACME.test", "", "alex.smith-acme", "alex.smith-acme"},
		{"letters beyond ASCII are replaced and told apart by the hash", "josé@msp.example", "acme.test", "", "jos--acme-*", "jos--acme-*"},
		{"a login of digits still has a letter in it", "12345@msp.example", "99.test", "", "12345-99-*", "12345-99-*"},
		{"a login without anything usable", "@", "", "", "user-*", "user-*"},
		{"a login that tries to break out of the name", "a,DC=evil@x", "acme.test", "", "a-dc-evil-acme-*", "a-dc-evil-acm-*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := NameFor(tt.login, "person1", tt.domain, tt.prefix, 0)
			if !matches(got.Long, tt.long) || !matches(got.SAM, tt.sam) {
				t.Errorf("got %q and %q, want %q and %q", got.Long, got.SAM, tt.long, tt.sam)
			}
		})
	}
}

func matches(got, want string) bool {
	head, hashed := strings.CutSuffix(want, "*")
	if !hashed {
		return got == want
	}
	return strings.HasPrefix(got, head) && len(got) == len(head)+hashLen
}

// Thirty bits of hash are enough for the people of one provider; the rare
// collision beyond is met by another try (see grant.go).
func TestNamesOfManyPeopleDoNotCollide(t *testing.T) {
	seen := map[string]string{}
	for i := range 1_000 {
		login := fmt.Sprintf("technician.with.a.long.name.%d@msp.example", i)
		n := NameFor(login, fmt.Sprint("p", i), "pedroaviary.local", "", 0)
		if other, taken := seen[n.SAM]; taken {
			t.Fatalf("%s and %s are both %q", login, other, n.SAM)
		}
		seen[n.SAM] = login
	}
}

func TestAnotherTryMakesAnotherName(t *testing.T) {
	a, b := NameFor("alex@one", "p1", "acme.test", "", 0), NameFor("alex@two", "p2", "acme.test", "", 0)
	if a != b {
		t.Fatalf("the readable names differ: %v %v", a, b)
	}
	c, d := NameFor("alex@two", "p2", "acme.test", "", 1), NameFor("alex@two", "p2", "acme.test", "", 2)
	if c == b || c == d || c.SAM == b.SAM || !LegalSAM(c.SAM) {
		t.Errorf("tries do not differ: %v %v %v", b, c, d)
	}
}

func FuzzNameForIsLegalAndStable(f *testing.F) {
	f.Add("example.user@pedroaviary.local", "p1", "pedroaviary.local", "", 0)
	f.Add("\"/\\[]:;|=,+*?<>@x", "p2", "a b.c", "rewst- ", 1)
	f.Add(strings.Repeat("ü", 300), "", strings.Repeat("9", 80), "..", 3)
	f.Fuzz(func(t *testing.T, login, person, domain, prefix string, try int) {
		try &= 7
		n := NameFor(login, person, domain, prefix, try)
		if n != NameFor(login, person, domain, prefix, try) {
			t.Fatal("not deterministic")
		}
		if !LegalSAM(n.SAM) {
			t.Errorf("%q is not a legal account name", n.SAM)
		}
		if n.Long == "" || len(n.Long) > maxLong || strings.ContainsAny(n.Long, "@\x00 ") || escapeRDN(n.Long) != n.Long {
			t.Errorf("%q is not a good readable name", n.Long)
		}
	})
}

func FuzzEscapeRDNSurvivesParsing(f *testing.F) {
	for _, s := range []string{"a=b", " lead", "trail ", "#x", `q"uote`, "a,b+c;d<e>f\\g", "line\nbreak", "Domänen-Admins", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" {
			return
		}
		dn, err := ldap.ParseDN("CN=" + escapeRDN(s) + ",DC=acme,DC=test")
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if len(dn.RDNs) != 3 || dn.RDNs[0].Attributes[0].Value != s {
			t.Errorf("%q came back as %q", s, dn.RDNs[0].Attributes[0].Value)
		}
		if strings.Contains(escapeRDN(s), "=") {
			t.Errorf("%q keeps an equals sign", s)
		}
	})
}

func TestLegalSAM(t *testing.T) {
	for _, s := range []string{"a", "example.user-abc234", "a b", "Ünal"} {
		if !LegalSAM(s) {
			t.Errorf("%q should be legal", s)
		}
	}
	for _, s := range []string{"", "example.user-pedroaviary", ".a", "a.", " a", "a ", "123", "1 .2", "a@b", "a\tb", "a\x00b", "a/b", "a=b", "pc$"} {
		if LegalSAM(s) {
			t.Errorf("%q should not be legal", s)
		}
	}
}
