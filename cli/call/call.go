// Package call speaks the HTTP interface of Jitney for the command line: one
// request for each call, never repeated, never redirected. Answers are from
// outside: bounded, checked, and cleaned before a person sees them. It keeps
// nothing and prints nothing.
package call

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/cli/exit"
)

const (
	patience   = 30 * time.Second
	mostAnswer = 1 << 20
)

// A Client calls one Jitney. The zero HTTP means a client made for one
// request.
type Client struct {
	Origin string // as keep.Origin reports it
	HTTP   *http.Client
	Agent  string // for the User-Agent
}

// New returns a client that makes one connection and is then done: HTTP/1.1,
// which starts quicker, and without redirects, which could carry a token
// elsewhere.
func New(origin, agent string) *Client {
	if strings.HasPrefix(origin, "https:") {
		// Some systems keep hundreds of authorities, whose reading takes longer than
		// everything else here: it goes on while the connection is made.
		go func() { _, _ = x509.SystemCertPool() }()
	}
	return &Client{Origin: origin, Agent: agent, HTTP: &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: patience,
			DisableCompression:    true,
			MaxIdleConnsPerHost:   1,
			IdleConnTimeout:       30 * time.Second,
		},
	}}
}

// An Answer is what came back beside the content.
type Answer struct {
	Status int
	Date   time.Time     // by the clock of the server; zero if it did not say
	Took   time.Duration // from question to answer
}

// Do sends in, decodes the answer into out, and reports what came with it. The
// error is an *exit.Error with the code for what the server said; Answer is
// good beside it. A nil in or out is left out.
func (c *Client) Do(ctx context.Context, method, path, token string, in, out any) (Answer, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return Answer{}, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Origin+path, body)
	if err != nil {
		return Answer{}, c.unreachable(err)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.Agent)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	began := time.Now()
	res, err := c.HTTP.Do(req)
	if err != nil {
		return Answer{}, c.unreachable(err)
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, Took: time.Since(began)}
	a.Date, _ = http.ParseTime(res.Header.Get("Date"))
	data, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	switch {
	case err != nil:
		return a, c.unreachable(err)
	case len(data) > mostAnswer:
		return a, c.strange()
	case res.StatusCode < 200 || res.StatusCode > 299:
		return a, c.problem(res, data)
	case out == nil || res.StatusCode == http.StatusNoContent:
		return a, nil
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != "application/json" || json.Unmarshal(data, out) != nil {
		return a, c.strange()
	}
	return a, nil
}

// strange is the error for an answer that is not one of Jitney's: a portal of
// a hotel, a proxy, another website.
func (c *Client) strange() error {
	return exit.New(exit.Unreachable, fmt.Sprintf("What answered at %s is not Jitney.", c.Origin), "Check --host, and whether a proxy or sign-in page of your network is in between.")
}

// unreachable says why no answer came, in words.
func (c *Client) unreachable(err error) error {
	why := "did not answer"
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		op   *net.OpError
		rec  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns):
		why = "cannot be found: its name has no address here"
	case errors.As(err, &cert):
		why = "showed a certificate that this computer does not trust (" + Clean(cert.Err.Error()) + ")"
	case errors.As(err, &rec):
		why = "does not speak HTTPS"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		why = "did not answer in time"
	case errors.Is(err, context.Canceled):
		return &exit.Error{Code: exit.Failed, Text: "Interrupted.", Err: err}
	case errors.As(err, &op) && op.Op == "dial":
		why = "cannot be reached (" + Clean(op.Err.Error()) + ")"
	}
	return &exit.Error{Code: exit.Unreachable, Text: fmt.Sprintf("Jitney at %s %s.", c.Origin, why), Hint: "Check the address and your network, then repeat.", Err: plain(err)}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// plain takes the address out of an error; it may hold what was asked.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// A problem is an error as RFC 9457 writes it, with our code and hint.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Hint   string `json:"hint"`
}

// problem turns a refusal into words and an exit code.
func (c *Client) problem(res *http.Response, data []byte) error {
	var p problem
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	known := strings.HasSuffix(kind, "json") && json.Unmarshal(data, &p) == nil && (p.Detail != "" || p.Title != "" || p.Code != "")
	e := &exit.Error{Text: Clean(p.Detail), Hint: Clean(p.Hint)}
	if e.Text == "" {
		e.Text = Clean(p.Title)
	}
	usual := "Jitney refused this."
	switch status := res.StatusCode; {
	case status == http.StatusUnauthorized:
		e.Code, usual = exit.Login, "Jitney does not know this token, or it is over."
	case !known && status < 500 && status != http.StatusTooManyRequests && status != http.StatusForbidden:
		return c.strange()
	case status == http.StatusForbidden:
		e.Code = exit.Refused
	case status == http.StatusNotFound:
		e.Code, usual = exit.NotFound, "Jitney has no such tenant or grant."
	case status == http.StatusGone:
		e.Code, usual = exit.Ended, "The grant is over."
	case status == http.StatusTooManyRequests:
		e.Code, usual = exit.Unreachable, "Jitney asks to wait: too many requests."
	case status >= 500:
		e.Code, usual = exit.Unreachable, fmt.Sprintf("Jitney at %s cannot answer now (HTTP %d).", c.Origin, status)
	default:
		e.Code = exit.Usage
	}
	if e.Text == "" {
		e.Text = usual
	}
	return e
}

// Clean brings text of others onto one line of bounded length, without
// anything that moves the cursor of a terminal or turns the direction of
// writing.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 600 {
		s = string(r[:600]) + "…"
	}
	return strings.TrimSpace(s)
}
