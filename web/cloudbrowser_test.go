package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jitney/access"
)

// Asking for consent leads to another site and back; importing follows. Both
// work with and without page scripts, and within the policy of the pages.
func TestConsentAndImportInABrowser(t *testing.T) {
	b := openBrowser(t)
	answer := url.Values{"tenant": {avianTenant}, "admin_consent": {"True"}}
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+avianTenant+"/adminconsent" {
			http.NotFound(w, r)
			return
		}
		answer.Set("state", r.FormValue("state"))
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
	}))
	t.Cleanup(login.Close)
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // one more hop, at another site
		http.Redirect(w, r, login.URL+r.URL.RequestURI(), http.StatusFound)
	}))
	t.Cleanup(first.Close)
	b.login = first.URL
	ask := func() {
		t.Helper()
		b.open(t, "/targets/m365-aviary")
		b.until(t, `(document.querySelector("#onboarding details").open = true)`) // folded once it is connected
		b.click(t, `#onboarding form[action$="/consent"] button`)
	}
	b.as(t, ada, "light")
	for _, script := range []bool{true, false} {
		b.size(t, map[bool]int64{true: 1280, false: 390}[script])
		b.do(t, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !script}))
		ask()
		b.until(t, `location.pathname === "/consent" && document.querySelector("h1").textContent === "Agreed"`)
		b.shot(t, "consent-agreed")
		b.click(t, `form[action$="/check"] button`)
		b.until(t, `location.pathname === "/targets/m365-aviary" && document.querySelector("#onboarding h2").textContent === "Connected"`)
		b.shot(t, "connected")
		b.open(t, "/targets/m365-aviary/companies")
		id := map[bool]string{true: "d1d1d1d1d1d3", false: "d1d1d1d1d1d2"}[script]
		b.click(t, `input[name="id"][value$="`+id+`"]`)
		b.click(t, `form[method="post"] .bulk button`)
		b.until(t, `document.querySelector(".alert")?.textContent.includes("1 imported")`)
		b.shot(t, "imported")
		if script {
			if p := b.probe(t, true); len(p.Faults)+len(p.Axe)+p.Overflow > 0 {
				t.Errorf("after the import: %v %v %d", p.Faults, p.Axe, p.Overflow)
			}
		}
	}
	answer.Set("error", "access_denied")
	ask()
	b.until(t, `document.querySelector("h1").textContent === "Not agreed"`)
	b.shot(t, "consent-refused")
	b.as(t, "", "dark")
	b.open(t, "/consent?state=handed-on.x&error=access_denied")
	b.until(t, `document.querySelector("h1").textContent === "Thank you"`)
	b.shot(t, "thanks")
}

func TestChoosingAll(t *testing.T) {
	b := openBrowser(t)
	b.size(t, 1280)
	b.as(t, ada, "light")
	for path, all := range map[string]string{"/grants?state=stuck": "3", "/targets/m365-aviary/companies": "23"} {
		b.open(t, path)
		b.click(t, `input[data-all]`)
		b.until(t, `document.querySelectorAll("input[name=id]:checked").length === `+all)
		b.click(t, `input[data-all]`)
		b.until(t, `document.querySelectorAll("input[name=id]:checked").length === 0`)
	}
}

func TestTheFormFollowsTheChosenKind(t *testing.T) {
	b := openBrowser(t)
	b.mu.Lock()
	p := b.policies["default"]
	p.Password = access.ChosenOnForm
	b.policies["default"] = p
	target := b.targets["m365-aviary"]
	target.Findings = []access.Finding{{Level: "error", What: "The permission User.DeleteRestore.All is missing.", Fix: "Give it to the app."}}
	b.targets["m365-aviary"] = target
	b.mu.Unlock()
	pick := func(selector string) {
		t.Helper()
		b.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := chromedp.Evaluate[int](`document.querySelector(`+"`"+selector+"`"+`).click(), 1`)(ctx, target)
			return err
		}))
	}
	b.size(t, 1280)
	b.as(t, maya, "light")
	b.open(t, "/request?customer=aviary")
	b.until(t, `document.querySelector("#offer").innerText.includes("Temporary Password") && document.querySelector("#targetnote").hidden`)
	pick(`input[name=kind][value=entra]`)
	b.until(t, `document.querySelector("#preview").innerText.includes("Temporary Access Pass") && document.querySelector("#offer").hidden`)
	b.until(t, `document.querySelector("#targetnote").innerText.includes("DeleteRestore") && document.querySelector("#targetbox").innerText.includes("Global Reader")`)
	b.shot(t, "form-missing")
	if p := b.probe(t, true); len(p.Faults)+len(p.Axe)+len(p.Weak)+p.Overflow > 0 {
		t.Errorf("with a warning: %v %v %v", p.Faults, p.Axe, p.Weak)
	}
	b.choose(t, "#target", "m365-aviary|role:Global Reader")
	b.until(t, `document.querySelector("#preview").innerText.includes("Only what Global Reader may do.")`)
	b.choose(t, "#customer", "harbour")
	b.until(t, `document.querySelector("#sub-ad").innerText === "Not connected at Harbour Dental Group" && document.querySelector("#targetnote").hidden`)
	pick(`input[name=kind][value=ad]`)
	b.until(t, `document.querySelector("#customer-note").innerText.includes("has no On Prem AD")`)
	b.choose(t, "#customer", "aviary")
	b.until(t, `!document.querySelector("#customer-note").innerText.includes("has no On Prem AD") && !document.querySelector("#offer").hidden`)
	if p := b.probe(t, true); len(p.Faults)+len(p.Axe) > 0 {
		t.Errorf("at the end: %v %v", p.Faults, p.Axe)
	}
}
