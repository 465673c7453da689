package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"jitney/access"
)

// A console is another site, to which the address of the console leads, and
// which sends the browser on once more, as AWS does.
type console struct {
	url string

	mu   sync.Mutex
	seen []string // where visitors came from
}

func openConsole(t *testing.T) *console {
	t.Helper()
	c := &console{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/federation":
			http.Redirect(w, r, "/console/home", http.StatusFound)
		case "/console/home":
			c.mu.Lock()
			defer c.mu.Unlock()
			c.seen = append(c.seen, r.Referer())
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<title>console</title><h1>The console</h1>")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// visited waits for the n-th visitor, who must not say where they came from.
func (c *console) visited(t *testing.T, n int, from string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		c.mu.Lock()
		seen := append([]string(nil), c.seen...)
		c.mu.Unlock()
		if len(seen) >= n {
			if seen[n-1] != "" {
				t.Errorf("from %s: the console learns of %s", from, seen[n-1])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("from %s: no browser came to the console", from)
		}
	}
}

func TestAWSPagesInABrowser(t *testing.T) {
	w := newAWSWorld(t, "http://127.0.0.1:9")
	w.today()
	b := browse(t, w)
	check := func(name string) {
		t.Helper()
		p := b.probe(t, !strings.Contains(name, "-320"))
		b.shot(t, name)
		if p.Overflow > 0 {
			t.Errorf("%s: %d px wider than the window: %v", name, p.Overflow, p.Wide)
		}
		for _, fault := range append(p.Faults, p.Weak...) {
			t.Errorf("%s: %s", name, fault)
		}
		for _, v := range p.Axe {
			t.Errorf("%s: axe %s: %s %v", name, v.ID, v.Help, v.Nodes)
		}
	}
	for _, look := range []struct {
		theme string
		width int64
	}{{"light", 1280}, {"dark", 390}, {"light", 320}} {
		b.size(t, look.width)
		name := fmt.Sprintf("aws-%s-%d-", look.theme, look.width)
		for _, page := range [][3]string{{maya, "/aws?place=aws-kprod&tab=workstation", "workstation"}, {ada, "/aws?place=aws-kprod&level=admin&tab=ci", "admin"},
			{ada, "/settings/aws", "settings"}, {maya, "/grants/s-active", "grant"}, {ada, "/targets/aws-kprod", "target"}} {
			b.as(t, page[0], look.theme)
			b.open(t, page[1])
			check(name + page[2])
		}
		b.as(t, maya, look.theme)
		b.open(t, "/aws?place=aws-kprod")
		b.click(t, `#way-keys button[formaction="/aws/keys"]`)
		b.until(t, `document.querySelector("#env-bash") && document.activeElement.dataset.copy === "#env-bash"`)
		check(name + "keys")
		b.click(t, `#keys .show`)
		check(name + "keys-shown")
		b.click(t, `#go button[formaction="/aws/url"]`)
		b.until(t, `!document.querySelector("#copied").hidden`)
		check(name + "url-copied")
		b.until(t, `delete document.querySelector("#go [data-copies]").dataset.copies`) // as where the page may not copy
		b.click(t, `#go button[formaction="/aws/url"]`)
		b.until(t, `document.querySelector("#console-url")`)
		b.click(t, `.topbar details summary`)
		check(name + "url-and-menu")
	}
}

// The console opens in a tab of its own from every page that offers it, with
// and without page scripts, within the policy of the page.
func TestConsolesOpenInABrowser(t *testing.T) {
	c := openConsole(t)
	w := newAWSWorld(t, c.url)
	w.today()
	b := browse(t, w)
	b.size(t, 1280)
	b.as(t, maya, "light")
	n := 0
	for _, script := range []bool{true, false} {
		b.do(t, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !script}))
		for _, from := range [][2]string{{"/aws?place=aws-kprod", `#go button`}, {"/grants/s-active", `form[action="/aws/console"] button`},
			{"/me", `main .awsmenu button[formaction="/aws/console"]`}, {"/access", `.topbar button[formaction="/aws/console"]`}} {
			b.open(t, from[0])
			if strings.Contains(from[1], "menu") || strings.Contains(from[1], "topbar") {
				b.until(t, fmt.Sprintf(`(document.querySelector(%q).closest("details").open = true)`, strings.ReplaceAll(from[1], `"`, `'`)))
			}
			b.click(t, from[1])
			n++
			c.visited(t, n, from[0])
			b.until(t, fmt.Sprintf(`location.pathname + location.search === %q && !window.faults?.length`, from[0]))
		}
	}
	b.open(t, "/aws?place=aws-kprod") // scripts are off still
	b.click(t, `.tabs a[data-tab="way-ci"]`)
	b.until(t, `location.search.includes("tab=ci") && !document.querySelector("#way-ci").hidden && document.querySelector("#way-keys").hidden`)
	b.choose(t, "#place", "aws-kdev")
	b.click(t, `#ask button.nojs`)
	b.until(t, `document.querySelector("#profile").textContent.includes("--tenant kestrel-dev")`)
}

// One press copies the address of a console, and shows it nowhere; what cannot
// be copied is shown, and not asked for again.
func TestAConsoleURLIsCopiedByOnePress(t *testing.T) {
	w := newAWSWorld(t, "http://127.0.0.1:9")
	b := browse(t, w)
	b.size(t, 1280)
	b.as(t, maya, "light")
	bank := w.bank("aws-kprod")
	for i, from := range [][2]string{{"/aws?place=aws-kprod", `#go button[data-copies]`}, {"/access", `.topbar button[data-copies]`}} {
		b.open(t, from[0])
		if i == 1 {
			b.until(t, `(document.querySelector(".topbar .me").open = true)`)
		}
		b.click(t, from[1])
		b.until(t, `document.querySelector("#copied").innerText.includes("Copied. It signs in whoever opens it, for 15 minutes. Don't paste it") && !document.body.innerHTML.includes("SigninToken")`)
		if i == 0 {
			b.until(t, `document.querySelector("#today").innerText.includes("console URL") && document.querySelector("#today button[value]")`)
		}
		b.open(t, "/aws?place=aws-kprod")
		b.until(t, `(document.querySelector("details.more").open = true)`)
		b.do(t, chromedp.Focus(chromedp.CSS("#destination")))
		b.do(t, call(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Commands: []string{"paste"}}))
		b.until(t, `document.querySelector("#destination").value.includes("SigninToken")`)
		if n := len(bank.Issued()); n != i+1 {
			t.Fatalf("%d were issued, want %d", n, i+1)
		}
	}
	b.until(t, `(navigator.clipboard.write = async (items) => { await items[0].getType("text/plain"); throw new Error("no"); })`)
	b.click(t, `#go button[data-copies]`)
	b.until(t, `document.querySelector("#copied pre").innerText.includes("SigninToken") && getSelection().toString().includes("SigninToken")`)
	if n := len(bank.Issued()); n != 3 {
		t.Errorf("%d were issued, want 3", n)
	}
	bank.Fail(&access.Error{Kind: access.Unavailable, Text: "AWS throttles the calls.", Hint: "Try again in a minute."})
	b.open(t, "/aws?place=aws-kprod")
	b.click(t, `#go button[data-copies]`)
	b.until(t, `location.pathname === "/aws/url" && document.querySelector("main").innerText.includes("AWS throttles the calls.")`)
	if p := b.probe(t, false); len(p.Faults) > 0 {
		t.Errorf("faults: %v", p.Faults)
	}
}

// Choosing, tabs, covering and copying, with page scripts and the keyboard.
func TestAWSPageFollowsItsReader(t *testing.T) {
	b := browse(t, newAWSWorld(t, "http://127.0.0.1:9"))
	b.size(t, 1280)
	b.as(t, ada, "light")
	b.reaches(t, "/aws?place=aws-kprod&level=admin", []string{"Skip to content", "AWS", "account menu", "JIT AWS Console", "place", "level", "ticket", "reason", "More options",
		"Open AWS console", "Copy console URL", "Temporary keys", "From my workstation", "In CI", "Get temporary keys"})
	b.reaches(t, "/settings/aws", []string{"Read what the roles allow", "Change", "admin", "nonadmin", "Save flags", "place", "seconds", "Save", "hours", "Save"})
	b.open(t, "/aws?place=aws-kprod&level=tenant")
	b.click(t, `.tabs a[data-tab="way-workstation"]`)
	b.until(t, `!document.querySelector("#way-workstation").hidden && document.querySelector("#way-keys").hidden && !location.search.includes("workstation")`)
	b.choose(t, "#place", "aws-kdev")
	b.until(t, `document.querySelector("#levels").innerText.includes("kestrel-dev") && document.querySelector("#profile").textContent.includes("--tenant kestrel-dev") && document.querySelector("#fetch").textContent.includes("kestrel-dev") && !document.querySelector("#way-workstation").hidden`)
	b.click(t, `#levels input[value=admin]`)
	b.until(t, `document.querySelector("#ticket") && document.querySelector("#reason") && document.querySelector("#profile").textContent.includes("--admin")`)
	b.click(t, `#levels input[value=tenant]`)
	b.until(t, `!document.querySelector("#ticket")`)
	b.click(t, `.tabs a[data-tab="way-keys"]`)
	b.click(t, `#way-keys button[formaction="/aws/keys"]`)
	b.until(t, `document.querySelector("#env-bash")`)
	k := b.bank("aws-kdev").Issued()[0]
	b.until(t, fmt.Sprintf(`document.querySelector("#env-bash").textContent.includes(%q) && getComputedStyle(document.querySelector("#env-bash .sec")).webkitTextSecurity === "disc"`, k.Secret.Reveal()))
	b.until(t, `document.querySelector("#env-json").getClientRects().length === 0 && (document.querySelector("[value='env-bash']").focus(), true)`)
	b.do(t, chromedp.KeyEvent(kb.ArrowRight))
	b.do(t, chromedp.KeyEvent(kb.ArrowRight))
	b.until(t, `document.querySelector("#env-json").getClientRects().length && !document.querySelector("#env-bash").getClientRects().length`)
	b.until(t, fmt.Sprintf(`JSON.parse(document.querySelector("#env-json").textContent).SecretAccessKey === %q`, k.Secret.Reveal()))
	b.until(t, `(document.querySelector("#env-json").dataset.till = Date.now() - 1000)`)
	b.until(t, `document.querySelector("#env-json").textContent === "not valid any more"`)
	if p := b.probe(t, false); len(p.Faults) > 0 {
		t.Errorf("faults: %v", p.Faults)
	}
	b.open(t, "/access")
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.NavigateBack()); err == nil || !strings.Contains(err.Error(), "ERR_CACHE_MISS") {
		t.Errorf("going back to the keys: %v, want that the browser has kept nothing", err)
	}
}
