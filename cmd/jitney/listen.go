package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// A front is how the website is reached.
type front struct {
	listen, metricsListen string
	baseURL               string
	issuer                string // address in tokens, if it is not ours
	tlsCert, tlsKey       string
	behindProxy           bool
	most                  int // connections at a time; zero means mostVisitors
}

// check refuses settings under which passwords would cross a network in clear.
func (f *front) check() error {
	wrong := func(err error, hint string) error {
		return &failure{code: exitUsage, what: "check the settings", err: err, hint: hint}
	}
	if (f.tlsCert == "") != (f.tlsKey == "") {
		return wrong(errors.New("--tls-cert and --tls-key belong together"), "Set both, or neither.")
	}
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return wrong(fmt.Errorf("--listen %s: %w", f.listen, err), "Write it as address:port, such as 127.0.0.1:8080.")
	}
	if f.tlsCert == "" && !isLoopback(host) && !f.behindProxy {
		return wrong(fmt.Errorf("plain HTTP on %s would show passwords to the network", f.listen),
			"Give --tls-cert and --tls-key, or say --behind-proxy if a proxy before it speaks HTTPS.")
	}
	if f.baseURL == "" && f.behindProxy {
		return wrong(errors.New("--behind-proxy without --base-url"), "Say where people reach the website, such as https://jitney.example.net: their sessions are kept for https only if that says so.")
	}
	if f.baseURL == "" {
		return nil
	}
	u, err := url.Parse(f.baseURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" && u.Path != "/" {
		return wrong(fmt.Errorf("--base-url %s is not an address such as https://jitney.example.net", f.baseURL), "")
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return wrong(fmt.Errorf("--base-url %s is not https", f.baseURL), "Browsers keep a session only over https.")
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// base is the address under which people reach the website, without a slash at
// its end.
func (f *front) base(addr net.Addr) string {
	if f.baseURL != "" {
		u, _ := url.Parse(f.baseURL)
		return u.Scheme + "://" + u.Host
	}
	scheme := "http"
	if f.tlsCert != "" {
		scheme = "https"
	}
	return scheme + "://" + addr.String()
}

// mostVisitors bounds the connections to the website. Whoever opens more waits:
// strangers must not use up the files and the memory that ending access needs.
const mostVisitors = 2000

// open listens, with TLS if there is a certificate.
func (f *front) open() (net.Listener, error) {
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return nil, &failure{what: "listen on " + f.listen, err: err, hint: "Choose another address with --listen."}
	}
	listener = netutil.LimitListener(listener, cmp.Or(f.most, mostVisitors))
	if f.tlsCert == "" {
		return listener, nil
	}
	pair := &keyPair{cert: f.tlsCert, key: f.tlsKey}
	if _, err := pair.get(nil); err != nil {
		return nil, errors.Join(&failure{what: "read the certificate", err: err, hint: "Check --tls-cert and --tls-key."}, listener.Close())
	}
	return tls.NewListener(listener, &tls.Config{GetCertificate: pair.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// A keyPair is a certificate that is read again when its file changes, so that
// renewing it needs no restart.
type keyPair struct {
	cert, key string

	mu   sync.Mutex
	read time.Time
	pair *tls.Certificate
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(k.cert)
	if err != nil || k.pair != nil && info.ModTime().Equal(k.read) {
		return k.pair, errIfNone(k.pair, err)
	}
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil { // half written: the old pair serves until both files fit
		return k.pair, errIfNone(k.pair, err)
	}
	k.pair, k.read = &pair, info.ModTime()
	return k.pair, nil
}

func errIfNone(pair *tls.Certificate, err error) error {
	if pair != nil {
		return nil
	}
	return err
}

// newServer serves h with limits on everything that a stranger could draw out.
// A page with a stream of events sets its own limit for writing.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// serveUntil serves until ctx ends, then lets requests finish for a while.
func serveUntil(ctx context.Context, server *http.Server, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if server.Shutdown(stop) != nil {
		_ = server.Close() // streams of events never finish by themselves
	}
	return nil
}
