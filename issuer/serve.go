package issuer

import (
	"net/http"
	"strings"
)

// ServeHTTP answers with one of the two documents, by path.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	documents, err := i.Documents(r.Context())
	if err != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "The keys cannot be read at the moment.", http.StatusServiceUnavailable)
		return
	}
	for path, body := range documents {
		if strings.HasSuffix(r.URL.Path, path) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "public, max-age=300")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write(body)
			return
		}
	}
	http.NotFound(w, r)
}
