package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// A probe is one thing that must work for the server to be of use. A target
// that does not answer is none: ends are tried again, and other targets work.
type probe struct {
	name string
	ok   func(context.Context) error
}

// handleHealth answers /healthz, which tells that the process runs, and
// /readyz, which tells whether it can do its work.
func handleHealth(mux *http.ServeMux, probes []probe) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		text, status := "", http.StatusOK
		for _, p := range probes {
			line := "ok"
			if err := p.ok(ctx); err != nil {
				line, status = "failed", http.StatusServiceUnavailable
			}
			text += p.name + ": " + line + "\n"
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	})
}
