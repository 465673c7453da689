package call

import (
	"context"
	"net/http"
	"time"
)

// An Ask is a request for a session on AWS.
type Ask struct {
	Tenant      string `json:"tenant"`
	TenantID    string `json:"tenant_id"`
	Admin       bool   `json:"admin"`
	Grant       string `json:"grant"`
	Minutes     int    `json:"minutes"`
	Ticket      string `json:"ticket"`
	Reason      string `json:"reason"`
	Console     bool   `json:"console"`
	Destination string `json:"destination"`
	Region      string `json:"region"`
	LogoutFirst bool   `json:"logout_first"`
	Machine     string `json:"machine"`
	Application string `json:"application"`
}

// A Session is what was issued. Its keys and ConsoleURL are secrets: it must
// not be printed but by the command that was asked for them.
type Session struct {
	Session         string    `json:"session"`
	Grant           string    `json:"grant"`
	Tenant          string    `json:"tenant"`
	TenantID        string    `json:"tenant_id"`
	Scope           string    `json:"scope"` // tenant or admin
	AccountID       string    `json:"account_id"`
	Region          string    `json:"region"`
	SessionName     string    `json:"session_name"`
	AccessKeyID     string    `json:"access_key_id"`
	SecretAccessKey string    `json:"secret_access_key"`
	SessionToken    string    `json:"session_token"`
	Expiration      time.Time `json:"expiration"`
	Validity        int       `json:"validity"` // seconds
	GrantEnds       time.Time `json:"grant_ends"`
	Notices         []string  `json:"notices"`
	ConsoleURL      string    `json:"console_url"`
	Page            string    `json:"page"`
	State           string    `json:"state"` // pending: nothing is issued, the grant waits for approval
}

// Issue asks for a session: one request.
func (c *Client) Issue(ctx context.Context, token string, ask Ask) (Session, Answer, error) {
	var s Session
	a, err := c.Do(ctx, http.MethodPost, "/api/v1/aws/sessions", token, ask, &s)
	return s, a, err
}

// An EndAsk says what to end early.
type EndAsk struct {
	Tenant      string `json:"tenant"`
	TenantID    string `json:"tenant_id"`
	Admin       bool   `json:"admin"`
	Grant       string `json:"grant"`
	Machine     string `json:"machine"`
	Application string `json:"application"`
}

// An Ended is one grant that was ended.
type Ended struct {
	Grant    string `json:"grant"`
	TenantID string `json:"tenant_id"`
	State    string `json:"state"` // ending or withdrawn
	Page     string `json:"page"`
}

// End asks to end early what the person has in one place: one request.
func (c *Client) End(ctx context.Context, token string, ask EndAsk) ([]Ended, Answer, error) {
	var out struct {
		Grants []Ended `json:"grants"`
	}
	a, err := c.Do(ctx, http.MethodPost, "/api/v1/aws/sessions/end", token, ask, &out)
	return out.Grants, a, err
}

// A Me is whose token it is.
type Me struct {
	Person struct {
		ID            string `json:"id"`
		Login         string `json:"login"`
		Name          string `json:"name"`
		Administrator bool   `json:"administrator"`
	} `json:"person"`
	Token struct {
		Kind      string    `json:"kind"`
		Name      string    `json:"name"`
		Admin     bool      `json:"admin"`
		Tenants   []string  `json:"tenants"`
		ExpiresAt time.Time `json:"expires_at"`
	} `json:"token"`
}

// Me asks whose token it is.
func (c *Client) Me(ctx context.Context, token string) (me Me, err error) {
	_, err = c.Do(ctx, http.MethodGet, "/api/v1/me", token, nil, &me)
	return me, err
}

// A Tenant is one that the person may use.
type Tenant struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	AccountID string   `json:"account_id"`
	Region    string   `json:"region"`
	Scopes    []string `json:"scopes"`
}

// Tenants asks which tenants the person may use.
func (c *Client) Tenants(ctx context.Context, token string) ([]Tenant, error) {
	var answer struct {
		Tenants []Tenant `json:"tenants"`
	}
	_, err := c.Do(ctx, http.MethodGet, "/api/v1/aws/tenants", token, nil, &answer)
	return answer.Tenants, err
}
