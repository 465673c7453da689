package entra

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"jitney/secret"
)

const (
	testSecret = "Canary~app-secret-4711"
	authorityA = "https://login.sim.example" // any name will do in-process
	graphA     = "https://graph.sim.example"
)

// testKey is made once: an RSA key takes its time.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// certificate makes a certificate for testKey that is good for a day around now.
func certificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, testKey().Public(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// A world is a cloud with one company that let one app in.
type world struct {
	cloud  *Cloud
	tenant *Tenant
	app    *App
	cert   *x509.Certificate
}

func newWorld(t *testing.T, o Options) world {
	t.Helper()
	w := world{cloud: New(o), cert: certificate(t, "app")}
	w.tenant = w.cloud.AddTenant(TenantSpec{Name: "Contoso"})
	w.app = w.cloud.AddApp(AppSpec{
		Name: "Jitney", Secrets: []AppSecret{{Value: secret.New(testSecret)}}, Certificates: []*x509.Certificate{w.cert},
		Permissions: []string{"User.ReadWrite.All", "RoleManagement.ReadWrite.Directory"},
	})
	w.tenant.Consent(w.app)
	return w
}

// ask posts to the token endpoint of an Entra tenant.
func (w world) ask(t *testing.T, tenant string, form url.Values) (status int, answer map[string]any) {
	t.Helper()
	client := http.Client{Transport: w.cloud.Transport()}
	resp, err := client.PostForm(authorityA+"/"+tenant+"/oauth2/v2.0/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(body, &answer) != nil {
		t.Fatalf("%s: no JSON: %v", resp.Status, err)
	}
	return resp.StatusCode, answer
}

// bySecret is a good form with the secret of the app.
func (w world) bySecret() url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {w.app.ID},
		"scope": {"https://graph.microsoft.com/.default"}, "client_secret": {testSecret},
	}
}

// byAssertion is a good form with an assertion, after change had its way.
func (w world) byAssertion(t *testing.T, change func(header, claims map[string]any)) url.Values {
	t.Helper()
	s256 := sha256.Sum256(w.cert.Raw)
	header := map[string]any{"typ": "JWT", "alg": "PS256", "x5t#S256": base64.StdEncoding.EncodeToString(s256[:])}
	now := w.cloud.Now()
	claims := map[string]any{
		"aud": authorityA + "/" + w.tenant.ID + "/oauth2/v2.0/token", "iss": w.app.ID, "sub": w.app.ID, "jti": "1",
		"nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	if change != nil {
		change(header, claims)
	}
	form := w.bySecret()
	form.Del("client_secret")
	form.Set("client_assertion_type", assertionJWT)
	form.Set("client_assertion", signed(t, header, claims))
	return form
}

// signed makes a JWT with testKey.
func signed(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	h, err1 := json.Marshal(header)
	c, err2 := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	digest := sha256.Sum256([]byte(text))
	var signature []byte
	var err3 error
	if header["alg"] == "RS256" {
		signature, err3 = rsa.SignPKCS1v15(nil, testKey(), crypto.SHA256, digest[:])
	} else {
		signature, err3 = rsa.SignPSS(rand.Reader, testKey(), crypto.SHA256, digest[:], nil)
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestTokenEndpointRefuses(t *testing.T) {
	w := newWorld(t, Options{})
	stranger := certificate(t, "stranger")
	for name, c := range map[string]struct {
		tenant string
		form   url.Values
		set    [2]string // a value of the form
		status int
		kind   string
		code   float64
	}{
		"a wrong secret":                  {form: w.bySecret(), set: [2]string{"client_secret", "Canary~wrong"}, status: 401, kind: "invalid_client", code: 7000215},
		"no proof at all":                 {form: w.bySecret(), set: [2]string{"client_secret", ""}, status: 401, kind: "invalid_client", code: 7000216},
		"an unknown Entra tenant":         {tenant: "nobody.example", form: w.bySecret(), status: 400, kind: "invalid_request", code: 90002},
		"an unknown app":                  {form: w.bySecret(), set: [2]string{"client_id", "0d1c2b3a-0000-4000-8000-000000000000"}, status: 400, kind: "unauthorized_client", code: 700016},
		"another grant type":              {form: w.bySecret(), set: [2]string{"grant_type", "password"}, status: 400, kind: "unsupported_grant_type", code: 70003},
		"no scope":                        {form: w.bySecret(), set: [2]string{"scope", ""}, status: 400, kind: "invalid_request", code: 900144},
		"a scope of one permission":       {form: w.bySecret(), set: [2]string{"scope", "https://graph.microsoft.com/User.Read.All"}, status: 400, kind: "invalid_scope", code: 1002012},
		"another resource":                {form: w.bySecret(), set: [2]string{"scope", "https://vault.azure.net/.default"}, status: 400, kind: "invalid_resource", code: 500011},
		"rubbish for an assertion":        {form: w.byAssertion(t, nil), set: [2]string{"client_assertion", "Canary.not.it"}, status: 401, kind: "invalid_client", code: 50027},
		"an assertion of an unknown type": {form: w.byAssertion(t, nil), set: [2]string{"client_assertion_type", "saml"}, status: 400, kind: "invalid_request", code: 900144},
		"an assertion of another certificate": {form: w.byAssertion(t, func(h, _ map[string]any) {
			s := sha256.Sum256(stranger.Raw)
			h["x5t#S256"] = base64.StdEncoding.EncodeToString(s[:])
		}), status: 401, kind: "invalid_client", code: 700027},
		"an assertion without a certificate":   {form: w.byAssertion(t, func(h, _ map[string]any) { delete(h, "x5t#S256") }), status: 401, kind: "invalid_client", code: 700027},
		"an assertion that claims to be RS256": {form: w.byAssertion(t, func(h, _ map[string]any) { h["alg"] = "none" }), status: 401, kind: "invalid_client", code: 700027},
		"an assertion that has expired":        {form: w.byAssertion(t, func(_, c map[string]any) { c["exp"] = w.cloud.Now().Add(-assertionSkew - time.Minute).Unix() }), status: 401, kind: "invalid_client", code: 700024},
		"an assertion from the future":         {form: w.byAssertion(t, func(_, c map[string]any) { c["nbf"] = w.cloud.Now().Add(assertionSkew + time.Minute).Unix() }), status: 401, kind: "invalid_client", code: 700024},
		"an assertion for another audience":    {form: w.byAssertion(t, func(_, c map[string]any) { c["aud"] = "https://elsewhere.example" }), status: 401, kind: "invalid_client", code: 700023},
		"an assertion of another issuer":       {form: w.byAssertion(t, func(_, c map[string]any) { c["iss"] = "somebody" }), status: 401, kind: "invalid_client", code: 700021},
		"an assertion about another subject":   {form: w.byAssertion(t, func(_, c map[string]any) { c["sub"] = "somebody" }), status: 401, kind: "invalid_client", code: 700021},
		"an assertion without an ID":           {form: w.byAssertion(t, func(_, c map[string]any) { delete(c, "jti") }), status: 401, kind: "invalid_client", code: 50027},
		"an assertion that never expires":      {form: w.byAssertion(t, func(_, c map[string]any) { delete(c, "exp") }), status: 401, kind: "invalid_client", code: 50027},
	} {
		t.Run(name, func(t *testing.T) {
			if c.set[0] != "" {
				c.form.Set(c.set[0], c.set[1])
			}
			if c.tenant == "" {
				c.tenant = w.tenant.ID
			}
			status, answer := w.ask(t, c.tenant, c.form)
			codes, _ := answer["error_codes"].([]any)
			if status != c.status || answer["error"] != c.kind || !slices.Equal(codes, []any{c.code}) {
				t.Errorf("got %d %v %v", status, answer["error"], codes)
			}
			if all, _ := json.Marshal(answer); strings.Contains(string(all), "Canary") {
				t.Error("the answer repeats a secret")
			}
		})
	}
}

func TestTokenEndpointRefusesForWhatTheAppIs(t *testing.T) {
	for name, c := range map[string]struct {
		o     Options
		spoil func(w world)
		code  float64
	}{
		"an expired secret":                    {spoil: func(w world) { w.app.SetSecrets(AppSecret{secret.New(testSecret), time.Now().Add(-time.Hour)}) }, code: 7000222},
		"an app that was thrown out":           {spoil: func(w world) { w.tenant.Withdraw(w.app) }, code: 700016},
		"the same, in other words":             {o: Options{Switches: Switches{MissingPrincipalOtherCode: true}}, spoil: func(w world) { w.tenant.Withdraw(w.app) }, code: 7000229},
		"an app without permissions, switched": {o: Options{Switches: Switches{NoPermissionNoToken: true}}, spoil: func(w world) { w.tenant.Revoke(w.app, w.app.Permissions()...) }, code: 65001},
		"an app that was disabled":             {spoil: func(w world) { w.tenant.SetDisabled(w.app, true) }, code: 7000112},
		"an app of another company":            {spoil: func(w world) { w.app.Single, w.app.Home = true, w.cloud.AddTenant(TenantSpec{Name: "Other"}) }, code: 700016},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.o)
			c.spoil(w)
			if _, answer := w.ask(t, w.tenant.ID, w.bySecret()); !slices.Equal(answer["error_codes"].([]any), []any{c.code}) {
				t.Errorf("got %v", answer["error_codes"])
			}
		})
	}
}

func TestTokenEndpointTakes(t *testing.T) {
	w := newWorld(t, Options{})
	short := sha1.Sum(w.cert.Raw)
	for name, form := range map[string]url.Values{
		"a secret":     w.bySecret(),
		"an assertion": w.byAssertion(t, nil),
		"an RS256 assertion with a short print": w.byAssertion(t, func(h, _ map[string]any) {
			delete(h, "x5t#S256")
			h["alg"] = "RS256"
			h["x5t"] = base64.RawURLEncoding.EncodeToString(short[:])
		}),
		"an assertion a little late":  w.byAssertion(t, func(_, c map[string]any) { c["exp"] = w.cloud.Now().Add(-assertionSkew / 2).Unix() }),
		"an assertion for the issuer": w.byAssertion(t, func(_, c map[string]any) { c["aud"] = authorityA + "/" + w.tenant.ID + "/v2.0" }),
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := w.ask(t, w.tenant.ID, form)
			if status != 200 || answer["token_type"] != "Bearer" || answer["expires_in"] != 3599.0 {
				t.Fatalf("got %d %v", status, answer["error_codes"])
			}
			c, err := w.cloud.id.key.open(answer["access_token"].(string))
			if err != nil {
				t.Fatal(err)
			}
			p, _ := w.tenant.Principal(w.app.ID)
			if c.Tenant != w.tenant.ID || c.App != w.app.ID || c.Object != p.ID || !slices.Equal(c.Roles, w.app.Permissions()) || c.ID == "" {
				t.Errorf("the token says %+v", c)
			}
			if now := w.cloud.Now().Unix(); c.Expires < now+3595 || c.Expires > now+3600 {
				t.Errorf("the token ends in %d s", c.Expires-now)
			}
		})
	}
	if status, _ := w.ask(t, w.tenant.InitialDomain(), w.bySecret()); status != 200 {
		t.Errorf("by domain name: got %d", status)
	}
}

// mint makes an access token for an app, without asking for proof.
func (c *Cloud) mint(t *Tenant, a *App) (string, error) {
	p, _ := t.Principal(a.ID)
	return c.id.sign(t, p, graphResources[0], "2")
}

func TestCallerBelievesOnlyItsOwnTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, other := newWorld(t, Options{}), New(Options{})
		ask := func(header string) (caller, error) {
			r, _ := http.NewRequest("GET", graphA+"/v1.0/users", nil)
			r.Header.Set("Authorization", header)
			return w.cloud.caller(r)
		}
		good, refused := w.cloud.id.mint(w.tenant, w.app, graphResources[0], "1")
		if refused != nil {
			t.Fatal(refused)
		}
		who, err := ask("Bearer " + good)
		if err != nil || who.tenant != w.tenant || who.app != w.app.ID || !slices.Equal(who.roles, w.app.Permissions()) {
			t.Fatalf("got %+v, %v", who, err)
		}
		w.tenant.Revoke(w.app, "User.ReadWrite.All")
		if who, err := ask("Bearer " + good); err != nil || !slices.Contains(who.roles, "User.ReadWrite.All") {
			t.Errorf("a token must keep what it was made with; got %+v, %v", who, err)
		}
		foreign, _ := other.mint(w.tenant, w.app)
		audience, _ := w.cloud.id.sign(w.tenant, Principal{}, "https://vault.azure.net", "1")
		changed := strings.Split(good, ".")
		changed[1] = base64.RawURLEncoding.EncodeToString([]byte(`{"tid":"` + w.tenant.ID + `","roles":["Everything"],"exp":9999999999,"aud":"https://graph.microsoft.com"}`))
		for name, header := range map[string]string{
			"no token": "", "another scheme": "Basic " + good, "rubbish": "Bearer x", "two dots": "Bearer ..",
			"a changed token": "Bearer " + strings.Join(changed, "."), "a token of another cloud": "Bearer " + foreign,
			"a token for something else": "Bearer " + audience, "a huge token": "Bearer " + strings.Repeat("a", longestJWT+1),
		} {
			if who, err := ask(header); err == nil {
				t.Errorf("%s: believed to be %+v", name, who)
			}
		}
		time.Sleep(tokenLife - time.Second)
		if _, err := ask("Bearer " + good); err != nil {
			t.Errorf("a second before its end: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := ask("Bearer " + good); err == nil {
			t.Error("an expired token was believed")
		}
	})
}

// credentials makes what the product would sign in with: Microsoft's own library.
func credentials(t *testing.T, w world, authority string, client policy.Transporter) map[string]azcore.TokenCredential {
	t.Helper()
	options := azcore.ClientOptions{
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: authority}, Transport: client,
		Retry: policy.RetryOptions{MaxRetries: -1},
	}
	bySecret, err := azidentity.NewClientSecretCredential(w.tenant.ID, w.app.ID, testSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	byCertificate, err := azidentity.NewClientCertificateCredential(w.tenant.ID, w.app.ID, []*x509.Certificate{w.cert}, testKey(),
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]azcore.TokenCredential{"secret": bySecret, "certificate": byCertificate}
}

func TestMicrosoftsLibrarySignsInAndCallsGraph(t *testing.T) {
	w := newWorld(t, Options{})
	server, err := w.cloud.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for way, at := range map[string]struct {
		authority, graph string
		client           *http.Client
	}{
		"in-process": {authorityA, graphA, &http.Client{Transport: w.cloud.Transport()}},
		"over TLS":   {server.URL(), server.URL(), server.Client()},
	} {
		for with, credential := range credentials(t, w, at.authority, at.client) {
			t.Run(way+" with a "+with, func(t *testing.T) {
				status, body := callGraph(t, credential, at.client, at.graph+"/v1.0/users?$top=1")
				if status != 200 || !strings.Contains(body, `"value"`) {
					t.Errorf("got %d %s", status, body)
				}
			})
		}
	}
	for with, credential := range credentials(t, w, authorityA, &http.Client{Transport: w.cloud.Transport()}) {
		w.app.SetSecrets()
		w.app.SetCertificates()
		_, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
		var failed *azidentity.AuthenticationFailedError
		if !errors.As(err, &failed) || failed.RawResponse == nil || failed.RawResponse.StatusCode != 401 {
			t.Errorf("%s: an app without proof got %v", with, err)
		}
	}
}

// callGraph gets an address through a pipeline like the product's.
func callGraph(t *testing.T, credential azcore.TokenCredential, client policy.Transporter, address string) (int, string) {
	t.Helper()
	bearer := runtime.NewBearerTokenPolicy(credential, []string{"https://graph.microsoft.com/.default"}, nil)
	pipeline := runtime.NewPipeline("test", "v0", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &policy.ClientOptions{Transport: client})
	req, err := runtime.NewRequest(context.Background(), http.MethodGet, address)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := pipeline.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
