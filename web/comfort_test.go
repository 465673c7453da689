package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"jitney/access"
)

// manyCustomers adds so many customers, each with a domain, that lists of them
// can be narrowed.
func (w *world) manyCustomers() {
	for i := range 20 {
		id := fmt.Sprintf("many%02d", i)
		w.customers[id] = access.Customer{ID: id, Name: fmt.Sprintf("Customer number %02d", i), CreatedAt: time.Now().UTC(), Version: 1}
		w.targets["ad-"+id] = access.Target{ID: "ad-" + id, Customer: id, Kind: "ad", Name: id + ".local", Policy: "default", Version: 1, CreatedAt: time.Now().UTC(),
			Settings: map[string]string{"url": "ldaps://dc1." + id + ".example"}}
	}
}

func TestLongListsNarrowToWhatIsTyped(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.manyCustomers()
	b := browse(t, w)
	b.size(t, 1280)
	b.as(t, ada, "light")

	b.open(t, "/request")
	b.typed(t, `[data-filter="#customer"]`, "aVi\r") // Enter sends nothing
	b.until(t, `document.querySelector("#customer").value === "aviary" && document.querySelector("#customer").options.length === 2`)
	b.until(t, `document.querySelector("#ticket option[value=t1]") && location.pathname === "/request"`)
	b.typed(t, `[data-filter="#customer"]`, "\b\b\b")
	b.until(t, `document.querySelector("#customer").value === "aviary" && document.querySelector("#customer").options.length > 20`)

	b.open(t, "/people/new")
	b.click(t, `#theirs [value="many07"]`)
	b.typed(t, `[data-filter="#theirs"]`, "number 1")
	b.until(t, `[...document.querySelector("#theirs").children].filter((e) => e.checkVisibility()).length === 11 && document.querySelector(".sift output").textContent === "11 of 24"`)
	b.until(t, `new FormData(document.querySelector("main form")).getAll("customer").join() === "many07"`)
	b.open(t, "/customers")
	b.typed(t, `[data-filter="#rows"]`, "kestrel")
	b.until(t, `[...document.querySelectorAll("#rows tr")].filter((e) => e.checkVisibility()).length === 1`)
	if p := b.probe(t, true); len(p.Faults)+len(p.Axe)+p.Overflow > 0 {
		t.Errorf("narrowed: %+v", p)
	}
}

// What a plain visit of each page does not show: complaints, open menus, and
// names that are long.
func TestWhatUnfoldsCanBeRead(t *testing.T) {
	w := newWorld(t)
	w.fill()
	target := w.targets["m365-aviary"]
	target.Settings["tenant"] = strings.Repeat("7", 40)
	w.targets["m365-aviary"] = target
	b := browse(t, w)
	b.size(t, 390)
	b.do(t, call(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"}))
	sound := func(what string) {
		t.Helper()
		if p := b.probe(t, true); len(p.Faults)+len(p.Axe)+len(p.Weak)+p.Overflow > 0 {
			t.Errorf("%s: %+v", what, p)
		}
	}
	b.as(t, maya, "light")
	b.open(t, "/request")
	b.click(t, `#preview button[type="submit"]`)
	b.until(t, `document.querySelector("#wrong")?.contains(document.activeElement)`)
	b.until(t, `new Set([...document.querySelectorAll(".err")].map((e) => getComputedStyle(e).color + getComputedStyle(e).fontWeight)).size === 1`)
	sound("complaints")
	b.open(t, "/grants/active")
	b.until(t, `(document.querySelector(".actions details.pop").open = true)`)
	sound("how much longer")
	b.click(t, `input[name=minutes][value=other]`)
	b.until(t, `document.activeElement === document.querySelector("#other") && document.querySelector("#other").checkVisibility()`)
	b.as(t, ada, "light")
	b.open(t, "/customers/aviary")
	b.until(t, `Math.min(...[...document.querySelectorAll("dl.kv dd")].map((e) => e.clientWidth)) > 120`)

	b.mu.Lock() // a page that was left may be served still
	ada := b.people[ada]
	ada.TimeZone = "" // then it is the browser's
	b.people[ada.ID] = ada
	b.mu.Unlock()
	b.open(t, "/me")
	b.until(t, `document.documentElement.dataset.zone === "Asia/Tokyo" && document.querySelector("main").innerText.includes("Asia/Tokyo")`)
}

func TestTimesAreInTheZoneOfTheReader(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for _, c := range []struct{ name, chosen, browser, want string }{
		{"a person who chose one", "Europe/London", "Asia/Tokyo", "Europe/London"},
		{"a person who chose none", "", "Asia/Tokyo", "Asia/Tokyo"},
		{"a browser without scripts", "", "", "UTC"},
		{"a browser that says nonsense", "", "../../../etc/passwd", "UTC"},
		{"a browser that means the server", "", "Local", "UTC"},
	} {
		p := w.people[ada]
		p.TimeZone = c.chosen
		w.people[ada] = p
		r := httptest.NewRequest(http.MethodGet, "http://jitney.example/me", nil)
		r.AddCookie(&http.Cookie{Name: "as", Value: ada})
		r.AddCookie(&http.Cookie{Name: "zone", Value: c.browser})
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if want := `data-zone="` + c.want + `"`; !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: no %s", c.name, want)
		}
	}
}

func TestTimesOfOtherYearsSayTheYear(t *testing.T) {
	c := clock{now: time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC), zone: time.UTC}
	for at, want := range map[time.Time]string{
		c.now.Add(-time.Hour):                           "07:00:00",
		time.Date(2026, 1, 1, 9, 5, 7, 0, time.UTC):     "Thu 1 Jan 09:05:07",
		time.Date(2025, 12, 31, 23, 59, 1, 0, time.UTC): "31 Dec 2025 23:59:01",
	} {
		if got := c.Second(at); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := c.at(c.now, "now"); got.Exact != "Fri 2 Jan 2026 08:00:00 UTC" || got.Stamp != "2026-01-02T08:00:00Z" {
		t.Errorf("exactly: %+v", got)
	}
}

func TestEmptyPagesSayWhatComesNext(t *testing.T) {
	w := newWorld(t)
	first := access.Person{ID: ada, Name: "Ada", Login: "ada", Roles: access.Roles, AllCustomers: true, Version: 1}
	w.people[ada] = first
	w.ask(t, ada, "/customers", nil).must(t, http.StatusOK, "Add the first one")
	w.ask(t, ada, "/request", nil).must(t, http.StatusOK, "There is no customer yet", `href="/customers">Customers</a>`)
	w.ask(t, ada, "/grants", nil).must(t, http.StatusOK, "Nobody has asked for access yet")
	w.ask(t, ada, "/grants?state=open", nil).must(t, http.StatusOK, "Nothing fits these filters")
	w.ask(t, ada, "/desk", nil).must(t, http.StatusOK, "you have none yet")
	w.ask(t, "", "/login?made", nil).must(t, http.StatusOK, "The first administrator is made")
	first.AllCustomers = false
	w.people[ada] = first
	w.ask(t, ada, "/request", nil).must(t, http.StatusOK, "You work for no customer yet", `href="/people/ada">Your page</a>`)
	w.fill()
	w.ask(t, ada, "/customers/aviary", nil).must(t, http.StatusOK, "http://jitney.example/request?customer=aviary</code>")
}

func TestPaperSaysOfWhichDayItIs(t *testing.T) {
	w := newWorld(t)
	w.fill()
	day := func() string { return time.Now().UTC().Format("Mon 2 Jan 2006 ") }
	before := day()
	page := w.ask(t, otto, "/grants/ended", nil).must(t, http.StatusOK)
	printed := regexp.MustCompile(`Printed from Jitney by [^<]*`).FindString(page.body)
	if !strings.Contains(printed, before) && !strings.Contains(printed, day()) { // it may be midnight
		t.Errorf("the paper says %q, and not %s", printed, before)
	}
	if strings.Contains(w.ask(t, "", "/login", nil).body, "Printed from") {
		t.Error("the sign-in says who printed it")
	}
}
