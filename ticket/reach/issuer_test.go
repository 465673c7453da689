package reach_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// An office issues tokens, and answers calls that bear the last of them.
type office struct {
	issued   int
	said     int    // by the token path: a status other than 200
	with     string // a body beside it
	accepted string
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/token" {
		if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.PostFormValue("password") != "hush+&=" || r.Header.Get("Authorization") != "" {
			http.Error(w, "{}", http.StatusTeapot)
			return
		}
		o.issued++
		o.accepted = fmt.Sprint("token-", o.issued)
		if o.said != 0 {
			w.WriteHeader(o.said)
			fmt.Fprint(w, o.with)
			return
		}
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600}`, o.accepted)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+o.accepted {
		w.WriteHeader(http.StatusUnauthorized)
	}
	fmt.Fprint(w, "{}")
}

func issuer(t *testing.T, o *office) func(writes bool) error {
	t.Helper()
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	server := reach.Options{Name: "The office", Base: srv.URL, Rules: here}
	form := func() url.Values { return url.Values{"password": {"hush+&="}} }
	i, err := reach.NewIssuer(reach.Login{Server: server, Path: "token", Form: form, Refused: "The office does not know us."})
	if err != nil {
		t.Fatal(err)
	}
	server.Name, server.Sign = "The desk", i.Sign
	c, err := reach.New(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close(); c.Close() })
	return func(writes bool) error {
		_, err := i.Do(t.Context(), c, reach.Call{Method: http.MethodPost, Path: "x", Writes: writes})
		return err
	}
}

func TestTokensAreKeptUntilTheyAreNotAccepted(t *testing.T) {
	o := &office{}
	call := issuer(t, o)
	for range 3 {
		if err := call(true); err != nil {
			t.Fatal(err)
		}
	}
	if o.issued != 1 {
		t.Errorf("%d tokens for three calls; want 1", o.issued)
	}
	o.accepted = "none"
	if err := call(false); err != nil || o.issued != 2 {
		t.Errorf("a call that reads, when its token is not accepted: %v, %d tokens", err, o.issued)
	}
	o.accepted = "none"
	if err := call(true); ticket.TroubleOf(err) != ticket.Down || o.issued != 3 {
		t.Errorf("one that writes: %v, %d tokens; want it not to be repeated", err, o.issued)
	}
	if err := call(true); err != nil || o.issued != 3 {
		t.Errorf("the next: %v, %d tokens", err, o.issued)
	}
}

func TestWhatAnOfficeSays(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   ticket.TroubleKind
	}{
		{400, `{"error":"hush+&="}`, ticket.Misconfigured}, {401, `{"error":"hush+&="}`, ticket.Misconfigured}, {404, `{}`, ticket.Misconfigured},
		{200, `{"token":"hush+&="}`, ticket.Misconfigured}, {200, `{"access_token":"a b"}`, ticket.Misconfigured}, {200, `<html>hush+&=`, ticket.Misconfigured},
		{500, `hush+&=`, ticket.Down}, {429, `hush+&=`, ticket.Throttled},
	} {
		err := issuer(t, &office{said: tt.status, with: tt.body})(true)
		if ticket.TroubleOf(err) != tt.want || strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("%d %s: %v; want %s, and nothing of the answer", tt.status, tt.body, err, tt.want)
		}
	}
}
