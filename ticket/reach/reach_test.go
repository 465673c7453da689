package reach_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

var here = reach.Rules{Private: []string{"127.0.0.1"}}

func client(t *testing.T, h http.Handler, o reach.Options) *reach.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	o.Name, o.Base, o.Rules = "The desk", srv.URL, here
	c, err := reach.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func answer(status int, kind, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }
	const data, page = "application/json", "text/html; charset=utf-8"
	tests := []struct {
		name        string
		answer      http.HandlerFunc
		read, write ticket.TroubleKind // empty: no trouble
	}{
		{"data", answer(200, data, `{"a":1}`), "", ""},
		{"data that is cut off", answer(200, data, `{"a":`), ticket.Down, ticket.Doubtful},
		{"a sign-in page instead of data", answer(200, page, `<html>`), ticket.Misconfigured, ticket.Doubtful},
		{"no answer at all", hang, ticket.Down, ticket.Doubtful},
		{"a gateway that gives up", answer(504, page, `<html>`), ticket.Down, ticket.Doubtful},
		{"a failure", answer(500, data, `{}`), ticket.Down, ticket.Doubtful},
		{"too many calls", answer(429, data, `{}`, "Retry-After", "7"), ticket.Throttled, ticket.Throttled},
		{"maintenance that names its end", answer(503, page, `<html>`, "Retry-After", "7"), ticket.Throttled, ticket.Throttled},
		{"credentials that are not accepted", answer(401, data, `{}`), ticket.Misconfigured, ticket.Misconfigured},
		{"a missing right", answer(403, data, `{}`), ticket.Forbidden, ticket.Forbidden},
		{"a firewall's page", answer(403, page, `<html>`), ticket.Misconfigured, ticket.Misconfigured},
		{"no such thing", answer(404, data, `{}`), ticket.Gone, ticket.Gone},
		{"no such thing, without a word", answer(404, "", ``), ticket.Gone, ticket.Gone},
		{"an address that is not its interface", answer(404, page, `<html>`), ticket.Misconfigured, ticket.Misconfigured},
		{"content that it does not take", answer(422, data, `{}`), ticket.Rejected, ticket.Rejected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, tt.answer, reach.Options{})
			for _, write := range []bool{false, true} {
				want, method := tt.read, "GET"
				if write {
					want, method = tt.write, "POST"
				}
				var into struct{ A int }
				a, err := c.Do(t.Context(), reach.Call{Method: method, Path: "x", Into: &into, Writes: write})
				if want == "" && (err != nil || into.A != 1) || want != "" && (err == nil || ticket.TroubleOf(err) != want) {
					t.Errorf("write %v: %+v, %v; want %q", write, a, err, want)
				}
			}
		})
	}
	t.Run("the time that it asks for is kept", func(t *testing.T) {
		_, err := client(t, answer(429, data, ``, "Retry-After", "7"), reach.Options{}).Do(t.Context(), reach.Call{Method: "GET"})
		if tr, ok := err.(*ticket.Trouble); !ok || tr.After != 7*time.Second {
			t.Errorf("%v", err)
		}
	})
}

func TestCredentialsGoNowhereElse(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := client(t, answer(status, "", "", "Location", other.URL+"/x"), reach.Options{Sign: func(h http.Header) { h.Set("Authorization", "token x") }})
		for _, write := range []bool{false, true} {
			if _, err := c.Do(t.Context(), reach.Call{Method: "GET", Writes: write}); ticket.TroubleOf(err) != ticket.Misconfigured {
				t.Errorf("status %d: %v", status, err)
			}
		}
	}
	if asked {
		t.Error("a redirect was followed")
	}
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	named := reach.Rules{Private: []string{"rt.lan", "10.1.0.0/16", "fd00::5", "169.254.7.7"}}
	tests := []struct {
		host, ip string
		want     bool
	}{
		{"x.example", "8.8.8.8", true}, {"x.example", "2606:4700::1111", true},
		{"x.example", "127.0.0.1", false}, {"x.example", "::1", false}, {"x.example", "10.2.0.1", false}, {"x.example", "172.16.0.1", false},
		{"x.example", "192.168.1.1", false}, {"x.example", "100.64.0.1", false}, {"x.example", "169.254.169.254", false}, {"x.example", "fe80::1", false},
		{"x.example", "fd00::1", false}, {"x.example", "::ffff:127.0.0.1", false}, {"x.example", "::ffff:10.0.0.1", false}, {"x.example", "64:ff9b::7f00:1", false},
		{"x.example", "2002:7f00:1::", false}, {"x.example", "0.0.0.0", false}, {"x.example", "::", false}, {"x.example", "224.0.0.1", false}, {"x.example", "255.255.255.255", false},
		{"x.example", "10.1.2.3", true}, {"x.example", "fd00::5", true}, {"x.example", "169.254.7.7", true},
		{"rt.lan", "192.168.1.1", true}, {"RT.lan.", "127.0.0.1", true}, {"rt.lan", "169.254.169.254", false}, {"not-rt.lan", "127.0.0.1", false}, {"rt.lan", "0.0.0.0", false},
	}
	for _, tt := range tests {
		if got := named.Allows(tt.host, netip.MustParseAddr(tt.ip)); got != tt.want {
			t.Errorf("%s at %s: %v", tt.host, tt.ip, got)
		}
	}
	t.Run("at the moment of the call", func(t *testing.T) {
		srv := httptest.NewTLSServer(answer(200, "application/json", "{}"))
		defer srv.Close()
		c, err := reach.New(reach.Options{Name: "The desk", Base: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), reach.Call{Method: "GET"}); ticket.TroubleOf(err) != ticket.Misconfigured || !strings.Contains(err.Error(), "private") {
			t.Errorf("%v", err)
		}
	})
}

func TestAddresses(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://desk.example.com": true, "https://desk.example.com/rt/": true, "http://127.0.0.1:80": true, "http://desk.example.com": false, "ftp://127.0.0.1": false,
		"https://me:secret@desk.example.com": false, "https://desk.example.com?a=b": false, "https://desk.example.com#a": false, "https:///x": false, "desk": false, "": false,
	} {
		err := reach.Options{Name: "The desk", Base: base, Rules: here}.Valid()
		if (err == nil) != ok || err != nil && access.KindOf(err) != access.Invalid {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestCertificates(t *testing.T) {
	srv := httptest.NewTLSServer(answer(200, "application/json", "{}"))
	defer srv.Close()
	for _, ca := range []string{"", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))} {
		c, err := reach.New(reach.Options{Name: "The desk", Base: srv.URL, CA: ca, Rules: here})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Do(t.Context(), reach.Call{Method: "POST", Writes: true})
		if ca == "" && ticket.TroubleOf(err) != ticket.Misconfigured || ca != "" && err != nil {
			t.Errorf("with authority %v: %v", ca != "", err)
		}
	}
	if err := (reach.Options{Name: "The desk", Base: "https://a.example", CA: "rubbish"}).Valid(); err == nil {
		t.Error("rubbish is an authority")
	}
}

func TestBounds(t *testing.T) {
	t.Run("an endless answer is not read", func(t *testing.T) {
		c := client(t, answer(200, "application/json", strings.Repeat("x", 1<<20)), reach.Options{MaxAnswer: 1000})
		if a, err := c.Do(t.Context(), reach.Call{Method: "GET"}); err == nil || len(a.Body) > 1000 {
			t.Errorf("%d bytes, %v", len(a.Body), err)
		}
	})
	t.Run("a slow one ends, in doubt if it writes", func(t *testing.T) {
		var came sync.Map // paths of calls
		slow := func(w http.ResponseWriter, r *http.Request) {
			came.Store(r.URL.Path, true)
			_, _ = io.ReadAll(r.Body) // only then a server sees that its caller left
			<-r.Context().Done()
		}
		c := client(t, http.HandlerFunc(slow), reach.Options{Timeout: time.Second})
		for n := range 100 { // on a busy machine not even the connection need be there in a second
			_, err := c.Do(t.Context(), reach.Call{Method: "POST", Path: fmt.Sprint(n), Body: 1, Writes: true})
			if ticket.TroubleOf(err) == ticket.Doubtful {
				return
			}
			if _, ok := came.Load(fmt.Sprint("/", n)); ok || ticket.TroubleOf(err) != ticket.Down {
				t.Fatalf("%v", err)
			}
		}
		t.Error("no call came through")
	})
	t.Run("a closed port takes no effect", func(t *testing.T) {
		srv := httptest.NewServer(nil)
		srv.Close()
		c, _ := reach.New(reach.Options{Name: "The desk", Base: srv.URL, Rules: here})
		if _, err := c.Do(t.Context(), reach.Call{Method: "POST", Writes: true}); ticket.TroubleOf(err) != ticket.Down {
			t.Errorf("%v", err)
		}
	})
	t.Run("a full connection waits no longer than its call", func(t *testing.T) {
		entered, leave := make(chan bool, 1), make(chan bool)
		c := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { entered <- true; <-leave }), reach.Options{InFlight: 1})
		done := make(chan error)
		go func() { _, err := c.Do(context.Background(), reach.Call{Method: "GET"}); done <- err }()
		<-entered
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := c.Do(ctx, reach.Call{Method: "POST", Writes: true}); ticket.TroubleOf(err) != ticket.Down {
			t.Errorf("%v", err)
		}
		close(leave)
		<-done
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		" a\x00b\tc\n": "ab c", "a\u202eb": "ab", "ab\xff": "ab\uFFFD", "Ünïcødé ✓": "Ünïcødé ✓", strings.Repeat("x", 50): strings.Repeat("x", 20) + "…", "<b>": "<b>",
	} {
		if got := reach.Clean(in, 20); got != want {
			t.Errorf("Clean(%q) = %q", in, got)
		}
	}
	if got := reach.Body("a\r\nb\x00\tc\n"); got != "a\nb\tc\n" {
		t.Errorf("Body = %q", got)
	}
}
