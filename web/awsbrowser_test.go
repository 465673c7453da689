package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"jitney/access"
)

// simulatedConsole is another site, to which the console's address leads, and
// which sends the browser on once more, as AWS does.
func simulatedConsole(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/federation":
			http.Redirect(w, r, "/console/home", http.StatusFound)
		case "/console/home":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<title>console</title><h1>The console</h1><p id=from>%s</p>", r.Referer())
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAWSPagesInABrowser(t *testing.T) {
	w := newAWSWorld(t, simulatedConsole(t))
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
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390, 320} {
			b.size(t, width)
			for _, page := range [][2]string{{maya, "/aws?place=aws-kprod"}, {maya, "/aws?place=aws-kprod&tab=workstation"}, {maya, "/aws?place=aws-kprod&tab=ci"}, {ada, "/aws?place=aws-kprod&level=admin"},
				{"rea", "/aws"}, {ada, "/settings/aws"}, {maya, "/grants/s-active"}, {ada, "/targets/aws-kprod"}, {maya, "/me"}, {ada, "/customers/kprod"}} {
				b.as(t, page[0], theme)
				b.open(t, page[1])
				check(fmt.Sprintf("aws-%s-%d%s-%s", theme, width, strings.NewReplacer("/", "_", "?", "_", "&", "_", "=", "-").Replace(page[1]), page[0]))
			}
			b.as(t, maya, theme)
			b.open(t, "/aws?place=aws-kprod")
			b.click(t, `#way-keys button[formaction="/aws/keys"]`)
			b.until(t, `document.querySelector("#env-bash")`)
			check(fmt.Sprintf("aws-%s-%d-keys", theme, width))
			b.click(t, `#keys .show`)
			check(fmt.Sprintf("aws-%s-%d-keys-shown", theme, width))
			b.open(t, "/aws?place=aws-kprod")
			b.click(t, `#go button[formaction="/aws/url"]`)
			b.until(t, `document.querySelector("#console-url")`)
			b.click(t, `.pagehead details summary`)
			check(fmt.Sprintf("aws-%s-%d-url", theme, width))
			b.click(t, `.topbar details summary`)
			check(fmt.Sprintf("aws-%s-%d-menu", theme, width))
		}
	}
	_ = emulation.SetScriptExecutionDisabled
	_ = access.ForKeys
}
