// Package reach makes the HTTP calls of ticket systems: to the one configured
// origin, never into private networks unless the operator named the host,
// without redirects, bounded in time and size, and with every failure told as
// a [ticket.Trouble] that says whether the call may have taken effect. It
// never repeats a call that changes something.
package reach

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"jitney/access"
	"jitney/ticket"
)

// Options describe one connection. Name and Base are needed.
type Options struct {
	Name  string // for people: "Request Tracker"
	Base  string // https://rt.example.com/rt; http:// only for a host that Rules name
	CA    string // PEM; empty for the system's authorities
	Rules Rules

	Timeout   time.Duration // of one call; 20 s if zero. It must stay below the system's grace.
	MaxAnswer int64         // bytes; 8 MiB if zero
	InFlight  int           // calls at a time; 4 if zero

	// Sign puts the credentials on each call. Only calls to Base get them.
	Sign func(http.Header)
}

// A Client calls one ticket system.
type Client struct {
	opt   Options
	base  *url.URL
	http  *http.Client
	slots chan struct{}
}

// Valid reports what is wrong with o, as *access.Error; nil if nothing.
func (o Options) Valid() error {
	_, _, err := o.parse()
	return err
}

// New prepares a client; it does not connect.
func New(o Options) (*Client, error) {
	base, tlsConfig, err := o.parse()
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = 8 << 20
	}
	if o.InFlight <= 0 {
		o.InFlight = 4
	}
	return &Client{opt: o, base: base, http: o.Rules.client(tlsConfig), slots: make(chan struct{}, o.InFlight)}, nil
}

func (o Options) parse() (*url.URL, *tls.Config, error) {
	invalid := func(text, hint string) (*url.URL, *tls.Config, error) {
		return nil, nil, &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
	}
	base, err := url.Parse(strings.TrimRight(strings.TrimSpace(o.Base), "/"))
	if err != nil || len(o.Base) > 500 || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" ||
		base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return invalid("The address must be the one of "+o.Name+" itself, such as https://desk.example.com, without a user name and without anything after the path.", "")
	}
	if base.Scheme == "http" && !o.Rules.Named(base.Hostname()) {
		return invalid("The address must begin with https://.", "Plain http is possible only for hosts that the operator of this server allowed by name.")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca := strings.TrimSpace(o.CA); ca != "" {
		config.RootCAs = x509.NewCertPool()
		if len(ca) > 256<<10 || !config.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return invalid("The certification authority must be a PEM certificate.", "It begins with -----BEGIN CERTIFICATE-----.")
		}
	}
	return base, config, nil
}

// URL is the address of path for people to open, with a query such as "id=7".
func (c *Client) URL(path, query string) string {
	u := *c.base.JoinPath(path)
	u.RawQuery = query
	return u.String()
}

// Plain reports whether calls travel without encryption.
func (c *Client) Plain() bool { return c.base.Scheme == "http" }

// Close ends idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// A Call is one request.
type Call struct {
	Method, Path string
	Query        url.Values
	Body         any        // sent as JSON; nil for none
	Form         url.Values // sent instead, as a form; for credentials, so no error ever quotes its answer
	Into         any        // where the JSON of a 2xx answer goes; nil if it does not matter
	Writes       bool       // it changes something, so that no answer means doubt
}

// An Answer is what came back, if anything did.
type Answer struct {
	Status int // 0 if nothing came back
	Header http.Header
	Body   []byte // at most MaxAnswer bytes
}

// Do makes one call. Its error is a *ticket.Trouble, beside which Answer is
// what came back; a connector looks at that where its system means something
// else by a status than others do.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return Answer{}, c.trouble(ticket.Down, "is busy with other calls of ours", ctx.Err())
	}
	var connected atomic.Bool
	trace := httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req, err := c.request(httptrace.WithClientTrace(ctx, &trace), call)
	if err != nil {
		return Answer{}, c.trouble(ticket.Rejected, "cannot be asked this", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, c.unanswered(call, connected.Load(), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.opt.MaxAnswer+1))
	if int64(len(body)) > c.opt.MaxAnswer {
		body, err = body[:c.opt.MaxAnswer], fmt.Errorf("the answer is longer than %d bytes", c.opt.MaxAnswer)
	}
	answer := Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if err != nil {
		return answer, c.unanswered(call, true, err)
	}
	return answer, c.judge(call, answer)
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	u := *c.base.JoinPath(call.Path)
	u.RawQuery = call.Query.Encode()
	var body io.Reader
	kind := "application/json"
	switch {
	case call.Form != nil:
		kind, body = "application/x-www-form-urlencoded", strings.NewReader(call.Form.Encode())
	case call.Body != nil:
		text, err := json.Marshal(call.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "jitney")
	if c.opt.Sign != nil {
		c.opt.Sign(req.Header)
	}
	return req, nil
}

// unanswered says what a call without a whole answer means.
func (c *Client) unanswered(call Call, connected bool, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address adds nothing
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return c.trouble(ticket.Misconfigured, "is at an address of a private network, which is refused unless the operator of this server allows "+r.host+" by name", err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return c.trouble(ticket.Misconfigured, "shows a certificate that is not trusted", err)
	}
	switch {
	case call.Writes && connected:
		return c.trouble(ticket.Doubtful, "gave no answer", err)
	case connected:
		return c.trouble(ticket.Down, "gave no answer", err)
	default:
		return c.trouble(ticket.Down, "cannot be reached", err)
	}
}

func (c *Client) trouble(kind ticket.TroubleKind, what string, err error) *ticket.Trouble {
	return &ticket.Trouble{Kind: kind, Text: c.opt.Name + " " + what + ".", Err: err}
}
