package web

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

func at(place, level string, more ...string) url.Values {
	f := url.Values{"place": {place}, "level": {level}}
	for i := 0; i+1 < len(more); i += 2 {
		f.Set(more[i], more[i+1])
	}
	return f
}

func TestAWSPagesOpen(t *testing.T) {
	w := newAWSWorld(t, "")
	w.today()
	for _, who := range []string{maya, ada, otto, "rea"} {
		for _, path := range []string{"/aws", "/aws?place=aws-kprod&level=admin&tab=ci", "/aws?place=nowhere&level=odd&tab=odd", "/me", "/customers", "/grants/s-active"} {
			a := w.ask(t, who, path, nil)
			if a.StatusCode == http.StatusNotFound && path == "/grants/s-active" && who == "rea" {
				continue
			}
			checkPage(t, path+" as "+who, a.must(t, http.StatusOK))
		}
	}
	for _, path := range []string{"/settings/aws", "/settings/aws?setting=length&place=target:aws-kprod", "/settings", "/customers/kprod", "/targets/aws-kprod", "/customers/kprod/targets/new?kind=fake-sessions"} {
		checkPage(t, path, w.ask(t, ada, path, nil).must(t, http.StatusOK))
	}
	for _, path := range []string{"/aws/keys", "/aws/url", "/aws/console", "/settings/aws/limit", "/settings/aws/roles"} {
		if a := w.ask(t, ada, path, nil).must(t, http.StatusSeeOther); !strings.HasSuffix(a.Header.Get("Location"), "/aws") {
			t.Errorf("%s goes to %s", path, a.Header.Get("Location"))
		}
	}
	maya := w.ask(t, maya, "/aws?place=aws-kprod", nil)
	maya.must(t, 200, "kestrel-prod · 4021-7783-1190 · eu-west-2", "Only what kestrel-prod owns, up to 1 hour", "signs in whoever opens it, for 15 minutes",
		"[profile jitney.example]", "credential_process=jitney aws --host http://jitney.example --tenant kestrel-prod --interactive", "jitney aws update-config", "region=eu-west-2", "--token-file",
		"Waits for approval", "Removal stuck", "Ended, verified", "Open JIT AWS Console", "Copy AWS Console URL", "Temporary AWS Credentials", "AWS Access from my Workstation")
	for _, other := range []string{"JIT Admin AWS Console", "value=\"admin\"", "harbour-prod · "} {
		if strings.Contains(maya.body, other) {
			t.Errorf("Maya's page has %q", other)
		}
	}
	w.ask(t, ada, "/aws?place=aws-kprod&level=admin", nil).must(t, 200, "needs approval", "Whole account, up to 30 minutes", `id="ticket"`, `id="reason"`, "JIT Admin AWS Console",
		"Temporary Admin AWS Credentials", "Admin AWS Access from my Workstation", "--tenant kestrel-prod --admin --interactive")
}

func TestWithoutAnAWSAccount(t *testing.T) {
	none := newWorld(t)
	none.fill()
	none.ask(t, ada, "/aws", nil).must(t, 200, "No AWS account is connected", "/customers")
	none.ask(t, maya, "/aws", nil).must(t, 200, "Ask an administrator")
	if strings.Contains(none.ask(t, ada, "/me", nil).body, `href="/aws"`) {
		t.Error("the bar leads to AWS where there is none")
	}
	w := newAWSWorld(t, "")
	w.ask(t, "rea", "/aws", nil).must(t, 200, "People who may only read get no sessions.")
	w.ask(t, otto, "/me", nil).must(t, 200, `href="/aws"`)
	w.ask(t, priya, "/aws", nil).must(t, 200, "No AWS account for you")
	for _, who := range []string{"rea", priya} {
		if strings.Contains(w.ask(t, who, "/me", nil).body, `href="/aws"`) {
			t.Errorf("the bar of %s leads to AWS", who)
		}
		for _, what := range []string{"console", "url", "keys"} {
			w.ask(t, who, "/aws/"+what, at("aws-kprod", "tenant")).must(t, http.StatusForbidden)
		}
	}
	if n := len(w.bank("aws-kprod").Issued()); n != 0 {
		t.Errorf("%d sessions were issued", n)
	}
}

func TestConsoleByRedirect(t *testing.T) {
	w := newAWSWorld(t, "")
	page := w.ask(t, maya, "/aws?place=aws-kprod", nil)
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://*.aws.amazon.com ") {
		t.Errorf("the page's policy is %s", policy)
	}
	if policy := w.ask(t, maya, "/access", nil).Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self';") {
		t.Errorf("another page's policy is %s", policy)
	}
	a := w.ask(t, maya, "/aws/console", at("aws-kprod", "tenant", "region", "eu-west-1", "logout", "yes", "destination", "https://console.aws.amazon.com/s3")).must(t, http.StatusSeeOther)
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || to.Host != "signin.aws.amazon.com" || to.Path != "/oauth" {
		t.Fatalf("leads to %v: %v", to, err)
	}
	inner, _ := url.Parse(to.Query().Get("redirect_uri"))
	if q := inner.Query(); q.Get("Issuer") != "http://jitney.example/aws" || q.Get("Destination") != "https://console.aws.amazon.com/s3" {
		t.Errorf("signs in by %v", inner)
	}
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Referrer-Policy") != "no-referrer" || a.body != "" {
		t.Errorf("headers %v, body %q", a.Header, a.body)
	}
	issued := w.bank("aws-kprod").Issued()
	if len(issued) != 1 || issued[0].Region != "eu-west-1" || len(w.issued) != 1 || w.issued[0].For != access.ForConsole || w.issued[0].Via != access.ViaPage {
		t.Fatalf("issued %+v, kept %+v", issued, w.issued)
	}
	menu := w.ask(t, maya, "/aws/console", at("aws-kprod", "tenant", "from", "menu")).must(t, 200, "On to the AWS console")
	if !strings.HasPrefix(menu.Header.Get("Refresh"), "0; url=https://signin.aws.amazon.com/federation?") || strings.Contains(menu.body, "SigninToken") {
		t.Errorf("from the menu: %v", menu.Header)
	}
	if len(w.grants) == 0 || countOpen(w, maya, "aws-kprod") != 1 {
		t.Errorf("%d grants are open, want 1 that both sessions come from", countOpen(w, maya, "aws-kprod"))
	}
}

func countOpen(w *world, who, target string) (n int) {
	for _, g := range w.grants {
		if g.Requester == who && g.Target == target && g.Wanted(time.Now()) {
			n++
		}
	}
	return n
}

var oneTag = regexp.MustCompile(`<[^>]*>`)

func TestKeysAreShownOnce(t *testing.T) {
	w := newAWSWorld(t, "")
	a := w.ask(t, maya, "/aws/keys", at("aws-kprod", "tenant")).must(t, 200, "export AWS_ACCESS_KEY_ID=", "expires in")
	checkPage(t, "keys", a)
	k := w.bank("aws-kprod").Issued()[0]
	text := html.UnescapeString(oneTag.ReplaceAllString(a.body, ""))
	for _, want := range []string{"export AWS_SECRET_ACCESS_KEY=" + k.Secret.Reveal(), "$Env:AWS_SESSION_TOKEN='" + k.Token.Reveal() + "'", `"AccessKeyId": "` + k.ID + `",`, k.Name} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the page of keys tells where it was")
	}
	for _, c := range a.Cookies() {
		if strings.Contains(c.Value, k.ID) {
			t.Errorf("cookie %s holds the key's ID", c.Name)
		}
	}
	for _, path := range []string{"/aws", "/aws?tab=keys", "/access", "/grants/" + w.issued[0].Grant, "/audit"} {
		who := map[bool]string{true: ada, false: maya}[path == "/audit"]
		body := html.UnescapeString(w.ask(t, who, path, nil).body)
		if strings.Contains(body, k.Secret.Reveal()) || strings.Contains(body, k.Token.Reveal()) {
			t.Errorf("%s shows a secret again", path)
		}
	}
	for _, r := range w.records {
		for _, v := range r.Data {
			if strings.Contains(v, k.Secret.Reveal()) || strings.Contains(v, k.Token.Reveal()) {
				t.Error("a record holds a secret")
			}
		}
	}
	w.ask(t, maya, "/aws/url", at("aws-kprod", "tenant")).must(t, 200, "Console URL", "SigninToken", "cannot show it again")
	w.ask(t, maya, "/grants/"+w.issued[0].Grant, nil).must(t, 200, "Open AWS console", "Keys", "Console URL", k.ID)
	end := w.ask(t, maya, "/aws/end", url.Values{"grant": {w.issued[0].Grant}}).must(t, http.StatusSeeOther)
	if end.Header.Get("Location") != "/aws" || countOpen(w, maya, "aws-kprod") != 0 {
		t.Errorf("after ending: %s, %d open", end.Header.Get("Location"), countOpen(w, maya, "aws-kprod"))
	}
	w.ask(t, priya, "/aws/end", url.Values{"grant": {w.issued[0].Grant}}).must(t, http.StatusNotFound)
}

func TestAdminAccessIsHiddenAndRefused(t *testing.T) {
	w := newAWSWorld(t, "")
	for _, what := range []string{"console", "url", "keys"} {
		w.ask(t, maya, "/aws/"+what, at("aws-kprod", "admin")).must(t, http.StatusForbidden, "Admin AWS access is for administrators only.")
		w.ask(t, maya, "/aws/"+what, at("aws-hprod", "tenant")).must(t, http.StatusNotFound)
	}
	open := w.ask(t, ada, "/aws?place=aws-kprod&level=admin", nil).must(t, 200, `value="admin" checked`)
	checkPage(t, "admin", open)
	w.ask(t, ada, "/settings/aws/flags", url.Values{}).must(t, http.StatusSeeOther) // the switch goes off while the page is open
	w.ask(t, ada, "/aws/console", at("aws-kprod", "admin", "ticket", "t1", "reason", "Look at the billing alarms.")).must(t, http.StatusForbidden,
		"The switch", "Enable Admin AWS JIT Access On UI", "Open the switches", "/settings/aws#flags")
	off := w.ask(t, ada, "/aws?place=aws-kprod", nil).must(t, 200, "An administrator can change it under Settings, AWS sessions.", "Some is switched off")
	if strings.Contains(off.body, "JIT Admin AWS Console") {
		t.Error("the menu offers what is switched off")
	}
	w.ask(t, ada, "/settings/aws/flags", url.Values{"nonadmin": {"yes"}}).must(t, http.StatusSeeOther)
	w.ask(t, maya, "/aws/keys", at("aws-kprod", "tenant")).must(t, http.StatusForbidden, "Disable Non-Admin AWS JIT Access On UI")
	if maya := w.ask(t, maya, "/me", nil).body; strings.Contains(maya, "Open JIT AWS Console") || strings.Contains(maya, "/settings/aws") {
		t.Error("Maya's menu offers what is switched off, or leads where she cannot go")
	}
	if n := len(w.bank("aws-kprod").Issued()); n != 0 {
		t.Errorf("%d sessions were issued", n)
	}
	w.ask(t, maya, "/settings/aws", nil).must(t, http.StatusNotFound)
	w.ask(t, maya, "/settings/aws/flags", url.Values{"admin": {"yes"}}).must(t, http.StatusNotFound)
	w.ask(t, otto, "/settings/aws", nil).must(t, http.StatusOK)
	w.ask(t, otto, "/settings/aws/limit", url.Values{"name": {nameAdmin}, "seconds": {"3600"}}).must(t, http.StatusNotFound)
}

// What is not there because the target has no role for it is not switched off.
func TestOnlyASwitchIsCalledASwitch(t *testing.T) {
	w := newAWSWorld(t, "")
	const off = "Some is switched off"
	w.ask(t, ada, "/me", nil).must(t, 200, "JIT Admin AWS Console").mustNot(t, off)
	for _, target := range w.targets {
		delete(target.Settings, "admin_role")
	}
	w.ask(t, ada, "/me", nil).must(t, 200, "Open JIT AWS Console").mustNot(t, off, "JIT Admin AWS Console")
	w.settings[access.SwitchNonAdmin] = "true"
	w.ask(t, ada, "/me", nil).must(t, 200, off)
}

func TestWhatThePolicyDemands(t *testing.T) {
	w := newAWSWorld(t, "")
	w.ask(t, ada, "/aws/console", at("aws-kprod", "admin")).must(t, http.StatusUnprocessableEntity, `href="#ticket"`, `href="#reason"`)
	w.ask(t, maya, "/aws/keys", at("aws-kprod", "tenant", "minutes", "5000")).must(t, http.StatusUnprocessableEntity, `href="#minutes"`)
	w.ask(t, maya, "/aws/keys", at("aws-kprod", "tenant", "minutes", "soon")).must(t, http.StatusUnprocessableEntity, `href="#minutes"`)
	w.bank("aws-kprod").Fail(&access.Error{Kind: access.Unavailable, Text: "AWS throttles the calls.", Hint: "Try again in a minute."})
	w.ask(t, maya, "/aws/keys", at("aws-kprod", "tenant")).must(t, http.StatusServiceUnavailable, "AWS throttles the calls.", "Try again in a minute.")
	if countOpen(w, maya, "aws-kprod") != 0 {
		t.Error("a grant of which nothing was issued stays open")
	}
	w.bank("aws-kprod").Fail(nil)

	p := w.policies["aws-admin"]
	p.NoTicket = true
	w.policies["aws-admin"] = p
	form := at("aws-kprod", "admin", "reason", "Look at the billing alarms.")
	a := w.ask(t, ada, "/aws/console", form).must(t, http.StatusSeeOther)
	if !strings.HasPrefix(a.Header.Get("Location"), "/aws?") {
		t.Fatalf("waiting leads to %s", a.Header.Get("Location"))
	}
	w.ask(t, ada, a.Header.Get("Location"), nil).must(t, 200, "Waits for approval", "Withdraw")
	if len(w.bank("aws-kprod").Issued()) != 0 {
		t.Error("issued before approval")
	}
	w.mu.Lock()
	g := &w.grants[len(w.grants)-1]
	g.ApprovedAt, g.ApprovedBy, g.StartBy = time.Now(), priya, time.Now().Add(time.Hour)
	w.mu.Unlock()
	w.ask(t, ada, "/aws/keys", at("aws-kprod", "admin")).must(t, 200, "AWS_SECRET_ACCESS_KEY")
}

// Where nothing ends a session before its own limit, no page promises that.
func TestPagesSayWhatNothingEndsSooner(t *testing.T) {
	w := newAWSWorld(t, "")
	w.today()
	for i := range w.issued { // what was fetched does not know of an early end
		w.issued[i].EndsAt = time.Now().Add(time.Hour)
	}
	const form = "/request?kind=fake-sessions&customer=kdev"
	promise, limit := "denied everything: within seconds as a rule", "nothing can end them sooner"
	w.ask(t, maya, "/grants/s-active", nil).must(t, 200, promise, "Every session is denied everything.").mustNot(t, limit, "at once, and")
	w.ask(t, maya, "/grants/s-ending", nil).must(t, 200, "Rights are being taken away.").mustNot(t, limit)
	w.ask(t, maya, form, nil).must(t, 200, "It is read back to be sure.", "<dt>Keys and consoles</dt><dd>Made when you ask for them", "Every session is for this access only").
		mustNot(t, "temporary credential", "None is needed")
	for _, id := range []string{"aws-kprod", "aws-kdev"} {
		w.targets[id].Settings["edit_role"] = "no"
	}
	w.ask(t, maya, "/grants/s-active", nil).must(t, 200, limit, "nothing ends it sooner").mustNot(t, "denied everything")
	w.ask(t, maya, "/grants/s-ending", nil).must(t, 200, `<td data-label="State"><div><span class="state st-active">`, limit, "It counts as ended after that.", "The last of the keys and consoles that were fetched ends.").
		mustNot(t, "denied everything", "being taken away", "keeps removing")
	w.ask(t, maya, form, nil).must(t, 200, "nothing ends it sooner").mustNot(t, "denied everything", "read back to be sure")
	w.issued = nil
	w.ask(t, maya, "/grants/s-active", nil).must(t, 200, "<p>No new session is made.</p>").mustNot(t, limit)
}

func TestAWSSettings(t *testing.T) {
	w := newAWSWorld(t, "")
	save := func(name string, more ...string) answer {
		f := url.Values{"name": {name}}
		for i := 0; i+1 < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		a := w.ask(t, ada, "/settings/aws/limit", f)
		if a.StatusCode == http.StatusOK {
			checkPage(t, name, a)
		}
		return a
	}
	save(nameAdmin, "seconds", "1800").must(t, 200, "The Admin-JIT session duration is configured")
	short := save(nameValidity, "place", "customer:kprod", "seconds", "7200").must(t, 200, "sessions are cut to that, not 2 hours", "Raise this target&#39;s roles to 2 hours")
	if !strings.Contains(short.body, `name="hours" value="7200"`) {
		t.Error("no offer to raise the role")
	}
	w.ask(t, ada, "/customers/kprod", nil).must(t, 200, "AWS Access Token Validity", "7200 s (2 hours)")
	save(nameRoleMax, "place", "customer:kprod", "hours", "7200").must(t, 200, "The Tenant JIT session duration is configured", "7200 s (2 hours)")
	save(nameRoleMax, "place", "", "hours", "custom", "seconds", "5400").must(t, 200, "5400 s (1 hour 30 minutes)")
	save(nameRoleMax, "place", "", "hours", "custom", "seconds", "100").must(t, http.StatusUnprocessableEntity, `href="#custom"`)
	save(nameValidity, "place", "customer:kprod", "seconds", "many").must(t, http.StatusUnprocessableEntity, `href="#seconds"`)
	save(nameAdmin, "seconds", "99999999999999999999").must(t, http.StatusUnprocessableEntity, `href="#admin-seconds"`)
	w.ask(t, ada, "/settings/aws?setting=length&place=customer:kprod", nil).must(t, 200, `value="customer:kprod" selected`, `value="7200" min="900"`)
	w.ask(t, ada, "/settings/aws?setting=role-max&place=", nil).must(t, 200, `value="custom" selected`, `value="5400" min="3600"`)
	w.ask(t, ada, "/settings/aws", nil).must(t, 200, "AWS Access Token Validity of the tenant", "AdminJitSessionDuration")
	w.ask(t, otto, "/settings/aws/roles", url.Values{}).must(t, 200, "The role allows", "7200 s (2 hours)")
	w.bank("aws-kprod").Fail(&access.Error{Kind: access.Denied, Text: "Jitney may not read the role."})
	w.ask(t, ada, "/settings/aws/roles", url.Values{}).must(t, 200, "Jitney may not read the role.")
	w.bank("aws-kprod").Fail(nil)
	save(nameAdmin, "place", "scope:admin", "remove", "yes").must(t, http.StatusSeeOther)
	if len(w.limits) != 3 {
		t.Errorf("set are %+v", w.limits)
	}
	keys := w.ask(t, maya, "/aws/keys", at("aws-kprod", "tenant"))
	keys.must(t, 200)
	if k := w.bank("aws-kprod").Issued()[0]; time.Until(k.EndsAt) < 115*time.Minute {
		t.Errorf("ends %v from now", time.Until(k.EndsAt))
	}
}

// What the roles are to allow is set on those of a target that comes later, and
// that it is not set yet is said.
func TestRolesOfATargetThatComesLater(t *testing.T) {
	w := newAWSWorld(t, "")
	save := func(place, hours, remove string) answer {
		return w.ask(t, ada, "/settings/aws/limit", url.Values{"name": {nameRoleMax}, "place": {place}, "hours": {hours}, "remove": {remove}})
	}
	save("", "7200", "").must(t, 200, "7200 s (2 hours)")
	form := url.Values{"kind": {fake.Sessions}, "name": {"AWS new"}, "policy": {"sessions"}, "admin_policy": {"default"}, "field-account": {"402177831299"}, "field-region": {"eu-west-2"}}
	made := w.ask(t, ada, "/customers/kprod/targets", form).must(t, http.StatusSeeOther)
	bank := w.bank(strings.TrimPrefix(made.Header.Get("Location"), "/targets/"))
	if most, err := fake.OpenSessions(bank, nil).Longest(t.Context(), fake.Tenant); most != 2*time.Hour || !strings.Contains(made.Header.Get("Set-Cookie"), "flash=saved;") {
		t.Errorf("the role of the new target allows %v: %v, %v", most, err, made.Header)
	}

	w.bank("aws-kdev").Fail(&access.Error{Kind: access.Denied, Text: "The role does not trust Jitney."})
	save(access.AtCustomer("kdev"), "14400", "").must(t, 200, "The role does not trust Jitney.")
	form.Set("version", "1")
	if a := w.ask(t, ada, "/targets/aws-kdev", form).must(t, http.StatusSeeOther); !strings.Contains(a.Header.Get("Set-Cookie"), "flash=savednot;") {
		t.Errorf("that the role was not set is not said: %v", a.Header)
	}
	w.bank("aws-kdev").Fail(nil)
	w.ask(t, ada, "/settings/aws/roles", url.Values{}).must(t, 200, "7200 s (2 hours): not set yet, AWS Role Max Session Duration says 4 hours", "Set it on the role")
	save(access.AtCustomer("kdev"), "14400", "").must(t, 200, "14400 s (4 hours)").mustNot(t, "not set yet")
	save(access.AtCustomer("kdev"), "", "yes").must(t, 200, "Removed.", "7200 s (2 hours)").mustNot(t, "not set yet", "left as it is")
	checkPage(t, "removed", save("", "", "yes").must(t, 200, "left as it is: nothing is set for it any more"))
	save("", "", "yes").must(t, http.StatusSeeOther)
}

func TestANewTargetGetsAnExternalIDByChance(t *testing.T) {
	w := newAWSWorld(t, "")
	form := regexp.MustCompile(`name="field-external_id" value="([^"]*)"`)
	made := map[string]bool{}
	for range 2 {
		found := form.FindStringSubmatch(w.ask(t, ada, "/customers/kprod/targets/new?kind="+fake.Sessions, nil).must(t, 200).body)
		if found == nil || len(found[1]) < 20 {
			t.Fatalf("the form offers %q", found)
		}
		made[found[1]] = true
	}
	if len(made) != 2 {
		t.Errorf("two forms offer the same: %v", made)
	}
	w.ask(t, ada, "/targets/aws-kprod", nil).must(t, 200, `name="field-external_id" value=""`)
}

func TestPoliciesOfATargetWithSessions(t *testing.T) {
	w := newAWSWorld(t, "")
	w.ask(t, ada, "/targets/aws-kprod", nil).must(t, 200, "Policy of the admin level", `value="aws-admin" selected`, "Open AWS console")
	w.ask(t, ada, "/customers/kprod/targets/new?kind="+fake.Sessions, nil).must(t, 200, `value="sessions" selected`)
	form := url.Values{"version": {"1"}, "kind": {fake.Sessions}, "name": {"AWS kestrel-prod"}, "policy": {"sessions"}, "admin_policy": {"default"}, "field-account": {"402177831190"}, "field-region": {"eu-west-2"}}
	w.ask(t, ada, "/targets/aws-kprod", form).must(t, http.StatusSeeOther)
	if p := w.targets["aws-kprod"].AdminPolicy; p != "default" {
		t.Errorf("the admin policy is %q", p)
	}
	form.Set("admin_policy", "none")
	form.Set("version", "2")
	w.ask(t, ada, "/targets/aws-kprod", form).must(t, http.StatusUnprocessableEntity, `href="#admin_policy"`)
	if strings.Contains(w.ask(t, ada, "/targets/ad-aviary", nil).body, "admin_policy") {
		t.Error("a kind without sessions asks for two policies")
	}
}

func TestWordsOfLengths(t *testing.T) {
	for want, d := range map[string]time.Duration{"1 hour": time.Hour, "1 hour 30 minutes": 90 * time.Minute, "15 minutes": 15 * time.Minute, "16 min 40 s": 1000 * time.Second, "2 h 0 min 1 s": 7201 * time.Second} {
		if got := inWords(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	b := awsBody{Tenant: "North & Wind", Level: "tenant"}
	b.texts("https://jitney.example.net")
	if got := b.Profile.Lines[3].Before; got != `credential_process=jitney aws --host https://jitney.example.net --tenant "North & Wind" --interactive` {
		t.Error(got)
	}
	b = awsBody{Tenant: `O"Brien`, Level: "admin"}
	b.place.Customer.ID, b.RegionUsual = "c7", "eu-west-2"
	b.texts("https://jitney.example.net")
	if got := b.Update.Lines[0].Before; got != `jitney aws update-config --host https://jitney.example.net --tenant-id c7 --admin --region eu-west-2 --interactive` {
		t.Error(got)
	}
}
