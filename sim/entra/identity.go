package entra

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// stylePath and scriptPath are where the pages find what goes with them.
const (
	stylePath  = "/signin/style.css"
	scriptPath = "/signin/portal.js"
)

//go:embed pages
var pageFiles embed.FS

// identity is the sign-in side of a Cloud: what signs its tokens, its pages,
// and who is signed in to its portal.
type identity struct {
	cloud *Cloud
	key   *tokenKey
	pages *template.Template

	mu       sync.Mutex
	sessions map[string]*Session // by what the browser's cookie holds
}

func newIdentity(c *Cloud) *identity {
	return &identity{
		cloud:    c,
		key:      newTokenKey(),
		pages:    template.Must(template.ParseFS(pageFiles, "pages/pages.html")),
		sessions: map[string]*Session{},
	}
}

// registerIdentity adds the routes of the sign-in side. What starts with the
// name of an Entra tenant cannot be a pattern of [http.ServeMux] beside
// Graph's, so it is whatever nothing else wants.
func (c *Cloud) registerIdentity(mux *http.ServeMux) {
	own := http.NewCrossOriginProtection() // no page elsewhere sends these forms
	page := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, own.Handler(h)) }
	page("GET /signin", c.id.showSignIn)
	page("POST /signin", c.id.signIn)
	page("POST /signout", c.id.signOut)
	page("GET /portal", c.id.portal)
	page("GET "+stylePath, c.id.file("pages/style.css"))
	page("GET "+scriptPath, c.id.file("pages/portal.js"))
	page("/", c.id.byTenant)
}

// byTenant routes what starts with the name of an Entra tenant.
func (id *identity) byTenant(w http.ResponseWriter, r *http.Request) {
	_, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	routes := map[string]http.HandlerFunc{
		"GET v2.0/.well-known/openid-configuration": id.wellKnown,
		"GET discovery/instance":                    id.instances,
		"GET discovery/v2.0/keys":                   id.keys,
		"POST oauth2/v2.0/token":                    id.token,
		"GET adminconsent":                          id.showConsent,
		"POST adminconsent":                         id.answerConsent,
		"GET v2.0/adminconsent":                     id.showConsent,
		"POST v2.0/adminconsent":                    id.answerConsent,
	}
	if h := routes[r.Method+" "+rest]; h != nil {
		h(w, r)
		return
	}
	http.NotFound(w, r)
}

// tenantOf is the Entra tenant that the path of r starts with.
func (id *identity) tenantOf(r *http.Request) (*Tenant, *tokenError) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if t := id.cloud.Tenant(name); t != nil {
		return t, nil
	}
	if len(name) > 64 {
		name = name[:64]
	}
	return nil, refuseToken(400, "invalid_request", 90002, "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", name)
}

// refuse answers with an error of the identity side.
func (id *identity) refuse(w http.ResponseWriter, r *http.Request, e *tokenError) {
	now := id.cloud.Now().Format("2006-01-02 15:04:05Z")
	trace, correlation := randomGUID(), r.Header.Get("client-request-id")
	if len(correlation) != 36 {
		correlation = randomGUID()
	}
	w.Header().Set("Cache-Control", "no-store, no-cache")
	writeJSON(w, e.status, object{
		"error": e.kind,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			e.code, e.text, trace, correlation, now),
		"error_codes": []int{e.code}, "timestamp": now, "trace_id": trace, "correlation_id": correlation,
		"error_uri": fmt.Sprintf("https://%s/error?code=%d", r.Host, e.code),
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "The answer cannot be written.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(body)
}

// randomGUID makes an ID that nobody needs to foretell.
func randomGUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// A page is what every page needs, and what some do.
type page struct {
	Title   string
	Refresh int // in seconds; 0: none
	Error   string
	UPN     string
	Pass    bool   // the credential is a Temporary Access Pass
	Why     string // access ended
	portalView
	consentView
}

// show writes a page. To lets its form lead to another origin, in the end.
func (id *identity) show(w http.ResponseWriter, status int, name string, p page, to ...string) {
	var out bytes.Buffer
	if err := id.pages.ExecuteTemplate(&out, name, p); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action "+strings.Join(append([]string{"'self'"}, to...), " "))
	w.WriteHeader(status)
	w.Write(out.Bytes())
}

// file serves one embedded file.
func (id *identity) file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeFileFS(w, r, pageFiles, name)
	}
}

// form reads a posted form of bounded size.
func form(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, longestForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form is malformed.", http.StatusBadRequest)
		return nil, false
	}
	return r.PostForm, true
}
