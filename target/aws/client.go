package aws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/access"
	"jitney/secret"
)

// Bounds of what a slow or hostile server can do.
const (
	tryTimeout = 15 * time.Second // one request
	maxBody    = 1 << 20
	tries      = 3
	maxPause   = time.Second
)

// maxSkew is how far this server's clock may be off. From five minutes on AWS
// refuses what is signed by it.
const maxSkew = 5 * time.Minute

// A system is one account. What it remembers only spares calls.
type system struct {
	*client
	*memory
}

// A client talks to AWS for one account.
type client struct {
	*settings
	opt  Options
	wire *wire

	mu  sync.Mutex
	cfg *sdk.Config // with Jitney's own credentials
	sts *sts.Client
	iam *iam.Client
}

func open(s *settings, opt Options) *system {
	rt := opt.Transport
	if rt == nil {
		rt = newTransport()
	}
	return &system{client: &client{settings: s, opt: opt, wire: &wire{rt: rt, own: opt.Transport == nil}}, memory: &memory{limits: map[string]limit{}}}
}

// Close drops connections.
func (s *system) Close() { s.wire.close() }

// A wire sends requests, bounds the answers, and compares the clocks. It
// follows no redirects.
type wire struct {
	rt   http.RoundTripper
	own  bool
	seen atomic.Bool
	skew atomic.Int64 // of the last answer's Date against our clock, in nanoseconds
}

// RoundTrip sends r.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.rt.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		skew := time.Until(t)
		if skew.Abs() <= 2*time.Second { // the header has whole seconds, and was some time on its way
			skew = 0
		}
		w.skew.Store(int64(skew))
		w.seen.Store(true)
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// off is how far AWS's clock is ahead of ours, as far as is known.
func (w *wire) off() time.Duration { return time.Duration(w.skew.Load()) }

func (w *wire) close() {
	if t, ok := w.rt.(*http.Transport); ok && w.own {
		t.CloseIdleConnections()
	}
}

func (w *wire) client() *http.Client {
	return &http.Client{Transport: w, Timeout: tryTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots()},
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  tryTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// roots are the authorities that AWS's own tools would believe too; nil means
// the system's.
func roots() *x509.CertPool {
	text, err := os.ReadFile(os.Getenv("AWS_CA_BUNDLE"))
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return nil
	}
	return pool
}

var errTooBig = errors.New("the answer is larger than any honest one")

// bounded gives up on an answer without end.
type bounded struct {
	io.ReadCloser
	left int
}

// Read reads on until too much has come.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooBig
	}
	return n, err
}

// config is the SDK's, with Jitney's own credentials.
func (s *client) config() (sdk.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg != nil {
		return *s.cfg, nil
	}
	cfg := sdk.Config{Region: s.region, HTTPClient: s.wire.client(), Credentials: sdk.AnonymousCredentials{}}
	cfg.Retryer = func() sdk.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = tries, maxPause })
	}
	if s.endpoint != "" {
		cfg.BaseEndpoint = sdk.String(s.endpoint)
	}
	switch s.way {
	case wayKeys:
		if s.secret.IsZero() {
			return cfg, invalid("There is no secret access key to sign in to AWS with.", "Enter it in the target's settings.")
		}
		cfg.Credentials = credentials.NewStaticCredentialsProvider(s.keyID, s.secret.Reveal(), "")
	case wayAmbient:
		found, err := ambience{os.Getenv, cfg}.credentials()
		if err != nil {
			return cfg, &access.Error{Kind: access.Invalid, Text: "The server's own AWS credentials cannot be read.", Hint: "Check its environment and the files in ~/.aws, or choose an access key in the target's settings.", Err: bare("find the server's credentials", err)}
		}
		cfg.Credentials = sdk.NewCredentialsCache(found)
	}
	s.cfg = &cfg
	return cfg, nil
}

// caller is STS with Jitney's own credentials.
func (s *client) caller(ctx context.Context) (*sts.Client, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sts == nil {
		s.sts = sts.NewFromConfig(cfg)
	}
	return s.sts, nil
}

// rolesAPI is IAM with the credentials that Jitney works with there: its own, or
// those of a session of the role that it works as.
func (s *client) rolesAPI(ctx context.Context) (*iam.Client, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	if err := s.atHome(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.iam == nil {
		if s.manager.arn != "" {
			cfg.Credentials = sdk.NewCredentialsCache(steward{s}, func(o *sdk.CredentialsCacheOptions) { o.ExpiryWindow = 2 * time.Minute })
		}
		s.iam = iam.NewFromConfig(cfg)
	}
	return s.iam, nil
}

// atHome refuses to work in IAM with credentials of another account: IAM knows
// roles by name only, and would change one of that name in the wrong place.
func (s *client) atHome(ctx context.Context) error {
	s.mu.Lock()
	sure := s.manager.arn != "" || s.iam != nil
	s.mu.Unlock()
	if sure {
		return nil
	}
	api, err := s.caller(ctx)
	if err != nil {
		return err
	}
	me, err := api.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fault("sts:GetCallerIdentity", err)
	}
	if account := sdk.ToString(me.Account); account != s.account {
		return &access.Error{Kind: access.Denied, Code: codeRight, Text: "Jitney's credentials belong to the account " + clip(account, 20) + " and cannot edit roles of " + s.account + ".",
			Hint: "Name a role in that account that Jitney edits them as, or say in the target's settings that it may not edit the roles."}
	}
	return nil
}

// punctual asks AWS what time it is, with a call that needs no credentials:
// what is over by the time alone must be so by AWS's clock too. Where nobody
// answers any more, a day settles it.
func (s *client) punctual(ctx context.Context, a access.Account) error {
	cfg := sdk.Config{Region: s.region, HTTPClient: s.wire.client(), Credentials: sdk.AnonymousCredentials{}}
	if s.endpoint != "" {
		cfg.BaseEndpoint = sdk.String(s.endpoint)
	}
	_, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	_, answered := errors.AsType[*refusal](fault("sts:GetCallerIdentity", err))
	recent := slices.ContainsFunc(a.Issued, func(i access.Issued) bool { return time.Since(later(i.EndsAt, i.ExpiresAt)) < 24*time.Hour })
	switch off := s.wire.off(); {
	case (err == nil || answered) && off.Abs() >= maxSkew:
		return skewed(off)
	case err != nil && !answered && recent:
		return explain(bare("sts:GetCallerIdentity", err), "compare the clocks")
	}
	return nil
}

// as is the SDK's configuration with the keys of a session.
func (s *client) as(ctx context.Context, k issued) (sdk.Config, error) {
	cfg, err := s.config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(k.id, k.secret.Reveal(), k.token.Reveal())
	return cfg, err
}

// A steward makes the keys that Jitney works with in IAM. They allow nothing
// but what it does there, on the roles of the settings.
type steward struct{ *client }

// Retrieve makes a session of an hour of the role that Jitney works as.
func (s steward) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	var arns words
	for _, r := range s.roles {
		if plain := "arn:" + s.partition.name + ":iam::" + s.account + ":role/" + r.name; plain != r.arn {
			arns = append(arns, plain) // what IAM calls a role that is not there
		}
		arns = append(arns, r.arn)
	}
	k, err := s.assume(ctx, request{role: s.manager, name: "jitney", life: time.Hour, source: "", policy: policyText(statement{Effect: "Allow", Resource: arns,
		Action: words{"iam:GetRole", "iam:UpdateRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy"}})})
	if err != nil {
		return sdk.Credentials{}, s.explainAssume(err, s.manager)
	}
	return sdk.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret.Reveal(), SessionToken: k.token.Reveal(), CanExpire: true, Expires: k.expires.Add(-s.wire.off())}, nil
}

// issued are the keys of a session as STS gave them.
type issued struct {
	id            string
	secret, token secret.Text
	expires       time.Time // by AWS's clock
}
