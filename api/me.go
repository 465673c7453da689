package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"jitney/access"
)

type meBody struct {
	Person personBody `json:"person"`
	Token  tokenBody  `json:"token"`
}

type personBody struct {
	ID            string `json:"id"`
	Login         string `json:"login" example:"maya.okafor@msp.example"`
	Name          string `json:"name" example:"Maya Okafor"`
	Administrator bool   `json:"administrator"`
}

type tokenBody struct {
	Kind      string    `json:"kind" enum:"api,cli"`
	Name      string    `json:"name"`
	Admin     bool      `json:"admin" doc:"Whether admin access may be asked for with it."`
	Tenants   *[]string `json:"tenants" doc:"Names of the tenants that it is for; null means all of the person."`
	ExpiresAt time.Time `json:"expires_at"`
}

type nothing struct{}

func (s *server) me() {
	huma.Register(s.huma, huma.Operation{OperationID: "me", Method: http.MethodGet, Path: "/api/v1/me", Summary: "Who a token acts for",
		Security: signedIn, Responses: s.answers(nil)}, s.whoami)
	huma.Register(s.huma, huma.Operation{OperationID: "logout", Method: http.MethodPost, Path: "/api/v1/logout", Summary: "End the sign-in of the command line that calls",
		DefaultStatus: http.StatusNoContent, Security: signedIn, Responses: s.answers(nil)}, s.logout)
}

// signedIn says that an operation needs a token.
var signedIn = []map[string][]string{{"token": {}}}

func (s *server) whoami(ctx context.Context, _ *nothing) (*struct{ Body meBody }, error) {
	c := callOf(ctx)
	b := meBody{Person: personBody{ID: c.who.ID, Login: c.who.Login, Name: c.who.Name, Administrator: c.who.Is(access.Administrator)},
		Token: tokenBody{Kind: c.token.Kind, Name: c.token.Name, Admin: c.token.Admin, ExpiresAt: c.token.ExpiresAt.UTC()}}
	if c.token.Customers != nil {
		names, err := s.names(ctx, c)
		if err != nil {
			return nil, s.problemOf(ctx, err)
		}
		b.Token.Tenants = &names
	}
	return &struct{ Body meBody }{b}, nil
}

// names lists the names of the customers that a token is for and its person
// still works for.
func (s *server) names(ctx context.Context, c call) ([]string, error) {
	all, err := s.Customers.Customers(ctx, c.who)
	names := []string{}
	for _, one := range all {
		for _, id := range c.token.Customers {
			if one.ID == id && c.who.WorksFor(id) {
				names = append(names, one.Name)
			}
		}
	}
	return names, err
}

func (s *server) logout(ctx context.Context, _ *nothing) (*nothing, error) {
	if err := s.Tokens.Leave(ctx, callOf(ctx).token); err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return nil, nil
}
