package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

//go:embed templates/*.html
var templateFiles embed.FS

// A visit is one request of a person for a page.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	Person  access.Person // zero where nobody needs to be signed in
	https   bool          // visitors come over https, also where a proxy ends it
	formsTo string        // where else than to this website the answer to a form may lead; empty for nowhere
	section string        // address of the part of the website that the page belongs to; empty if its own tells
	reach   broker.SessionReach
	reached bool         // whether reach was read
	hook    *secret.Text // a new secret that only this answer shows; nil if there is none
	clock
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// form reads one field of the posted form, or of the address of a GET, without
// what no database keeps as text.
func (v *visit) form(name string) string {
	text := strings.ToValidUTF8(v.r.FormValue(name), "")
	return strings.TrimSpace(strings.ReplaceAll(text, "\x00", ""))
}

// A handler answers a visit. An error that it returns becomes a page in
// [Server.fail], and nowhere else.
type handler func(v *visit) error

// A frame is what every page has around its body.
type frame struct {
	clock
	Title      string
	Path       string
	Person     access.Person
	SignedIn   bool
	Nonce      string
	Theme      string // class of the root: "light", "dark" or "auto"
	OtherTheme string
	Nav        []navItem
	Banner     string
	Flash      *flash
	Alarm      string // access that should be gone and is not
	AWS        awsMenu
	Body       any
}

// readPages parses each page together with the layout.
func readPages(icons map[string]template.HTML, files assets) (map[string]*template.Template, error) {
	funcs := template.FuncMap{
		"icon": func(name string) (template.HTML, error) {
			svg, ok := icons[name]
			if !ok {
				return "", fmt.Errorf("no icon %q", name)
			}
			return svg, nil
		},
		"kindicon": func(name string) template.HTML { // connectors name their icon themselves
			if svg, ok := icons[name]; ok {
				return svg
			}
			return icons["server"]
		},
		"asset":      files.path,
		"capital":    broker.Capital,
		"indefinite": broker.Indefinite,
		"temporary":  temporary,
		"initials":   initials,
		"length":     access.Length,
		"join":       strings.Join,
		"lines":      strings.Split,
	}
	base, err := template.New("").Funcs(funcs).Option("missingkey=error").ParseFS(templateFiles, "templates/layout.html", "templates/parts_*.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".html")
		if name == "layout" || strings.HasPrefix(name, "parts_") {
			continue
		}
		page, err := base.Clone()
		if err != nil {
			return nil, fmt.Errorf("clone layout: %w", err)
		}
		if pages[name], err = page.ParseFS(templateFiles, path.Join("templates", e.Name())); err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
	}
	return pages, nil
}

// temporary is what a credential that does not last is called: "a temporary
// password", and "a Temporary Access Pass", which says so itself.
func temporary(word string) string {
	if strings.HasPrefix(strings.ToLower(word), "temporary") {
		return broker.Indefinite(word)
	}
	return "a temporary " + word
}

// public answers visits of anybody.
func (s *Server) public(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.answer(h, &visit{w: w, r: r, https: strings.HasPrefix(s.address(r), "https://"), clock: clock{now: time.Now(), zone: s.zone}})
	})
}

// page answers visits of people who are signed in, and sends others to sign in.
func (s *Server) page(h handler) http.Handler { return s.roles(h) }

// roles answers visits of people who hold one of the roles; every role if none
// is named. To anybody else the page does not exist.
func (s *Server) roles(h handler, roles ...access.Role) http.Handler {
	return s.public(func(v *visit) error {
		p, err := s.SignIn.Who(v.ctx())
		if err != nil && access.KindOf(err) != access.Denied {
			return err
		}
		if err != nil {
			return s.toLogin(v)
		}
		v.is(p)
		for _, role := range roles {
			if p.Is(role) {
				return h(v)
			}
		}
		if len(roles) > 0 {
			return notFound()
		}
		return h(v)
	})
}

// is makes the visit that of a person, with times in the zone that they chose,
// else in that of their browser, which the page's script tells by a cookie.
func (v *visit) is(p access.Person) {
	v.Person = p
	name := p.TimeZone
	if c, err := v.r.Cookie("zone"); err == nil && name == "" {
		name = c.Value
	}
	if zone, err := time.LoadLocation(name); err == nil && name != "" && name != "Local" {
		v.zone = zone
	}
}

func (s *Server) toLogin(v *visit) error {
	to := "/login"
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/" {
		to += "?next=" + template.URLQueryEscaper(v.r.URL.RequestURI())
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

func (s *Server) answer(h handler, v *visit) {
	if err := h(v); err != nil {
		s.fail(v, err)
	}
}

// show writes a page.
func (s *Server) show(v *visit, status int, name, title string, body any) error {
	nonce := newNonce()
	f := frame{clock: v.clock, Title: title, Path: v.r.URL.RequestURI(), Person: v.Person, SignedIn: v.Person.ID != "",
		Nonce: nonce, Theme: theme(v.r), OtherTheme: "dark", Banner: s.Banner, Body: body}
	if f.Theme == "dark" {
		f.OtherTheme = "light"
	}
	if f.SignedIn {
		s.reachAWS(v)
		f.Nav, f.Alarm = s.nav(v)
		v.menu(&f.AWS, false)
		f.Flash = takeFlash(v)
	}
	page, ok := s.pages[name]
	if !ok {
		return fmt.Errorf("no page %q", name)
	}
	var out bytes.Buffer
	if err := page.ExecuteTemplate(&out, "layout", f); err != nil {
		return fmt.Errorf("make page %s: %w", name, err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy(nonce, v.formsTo))
	h.Set("Cache-Control", "no-store")
	v.w.WriteHeader(status)
	_, err := out.WriteTo(v.w)
	if err != nil {
		slog.DebugContext(v.ctx(), "visitor left", "path", v.r.URL.Path)
	}
	return nil
}

type errorBody struct {
	Icon, Title, Text, Hint, Request, Back, BackLabel string
}

var statuses = map[access.Kind]int{
	access.Invalid:     http.StatusUnprocessableEntity,
	access.Denied:      http.StatusForbidden,
	access.NotFound:    http.StatusNotFound,
	access.Conflict:    http.StatusConflict,
	access.Unavailable: http.StatusServiceUnavailable,
	access.Internal:    http.StatusInternalServerError,
}

var errorTitles = map[access.Kind]string{
	access.Invalid:     "That does not work",
	access.Denied:      "Not allowed",
	access.NotFound:    "Not found",
	access.Conflict:    "Somebody was first",
	access.Unavailable: "Not available right now",
	access.Internal:    "Something went wrong",
}

// fail is the one place where an error becomes a page. What does not exist and
// what the person must not see are the same page, to the letter.
func (s *Server) fail(v *visit, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	e, ok := errors.AsType[*access.Error](err)
	if !ok {
		e = &access.Error{Kind: access.Internal, Err: err}
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		e = &access.Error{Kind: access.Invalid, Text: fmt.Sprintf("A form may hold up to %d kB.", tooLarge.Limit>>10)}
	}
	body := errorBody{Icon: "circle-x", Title: errorTitles[e.Kind], Text: e.Text, Hint: e.Hint, Back: "/request", BackLabel: "Request access"}
	switch e.Kind {
	case access.NotFound:
		body.Icon, body.Text, body.Hint = "search-x", "There is nothing here, or it is not yours to see.", ""
	case access.Internal:
		id := strings.ToLower(rand.Text()[:12])
		body.Icon, body.Text, body.Request = "octagon-alert", "This was a fault of Jitney, not yours. Access that is running still ends on time.", id
		body.Hint = "Try again, and tell your administrator the number below if it stays."
		slog.ErrorContext(v.ctx(), "page failed", "request", id, "method", v.r.Method, "path", v.r.URL.Path, "err", err)
	}
	if v.Person.ID == "" {
		body.Back, body.BackLabel = "/login", "Sign in"
	}
	if err := s.show(v, statuses[e.Kind], "error", body.Title, body); err != nil {
		slog.ErrorContext(v.ctx(), "error page failed", "err", err)
		http.Error(v.w, "Something went wrong.", http.StatusInternalServerError)
	}
}

// notFound is the error for what does not exist, and for what is not to be seen.
func notFound() error { return &access.Error{Kind: access.NotFound, Text: "Not found."} }

// problem is err if a person can mend it on the page that they are on; every
// other error is for [Server.fail].
func problem(err error) (*access.Error, error) {
	e, ok := errors.AsType[*access.Error](err)
	if !ok || e.Kind == access.Internal || e.Kind == access.NotFound {
		return nil, err
	}
	return e, nil
}

// back sends the visitor on after a form was done, with a message.
func (v *visit) back(to, message string) error {
	if message != "" {
		http.SetCookie(v.w, &http.Cookie{Name: "flash", Value: message, Path: "/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.https})
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}
