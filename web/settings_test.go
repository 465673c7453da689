package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPolicyMenu finds, copies and exports policies, which name the request forms.
func TestPolicyMenu(t *testing.T) {
	w := newWorld(t)
	w.fill()
	add := func(name, title string) {
		w.ask(t, ada, "/settings/policy", url.Values{"name": {name}, "title": {title}, "version": {"0"}, "default": {"30"}, "max": {"90"}, "start": {"60"},
			"min_reason": {"10"}, "password": {"form"}}).must(t, http.StatusSeeOther)
	}
	add("vendors", "Vendor access")
	add("night", "Night shift")
	add("weekend", "Weekend <work>")

	all := w.ask(t, ada, "/settings", nil).must(t, http.StatusOK, "Find a policy", "Night shift", "/grants?policy=vendors")
	checkPage(t, "settings", all)
	found := w.ask(t, ada, "/settings?q=VENDOR", nil).must(t, http.StatusOK, "Vendor access")
	if strings.Contains(string(found.body), "Night shift") {
		t.Error("finds what does not match")
	}
	if want := `<summary>30 min, at most 1 h 30 min; needs a ticket; needs a reason</summary>`; !strings.Contains(all.body, want) || strings.Contains(all.body, `<details class="more" open>`) {
		t.Errorf("policies are not folded to one line such as %s", want)
	}
	w.ask(t, ada, "/settings?q=nothing-like-it", nil).must(t, http.StatusOK, "No policy has", "Show all")

	w.ask(t, ada, "/settings?add=policy&from=vendors", nil).must(t, http.StatusOK, "Copy of Vendor access", `value="90"`)

	one := w.ask(t, ada, "/settings/policies.json?policy=weekend", nil).must(t, http.StatusOK, `"name":"weekend"`, `"max_minutes":90`, `"password":"form"`)
	if one.Header.Get("Content-Type") != "application/json" || strings.Contains(string(one.body), "night") {
		t.Errorf("exported %s: %s", one.Header.Get("Content-Type"), one.body)
	}
	w.ask(t, ada, "/settings/policies.json", nil).must(t, http.StatusOK, `"name":"night"`, `"name":"default"`)
	w.ask(t, ada, "/settings/policies.json?policy=none", nil).must(t, http.StatusNotFound)
	w.ask(t, maya, "/settings/policies.json", nil).must(t, http.StatusNotFound)
}
