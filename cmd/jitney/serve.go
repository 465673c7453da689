package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"jitney/audit"
	"jitney/target"
)

// A service is what it takes to run a server.
type service struct {
	*place
	*front
	post
	vouch  vouch // who else vouches for people
	log    *slog.Logger
	kinds  []target.Kind
	banner string // above every page and in the log; empty for a real installation
	hint   string // below the sign-in

	signInLength time.Duration // of people and of their command lines; zero means twelve hours

	// prepared is called when everything but the website runs; nil for nothing.
	prepared func(ctx context.Context, p *program, base string) error
	// open is called when the website answers; nil for nothing.
	opened func(base string)
}

func serveCommand(sh *shell) *cobra.Command {
	s := &service{place: &place{}, front: &front{}}
	var format, level string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server: the website, and the loop that gives access and ends it. It keeps
a SQLite database in the data directory unless --database names PostgreSQL, with
which several servers may run at once. The first start logs an address at which
the first administrator is made.`,
		Example: `  jitney serve --base-url https://jitney.example.net --listen :443 --tls-cert cert.pem --tls-key key.pem
  jitney serve --base-url https://jitney.example.net --listen 127.0.0.1:8080 --behind-proxy`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l slog.Level
			if err := l.UnmarshalText([]byte(level)); err != nil {
				return &failure{code: exitUsage, what: "read --log-level", err: err, hint: "Levels are debug, info, warn and error."}
			}
			s.log, s.kinds = newLog(sh.err, format, l), targetKinds()
			return s.run(cmd.Context())
		},
	}
	s.place.register(cmd)
	s.post.register(cmd)
	s.vouch.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8080", "address of the website")
	flags.StringVar(&s.metricsListen, "metrics-listen", "127.0.0.1:9464", "address of /metrics, /healthz and /readyz; empty for none")
	flags.StringVar(&s.baseURL, "base-url", "", "address under which people reach the website, such as https://jitney.example.net")
	flags.StringVar(&s.issuer, "issuer", "", "address of the OpenID Connect issuer in tokens for AWS, where \"jitney issuer export\" is published; else the base URL")
	flags.DurationVar(&s.signInLength, "sign-in-length", 12*time.Hour, "how long people and their command lines stay signed in, from 15m to 24h")
	flags.StringVar(&s.tlsCert, "tls-cert", "", "PEM file of the certificate, read again when it changes")
	flags.StringVar(&s.tlsKey, "tls-key", "", "PEM file of its key")
	flags.BoolVar(&s.behindProxy, "behind-proxy", false, "a proxy before this server speaks HTTPS and passes the visitor's address on")
	flags.StringVar(&format, "log-format", "auto", "json, text, or auto: text at a terminal")
	flags.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// run runs the server until ctx ends. Ends come before everything else: the
// loop that ends access starts as soon as the database and the keys are open,
// and the website opens last.
func (s *service) run(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	if d := s.signInLength; d != 0 && (d < 15*time.Minute || d > 24*time.Hour) {
		return &failure{code: exitUsage, what: "check the settings", err: fmt.Errorf("--sign-in-length %s is not from 15m to 24h", d)}
	}
	if err := s.prepare(); err != nil {
		return err
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	began := time.Now()
	p, err := s.place.open(ctx, s.log, s.kinds)
	if err != nil {
		return err
	}
	defer p.close()
	if p.mailer, err = s.post.open(); err != nil {
		return err
	}
	p.metrics = newMetrics()
	p.opener.count = p.metrics.called

	listener, err := s.front.open()
	if err != nil {
		return err
	}
	defer listener.Close()
	base := s.base(listener.Addr())
	stop, err := s.begin(ctx, p, base)
	if err != nil {
		return err
	}
	defer stop()
	if s.prepared != nil {
		if err := s.prepared(ctx, p, base); err != nil {
			return err
		}
	}
	return s.serve(ctx, p, listener, base, began)
}

// begin starts everything that works in the background, and reports what stops
// it and waits until it has stopped.
func (s *service) begin(ctx context.Context, p *program, base string) (stop func(), err error) {
	reconciler := p.reconciler(base)
	accounts, work := p.loops(reconciler)
	p.store.Accounts.OnChange(accounts.Wake)
	p.store.Outbox.OnChange(work.Wake)
	sealer := &audit.Sealer{Book: p.store.Log, Log: s.log}

	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() { accounts.Run(run) })
	all.Go(func() { work.Run(run) })
	all.Go(func() { sealer.Run(run) })
	all.Go(func() { p.notary.Run(run) })
	stop = func() { cancel(); all.Wait() }
	if err := p.issuer.Move(ctx, cmp.Or(s.issuer, base)); err != nil {
		stop()
		return nil, failed("tell the issuer of tokens its address", err)
	}
	if err := reconciler.Start(ctx); err != nil {
		stop()
		return nil, failed("schedule the sweep", err)
	}
	return stop, nil
}

// serve opens the website and the metrics until ctx ends.
func (s *service) serve(ctx context.Context, p *program, listener net.Listener, base string, began time.Time) error {
	site, endStreams, err := s.website(ctx, p, base)
	if err != nil {
		return failed("prepare the website", err)
	}
	defer context.AfterFunc(ctx, endStreams)()
	inner, endInner := context.WithCancel(ctx)
	defer endInner()
	failedInner, metrics := make(chan error, 1), ""
	if s.metricsListen != "" {
		back, err := net.Listen("tcp", s.metricsListen)
		if err != nil {
			return &failure{what: "listen on " + s.metricsListen, err: err, hint: "Choose another address with --metrics-listen, or none with --metrics-listen=."}
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", p.metrics.serve(p.count, func(err error) { s.log.Error("metrics", "err", err) }))
		handleHealth(mux, p.probes())
		metrics = back.Addr().String()
		go func() { failedInner <- serveUntil(inner, newServer(mux, s.log), back) }()
	}
	s.log.Info("jitney serves", "address", base, "listen", listener.Addr().String(), "metrics", metrics, "database", p.store.Engine(),
		"version", versionName(), "started_in", time.Since(began).Round(time.Millisecond).String())
	notifyManager("READY=1")
	if s.opened != nil {
		s.opened(base)
	}
	err = serveUntil(inner, newServer(site, s.log), listener)
	notifyManager("STOPPING=1")
	s.log.Info("jitney stops: no new requests; work under way is finished or handed on")
	endInner()
	if s.metricsListen != "" {
		err = errors.Join(err, <-failedInner)
	}
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// probes are what must work for the server to be of use.
func (p *program) probes() []probe {
	return []probe{
		{"database", p.store.Health},
		{"keys", func(context.Context) error {
			if len(p.sealer.WrapKeys()) == 0 {
				return errors.New("no key")
			}
			return nil
		}},
		{"audit", func(ctx context.Context) error {
			n, oldest, err := p.store.Log.Unsealed(ctx)
			if err == nil && n > 0 && time.Since(oldest) > time.Minute {
				err = errors.New("records wait to be sealed for more than a minute")
			}
			return err
		}},
	}
}
