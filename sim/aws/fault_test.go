package aws_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/sim/aws"
)

func TestFaults(t *testing.T) {
	for _, row := range []struct {
		name   string
		do     []aws.Action
		effect int // sessions that were made
		code   string
	}{
		{"An answer without effect", aws.Respond(503, "ServiceUnavailable"), 0, "ServiceUnavailable"},
		{"Throttling has no effect", aws.Do(aws.Throttled), 0, "Throttling"},
		{"A connection that breaks off before", aws.Do(aws.DropBefore), 0, ""},
		{"A lost answer has its effect", aws.Do(aws.DropAfter), 1, ""},
		{"Another answer after the effect", aws.Do(aws.AnswerAfter), 1, "ServiceUnavailable"},
		{"Half an answer has its effect", aws.Do(aws.Truncate), 1, ""},
		{"A gateway's page has its effect", aws.Do(aws.ErrorPage), 1, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, aws.Options{})
			w.Faults(aws.Rule{Service: "sts", Action: "AssumeRole", Role: "northwind-prod", Times: 1, Do: row.do})
			_, err := w.sts(w.broker).AssumeRole(t.Context(), w.request())
			if err == nil || row.code != "" && code(err) != row.code {
				t.Errorf("got %v", err)
			}
			if n := len(w.role.Sessions()); n != row.effect || w.Hits()[0] != 1 {
				t.Errorf("%d sessions, %d hits", n, w.Hits()[0])
			}
			if _, err := w.sts(w.broker).AssumeRole(t.Context(), w.request()); err != nil {
				t.Errorf("the next request: %v", err)
			}
		})
	}
}

func TestACallerThatHasGoneHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aws.Options{})
		w.Faults(aws.Rule{Action: "AssumeRole", Do: aws.Slow(aws.WaitBefore, time.Minute)})
		cfg := w.config(w.broker)
		cfg.HTTPClient = &http.Client{Transport: w.Transport(), Timeout: time.Second}
		if _, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), w.request()); err == nil {
			t.Error("the answer came in time")
		}
		if n := len(w.role.Sessions()); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestBrokenConnectionsOverSockets(t *testing.T) {
	w := newWorld(t, aws.Options{})
	s, err := w.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, kind := range []aws.Kind{aws.DropAfter, aws.Truncate} {
		w.Faults(aws.Rule{Times: 1, Do: aws.Do(kind)})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/console", http.NoBody)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer is whole", kind)
		}
	}
}

func TestTheJournalHoldsNoSecrets(t *testing.T) {
	w := newWorld(t, aws.Options{})
	in := w.request()
	in.Policy = sdk.String(s3Policy)
	k := w.assume(w.broker, in)
	_, token := w.signinToken(k, nil)
	b := &browser{w: w}
	b.get(loginURL(token, consoleURL))
	b.get(consoleURL)
	w.s3(k, http.MethodPut, "/northwind-logs/a", "contents")
	_, _ = w.sts(aws.Keys{AccessKeyID: k.AccessKeyID, Secret: w.broker.Secret, SessionToken: k.SessionToken}).GetCallerIdentity(t.Context(), nil)
	text, err := json.Marshal(w.Journal())
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{
		"secret key": k.Secret.Reveal(), "session token": k.SessionToken.Reveal(), "broker's key": w.broker.Secret.Reveal(),
		"sign-in token": token, "external id": extID, "policy": "Statement", "cookie": b.cookie["aws-simulated-console"], "object": "contents",
	}
	for what, s := range secrets {
		if s == "" || strings.Contains(string(text), s) {
			t.Errorf("the journal holds the %s", what)
		}
	}
	var entries []string
	for _, e := range w.Journal() {
		entries = append(entries, e.Service+":"+e.Action)
	}
	want := "sts:AssumeRole signin:getSigninToken signin:login signin:console s3:PutObject sts:GetCallerIdentity"
	if got := strings.Join(entries, " "); got != want {
		t.Errorf("the journal tells %s", got)
	}
	if e := w.Journal()[0]; !e.Effect || e.Issued != k.AccessKeyID || e.Asked["RoleSessionName"] != "ada-g1" || !strings.HasSuffix(e.Principal, ":user/jitney") {
		t.Errorf("the first entry is %+v", e)
	}
	if e := w.Journal()[5]; e.Code != "SignatureDoesNotMatch" || e.Principal != "" {
		t.Errorf("the last entry is %+v", e)
	}
}

func TestServeIsOnLoopbackOnly(t *testing.T) {
	w := newWorld(t, aws.Options{})
	if _, err := w.ServeAt(t.Context(), "0.0.0.0:0"); err == nil {
		t.Error("it listens to everyone")
	}
	s, err := w.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/console", http.NoBody)
	req.Host = "evil.example"
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host gets %d", res.StatusCode)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}
