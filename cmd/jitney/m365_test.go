package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The whole way of a Global Admin, in a browser: the portal does not know the
// account before, lets it in with the pass and shows the role during, and
// refuses it after; the ticket and the audit log tell of it.
func TestM365InABrowser(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, nil, "demo", "--data", data, "--listen", "127.0.0.1:0")
	base := p.await(`Open   (http://\S+)`)
	out := p.await(`(?s)(.*Ctrl-C)`)
	m := regexp.MustCompile(`(example\.user@\S+)\s+(\S+)\s+a technician`).FindStringSubmatch(out)
	portal := regexp.MustCompile(`(http://127\.0\.0\.1:\d+)/portal`).FindStringSubmatch(out)
	if m == nil || portal == nil {
		t.Fatalf("the welcome names no sign-in or no portal:\n%s", out)
	}
	c := openCamera(t, pictures(t))
	c.size(1280, 900, 1)
	c.signInHere(base, m[1], m[2])
	c.open(base + "/request?minutes=15")
	c.until(`document.readyState === "complete" && window.htmx`)
	grant := c.requestM365("Pedro", "New hire")

	c.until(`document.body.innerText.includes("Reveal once")`)
	for _, want := range []string{"Temporary Access Pass", portal[1] + "/portal"} {
		if !strings.Contains(c.text(), want) {
			t.Errorf("the grant's page does not say %q:\n%s", want, c.text())
		}
	}
	c.shoot("m365-grant")
	c.open(portal[1] + "/signin")
	c.fill("#upn", "jit-nobody-000000@pedroaviary.onmicrosoft.com")
	c.press("form button")
	c.until(`document.body.innerText.includes("does not exist")`)
	c.open(grant)
	c.press(`form[action$="/reveal"] button`)
	c.until(`document.querySelector("code[data-once]") && document.querySelector("#username")`)
	username, pass := c.value("#username"), c.value("#password")
	if !strings.HasPrefix(username, "jit-example-user-") || !strings.HasSuffix(username, "@pedroaviary.onmicrosoft.com") || len(pass) < 8 {
		t.Fatalf("revealed %q with a pass of %d characters", username, len(pass))
	}

	c.signInThere(portal[1], username, pass)
	c.until(`document.querySelector("#access").innerText.includes("You are Global Administrator")`)
	c.shoot("m365-portal")
	c.open(grant)
	c.until(`document.querySelector("[role=timer]")`)
	c.run(`document.querySelector("form[action$='/end']").requestSubmit()`) // a minute that runs out is TestDemoFromRequestToEndedVerified's
	c.until(`document.querySelector("#head").innerText.includes("Ended, verified")`)
	c.open("")
	c.shoot("m365-ended")
	c.open(portal[1] + "/portal")
	c.until(`document.body.innerText.includes("Your access has ended")`)
	c.open(portal[1] + "/signin")
	c.fill("#upn", username)
	c.press("form button")
	c.until(`document.body.innerText.includes("does not exist")`)

	notes := ""
	poll(t, "the note of the end", func() bool { // written beside the end, and the page of a ticket stays as it was opened
		c.open(base + "/desk")
		c.run(`[...document.querySelectorAll("a[href^='/desk/']")].find(a => a.textContent.includes("New hire") || a.closest("tr,li")?.textContent.includes("New hire")).click()`)
		c.until(`location.pathname.startsWith("/desk/") && document.readyState === "complete"`)
		notes = c.text()
		return strings.Contains(notes, "has been revoked")
	})
	granted := "The account " + username + " is now enabled and has been added to the Global Admin role."
	if strings.Count(notes, granted) != 1 || !strings.Contains(notes, "Mail flow has to be repaired.") {
		t.Errorf("the ticket does not say once %q and why:\n%s", granted, notes)
	}
	if !regexp.MustCompile(`(?s)has been revoked.*account was removed`).MatchString(notes) {
		t.Errorf("the ticket does not say revoked and removed:\n%s", notes)
	}
	if out := cli(t, "audit", "verify", "--data", data); !strings.Contains(out, "as they were written") {
		t.Errorf("jitney audit verify: %s", out)
	}
	id := grant[strings.LastIndexByte(grant, '/')+1:]
	if out := cli(t, "grants", "show", id, "--data", data); !strings.Contains(out, "ended (ended early)") {
		t.Errorf("jitney grants show:\n%s", out)
	}
	if strings.Contains(p.output(), pass) {
		t.Error("the server's output holds the pass")
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("the demonstration stops with code %d:\n%s", code, p.output())
	}
}

// signInHere signs in to jitney.
func (c *camera) signInHere(base, login, password string) {
	c.t.Helper()
	c.open(base + "/login")
	c.fill("#login", login)
	c.fill("#password", password)
	c.press(`form[action='/login'] button, form button`)
	c.until(`location.pathname === "/request" && document.readyState === "complete" && window.htmx`)
}

// requestM365 asks for a quarter of an hour of Global Admin, and reports the address of the grant.
func (c *camera) requestM365(customer, ticket string) string {
	c.t.Helper()
	c.run(`document.querySelector("#customer").dataset.old = "yes"; const e = document.querySelector("input[name=kind][value=entra]"); e.checked = true; e.dispatchEvent(new Event("change", {bubbles: true}))`)
	c.until(`!document.querySelector("#customer").dataset.old`)
	c.pick("customer", customer)
	c.until(fmt.Sprintf(`[...document.querySelector("#ticket").options].some(o => o.text.includes(%q))`, ticket))
	c.pick("ticket", ticket)
	c.fill("#reason", "Mail flow has to be repaired.")
	c.until(`document.querySelector("#preview").innerText.includes("onmicrosoft.com") && document.querySelector("#preview").innerText.includes("15 min")`)
	c.shoot("m365-request")
	c.press("#preview button[type=submit]")
	c.until(`location.pathname.startsWith("/grants/")`)
	return c.eval("location.href.split(/[?#]/)[0]")
}

// signInThere signs in to the simulated portal, which asks for the name first.
func (c *camera) signInThere(portal, username, pass string) {
	c.t.Helper()
	c.open(portal + "/signin")
	c.fill("#upn", username)
	c.press("form button")
	c.until(`document.querySelector("#credential")`)
	c.fill("#credential", pass)
	c.press("form button")
	c.until(`location.pathname === "/portal" && document.querySelector("#access")`)
}

func (c *camera) press(selector string) {
	c.t.Helper()
	c.run(fmt.Sprintf(`document.querySelector(%q).click()`, selector))
}

func (c *camera) eval(expression string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

func (c *camera) value(selector string) string {
	c.t.Helper()
	return c.eval(fmt.Sprintf(`document.querySelector(%q).textContent`, selector))
}

func (c *camera) text() string {
	c.t.Helper()
	return c.eval("document.body.innerText")
}
