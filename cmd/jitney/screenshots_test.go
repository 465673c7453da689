package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jitney/lab"
)

// The pictures of the documentation, taken from the demonstration as a person
// walks through it. `make screenshots` names the directory; without one there
// is nothing to do.
func TestScreenshots(t *testing.T) {
	dir := pictures(t)
	if dir == "" {
		return
	}
	p := start(t, nil, "demo", "--data", t.TempDir(), "--listen", "127.0.0.1:0")
	base := p.await(`Open   (http://\S+)`)
	m := regexp.MustCompile(`(example\.user@\S+)\s+(\S+)\s+a technician`).FindStringSubmatch(p.await(`(?s)(.*Ctrl-C)`))
	c := openCamera(t, dir)

	c.size(1280, 900, 1)
	c.open(base + "/login")
	c.shoot("sign-in")
	c.fill("#login", m[1])
	c.fill("#password", m[2])
	c.run(`document.querySelector("form[action='/login'] button, form button").click()`)
	c.until(`location.pathname === "/request" && document.readyState === "complete" && window.htmx`)
	c.pick("customer", "Pedro")
	c.until(`[...document.querySelector("#ticket").options].some(o => o.text.includes("Printer"))`)
	c.pick("ticket", "Printer")
	c.fill("#reason", "Restart the spooler on dc1 and clear the stuck job.")
	c.until(`document.querySelector("#preview").innerText.includes("pedroaviary")`)
	c.shoot("request")
	c.run(`document.querySelector("#preview button[type=submit]").click()`)
	c.until(`document.body.innerText.includes("Reveal once")`)
	c.shoot("grant")
	c.run(`document.cookie = "theme=dark; path=/"`)
	c.open("")
	c.until(`document.querySelector("[role=timer]")`)
	c.shoot("grant-dark")
	c.run(`document.cookie = "theme=light; path=/"`)
	c.size(390, 844, 2)
	c.open("")
	c.shoot("grant-phone")
	c.size(1280, 900, 1)
	c.open("")
	c.run(`document.querySelector("form[action$='/end'] button").click()`)
	c.until(`document.body.innerText.includes("Ended, verified")`)
	c.open("")
	c.shoot("grant-ended")
}

// pictures is the directory for pictures; empty if nobody wants any.
func pictures(t *testing.T) string {
	dir := os.Getenv("JITNEY_SCREENSHOTS")
	if dir == "" {
		return ""
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", "..", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A camera is a headless browser that takes pictures.
type camera struct {
	t   *testing.T
	ctx context.Context
	dir string
}

func openCamera(t *testing.T, dir string) *camera {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(lab.Chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(patience))
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context it begins in
		t.Fatal(err)
	}
	return &camera{t: t, ctx: ctx, dir: dir}
}

func (c *camera) do(actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *camera) size(width, height int64, scale float64) {
	c.t.Helper()
	c.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale, Mobile: width < 600})
		return err
	}))
}

// open goes to an address, or to the present one again.
func (c *camera) open(address string) {
	c.t.Helper()
	if address == "" {
		address, _ = chromedp.Run(c.ctx, chromedp.Evaluate[string]("location.href"))
	}
	c.do(chromedp.Navigate(address))
	c.until(`document.readyState === "complete"`)
}

// until waits for a JavaScript condition.
func (c *camera) until(condition string) {
	c.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(c.ctx, patience/4) // a page that goes away may never answer
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(end) {
			ctx, cancel := context.WithTimeout(c.ctx, patience/4)
			defer cancel()
			said, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + ' ' + document.body.innerText"))
			c.t.Fatalf("never: %s (%v); the page says %.3000s", condition, err, said)
		}
	}
}

func (c *camera) run(script string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("(() => { "+script+"; return true; })()")); err != nil {
		c.t.Fatal(err)
	}
}

func (c *camera) fill(selector, value string) {
	c.t.Helper()
	c.run(fmt.Sprintf(`const e = document.querySelector(%q); e.value = %q; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true}))`, selector, value))
}

// pick chooses the entry of a select whose text holds label.
func (c *camera) pick(id, label string) {
	c.t.Helper()
	c.run(fmt.Sprintf(`const e = document.getElementById(%q); e.value = [...e.options].find(o => o.text.includes(%q)).value; e.dispatchEvent(new Event("change", {bubbles: true}))`, id, label))
}

// shoot takes a picture of the whole page, if somebody wants pictures.
func (c *camera) shoot(name string) {
	c.t.Helper()
	if c.dir == "" {
		return
	}
	png, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, name+".png"), png, 0o644); err != nil {
		c.t.Fatal(err)
	}
}
