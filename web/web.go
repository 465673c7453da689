// Package web is the website of jitney: forms in, pages out.
//
// Every page works without JavaScript, every action is a plain form, and every
// fragment that htmx fetches is a page as well. The package decides nothing:
// what a person may see or do is decided by package broker, and an error that
// comes back becomes a page in exactly one place, [Server.fail]. It never reads
// the database, and never puts a secret into an address, a log or any page but
// the one that reveals it.
package web

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/broker"
)

// A Server serves the website. Its exported fields are set before [Server.Open].
type Server struct {
	Broker   *broker.Broker
	SignIn   SignIn
	Setup    Setup
	Accounts Accounts
	Tokens   Tokens
	Pairings Pairings
	Provider Provider // nil if nobody else vouches for people
	// NoPasswords says that people come by Provider only.
	NoPasswords bool
	// CommandLines is how long one stays signed in; zero means access.CLISignIn.
	CommandLines time.Duration
	// From reports the address of a visitor; nil takes the connection's.
	From func(*http.Request) string
	// Address is where people reach the website, such as https://jitney.example;
	// empty means where the request came.
	Address string
	// Banner stands above every page, LoginHint below the sign-in; empty for none.
	Banner, LoginHint string

	zone  *time.Location
	pages map[string]*template.Template
	files assets

	patterns []string // every address that is registered: a test demands to know who may use it

	closing chan struct{}
	streams streams
}

// Open reads templates, icons and static files, and returns the website.
func (s *Server) Open(zone *time.Location) (http.Handler, error) {
	icons, err := readIcons()
	if err != nil {
		return nil, err
	}
	if s.files, err = readAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = readPages(icons, s.files); err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	s.zone, s.closing = zone, make(chan struct{})
	return s.withHooks(guard(s.SignIn.Load(s.routes()))), nil
}

// localPath is path if it is an address within this website, and otherwise not:
// no form may send a visitor elsewhere.
func localPath(path, otherwise string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return otherwise
	}
	return path
}

// address is where the visitor reached the website, without a slash at the end.
func (s *Server) address(r *http.Request) string {
	if s.Address != "" {
		return strings.TrimRight(s.Address, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if from, err := url.Parse(r.Header.Get("Origin")); err == nil && from.Host == r.Host && from.Scheme == "https" {
		scheme = "https" // a proxy ended it
	}
	return scheme + "://" + r.Host
}

// Close ends the open event streams, so that a server can shut down. It may be
// called once, after Open.
func (s *Server) Close() { close(s.closing) }
