package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"jitney/access"
	"jitney/api"
	"jitney/issuer"
	"jitney/signin"
	"jitney/web"
)

// website puts the pages together, and reports what ends the streams that
// visitors watch, which would never end by themselves. On a new installation it logs the address
// at which the first administrator is made, and the token to type there.
func (s *service) website(ctx context.Context, p *program, base string) (site http.Handler, end func(), err error) {
	cfg := p.doorConfig(strings.HasPrefix(base, "https://"))
	cfg.Lasts, cfg.NoPasswords = s.signInLength, s.vouch.only
	if s.behindProxy {
		cfg.Address = forwarded
	}
	door := signin.New(cfg)
	all, tokens, pairings := p.brokers(p.store.People), p.tokens(), signin.NewPairings(p.store.People, p.store.Pairings, p.log)
	if s.signInLength > 0 {
		pairings.Lasts = s.signInLength
	}
	server := &web.Server{Broker: all, Address: base, SignIn: door, Setup: door, Accounts: accounts{door}, Tokens: tokens, Pairings: pairings, Banner: s.banner, LoginHint: s.hint}
	server.NoPasswords, server.CommandLines = s.vouch.only, pairings.Lasts
	if provider, err := s.vouch.open(p, door, base); err != nil {
		return nil, nil, err
	} else if provider != nil {
		server.Provider = provider
	}
	pages, err := server.Open(p.zone(ctx))
	if err != nil {
		return nil, nil, err
	}
	if err := s.invite(ctx, door, base); err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	handleHealth(mux, p.probes())
	calls := api.Config{Tokens: tokens, Pairings: pairings, Sessions: all.Sessions, Customers: all.Places, Base: base, Version: versionName(), Log: p.log}
	if s.behindProxy {
		calls.Address, server.From = forwarded, forwarded
	}
	programs, err := api.New(calls)
	if err != nil {
		return nil, nil, err
	}
	mux.Handle("/api/", programs)
	mux.Handle("GET "+issuer.Discovery, p.issuer)
	mux.Handle("GET "+issuer.JWKS, p.issuer)
	mux.Handle("/", pages)
	return logged(strict(mux, base), s.log), server.Close, nil
}

// strict has browsers come over https only, also next time, if this is reached so.
func strict(next http.Handler, base string) http.Handler {
	if !strings.HasPrefix(base, "https://") {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}

// invite logs the address at which the first administrator is made, if there
// is nobody yet, and the token apart from it: an address stays in histories.
func (s *service) invite(ctx context.Context, door *signin.Door, base string) error {
	token, until, err := door.Invite(ctx)
	if err != nil || token == "" {
		return err
	}
	s.log.Warn("nobody can sign in yet: open this address and type the token to make the first administrator", "address", base+"/setup", "token", token, "until", until)
	return nil
}

func (p *program) door(https bool) *signin.Door {
	return signin.New(p.doorConfig(https))
}

func (p *program) tokens() *signin.Tokens {
	return signin.NewTokens(p.store.People, p.store.Tokens, p.store.Log, p.log)
}

func (p *program) doorConfig(https bool) signin.Config {
	return signin.Config{People: p.store.People, Sessions: p.store.Sessions, Settings: p.store.Rules, Log: p.store.Log, Tokens: p.store.Tokens, Pairings: p.store.Pairings,
		Logger: p.log, HTTPS: https}
}

// forwarded is the address that the proxy before us saw: the last one in the
// list, because a visitor may have written those before it.
func forwarded(r *http.Request) string {
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if ip, err := netip.ParseAddr(strings.TrimSpace(list[len(list)-1])); err == nil {
		return ip.String()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// accounts shows the pages the sessions of the door.
type accounts struct{ *signin.Door }

// Sessions lists the sessions of who, newest first.
func (a accounts) Sessions(ctx context.Context, who access.Person) ([]web.Session, error) {
	visits, err := a.Visits(ctx, who)
	sessions := make([]web.Session, 0, len(visits))
	for _, v := range visits {
		sessions = append(sessions, web.Session(v))
	}
	return sessions, err
}

// logged logs each finished request: no query, which may hold what somebody
// searched for, no header, no body.
func logged(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		level := slog.LevelInfo
		if r.Method == http.MethodGet && seen.status < 400 {
			level = slog.LevelDebug
		}
		log.Log(r.Context(), level, "request", "method", r.Method, "path", r.URL.Path, "status", seen.status, "took", time.Since(began).Round(time.Microsecond).String())
	})
}

// A statusWriter remembers how a request was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
