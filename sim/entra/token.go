package entra

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"jitney/secret"
)

const (
	// tokenLife is how long an access token is good for.
	tokenLife = 3599 * time.Second
	// tokenBackdate is how far before its making a token says that it was
	// made (from memory of real ones, where exp - iat is 3900 s): whoever
	// takes iat for the time of the server is wrong by this.
	tokenBackdate = 5 * time.Minute
	// longestForm bounds what somebody sends to the identity side, in bytes.
	longestForm = 64 << 10

	assertionJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// graphResources are the names of Graph by which a token may be asked for: its
// address in each cloud, and its application.
var graphResources = [...]string{
	"https://graph.microsoft.com",
	"https://graph.microsoft.us",
	"https://dod-graph.microsoft.us",
	"https://microsoftgraph.chinacloudapi.cn",
	"00000003-0000-0000-c000-000000000000",
}

// A caller is who sent a request to Graph, as its token says.
type caller struct {
	tenant  *Tenant
	app     string   // client id
	id      string   // object id of the app's service principal
	roles   []string // permissions, as granted when the token was made
	expires time.Time
}

// tokenClaims are what an access token says.
type tokenClaims struct {
	Audience string   `json:"aud"`
	Issuer   string   `json:"iss"`
	Issued   int64    `json:"iat"`
	From     int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
	AppName  string   `json:"app_displayname,omitempty"`
	App      string   `json:"appid"`
	Proof    string   `json:"appidacr"`
	Kind     string   `json:"idtyp"`
	Object   string   `json:"oid"`
	Roles    []string `json:"roles,omitempty"`
	Subject  string   `json:"sub"`
	Tenant   string   `json:"tid"`
	ID       string   `json:"uti"`
	Version  string   `json:"ver"`
}

// wellKnown answers where the endpoints of an Entra tenant are: where the
// question came to.
func (id *identity) wellKnown(w http.ResponseWriter, r *http.Request) {
	t, refused := id.tenantOf(r)
	if refused != nil {
		id.refuse(w, r, refused)
		return
	}
	home := "https://" + r.Host + "/" + t.ID
	writeJSON(w, http.StatusOK, object{
		"token_endpoint":                        home + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		"jwks_uri":                              home + "/discovery/v2.0/keys",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"issuer":                                home + "/v2.0",
		"authorization_endpoint":                home + "/oauth2/v2.0/authorize",
		"cloud_instance_name":                   r.Host,
	})
}

// instances answers which names the authority has: the one that was asked.
func (id *identity) instances(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, object{
		"tenant_discovery_endpoint": "https://" + r.Host + "/common/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []object{{"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host}}},
	})
}

// keys answers the public half of what signs access tokens.
func (id *identity) keys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, object{"keys": []any{id.key.public()}})
}

// token answers a request for an access token.
func (id *identity) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, longestForm)
	if err := r.ParseForm(); err != nil {
		id.refuse(w, r, refuseToken(400, "invalid_request", 900144, "The request body is malformed."))
		return
	}
	text, refused := id.issue(r, r.PostForm)
	if refused != nil {
		id.refuse(w, r, refused)
		return
	}
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	seconds := int(tokenLife / time.Second)
	writeJSON(w, http.StatusOK, object{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": text,
	})
}

// issue checks who asks for what, and makes the token.
func (id *identity) issue(r *http.Request, form url.Values) (string, *tokenError) {
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if form.Get(name) == "" {
			return "", refuseToken(400, "invalid_request", 900144, "The request body must contain the following parameter: '%s'.", name)
		}
	}
	if form.Get("grant_type") != "client_credentials" {
		return "", refuseToken(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type. This simulator knows client_credentials only.")
	}
	resource, ok := resourceOf(form.Get("scope"))
	if !ok {
		return "", refuseToken(400, "invalid_scope", 1002012, "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).")
	}
	t, refused := id.tenantOf(r)
	if refused != nil {
		return "", refused
	}
	app := id.cloud.App(form.Get("client_id"))
	if app == nil || app.Single && app.Home != t {
		return "", notInTenant(form.Get("client_id"), t)
	}
	proof, refused := id.prove(r, form, t, app)
	if refused != nil {
		return "", refused
	}
	if !slices.Contains(graphResources[:], strings.TrimSuffix(resource, "/")) {
		return "", refuseToken(400, "invalid_resource", 500011, "The resource principal was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.", t.Name)
	}
	return id.mint(t, app, resource, proof)
}

// mint makes a token for an app that proved who it is.
func (id *identity) mint(t *Tenant, app *App, resource, proof string) (string, *tokenError) {
	p, refused := id.admit(t, app)
	if refused != nil {
		return "", refused
	}
	text, err := id.sign(t, p, resource, proof)
	if err != nil {
		return "", refuseToken(500, "server_error", 90033, "A transient error has occurred. Please try again.")
	}
	return text, nil
}

// resourceOf is what a token is wanted for. Microsoft's libraries add the
// scopes of OpenID to every request, where they mean nothing.
func resourceOf(scope string) (string, bool) {
	wanted := slices.DeleteFunc(strings.Fields(scope), func(s string) bool {
		return s == "openid" || s == "profile" || s == "offline_access"
	})
	if len(wanted) != 1 {
		return "", false
	}
	return strings.CutSuffix(wanted[0], "/.default")
}

// prove reports how the app proved who it is: "1" by a secret, "2" by a
// certificate.
func (id *identity) prove(r *http.Request, form url.Values, t *Tenant, app *App) (string, *tokenError) {
	now := id.cloud.Now()
	switch {
	case form.Get("client_assertion") != "":
		if form.Get("client_assertion_type") != assertionJWT {
			return "", refuseToken(400, "invalid_request", 900144, "The request body must contain the following parameter: 'client_assertion_type'.")
		}
		return "2", checkAssertion(form.Get("client_assertion"), app.ID, audiencesOf(r, t), app.Certificates(), now)
	case form.Get("client_secret") != "":
		return "1", checkSecret(secret.New(form.Get("client_secret")), app, now)
	}
	return "", refuseToken(401, "invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
}

// audiencesOf are what an assertion may be addressed to: the token endpoint
// that was called, under either name of the Entra tenant, and its issuer.
func audiencesOf(r *http.Request, t *Tenant) []string {
	base := "https://" + r.Host + "/"
	return []string{base + t.ID + "/oauth2/v2.0/token", "https://" + r.Host + r.URL.Path, base + t.ID + "/v2.0"}
}

func checkSecret(given secret.Text, app *App, now time.Time) *tokenError {
	for _, s := range app.Secrets() {
		switch {
		case !s.Value.Equal(given):
		case !s.Expires.IsZero() && now.After(s.Expires):
			return refuseToken(401, "invalid_client", 7000222, "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", app.ID)
		default:
			return nil
		}
	}
	return refuseToken(401, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", app.ID)
}

// admit reports the service principal by which an Entra tenant lets an app in,
// at this moment.
func (id *identity) admit(t *Tenant, app *App) (Principal, *tokenError) {
	p, ok := principalAt(t, app, id.cloud.Now())
	switch {
	case !ok && id.cloud.opt.Switches.MissingPrincipalOtherCode:
		return p, refuseToken(401, "invalid_client", 7000229, "The client application %s is missing service principal in the tenant %s. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119", app.ID, t.ID)
	case !ok:
		return p, notInTenant(app.ID, t)
	case p.Disabled:
		return p, refuseToken(400, "unauthorized_client", 7000112, "Application '%s'(%s) is disabled.", app.ID, app.Name)
	case len(p.Permissions) == 0 && id.cloud.opt.Switches.NoPermissionNoToken:
		return p, refuseToken(400, "invalid_grant", 65001, "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", app.ID, app.Name)
	}
	return p, nil
}

// sign makes a token for what p is granted now; a later change shows in the
// next token only. Proof is "1" for a secret and "2" for a certificate.
func (id *identity) sign(t *Tenant, p Principal, resource, proof string) (string, error) {
	now := id.cloud.Now()
	from, expires := now.Add(-tokenBackdate).Unix(), now.Add(tokenLife)
	return id.key.sign(tokenClaims{
		Audience: resource, Issuer: "https://sts.windows.net/" + t.ID + "/", Issued: from, From: from, Expires: expires.Unix(),
		AppName: p.Name, App: p.AppID, Proof: proof, Kind: "app", Object: p.ID, Roles: p.Permissions, Subject: p.ID, Tenant: t.ID,
		ID: rand.Text()[:22], Version: "1.0",
	})
}

// principalAt is an app's service principal, once the consent that made it has
// reached the identity side.
func principalAt(t *Tenant, app *App, now time.Time) (Principal, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.principals[app.ID]
	if p == nil || p.created.After(now) {
		return Principal{}, false
	}
	return p.show(), true
}

func notInTenant(client string, t *Tenant) *tokenError {
	if len(client) > 64 {
		client = client[:64]
	}
	return refuseToken(400, "unauthorized_client", 700016, "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", client, t.Name)
}

// badToken is the message of a 401 about a token.
type badToken string

func (b badToken) Error() string { return string(b) }

// caller reports who sent a request to Graph, as its token says. The error is
// the message of a 401 and repeats nothing of the token.
func (c *Cloud) caller(r *http.Request) (caller, error) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || text == "" {
		return caller{}, badToken("Access token is empty.")
	}
	tc, err := c.id.key.open(text)
	if err != nil {
		return caller{}, badToken("Access token validation failure. Invalid token: " + err.Error() + ".")
	}
	now, expires := c.Now(), time.Unix(tc.Expires, 0).UTC()
	switch {
	case !now.Before(expires):
		return caller{}, badToken("Lifetime validation failed, the token is expired.")
	case now.Before(time.Unix(tc.From, 0)):
		return caller{}, badToken("Lifetime validation failed, the token is not valid yet.")
	case !slices.Contains(graphResources[:], strings.TrimSuffix(tc.Audience, "/")):
		return caller{}, badToken("Access token validation failure. Invalid audience.")
	}
	t := c.Tenant(tc.Tenant)
	if t == nil {
		return caller{}, badToken("Access token validation failure. Invalid tenant.")
	}
	return caller{tenant: t, app: tc.App, id: tc.Object, roles: tc.Roles, expires: expires}, nil
}
