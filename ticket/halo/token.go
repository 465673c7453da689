package halo

import (
	"context"
	"net/url"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// newIssuer gets tokens from the authorisation server, which has a host of its
// own in the settings.
func newIssuer(s settings) (*reach.Issuer, error) {
	s.auth.Name = "The authorisation server of Halo"
	login := reach.Login{Server: s.auth, Path: "token", Refused: "Halo does not accept the client ID, the client secret or the instance of this connection."}
	login.Form = func() url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {s.id}, "client_secret": {s.secret.Reveal()}, "scope": {"all"}}
	}
	if s.tenant != "" {
		login.Query = url.Values{"tenant": {s.tenant}}
	}
	return reach.NewIssuer(login)
}

// do makes a call with a token.
func (s *system) do(ctx context.Context, call reach.Call) (reach.Answer, error) {
	return s.issuer.Do(ctx, s.client, call)
}

func trouble(kind ticket.TroubleKind, text string, err error) *ticket.Trouble {
	return &ticket.Trouble{Kind: kind, Text: text, Err: err}
}
