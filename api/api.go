package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

const (
	// maxBody bounds what a call may send.
	maxBody = 16 << 10
	// pairingPaths is what may be called without a token.
	pairingPaths = "/api/v1/cli/pairings"
	openAPIPath  = "/api/openapi.json"
)

// Tokens knows whom a token acts for.
type Tokens interface {
	// Check is access.Denied with the code "login_needed" if it lets nobody in.
	Check(ctx context.Context, text secret.Text, address string) (access.Person, access.Token, error)
	// Leave ends the sign-in of a command line; access.Invalid for other tokens.
	Leave(ctx context.Context, t access.Token) error
}

// Pairings lets command lines sign in. Its errors are access.Denied if a
// person or a check said no, and access.Conflict with the code "ended".
type Pairings interface {
	Begin(ctx context.Context, ask access.Pairing) (access.Pairing, error)
	// Redeem reports the pairing, and once it is authorized the token and its text.
	Redeem(ctx context.Context, id string, verifier, code secret.Text, address string) (access.Pairing, access.Token, secret.Text, error)
}

// Sessions issues keys and consoles, and ends them early.
type Sessions interface {
	Issue(ctx context.Context, who access.Person, ask broker.SessionAsk) (broker.SessionAnswer, error)
	// End ends all grants of one place, which are of one customer; never none without an error.
	End(ctx context.Context, who access.Person, ask broker.SessionAsk) ([]access.Grant, error)
	Places(ctx context.Context, who access.Person, from broker.Caller) ([]broker.SessionPlace, error)
}

// Customers lists the customers that a person may see, by name.
type Customers interface {
	Customers(ctx context.Context, who access.Person) ([]access.Customer, error)
}

// Config is what the API needs.
type Config struct {
	Tokens    Tokens
	Pairings  Pairings
	Sessions  Sessions
	Customers Customers
	// Base is where people reach the website, without a slash at its end.
	Base string
	// Version is that of the program.
	Version string
	Log     *slog.Logger
	// Address reports the address of a caller; nil takes the connection's. Behind
	// a proxy it must be told where the proxy writes it.
	Address func(*http.Request) string
}

type server struct {
	Config
	huma huma.API
}

// New returns the handler of everything under /api/. It describes itself by
// reflection, which takes some milliseconds: only a server should call it.
func New(c Config) (http.Handler, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Address == nil {
		c.Address = remote
	}
	mux := http.NewServeMux()
	s := &server{Config: c, huma: humago.New(mux, describe(c.Version))}
	s.me()
	s.pairings()
	s.aws()
	doc := s.huma.OpenAPI()
	finish(doc)
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	mux.HandleFunc("GET "+openAPIPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	})
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		write(w, &problem{Status: http.StatusNotFound, Code: "not_found", Detail: "There is no such call.", Hint: "See " + openAPIPath + "."})
	})
	return s.guard(mux), nil
}

func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// describe is the frame of the OpenAPI document.
func describe(version string) huma.Config {
	c := huma.DefaultConfig("Jitney", version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.Info.Description = "Just-in-time administrator access, for programs. Times are RFC 3339 in UTC. What goes wrong is answered as RFC 9457 says, with a stable code and a hint."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer",
		Description: "An API token (jat_…) or the sign-in of a command line (jcl_…)."}}
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	c.Transformers = []huma.Transformer{ours}
	return c
}

// A call is one request, before its body is read.
type call struct {
	who     access.Person
	token   access.Token
	address string
}

type callKey struct{}

func callOf(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}

// guard sets what every answer carries, bounds what comes in, and lets nobody
// past without a token, but for command lines that ask to sign in.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		c := call{address: s.Address(r)}
		public := r.URL.Path == pairingPaths || strings.HasPrefix(r.URL.Path, pairingPaths+"/") || r.URL.Path == openAPIPath
		if !public {
			var err error
			if c.who, c.token, err = s.Tokens.Check(r.Context(), bearer(r), c.address); err != nil {
				write(w, s.problemOf(r.Context(), err))
				return
			}
		}
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.ContentLength != 0 && (err != nil || kind != "application/json") {
			// Also what keeps the pages of others from calling without being asked.
			write(w, &problem{Status: http.StatusUnsupportedMediaType, Code: "invalid", Detail: "The body is not JSON.", Hint: "Send it with Content-Type: application/json."})
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
	})
}

// bearer is the token that a request carries; empty if it has none.
func bearer(r *http.Request) secret.Text {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return secret.Text{}
	}
	return secret.New(strings.TrimSpace(token))
}
