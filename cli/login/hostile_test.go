package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
)

func TestAHostileAnswerIsRefused(t *testing.T) {
	good := func(j *jitney) map[string]any {
		return map[string]any{"pairing": "abc", "url": j.URL + "/local-access/abc", "code": "ABCD-EFGH", "expires_at": time.Now().Add(time.Hour)}
	}
	for _, c := range []struct {
		name  string
		field string
		value func(j *jitney) any
		want  string
	}{
		{"a link to elsewhere", "url", func(*jitney) any { return "https://evil.example/local-access/abc" }, "wants you to sign in at https://evil.example, which is not opened"},
		{"a link to another port", "url", func(j *jitney) any { return j.URL + "0/local-access/abc" }, "which is not opened"},
		{"a link with another scheme", "url", func(j *jitney) any { return strings.Replace(j.URL, "http:", "https:", 1) + "/" }, "which is not opened"},
		{"a link that begins alike", "url", func(j *jitney) any { return j.URL + ".evil.example/" }, "which is not opened"},
		{"a link with a person before the host", "url", func(j *jitney) any { return j.URL + "@evil.example/" }, "no sense"},
		{"a script", "url", func(*jitney) any { return "javascript:alert(1)" }, "no sense"},
		{"a file", "url", func(*jitney) any { return "file:///etc/passwd" }, "which is not opened"},
		{"an option", "url", func(*jitney) any { return "--new-window" }, "which is not opened"},
		{"a command", "url", func(j *jitney) any { return j.URL + "/$(reboot)" }, "no sense"},
		{"a quote", "url", func(j *jitney) any { return j.URL + `/"&calc.exe` }, "no sense"},
		{"a line break", "url", func(j *jitney) any { return j.URL + "/a\nb" }, "no sense"},
		{"no link", "url", func(*jitney) any { return "" }, "no sense"},
		{"an endless link", "url", func(j *jitney) any { return j.URL + "/" + strings.Repeat("a", 600) }, "no sense"},
		{"a code that moves the cursor", "code", func(*jitney) any { return "\x1b[2JABCD" }, "no sense"},
		{"a code that is a sentence", "code", func(*jitney) any { return "call 555 0100 now" }, "no sense"},
		{"a name that is a path", "pairing", func(*jitney) any { return "../../v1/logout" }, "no sense"},
		{"no name", "pairing", func(*jitney) any { return "" }, "no sense"},
		{"a number for a name", "pairing", func(*jitney) any { return 1 }, "no JSON"},
		{"an endless answer", "pairing", func(*jitney) any { return strings.Repeat("a", 1<<20) }, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJitney(t)
			j.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				fields := good(j)
				fields[c.field] = c.value(j)
				_ = json.NewEncoder(w).Encode(fields)
				return true
			}
			d := newDesk(t, j, nil)
			_, err := Token(t.Context(), d.Request)
			if exit.Code(err) != exit.Unreachable || !strings.Contains(err.Error(), c.want) || d.opened() != 0 || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("%v, %d tabs", err, d.opened())
			}
		})
	}
}

func TestATokenThatIsNoneIsRefused(t *testing.T) {
	for name, token := range map[string]string{
		"no token":                  `"jat"`,
		"of another kind":           `"jat_abc"`,
		"with a line break":         `"jcl_a\r\nX: y"`,
		"with a space":              `"jcl_a b"`,
		"of no end":                 `"jcl_` + strings.Repeat("a", 2000) + `"`,
		"one that never ends":       `"jcl_abc","expires_at":"0001-01-01T00:00:00Z"`,
		"with a mark of an escape":  `"jcl_\u001b[2J"`,
		"with a letter from afar":   `"jcl_ä"`,
		"with a zero":               `"jcl_\u0000"`,
		"with a quote, for a shell": `"jcl_'"`,
	} {
		t.Run(name, func(t *testing.T) {
			j := newJitney(t)
			j.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/token") {
					return false
				}
				fmt.Fprintf(w, `{"expires_at":"2999-01-01T00:00:00Z","token":%s}`, token)
				return true
			}
			d := newDesk(t, j, nil)
			if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Unreachable {
				t.Error(err)
			}
			if _, err := d.Store.Get(j.URL); !errors.Is(err, keep.ErrNone) {
				t.Errorf("kept: %v", err)
			}
		})
	}
}

func TestWhatIsSentFollowsNoRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s came here", r.URL) }))
	defer elsewhere.Close()
	j := newJitney(t)
	j.answer = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		return true
	}
	d := newDesk(t, j, nil)
	if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Unreachable || !strings.Contains(err.Error(), "status 307") {
		t.Error(err)
	}
}

func TestWhatGoesWrongIsSaidInWords(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		code   int
		want   string
	}{
		{"busy", 429, `{"detail":"Too many sign-ins from here.","hint":"Wait a minute."}`, exit.Unreachable, "Too many sign-ins from here."},
		{"down", 503, "<html>", exit.Unreachable, "cannot answer now"},
		{"refused", 403, `{"detail":"Sign-in of command lines\u001b[31m is off."}`, exit.Refused, "Sign-in of command lines[31m is off."},
		{"invalid", 422, `{}`, exit.Failed, "does not take what it was asked"},
		{"another program", 404, "<html>", exit.Unreachable, "does not answer like Jitney"},
		{"another page", 200, "<html>", exit.Unreachable, "does not answer like Jitney"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJitney(t)
			j.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
				return true
			}
			d := newDesk(t, j, nil)
			_, err := Token(t.Context(), d.Request)
			if exit.Code(err) != c.code || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%d: %v", exit.Code(err), err)
			}
		})
	}
	t.Run("nobody answers", func(t *testing.T) {
		d := newDesk(t, newJitney(t), nil)
		d.Host = "http://127.0.0.1:1"
		if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Unreachable || !strings.Contains(err.Error(), "cannot be reached") {
			t.Error(err)
		}
	})
	t.Run("a certificate of nobody", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		defer s.Close()
		d := newDesk(t, newJitney(t), nil)
		d.Host = s.URL
		if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Unreachable || !strings.Contains(err.Error(), "is not trusted") {
			t.Error(err)
		}
	})
	t.Run("no folder to write to", func(t *testing.T) {
		j := newJitney(t)
		d := newDesk(t, j, nil)
		d.set("XDG_STATE_HOME", "/dev/null")
		if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Failed || j.requests() != 0 {
			t.Error(err)
		}
	})
	t.Run("http to another computer", func(t *testing.T) {
		d := newDesk(t, newJitney(t), nil)
		d.Host = "http://jitney.example.net"
		if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Usage {
			t.Error(err)
		}
	})
}

func TestALossOfTheNetworkEndsNothing(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	d.Device = true
	n := 0
	j.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/token") {
			return false
		}
		if n++; n == 3 {
			p, _ := j.last()
			j.decide(p.id, "authorized")
		}
		if n < 3 {
			w.WriteHeader(502)
		}
		return n < 3
	}
	if _, err := Token(t.Context(), d.Request); err != nil {
		t.Error(err)
	}
}

func TestACodeIsTriedAgainIfJitneyWasBusy(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, authorize(t, j))
	d.poll = 100 * time.Millisecond
	var tries atomic.Int32
	j.answer = func(w http.ResponseWriter, r *http.Request) bool {
		busy := strings.HasSuffix(r.URL.Path, "/token") && tries.Add(1) < 4
		if busy {
			reject(w, 429, "too_many")
		}
		return busy
	}
	if _, err := Token(t.Context(), d.Request); err != nil || tries.Load() < 4 {
		t.Errorf("%v after %d tries", err, tries.Load())
	}
}

func TestWhyJitneyRefusesIsSaid(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	d.Device = true
	j.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/token") {
			reject(w, 403, "refused")
			return true
		}
		return false
	}
	_, err := Token(t.Context(), d.Request)
	if e, ok := errors.AsType[*exit.Error](err); !ok || e.Code != exit.Refused || e.Text != "Said by the [31mserver." || e.Hint != "Do this." {
		t.Errorf("%+v", err)
	}
}

func TestOpener(t *testing.T) {
	for _, c := range []struct {
		name, goos, named, browser string
		have                       []string
		want                       []string
	}{
		{"the usual one on Linux", "linux", "", "", []string{"xdg-open"}, []string{"xdg-open"}},
		{"in WSL", "linux", "", "", []string{"wslview"}, []string{"wslview"}},
		{"none", "linux", "", "", nil, nil},
		{"on macOS", "darwin", "", "", []string{"/usr/bin/open"}, []string{"/usr/bin/open"}},
		{"on Windows", "windows", "", "", []string{`C:\Windows\System32\rundll32.exe`}, []string{`C:\Windows\System32\rundll32.exe`, "url.dll,FileProtocolHandler"}},
		{"$BROWSER", "linux", "", "w3m:firefox", []string{"firefox", "xdg-open"}, []string{"firefox"}},
		{"$BROWSER with arguments", "linux", "", "firefox --new-tab %s", []string{"firefox"}, []string{"firefox", "--new-tab", "%s"}},
		{"$BROWSER with a space in its name", "linux", "", "/my apps/firefox", []string{"/my apps/firefox", "/my"}, []string{"/my apps/firefox"}},
		{"$BROWSER that is not there", "linux", "", "nothing", []string{"xdg-open"}, []string{"xdg-open"}},
		{"$BROWSER on Windows", "windows", "", `C:\x.exe;C:\y.exe`, []string{`C:\y.exe`}, []string{`C:\y.exe`}},
		{"by name", "linux", "firefox", "w3m", []string{"firefox", "w3m"}, []string{"firefox"}},
		{"by the name that people use", "linux", "Chrome", "", []string{"google-chrome"}, []string{"google-chrome"}},
		{"by name on macOS", "darwin", "safari", "", []string{"/usr/bin/open"}, []string{"/usr/bin/open", "-a", "Safari"}},
		{"by name on Windows", "windows", "edge", "", []string{`C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`}, []string{`C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`}},
		{"by a name that is not there", "linux", "netscape", "", []string{"xdg-open"}, nil},
		{"by a name that is a command", "linux", "firefox; reboot", "", []string{"firefox"}, nil},
	} {
		env := func(name string) string {
			return map[string]string{"BROWSER": c.browser, "SystemRoot": `C:\Windows`, "ProgramFiles": `C:\Program Files`, "ProgramFiles(x86)": `C:\Program Files (x86)`}[name]
		}
		look := func(name string) (string, error) {
			for _, have := range c.have {
				if have == name {
					return name, nil
				}
			}
			return "", os.ErrNotExist
		}
		if got := opener(c.goos, c.named, env, look); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLaunchUsesNoShellAndHandsOnNoSecrets(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // the browser of this test is a script
	}
	dir := t.TempDir()
	browser := filepath.Join(dir, "browser")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" > " + dir + "/args\nenv > " + dir + "/env\n"
	if err := os.WriteFile(browser, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JITNEY_TOKEN", "jat_secret")
	t.Setenv("DUPLO_TOKEN", "jat_secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "jat_secret")
	link := "https://a.example/x?a=$(touch${IFS}" + dir + "/hacked)&b=`id`;id"
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{browser}, link},
		{[]string{browser, "--new-tab"}, "--new-tab\n" + link},
		{[]string{browser, "--url=%s", "-x"}, "--url=" + link + "\n-x"},
	} {
		if err := launch(c.argv, link); err != nil {
			t.Fatal(err)
		}
		args, err := os.ReadFile(dir + "/args")
		if err != nil || string(args) != c.want+"\n" {
			t.Errorf("%q, %v", args, err)
		}
	}
	vars, err := os.ReadFile(dir + "/env")
	if err != nil || strings.Contains(string(vars), "jat_secret") || !strings.Contains(string(vars), "PATH=") {
		t.Errorf("%s, %v", vars, err)
	}
	if _, err := os.Stat(dir + "/hacked"); !os.IsNotExist(err) {
		t.Error("a shell read the link")
	}
	if err := launch([]string{"/bin/false"}, link); err == nil {
		t.Error("a browser that fails is not noticed")
	}
}

func TestABrowserThatFailsIsSaid(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	d.launch = func([]string, string) error {
		p, _ := j.last()
		go func() {
			for !strings.Contains(d.screen.String(), "No browser could be opened (exit status 3)") {
				time.Sleep(time.Millisecond)
			}
			authorize(t, j)("")
		}()
		_ = p
		return errors.New("exit status 3")
	}
	if _, err := Token(t.Context(), d.Request); err != nil {
		t.Error(err)
	}
}
