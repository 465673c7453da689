package reach

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"jitney/secret"
	"jitney/ticket"
)

// A Login is how tokens are got (RFC 6749, 4.3 and 4.4).
type Login struct {
	Server  Options // of the authorisation server; it may be another host than the rest, and gets nothing but the form
	Path    string
	Query   url.Values
	Form    func() url.Values // holds the credentials; made for each call
	Refused string            // a sentence for when they are not accepted
}

// An Issuer gets tokens by a form, keeps each until shortly before it ends,
// and puts it on calls.
type Issuer struct {
	login  Login
	client *Client

	mu    sync.Mutex
	token secret.Text
	until time.Time
}

// NewIssuer prepares an issuer; it does not connect.
func NewIssuer(l Login) (*Issuer, error) {
	l.Server.Sign, l.Server.MaxAnswer = nil, 1<<20
	client, err := New(l.Server)
	if err != nil {
		return nil, err
	}
	return &Issuer{login: l, client: client}, nil
}

// Close ends idle connections.
func (i *Issuer) Close() error { return i.client.Close() }

// Sign is for Options.Sign of the client whose calls go through Do.
func (i *Issuer) Sign(h http.Header) {
	i.mu.Lock()
	defer i.mu.Unlock()
	h.Set("Authorization", "Bearer "+i.token.Reveal())
}

// Do makes a call of c with a token. If that is not accepted, a call that
// reads is made again with another one; one that writes is not, but it surely
// had no effect.
func (i *Issuer) Do(ctx context.Context, c *Client, call Call) (Answer, error) {
	token, err := i.get(ctx)
	if err != nil {
		return Answer{}, err
	}
	answer, err := c.Do(ctx, call)
	if err == nil || answer.Status != http.StatusUnauthorized {
		return answer, err
	}
	i.drop(token)
	if _, terr := i.get(ctx); terr != nil {
		return answer, terr
	}
	if call.Writes {
		return answer, c.trouble(ticket.Down, "asked to sign in again; the call will be made again", err)
	}
	return c.Do(ctx, call)
}

// get reports a token that is good for some more time.
func (i *Issuer) get(ctx context.Context) (secret.Text, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Now().Before(i.until) {
		return i.token, nil
	}
	var made struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	answer, err := i.client.Do(ctx, Call{Method: http.MethodPost, Path: i.login.Path, Query: i.login.Query, Form: i.login.Form(), Into: &made})
	kind := ticket.TroubleOf(err)
	switch {
	case err == nil && isToken(made.AccessToken):
	case err == nil || answer.isPage() && kind == ticket.Misconfigured:
		return secret.Text{}, i.client.trouble(ticket.Misconfigured, "answers with no token; is its address right?", err)
	case answer.Status >= 400 && kind != ticket.Throttled && kind != ticket.Down:
		return secret.Text{}, &ticket.Trouble{Kind: ticket.Misconfigured, Text: i.login.Refused, Err: err}
	default:
		return secret.Text{}, err
	}
	life := min(max(time.Duration(made.ExpiresIn)*time.Second, 0), time.Hour)
	i.token, i.until = secret.New(made.AccessToken), time.Now().Add(life-min(life/5, 2*time.Minute))
	return i.token, nil
}

// drop forgets a token that was not accepted, unless there is another already.
func (i *Issuer) drop(token secret.Text) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.token.Equal(token) {
		i.until = time.Time{}
	}
}

func isToken(text string) bool {
	return text != "" && len(text) <= 8000 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
