package web

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"jitney/access"
	"jitney/lab"
)

//go:embed testdata/axe.min.js
var axeSource string

//go:embed testdata/probe.js
var probeSource string

// A browser is a headless Chromium with the website of a filled world behind it.
type browser struct {
	*world
	ctx context.Context
	url string
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	w := newWorld(t)
	w.fill()
	return browse(t, w)
}

// browse opens a browser on the website of w.
func browse(t *testing.T, w *world) *browser {
	t.Helper()
	path := lab.Chromium(t)
	server := httptest.NewServer(w.handler)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() }) // whatever a browser still holds open
	shared, err := chromium(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(shared, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &browser{world: w, ctx: ctx, url: server.URL}
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context it begins in
		t.Fatal(err)
	}
	b.do(t, call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `window.faults = [];
		addEventListener("securitypolicyviolation", (e) => faults.push("policy: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample));
		addEventListener("error", (e) => faults.push("error: " + e.message));
		addEventListener("unhandledrejection", (e) => faults.push("rejection: " + e.reason));
		const log = console.error; console.error = (...a) => { faults.push("console: " + a[0]); log(...a); };`}))
	// Nothing moves, so that no test sees a colour or an outline on its way to another.
	b.do(t, call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}}))
	return b
}

// started is the one Chromium of this test binary, in which each test has
// cookies and tabs of its own, and what stops it.
var started struct {
	sync.Once
	ctx  context.Context
	err  error
	stop []func()
}

// chromium is the context of the one Chromium.
func chromium(path string) (context.Context, error) {
	started.Do(func() {
		dir, err := os.MkdirTemp("", "jitney-chromium-")
		if err != nil {
			started.err = err
			return
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience),
			chromedp.UserDataDir(dir), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
			chromedp.Flag("allow-pre-commit-input", true)) // else a click before the first frame of a page is lost
		allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocator)
		started.stop = []func(){cancel, cancelAllocator, func() { _ = os.RemoveAll(dir) }}
		started.ctx, started.err = ctx, chromedp.Do(ctx)
	})
	return started.ctx, started.err
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range started.stop {
		stop()
	}
	os.Exit(code)
}

// call makes an action of one command of the browser's protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

func (b *browser) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience) // else a click on what is not there waits for ever
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// patience is how long a test waits for the browser, on a machine that is busy.
const patience = 3 * time.Minute

// open goes to a page.
func (b *browser) open(t *testing.T, path string) {
	t.Helper()
	b.do(t, chromedp.Navigate(b.url+path))
	b.until(t, `document.readyState === "complete"`)
}

// until waits for a JavaScript condition; it works with page scripts off too.
func (b *browser) until(t *testing.T, condition string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(b.ctx, patience/6) // a page that goes away may never answer
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
			defer cancel()
			text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + ' ' + JSON.stringify(window.faults) + ' ' + document.querySelector('main')?.innerText"))
			t.Fatalf("never: %s (%v); the page says %.600s", condition, err, text)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// click clicks the first element that fits.
func (b *browser) click(t *testing.T, selector string) {
	t.Helper()
	b.do(t, chromedp.Click(chromedp.CSS(selector)))
}

// choose chooses an entry of a select as a person does.
func (b *browser) choose(t *testing.T, selector, value string) {
	t.Helper()
	b.until(t, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q; e.dispatchEvent(new Event("change", {bubbles: true})); return e.value === %q; })()`, selector, value, value))
}

func (b *browser) typed(t *testing.T, selector, keys string) {
	t.Helper()
	b.do(t, chromedp.SendKeys(chromedp.CSS(selector), keys))
}

// as signs in by the cookie of the fake, and chooses a theme.
func (b *browser) as(t *testing.T, who, theme string) {
	t.Helper()
	for name, value := range map[string]string{"as": who, "theme": theme} {
		b.do(t, call(network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: b.url}))
	}
}

func (b *browser) size(t *testing.T, width int64) {
	t.Helper()
	b.do(t, call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: width < 600}))
}

// shot stores a picture of the whole page, if somebody wants to look.
func (b *browser) shot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("JITNEY_TEST_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A probe is what testdata/probe.js and axe say about a page.
type probe struct {
	Overflow int
	Wide     []string
	Weak     []string
	Faults   []string
	Axe      []struct {
		ID    string
		Help  string
		Nodes []string
	}
}

// probe asks axe if it shall, for all its rules or only for some.
func (b *browser) probe(t *testing.T, withAxe bool, rules ...string) (p probe) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if withAxe {
		has, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!window.axe"))
		if err == nil && !has {
			_, err = chromedp.Run(ctx, chromedp.Evaluate[int](axeSource+";0"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(`(%s)(%v, %s)`, strings.TrimRight(probeSource, ";\n "), withAxe, list), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("probe said %.200s: %v", text, err)
	}
	return p
}

func TestPagesInABrowser(t *testing.T) {
	b := openBrowser(t)
	for theme, rules := range map[string][]string{"light": nil, "dark": {"color-contrast", "link-in-text-block"}} { // a theme changes colours only
		for who, pages := range map[string][]string{ada: everyPage(ada), maya: {"/request?customer=aviary&ticket=13255", "/grants/active", "/access"}, "": {"/login"}} {
			b.as(t, who, theme)
			for _, path := range pages {
				b.open(t, path)
				for _, width := range []int64{1280, 390, 320} {
					b.size(t, width)
					b.until(t, fmt.Sprintf(`document.documentElement.clientWidth === %d`, width))
					name := fmt.Sprintf("%s-%d%s", theme, width, strings.NewReplacer("/", "_", "?", "_", "&", "_", "=", "-").Replace(path)+who)
					p := b.probe(t, width != 320, rules...)
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
			}
		}
	}
}

type focusStop struct {
	Name, Ring string
	Last       bool
}

func TestKeyboardReachesEverythingVisibly(t *testing.T) {
	b := openBrowser(t)
	b.size(t, 1280)
	for path, want := range map[string][]string{
		"/request?customer=aviary":       {"Skip to content", "kind", "customer", "ticket", "minutes", "reason", "Request access"},
		"/grants/active":                 {"Skip to content", "Extend", "End now", "Copy", "Reveal once"},
		"/targets/m365-aviary":           {"Skip to content", "Import customers", "Ask for admin consent", "Or send a link", "Check connection", "field-tenant", "More settings", "policy", "Save"},
		"/targets/m365-aviary/companies": {"Skip to content", "Find", "id", "policy", "Import chosen"},
	} {
		b.as(t, map[bool]string{true: ada, false: maya}[strings.HasPrefix(path, "/targets")], "light")
		b.reaches(t, path, want)
	}
}

// reaches presses Tab through a page: focus must be seen wherever it is, and
// come to what is wanted, in that order.
func (b *browser) reaches(t *testing.T, path string, want []string) {
	t.Helper()
	b.open(t, path)
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	var order []string
	for range 60 {
		b.do(t, chromedp.KeyEvent(kb.Tab))
		stop, err := chromedp.Run(ctx, chromedp.Evaluate[focusStop](`(() => { const e = document.activeElement; if (!e || e === document.body) return {Name: "", Ring: "", Last: true};
			const ring = (x) => { const s = getComputedStyle(x); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2; };
			let seen = ring(e) || (e.nextElementSibling && ring(e.nextElementSibling)) || (e.closest("label") && ring(e.closest("label")));
			return {Name: (e.name || e.textContent || e.getAttribute("aria-label") || "").trim(), Ring: seen ? "yes" : "", Last: false}; })()`))
		if err != nil {
			t.Fatal(err)
		}
		if stop.Last {
			break
		}
		if stop.Ring == "" {
			t.Errorf("%s: focus on %q cannot be seen", path, stop.Name)
		}
		order = append(order, stop.Name)
	}
	at := 0
	for _, name := range order {
		if at < len(want) && strings.Contains(name, want[at]) {
			at++
		}
	}
	if at < len(want) {
		t.Errorf("%s: Tab does not reach %q in order; it went %q", path, want[at], order)
	}
}

func TestFormWithoutJavaScript(t *testing.T) {
	b := openBrowser(t)
	b.size(t, 1280)
	b.do(t, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.as(t, maya, "light")
	b.open(t, "/request")
	b.choose(t, "#customer", "aviary")
	b.click(t, `button[value="tickets"]`)
	b.until(t, `location.pathname === "/request/preview" && document.querySelector("#ticket option[value=t1]")`)
	b.choose(t, "#ticket", "t1")
	b.typed(t, "#reason", "Remove the domain from the blacklist.")
	b.shot(t, "nojs")
	b.click(t, `#preview button[type="submit"]`)
	b.until(t, `location.pathname.startsWith("/grants/")`)
	b.mu.Lock()
	defer b.mu.Unlock()
	if g := b.grants[len(b.grants)-1]; g.Ticket.ID != "t1" || g.Duration != 15*time.Minute {
		t.Errorf("last grant is %+v", g.Request)
	}
}

// A grant goes through every state while its page is open, and no page script
// breaks the policy of the page on the way.
func TestGrantPageIsLive(t *testing.T) {
	b := openBrowser(t)
	b.size(t, 1280)
	b.as(t, maya, "light")
	b.open(t, "/grants/starting")
	b.until(t, `document.querySelector("#head .st-work")`)
	b.mu.Lock()
	now := time.Now().UTC()
	for i := range b.grants {
		if b.grants[i].ID == "starting" {
			b.grants[i].VerifiedAt, b.grants[i].Version = now, 2
		}
	}
	b.write(access.Event{At: now, Kind: access.EventVerified, Actor: "jitney", Customer: "aviary", Grant: "starting", Text: "Read back as usable."})
	b.mu.Unlock()
	b.until(t, `document.querySelector("#head .st-active") && document.querySelector("#clock [role=timer]")`)
	b.until(t, `document.querySelectorAll("#timeline li").length === 3`)
	b.until(t, `document.querySelector("#signin form[action$='/reveal']")`)
	if p := b.probe(t, true); len(p.Faults)+len(p.Axe) > 0 {
		t.Errorf("after the change: %v %v", p.Faults, p.Axe)
	}
	b.click(t, `#signin form[action$="/reveal"] button`)
	b.until(t, `document.querySelector("code[data-once]")?.textContent === "Wren-Copper-91-Tidal"`)
	b.shot(t, "revealed")
	b.until(t, `document.querySelectorAll("#timeline li").length === 4`)

	change := func(kind, text string, fn func(g *access.Grant, a *access.Account, now time.Time)) {
		b.mu.Lock()
		defer b.mu.Unlock()
		now := time.Now().UTC()
		for i := range b.grants {
			if g := &b.grants[i]; g.ID == "starting" {
				a := b.accounts[g.Account]
				a.Version++
				g.Version++
				fn(g, &a, now)
				b.accounts[g.Account] = a
			}
		}
		b.write(access.Event{At: now, Kind: kind, Actor: "jitney", Customer: "aviary", Grant: "starting", Text: text})
	}
	b.until(t, `document.querySelector("#other") && (document.querySelector("#other").style.color = "red")`) // as a browser extension may
	change(access.EventExtended, "The rest is short.", func(g *access.Grant, _ *access.Account, now time.Time) {
		g.VerifiedAt = now.Add(4*time.Minute - g.Duration)
	})
	b.until(t, `document.querySelector("#head .st-expiring")`)
	change(access.EventExtended, "The rest is very short.", func(g *access.Grant, _ *access.Account, now time.Time) {
		g.VerifiedAt = now.Add(2*time.Second - g.Duration)
	})
	b.until(t, `document.querySelector("#head .st-work") && !document.querySelector("#clock [role=timer]")`)
	b.until(t, `document.querySelector("#password").textContent === "not valid any more"`)
	change(access.EventEnded, "Read back as gone.", func(g *access.Grant, a *access.Account, now time.Time) {
		g.EndedAt, a.Seen = now, access.Observation{At: now, Exists: true}
	})
	b.until(t, `document.querySelector("#head .st-ended")`)
	b.until(t, `!document.querySelector("#live")`)
	b.shot(t, "ended-open")
	if p := b.probe(t, true); len(p.Faults)+len(p.Axe) > 0 {
		t.Errorf("through all states: %v %v", p.Faults, p.Axe)
	}
	for _, gone := range []string{`Copy it now`, `The target's own end`} {
		b.until(t, fmt.Sprintf(`!document.querySelector("main").innerText.includes(%q)`, gone))
	}
	b.until(t, `[...document.querySelectorAll("#signin [data-copy='#password']")].every((e) => !e.checkVisibility())`)
}

func TestPreviewFollowsTheForm(t *testing.T) {
	b := openBrowser(t)
	b.size(t, 1280)
	b.as(t, maya, "light")
	b.open(t, "/request")
	b.choose(t, "#customer", "aviary")
	b.until(t, `document.querySelector("#ticket option[value=t2]")`)
	b.choose(t, "#ticket", "t2")
	b.until(t, `document.querySelector("#preview").innerText.includes("13256 - Patch domain controllers")`)
	b.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Evaluate[int](`document.querySelector("input[name=minutes][value='60']").click(), 1`)(ctx, target)
		return err
	}))
	b.until(t, `document.querySelector("#preview").innerText.includes("1 h, until")`)
	b.until(t, `document.querySelector("#preview").innerText.includes("maya.okafor-pedroaviary")`)
	b.until(t, `document.querySelector("#ticket").value === "t2"`)
	if p := b.probe(t, false); len(p.Faults) > 0 {
		t.Errorf("faults: %v", p.Faults)
	}
}
