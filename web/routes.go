package web

import "net/http"

// routes shows every address of the website on one screen.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/{name}", s.files)
	mux.Handle("GET /favicon.ico", http.RedirectHandler("/static/favicon.svg", http.StatusMovedPermanently))
	mux.Handle("GET /login", s.public(s.showLogin))
	mux.Handle("POST /login", s.public(s.login))
	mux.Handle("POST /logout", s.public(s.logout))
	mux.Handle("GET /setup", s.public(s.showSetup))
	mux.Handle("POST /setup", s.public(s.setup))
	mux.Handle("POST /theme", s.public(s.setTheme))

	mux.Handle("/", s.page(func(*visit) error { return notFound() }))
	return mux
}
