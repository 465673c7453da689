package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// webIdentity is a token of an OIDC issuer that has been checked.
type webIdentity struct {
	issuer, subject, audience string
	provider                  string // ARN
	claims                    claims
}

// claims are what AWS reads in a token.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience words    `json:"aud"`
	Azp      string   `json:"azp"`
	AMR      []string `json:"amr"`
	Expires  integer  `json:"exp"`
	Issued   integer  `json:"iat"`
	Begins   integer  `json:"nbf"`
	Tags     struct {
		Principal  map[string][]string `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	} `json:"https://aws.amazon.com/tags"`
	Source string `json:"https://aws.amazon.com/source_identity"`
}

// integer is a time in whole seconds, which is how AWS wants it.
type integer int64

func (n *integer) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(string(b), 10, 64)
	*n = integer(v)
	return err
}

func invalidToken(format string, args ...any) *failure {
	return &failure{Status: 400, Code: "InvalidIdentityToken", Message: fmt.Sprintf(format, args...)}
}

func noWebIdentity() *failure {
	return &failure{Status: 403, Code: "AccessDenied", Message: "Not authorized to perform sts:AssumeRoleWithWebIdentity"}
}

// checkWebIdentity verifies the token, which means asking its issuer for keys.
func checkWebIdentity(e *exchange) *failure {
	x := assumer{e}
	jws, err := readJWS(x.str("WebIdentityToken"))
	var c claims
	if err == nil {
		err = json.Unmarshal(jws.payload, &c)
	}
	if err != nil {
		return invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	name, p := x.provider(c.Issuer)
	if p == nil {
		return invalidToken("No OpenIDConnect provider found in your account for %s", c.Issuer)
	}
	if c.Subject == "" || len(c.Audience) == 0 || c.Expires == 0 || c.Issued == 0 {
		return invalidToken("Missing a required claim: sub, aud, exp or iat")
	}
	audience := c.Audience[0]
	if c.Azp != "" {
		audience = c.Azp
	}
	if !slices.Contains(p.clients, audience) {
		return invalidToken("Incorrect token audience")
	}
	keys, err := x.cloud.fetchKeys(x.req.Context(), c.Issuer)
	if err != nil {
		return &failure{Status: 400, Code: "IDPCommunicationError", Message: "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"}
	}
	if !jws.verified(keys) {
		return invalidToken("Couldn't verify the token's signature with the keys of your identity provider")
	}
	now := x.cloud.Now().Unix()
	if now >= int64(c.Expires) {
		return &failure{Status: 400, Code: "ExpiredTokenException", Message: fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", now, c.Expires)}
	}
	if int64(c.Begins) > now+300 || int64(c.Issued) > now+300 {
		return invalidToken("The token is not valid yet")
	}
	if f := c.check(); f != nil {
		return f
	}
	x.token = webIdentity{issuer: name, subject: c.Subject, audience: audience, provider: p.arn(), claims: c}
	return nil
}

// check holds tags and source identity to their limits.
func (c claims) check() *failure {
	if len(c.Tags.Principal) > 50 {
		return invalidToken("The token has more than 50 principal tags")
	}
	for k, v := range c.Tags.Principal {
		key := field{name: "key", min: 1, max: 128, pattern: tagKeyPattern}.compiled()
		value := field{name: "value", max: 256, pattern: tagValuePattern}.compiled()
		if len(v) != 1 || len(key.one("key", k))+len(value.one("value", v[0])) > 0 {
			return invalidToken("A principal tag of the token is not valid: each has one value")
		}
	}
	source := field{name: "source", min: 2, max: 64, pattern: wordPattern}.compiled()
	if c.Source != "" && len(source.one("source", c.Source)) > 0 {
		return invalidToken("The source identity of the token is not valid")
	}
	return nil
}

// provider finds the issuer's provider in the account of the role that is asked for.
func (x assumer) provider(issuer string) (string, *provider) {
	parts := strings.SplitN(x.str("RoleArn"), ":", 6)
	name, ok := strings.CutPrefix(issuer, "https://")
	if !ok && x.cloud.opt.AnyIssuer {
		name, ok = strings.CutPrefix(issuer, "http://")
	}
	x.cloud.mu.Lock()
	defer x.cloud.mu.Unlock()
	if !ok || len(parts) != 6 || x.cloud.accounts[parts[4]] == nil {
		return "", nil
	}
	p := x.cloud.accounts[parts[4]].providers[name]
	if p == nil || p.url != issuer {
		return "", nil
	}
	copied := *p
	copied.clients = slices.Clone(p.clients)
	return name, &copied
}

// fetchKeys asks an issuer for its keys. Certificates are checked by the transport; thumbprints are not.
func (c *Cloud) fetchKeys(ctx context.Context, issuer string) (keySet, error) {
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := fetch(ctx, c.issuers, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return keySet{}, err
	}
	if about.Issuer != issuer || !strings.HasPrefix(about.Keys, "https://") && !c.opt.AnyIssuer {
		return keySet{}, fmt.Errorf("aws: the document of %s is about %s", issuer, about.Issuer)
	}
	var keys keySet
	err := fetch(ctx, c.issuers, about.Keys, &keys)
	return keys, err
}

func fetch(ctx context.Context, c *http.Client, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("aws: %s: %s", url, res.Status)
	}
	return json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(into)
}

func assumeRoleWithWebIdentity(e *exchange) ([]node, *failure) {
	x := assumer{e}
	a, f := x.assumption()
	if f != nil {
		return nil, f
	}
	a.tags, a.source, a.transitive = map[string]string{}, x.token.claims.Source, x.token.claims.Tags.Transitive
	for k, v := range x.token.claims.Tags.Principal {
		a.tags[k] = v[0]
	}
	if a.role, a.state = findRole(x.exchange, x.str("RoleArn")); a.role == nil || a.state == nil {
		return nil, noWebIdentity()
	}
	about := map[string]string{"aws:FederatedProvider": x.token.provider, x.token.issuer + ":aud": x.token.audience, x.token.issuer + ":sub": x.token.subject}
	facts := x.assumeFacts(a)
	for k, v := range about {
		facts.set(k, v)
	}
	if len(x.token.claims.AMR) > 0 {
		facts.set(x.token.issuer+":amr", x.token.claims.AMR...)
	}
	is := func(kind, name string) trusts {
		if kind == "Federated" && name == x.token.provider {
			return trustsSelf
		}
		return trustsNot
	}
	actions := []string{"sts:AssumeRoleWithWebIdentity"}
	if len(a.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.source != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		if a.state.trust.ask(facts, action, is) != trustsSelf {
			return nil, noWebIdentity()
		}
	}
	if f := a.settle(x, false); f != nil {
		return nil, f
	}
	out := x.session(a, &principal{how: "AssumeRoleWithWebIdentity", federated: about})
	return append(out, leaf("SubjectFromWebIdentityToken", x.token.subject), leaf("Provider", x.token.claims.Issuer), leaf("Audience", x.token.audience)), nil
}
