package web

import (
	"crypto/rand"
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxBody bounds every form; no page uploads anything.
const maxBody = 64 << 10

// guard sets what every answer carries, bounds every body, and refuses what
// another site, or no browser at all, posts in a person's name.
func guard(next http.Handler) http.Handler {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "This request did not come from a page of Jitney.", http.StatusForbidden)
	})
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(refuse)
	inner := cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), clipboard-read=()")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		if r.Method != http.MethodGet && r.Method != http.MethodHead &&
			r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
			// The standard protection lets these pass, as not sent by a browser.
			// Pages are for browsers, and every one of them sends one of the two.
			refuse(w, r)
			return
		}
		if !utf8.ValidString(r.URL.Path) || strings.Contains(r.URL.Path, "\x00") {
			http.NotFound(w, r) // no database keeps that as text, so nothing has that address
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		inner.ServeHTTP(w, r)
	})
}

// contentPolicy is what a page may do: our own files, scripts that carry its
// nonce, and text into the document only through the one policy of hx-csp. Its
// forms come here, and may be led on to formsTo: browsers hold the answer to a
// form to the same rule.
func contentPolicy(nonce, formsTo string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self' 'nonce-" + nonce + "'",
		"style-src 'self'",
		"img-src 'self'",
		"connect-src 'self'",
		strings.TrimSpace("form-action 'self' " + formsTo),
		"base-uri 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types htmx",
	}, "; ")
}

func newNonce() string { return rand.Text() }
