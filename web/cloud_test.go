package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
)

const avianTenant = "11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d1"

// lacks demands that a page does not say something.
func (a answer) lacks(t testing.TB, parts ...string) answer {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(a.body, p) {
			t.Errorf("body holds %q", p)
		}
	}
	return a
}

func TestTheFormKnowsEveryKind(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, maya, "/request", nil).must(t, http.StatusOK, "Global Administrator", "Domain Admin", "A temporary password will be provided")
	w.ask(t, maya, "/request?kind=entra", nil).must(t, http.StatusOK, "A Temporary Access Pass will be provided", "Aviary Foods (pedroaviary.local)</option>")
	a := w.ask(t, maya, "/request?customer=aviary&kind=entra&target=m365-aviary%7Crole:Exchange+Administrator", nil).must(t, http.StatusOK,
		"Target and rights", "pedroaviary.example · Global Reader", "Only what Exchange Administrator may do.", "<dt>Temporary Access Pass</dt>",
		"Made for you when the account is ready, and shown once, on the next page", "A Temporary Access Pass is for this access only", "Global Administrator, Exchange Administrator, Global Reader")
	a.lacks(t, "Temporary password", "Temporary Password", "Press Refresh to generate")
	w.ask(t, maya, "/request?customer=harbour&kind=ad", nil).must(t, http.StatusOK, "Harbour Dental Group has no On Prem AD (Active Directory) connected", "Not connected at Harbour Dental Group",
		"Harbour Dental Group – no On Prem AD (Active Directory)")

	p := w.policies["default"]
	p.Password = access.ChosenOnForm
	w.policies["default"] = p
	w.ask(t, maya, "/request?customer=aviary&kind=entra", nil).must(t, http.StatusOK).lacks(t, "Press Refresh to generate")
	w.ask(t, maya, "/request?customer=aviary&kind=ad", nil).must(t, http.StatusOK, "Press Refresh to generate a temporary password")

	target := w.targets["m365-aviary"]
	target.Settings["credential"] = "Password"
	target.Findings = []access.Finding{{Level: "error", What: "The permission User.DeleteRestore.All is missing.", Fix: "Give it to the app."}, {Level: "warning", What: "Something else."}}
	w.targets["m365-aviary"] = target
	w.ask(t, maya, "/request?customer=aviary&kind=entra", nil).must(t, http.StatusOK, "demand a second factor", "The permission User.DeleteRestore.All is missing. Give it to the app.",
		"Tell an administrator").lacks(t, "Something else.", "/targets/m365-aviary")
	w.ask(t, ada, "/request?customer=aviary&kind=entra", nil).must(t, http.StatusOK, `href="/targets/m365-aviary#found"`)

	target.DisabledAt = time.Now()
	w.targets["m365-aviary"] = target
	w.ask(t, maya, "/request?customer=aviary&kind=entra", nil).must(t, http.StatusOK, "Takes no new requests at Aviary Foods", "takes no new requests at the moment").lacks(t, "DeleteRestore")
	form := url.Values{"kind": {"entra"}, "customer": {"aviary"}, "ticket": {"t1"}, "minutes": {"15"}, "reason": {"Remove the domain from the blacklist."}, "target": {"m365-aviary|global-admin"}}
	w.ask(t, maya, "/request", form).must(t, http.StatusUnprocessableEntity, "takes no new requests")
	w.customers["bare"] = access.Customer{ID: "bare", Name: "Bare Ltd", Version: 1}
	w.ask(t, ada, "/request", nil).must(t, http.StatusOK, "Not listed, as they have nothing connected: Bare Ltd.").lacks(t, `value="bare"`)
}

func TestGrantsSayWhatTheirCredentialIsCalled(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, maya, "/grants/pass", nil).must(t, http.StatusOK, "<span>Temporary Access Pass</span>", "New Temporary Access Pass", "go to https://entra.microsoft.com", "Ready to be revealed, once").
		lacks(t, "New password", "<span>Password</span>")
	w.ask(t, ada, "/grants/pass", nil).must(t, http.StatusOK, "Re-issue the Temporary Access Pass to get in yourself", "The Temporary Access Pass of the requester stops working")
	w.ask(t, ada, "/grants/pass/reveal", url.Values{}).must(t, http.StatusForbidden, "This Temporary Access Pass is not for you to see.")
	w.ask(t, maya, "/grants/pass/reveal", url.Values{}).must(t, http.StatusOK, "Wren-Copper-91-Tidal")
	w.ask(t, maya, "/grants/pass/reveal", url.Values{}).must(t, http.StatusConflict, "The Temporary Access Pass was shown already, and is not kept.")
	w.ask(t, maya, "/grants/pass/password", url.Values{}).must(t, http.StatusSeeOther)
	w.ask(t, maya, "/grants/pass", nil).must(t, http.StatusOK, "Not ready yet: the target has not made it")
	w.ask(t, maya, "/grants/active", nil).must(t, http.StatusOK, "<span>Password</span>", "New password")
}

func TestAnEndThatNeedsAPerson(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, maya, "/grants/blocked", nil).must(t, http.StatusOK, "Needs a person", "Access should be gone, and a person must help", "Purge refused.", "Give the app User.DeleteRestore.All",
		"<h3>Or do it by hand</h3>", "Find jit-maya.okafor-7k2@pedroaviary.example under Users", "restorable until", "The end needs a person (purge refused)")
	for _, path := range []string{"/grants?state=blocked", "/grants?state=stuck"} {
		w.ask(t, ada, path, nil).must(t, http.StatusOK, "/grants/blocked", "Needs a person")
	}
	w.ask(t, ada, "/grants?state=stuck", nil).must(t, http.StatusOK, "/grants/overdue", `<option value="stuck" selected>`).lacks(t, `href="/grants/active"`)
	w.ask(t, ada, "/access", nil).must(t, http.StatusOK, "3 accesses should be gone and are not.", `href="/grants?state=stuck"`)
	w.ask(t, maya, "/grants.csv?state=blocked", nil).must(t, http.StatusOK, ",blocked", "purge refused")
	w.ask(t, maya, "/access", nil).must(t, http.StatusOK, "count-red")
}

func TestAnEndThatIsReadBackLooksNotStuck(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for _, id := range []string{"settling", "settlinglong"} {
		w.ask(t, maya, "/grants/"+id, nil).must(t, http.StatusOK, "Reading back", "Deleted and purged; reading back again until it is certain.", "The next look is at").
			lacks(t, "Access should be gone and is not</h2>", "Do it by hand", "st-ended")
	}
}

func TestWhatWasToldAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, maya, "/grants/told", nil).must(t, http.StatusOK, "Ended, verified", "What the account did", "Changed the mailbox of finance@pedroaviary.example.", "Found beyond this grant",
		"The role Exchange Administrator of intern9 was left behind.").lacks(t, "10:43:57.447Z")
}

func TestConnectingATargetThatNeedsConsent(t *testing.T) {
	w := newWorld(t)
	w.fill()
	page := w.ask(t, ada, "/targets/m365-aviary", nil).must(t, http.StatusOK, "Connect it in three steps", "Ask for admin consent", "Or send a link", "redirect_uri=http%3A%2F%2Fjitney.example%2Fconsent",
		"More settings", "2 are set", "Import customers", "Rights to ask for", "a Temporary Access Pass")
	checkPage(t, "/targets/m365-aviary", page)
	w.ask(t, otto, "/targets/m365-aviary", nil).must(t, http.StatusOK, "Entra tenant ID").lacks(t, "Or send a link", "/consent\"")
	w.ask(t, ada, "/targets/ad-aviary", nil).must(t, http.StatusOK).lacks(t, "three steps", "Import customers")
	w.ask(t, ada, "/customers/aviary", nil).must(t, http.StatusOK, "Not checked yet")
	w.ask(t, otto, "/customers/aviary", nil).must(t, http.StatusOK).lacks(t, "Not checked yet")

	began := func() url.Values {
		t.Helper()
		a := w.ask(t, ada, "/targets/m365-aviary/consent", url.Values{}).must(t, http.StatusOK, "On to login.microsoftonline.example", "Aviary Foods")
		checkPage(t, "/targets/m365-aviary/consent", a)
		to, err := url.Parse(strings.TrimPrefix(a.Header.Get("Refresh"), "0; url="))
		if err != nil || to.Host != "login.microsoftonline.example" || to.Query().Get("redirect_uri") != "http://jitney.example/consent" || len(to.Query().Get("state")) < 26 {
			t.Fatalf("sent to %v, %v", to, err)
		}
		return url.Values{"state": {to.Query().Get("state")}, "tenant": {avianTenant}, "admin_consent": {"True"}}
	}
	back := func(who string, q url.Values) answer { return w.ask(t, who, "/consent?"+q.Encode(), nil) }
	recorded := func() (n int) {
		for _, r := range w.records {
			if strings.HasPrefix(r.Kind, "consent.") {
				n++
			}
		}
		return n
	}
	wrong := "not the answer to anything that you asked for"
	good := began()
	guess := url.Values{"state": {"guessed.m365-aviary"}, "tenant": {avianTenant}}
	back(ada, guess).must(t, http.StatusUnprocessableEntity, wrong)
	for _, who := range []string{maya, otto} {
		back(who, good).must(t, http.StatusUnprocessableEntity, wrong)
	}
	back("", good).must(t, http.StatusOK, "Thank you", "You can close this page")
	back(ada, url.Values{}).must(t, http.StatusUnprocessableEntity, wrong)
	if recorded() != 0 {
		t.Fatal("something that is no answer was recorded")
	}
	checkPage(t, "/consent", back(ada, good).must(t, http.StatusOK, "Agreed", "Aviary Foods admits Jitney to pedroaviary.example.", "Check connection"))
	back(ada, good).must(t, http.StatusUnprocessableEntity, wrong)
	if recorded() != 1 || w.records[len(w.records)-1].Actor != ada || w.records[len(w.records)-1].Subject != "m365-aviary" {
		t.Errorf("recorded %d", recorded())
	}
	refused := began()
	refused.Set("error", "access_denied")
	refused.Set("error_description", "no \x00<b>way</b>")
	checkPage(t, "/consent", back(ada, refused).must(t, http.StatusOK, "Not agreed", "The consent was not given.", "Ask again when", "Ask for admin consent").lacks(t, "<b>way"))
	w.ask(t, ada, "/targets/m365-aviary", nil).must(t, http.StatusOK, "Came back without the consent")
	if r := w.records[len(w.records)-1]; r.Kind != broker.EventConsentRefused || r.Data["said"] != "access_denied no <b>way</b>" {
		t.Errorf("recorded %+v", r)
	}

	old := began()
	for key, value := range w.kept { // years later
		w.kept[key] = regexp.MustCompile(`"until":"\d{4}`).ReplaceAllString(value, `"until":"2020`)
	}
	back(ada, old).must(t, http.StatusUnprocessableEntity, wrong)
	link := url.Values{"state": {"handed-on.abc"}, "tenant": {avianTenant}, "admin_consent": {"True"}}
	back(ada, link).must(t, http.StatusOK, "Thank you")
	if recorded() != 2 {
		t.Errorf("recorded %d", recorded())
	}
	w.ask(t, ada, "/targets/m365-aviary/check", url.Values{}).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/targets/m365-aviary", nil).must(t, http.StatusOK, "Everything is in order", "Highest privileges that no grant explains: 2", "Break glass (bg@pedroaviary.example)", ">Connected<")
	w.ask(t, ada, "/customers/aviary", nil).must(t, http.StatusOK, "Everything is in order").lacks(t, "Not connected yet")

	target := w.targets["m365-aviary"]
	target.Settings = nil
	w.targets["m365-aviary"] = target
	w.ask(t, ada, "/targets/m365-aviary", nil).must(t, http.StatusOK, "The settings come first.", "must be a GUID")
	w.ask(t, ada, "/targets/m365-aviary/consent", url.Values{}).must(t, http.StatusUnprocessableEntity, "must be a GUID")
	w.ask(t, ada, "/targets/ad-aviary/consent", url.Values{}).must(t, http.StatusNotFound)
	w.ask(t, maya, "/targets/m365-aviary/consent", url.Values{}).must(t, http.StatusNotFound)
}

func TestWhereTheWebsiteIs(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.server.Address = "https://jitney.example/"
	w.ask(t, ada, "/targets/m365-aviary", nil).must(t, http.StatusOK, "redirect_uri=https%3A%2F%2Fjitney.example%2Fconsent&amp;")
	for login, want := range map[string]int{"https://login.example": http.StatusOK, "javascript:alert(1)//": http.StatusInternalServerError, "//login.example": http.StatusInternalServerError} {
		w.login = login
		if a := w.ask(t, ada, "/targets/m365-aviary/consent", url.Values{}).must(t, want); want != http.StatusOK && a.Header.Get("Refresh") != "" {
			t.Errorf("sent to %q", a.Header.Get("Refresh"))
		}
	}
}

func TestImportingCustomers(t *testing.T) {
	w := newWorld(t)
	w.fill()
	const path = "/targets/m365-aviary/companies"
	page := w.ask(t, ada, path, nil).must(t, http.StatusOK, "knows 25 companies, 1 of them connected", "GDAP relationship until 2027-01-31", "Entra tenant ID", "Wren &lt;Garage&gt; &amp; Sons", "New customer",
		"Will be added to <a href=\"/customers/kestrel\">Kestrel Logistics</a>", "is archived", "Import chosen", "Connected: <a href=\"/targets/m365-aviary\">Aviary Foods</a>")
	checkPage(t, path, page)
	checkPage(t, path, w.ask(t, ada, path+"?q=kestrel", nil).must(t, http.StatusOK, "Kestrel").lacks(t, "Wren &lt;", "Customer 01"))
	checkPage(t, path, w.ask(t, ada, path+"?q=nobody", nil).must(t, http.StatusOK, "Nothing found"))
	for _, who := range []string{maya, otto} {
		w.ask(t, who, path, nil).must(t, http.StatusNotFound)
		w.ask(t, who, path, url.Values{"id": {"refused"}}).must(t, http.StatusNotFound)
	}
	w.ask(t, ada, "/targets/ad-aviary/companies", nil).must(t, http.StatusNotFound)
	w.ask(t, ada, path, url.Values{"policy": {"default"}}).must(t, http.StatusUnprocessableEntity, "Choose at least one company")
	w.ask(t, ada, path, url.Values{"policy": {"nonesuch"}, "id": {"11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d3"}}).must(t, http.StatusUnprocessableEntity, "Choose a policy", "d1d1d1d1d1d3\" checked")
	before := len(w.customers)
	form := url.Values{"policy": {"default"}, "id": {avianTenant, "11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d2", "11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d3", "refused", "gone"}}
	done := w.ask(t, ada, path, form).must(t, http.StatusOK, "2 imported, 1 connected already, 2 not", "Not a GUID Ltd: The Entra tenant ID must be a GUID.", "does not list it any more", "3 of them connected")
	checkPage(t, path, done)
	if len(w.customers) != before+1 {
		t.Errorf("%d customers, %d before", len(w.customers), before)
	}
	w.ask(t, ada, path, form).must(t, http.StatusOK, "0 imported, 3 connected already")
	if len(w.customers) != before+1 {
		t.Error("a second import made more")
	}
	w.shut = true
	for _, f := range []url.Values{nil, form} {
		w.ask(t, ada, path, f).must(t, http.StatusForbidden, "The permission DelegatedAdminRelationship.Read.All is missing.", "Give it to the app.", "Check connection")
	}
}
