package aws_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/sim/aws"
)

const consoleURL = "https://console.aws.amazon.com/s3/home?region=eu-west-1"

func TestTheConsoleLivesAsLongAsTheKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aws.Options{})
		in := w.request()
		in.DurationSeconds, in.SourceIdentity = sdk.Int32(900), sdk.String("ada@northwind.example")
		k := w.assume(w.broker, in)
		status, token := w.signinToken(k, nil)
		if status != 200 {
			t.Fatalf("getSigninToken answers %d", status)
		}
		b := &browser{w: w}
		if status, _, to := b.get(loginURL(token, consoleURL)); status != 302 || to != consoleURL {
			t.Fatalf("login answers %d to %s", status, to)
		}
		status, page, _ := b.get(consoleURL)
		for _, want := range []string{"northwind-prod/ada-g1 @ northwind", "eu-west-1", "ada@northwind.example", "northwind-logs", "in 15m0s"} {
			if status != 200 || !strings.Contains(page, want) {
				t.Errorf("the console (%d) does not say %q", status, want)
			}
		}
		time.Sleep(15 * time.Minute)
		if status, page, _ := b.get(consoleURL); status != 403 || !strings.Contains(page, "ended at 00:15:00 UTC") || strings.Contains(page, "readme.txt") {
			t.Errorf("after the end the console answers %d", status)
		}
		if status, _, _ := (&browser{w: w}).get(loginURL(token, consoleURL)); status != 400 {
			t.Errorf("a sign-in token opens after 15 minutes: %d", status)
		}
	})
}

func TestSessionDurationOutlivesTheKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aws.Options{})
		k := w.assume(w.broker, &sts.AssumeRoleInput{RoleArn: sdk.String(w.admin.ARN()), RoleSessionName: sdk.String("ada"), DurationSeconds: sdk.Int32(900)})
		for _, n := range []string{"899", "43201", "x"} {
			if status, _ := w.signinToken(k, url.Values{"SessionDuration": {n}}); status != 400 {
				t.Errorf("SessionDuration %s: %d", n, status)
			}
		}
		_, token := w.signinToken(k, url.Values{"SessionDuration": {"43200"}})
		b := &browser{w: w}
		b.get(loginURL(token, consoleURL))
		time.Sleep(11 * time.Hour)
		if status, _, _ := b.get(consoleURL); status != 200 {
			t.Errorf("the console answers %d after eleven hours", status)
		}
	})
}

func TestTheFederationEndpointRefuses(t *testing.T) {
	w := newWorld(t, aws.Options{})
	k := w.assume(w.broker, w.request())
	_, token := w.signinToken(k, nil)
	for _, row := range []struct{ name, url, text string }{
		{"A token that it did not make", loginURL(token+"x", consoleURL), "not valid"},
		{"A destination elsewhere", loginURL(token, "https://evil.example/"), "destination"},
		{"A destination that only looks right", loginURL(token, "https://console.aws.amazon.com.evil.example/"), "destination"},
		{"No destination", loginURL(token, ""), "destination"},
		{"An action that is none", federation + "?Action=open", "action"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if status, page, to := (&browser{w: w}).get(row.url); status != 400 || to != "" || !strings.Contains(page, row.text) {
				t.Errorf("got %d %s", status, to)
			}
		})
	}
	for _, row := range []struct {
		name string
		keys aws.Keys
	}{
		{"Keys that last", w.broker},
		{"Keys with another secret", aws.Keys{AccessKeyID: k.AccessKeyID, Secret: k.SessionToken, SessionToken: k.SessionToken}},
		{"Keys that nobody knows", aws.Keys{AccessKeyID: "ASIAAAAAAAAAAAAAAAAA"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if status, token := w.signinToken(row.keys, nil); status != 400 || token != "" {
				t.Errorf("got %d", status)
			}
		})
	}
}

func TestASecondAccountNeedsALogoutFirst(t *testing.T) {
	for _, row := range []struct {
		name  string
		multi bool
		want  int
		out   int
	}{{"Without multi-session support", false, 400, 302}, {"With multi-session support", true, 302, 400}} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, aws.Options{MultiSession: row.multi})
			_, first := w.signinToken(w.assume(w.broker, w.request()), nil)
			_, second := w.signinToken(w.assume(w.broker, &sts.AssumeRoleInput{RoleArn: sdk.String(w.admin.ARN()), RoleSessionName: sdk.String("ada")}), nil)
			b := &browser{w: w}
			b.get(loginURL(first, consoleURL))
			if status, _, _ := b.get(loginURL(second, consoleURL)); status != row.want {
				t.Errorf("the second login answers %d", status)
			}
			to := loginURL(second, consoleURL)
			status, _, next := b.get("https://signin.aws.amazon.com/oauth?" + url.Values{"Action": {"logout"}, "redirect_uri": {to}}.Encode())
			if status != row.out || status == 302 && next != to {
				t.Fatalf("logout answers %d to %s", status, next)
			}
			if b.get(to); row.out == 302 {
				if _, page, _ := b.get(consoleURL); !strings.Contains(page, "Admin/ada @ broker") {
					t.Error("the second account is not open")
				}
			}
		})
	}
}

func TestNobodyIsLetInWithoutALogin(t *testing.T) {
	w := newWorld(t, aws.Options{})
	if status, page, _ := (&browser{w: w}).get(consoleURL); status != 403 || strings.Contains(page, "northwind") {
		t.Errorf("got %d", status)
	}
}

// TestABrowserOnLoopback takes the whole way over a socket, where the console has no name of its own.
func TestABrowserOnLoopback(t *testing.T) {
	w := newWorld(t, aws.Options{})
	s, err := w.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, token := w.signinToken(w.assume(w.broker, w.request()), nil)
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	get := func(to string) (string, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.Request.URL.String(), string(b)
	}
	for _, destination := range []string{consoleURL, s.URL() + "/console/s3/home?region=eu-west-1"} {
		at, page := get(strings.Replace(loginURL(token, destination), "https://signin.aws.amazon.com", s.URL(), 1))
		if at != s.URL()+"/console/s3/home?region=eu-west-1" || !strings.Contains(page, "northwind-prod/ada-g1") {
			t.Errorf("%s leads to %s", destination, at)
		}
	}
	at, page := get(s.URL() + "/console/logout")
	if !strings.Contains(page, "signed out") || at != s.URL()+"/console/logout" {
		t.Errorf("logout leads to %s", at)
	}
	if _, page := get(s.URL() + "/console"); !strings.Contains(page, "not signed in") {
		t.Error("after the logout the console is open")
	}
}
