package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
)

func TestListsAndExports(t *testing.T) {
	w := newWorld(t)
	w.fill()
	first := w.ask(t, ada, "/grants", nil).must(t, http.StatusOK, "Next page", "Removal stuck", "Revoke chosen")
	next := regexp.MustCompile(`href="(/grants\?after=[^"]+)"`).FindStringSubmatch(first.body)
	if next == nil {
		t.Fatal("no second page")
	}
	w.ask(t, ada, next[1], nil).must(t, http.StatusOK, "/grants/old59")
	if a := w.ask(t, maya, "/grants", nil); strings.Contains(a.body, "Revoke chosen") {
		t.Error("a requester is offered to revoke")
	}
	w.ask(t, ada, "/grants?state=overdue", nil).must(t, http.StatusOK, "/grants/overdue")
	csv := w.ask(t, maya, "/grants.csv", nil).must(t, http.StatusOK, "id,state,cause", "active,active")
	if !strings.HasPrefix(csv.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("type %q", csv.Header.Get("Content-Type"))
	}
	w.ask(t, ada, "/grants/revoke", url.Values{"id": {"active", "expiring"}}).must(t, http.StatusOK, "Revoke 2 grants?", "Reason")
	w.ask(t, ada, "/grants/revoke", url.Values{"id": {"active"}, "confirm": {"yes"}}).must(t, http.StatusUnprocessableEntity, "Reason is required.")
	w.ask(t, ada, "/grants/revoke", url.Values{"person": {maya}, "confirm": {"yes"}, "reason": {"Laptop was stolen."}}).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/grants/active", nil).must(t, http.StatusOK, "Removing", "Laptop was stolen.")
	w.ask(t, otto, "/audit/verify", url.Values{}).must(t, http.StatusOK, "nothing was changed")
	w.tampered = true
	w.ask(t, otto, "/audit/verify", url.Values{}).must(t, http.StatusOK, "Record 3 is not the one")
	w.ask(t, otto, "/audit/export", url.Values{}).must(t, http.StatusOK, "grant.submitted")
}

func TestActingOnAGrant(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, maya, "/grants/overdue", nil).must(t, http.StatusOK, "Access should be gone and is not", "Do it by hand", "dc1 did not answer", "held", "dc2.aviary.example", "helpdesk2", "Try again")
	w.ask(t, maya, "/grants/active/extend", url.Values{"minutes": {"30"}}).must(t, http.StatusSeeOther)
	w.ask(t, maya, "/grants/active", nil).must(t, http.StatusOK, "extended by 30 min")
	w.ask(t, maya, "/grants/active/extend", url.Values{"minutes": {"other"}, "other": {"900"}}).must(t, http.StatusForbidden, "more at most")
	w.ask(t, ada, "/grants/active/revoke", url.Values{}).must(t, http.StatusUnprocessableEntity, "Reason is required.")
	w.ask(t, ada, "/grants/active/reissue", url.Values{"reason": {"The requester fell ill."}}).must(t, http.StatusSeeOther)
	w.ask(t, maya, "/grants/active", nil).must(t, http.StatusOK, "The requester fell ill.")
	w.ask(t, maya, "/grants/active/end", url.Values{}).must(t, http.StatusSeeOther)
	w.ask(t, maya, "/grants/active", nil).must(t, http.StatusOK, "Removing")
	w.ask(t, maya, "/grants/overdue/notes/work-overdue", url.Values{}).must(t, http.StatusSeeOther)
}

func TestAdministration(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, ada, "/customers", url.Values{"name": {""}}).must(t, http.StatusUnprocessableEntity, "Name is required.")
	w.ask(t, ada, "/customers", url.Values{"name": {"New one"}}).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/customers/aviary/targets", url.Values{"kind": {"ad"}, "name": {"D"}}).must(t, http.StatusUnprocessableEntity, "Domain controller is required.", "Password is required.")
	made := w.ask(t, ada, "/customers/aviary/targets", url.Values{"kind": {"ad"}, "name": {"Second"}, "field-url": {"ldaps://dc9"}, "field-password": {"Wren-Copper-service"}}).must(t, http.StatusSeeOther)
	page := w.ask(t, ada, made.Header.Get("Location"), nil).must(t, http.StatusOK, "Set; leave empty to keep it", "ldaps://dc9")
	checkPage(t, "target", page)
	w.ask(t, ada, "/targets/ad-aviary/check", url.Values{}).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/targets/ad-aviary", nil).must(t, http.StatusOK, "40 s ahead", "Run the script")
	stale := url.Values{"name": {"X"}, "version": {"0"}}
	w.ask(t, ada, "/customers/aviary", stale).must(t, http.StatusConflict, "Somebody else changed this")
	w.ask(t, ada, "/people", url.Values{"name": {"Bo"}, "login": {"bo"}}).must(t, http.StatusUnprocessableEntity, "Choose at least one role.")
	w.ask(t, ada, "/people", url.Values{"name": {"Bo"}, "login": {"bo"}, "role": {"requester"}, "customer": {"aviary"}}).must(t, http.StatusOK, "First-Password-81")
	w.ask(t, ada, "/people/maya/disable", url.Values{"reason": {"Left."}, "revoke": {"yes"}}).must(t, http.StatusSeeOther)
	w.ask(t, maya, "/access", nil).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/settings/policy", url.Values{"name": {"default"}, "title": {"T"}, "version": {"1"}, "default": {"15"}, "max": {"9000"}, "start": {"60"}, "min_reason": {"10"}, "password": {"reveal"}}).must(t, http.StatusUnprocessableEntity, "longest duration")
	w.ask(t, ada, "/settings/policy", url.Values{"name": {"default"}, "title": {"T"}, "version": {"1"}, "default": {"15"}, "max": {"60"}, "start": {"60"}, "min_reason": {"10"}, "password": {"form"}}).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/desk", url.Values{"customer": {"aviary"}}).must(t, http.StatusUnprocessableEntity, "Title is required.")
	w.ask(t, ada, "/desk", url.Values{"customer": {"aviary"}, "title": {"Spooler"}}).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/me/password", url.Values{"current": {"x"}, "password": {"y"}}).must(t, http.StatusUnprocessableEntity, "current password is another one")
	w.ask(t, ada, "/me", url.Values{"time_zone": {"Nowhere/Land"}}).must(t, http.StatusUnprocessableEntity, "Choose a time zone")
}

func TestStreamResumes(t *testing.T) {
	w := newWorld(t)
	w.fill()
	server := httptest.NewServer(w.handler)
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	open := func(last string) *http.Response {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/grants/active/events?after=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html, text/event-stream")
		r.AddCookie(&http.Cookie{Name: "as", Value: maya})
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	read := func(res *http.Response, until string) string {
		var got strings.Builder
		buf := make([]byte, 4096)
		for !strings.Contains(got.String(), until) {
			n, err := res.Body.Read(buf)
			got.Write(buf[:n])
			if err != nil {
				t.Fatalf("stream ended before %q: %v; got %s", until, err, got.String())
			}
		}
		return got.String()
	}
	res := open("")
	got := read(res, "id: 3\n")
	if strings.Contains(got, "id: 1\n") || !strings.Contains(got, "id: 2\n") {
		t.Errorf("from step 1 on it sent %s", got)
	}
	w.mu.Lock()
	w.write(access.Event{At: time.Now(), Kind: access.EventTrouble, Actor: "jitney", Customer: "aviary", Grant: "active", Text: "A <b>new</b> step."})
	w.mu.Unlock()
	read(res, "A &lt;b&gt;new&lt;/b&gt; step.")
	res.Body.Close()
	res = open("3")
	defer res.Body.Close()
	if got := read(res, "id: 4\n"); strings.Contains(got, "id: 3\n") {
		t.Errorf("after step 3 it sent %s", got)
	}
}

func TestStreamsOfAPersonAreLimited(t *testing.T) {
	var s streams
	for range streamsEach {
		if !s.enter(maya) {
			t.Fatal("refused too early")
		}
	}
	if s.enter(maya) {
		t.Error("one too many is let in")
	}
	if !s.enter(ada) {
		t.Error("another person is refused")
	}
	s.leave(maya)
	if !s.enter(maya) {
		t.Error("a place that came free is not given")
	}
}

func TestHostileInputIsNoFault(t *testing.T) {
	w := newWorld(t)
	w.fill()
	odd := []string{"\x00", "a\x00b", "\u202egnp.exe", strings.Repeat("x", 60<<10), "\xff\xfe", "=cmd|' /C calc'!A0", "../../etc/passwd", "-1", "1e9", "99999999999999999999"}
	forms := map[string][]string{
		"/request":           {"kind", "customer", "target", "ticket", "minutes", "other", "reason", "offer"},
		"/request/preview":   {"kind", "customer", "target", "ticket", "minutes", "other", "reason", "offer"},
		"/desk":              {"customer", "title", "text"},
		"/people":            {"name", "login", "time_zone", "role", "customer", "version"},
		"/customers":         {"name", "note", "version"},
		"/settings":          {"time_zone"},
		"/settings/policy":   {"name", "title", "version", "default", "max", "start", "min_reason", "password"},
		"/me":                {"name", "time_zone", "version"},
		"/theme":             {"theme", "back"},
		"/grants/active/end": {"x"},

		"/targets/m365-aviary":           {"name", "policy", "field-tenant", "field-certificate", "field-roles", "field-cloud", "version"},
		"/targets/m365-aviary/companies": {"id", "policy", "q"},
		"/targets/m365-aviary/consent":   {"x"},
	}
	for path, fields := range forms {
		for _, field := range fields {
			for _, text := range odd {
				a := w.ask(t, ada, path, url.Values{field: {text}})
				if a.StatusCode >= 500 {
					t.Errorf("POST %s with %s=%.20q: %d", path, field, text, a.StatusCode)
				}
			}
		}
	}
	for _, text := range odd {
		for _, field := range []string{"state", "tenant", "error", "error_description"} {
			if a := w.ask(t, ada, "/consent?"+url.Values{field: {text}}.Encode(), nil); a.StatusCode >= 500 {
				t.Errorf("GET /consent with %s=%.20q: %d", field, text, a.StatusCode)
			}
		}
		if a := w.ask(t, ada, "/targets/m365-aviary/companies?"+url.Values{"q": {text}}.Encode(), nil); a.StatusCode >= 500 {
			t.Errorf("GET companies with q=%.20q: %d", text, a.StatusCode)
		}
	}
	for _, path := range []string{"/grants/%00", "/customers/a%00b", "/people/%ff", "/grants/%ff/events"} {
		w.ask(t, ada, path, nil).must(t, http.StatusNotFound)
	}
	for _, field := range []string{"customer", "requester", "ticket", "policy", "target", "q", "after", "sort", "state", "from", "to", "before"} {
		for _, text := range odd[:3] {
			for _, page := range []string{"/grants", "/audit", "/request", "/desk"} {
				if a := w.ask(t, ada, page+"?"+url.Values{field: {text}}.Encode(), nil); a.StatusCode >= 500 {
					t.Errorf("GET %s with %s=%.20q: %d", page, field, text, a.StatusCode)
				}
			}
		}
	}
}

func TestAShownPasswordHasNoAddress(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, maya, "/grants/active/reveal", nil).must(t, http.StatusSeeOther)
	w.ask(t, maya, "/grants/active", nil).must(t, http.StatusOK, "Reveal once") // asking by address took nothing
	first := w.ask(t, maya, "/grants/active/reveal", url.Values{}).must(t, http.StatusOK, "Wren-Copper-91-Tidal")
	if c := first.Header.Get("Cache-Control"); c != "no-store" {
		t.Errorf("the answer with the password may be kept: %q", c)
	}
	if second := w.ask(t, maya, "/grants/active/reveal", url.Values{}); strings.Contains(second.body, "Wren-Copper-91-Tidal") {
		t.Error("a second click shows it again")
	}
}

func TestAStuckGrantSaysWhatToDo(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, ada, "/grants/overdue", nil).must(t, http.StatusOK, "7 since the last one that worked", "i/o timeout", "Do it by hand", "Disable maya.okafor-pedroaviary first")
	if a := w.ask(t, maya, "/grants/overdue", nil).must(t, http.StatusOK, "Do it by hand"); strings.Contains(a.body, "i/o timeout") {
		t.Error("the words of the log are shown to a technician")
	}
}

func TestTheAuditPageTellsTheReason(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.write(access.Event{Kind: access.EventSubmitted, Actor: maya, Customer: "aviary", Text: "Asked for Domain Admin.", Data: map[string]string{"reason": "Disk & mail are <full>."}})
	w.ask(t, ada, "/audit", nil).must(t, http.StatusOK, "Reason: Disk &amp; mail are &lt;full&gt;.")
}
