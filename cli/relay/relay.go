// Package relay serves keys on 127.0.0.1 in the way containers of Amazon get
// them, to who has the token of this one relay. It keeps no keys and makes
// none: it asks for them at every request. It never answers a browser.
package relay

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Keys are what SDKs read from a container's endpoint.
type Keys struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      string
	AccountID       string `json:"AccountId,omitempty"`
}

// A Relay is one endpoint. It is good until Close.
type Relay struct {
	URL   string // for AWS_CONTAINER_CREDENTIALS_FULL_URI
	Token string // for AWS_CONTAINER_AUTHORIZATION_TOKEN

	host   string
	keys   func(context.Context) (Keys, error)
	server *http.Server
}

// Start listens on a free port of 127.0.0.1 and asks keys for what it serves.
// The text of an error of keys is shown to who asks.
func Start(keys func(context.Context) (Keys, error)) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on 127.0.0.1: %w", err)
	}
	r := &Relay{host: listener.Addr().String(), Token: rand.Text() + rand.Text(), keys: keys}
	r.URL = "http://" + r.host + "/credentials"
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() { _ = r.server.Serve(listener) }()
	return r, nil
}

// Close stops it at once.
func (r *Relay) Close() error { return r.server.Close() }

// ServeHTTP answers one request for keys. Without the token, under another
// name of this computer, or from a page in a browser, there is nothing here.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case req.Host != r.host || req.Header.Get("Origin") != "" || req.URL.Path != "/credentials":
		refuse(w, http.StatusNotFound, "NotFound", "There is nothing here.")
		return
	case req.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "Only GET is answered.")
		return
	case subtle.ConstantTimeCompare([]byte(req.Header.Get("Authorization")), []byte(r.Token)) != 1:
		refuse(w, http.StatusForbidden, "AccessDenied", "The authorization token is missing or wrong.")
		return
	}
	keys, err := r.keys(req.Context())
	if err != nil {
		// 400 and not 500: SDKs repeat what fails with 500, and this does not
		// get better at once.
		refuse(w, http.StatusBadRequest, "Refused", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(keys)
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": text})
}
