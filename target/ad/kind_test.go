package ad

import (
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

func goodSettings(values map[string]string) target.Settings {
	s := target.Settings{Values: map[string]string{
		fieldDomain: "pedroaviary.local", fieldControllers: "dc1.pedroaviary.local", fieldBindName: "svc@pedroaviary.local", fieldOU: "OU=Jitney,DC=pedroaviary,DC=local",
	}, Secrets: map[string]secret.Text{fieldBindPass: secret.New("x")}}
	for k, v := range values {
		s.Values[k] = v
	}
	return s
}

func TestSettings(t *testing.T) {
	tests := []struct {
		name   string
		values map[string]string
		says   string // empty: fine
	}{
		{"what is needed is enough", nil, ""},
		{"no domain", map[string]string{fieldDomain: ""}, "DNS name of the domain is required"},
		{"a short domain name", map[string]string{fieldDomain: "PEDROAVIARY"}, "full DNS name"},
		{"a domain that is none", map[string]string{fieldDomain: "a b.c"}, "full DNS name"},
		{"no controllers: found by DNS", map[string]string{fieldControllers: ""}, ""},
		{"several controllers, one with a port", map[string]string{fieldControllers: "dc1.x.test\n10.0.0.2:1636, [::1]:636"}, ""},
		{"a URL instead of a name", map[string]string{fieldControllers: "ldap://dc1"}, "name or an address"},
		{"too many controllers", map[string]string{fieldControllers: strings.Repeat("dc1 ", 21)}, "more domain controllers"},
		{"an unprotected way", map[string]string{fieldProtocol: "LDAP"}, "no unprotected way"},
		{"a CA that is no PEM", map[string]string{fieldCA: "-----BEGIN CERTIFICATE-----\nx"}, "no certificate"},
		{"a CA by relative path", map[string]string{fieldCA: "ca.pem"}, "full path"},
		{"a CA file that is not there", map[string]string{fieldCA: "/nowhere/ca.pem"}, "cannot be read"},
		{"a CA that is a device", map[string]string{fieldCA: "/dev/zero"}, "cannot be read"},
		{"no unit", map[string]string{fieldOU: ""}, "organizational unit"},
		{"a unit that is no DN", map[string]string{fieldOU: "Jitney"}, "distinguished name"},
		{"a unit by GUID", map[string]string{fieldOU: "<GUID=52abc878-8736-43f9-8d73-099e36f3baa9>"}, ""},
		{"a unit by a GUID that is none", map[string]string{fieldOU: "<GUID=52abc878>"}, "GUID"},
		{"groups by SID with notes", map[string]string{fieldGroups: "S-1-5-21-1-2-3-1105 Helpdesk\n\nS-1-5-21-1-2-3-1106"}, ""},
		{"a group by name", map[string]string{fieldGroups: "Helpdesk"}, "by its SID"},
		{"nothing to give", map[string]string{fieldDomainAdmin: no}, "nothing to give"},
		{"a field that floods", map[string]string{fieldOU: strings.Repeat("x", 2000)}, "too long"},
		{"no service account", map[string]string{fieldBindName: ""}, "service account"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Kind().Valid(goodSettings(tt.values))
			switch {
			case tt.says == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || access.KindOf(err) != access.Invalid):
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
}

func TestKindSaysWhatTheSourceSays(t *testing.T) {
	k := Kind()
	if got := k.Username(goodSettings(nil), access.Holder{Person: "p1", Login: "example.user@pedroaviary.local"}); got != "example.user-pedroaviary@pedroaviary.local" {
		t.Errorf("the name beforehand is %q", got)
	}
	a := access.Account{Username: "example.user-pedroaviary@pedroaviary.local"}
	if got := k.GrantNote(a, DomainAdmin); got != "The tech account example.user-pedroaviary is now enabled" {
		t.Errorf("the grant note is %q", got)
	}
	if got := k.EndNote(a, DomainAdmin); !strings.Contains(got, "example.user-pedroaviary has been revoked") || !strings.Contains(got, "Domain Admins") {
		t.Errorf("the end note is %q", got)
	}
	a.Seen = access.Observation{At: time.Now(), Silent: []string{"dc2.pedroaviary.local"}}
	if got := k.EndNote(a, DomainAdmin); strings.Contains(got, "disabled") || !strings.Contains(got, "does not exist any more") || !strings.Contains(got, "No answer came from dc2") {
		t.Errorf("the end note of a deleted account is %q", got)
	}
	for _, e := range []string{DomainAdmin, Delegated} {
		if _, ok := k.Find(goodSettings(map[string]string{fieldGroups: "S-1-5-21-1-2-3-1105"}), e); !ok {
			t.Errorf("%s is not offered", e)
		}
	}
}

func TestCompare(t *testing.T) {
	const before = `{"groups":{"S-1":{"name":"Domain Admins","members":["a","b","o"]}},
		"people":{"a":{"name":"Administrator","state":512,"password":"1"},"b":{"name":"Bea","state":512},"o":{"name":"ours","ours":true}},"lists":{"AdminSDHolder":"1"}}`
	tests := []struct {
		name, after string
		want        []string
	}{
		{"nothing changed", before, nil},
		{"our own account comes and goes unmentioned", strings.Replace(before, `"b","o"]`, `"b"]`, 1), nil},
		{"somebody was added", `{"groups":{"S-1":{"name":"Domain Admins","members":["a","b","c"]}},"people":{"a":{"name":"Administrator","state":512,"password":"1"},"b":{"name":"Bea","state":512},"c":{"name":"Cal"}},"lists":{"AdminSDHolder":"1"}}`,
			[]string{"Cal was added to Domain Admins."}},
		{"somebody was removed", `{"groups":{"S-1":{"name":"Domain Admins","members":["a"]}},"people":{"a":{"name":"Administrator","state":512,"password":"1"}},"lists":{}}`,
			[]string{"Bea was removed from Domain Admins."}},
		{"a password, flags, other ways in, a name and an access list were changed", `{"groups":{"S-1":{"name":"Chefs","members":["a","b"]}},"people":{"a":{"name":"Administrator","state":66048,"password":"2","doors":"x"},"b":{"name":"Bea","state":512}},"lists":{"AdminSDHolder":"2"}}`,
			[]string{"The group Domain Admins is now called Chefs.", "The password of Administrator, who holds a protected group, was changed.",
				"The account flags of Administrator, who holds a protected group, were changed (userAccountControl 66048, before 512).",
				"Other ways to sign in as Administrator, who holds a protected group, were changed.", "The access list of AdminSDHolder was changed."}},
		{"left by a replication conflict", strings.NewReplacer(`"b","o"]`, `"b","n"]`, `"o":{"name":"ours","ours":true}`, `"n":{"name":"twin","conflict":true}`).Replace(before),
			[]string{"twin, left by a replication conflict, is in Domain Admins."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := compare(before, tt.after)
			if err != nil || strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	if _, err := compare("x", before); err == nil {
		t.Error("nonsense compares")
	}
}
