package aws

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Server is a Cloud that listens on loopback, over plain http, which AWS's clients take for an endpoint.
type Server struct {
	url    string
	server *http.Server
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Serve listens on a free port of 127.0.0.1 until ctx ends or Close.
func (c *Cloud) Serve(ctx context.Context) (*Server, error) { return c.ServeAt(ctx, "127.0.0.1:0") }

// ServeAt is Serve on an address of the caller's choice, which must be on loopback.
func (c *Cloud) ServeAt(ctx context.Context, addr string) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("aws: listen on %s: %w", addr, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("aws: listen on %s: that is not a loopback address", addr)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("aws: listen: %w", err)
	}
	s := &Server{url: "http://" + l.Addr().String()}
	s.server = &http.Server{
		Handler:           onlyLoopback(c.Handler()),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // dropped connections are what it is for
	}
	ctx, s.cancel = context.WithCancel(ctx)
	s.done.Go(func() { _ = s.server.Serve(l) })
	s.done.Go(func() {
		<-ctx.Done()
		s.server.Close()
	})
	return s, nil
}

// URL is the endpoint of STS, IAM and S3 at once, without a slash at the end. The federation endpoint is URL/federation,
// the console URL/console.
func (s *Server) URL() string { return s.url }

// Close ends the listener and every connection, and waits for that. What the Cloud holds stays. It may be called again.
func (s *Server) Close() error {
	s.cancel()
	s.done.Wait()
	return nil
}

// onlyLoopback refuses requests for another host, which a page elsewhere could send through a name that it points at
// 127.0.0.1. Names under localhost are buckets.
func onlyLoopback(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if only, _, err := net.SplitHostPort(host); err == nil {
			host = only
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if host != "localhost" && !strings.HasSuffix(host, ".localhost") && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "This simulator answers on loopback only.", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}
