package entra

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/sim/entra"
	"jitney/target"
)

func holds(all []string, part string) bool {
	return slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, part) })
}

func TestListFindsAccountsLiveAndInTheBin(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		live, binned := w.life(t, nil), w.life(t, nil)
		for _, l := range []*life{live, binned} {
			l.request(time.Hour)
			l.active(time.Minute)
		}
		must(t, w.tenant.Act(entra.Act{Do: entra.DeleteUser, User: binned.c.Account.ObjectID}))
		w.tenant.AddUser(entra.UserSpec{UPN: "jit-lover-abcdefghij@" + w.tenant.InitialDomain(), Name: "Somebody else"})
		w.tenant.AddUser(entra.UserSpec{UPN: "copycat@" + w.tenant.InitialDomain(), Props: map[string]any{"jobTitle": titlePrefix + live.c.Account.ID}})
		all, err := w.open(t).List(t.Context())
		must(t, err)
		if len(all) != 2 {
			t.Fatalf("%d accounts: %+v", len(all), all)
		}
		for _, l := range []*life{live, binned} {
			i := slices.IndexFunc(all, func(a access.Account) bool { return a.ID == l.c.Account.ID })
			if i < 0 || all[i].ObjectID != l.c.Account.ObjectID || all[i].Username != l.c.Account.Username || all[i].Seen.Clean() {
				t.Errorf("%+v, want %+v", all, l.c.Account)
			}
			// an orphan, as the sweep ends it: the database knows nothing of it
			sys := w.open(t)
			must(t, sys.Remove(t.Context(), all[i]))
		}
		if all, err = w.open(t).List(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("after the end: %+v, %v", all, err)
		}
	})
}

func TestWitnessAndOverseer(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		w.tenant.AddUser(entra.UserSpec{UPN: "boss@" + w.tenant.InitialDomain(), Name: "The Boss", Roles: []string{entra.GlobalAdministrator}})
		s := w.open(t)
		before, err := s.Snapshot(t.Context())
		must(t, err)
		l := w.life(t, nil)
		l.request(time.Hour)
		l.active(time.Minute)
		friend := w.tenant.AddUser(entra.UserSpec{UPN: "friend@" + w.tenant.InitialDomain(), Name: "A Friend"})
		must(t, w.tenant.Act(entra.Act{Do: entra.GiveRole, User: friend, Role: entra.GlobalAdministrator}))
		must(t, w.tenant.Act(entra.Act{Do: entra.TakeRole, User: "boss@" + w.tenant.InitialDomain(), Role: entra.GlobalAdministrator}))
		after, err := s.Snapshot(t.Context())
		must(t, err)
		got, err := s.Compare(before, after)
		must(t, err)
		if len(got) != 2 || !holds(got, "A Friend (friend@contoso.onmicrosoft.com) was given") || !holds(got, "The Boss (boss@contoso.onmicrosoft.com) does not hold") {
			t.Errorf("%q", got)
		}
		got, err = s.Unexplained(t.Context())
		must(t, err)
		if !holds(got, "A Friend (friend@contoso.onmicrosoft.com) holds Global Administrator") || !holds(got, "the app Customer's own") || holds(got, aliasPrefix) {
			t.Errorf("%q", got)
		}
	})
}

func TestHistoryTellsWhatTheAccountDidAndLeft(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(time.Hour)
		from := time.Now()
		l.active(time.Minute)
		id := l.c.Account.ObjectID
		must(t, w.tenant.Act(entra.Act{Do: entra.MakeUser, Value: "backdoor@" + w.tenant.InitialDomain(), By: id}))
		must(t, w.tenant.Act(entra.Act{Do: entra.GiveRole, User: "backdoor@" + w.tenant.InitialDomain(), Role: entra.GlobalAdministrator, By: id}))
		l.ended(2 * time.Hour)
		time.Sleep(time.Hour)
		got, err := w.open(t).History(t.Context(), l.c.Account, from, time.Now())
		must(t, err)
		for _, part := range []string{"it did “Add user” to backdoor@", "Left behind: the user backdoor@", "Left behind: backdoor@contoso.onmicrosoft.com holds Global Administrator"} {
			if !holds(got, part) {
				t.Errorf("nothing says %q: %q", part, got)
			}
		}
		if holds(got, "“Delete user” to it") {
			t.Errorf("what Jitney did is told as somebody else's: %q", got)
		}
	})
	lives(t, worldSpec{without: []string{"AuditLog.Read.All"}}, func(t *testing.T, w *world) {
		a := testAccount()
		if _, err := w.open(t).History(t.Context(), a, time.Now(), time.Now()); access.KindOf(err) != access.Denied {
			t.Errorf("without the permission: %v", err)
		}
	})
}

func TestCompaniesOfAPartner(t *testing.T) {
	one, two := "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
	spec := worldSpec{tenant: entra.TenantSpec{Relationships: []entra.Relationship{
		{Customer: one, Name: "Fabrikam", Domain: "fabrikam.com", Until: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
		{Customer: two, Name: "Ended", Status: "terminated"},
	}}}
	lives(t, spec, func(t *testing.T, w *world) {
		if _, err := w.open(t).Companies(t.Context()); access.KindOf(err) != access.Denied {
			t.Errorf("without the permission: %v", err)
		}
		w.tenant.Consent(w.app, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
		got, err := w.open(t).Companies(t.Context())
		must(t, err)
		i := slices.IndexFunc(got, func(c target.Company) bool { return c.ID == one })
		if i < 0 || got[i].Name != "Fabrikam" || got[i].Source != "GDAP relationship until 2027-01-31" {
			t.Errorf("%+v", got)
		}
	})
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	once := entra.DefaultTAPPolicy()
	once.Once, once.Groups = true, []string{"aaaaaaaa-0000-4000-8000-00000000000a"}
	for name, c := range map[string]struct {
		spec   worldSpec
		prep   func(*world)
		level  string
		says   string
		errors bool // any finding of that level
	}{
		"all is well":                     {spec: worldSpec{strong: true, tenant: entra.TenantSpec{Licence: entra.P2}}, level: levelOK, says: "every permission"},
		"no consent":                      {prep: func(w *world) { w.tenant.Withdraw(w.app) }, level: levelError, says: "does not admit"},
		"a permission is missing":         {spec: worldSpec{without: []string{"User.RevokeSessions.All", "User.DeleteRestore.All"}}, level: levelError, says: "User.DeleteRestore.All"},
		"passes are off":                  {spec: worldSpec{tenant: entra.TenantSpec{TAP: &entra.TAPPolicy{Off: true, Min: 60, Max: 480, Default: 60, Length: 8}}}, level: levelError, says: "switched off"},
		"passes for one sign-in":          {spec: worldSpec{tenant: entra.TenantSpec{TAP: &once}}, level: levelWarning, says: "one sign-in only"},
		"passes for groups":               {spec: worldSpec{tenant: entra.TenantSpec{TAP: &once}}, level: levelError, says: "in no group"},
		"security defaults":               {spec: worldSpec{tenant: entra.TenantSpec{SecurityDefaults: true}}, level: levelInfo, says: "Security defaults are on"},
		"phishing-resistant":              {spec: worldSpec{tenant: entra.TenantSpec{Licence: entra.P1, Access: []entra.AccessPolicy{{Name: "Just MFA", PhishingResistant: true}}}}, level: levelError, says: "“Just MFA” demands"},
		"blocked":                         {spec: worldSpec{tenant: entra.TenantSpec{Licence: entra.P1, Access: []entra.AccessPolicy{{Name: "Welcome", Block: true, Roles: []string{entra.GlobalAdministrator}}}}}, level: levelError, says: "“Welcome” blocks"},
		"a federated domain":              {spec: worldSpec{values: map[string]string{fieldDomain: "fed.example"}, tenant: entra.TenantSpec{Domains: []entra.Domain{{Name: "contoso.onmicrosoft.com", Initial: true, Default: true}, {Name: "fed.example", Federated: true}}}}, level: levelError, says: "federated"},
		"a domain of somebody else":       {spec: worldSpec{values: map[string]string{fieldDomain: "else.example"}}, level: levelError, says: "does not have the domain"},
		"a clock that is wrong":           {prep: func(w *world) { w.cloud.SetSkew(90 * time.Second) }, level: levelWarning, says: "differs from Microsoft's by 1m30s"},
		"a weak app":                      {level: levelInfo, says: "while that holds Global Administrator"},
		"passwords without a role":        {spec: worldSpec{values: map[string]string{fieldCredential: credentialPass}}, level: levelError, says: "holds no directory role"},
		"PIM is not paid for":             {spec: worldSpec{values: map[string]string{fieldPIM: yes}}, level: levelWarning, says: "no Entra ID P2"},
		"a wrong secret":                  {prep: func(w *world) { w.app.SetSecrets() }, level: levelError, says: "secret"},
		"the permission for the policies": {spec: worldSpec{without: []string{"Policy.Read.All"}}, level: levelError, says: "Policy.Read.All"},
	} {
		t.Run(name, func(t *testing.T) {
			lives(t, c.spec, func(t *testing.T, w *world) {
				if c.prep != nil {
					c.prep(w)
				}
				found, err := w.open(t).Check(t.Context())
				must(t, err)
				if !slices.ContainsFunc(found, func(f access.Finding) bool { return f.Level == c.level && strings.Contains(f.What, c.says) }) {
					t.Errorf("no %s about %q: %+v", c.level, c.says, found)
				}
				for _, f := range found {
					if (f.Level == levelError || f.Level == levelWarning) && f.Fix == "" && !strings.Contains(f.What, "again by itself") {
						t.Errorf("no advice: %+v", f)
					}
					if name == "all is well" && (f.Level == levelError || f.Level == levelWarning) {
						t.Errorf("all is well, and yet: %+v", f)
					}
				}
			})
		})
	}
}

// certificate makes a throw-away one, as PEM with its key.
func certificate(t *testing.T) (*x509.Certificate, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jitney"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	pk, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk})) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestACertificateProvesTheApp(t *testing.T) {
	cert, text := certificate(t)
	file := filepath.Join(t.TempDir(), "jitney.pem")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	w := newWorld(t, worldSpec{})
	w.app.SetSecrets()
	for _, given := range []string{text, file} {
		s := testSettings(map[string]string{fieldTenant: w.tenant.ID, fieldAuth: authCertificate})
		s.Secrets = map[string]secret.Text{fieldCertificate: secret.New(given)}
		sys, err := KindOver(w.cloud.Transport()).Open(t.Context(), "t", s)
		must(t, err)
		if _, err := sys.Observe(t.Context(), w.account(t)); access.CodeOf(err) != codeCredential {
			t.Errorf("an unknown certificate: %v", err)
		}
		w.app.SetCertificates(cert)
		_, err = sys.Observe(t.Context(), w.account(t))
		must(t, err)
		w.app.SetCertificates()
	}
}

func TestProbeAsksAndCleansUp(t *testing.T) {
	for name, spec := range map[string]worldSpec{
		"weak app": {options: entra.Options{Delays: entra.Delays{Roles: entra.Fixed(2 * time.Minute)}}}, "P2": {strong: true, tenant: entra.TenantSpec{Licence: entra.P2}},
		"the other way round": {options: entra.Options{Switches: entra.Switches{BinKeepsUPN: true, TAPOnAdminNeedsRole: true, MissingBeforeDenied: true, PIMDeleteRefused: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, spec)
				var out bytes.Buffer
				s := testSettings(map[string]string{fieldTenant: w.tenant.ID, fieldDomain: ""})
				must(t, probeOver(t.Context(), s, &out, &pool{transport: w.cloud.Transport()}, usualPace()))
				lines := 0
				for line := range strings.Lines(out.String()) {
					var l map[string]any
					must(t, json.Unmarshal([]byte(line), &l))
					if l["step"] == "" || l["at"] == "" {
						t.Errorf("a line without a step: %s", line)
					}
					lines++
				}
				if lines < 30 || !strings.Contains(out.String(), `"temporaryAccessPass":"***"`) || !strings.Contains(out.String(), `"password":"***"`) {
					t.Errorf("%d lines: %s", lines, out.String())
				}
				if strings.Contains(out.String(), testSecret) || strings.Contains(out.String(), "eyJ") {
					t.Error("a secret is in the record")
				}
				if users := w.tenant.Users(); len(users) != 0 {
					t.Errorf("left: %+v", users)
				}
			})
		})
	}
}

func TestProbeCleansUpWhenItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, worldSpec{})
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		var out bytes.Buffer
		err := probeOver(ctx, testSettings(map[string]string{fieldTenant: w.tenant.ID, fieldDomain: ""}), &out, &pool{transport: w.cloud.Transport()}, usualPace())
		if err == nil || len(w.tenant.Users()) != 0 {
			t.Errorf("%v, left: %+v", err, w.tenant.Users())
		}
	})
}

func TestGrantsWithMoreAndFewerPermissions(t *testing.T) {
	for name, c := range map[string]struct{ without, with []string }{
		"the policy for passes may not be read":      {[]string{"Policy.Read.All"}, nil},
		"every way to sign in, and groups, are read": {nil, []string{"UserAuthenticationMethod.Read.All", "GroupMember.Read.All"}},
		"the narrow ones instead of the wide one":    {[]string{"User.ReadWrite.All"}, []string{"User.Create", "User.Read.All", "User.EnableDisableAccount.All"}},
	} {
		t.Run(name, func(t *testing.T) {
			lives(t, worldSpec{without: c.without}, func(t *testing.T, w *world) {
				if c.with != nil {
					w.tenant.Consent(w.app, c.with...)
				}
				l := w.life(t, nil)
				l.request(time.Hour)
				l.active(time.Minute)
				l.look()
				if told(l.c.Account.Seen, "Temporary Access Pass") == "" {
					t.Errorf("no pass in the evidence: %+v", l.c.Account.Seen.Facts)
				}
				l.ended(2 * time.Hour)
				w.gone(t, l)
			})
		})
	}
}
