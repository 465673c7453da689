package halo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"jitney/secret"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// An issuer gets tokens from the authorisation server, which has a host of its
// own in the settings. What a reply names gets no credentials.
type issuer struct {
	settings
	http *http.Client

	mu    sync.Mutex
	token secret.Text
	until time.Time
}

func newIssuer(s settings) (*issuer, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.auth.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(s.auth.CA)) {
			return nil, invalid("The certification authority must be a PEM certificate.", "")
		}
	}
	return &issuer{settings: s, http: &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{DialContext: dial(s.auth.Rules), TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// dial connects to what the rules allow. The address is checked right before
// the connection is made, so no name server can change it in between.
func dial(rules reach.Rules) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
			if to, err := netip.ParseAddrPort(address); err != nil || !rules.Allows(host, to.Addr()) {
				return fmt.Errorf("%s is at %s: %w", host, address, errRefused)
			}
			return nil
		}}
		return d.DialContext(ctx, network, addr)
	}
}

// errRefused says that an address must not be called.
var errRefused = errors.New("the address is refused")

func isToken(text string) bool {
	return text != "" && len(text) <= 8000 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// get reports a token that is good for some more minutes.
func (i *issuer) get(ctx context.Context) (secret.Text, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Now().Before(i.until) {
		return i.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {i.id}, "client_secret": {i.secret.Reveal()}, "scope": {"all"}}
	address := i.auth.Base + "/token"
	if i.tenant != "" {
		address += "?tenant=" + url.QueryEscape(i.tenant)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return secret.Text{}, trouble(ticket.Misconfigured, "The authorisation server of Halo has no usable address.", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := i.http.Do(req)
	if errors.Is(err, errRefused) {
		return secret.Text{}, trouble(ticket.Misconfigured, "The authorisation server of Halo is at an address of a private network, which is refused unless the operator of this server allows it by name.", err)
	}
	if err != nil {
		return secret.Text{}, trouble(ticket.Down, "The authorisation server of Halo cannot be reached.", err)
	}
	defer resp.Body.Close()
	var made struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	status := fmt.Errorf("status %d", resp.StatusCode) // the body could hold what was sent
	switch {
	case err != nil || resp.StatusCode >= 500:
		return secret.Text{}, trouble(ticket.Down, "The authorisation server of Halo failed.", status)
	case resp.StatusCode == http.StatusTooManyRequests:
		t := trouble(ticket.Throttled, "The authorisation server of Halo asks for fewer calls.", status)
		t.After = time.Minute
		return secret.Text{}, t
	case resp.StatusCode != http.StatusOK:
		return secret.Text{}, trouble(ticket.Misconfigured, "Halo does not accept the client ID, the client secret or the instance of this connection.", status)
	case json.Unmarshal(body, &made) != nil || !isToken(made.AccessToken):
		return secret.Text{}, trouble(ticket.Misconfigured, "The authorisation server of Halo answers with no token; is its address right?", status)
	}
	life := min(max(time.Duration(made.ExpiresIn)*time.Second, 0), time.Hour)
	i.token, i.until = secret.New(made.AccessToken), time.Now().Add(life-min(life/5, 2*time.Minute))
	return i.token, nil
}

// drop forgets a token that was not accepted, unless there is another already.
func (i *issuer) drop(token secret.Text) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.token.Equal(token) {
		i.until = time.Time{}
	}
}

// current is the token that calls bear.
func (i *issuer) current() secret.Text {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.token
}

func (s *system) sign(h http.Header) { h.Set("Authorization", "Bearer "+s.issuer.current().Reveal()) }

// do makes a call. If its token is not accepted, a call that reads is made
// again with another one; one that writes is not, but it surely had no effect.
func (s *system) do(ctx context.Context, call reach.Call) (reach.Answer, error) {
	token, err := s.issuer.get(ctx)
	if err != nil {
		return reach.Answer{}, err
	}
	answer, err := s.client.Do(ctx, call)
	if err == nil || answer.Status != http.StatusUnauthorized {
		return answer, err
	}
	s.issuer.drop(token)
	if _, terr := s.issuer.get(ctx); terr != nil {
		return answer, terr
	}
	if call.Writes {
		return answer, trouble(ticket.Down, "Halo asked to sign in again; the call will be made again.", err)
	}
	return s.client.Do(ctx, call)
}

func trouble(kind ticket.TroubleKind, text string, err error) *ticket.Trouble {
	return &ticket.Trouble{Kind: kind, Text: text, Err: err}
}
