package aws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"jitney/secret"
	"jitney/sim/aws"
	"jitney/sim/aws/model"
)

const (
	home  = "111122223333" // the broker's account
	other = "444455556666" // a customer's
	extID = "8b0d3c1a-unguessable"
)

// A world is a cloud as most tests want it: a broker with keys in one account, and roles in both.
type world struct {
	*aws.Cloud
	t           testing.TB
	home, other *aws.Account
	broker      aws.Keys
	role        *aws.Role // in the customer's account: trusts the broker with its external id, tags and source identity
	admin       *aws.Role // in the broker's account, with twelve hours
}

const brokerPolicy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"*"},
 {"Effect":"Allow","Action":"iam:*","Resource":"*"},
 {"Effect":"Allow","Action":"sts:GetAccessKeyInfo","Resource":"*"}]}`

const s3Policy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:List*","s3:Get*","s3:Put*"],"Resource":"*"}}`

// trust is a trust policy for an account, with an external id.
func trust(account string) string {
	return `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"` + extID + `"}}},
 {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":["sts:TagSession","sts:SetSourceIdentity"]}]}`
}

func newWorld(t testing.TB, o aws.Options) *world {
	t.Helper()
	if o.Check == nil {
		o.Check = model.Check
	}
	w := &world{Cloud: aws.New(o), t: t}
	w.home, w.other = w.AddAccount(home, "broker"), w.AddAccount(other, "northwind")
	w.broker = w.home.AddUser("jitney", brokerPolicy).AddKey()
	w.role = w.other.AddRole(aws.RoleSpec{Name: "northwind-prod", Trust: trust(home), Policies: map[string]string{"s3": s3Policy}, Tags: map[string]string{"team": "web"}})
	w.admin = w.home.AddRole(aws.RoleSpec{
		Name: "Admin", MaxSession: 12 * time.Hour, Managed: []string{"arn:aws:iam::aws:policy/AdministratorAccess"},
		Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + home + `:user/jitney"},"Action":["sts:AssumeRole","sts:TagSession"]}}`,
	})
	w.other.AddBucket("northwind-logs", map[string]string{"2026/11/21.log": "started\n", "readme.txt": "Logs of the web shop.\n"})
	return w
}

// breaches fails the test if an exchange broke AWS's descriptions; requests may if the test sends rubbish on purpose.
func (w *world) breaches(rubbish bool) {
	w.t.Helper()
	for _, err := range w.Breaches() {
		var e *model.Error
		if rubbish && errors.As(err, &e) && e.Side == model.Request {
			continue
		}
		w.t.Error(err)
	}
}

// config is the SDK's, with keys, by the cloud's own transport and without retries.
func (w *world) config(k aws.Keys) sdk.Config {
	return sdk.Config{
		Region: "eu-west-1", HTTPClient: &http.Client{Transport: w.Transport()}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.Secret.Reveal(), k.SessionToken.Reveal()),
	}
}

func (w *world) sts(k aws.Keys) *sts.Client { return sts.NewFromConfig(w.config(k)) }
func (w *world) iam(k aws.Keys) *iam.Client { return iam.NewFromConfig(w.config(k)) }

// request is a good request for the customer's role, for a test to spoil.
func (w *world) request() *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: sdk.String(w.role.ARN()), RoleSessionName: sdk.String("ada-g1"), ExternalId: sdk.String(extID)}
}

// assume assumes a role, or fails the test.
func (w *world) assume(k aws.Keys, in *sts.AssumeRoleInput) aws.Keys {
	w.t.Helper()
	out, err := w.sts(k).AssumeRole(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return keys(out.Credentials)
}

func keys(c *ststypes.Credentials) aws.Keys {
	return aws.Keys{AccessKeyID: *c.AccessKeyId, Secret: secret.New(*c.SecretAccessKey), SessionToken: secret.New(*c.SessionToken), Expires: *c.Expiration}
}

func secretKeys(id, key, token string) aws.Keys {
	return aws.Keys{AccessKeyID: id, Secret: secret.New(key), SessionToken: secret.New(token)}
}

// code is the error code of AWS's in an error; empty if there is none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// s3 sends a signed request to S3 and gives status and body.
func (w *world) s3(k aws.Keys, method, path, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, "https://s3.eu-west-1.amazonaws.com"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	sign(w.t, req, k, body, "s3", "eu-west-1", time.Now())
	return w.send(req)
}

// sign signs a request with the SDK's signer.
func sign(t testing.TB, req *http.Request, k aws.Keys, body, service, region string, at time.Time) {
	t.Helper()
	sum := sha(body)
	if service == "s3" {
		req.Header.Set("X-Amz-Content-Sha256", sum)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	creds := sdk.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.Secret.Reveal(), SessionToken: k.SessionToken.Reveal()}
	if err := signer.SignHTTP(context.Background(), creds, req, sum, service, region, at); err != nil {
		t.Fatal(err)
	}
}

// send sends a request to the cloud and gives status and body.
func (w *world) send(req *http.Request) (int, string) {
	w.t.Helper()
	res, err := w.Transport().RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// A browser keeps cookies, and goes where it is sent only if it is told to.
type browser struct {
	w      *world
	cookie map[string]string
}

// get fetches a page and gives status, body and where it sends the browser.
func (b *browser) get(to string) (int, string, string) {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, to, http.NoBody)
	if err != nil {
		b.w.t.Fatal(err)
	}
	for k, v := range b.cookie {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	res, err := b.w.Transport().RoundTrip(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		if b.cookie == nil {
			b.cookie = map[string]string{}
		}
		b.cookie[c.Name] = c.Value
		maps.DeleteFunc(b.cookie, func(name, _ string) bool { return name == c.Name && c.MaxAge < 0 })
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		b.w.t.Fatal(err)
	}
	return res.StatusCode, body.String(), res.Header.Get("Location")
}

const federation = "https://signin.aws.amazon.com/federation"

// signinToken changes keys for a sign-in token.
func (w *world) signinToken(k aws.Keys, more url.Values) (int, string) {
	w.t.Helper()
	session, _ := json.Marshal(map[string]string{"sessionId": k.AccessKeyID, "sessionKey": k.Secret.Reveal(), "sessionToken": k.SessionToken.Reveal()})
	form := url.Values{"Action": {"getSigninToken"}, "Session": {string(session)}}
	maps.Copy(form, more)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, federation, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body := w.send(req)
	var out struct{ SigninToken string }
	_ = json.Unmarshal([]byte(body), &out)
	return status, out.SigninToken
}

func loginURL(token, destination string) string {
	return federation + "?" + url.Values{"Action": {"login"}, "Issuer": {"https://jitney.example"}, "Destination": {destination}, "SigninToken": {token}}.Encode()
}
