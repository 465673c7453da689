package keep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jitney/cli/exit"
)

const (
	host = "https://jitney.example.net"
	text = "jcl_mostsecretoftexts"
)

var until = time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)

func token() Token {
	return Token{Text: text, ExpiresAt: until, Login: "ada", Admin: true}
}

// env is an environment of pairs.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// A fakeRing is a keyring that can be away, locked, or broken.
type fakeRing struct {
	near  bool
	err   error
	hang  chan struct{} // calls wait for it
	held  map[string]string
	calls atomic.Int32
}

func (r *fakeRing) Near(func(string) string) bool { return r.near }

func (r *fakeRing) call() error {
	r.calls.Add(1)
	if r.hang != nil {
		<-r.hang
	}
	return r.err
}

func (r *fakeRing) Get(service, user string) (string, error) {
	if err := r.call(); err != nil {
		return "", err
	}
	v, ok := r.held[service+" "+user]
	if !ok {
		return "", errNotFound
	}
	return v, nil
}

func (r *fakeRing) Set(service, user, text string) error {
	if err := r.call(); err != nil {
		return err
	}
	r.held[service+" "+user] = text
	return nil
}

func (r *fakeRing) Delete(service, user string) error {
	if err := r.call(); err != nil {
		return err
	}
	delete(r.held, service+" "+user)
	return nil
}

// store is a store with a state directory and a keyring of its own.
func store(t *testing.T, mode string, r *fakeRing) (*Store, string) {
	t.Helper()
	dir := t.TempDir()
	s := Open(env("XDG_STATE_HOME", dir, "JITNEY_KEYRING", mode))
	if r.held == nil {
		r.held = map[string]string{}
	}
	s.ring = r
	return s, filepath.Join(dir, "jitney")
}

// files lists what may hold a token: all but the list of sign-ins.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "signin-") {
			names = append(names, e.Name())
		} else if data, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil || strings.Contains(string(data), "jcl_") {
			t.Errorf("the list of sign-ins holds a token: %v", err)
		}
	}
	return names
}

func TestATokenComesBackFromWhereItWasPut(t *testing.T) {
	broken := errors.New("no such object path")
	for _, c := range []struct {
		name, mode      string
		ring            *fakeRing
		inRing, inFiles int
	}{
		{"a keyring that answers holds it", "", &fakeRing{near: true}, 1, 0},
		{"without a keyring a file holds it", "auto", &fakeRing{}, 0, 1},
		{"a keyring that fails leaves it to a file", "auto", &fakeRing{near: true, err: broken}, 0, 1},
		{"who wants a file gets one", "file", &fakeRing{near: true}, 0, 1},
		{"who wants the keyring gets no file", "os", &fakeRing{near: true}, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := store(t, c.mode, c.ring)
			if _, err := s.Get(host); !errors.Is(err, ErrNone) {
				t.Fatalf("before: %v, want ErrNone", err)
			}
			if err := s.Put(host, token()); err != nil {
				t.Fatal(err)
			}
			if len(c.ring.held) != c.inRing || len(files(t, dir)) != c.inFiles {
				t.Errorf("keyring holds %d, the folder %v", len(c.ring.held), files(t, dir))
			}
			got, err := s.Get("HTTPS://Jitney.Example.Net:443/")
			if err != nil || got != token() {
				t.Fatalf("got %v, %v", got, err)
			}
			if _, err := s.Get(host + ":8443"); !errors.Is(err, ErrNone) {
				t.Errorf("another port: %v, want ErrNone", err)
			}
			if err := s.Delete(host); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(host); !errors.Is(err, ErrNone) || len(c.ring.held)+len(files(t, dir)) != 0 {
				t.Errorf("after: %v, keyring %d, folder %v", err, len(c.ring.held), files(t, dir))
			}
		})
	}
}

func TestTheNewestTokenWins(t *testing.T) {
	r := &fakeRing{near: true}
	s, dir := store(t, "auto", r)
	if err := s.Put(host, Token{Text: "jcl_old", ExpiresAt: until}); err != nil {
		t.Fatal(err)
	}
	r.err = errors.New("locked")
	s.down = nil
	if err := s.Put(host, token()); err != nil {
		t.Fatal(err)
	}
	r.err, s.down = nil, nil
	if got, err := s.Get(host); err != nil || got.Text != text {
		t.Errorf("after the keyring failed once: %v", err)
	}
	if err := s.Put(host, Token{Text: "jcl_newest", ExpiresAt: until}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(host); err != nil || got.Text != "jcl_newest" || len(files(t, dir)) != 0 {
		t.Errorf("after it answered again: %v, folder %v", err, files(t, dir))
	}
}

func TestAKeyringThatHangsIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRing{near: true, hang: make(chan struct{})}
		defer close(r.hang)
		s, _ := store(t, "auto", r)
		start := time.Now()
		for range 3 {
			if _, err := s.Get(host); !errors.Is(err, ErrNone) {
				t.Error(err)
			}
		}
		if err := s.Put(host, token()); err != nil || r.calls.Load() != 1 || time.Since(start) != patience {
			t.Errorf("%v, asked %d times, took %v", err, r.calls.Load(), time.Since(start))
		}
	})
}

func TestOnlyTheKeyringIsAskedIfThatIsWanted(t *testing.T) {
	for _, c := range []struct {
		name string
		ring *fakeRing
		code int
	}{
		{"no keyring", &fakeRing{}, exit.Usage},
		{"a locked keyring", &fakeRing{near: true, err: errors.New("locked")}, exit.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := store(t, "os", c.ring)
			if err := s.Put(host, token()); exit.Code(err) != c.code {
				t.Errorf("put: %v", err)
			}
			if _, err := s.Get(host); exit.Code(err) != c.code {
				t.Errorf("get: %v", err)
			}
			if len(files(t, dir)) != 0 {
				t.Errorf("left %v", files(t, dir))
			}
		})
	}
	s, _ := store(t, "pocket", &fakeRing{})
	if _, err := s.Get(host); exit.Code(err) != exit.Usage {
		t.Errorf("an unknown JITNEY_KEYRING: %v", err)
	}
}

func TestNoBusIsSoughtWithoutADesktop(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // others always have a keyring
	}
	for address, want := range map[string]bool{"": false, "autolaunch:": false, "disabled:": false, "unix:path=/run/user/1000/bus": true} {
		if got := (system{}).Near(env("DBUS_SESSION_BUS_ADDRESS", address)); got != want {
			t.Errorf("DBUS_SESSION_BUS_ADDRESS=%q: %v, want %v", address, got, want)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	s, dir := store(t, "file", &fakeRing{})
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(host, token()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, files(t, dir)[0]): 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want && runtime.GOOS != "windows" {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if strings.ContainsAny(files(t, dir)[0], `:\/ `) {
		t.Errorf("%s is no name for every system", files(t, dir)[0])
	}
}

func TestWhatIsUnfitIsNotUsed(t *testing.T) {
	good, err := json.Marshal(record{Host: host, Token: text, ExpiresAt: until})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := json.Marshal(record{Host: "https://other.example.net", Token: text, ExpiresAt: until})
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte, mode fs.FileMode) func(string) error {
		return func(name string) error {
			return errors.Join(os.WriteFile(name, data, mode), os.Chmod(name, mode))
		}
	}
	for _, c := range []struct {
		name   string
		make   func(string) error
		want   string
		broken bool
	}{
		{"others may read it", write(good, 0o644), "may be read by others (mode 0644)", false},
		{"its group may write it", write(good, 0o620), "may be read by others", false},
		{"half a file", write(good[:20], 0o600), "cannot be read", true},
		{"an empty file", write(nil, 0o600), "cannot be read", true},
		{"a huge file", write([]byte(strings.Repeat("x", 1<<16)), 0o600), "cannot be read", true},
		{"a token for another host", write(foreign, 0o600), "cannot be read", true},
		{"a token that would break a header", write([]byte(`{"host":"`+host+`","token":"a\r\nb"}`), 0o600), "cannot be read", true},
		{"a link", func(name string) error {
			return errors.Join(write(good, 0o600)(name+".real"), os.Symlink(name+".real", name))
		}, "cannot be read", false},
		{"a folder", func(name string) error { return os.Mkdir(name, 0o700) }, "no regular file", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := store(t, "file", &fakeRing{})
			name := filepath.Join(dir, tokenFile(host))
			if err := errors.Join(os.MkdirAll(dir, 0o700), c.make(name)); err != nil {
				t.Fatal(err)
			}
			got, err := s.Get(host)
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrBroken) != c.broken || got != (Token{}) {
				t.Fatalf("got %v, %v", got, err)
			}
			if strings.Contains(fmt.Sprintf("%+v", err), "mostsecret") {
				t.Error("the error shows the token")
			}
			if err := s.Delete(host); err != nil {
				t.Error(err)
			}
			if err := s.Put(host, token()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAFolderOfSomebodyElseIsNotUsed(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make one
	}
	s, dir := store(t, "file", &fakeRing{})
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chown(dir, 4242, 4242)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(host, token()); err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
		t.Error(err)
	}
}

func TestATokenNeverShowsItself(t *testing.T) {
	tok := token()
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", tok, "pointer", &tok)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", tok, "in", struct{ T Token }{tok})
	data, err := json.Marshal(map[string]any{"t": tok, "p": &tok})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		tok.String(), tok.GoString(), log.String(), string(data), fmt.Sprint(tok, &tok, []Token{tok}),
		fmt.Sprintf("%v %+v %#v %s %q %x %d %v", tok, tok, tok, tok, tok, tok, tok, struct{ T Token }{tok}),
	} {
		if strings.Contains(shown, "mostsecret") || strings.Contains(shown, fmt.Sprintf("%x", text)) {
			t.Errorf("shown: %s", shown)
		}
	}
}

func TestATokenIsGoodUntilShortlyBeforeItsEnd(t *testing.T) {
	plain := token()
	plain.Admin = false
	for _, c := range []struct {
		name  string
		t     Token
		left  time.Duration
		admin bool
		want  bool
	}{
		{"an hour left", plain, time.Hour, false, true},
		{"ten seconds left", plain, 10 * time.Second, false, false},
		{"over", plain, -time.Hour, false, false},
		{"admin asked, not given", plain, time.Hour, true, false},
		{"admin asked and given", token(), time.Hour, true, true},
		{"admin given, not asked", token(), time.Hour, false, true},
		{"nothing", Token{ExpiresAt: until}, time.Hour, false, false},
	} {
		if got := c.t.Good(until.Add(-c.left), c.admin); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestOrigin(t *testing.T) {
	for host, want := range map[string]string{
		"https://Jitney.Example.net":  "https://jitney.example.net",
		"jitney.example.net":          "https://jitney.example.net",
		"jitney.example.net:8443":     "https://jitney.example.net:8443",
		"https://a.example:443/":      "https://a.example",
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080",
		"http://localhost":            "http://localhost",
		"http://[::1]:8080":           "http://[::1]:8080",
		"http://jitney.example.net":   "",
		"http://localhost.evil.net":   "",
		"http://127.0.0.1.evil.net":   "",
		"ftp://jitney.example.net":    "",
		"https://u:p@a.example":       "",
		"https://a.example/path":      "",
		"https://a.example?x=1":       "",
		"https://a.example#x":         "",
		"https://a.exa mple":          "",
		"https://a.example\x1b[2J":    "",
		"https://ä.example":           "",
		"":                            "",
		"https://":                    "",
		"-host":                       "https://-host",
		"javascript:alert(1)":         "",
		"https://a.example\\@evil.ne": "",
	} {
		got, err := Origin(host)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Origin(%q) = %q, %v; want %q", host, got, err, want)
		}
	}
}

func TestParallelPutsLeaveOneWholeToken(t *testing.T) {
	s, dir := store(t, "file", &fakeRing{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := s.Put(host, Token{Text: fmt.Sprint("jcl_", i), ExpiresAt: until}); err != nil {
				t.Error(err)
			}
			if _, err := s.Get(host); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := files(t, dir); len(n) != 1 {
		t.Errorf("left %v", n)
	}
}
