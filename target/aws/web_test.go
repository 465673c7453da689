package aws

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/aws"
)

const issuerURL = "https://jitney.example/issuer"

// An idp is an OIDC issuer as Jitney is one.
type idp struct {
	url   string
	key   *ecdsa.PrivateKey
	asked []MintAsk
}

func newIDP(t testing.TB) *idp {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &idp{url: issuerURL, key: key}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// RoundTrip serves the two documents of the issuer.
func (i *idp) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	switch req.URL.String() {
	case i.url + "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys"})
	case i.url + "/keys":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{"kty": "EC", "use": "sig", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}}})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

// Mint makes a token.
func (i *idp) Mint(_ context.Context, ask MintAsk) (secret.Text, error) {
	i.asked = append(i.asked, ask)
	now := time.Now()
	claims := map[string]any{"iss": i.url, "aud": ask.Audience, "sub": ask.Subject, "iat": now.Unix(), "exp": now.Add(ask.Lifetime).Unix()}
	if len(ask.Tags) > 0 {
		tags := map[string][]string{}
		for k, v := range ask.Tags {
			tags[k] = []string{v}
		}
		claims["https://aws.amazon.com/tags"] = map[string]any{"principal_tags": tags}
	}
	if ask.SourceIdentity != "" {
		claims["https://aws.amazon.com/source_identity"] = ask.SourceIdentity
	}
	head, _ := json.Marshal(map[string]string{"alg": "ES256", "kid": "e", "typ": "JWT"})
	body, err := json.Marshal(claims)
	if err != nil {
		return secret.Text{}, err
	}
	signed := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		return secret.Text{}, err
	}
	return secret.New(signed + "." + b64(append(pad(r), pad(s)...))), nil
}

func pad(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }

// byWeb makes a world in which Jitney gets in by its own tokens.
func byWeb(t *testing.T, w *world, i *idp) {
	t.Helper()
	w.opt.Issuer = i
	w.values[fieldWay], w.values[fieldAudience] = wayWeb, "jitney-northwind"
	w.edit(func(api *iam.Client) error {
		_, err := api.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: sdk.String(issuerURL), ClientIDList: []string{"jitney-northwind"}})
		return err
	})
	for _, role := range []string{"northwind-prod", "Admin", "jitney"} {
		w.edit(func(api *iam.Client) error {
			_, err := api.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: &role, PolicyDocument: sdk.String(webTrust(`"sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"`, extID))})
			return err
		})
	}
}

func webTrust(actions, subject string) string {
	name := strings.TrimPrefix(issuerURL, "https://")
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + other + `:oidc-provider/` + name + `"},"Action":[` + actions + `],
 "Condition":{"StringEquals":{"` + name + `:aud":"jitney-northwind","` + name + `:sub":"` + subject + `"}}}}`
}

func TestAWebIdentityNeedsNoKey(t *testing.T) {
	i := newIDP(t)
	inTime(t, sim.Options{Issuers: i, Delay: 2 * time.Second}, func(t *testing.T, w *world) {
		byWeb(t, w, i)
		time.Sleep(time.Minute)
		w.broker.Secret = secret.Text{}
		a, ask := account(firstID), asked(8*time.Hour)
		ask.Entitlement, ask.Length = Admin, 8*time.Hour
		k := w.session(w.open(), &a, ask)
		if !w.works(k) || time.Until(k.EndsAt) != 8*time.Hour {
			t.Errorf("it lasts %v; notices %q", time.Until(k.EndsAt), k.Notices)
		}
		got := i.asked[len(i.asked)-1]
		if got.Audience != "jitney-northwind" || got.Subject != extID || got.SourceIdentity != "ada.lovelace@msp.example" || got.Tags["jitney:grant"] != "grant-1" || got.Lifetime != 5*time.Minute || !got.Real {
			t.Errorf("asked for %+v", got)
		}
		w.settle(a, 2*time.Minute)
		if w.works(k) {
			t.Error("clean, and the keys work")
		}
	})
}

func TestAWebIdentityThatIsRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(w *world)
		text   string
	}{
		{"another subject", func(w *world) {
			w.trust(webTrust(`"sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"`, "someone else"))
		}, "external ID as the subject"},
		{"another audience", func(w *world) { w.values[fieldAudience] = "another" }, "does not accept the token"},
		{"no provider for the issuer", func(w *world) {
			w.edit(func(api *iam.Client) error {
				_, err := api.DeleteOpenIDConnectProvider(context.Background(), &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: sdk.String("arn:aws:iam::" + other + ":oidc-provider/jitney.example/issuer")})
				return err
			})
		}, "OIDC provider"},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := newIDP(t)
			inTime(t, sim.Options{Issuers: i}, func(t *testing.T, w *world) {
				byWeb(t, w, i)
				row.change(w)
				_, err := w.open().Session(t.Context(), account(firstID), asked(time.Hour))
				if access.KindOf(err) != access.Denied || access.CodeOf(err) != codeTrust || !strings.Contains(text(err), row.text) || strings.Contains(text(err), "eyJ") {
					t.Error(text(err))
				}
			})
		})
	}
}
