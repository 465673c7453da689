package entra

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// Bounds of what a slow or hostile server can do.
const (
	tryTimeout = 15 * time.Second // one request
	maxBody    = 4 << 20
)

var errTooBig = errors.New("the answer is larger than any honest one")

// A wire sends requests and bounds the answers. It follows no redirects.
type wire struct{ rt http.RoundTripper }

// wireFor prepares the way to the cloud of s. Targets in Microsoft's own
// clouds share connections.
func (p *pool) wireFor(s *settings) wire {
	switch {
	case p.transport != nil:
		return wire{p.transport}
	case s.roots != nil:
		t := newTransport()
		t.TLSClientConfig.RootCAs = s.roots
		return wire{t}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.usual == nil {
		p.usual = newTransport()
	}
	return wire{p.usual}
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  tryTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Do sends r.
func (w wire) Do(r *http.Request) (*http.Response, error) {
	resp, err := w.rt.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// close drops connections that only this target has.
func (w wire) close(p *pool) {
	if t, ok := w.rt.(*http.Transport); ok && t != p.usual && w.rt != p.transport {
		t.CloseIdleConnections()
	}
}

// bounded gives up on an answer without end.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooBig
	}
	return n, err
}
