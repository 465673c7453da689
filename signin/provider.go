package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"jitney/access"
	"jitney/secret"
)

// CallbackPath is where a provider sends people back to.
const CallbackPath = "/login/provider/callback"

// ClaimEmail is the claim that names people where nothing else is set. It
// counts only if the provider says that it verified the address.
const ClaimEmail = "email"

const (
	providerTimeout = 10 * time.Second
	maxAnswer       = 1 << 20         // bytes of anything that a provider answers
	failureFor      = 5 * time.Second // how long a provider that did not answer is left alone
)

// ProviderConfig says who vouches for people, by OpenID Connect.
type ProviderConfig struct {
	Issuer   string      // https, or http on loopback
	ClientID string      // as the provider calls this installation
	Secret   secret.Text // zero for a public client
	Name     string      // as people know the provider; empty takes its host
	Claim    string      // in which the provider says the sign-in name; empty means [ClaimEmail]
	Base     string      // address of this website
	Links    Identities
	Logger   *slog.Logger
}

// A Provider lets people in whom an OpenID Connect provider vouches for: by the
// authorization code flow with PKCE, state and nonce. Whoever comes for the
// first time is found by sign-in name; from then on by the subject alone, so
// that a name which the provider gives to somebody else later opens nothing.
// It makes nobody: people are added by administrators. It is safe for
// concurrent use.
type Provider struct {
	door   *Door
	links  Identities
	log    *slog.Logger
	name   string
	claim  string
	issuer string
	secure bool
	client *http.Client
	oauth  oauth2.Config

	mu     sync.Mutex
	found  *oidc.Provider
	failed error
	again  time.Time // when to try anew after failed
}

// NewProvider checks c. It asks the provider nothing: that it cannot be
// reached now is no reason not to serve.
func NewProvider(d *Door, c ProviderConfig) (*Provider, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("the issuer is not an address such as https://login.example.net")
	}
	if c.ClientID == "" {
		return nil, errors.New("the provider's name for this installation, the client ID, is missing")
	}
	for _, shared := range []string{"/common", "/organizations", "/consumers"} {
		if u.Hostname() == "login.microsoftonline.com" && strings.HasPrefix(u.Path, shared) {
			return nil, fmt.Errorf("%s lets accounts of everybody in; name the tenant: https://login.microsoftonline.com/TENANT-ID/v2.0", c.Issuer)
		}
	}
	base, err := url.Parse(c.Base)
	if err != nil {
		return nil, fmt.Errorf("read the base URL: %w", err)
	}
	p := &Provider{door: d, links: c.Links, log: c.Logger, name: cmp.Or(c.Name, u.Hostname()), claim: cmp.Or(c.Claim, ClaimEmail), issuer: c.Issuer, secure: base.Scheme == "https",
		oauth: oauth2.Config{ClientID: c.ClientID, ClientSecret: c.Secret.Reveal(), RedirectURL: strings.TrimRight(c.Base, "/") + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "email", "profile"}},
		client: &http.Client{Timeout: providerTimeout, Transport: bounded{http.DefaultTransport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// bounded keeps answers small.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		a.Body = http.MaxBytesReader(nil, a.Body, maxAnswer)
	}
	return a, err
}

// Name is what people call the provider.
func (p *Provider) Name() string { return p.name }

// silent is the error for whoever wants to sign in; why, goes to the log.
func (p *Provider) silent(err error) error {
	p.log.Warn("the provider of identities does not answer as it should", "issuer", p.issuer, "err", err)
	return &access.Error{Kind: access.Unavailable, Text: p.name + " does not answer as it should.", Hint: "Try again in a minute. If it lasts, tell an administrator: the server's log says why.", Err: err}
}

// with makes the client known to the two libraries.
func (p *Provider) with(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// discover reports what the provider says of itself, which is asked once.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil && time.Now().Before(p.again) {
		return nil, oauth2.Config{}, p.failed
	}
	if p.found == nil {
		// The keys are fetched with this context later on, so it must not end.
		found, err := oidc.NewProvider(p.with(context.WithoutCancel(ctx)), p.issuer)
		if err != nil {
			p.failed, p.again = p.silent(fmt.Errorf("ask %s about itself: %w", p.issuer, err)), time.Now().Add(failureFor)
			return nil, oauth2.Config{}, p.failed
		}
		p.found = found
	}
	o := p.oauth
	o.Endpoint = p.found.Endpoint()
	return p.found, o, nil
}

// Begin reports where to send the visitor to, and gives the browser a cookie
// without which the way back opens nothing; next is where the visitor wants to
// go afterwards.
func (p *Provider) Begin(w http.ResponseWriter, r *http.Request, next string) (address string, err error) {
	if !p.door.limits.address.take(network(p.door.address(r))) {
		return "", tooMany(nil)
	}
	_, o, err := p.discover(r.Context())
	if err != nil {
		return "", err
	}
	to, err := url.Parse(o.Endpoint.AuthURL)
	if err != nil || to.Host == "" || to.Scheme != "https" && !loopback(to.Hostname()) {
		return "", p.silent(errors.New("its authorization endpoint is not an https address"))
	}
	t := newTrip(next)
	p.remember(w, t)
	return o.AuthCodeURL(t.State, oauth2.S256ChallengeOption(t.Verifier), oidc.Nonce(t.Nonce)), nil
}

// Finish lets the visitor in who comes back, and reports where they wanted to
// go. Errors: access.Denied if the provider or Jitney does not let them in,
// access.Unavailable if the provider does not answer.
func (p *Provider) Finish(w http.ResponseWriter, r *http.Request) (next string, err error) {
	t := p.recall(w, r)
	if !t.fits(r.FormValue("state")) {
		return "", &access.Error{Kind: access.Denied, Text: "This sign-in was begun in another browser, or too long ago.", Hint: "Sign in again."}
	}
	if !p.door.limits.address.take(network(p.door.address(r))) {
		return t.Next, tooMany(nil)
	}
	if code := r.FormValue("error"); code != "" {
		p.log.Warn("the provider of identities refused", "error", clip(code, 60))
		return t.Next, &access.Error{Kind: access.Denied, Text: p.name + " did not let you in.", Hint: "Sign in again, or ask who runs it."}
	}
	claims, err := p.redeem(r.Context(), r.FormValue("code"), t)
	if err != nil {
		return t.Next, err
	}
	person, err := p.personOf(r.Context(), claims)
	if err != nil {
		return t.Next, err
	}
	err = p.door.Enter(r, person, p.name)
	if access.KindOf(err) == access.Denied {
		err = &access.Error{Kind: access.Denied, Text: "You may not sign in to Jitney any more.", Hint: "Ask an administrator."}
	}
	return t.Next, err
}

// redeem turns the code into what the provider says about the visitor, and
// believes it only if the provider signed it, for us, just now.
func (p *Provider) redeem(ctx context.Context, code string, t trip) (claims, error) {
	found, o, err := p.discover(ctx)
	if err != nil {
		return claims{}, err
	}
	ctx = p.with(ctx)
	token, err := o.Exchange(ctx, code, oauth2.VerifierOption(t.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok { // its text holds the answer, which may hold anything
		err = fmt.Errorf("the token endpoint answers %d %s", refused.Response.StatusCode, clip(refused.ErrorCode, 60))
	}
	if err != nil {
		return claims{}, p.silent(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := found.Verifier(&oidc.Config{ClientID: p.oauth.ClientID}).Verify(ctx, raw)
	if err != nil {
		return claims{}, p.silent(fmt.Errorf("verify the ID token: %w", err))
	}
	var c claims
	if err := c.read(id, p.claim); err != nil {
		return claims{}, p.silent(err)
	}
	if !same(id.Nonce, t.Nonce) || len(id.Audience) > 1 && c.party != p.oauth.ClientID {
		return claims{}, &access.Error{Kind: access.Denied, Text: "What " + p.name + " says is not meant for this sign-in.", Hint: "Sign in again."}
	}
	return c, nil
}

// claims are what a provider says about somebody.
type claims struct {
	subject string
	name    string // as the claim that names people says; empty if there is none of use
	party   string // for whom the token is, if for several
	doubted bool   // the address was not verified
}

func (c *claims) read(id *oidc.IDToken, claim string) error {
	var all map[string]any
	if err := id.Claims(&all); err != nil {
		return fmt.Errorf("read the claims: %w", err)
	}
	if id.Subject == "" || len(id.Subject) > 255 {
		return errors.New("the ID token has no usable subject")
	}
	c.subject = id.Subject
	c.party, _ = all["azp"].(string)
	name, _ := all[claim].(string)
	if name = strings.TrimSpace(name); len(name) <= maxLogin && clip(name, maxLogin) == name {
		c.name = name
	}
	c.doubted = claim == ClaimEmail && !slices.Contains([]any{true, "true"}, all["email_verified"])
	return nil
}

// personOf finds whom the provider speaks of, and links them the first time.
func (p *Provider) personOf(ctx context.Context, c claims) (id string, err error) {
	known, err := p.links.Identity(ctx, p.issuer, c.subject)
	if err == nil {
		return known.Person, nil
	}
	if access.KindOf(err) != access.NotFound {
		return "", err
	}
	if c.name == "" || c.doubted {
		why := "says no " + p.claim + " of you"
		if c.name != "" {
			why = "does not say that it verified your mail address"
		}
		return "", &access.Error{Kind: access.Denied, Text: p.name + " " + why + ", by which Jitney could know you.", Hint: "Ask an administrator to look at --sign-in-claim."}
	}
	person, _, err := p.door.people.ByLogin(ctx, c.name)
	if access.KindOf(err) == access.NotFound || err == nil && !person.DisabledAt.IsZero() {
		return "", &access.Error{Kind: access.Denied, Text: "Nobody here has the sign-in name " + c.name + ".", Hint: "Ask an administrator to add you."}
	}
	if err != nil {
		return "", err
	}
	link := access.Identity{Issuer: p.issuer, Subject: c.subject, Person: person.ID, Name: c.name, LinkedAt: time.Now().UTC()}
	err = p.links.Link(ctx, link, event(EventLinked, person.ID, person.ID, "Linked "+person.Login+" to their account at "+p.name+"."))
	if access.KindOf(err) == access.Conflict {
		return "", p.taken(ctx, c, person)
	}
	return person.ID, err
}

// taken answers where the person is linked to another account, or was to this
// one a moment ago.
func (p *Provider) taken(ctx context.Context, c claims, person access.Person) error {
	if known, err := p.links.Identity(ctx, p.issuer, c.subject); err == nil && known.Person == person.ID {
		return &access.Error{Kind: access.Conflict, Text: "You were linked by another sign-in just now.", Hint: "Sign in again."}
	}
	refused := &access.Error{Kind: access.Denied, Text: person.Login + " is linked to another account at " + p.name + ".", Hint: "Ask an administrator to unlink it on your page under People."}
	if !p.door.limits.trouble.take(person.ID) {
		return refused
	}
	return errors.Join(refused, p.door.records.Write(ctx, event(EventSignInFailed, person.ID, person.ID, "A sign-in as "+person.Login+" by another account at "+p.name+" was refused.")))
}

// Links lists the linked accounts of a person; for administrators.
func (p *Provider) Links(ctx context.Context, who access.Person, person string) ([]access.Identity, error) {
	if _, err := p.door.governed(ctx, who, person); err != nil {
		return nil, err
	}
	return p.links.IdentitiesOf(ctx, person)
}

// Unlink forgets the linked accounts of a person and ends their sign-ins; for
// administrators.
func (p *Provider) Unlink(ctx context.Context, who access.Person, person string) error {
	governed, err := p.door.governed(ctx, who, person)
	if err != nil {
		return err
	}
	return p.links.Unlink(ctx, person, event(EventUnlinked, who.ID, person, "Unlinked "+governed.Login+" from "+p.name+"."))
}
