package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
)

// openConsole opens the console of AWS.
func openConsole(ctx context.Context, a *app) error {
	k, err := issuer{a}.withConsole(ctx)
	if err != nil {
		return err
	}
	if a.s.print {
		if a.s.output != "" || a.s.query != "" {
			return a.printKeys(k)
		}
		a.note("Whoever has this address within 15 minutes is you at AWS.")
		_, err := fmt.Fprintln(a.Out, k.Session.ConsoleURL)
		return err
	}
	if err := a.open(ctx, k.Session.ConsoleURL); err != nil {
		return exit.New(exit.Failed, "No browser could be opened.", "Use --print, and open the address yourself; it is a secret for 15 minutes.")
	}
	return a.message("Opening AWS console in browser")
}

// open opens the address in the browser, but without showing it to others on
// this computer, who could read it in the list of processes: the browser is
// sent to us, once, and on from here.
func (a *app) open(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	path := "/" + rand.Text() + rand.Text()
	fetched := make(chan struct{}, 1)
	given := false
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path || r.Method != http.MethodGet || r.Host != listener.Addr().String() || given {
			http.NotFound(w, r)
			return
		}
		given = true
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.Redirect(w, r, address, http.StatusSeeOther)
		fetched <- struct{}{}
	})
	serialised := make(chan struct{}, 1)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serialised <- struct{}{}
		defer func() { <-serialised }()
		handler(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() {
		last, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(last)
	}()
	opened := make(chan error, 1)
	go func() { opened <- a.browse("http://"+listener.Addr().String()+path, a.s.browser, a.env.get) }()
	for {
		select {
		case <-fetched:
			return nil
		case err := <-opened:
			if err != nil {
				return err
			}
			opened = nil // it began; now it has to come
		case <-time.After(30 * time.Second):
			return errors.New("the browser did not come")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func isHTTPS(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && keep.Loopback(u.Hostname())) && !strings.ContainsFunc(address, func(c rune) bool { return c <= ' ' || c > '~' })
}
