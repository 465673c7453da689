package signin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/secret"
)

const (
	maya     = "maya@msp.example"
	good     = "heron lantern quartz 9"
	cheapKiB = 8
)

// house is a door with a store in memory and one person, Maya.
type house struct {
	*memory
	door *Door
	logs *bytes.Buffer
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{memory: newMemory(), logs: &bytes.Buffer{}}
	h.door = newDoor(Config{People: h, Sessions: h, Settings: h, Log: h, HTTPS: true, Logger: slog.New(slog.NewTextHandler(h.logs, nil))},
		cost{cheapKiB, 1, 1})
	h.add(t, access.Person{ID: "maya", Login: maya, Name: "Maya", Roles: []access.Role{access.Administrator}}, good)
	return h
}

func (h *house) add(t *testing.T, p access.Person, password string) {
	t.Helper()
	hash, err := h.door.hasher.Hash(t.Context(), secret.New(password))
	if err != nil {
		t.Fatal(err)
	}
	h.people[p.ID], h.hashes[p.ID] = p, hash
}

// browser keeps a cookie, as a browser does.
type browser struct {
	h       *house
	address string
	cookie  string
	set     []*http.Cookie // of the last answer
	method  string         // POST if empty
	head    [2]string      // a header that it sends as well
}

func (h *house) browser() *browser { return &browser{h: h, address: "203.0.113.9:5000"} }

// visit sends a request whose handler is do.
func (b *browser) visit(do func(r *http.Request)) int {
	r := httptest.NewRequest(cmp.Or(b.method, http.MethodPost), "https://jitney.example/login", nil)
	if b.head[0] != "" {
		r.Header.Set(b.head[0], b.head[1])
	}
	r.RemoteAddr = b.address
	r.Header.Set("User-Agent", "Browser of Maya")
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-jitney", Value: b.cookie})
	}
	w := httptest.NewRecorder()
	b.h.door.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do(r)
		w.WriteHeader(http.StatusOK)
	})).ServeHTTP(w, r)
	b.set = w.Result().Cookies()
	for _, c := range b.set {
		b.cookie = c.Value
	}
	return w.Code
}

func (b *browser) in(login, password string) (err error) {
	b.visit(func(r *http.Request) { err = b.h.door.In(r, login, secret.New(password)) })
	return err
}

func (b *browser) who() (id string) {
	b.visit(func(r *http.Request) {
		p, err := b.h.door.Who(r.Context())
		if err == nil {
			id = p.ID
		}
	})
	return id
}

func (b *browser) do(fn func(ctx context.Context) error) (err error) {
	b.visit(func(r *http.Request) { err = fn(r.Context()) })
	return err
}

func TestSigningInAndOut(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	if b.who() != "" || b.cookie != "" || h.count() != 0 {
		t.Fatal("a visit without signing in left a session")
	}
	if err := b.in("MAYA@msp.example ", good); err != nil {
		t.Fatal(err)
	}
	c := b.set[len(b.set)-1]
	if c.Name != "__Host-jitney" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie: %v", c)
	}
	for key, v := range h.visits {
		if strings.Contains(key, b.cookie) || bytes.Contains(v.Data, []byte(b.cookie)) {
			t.Error("the store has the token itself")
		}
		if v.Person != "maya" || v.Address != "203.0.113.9" || v.Browser != "Browser of Maya" {
			t.Errorf("stored: %+v", v)
		}
	}
	if b.who() != "maya" {
		t.Fatal("not signed in")
	}
	if err := b.do(h.door.Out); err != nil {
		t.Fatal(err)
	}
	if b.who() != "" || h.count() != 0 {
		t.Error("still signed in after signing out")
	}
	if got := h.kinds(); !slices.Equal(got, []string{EventSignedIn, EventSignedOut}) {
		t.Errorf("records: %v", got)
	}
}

func TestAChosenTokenIsNeverTakenOver(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.cookie = "chosen-by-somebody-else"
	if err := b.in(maya, good); err != nil {
		t.Fatal(err)
	}
	if b.cookie == "chosen-by-somebody-else" {
		t.Fatal("the token of before is the token of now")
	}
	first := b.cookie
	if err := b.in(maya, good); err != nil { // again, in the same browser
		t.Fatal(err)
	}
	for _, token := range []string{"chosen-by-somebody-else", first} {
		other := h.browser()
		other.cookie = token
		if other.who() != "" {
			t.Errorf("the token %s opens a session", token)
		}
	}
	if b.who() != "maya" || h.count() != 1 {
		t.Errorf("%d sessions", h.count())
	}
}

func TestSessionsEnd(t *testing.T) {
	tests := []struct {
		name  string
		live  time.Duration // between two requests
		times int
		last  time.Duration // before the last request
		want  string
	}{
		{"29 minutes without a request are no end", 0, 0, 28*time.Minute + 59*time.Second, "maya"},
		{"30 minutes without a request are", 0, 0, 30 * time.Minute, ""},
		{"every request starts the 30 minutes anew", 20 * time.Minute, 10, 20 * time.Minute, "maya"},
		{"every request starts the 30 minutes anew, then they pass", 20 * time.Minute, 10, 31 * time.Minute, ""},
		{"12 hours are the end, however busy", 10 * time.Minute, 71, 11 * time.Minute, ""},
		{"before 12 hours a busy session lives", 10 * time.Minute, 71, 9 * time.Minute, "maya"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				b := h.browser()
				if err := b.in(maya, good); err != nil {
					t.Fatal(err)
				}
				for i := range tt.times {
					time.Sleep(tt.live)
					if b.who() != "maya" {
						t.Fatalf("ended after %d requests", i)
					}
				}
				time.Sleep(tt.last)
				if got := b.who(); got != tt.want {
					t.Errorf("who = %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestASessionLastsAsLongAsIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.door = newDoor(Config{People: h, Sessions: h, Settings: h, Log: h, HTTPS: true, Lasts: 20 * time.Minute}, cost{cheapKiB, 1, 1})
		b := h.browser()
		if err := b.in(maya, good); err != nil {
			t.Fatal(err)
		}
		time.Sleep(19 * time.Minute)
		if b.who() != "maya" {
			t.Error("ended before its time")
		}
		time.Sleep(time.Minute + time.Second)
		if b.who() != "" {
			t.Error("lasts longer than is set")
		}
	})
}

func TestTheLastUseIsStoredOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.browser()
		if err := b.in(maya, good); err != nil {
			t.Fatal(err)
		}
		before := h.writes
		for range 100 {
			time.Sleep(time.Second)
			b.who()
		}
		if n := h.writes - before; n != 1 {
			t.Errorf("%d writes for 100 requests in 100 seconds, want 1", n)
		}
	})
}

func TestADisabledPersonIsOutAtOnce(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	if err := b.in(maya, good); err != nil {
		t.Fatal(err)
	}
	p := h.people["maya"]
	p.DisabledAt = time.Now()
	h.people["maya"] = p
	if b.who() != "" {
		t.Error("a disabled person is signed in")
	}
	if err := h.browser().in(maya, good); access.KindOf(err) != access.Denied || err.Error() != wrong().Error() {
		t.Errorf("a disabled person signs in: %v", err)
	}
	if got := h.kinds(); got[len(got)-1] != EventSignInFailed {
		t.Errorf("records: %v", got)
	}
	if err := h.browser().do(func(ctx context.Context) error {
		r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
		return h.door.Enter(r, "maya", "another provider")
	}); access.KindOf(err) != access.Denied {
		t.Errorf("a disabled person enters: %v", err)
	}
}

func TestAnEndedSessionStaysEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.browser()
		if err := b.in(maya, good); err != nil {
			t.Fatal(err)
		}
		b.visit(func(r *http.Request) { // a long request, such as a stream
			if _, err := h.door.Who(r.Context()); err != nil {
				t.Fatal(err)
			}
			if err := h.door.End(context.Background(), h.people["maya"], "maya", ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(checkAgain + time.Second)
			if _, err := h.door.Who(r.Context()); access.KindOf(err) != access.Denied {
				t.Errorf("the stream goes on: %v", err)
			}
			time.Sleep(2 * time.Minute) // so that the end of the request stores the last use
		})
		if b.who() != "" || h.count() != 0 {
			t.Error("a request that was under way brought the session back")
		}
	})
}

func TestNothingTellsWhyAPasswordDoesNotFit(t *testing.T) {
	h := newHouse(t)
	h.people["new"] = access.Person{ID: "new", Login: "new@msp.example"} // no password yet
	h.people["gone"] = access.Person{ID: "gone", Login: "gone@msp.example", DisabledAt: time.Now()}
	h.hashes["gone"] = h.hashes["maya"]
	tests := []struct{ name, login, password string }{
		{"a wrong password", maya, "not this one at all"},
		{"an unknown login", "nobody@msp.example", good},
		{"a person without a password", "new@msp.example", good},
		{"a person without a password, and none typed", "new@msp.example", ""},
		{"a disabled person", "gone@msp.example", good},
		{"nothing typed", "", ""},
		{"a login as long as a book", strings.Repeat("a", 100_000), good},
		{"a password as long as a book", maya, strings.Repeat("a", 100_000)},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := h.browser()
			b.address = fmt.Sprintf("198.51.100.%d:1", i)
			err := b.in(tt.login, tt.password)
			e, ok := errors.AsType[*access.Error](err)
			if !ok || e.Kind != access.Denied || e.Text != "Sign-in name and password do not fit." {
				t.Errorf("err = %v", err)
			}
			if b.who() != "" {
				t.Error("signed in")
			}
		})
	}
}

func TestNothingTypedIsRecorded(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	const typed = "canary-typed-into-the-wrong-box"
	_ = b.in(typed, typed)
	_ = b.in(maya, typed)
	if err := b.in(maya, good); err != nil {
		t.Fatal(err)
	}
	all := h.logs.String() + fmt.Sprint(h.events, h.visits, h.hashes, h.settings)
	for _, s := range []string{typed, good, b.cookie} {
		if strings.Contains(all, s) {
			t.Errorf("%q was kept", s)
		}
	}
	if got := h.kinds(); !slices.Equal(got, []string{EventSignInFailed, EventSignedIn}) {
		t.Errorf("records: %v", got)
	}
}

func TestWhatCannotBeRecordedIsRefused(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	h.broken = errors.New("disk full")
	if err := b.in(maya, good); !errors.Is(err, h.broken) {
		t.Errorf("err = %v", err)
	}
	h.broken = nil
	if b.who() != "" || h.count() != 0 {
		t.Error("signed in without a record")
	}
}

func TestGuessingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		home := h.browser()
		if err := home.in(maya, good); err != nil {
			t.Fatal(err)
		}
		tried := 0
		for i := range 1000 { // from ten addresses, each ten minutes' worth of impatience
			b := h.browser()
			b.address = fmt.Sprintf("198.51.100.%d:1", i%10)
			if err := b.in(maya, "wrong"); access.KindOf(err) == access.Denied {
				tried++
			}
			time.Sleep(600 * time.Millisecond)
		}
		if tried > 160 {
			t.Errorf("%d of 1000 guesses were tried within ten minutes", tried)
		}
		for h.door.limits.account.take(maya) { // the guessers leave nothing to anybody
		}
		stranger := h.browser()
		stranger.address = "192.0.2.2:1"
		if err := stranger.in(maya, good); access.KindOf(err) != access.Unavailable {
			t.Errorf("from elsewhere, meanwhile: %v", err)
		}
		if err := home.in(maya, good); err != nil {
			t.Errorf("from where she signed in before: %v", err)
		}
		time.Sleep(time.Minute)
		elsewhere := h.browser()
		elsewhere.address = "192.0.2.1:1"
		if err := elsewhere.in(maya, good); err != nil {
			t.Errorf("from elsewhere, a minute later: %v", err)
		}
	})
}

func TestOneAddressIsAWholeNetworkOfIPv6(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "::ffff:203.0.113.9": "203.0.113.9", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::9": "2001:db8:1:2::/64", "unix": "unix",
	} {
		if got := network(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestBucketsDoNotGrowWithoutEnd(t *testing.T) {
	l := newLimits()
	for i := range maxBuckets + maxBuckets/2 {
		l.allow(fmt.Sprint("account", i), fmt.Sprint("address", i))
		l.welcome(fmt.Sprint("account", i), fmt.Sprint("address", i))
	}
	for name, n := range map[string]int{"address": len(l.address.all), "pair": len(l.pair.all), "account": len(l.account.all), "known": len(l.known)} {
		if n > maxBuckets {
			t.Errorf("%s: %d", name, n)
		}
	}
}

func TestWhatAPageFetchesByItselfIsNoUse(t *testing.T) {
	for _, head := range [][2]string{{"Accept", "text/event-stream"}, {"HX-Request", "true"}, {"Sec-Purpose", "prefetch"}} {
		t.Run(head[0], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				b := h.browser()
				if err := b.in(maya, good); err != nil {
					t.Fatal(err)
				}
				b.method, b.head = http.MethodGet, head
				for range 5 {
					time.Sleep(5 * time.Minute)
					if b.who() != "maya" {
						t.Fatal("ended too early")
					}
				}
				time.Sleep(5 * time.Minute)
				if got := b.who(); got != "" {
					t.Errorf("who = %q: an open page keeps the session for ever", got)
				}
			})
		})
	}
	t.Run("a form that a script sends is use", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			b := h.browser()
			if err := b.in(maya, good); err != nil {
				t.Fatal(err)
			}
			b.head = [2]string{"HX-Request", "true"}
			for range 5 {
				time.Sleep(20 * time.Minute)
				if b.who() != "maya" {
					t.Fatal("ended")
				}
			}
		})
	})
}

func TestASessionKeepsWhatPagesPutThere(t *testing.T) {
	h := newHouse(t)
	b, other := h.browser(), h.browser()
	swap := func(b *browser, value string) (before string) {
		b.visit(func(r *http.Request) { before = h.door.Swap(r.Context(), "consent", value) })
		return before
	}
	if swap(b, "nobody's"); swap(b, "") != "" || h.count() != 0 {
		t.Error("something is kept for nobody")
	}
	for _, one := range []*browser{b, other} {
		if err := one.in(maya, good); err != nil {
			t.Fatal(err)
		}
	}
	if before := swap(b, "first"); before != "" {
		t.Errorf("before anything was kept: %q", before)
	}
	if got := swap(other, ""); got != "" {
		t.Errorf("another session of the same person has %q", got)
	}
	if got := swap(b, "second"); got != "first" {
		t.Errorf("kept %q", got)
	}
	if got := swap(b, ""); got != "second" {
		t.Errorf("kept %q", got)
	}
	if got := swap(b, ""); got != "" || b.who() != "maya" {
		t.Errorf("taken twice: %q", got)
	}
}
