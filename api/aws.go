package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"jitney/access"
	"jitney/broker"
	"jitney/target"
)

type sessionAsk struct {
	Tenant      string `json:"tenant" required:"false" maxLength:"200" doc:"Name of the tenant; may be left out if only one can be meant."`
	TenantID    string `json:"tenant_id" required:"false" maxLength:"64" doc:"Its ID; counts more than the name."`
	Admin       bool   `json:"admin" required:"false" doc:"Ask for the admin role of the whole account."`
	Grant       string `json:"grant" required:"false" maxLength:"64" doc:"ID of the grant to use; empty means a live one, else a new one."`
	Minutes     int64  `json:"minutes" required:"false" minimum:"0" maximum:"525600" doc:"Length of a new grant, and of the session at most; 0 means as settings say."`
	Ticket      string `json:"ticket" required:"false" maxLength:"200" doc:"Of a new grant."`
	Reason      string `json:"reason" required:"false" maxLength:"4000" doc:"Of a new grant."`
	Console     bool   `json:"console" required:"false" doc:"Also make an address that signs a browser in to the console."`
	Destination string `json:"destination" required:"false" maxLength:"2000" doc:"Where the console opens."`
	Region      string `json:"region" required:"false" maxLength:"40"`
	LogoutFirst bool   `json:"logout_first" required:"false" doc:"Whether the console signs out whoever is signed in there."`
	Machine     string `json:"machine" required:"false" maxLength:"255" doc:"Name of the machine that calls."`
	Application string `json:"application" required:"false" maxLength:"200" doc:"What calls, as it names itself."`
}

type sessionBody struct {
	Session     string    `json:"session"`
	Grant       string    `json:"grant"`
	Tenant      string    `json:"tenant"`
	TenantID    string    `json:"tenant_id"`
	Scope       string    `json:"scope" enum:"tenant,admin"`
	AccountID   string    `json:"account_id"`
	Region      string    `json:"region"`
	SessionName string    `json:"session_name" doc:"As CloudTrail shows it."`
	AccessKey   string    `json:"access_key_id"`
	SecretKey   string    `json:"secret_access_key"`
	Token       string    `json:"session_token"`
	Expiration  time.Time `json:"expiration" doc:"From then on the keys are of no use; never after the grant's end."`
	Validity    int64     `json:"validity" doc:"Seconds until then."`
	GrantEnds   time.Time `json:"grant_ends"`
	Notices     []string  `json:"notices" nullable:"false" doc:"Why it lasts shorter than asked, one sentence each."`
	ConsoleURL  string    `json:"console_url,omitempty" doc:"Whoever opens it has the access. Only if asked for."`
	Page        string    `json:"page" doc:"The grant on the website."`
}

type pendingBody struct {
	Grant string `json:"grant"`
	State string `json:"state" enum:"pending"`
	Page  string `json:"page"`
}

type tenantsBody struct {
	Tenants []tenantBody `json:"tenants" nullable:"false"`
}

type tenantBody struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	AccountID string   `json:"account_id"`
	Region    string   `json:"region"`
	Scopes    []string `json:"scopes" nullable:"false" enum:"tenant,admin" doc:"What can be had now."`
}

type endAsk struct {
	Tenant      string `json:"tenant" required:"false" maxLength:"200" doc:"Name of the tenant; may be left out if only one can be meant."`
	TenantID    string `json:"tenant_id" required:"false" maxLength:"64" doc:"Its ID; counts more than the name."`
	Admin       bool   `json:"admin" required:"false" doc:"End what there is of the admin role of the whole account, instead of the tenant's."`
	Grant       string `json:"grant" required:"false" maxLength:"64" doc:"ID of the grant to end; empty means all that the person has there."`
	Machine     string `json:"machine" required:"false" maxLength:"255" doc:"Name of the machine that calls."`
	Application string `json:"application" required:"false" maxLength:"200" doc:"What calls, as it names itself."`
}

type endBody struct {
	Scope  string      `json:"scope" enum:"tenant,admin"`
	Grants []endedBody `json:"grants" nullable:"false" doc:"What was ended, at least one."`
}

type endedBody struct {
	Grant    string `json:"grant"`
	TenantID string `json:"tenant_id"`
	State    string `json:"state" enum:"ending,withdrawn" doc:"ending: AWS is made to deny its sessions, and the page says when that was proved; withdrawn: nothing had been given."`
	Page     string `json:"page" doc:"The grant on the website."`
}

type issued struct {
	Status int
	Body   any
}

func (s *server) aws() {
	huma.Register(s.huma, huma.Operation{OperationID: "issue-aws-session", Method: http.MethodPost, Path: "/api/v1/aws/sessions", Summary: "Get keys or a console of AWS",
		MaxBodyBytes: maxBody, Security: signedIn,
		Responses: s.answers(map[string]*huma.Response{"200": answer[sessionBody](s, "The session; its secrets are told once."), "202": answer[pendingBody](s, "The grant waits for approval.")})}, s.issue)
	huma.Register(s.huma, huma.Operation{OperationID: "end-aws-sessions", Method: http.MethodPost, Path: "/api/v1/aws/sessions/end", Summary: "End early what the person has of AWS in one place",
		MaxBodyBytes: maxBody, Security: signedIn, Responses: s.answers(nil)}, s.end)
	huma.Register(s.huma, huma.Operation{OperationID: "list-aws-tenants", Method: http.MethodGet, Path: "/api/v1/aws/tenants", Summary: "List where sessions of AWS can be had",
		Security: signedIn, Responses: s.answers(nil)}, s.tenants)
}

// caller is from where a call comes, as the token allows.
func (c call) caller() broker.Caller {
	from := broker.Caller{Via: access.ViaToken, Token: c.token.ID, Application: c.token.Application, Machine: c.token.Machine, Address: c.address,
		NoAdmin: !c.token.Admin, Customers: c.token.Customers}
	if c.token.Kind == access.TokenCLI {
		from.Via = access.ViaCLI
	}
	return from
}

func scope(admin bool) string {
	if admin {
		return "admin"
	}
	return "tenant"
}

func (s *server) issue(ctx context.Context, in *struct{ Body sessionAsk }) (*issued, error) {
	b, c, began := in.Body, callOf(ctx), time.Now()
	ask := broker.SessionAsk{Customer: b.TenantID, Tenant: b.Tenant, Admin: b.Admin, Grant: b.Grant, Minutes: b.Minutes, Ticket: b.Ticket, Reason: b.Reason,
		For: access.ForKeys, To: target.Place{Region: b.Region, Destination: b.Destination, LogoutFirst: b.LogoutFirst, Issuer: s.Base}, From: c.caller()}
	if b.Console {
		ask.For = access.ForConsole
	}
	ask.From.Machine, ask.From.Application = cmp.Or(b.Machine, ask.From.Machine), cmp.Or(b.Application, ask.From.Application)
	got, err := s.Sessions.Issue(ctx, c.who, ask)
	if err != nil {
		p := s.problemOf(ctx, err)
		s.Log.InfoContext(ctx, "session not issued", "person", c.who.ID, "scope", scope(b.Admin), "via", ask.From.Via, "code", p.Code, "took", time.Since(began).Round(time.Microsecond).String())
		return nil, p
	}
	page := s.Base + "/grants/" + got.Grant.ID
	if got.Pending {
		s.Log.InfoContext(ctx, "session waits for approval", "person", c.who.ID, "grant", got.Grant.ID, "scope", scope(b.Admin), "via", ask.From.Via)
		return &issued{Status: http.StatusAccepted, Body: pendingBody{Grant: got.Grant.ID, State: "pending", Page: page}}, nil
	}
	s.Log.InfoContext(ctx, "session issued", "person", c.who.ID, "grant", got.Grant.ID, "session", got.Session.ID, "scope", scope(got.Admin), "via", ask.From.Via,
		"took", time.Since(began).Round(time.Microsecond).String())
	return &issued{Status: http.StatusOK, Body: bodyOf(got, page, time.Now())}, nil
}

func bodyOf(got broker.SessionAnswer, page string, now time.Time) sessionBody {
	ends := got.Grant.EndsAt()
	if got.Grant.VerifiedAt.IsZero() { // its clock starts when it is verified, which is at once
		ends = now.Add(got.Grant.Duration + got.Grant.Extension)
	}
	if ends.Before(got.Keys.EndsAt) {
		ends = got.Keys.EndsAt
	}
	b := sessionBody{Session: got.Session.ID, Grant: got.Grant.ID, Tenant: got.Customer.Name, TenantID: got.Customer.ID, Scope: scope(got.Admin),
		AccountID: got.Keys.Account, Region: got.Keys.Region, SessionName: got.Keys.Name,
		AccessKey: got.Keys.ID, SecretKey: got.Keys.Secret.Reveal(), Token: got.Keys.Token.Reveal(),
		Expiration: seconds(got.Keys.EndsAt), GrantEnds: seconds(ends), Notices: got.Notices, ConsoleURL: got.URL.Reveal(), Page: page}
	b.Validity = max(0, int64(b.Expiration.Sub(now)/time.Second))
	if b.Notices == nil {
		b.Notices = []string{}
	}
	return b
}

func (s *server) end(ctx context.Context, in *struct{ Body endAsk }) (*struct{ Body endBody }, error) {
	b, c := in.Body, callOf(ctx)
	ask := broker.SessionAsk{Customer: b.TenantID, Tenant: b.Tenant, Admin: b.Admin, Grant: b.Grant, From: c.caller()}
	ask.From.Machine, ask.From.Application = cmp.Or(b.Machine, ask.From.Machine), cmp.Or(b.Application, ask.From.Application)
	ended, err := s.Sessions.End(ctx, c.who, ask)
	if err != nil {
		p := s.problemOf(ctx, err)
		s.Log.InfoContext(ctx, "sessions not ended", "person", c.who.ID, "scope", scope(b.Admin), "via", ask.From.Via, "code", p.Code)
		return nil, p
	}
	out := endBody{Scope: scope(b.Admin), Grants: []endedBody{}}
	for _, g := range ended {
		one := endedBody{Grant: g.ID, TenantID: g.Customer, State: "ending", Page: s.Base + "/grants/" + g.ID}
		if g.StopCause == access.ByWithdrawal {
			one.State = "withdrawn"
		}
		out.Grants = append(out.Grants, one)
		s.Log.InfoContext(ctx, "sessions ended early", "person", c.who.ID, "grant", g.ID, "scope", out.Scope, "via", ask.From.Via)
	}
	return &struct{ Body endBody }{out}, nil
}

func (s *server) tenants(ctx context.Context, _ *nothing) (*struct{ Body tenantsBody }, error) {
	c := callOf(ctx)
	places, err := s.Sessions.Places(ctx, c.who, c.caller())
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	b := tenantsBody{Tenants: []tenantBody{}}
	for _, p := range places {
		t := tenantBody{ID: p.Customer.ID, Name: p.Customer.Name, AccountID: p.Account, Region: p.Region, Scopes: []string{}}
		for _, l := range p.Levels {
			if l.Refused == "" {
				t.Scopes = append(t.Scopes, scope(l.Right.Admin))
			}
		}
		b.Tenants = append(b.Tenants, t)
	}
	return &struct{ Body tenantsBody }{b}, nil
}
