package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"jitney/access"
	"jitney/secret"
)

type pairingAsk struct {
	Application string `json:"application" required:"false" maxLength:"200" doc:"What asks, as it calls itself." example:"jitney"`
	Machine     string `json:"machine" required:"false" maxLength:"255" doc:"Name of the machine that it runs on."`
	User        string `json:"user" required:"false" maxLength:"255" doc:"Who runs it there."`
	Tenant      string `json:"tenant" required:"false" maxLength:"255" doc:"What it is asked for first; only shown."`
	Admin       bool   `json:"admin" required:"false" doc:"Whether admin access is to be asked for with the token."`
	Challenge   string `json:"challenge" minLength:"43" maxLength:"43" doc:"PKCE S256: base64url of the SHA-256 of the verifier."`
	State       string `json:"state" minLength:"16" maxLength:"200" doc:"Random letters and digits, told back by the redirect."`
	Port        int    `json:"port" required:"false" minimum:"0" maximum:"65535" doc:"It listens on 127.0.0.1 there; 0 if nothing can be told to it: then the match code must be typed."`
}

type pairingMade struct {
	Pairing   string    `json:"pairing"`
	URL       string    `json:"url" doc:"To be opened in the browser of the person."`
	Code      string    `json:"code" example:"BCDF-GHJK" doc:"Match code, to be shown: the page shows it too, or asks for it."`
	ExpiresAt time.Time `json:"expires_at"`
}

type tokenAsk struct {
	Verifier string `json:"verifier" minLength:"43" maxLength:"128" doc:"PKCE verifier of the challenge."`
	Code     string `json:"code" required:"false" maxLength:"128" doc:"The code that the redirect told; empty without one."`
}

type tokenMade struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	Login     string    `json:"login"`
}

type tokenWait struct {
	State string `json:"state" enum:"waiting,authorized" doc:"authorized: open the address again, and the redirect comes without a click."`
}

func (s *server) pairings() {
	huma.Register(s.huma, huma.Operation{OperationID: "begin-pairing", Method: http.MethodPost, Path: pairingPaths, Summary: "Ask to sign in a command line",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: maxBody, Responses: s.answers(nil)}, s.begin)
	huma.Register(s.huma, huma.Operation{OperationID: "redeem-pairing", Method: http.MethodPost, Path: pairingPaths + "/{id}/token",
		Summary: "Fetch the token of a command line that a person authorized", MaxBodyBytes: maxBody,
		Responses: s.answers(map[string]*huma.Response{"200": answer[tokenMade](s, "The token; it is told once."), "202": answer[tokenWait](s, "Nobody decided yet, or the code of the redirect is missing.")})}, s.redeem)
}

func (s *server) begin(ctx context.Context, in *struct{ Body pairingAsk }) (*struct{ Body pairingMade }, error) {
	b := in.Body
	p, err := s.Pairings.Begin(ctx, access.Pairing{Application: b.Application, Machine: b.Machine, User: b.User, Tenant: b.Tenant, Admin: b.Admin,
		Challenge: b.Challenge, State: b.State, Port: b.Port, Address: callOf(ctx).address})
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	url := s.Base + "/local-access/" + p.ID
	if p.Device() {
		url = s.Base + "/device"
	}
	return &struct{ Body pairingMade }{pairingMade{Pairing: p.ID, URL: url, Code: p.Code, ExpiresAt: seconds(p.ExpiresAt)}}, nil
}

type redeemed struct {
	Status int
	Body   any
}

func (s *server) redeem(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64"`
	Body tokenAsk
}) (*redeemed, error) {
	p, t, text, err := s.Pairings.Redeem(ctx, in.ID, secret.New(in.Body.Verifier), secret.New(in.Body.Code), callOf(ctx).address)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	if t.ID == "" {
		return &redeemed{Status: http.StatusAccepted, Body: tokenWait{State: p.StateAt(time.Now())}}, nil
	}
	return &redeemed{Status: http.StatusOK, Body: tokenMade{Token: text.Reveal(), ExpiresAt: seconds(t.ExpiresAt), Login: p.Login}}, nil
}

// seconds is t without what is below a second, so that it reads the same everywhere.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
