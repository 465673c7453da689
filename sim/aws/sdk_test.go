package aws_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/sim/aws"
)

// TestTheSDKReadsItsOwnProfile is the SDK as programs use it: a profile with a role over another with keys, on a socket.
func TestTheSDKReadsItsOwnProfile(t *testing.T) {
	w := newWorld(t, aws.Options{})
	s, err := w.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := t.TempDir()
	text := "[profile base]\naws_access_key_id=" + w.broker.AccessKeyID + "\naws_secret_access_key=" + w.broker.Secret.Reveal() +
		"\n[profile northwind]\nrole_arn=" + w.role.ARN() + "\nsource_profile=base\nexternal_id=" + extID + "\nrole_session_name=ada-g1\n"
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithSharedConfigFiles([]string{file}), config.WithSharedCredentialsFiles([]string{}),
		config.WithSharedConfigProfile("northwind"), config.WithRegion("eu-central-1"), config.WithBaseEndpoint(s.URL()))
	if err != nil {
		t.Fatal(err)
	}
	me, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	if err != nil || !strings.HasSuffix(*me.Arn, "assumed-role/northwind-prod/ada-g1") {
		t.Fatalf("got %v", err)
	}
	base, err := config.LoadDefaultConfig(t.Context(), config.WithSharedConfigFiles([]string{file}), config.WithSharedCredentialsFiles([]string{}),
		config.WithSharedConfigProfile("base"), config.WithRegion("eu-central-1"), config.WithBaseEndpoint(s.URL()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := iam.NewFromConfig(base).GetRole(t.Context(), &iam.GetRoleInput{RoleName: sdk.String("Admin")}); err != nil {
		t.Error(err)
	}
	w.breaches(false)
}

// TestTheSDKTriesAgain is what the SDK makes of throttling and of lost answers when it may try again.
func TestTheSDKTriesAgain(t *testing.T) {
	for _, kind := range []aws.Kind{aws.Throttled, aws.DropAfter, aws.AnswerAfter} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, aws.Options{})
			w.Faults(aws.Rule{Times: 1, Do: aws.Do(kind)})
			cfg := w.config(w.broker)
			cfg.RetryMaxAttempts = 3
			out, err := iam.NewFromConfig(cfg).GetRole(t.Context(), &iam.GetRoleInput{RoleName: sdk.String("Admin")})
			if err != nil || *out.Role.MaxSessionDuration != 43200 || len(w.Journal()) != 2 {
				t.Errorf("got %v after %d requests", err, len(w.Journal()))
			}
		})
	}
}

// TestTheSDKRefreshesARole is the SDK's own provider of role keys.
func TestTheSDKRefreshesARole(t *testing.T) {
	w := newWorld(t, aws.Options{})
	cfg := w.config(w.broker)
	cfg.Credentials = sdk.NewCredentialsCache(stscreds.NewAssumeRoleProvider(w.sts(w.broker), w.role.ARN(), func(o *stscreds.AssumeRoleOptions) {
		o.ExternalID, o.RoleSessionName, o.Duration = sdk.String(extID), "ada-g1", 15*time.Minute
	}))
	for range 3 {
		if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.role.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// TestPresignedIdentity is a URL that says who someone is, to whoever holds it.
func TestPresignedIdentity(t *testing.T) {
	w := newWorld(t, aws.Options{})
	k := w.assume(w.broker, w.request())
	signed, err := sts.NewPresignClient(w.sts(k)).PresignGetCallerIdentity(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, http.NoBody)
	for name, v := range signed.SignedHeader {
		if name != "Host" {
			req.Header[name] = v
		}
	}
	if status, body := w.send(req); status != 200 || !strings.Contains(body, "northwind-prod/ada-g1") {
		t.Errorf("got %d: %s", status, body)
	}
	req.URL.RawQuery += "&DurationSeconds=900"
	if status, _ := w.send(req); status != 403 {
		t.Errorf("a changed URL gets %d", status)
	}
	w.SetSkew(16 * time.Minute)
	req, _ = http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, http.NoBody)
	if status, _ := w.send(req); status != 403 {
		t.Errorf("16 minutes later it gets %d", status)
	}
}

func BenchmarkAssumeRole(b *testing.B) {
	w := newWorld(b, aws.Options{Check: func(*http.Request, []byte, int, http.Header, []byte) error { return nil }})
	c := w.sts(w.broker)
	for b.Loop() {
		if _, err := c.AssumeRole(b.Context(), w.request()); err != nil {
			b.Fatal(err)
		}
	}
}
