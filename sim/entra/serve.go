package entra

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// caLife is how long the throw-away certificates of a server are good for.
const caLife = 90 * 24 * time.Hour

// A Server is a Cloud that listens: over TLS for Graph and tokens, and over
// plain http for the pages that a browser visits. Both are on loopback.
type Server struct {
	url, browserURL string
	ca              []byte
	servers         [2]*http.Server
	pool            *x509.CertPool
	cancel          context.CancelFunc
	done            sync.WaitGroup
}

// Serve listens on two free ports of 127.0.0.1 until ctx ends or Close.
func (c *Cloud) Serve(ctx context.Context) (*Server, error) {
	return c.ServeAt(ctx, "127.0.0.1:0", "127.0.0.1:0")
}

// ServeAt is Serve on addresses of the caller's choice, which must be on
// loopback: what it serves trusts everyone who can reach it.
func (c *Cloud) ServeAt(ctx context.Context, tlsAddr, browserAddr string) (*Server, error) {
	leaf, ca, err := throwAwayCA()
	if err != nil {
		return nil, fmt.Errorf("entra: make certificates: %w", err)
	}
	secure, err := listenLoopback(ctx, tlsAddr)
	if err != nil {
		return nil, fmt.Errorf("entra: listen for Graph: %w", err)
	}
	plain, err := listenLoopback(ctx, browserAddr)
	if err != nil {
		secure.Close()
		return nil, fmt.Errorf("entra: listen for browsers: %w", err)
	}
	s := &Server{
		url:        "https://" + secure.Addr().String(),
		browserURL: "http://" + plain.Addr().String(),
		ca:         ca,
		pool:       x509.NewCertPool(),
	}
	s.pool.AppendCertsFromPEM(ca)
	ctx, s.cancel = context.WithCancel(ctx)
	all := c.Handler()
	s.start(0, tls.NewListener(secure, &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}), all)
	s.start(1, plain, onlyPages(all))
	s.done.Go(func() {
		<-ctx.Done()
		s.servers[0].Close()
		s.servers[1].Close()
	})
	return s, nil
}

func (s *Server) start(i int, l net.Listener, h http.Handler) {
	s.servers[i] = &http.Server{
		Handler:           onlyLoopback(h),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // dropped connections are what it is for
	}
	s.done.Go(func() { s.servers[i].Serve(l) })
}

// URL is where Graph (under /v1.0) and the token endpoint (under the ID of a
// tenant) are: https, without a slash at the end. It serves the pages too.
func (s *Server) URL() string { return s.url }

// BrowserURL is where /signin, /portal and the consent pages are: plain http,
// without a slash at the end. Graph and tokens are not there.
func (s *Server) BrowserURL() string { return s.browserURL }

// CA is the certificate, in PEM, that a client of URL must trust. Its key was
// thrown away, and it vouches for loopback addresses only.
func (s *Server) CA() []byte { return s.ca }

// Client makes an HTTP client that trusts CA, and nothing else.
func (s *Server) Client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool, MinVersion: tls.VersionTLS12}},
		Timeout:   time.Minute,
	}
}

// Close ends both listeners and every connection, and waits for that. What the
// Cloud holds stays. It may be called more than once.
func (s *Server) Close() error {
	s.cancel()
	s.done.Wait()
	return nil
}

// listenLoopback refuses every address that other machines can reach.
func listenLoopback(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s is not a loopback address", host)
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

// onlyLoopback refuses requests for another host, which a page elsewhere
// could send through a name that it points at 127.0.0.1.
func onlyLoopback(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, "This simulator answers on loopback only.", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isLoopback reports whether host, with or without a port, is this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// onlyPages lets through what a person looks at.
func onlyPages(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		switch {
		case p == "/":
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
		case strings.HasPrefix(p, "/v1.0/"), strings.HasPrefix(p, "/_sim/"):
			http.NotFound(w, r)
		case p == "/signin", p == "/signout", p == "/portal", p == stylePath, p == scriptPath, strings.HasSuffix(p, "/adminconsent"):
			h.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// throwAwayCA makes a certificate for loopback and the one that vouches for
// it, whose key is forgotten.
func throwAwayCA() (leaf tls.Certificate, caPEM []byte, err error) {
	now := time.Now()
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Simulated Microsoft 365, throw-away"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		PermittedDNSDomains:   []string{"localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
		PermittedDNSDomainsCritical: true,
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return leaf, nil, err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return leaf, nil, err
	}
	end := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    ca.NotBefore,
		NotAfter:     ca.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  loopback,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return leaf, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, end, ca, &key.PublicKey, caKey)
	if err != nil {
		return leaf, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), nil
}
