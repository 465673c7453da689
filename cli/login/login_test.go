package login

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
)

func TestSigningInGivesATokenThatIsKept(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, authorize(t, j))
	got, err := Token(t.Context(), d.Request)
	if live, _ := j.knows(got.Text); err != nil || !live || got.Login != "ada" || got.Admin || time.Until(got.ExpiresAt) < 11*time.Hour {
		t.Fatalf("%v, %v", got, err)
	}
	p, n := j.last()
	if n != 1 || p.Application != "jitney" || p.Machine != "desk" || p.User != "ada" || p.Tenant != "acme" || p.Admin || p.Port == 0 {
		t.Errorf("%d pairings, %+v", n, p)
	}
	for _, want := range []string{j.URL + "/local-access/" + p.id, p.code, "Signed in as ada."} {
		if !strings.Contains(d.screen.String(), want) {
			t.Errorf("the screen does not show %s:\n%s", want, d.screen)
		}
	}
	if strings.Contains(d.screen.String(), p.State) {
		t.Error("the screen shows the state")
	}
	before := j.requests()
	again, err := Token(t.Context(), d.Request)
	if err != nil || again != got || j.requests() != before || d.opened() != 1 {
		t.Errorf("the second call: %v, %v, %d requests more, %d tabs", again, err, j.requests()-before, d.opened())
	}
	left, err := filepath.Glob(filepath.Join(d.Env("XDG_STATE_HOME"), "jitney", "pairing-*"))
	if err != nil || left != nil {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestTheDoorIsOnThisComputerOnly(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	d.see = func(link string) {
		p, _ := j.last()
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			t.Error(err)
		}
		for _, a := range append(addresses, &net.IPNet{IP: net.IPv6loopback}) {
			ip := a.(*net.IPNet).IP
			if ip.Equal(net.IPv4(127, 0, 0, 1)) || ip.IsLinkLocalUnicast() {
				continue
			}
			if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), fmt.Sprint(p.Port)), time.Second); err == nil {
				_ = c.Close()
				t.Errorf("it listens on %s", ip)
			}
		}
		authorize(t, j)(link)
	}
	if _, err := Token(t.Context(), d.Request); err != nil {
		t.Fatal(err)
	}
	o, err := openDoor(0, "s", j.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	if a := o.listener.Addr().(*net.TCPAddr); !a.IP.Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("it listens on %v", a)
	}
}

func TestWhatComesFromElsewhereChangesNothing(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	d.see = func(link string) {
		p, _ := j.last()
		good := j.decide(p.id, "authorized")
		base, port := fmt.Sprintf("http://127.0.0.1:%d", p.Port), fmt.Sprint(":", p.Port)
		header := func(name, value string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set(name, value) }
		}
		host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
		method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
		for _, c := range []struct {
			name, link string
			change     func(*http.Request)
			want       int
		}{
			{"a token in the URL", base + "/?t=attacker-token", nil, 400},
			{"a token posted by another page", base + "/", func(r *http.Request) {
				r.Method, r.Body, r.ContentLength = "POST", http.NoBody, 0
				r.Header.Set("Origin", "https://evil.example")
			}, 403},
			{"a token posted by nobody", base + "/v2/callbackWithOtp", method("POST"), 404},
			{"a code without a state", base + "/?code=x", nil, 400},
			{"a wrong state", base + "/?code=x&state=" + strings.Repeat("A", 43), nil, 400},
			{"a Cancel with a wrong state", base + "/?error=access_denied&state=x", nil, 400},
			{"an empty state", base + "/?code=x&state=", nil, 400},
			{"two states", good + "&state=x", nil, 400},
			{"two codes", good + "&code=x", nil, 400},
			{"a code and a Cancel", good + "&error=x", nil, 400},
			{"the right state alone", base + "/?state=" + p.State, nil, 400},
			{"an endless code", base + "/?code=" + strings.Repeat("x", 400) + "&state=" + p.State, nil, 400},
			{"a broken query", good + "&%zz", nil, 400},
			{"the right one by another page's script", good, header("Origin", "https://evil.example"), 403},
			{"the right one by a page without an origin", good, header("Origin", "null"), 403},
			{"the right one as a picture", good, header("Sec-Fetch-Dest", "image"), 403},
			{"the right one under a name of another", good, host("evil.example" + port), 421},
			{"the right one under a name of another without port", good, host("evil.example"), 421},
			{"the right one at another port", good, host("127.0.0.1:1"), 421},
			{"the right one at another path", strings.Replace(good, "/?", "/x?", 1), nil, 404},
			{"the right one by HEAD", good, method("HEAD"), 405},
			{"the right one by POST", good, method("POST"), 405},
			{"a preflight", good, method("OPTIONS"), 405},
			{"a wrong code", base + "/?code=wrong&state=" + p.State, nil, 502},
		} {
			if status, location, err := visit(c.link, c.change); err != nil || status != c.want || location != "" {
				t.Errorf("%s: %d to %q, %v; want %d", c.name, status, location, err, c.want)
			}
		}
		status, location, err := visit(strings.Replace(good, "127.0.0.1", "localhost", 1), header("Sec-Fetch-Dest", "document"))
		if err != nil || status != 303 || !strings.HasSuffix(location, "/done") {
			t.Errorf("the right one: %d to %q, %v", status, location, err)
		}
		if status, _, err := visit(good, nil); err == nil && status != 400 && status != 502 && status != 200 {
			t.Errorf("the right one again: %d", status)
		}
	}
	got, err := Token(t.Context(), d.Request)
	if live, n := j.knows(got.Text); err != nil || !live || n != 1 {
		t.Fatalf("%v, %v, %d tokens", got, err, n)
	}
}

func TestACodeIsUsedOnce(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	var wg sync.WaitGroup
	d.see = func(string) {
		p, _ := j.last()
		good := j.decide(p.id, "authorized")
		for range 5 {
			wg.Go(func() { _, _, _ = visit(good, nil) })
		}
	}
	_, err := Token(t.Context(), d.Request)
	wg.Wait()
	if _, n := j.knows(""); err != nil || n != 1 {
		t.Errorf("%v, %d tokens", err, n)
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	j := newJitney(t)
	d := newDesk(t, j, authorize(t, j))
	d.Port = port
	if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Usage || !strings.Contains(err.Error(), fmt.Sprint(port)) || d.opened() != 0 || j.requests() != 0 {
		t.Fatalf("%v, %d tabs, %d requests", err, d.opened(), j.requests())
	}
	_ = l.Close()
	if _, err := Token(t.Context(), d.Request); err != nil {
		t.Fatal(err)
	}
	if p, _ := j.last(); p.Port != port {
		t.Errorf("it listened on %d, not on %d", p.Port, port)
	}
}

// pendingAfter begins or continues a sign-in that nobody finishes.
func pendingAfter(t *testing.T, d *desk) {
	t.Helper()
	err := d.unfinished(t, Token)
	if !errors.Is(err, ErrPending) || exit.Code(err) != exit.Login || !strings.HasPrefix(err.Error(), "Sign-in pending") {
		t.Fatalf("%v", err)
	}
}

// unfinished ends a call once it has done all that it does before somebody
// decides, however long a busy machine takes for that: it has shown the code,
// opened the link if it does, and asked how a sign-in stands that goes on. It
// asks no more, so that no question is under way when somebody decides.
func (d *desk) unfinished(t *testing.T, call func(context.Context, Request) (keep.Token, error)) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before, _ := d.last()
	shows := func() int { return strings.Count(d.screen.String(), matchCode) }
	shown := shows()
	r := d.Request
	r.poll = time.Hour
	over := make(chan error, 1)
	go func() { _, err := call(ctx, r); over <- err }()
	for {
		select {
		case err := <-over:
			return err
		case <-time.After(5 * time.Millisecond):
		}
		now, _ := d.last()
		if (now.id != before.id || now.asked > before.asked) && shows() > shown && (now.Port == 0 || d.NoBrowser || d.opened() > 0) {
			cancel()
		}
	}
}

func TestTheNextCallContinues(t *testing.T) {
	t.Parallel()
	t.Run("where the last one stopped, in the tab that is open", func(t *testing.T) {
		j := newJitney(t)
		d := newDesk(t, j, nil)
		pendingAfter(t, d)
		pendingAfter(t, d)
		p, _ := j.last()
		done := make(chan struct{})
		go func() {
			defer close(done)
			link := j.decide(p.id, "")
			for range 20_000 { // the browser is told to come back once somebody listens
				if _, _, err := visit(strings.Replace(link, "code=", "code=no", 1), nil); err == nil {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			authorize(t, j)(link)
		}()
		got, err := Token(t.Context(), d.Request)
		<-done
		if _, n := j.last(); err != nil || got.Text == "" || n != 1 || d.opened() != 1 {
			t.Errorf("%v, %d pairings, %d tabs", err, n, d.opened())
		}
		if strings.Count(d.screen.String(), p.code) != 3 {
			t.Errorf("not every call showed the code:\n%s", d.screen)
		}
	})
	t.Run("and opens the link again if somebody authorized meanwhile", func(t *testing.T) {
		j := newJitney(t)
		d := newDesk(t, j, nil)
		pendingAfter(t, d)
		p, _ := j.last()
		if _, _, err := visit(j.decide(p.id, "authorized"), nil); err == nil {
			t.Error("somebody listens between calls")
		}
		d.see = authorize(t, j) // it redirects without a click
		got, err := Token(t.Context(), d.Request)
		if _, n := j.last(); err != nil || got.Text == "" || n != 1 || d.opened() != 2 || d.tabs[0] != d.tabs[1] {
			t.Errorf("%v, %d pairings, tabs %v", err, n, d.tabs)
		}
	})
	t.Run("and says so if somebody pressed Cancel meanwhile", func(t *testing.T) {
		j := newJitney(t)
		d := newDesk(t, j, nil)
		pendingAfter(t, d)
		p, _ := j.last()
		j.decide(p.id, "cancelled")
		if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Refused {
			t.Fatal(err)
		}
		d.see = authorize(t, j)
		if _, err := Token(t.Context(), d.Request); err != nil {
			t.Errorf("the one after: %v", err)
		}
	})
	for name, change := range map[string]func(d *desk, p pairing){
		"but begins anew if Jitney forgot it":         func(d *desk, p pairing) { d.decide(p.id, "ended") },
		"but begins anew if admin is wanted now":      func(d *desk, _ pairing) { d.Admin = true },
		"but begins anew if another port is wanted":   func(d *desk, _ pairing) { d.Port = freePort(t) },
		"but begins anew if what it left is tampered": func(d *desk, _ pairing) { tamper(t, d, "/local-access/", "@evil.example/") },
		"but begins anew if what it left is broken":   func(d *desk, _ pairing) { tamper(t, d, `{"origin`, `{{`) },
		"but begins anew if somebody took its port": func(d *desk, p pairing) {
			l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", p.Port))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJitney(t)
			d := newDesk(t, j, nil)
			pendingAfter(t, d)
			p, _ := j.last()
			change(d, p)
			d.see = authorize(t, j)
			got, err := Token(t.Context(), d.Request)
			if _, n := j.last(); err != nil || got.Text == "" || n != 2 || d.opened() != 2 {
				t.Errorf("%v, %d pairings, %d tabs", err, n, d.opened())
			}
		})
	}
}

// pendingName is where the unfinished sign-in of a desk is kept.
func pendingName(t *testing.T, d *desk) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(d.Env("XDG_STATE_HOME"), "jitney", "pairing-*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	return names[0]
}

func tamper(t *testing.T, d *desk, from, to string) {
	t.Helper()
	name := pendingName(t, d)
	data, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(data), from) {
		t.Fatalf("%s, %v", data, err)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(data), from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsUnfinishedIsPrivate(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	pendingAfter(t, d)
	info, err := os.Stat(pendingName(t, d))
	if err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestCancel(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	d.see = func(string) {
		p, _ := j.last()
		if status, location, err := visit(j.decide(p.id, "cancelled"), nil); err != nil || status != 303 || location != j.URL+"/local-access/"+p.id+"/done" {
			t.Errorf("%d to %q, %v", status, location, err)
		}
	}
	_, err := Token(t.Context(), d.Request)
	if exit.Code(err) != exit.Refused || !strings.HasPrefix(err.Error(), "You pressed Cancel") {
		t.Error(err)
	}
	if _, err := d.Store.Get(j.URL); !errors.Is(err, keep.ErrNone) {
		t.Error(err)
	}
}

func TestItEndsWhileSomebodyWaits(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	d.see = func(string) {
		p, _ := j.last()
		j.decide(p.id, "ended")
	}
	if _, err := Token(t.Context(), d.Request); exit.Code(err) != exit.Login || errors.Is(err, ErrPending) || !strings.Contains(err.Error(), "not finished in time") {
		t.Error(err)
	}
}

func TestDevice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(d *desk)
		device bool
	}{
		{"by hand", func(d *desk) { d.Device = true }, true},
		{"over SSH", func(d *desk) { d.set("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22", "DISPLAY", ":0") }, true},
		{"without a screen", func(d *desk) { d.set("BROWSER", "") }, true},
		{"without a screen, the browser is not there", func(d *desk) { d.set("BROWSER", "no-such-browser-of-any") }, true},
		{"with a screen but no browser to be opened", func(d *desk) { d.set("DISPLAY", ":0"); d.NoBrowser = true }, false},
		{"over SSH with a port that is let through", func(d *desk) {
			d.set("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
			d.Port = freePort(t)
		}, false},
		{"over SSH with a browser by name", func(d *desk) {
			d.set("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
			d.Browser = "true"
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJitney(t)
			d := newDesk(t, j, nil)
			c.change(d)
			if runtime.GOOS != "linux" && !d.Device && c.device {
				return // there is always a screen
			}
			pendingAfter(t, d)
			p, _ := j.last()
			if (p.Port == 0) != c.device {
				t.Fatalf("port %d", p.Port)
			}
			if !c.device {
				return
			}
			if want := "Open " + j.URL + "/device and type " + p.code; !strings.Contains(d.screen.String(), want) || d.opened() != 0 {
				t.Errorf("%d tabs, the screen does not say %q:\n%s", d.opened(), want, d.screen)
			}
			j.decide(p.id, "authorized")
			d.Device = false // whoever comes next continues all the same
			got, err := Token(t.Context(), d.Request)
			if _, n := j.last(); err != nil || got.Text == "" || n != 1 || d.opened() != 0 {
				t.Errorf("%v, %d pairings, %d tabs", err, n, d.opened())
			}
		})
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestAdminNeedsASignInOfItsOwn(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, authorize(t, j))
	plain, err := Token(t.Context(), d.Request)
	if err != nil {
		t.Fatal(err)
	}
	r := d.Request
	r.Admin = true
	admin, err := Token(t.Context(), r)
	if p, n := j.last(); err != nil || admin.Text == plain.Text || !admin.Admin || n != 2 || !p.Admin {
		t.Errorf("%v, %v, %d pairings", admin, err, n)
	}
	if again, err := Token(t.Context(), d.Request); err != nil || again != admin {
		t.Errorf("%v, %v", again, err)
	}
}

func TestRenew(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, authorize(t, j))
	old, err := Token(t.Context(), d.Request)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]bool{}
	for range 10 {
		wg.Go(func() {
			n, err := Renew(t.Context(), d.Request, old)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			got[n.Text] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if _, n := j.last(); len(got) != 1 || got[old.Text] || n != 2 || d.opened() != 2 {
		t.Errorf("%d tokens, %d pairings, %d tabs", len(got), n, d.opened())
	}
}

func TestARejectedTokenIsNotOfferedAgain(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, nil)
	old := keep.Token{Text: "jcl_old", ExpiresAt: time.Now().Add(time.Hour)}
	if err := d.Store.Put(j.URL, old); err != nil {
		t.Fatal(err)
	}
	renew := func(ctx context.Context, r Request) (keep.Token, error) { return Renew(ctx, r, old) }
	if err := d.unfinished(t, renew); !errors.Is(err, ErrPending) {
		t.Fatal(err)
	}
	pendingAfter(t, d)
}

func TestForget(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, authorize(t, j))
	if was, err := Forget(t.Context(), d.Request); was || err != nil || j.requests() != 0 {
		t.Errorf("nothing to forget: %v, %v, %d requests", was, err, j.requests())
	}
	if _, err := Token(t.Context(), d.Request); err != nil {
		t.Fatal(err)
	}
	was, err := Forget(t.Context(), d.Request)
	if _, n := j.knows(""); !was || err != nil || n != 0 {
		t.Errorf("%v, %d tokens live", err, n)
	}
	if _, err := d.Store.Get(j.URL); !errors.Is(err, keep.ErrNone) {
		t.Error(err)
	}
	if err := d.Store.Put(j.URL, keep.Token{Text: "jcl_unknown", ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := Forget(t.Context(), d.Request); err != nil {
		t.Errorf("one that Jitney does not know: %v", err)
	}
	if err := d.Store.Put(j.URL, keep.Token{Text: "jcl_unknown", ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	_, err = Forget(t.Context(), d.Request)
	if exit.Code(err) != exit.Unreachable || !strings.Contains(err.Error(), "could not be told") {
		t.Errorf("one that cannot be revoked: %v", err)
	}
	if _, err := d.Store.Get(j.URL); !errors.Is(err, keep.ErrNone) {
		t.Errorf("it is kept: %v", err)
	}
}

func TestABrokenTokenIsReplaced(t *testing.T) {
	j := newJitney(t)
	d := newDesk(t, j, authorize(t, j))
	folder := keep.Folder(filepath.Join(d.Env("XDG_STATE_HOME"), "jitney"))
	if err := folder.Write("token-"+keep.Key(j.URL)+".json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	if got, err := Token(t.Context(), d.Request); err != nil || got.Text == "" || !strings.Contains(d.screen.String(), "cannot be read") {
		t.Errorf("%v\n%s", err, d.screen)
	}
}
