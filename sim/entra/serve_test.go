package entra

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T) (world, *Server) {
	t.Helper()
	w := newWorld(t, Options{})
	s, err := w.cloud.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return w, s
}

// statusOf gets an address as host, if that is not empty.
func statusOf(t *testing.T, client *http.Client, address, host string) int {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestServerKeepsGraphFromThePlainListener(t *testing.T) {
	w, s := serve(t)
	plain := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(plain.CloseIdleConnections)
	browser := &http.Client{Transport: plain}
	consent := w.consentPath(w.tenant.ID, back)
	for path, want := range map[string]int{
		"/": 200, "/signin": 200, "/portal": 200, stylePath: 200, scriptPath: 200, consent: 200,
		"/v1.0/users": 404, "/_sim/journal": 404, "/" + w.tenant.ID + "/oauth2/v2.0/token": 404,
		"/" + w.tenant.ID + "/v2.0/.well-known/openid-configuration": 404, "/v1.0/users/adminconsent": 404,
	} {
		if got := statusOf(t, browser, s.BrowserURL()+path, ""); got != want {
			t.Errorf("plain %s: got %d, want %d", path, got, want)
		}
	}
	for path, want := range map[string]int{
		"/v1.0/users": 401, "/" + w.tenant.ID + "/v2.0/.well-known/openid-configuration": 200,
		"/nobody.example/v2.0/.well-known/openid-configuration": 400, "/common/discovery/instance": 200, "/common/discovery/v2.0/keys": 200,
	} {
		if got := statusOf(t, s.Client(), s.URL()+path, ""); got != want {
			t.Errorf("TLS %s: got %d, want %d", path, got, want)
		}
	}
	for _, address := range []string{s.BrowserURL() + "/signin", s.URL() + "/signin"} {
		if got := statusOf(t, s.Client(), address, "rebound.example"); got != http.StatusMisdirectedRequest {
			t.Errorf("%s for another host: got %d", address, got)
		}
	}
}

func TestServerTrustsNobodyElse(t *testing.T) {
	_, s := serve(t)
	if _, err := http.Get(s.URL()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a client without the CA got %v", err)
	}
	block, _ := pem.Decode(s.CA())
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !ca.IsCA || len(ca.PermittedIPRanges) != 2 || !ca.PermittedDNSDomainsCritical {
		t.Errorf("the CA vouches for too much: %+v", ca)
	}
}

func TestServerEnds(t *testing.T) {
	w := newWorld(t, Options{})
	for name, end := range map[string]func(cancel context.CancelFunc, s *Server){
		"with Close":       func(_ context.CancelFunc, s *Server) { s.Close(); s.Close() },
		"with its context": func(cancel context.CancelFunc, _ *Server) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := w.cloud.Serve(ctx)
			if err != nil {
				t.Fatal(err)
			}
			client := s.Client()
			client.Timeout = time.Second
			end(cancel, s)
			s.Close()
			if _, err := client.Get(s.URL() + "/signin"); err == nil {
				t.Error("it still answers")
			}
		})
	}
}

func TestServerStaysOnLoopback(t *testing.T) {
	w := newWorld(t, Options{})
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "nonsense"} {
		if s, err := w.cloud.ServeAt(t.Context(), addr, "127.0.0.1:0"); err == nil {
			s.Close()
			t.Errorf("it listens for Graph on %s", addr)
		}
		if s, err := w.cloud.ServeAt(t.Context(), "127.0.0.1:0", addr); err == nil {
			s.Close()
			t.Errorf("it listens for browsers on %s", addr)
		}
	}
}
