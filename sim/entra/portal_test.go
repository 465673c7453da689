package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jitney/lab"
)

// A browser is a headless Chromium.
type browser struct {
	t   *testing.T
	ctx context.Context
	axe string
}

// patience is how long a page may take on a machine with much else to do.
const patience = 3 * time.Minute

func openBrowser(t *testing.T) browser {
	t.Helper()
	path := lab.Chromium(t)
	axe, err := os.ReadFile("../../web/testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context that it starts with
		t.Fatal(err)
	}
	return browser{t, ctx, string(axe)}
}

// command makes an action of one command of the browser's protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

func (b browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience) // else a click on what is not there waits for ever
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// reads waits until the page holds a text.
func (b browser) reads(text string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		page, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.readyState === 'complete' ? document.body.innerText : ''"))
		switch {
		case err == nil && strings.Contains(page, text):
			return
		case time.Now().After(deadline):
			b.t.Fatalf("never read %q (%v); the page says %.400s", text, err, page)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// fills types into a field with the focus that the page gave it, and presses
// Enter: no pointer is needed.
func (b browser) fills(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text+"\r"))
}

// audit holds the page to WCAG in both themes and at both widths.
func (b browser) audit(name string) {
	b.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 1280} {
			b.do(
				command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}),
				command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: width < 600}),
			)
			b.auditOnce(fmt.Sprintf("%s %s %d", name, theme, width))
		}
	}
}

func (b browser) auditOnce(name string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](b.axe+";0")); err != nil {
		b.t.Fatal(err)
	}
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(async () => {
		const result = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
		const found = result.violations.map((v) => v.id + ": " + v.nodes[0].html.slice(0, 160) + " " + (v.nodes[0].any[0]?.message || ""));
		const over = document.documentElement.scrollWidth - innerWidth;
		return JSON.stringify(over > 0 ? found.concat("too wide by " + over) : found);
	})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	var found []string
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		b.t.Fatal(err)
	}
	for _, f := range found {
		b.t.Errorf("%s: %s", name, f)
	}
	if dir := os.Getenv("JITNEY_TEST_SHOTS"); dir != "" {
		png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil || os.WriteFile(filepath.Join(dir, "entra "+name+".png"), png, 0o600) != nil {
			b.t.Errorf("no picture of %s: %v", name, err)
		}
	}
}

func TestABrowserSeesAccessStartAndStop(t *testing.T) {
	b := openBrowser(t)
	p := newPerson(t, Options{})
	server, err := p.cloud.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	b.do(chromedp.Navigate(server.BrowserURL()))
	b.reads("Sign in")
	b.audit("sign-in")
	b.fills("#upn", p.upn)
	b.reads("Enter your Temporary Access Pass")
	b.fills("#credential", "Canary-wrong")
	b.reads("incorrect or has expired")
	b.audit("refused")
	b.fills("#credential", goodPass)
	b.reads("You are Global Administrator.")
	b.audit("portal")

	p.tenant.mu.Lock()
	now := time.Now()
	for _, a := range p.tenant.held(p.id, authority, now) {
		p.tenant.putAssignment(a.id, nil, authority, now)
	}
	p.tenant.mu.Unlock()
	b.reads("You are signed in and have no administrator role.") // with no hand on the browser
	alter(p.tenant, p.id, func(u *user) { u.deleted = time.Now() })
	b.reads("This account does not exist any more.")
	b.audit("ended")
	b.do(chromedp.Navigate(server.BrowserURL() + "/signin"))
	b.fills("#upn", p.upn)
	b.reads("This account does not exist.")
}

func TestABrowserGivesConsent(t *testing.T) {
	b := openBrowser(t)
	w, _ := consents(t, Options{})
	server, err := w.cloud.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	product := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "The product was told %s.", r.FormValue("admin_consent"))
	}))
	defer product.Close()
	to := product.URL + "/back" // another origin, to which the page's policy must let the form lead
	b.do(chromedp.Navigate(server.BrowserURL() + w.consentPath(w.tenant.ID, to)))
	b.reads("Permissions requested")
	b.audit("consent")
	b.do(chromedp.Click(chromedp.CSS("button[value=approve]")))
	b.reads("The product was told True.")
	if _, ok := w.tenant.Principal(w.app.ID); !ok {
		t.Error("the app was not let in")
	}
	b.do(chromedp.Navigate(server.BrowserURL() + w.consentPath("common", to)))
	b.reads("Choose a company")
	b.audit("choose")
}
