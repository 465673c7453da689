package aws_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/sim/aws"
)

const issuer = "https://jitney.example/aws"

// An idp is an OIDC issuer with two keys.
type idp struct {
	rsa  *rsa.PrivateKey
	ec   *ecdsa.PrivateKey
	down bool
}

var newIDP = sync.OnceValue(func() idp {
	r, errR := rsa.GenerateKey(rand.Reader, 2048)
	e, errE := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if errR != nil || errE != nil {
		panic("no keys")
	}
	return idp{rsa: r, ec: e}
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// RoundTrip serves the two documents of the issuer.
func (i *idp) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	point, err := i.ec.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	switch req.URL.String() {
	case issuer + "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": issuer, "jwks_uri": issuer + "/keys"})
	case issuer + "/keys":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{
			map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "r", "n": b64(i.rsa.N.Bytes()), "e": b64(big.NewInt(int64(i.rsa.E)).Bytes())},
			map[string]string{"kty": "EC", "use": "sig", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		}})
	default:
		w.WriteHeader(404)
	}
	if i.down {
		w = httptest.NewRecorder()
		w.WriteHeader(503)
	}
	return w.Result(), nil
}

// sign makes a token.
func (i *idp) sign(t *testing.T, alg, kid string, claims map[string]any) string {
	t.Helper()
	head, _ := json.Marshal(map[string]string{"alg": alg, "kid": kid, "typ": "JWT"})
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64(head) + "." + b64(body)
	h := crypto.SHA256.New()
	h.Write([]byte(text))
	var mac []byte
	switch alg {
	case "RS256":
		mac, err = rsa.SignPKCS1v15(rand.Reader, i.rsa, crypto.SHA256, h.Sum(nil))
	case "ES256":
		var r, s *big.Int
		r, s, err = ecdsa.Sign(rand.Reader, i.ec, h.Sum(nil))
		mac = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(mac)
}

func TestWebIdentity(t *testing.T) {
	type m = map[string]any
	tags := func(v any) m {
		return m{"principal_tags": m{"jitney:grant": v}, "transitive_tag_keys": []string{"jitney:grant"}}
	}
	for _, row := range []struct {
		name     string
		claims   m // changed; nil values are left out
		alg, kid string
		request  func(in *sts.AssumeRoleWithWebIdentityInput)
		idp      func(i *idp)
		code     string
		text     string
	}{
		{name: "A good token passes"},
		{name: "A token may be signed with a curve", alg: "ES256", kid: "e"},
		{name: "A token carries a tag and a source identity", claims: m{"https://aws.amazon.com/tags": tags([]string{"g1"}), "https://aws.amazon.com/source_identity": "ada"}},
		{name: "A tag has one value", claims: m{"https://aws.amazon.com/tags": tags([]string{"g1", "g2"})}, code: "InvalidIdentityToken"},
		{name: "A token that is over", claims: m{"exp": time.Now().Add(-time.Second).Unix()}, code: "ExpiredTokenException", text: "Token expired: current date/time"},
		{name: "A token for someone else", claims: m{"aud": "another"}, code: "InvalidIdentityToken", text: "Incorrect token audience"},
		{name: "A subject that the role does not trust", claims: m{"sub": "customer:other"}, code: "AccessDenied", text: "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{name: "A token without a subject", claims: m{"sub": nil}, code: "InvalidIdentityToken"},
		{name: "A time that is no whole number", claims: m{"iat": 1.5}, code: "InvalidIdentityToken"},
		{name: "A token of an issuer that nobody registered", claims: m{"iss": "https://evil.example"}, code: "InvalidIdentityToken", text: "No OpenIDConnect provider found in your account for https://evil.example"},
		{name: "A key that the issuer does not have", kid: "x", code: "InvalidIdentityToken"},
		{name: "A token that is not signed", alg: "none", code: "InvalidIdentityToken"},
		{name: "A curve's token under the other key", alg: "ES256", kid: "r", code: "InvalidIdentityToken"},
		{name: "No token at all", request: func(in *sts.AssumeRoleWithWebIdentityInput) { in.WebIdentityToken = sdk.String("abc.def") }, code: "InvalidIdentityToken", text: "not a valid JWT"},
		{name: "An issuer that is down", idp: func(i *idp) { i.down = true }, code: "IDPCommunicationError"},
		{name: "Another role", request: func(in *sts.AssumeRoleWithWebIdentityInput) { *in.RoleArn = "arn:aws:iam::" + other + ":role/none" }, code: "AccessDenied"},
		{name: "Twelve hours, which are no chain", request: func(in *sts.AssumeRoleWithWebIdentityInput) { in.DurationSeconds = sdk.Int32(43200) }},
		{name: "The session policy counts", request: func(in *sts.AssumeRoleWithWebIdentityInput) { in.Policy = sdk.String("{") }, code: "MalformedPolicyDocument"},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := newIDP()
			if row.idp != nil {
				row.idp(&i)
			}
			w := newWorld(t, aws.Options{Issuers: &i})
			arn := w.other.AddProvider(issuer, "sts.amazonaws.com")
			r := w.other.AddRole(aws.RoleSpec{
				Name: "web", MaxSession: 12 * time.Hour, Policies: map[string]string{"s3": s3Policy},
				Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + arn + `"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"],
				"Condition":{"StringEquals":{"jitney.example/aws:aud":"sts.amazonaws.com","jitney.example/aws:sub":"customer:northwind"}}}]}`,
			})
			claims := m{"iss": issuer, "sub": "customer:northwind", "aud": "sts.amazonaws.com", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
			maps.Copy(claims, row.claims)
			maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
			in := &sts.AssumeRoleWithWebIdentityInput{
				RoleArn: sdk.String(r.ARN()), RoleSessionName: sdk.String("ada-g1"), WebIdentityToken: sdk.String(i.sign(t, or(row.alg, "RS256"), or(row.kid, "r"), claims)),
			}
			if row.request != nil {
				row.request(in)
			}
			out, err := w.sts(aws.Keys{}).AssumeRoleWithWebIdentity(t.Context(), in)
			if code(err) != row.code || row.code == "" && err != nil || err != nil && !strings.Contains(err.Error(), row.text) {
				t.Fatalf("got %v", err)
			}
			w.breaches(true)
			if err != nil {
				return
			}
			if *out.SubjectFromWebIdentityToken != "customer:northwind" || *out.Audience != "sts.amazonaws.com" || *out.Provider != issuer {
				t.Errorf("about the token: %s %s %s", *out.SubjectFromWebIdentityToken, *out.Audience, *out.Provider)
			}
			if status, _ := w.s3(keys(out.Credentials), http.MethodGet, "/", ""); status != 200 {
				t.Errorf("S3 answers %d", status)
			}
		})
	}
}

// TestTheIssuerMayBeAHandler fetches the issuer's documents inside synctest, without sockets.
func TestTheIssuerMayBeAHandler(t *testing.T) {
	i := newIDP()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aws.Options{Issuers: &i})
		arn := w.other.AddProvider(issuer, "jitney")
		r := w.other.AddRole(aws.RoleSpec{Name: "web", Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"` + arn + `"},"Action":"sts:AssumeRoleWithWebIdentity"}}`})
		token := i.sign(t, "RS256", "r", map[string]any{"iss": issuer, "sub": "ada", "aud": []string{"jitney"}, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()})
		in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: sdk.String(r.ARN()), RoleSessionName: sdk.String("ada"), WebIdentityToken: &token}
		if _, err := w.sts(aws.Keys{}).AssumeRoleWithWebIdentity(context.Background(), in); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if _, err := w.sts(aws.Keys{}).AssumeRoleWithWebIdentity(context.Background(), in); code(err) != "ExpiredTokenException" {
			t.Errorf("a minute later: %v", err)
		}
	})
}
