package aws

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// Console changes keys for an address that signs a browser in for 15 minutes.
// It never says how long the console may last, so that ends with the keys.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html
func (s *system) Console(ctx context.Context, k target.Keys, to target.Place) (secret.Text, error) {
	region := to.Region
	if region == "" {
		region = k.Region
	}
	if region == "" {
		region = s.region
	}
	if p, ok := partitionOf(region); !ok || p.name != s.partition.name {
		return secret.Text{}, invalid("The region must be one of the account's partition, such as "+s.region+".", "")
	}
	if !k.EndsAt.IsZero() && !k.EndsAt.After(time.Now()) {
		return secret.Text{}, &access.Error{Kind: access.Denied, Text: "The session has ended, so it opens no console.", Hint: "Make a new one."}
	}
	destination := to.Destination
	if destination == "" {
		destination = s.console
	}
	if destination == "" {
		destination = "https://" + s.partition.host(s.partition.console, region) + "/console/home?region=" + region
	}
	if !s.isConsole(destination) {
		return secret.Text{}, invalid("The address is not one of the AWS console.", "It must begin with https:// and lie on "+s.partition.console+".")
	}
	token, err := s.signInToken(ctx, k, region)
	if err != nil {
		return secret.Text{}, err
	}
	login := url.Values{"Action": {"login"}, "Destination": {destination}, "SigninToken": {token.Reveal()}}
	if to.Issuer != "" {
		login.Set("Issuer", to.Issuer)
	}
	address := s.signInHost(region) + "/federation?" + login.Encode()
	if to.LogoutFirst {
		address = s.signInHost(region) + "/oauth?" + url.Values{"Action": {"logout"}, "redirect_uri": {address}}.Encode()
	}
	return secret.New(address), nil
}

// signInHost is where browsers sign in.
func (s *client) signInHost(region string) string {
	if s.endpoint != "" {
		return s.endpoint
	}
	return "https://" + s.partition.host(s.partition.signIn, region)
}

func (s *client) signInToken(ctx context.Context, k target.Keys, region string) (secret.Text, error) {
	session, err := json.Marshal(map[string]string{"sessionId": k.ID, "sessionKey": k.Secret.Reveal(), "sessionToken": k.Token.Reveal()})
	if err != nil {
		return secret.Text{}, err
	}
	form := url.Values{"Action": {"getSigninToken"}, "Session": {string(session)}}
	status, body, err := s.federation(ctx, region, form)
	if err != nil {
		return secret.Text{}, explain(err, "open the console")
	}
	var out struct {
		Token string `json:"SigninToken"`
	}
	switch {
	case status >= 500 || status == http.StatusTooManyRequests:
		return secret.Text{}, &access.Error{Kind: access.Unavailable, Text: "AWS's sign-in failed to open a console.", Hint: "Try again in a moment."}
	case status >= 400:
		return secret.Text{}, &access.Error{Kind: access.Denied, Text: "AWS's sign-in refuses these keys.", Hint: "They may have ended; make a new session."}
	case status != http.StatusOK || json.Unmarshal(body, &out) != nil || out.Token == "":
		return secret.Text{}, &access.Error{Kind: access.Unavailable, Text: "AWS's sign-in answered with something else than a token.", Hint: "Check the partition, and what stands between this server and AWS."}
	}
	return secret.New(out.Token), nil
}

// federation posts a form to the federation endpoint. Secrets stand in the
// body only, which no error repeats.
func (s *client) federation(ctx context.Context, region string, form url.Values) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.signInHost(region)+"/federation", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, bare("signin", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.wire.client().Do(req)
	if err != nil {
		return 0, nil, bare("signin", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, bare("signin", err)
	}
	return resp.StatusCode, body, nil
}
