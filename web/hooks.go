package web

import (
	"io"
	"net/http"

	"jitney/access"
	"jitney/broker"
)

// hooks takes what ticket systems call when a ticket changed. No browser does,
// so nothing that guards pages applies: the signature over the body as it came
// is what counts, and what a call can do is to make us look sooner.
func (s *Server) hooks() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, broker.MaxHint))
		if err != nil {
			http.Error(w, "The body is too long, or did not arrive.", http.StatusRequestEntityTooLarge)
			return
		}
		switch err := s.Broker.Tickets.Hint(r.Context(), r.PathValue("connection"), r.Header.Get, raw); {
		case err == nil:
			w.WriteHeader(http.StatusAccepted)
		case access.KindOf(err) == access.Denied:
			http.Error(w, "The signature is missing or wrong.", http.StatusUnauthorized)
		case access.KindOf(err) == access.Unavailable:
			w.Header().Set("Retry-After", "5")
			http.Error(w, "Later.", http.StatusTooManyRequests)
		default:
			http.Error(w, "This did not work.", http.StatusInternalServerError)
		}
	})
}

// withHooks has hooks answer its addresses, and pages all others.
func (s *Server) withHooks(pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /hooks/{connection}", s.hooks())
	mux.Handle("/", pages)
	return mux
}
