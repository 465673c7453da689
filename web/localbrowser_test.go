package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"jitney/access"
)

// A listener is a command line that waits on the loopback for its answer, and
// sends the browser on as the real one does.
func (b *browser) listener(t *testing.T) (port int, got chan url.Values, done *string) {
	t.Helper()
	got, done = make(chan url.Values, 4), new(string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && r.URL.RawQuery != "" {
			got <- r.URL.Query()
			http.Redirect(w, r, *done, http.StatusSeeOther)
		}
	}))
	t.Cleanup(s.Close)
	port, err := strconv.Atoi(s.URL[strings.LastIndex(s.URL, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return port, got, done
}

// Chromium holds redirects of a form to the policy of its page, so only a
// browser shows that the answer reaches the command line.
func TestACommandLineInTheBrowser(t *testing.T) {
	b := openBrowser(t)
	port, got, done := b.listener(t)
	long := strings.Repeat("a-very-long-name-", 10)
	p := b.asks(t, func(p *access.Pairing) {
		p.Port, p.Application, p.Machine, p.User, p.Admin = port, long, long, long, true
	})
	typed := b.asks(t, func(p *access.Pairing) { p.Port = 0 })
	*done = b.url + "/local-access/" + p.ID + "/done"
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 320} {
			b.size(t, width)
			b.as(t, ada, theme)
			for _, path := range []string{"/local-access/" + p.ID, "/device", "/tokens"} {
				b.open(t, path)
				b.shot(t, "local-"+theme+"-"+strconv.FormatInt(width, 10)+strings.ReplaceAll(path[:7], "/", "_"))
				all := b.probe(t, true)
				if all.Overflow > 0 {
					t.Errorf("%s at %d: %d px wider than the window: %v", path, width, all.Overflow, all.Wide)
				}
				for _, fault := range append(all.Faults, all.Weak...) {
					t.Errorf("%s %s: %s", path, theme, fault)
				}
				for _, v := range all.Axe {
					t.Errorf("%s %s: axe %s: %s %v", path, theme, v.ID, v.Help, v.Nodes)
				}
			}
		}
	}
	b.do(t, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.open(t, "/local-access/"+p.ID)
	b.do(t, chromedp.KeyEvent(kb.Enter))
	b.until(t, `document.activeElement === document.body && location.pathname.startsWith("/local-access/")`)
	b.click(t, `form[action$="/authorize"] button`)
	b.until(t, `location.pathname.endsWith("/done") && document.querySelector("h1").innerText === "Authorized"`)
	answer := <-got // the page above is where the listener sends the browser
	if answer.Get("state") != p.State {
		t.Errorf("answered %v", answer)
	}
	token, err := b.redeem(t, p.ID, answer.Get("code"))
	if err != nil || token.Person != ada || !token.Admin {
		t.Errorf("%+v, %v", token, err)
	}
	b.open(t, "/tokens")
	b.shot(t, "local-tokens")

	no := b.asks(t, func(p *access.Pairing) { p.Port = port })
	*done = b.url + "/local-access/" + no.ID + "/done"
	b.open(t, "/local-access/"+no.ID)
	b.click(t, `form[action$="/cancel"] button`)
	b.until(t, `document.querySelector("h1")?.innerText === "Cancelled"`)
	if answer := <-got; answer.Get("error") != "access_denied" || answer.Get("code") != "" {
		t.Errorf("after Cancel: %v", answer)
	}

	b.open(t, "/device")
	b.typed(t, "#code", strings.ToLower(typed.Code)+kb.Enter)
	b.until(t, `document.querySelector("h1")?.innerText === "Local Access Requested"`)
	b.shot(t, "local-device")
	b.click(t, `form[action$="/authorize"] button`)
	b.until(t, `document.querySelector("h1")?.innerText === "Authorized"`)
	if token, err := b.redeem(t, typed.ID, ""); err != nil || token.Person != ada {
		t.Errorf("%+v, %v", token, err)
	}
}
