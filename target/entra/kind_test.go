package entra

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

func TestNamesFitWhatGraphAllows(t *testing.T) {
	legal := regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	for _, login := range []string{"ada.lovelace@msp.example", "Ünïcödé@x", "", "@", "a@b", strings.Repeat("very.long.", 30) + "@x", "o'neil+tag@x", "日本語@x", "--@x"} {
		for _, id := range []string{"a", "abcdefghijklmnopqrstuvwxyz", strings.Repeat("z", 100)} {
			name := alias(login, id)
			if !legal.MatchString(name) || !strings.HasPrefix(name, "jit-") || !strings.HasSuffix(name, "-"+short(id)) || !validUPN(name+"@contoso.onmicrosoft.com") {
				t.Errorf("%q, %q: %q", login, id, name)
			}
			if len(mark(id)) != 16 || len(titlePrefix+id) > 128 || len(displayName(access.Holder{Name: strings.Repeat("é", 500)})) > 256 {
				t.Errorf("a mark is too long: %q", mark(id))
			}
		}
	}
	if alias("ada@x", "one") == alias("ada@x", "two") || alias("ada@x", "one") != alias("ada@y", "one") {
		t.Error("the name must depend on the account and on nothing but it and the login")
	}
}

func TestMarks(t *testing.T) {
	const id = "abcdefghijklmnopqrstuvwxyz"
	full := user{UserPrincipalName: alias("ada@x", id) + "@contoso.onmicrosoft.com", EmployeeID: mark(id), JobTitle: titlePrefix + id}
	without := func(change func(*user)) user { u := full; change(&u); return u }
	for name, c := range map[string]struct {
		u      user
		ours   bool
		listed bool
	}{
		"all three":                                  {full, true, true},
		"employeeId gone, as in the bin":             {without(func(u *user) { u.EmployeeID = "" }), true, true},
		"the name with the bin's prefix":             {without(func(u *user) { u.UserPrincipalName = "0123" + u.UserPrincipalName; u.EmployeeID = "" }), true, true},
		"renamed by somebody":                        {without(func(u *user) { u.UserPrincipalName = "ceo@contoso.com" }), true, true},
		"job title changed":                          {without(func(u *user) { u.JobTitle = "Boss" }), true, false},
		"a copy of ours: only the job title":         {user{UserPrincipalName: "ceo@contoso.com", JobTitle: titlePrefix + id}, false, false},
		"only the name":                              {user{UserPrincipalName: full.UserPrincipalName}, false, false},
		"only employeeId":                            {user{UserPrincipalName: "ceo@contoso.com", EmployeeID: mark(id)}, false, false},
		"the marks of another account, and our name": {without(func(u *user) { u.EmployeeID, u.JobTitle = mark("x"), titlePrefix+"x" }), false, false},
	} {
		if got := c.u.bears(id); got != c.ours {
			t.Errorf("%s: ours %v", name, got)
		}
		if got := c.u.marked() == id; got != c.listed {
			t.Errorf("%s: listed %v", name, got)
		}
	}
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string
		wrong  string
	}{
		"as they are":                        {nil, ""},
		"common":                             {map[string]string{fieldTenant: "common"}, "common"},
		"a tenant by name":                   {map[string]string{fieldTenant: "contoso.com"}, "GUID"},
		"a tenant in capitals":               {map[string]string{fieldTenant: strings.ToUpper("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")}, ""},
		"no app":                             {map[string]string{fieldApp: ""}, "application"},
		"no role at all":                     {map[string]string{fieldGlobalAdmin: no, fieldRoles: ""}, "no role"},
		"Global Admin by the back door":      {map[string]string{fieldGlobalAdmin: no, fieldRoles: globalAdminID}, "may not be given"},
		"a role that nobody knows":           {map[string]string{fieldRoles: "Emperor"}, "Emperor"},
		"a role by id, with a title":         {map[string]string{fieldRoles: "f2ef992c-3afb-46b9-b7cf-a126ee74c451 Look only"}, ""},
		"a domain with a slash":              {map[string]string{fieldDomain: "contoso.com/x"}, "DNS name"},
		"Microsoft's own cloud":              {map[string]string{fieldCloud: "US Government DoD"}, ""},
		"a cloud of the future":              {map[string]string{fieldCloud: "Moon"}, "cloud"},
		"another cloud without TLS":          {map[string]string{fieldGraph: "http://graph.test"}, "https"},
		"another cloud with a path":          {map[string]string{fieldGraph: "https://graph.test/beta"}, "https"},
		"another cloud with a bad authority": {map[string]string{fieldCA: "-----BEGIN nothing"}, "PEM"},
	} {
		err := Kind().Valid(testSettings(c.change))
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := testSettings(map[string]string{fieldAuth: authCertificate})
	bad.Secrets = map[string]secret.Text{fieldCertificate: secret.New("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----")}
	if err := Kind().Valid(bad); err == nil {
		t.Error("a broken certificate is taken")
	}
	bad.Secrets = nil
	if _, err := Kind().Open(t.Context(), "t", bad); access.KindOf(err) != access.Invalid {
		t.Errorf("opened without a key: %v", err)
	}
}

func TestKindSaysWhatIsPromised(t *testing.T) {
	k, s := Kind(), testSettings(nil)
	if k.Name != "entra" || k.Title != "M365 (Microsoft 365)" || k.Shared {
		t.Errorf("%s %s", k.Name, k.Title)
	}
	names := []string{}
	for _, e := range k.Entitlements(target.Settings{Values: s.Values}) {
		names = append(names, e.Name)
	}
	if got := strings.Join(names, " "); got != "global-admin role:f2ef992c-3afb-46b9-b7cf-a126ee74c451" {
		t.Error(got)
	}
	a := testAccount()
	if got := k.GrantNote(a, GlobalAdmin); got != "The account "+a.Username+" is now enabled and has been added to the Global Admin role." {
		t.Error(got)
	}
	if got := k.GrantNote(a, rolePrefix+"f2ef992c-3afb-46b9-b7cf-a126ee74c451"); !strings.HasSuffix(got, "to the Global Reader role.") {
		t.Error(got)
	}
	a.Seen = access.Observation{At: time.Now()}
	if got := k.EndNote(a, GlobalAdmin); !strings.Contains(got, "has been revoked and the account was removed") {
		t.Error(got)
	}
	a.Seen.Exists = true
	if got := k.EndNote(a, GlobalAdmin); strings.Contains(got, "removed") {
		t.Error(got)
	}
	if h := k.Handover(s); h.Word != "Temporary Access Pass" || !h.Issued || h.SignIn == "" {
		t.Errorf("%+v", h)
	}
	s.Values[fieldCredential] = credentialPass
	if h := k.Handover(s); h.Word != "password" || h.Issued || h.Warning == "" {
		t.Errorf("%+v", h)
	}
	if got := k.Username(s, access.Holder{Login: "Ada.Lovelace@msp.example"}); got != "jit-ada-lovelace-…@contoso.onmicrosoft.com" {
		t.Error(got)
	}
}

func TestConsent(t *testing.T) {
	k, s := Kind(), testSettings(nil)
	s.Secrets = nil
	got, err := k.Consent.URL(s, "https://jitney.example/back", "state&1")
	if err != nil || got != "https://login.test/"+testTenant+"/adminconsent?client_id="+testApp+"&redirect_uri=https%3A%2F%2Fjitney.example%2Fback&state=state%261" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := k.Consent.URL(s, "https://jitney.example/back", ""); err == nil {
		t.Error("a consent without a state")
	}
	for query, ok := range map[string]bool{
		"tenant=" + testTenant + "&admin_consent=True":                  true,
		"tenant=" + strings.ToUpper(testTenant) + "&admin_consent=true": true,
		"tenant=" + testTenant:                                          false,
		"admin_consent=True":                                            false,
		"tenant=" + testUser + "&admin_consent=True":                    false,
		"error=permission_denied&error_description=<b>no</b>":           false,
		"error=x&tenant=" + testTenant + "&admin_consent=True":          false,
		"": false,
	} {
		q, _ := url.ParseQuery(query)
		if err := k.Consent.Answer(s, q); (err == nil) != ok {
			t.Errorf("%s: %v", query, err)
		}
	}
	moved := k.For(s, target.Company{ID: testUser, Name: "Other"})
	if moved.Values[fieldTenant] != testUser || moved.Values[fieldDomain] != "" || s.Values[fieldTenant] != testTenant {
		t.Errorf("%+v", moved.Values)
	}
}

func TestPassesFitTheGrantAndThePolicy(t *testing.T) {
	for _, c := range []struct {
		low, high int
		d         time.Duration
		want      int
	}{
		{60, 480, 30 * time.Minute, 60}, {60, 480, time.Hour, 65}, {10, 480, 15 * time.Minute, 20}, {60, 480, 12 * time.Hour, 480},
		{0, 0, time.Hour, 65}, {-5, 1 << 30, time.Hour, 65}, {100, 50, time.Hour, 100}, {60, 480, -time.Hour, 60},
	} {
		if got := (tapPolicy{Min: c.low, Max: c.high}).minutes(c.d); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestPoliciesAreJudgedByWhatTheySay(t *testing.T) {
	roles := []role{{id: globalAdminID}}
	for name, c := range map[string]struct {
		json  string
		level string
	}{
		"called block, and asks for a second factor": {`"displayName":"BLOCK everything","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}`, ""},
		"called harmless, and blocks":                {`"displayName":"Harmless","conditions":{"users":{"includeRoles":["` + globalAdminID + `"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}`, levelError},
		"blocks somebody else":                       {`"conditions":{"users":{"includeUsers":["` + testUser + `"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}`, ""},
		"phishing-resistant strength":                {`"conditions":{"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":[],"authenticationStrength":{"id":"` + phishingResistant + `","displayName":"Phishing-resistant MFA"}}`, levelError},
		"MFA strength":                               {`"conditions":{"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":[],"authenticationStrength":{"id":"00000000-0000-0000-0000-000000000002","displayName":"Multifactor authentication"}}`, ""},
		"own strength that takes no pass":            {`"conditions":{"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":[],"authenticationStrength":{"id":"` + testUser + `","displayName":"Multifactor authentication","allowedCombinations":["fido2"]}}`, levelError},
		"blocks old clients":                         {`"conditions":{"users":{"includeUsers":["All"]},"clientAppTypes":["exchangeActiveSync","other"]},"grantControls":{"operator":"OR","builtInControls":["block"]}`, ""},
		"blocks from abroad":                         {`"conditions":{"users":{"includeUsers":["All"]},"locations":{"includeLocations":["All"],"excludeLocations":["home"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}`, levelWarning},
		"a managed device":                           {`"conditions":{"users":{"includeUsers":["All"]}},"grantControls":{"operator":"AND","builtInControls":["mfa","compliantDevice"]}`, levelWarning},
		"a managed device or a second factor":        {`"conditions":{"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa","compliantDevice"]}`, ""},
		"without demands":                            {`"conditions":{"users":{"includeUsers":["All"]}}`, ""},
	} {
		var p caPolicy
		decode(t, "{"+c.json+"}", &p)
		level := ""
		if p.covers(roles) {
			level, _ = p.judge(true)
		}
		if level != c.level {
			t.Errorf("%s: %q", name, level)
		}
	}
}
