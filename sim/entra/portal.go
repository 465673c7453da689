package entra

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Session is somebody signed in to the portal. Its methods may be called
// from many goroutines.
type Session struct {
	tenant          *Tenant
	user, upn, name string
	method          Method
	pass            string // ID of the Temporary Access Pass
	until           time.Time
	validFrom       time.Time // of the account, when it began; a later one voids the session

	mu    sync.Mutex
	ended string // why; a session that ended stays ended
}

// A Look is what a session may do at the moment of the look.
type Look struct {
	Ended string   // why the session is over, as a sentence; empty while it lasts
	Roles []string // templates of the roles in effect; none once ended
	Until time.Time
}

// Admin reports whether the session is one of a Global Administrator.
func (l Look) Admin() bool { return slices.Contains(l.Roles, GlobalAdministrator) }

// Look decides anew whether the session lasts, and which roles are in effect.
func (s *Session) Look() Look {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == "" {
		s.ended = s.end(s.tenant.cloud.Now())
	}
	if s.ended != "" {
		return Look{Ended: s.ended, Until: s.until}
	}
	return Look{Roles: s.tenant.Effective(s.user), Until: s.until}
}

// end reports why the session is over; empty if it is not.
func (s *Session) end(now time.Time) string {
	u, ok := s.tenant.User(s.user)
	switch {
	case !ok || !u.Deleted.IsZero():
		return "This account does not exist any more."
	case !u.Enabled:
		return "Your account has been disabled."
	case !u.SessionsValidFrom.Equal(s.validFrom):
		return "Your sign-in was revoked."
	case s.pass != "" && s.tenant.cloud.opt.Switches.TAPDeleteEndsTokens && !s.tenant.PassLives(s.user, s.pass):
		return "Your Temporary Access Pass was withdrawn."
	case !now.Before(s.until):
		return "Your sign-in has expired."
	}
	return ""
}

// SignOut ends the session.
func (s *Session) SignOut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == "" {
		s.ended = "You have signed out."
	}
}

// portalView is what the portal shows of a session.
type portalView struct {
	Admin      bool
	Roles      []string // names
	Name       string
	Method     string
	Until, Now time.Time
}

// refreshEvery is how often the portal's page looks again, in seconds; its
// script says the same.
const refreshEvery = 2

// portal shows what the session of the browser may do now.
func (id *identity) portal(w http.ResponseWriter, r *http.Request) {
	s := id.sessionOf(r)
	if s == nil {
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
		return
	}
	look := s.Look()
	if look.Ended != "" {
		id.show(w, http.StatusUnauthorized, "ended", page{Title: "Access ended", UPN: s.upn, Why: look.Ended})
		return
	}
	view := portalView{Admin: look.Admin(), Name: s.name, Until: look.Until, Now: id.cloud.Now(), Method: "a Temporary Access Pass"}
	for _, role := range look.Roles {
		view.Roles = append(view.Roles, roleName(role))
	}
	id.show(w, http.StatusOK, "portal", page{
		Title: "Admin portal", Refresh: refreshEvery, UPN: s.upn, portalView: view, consentView: consentView{Company: s.tenant.Name},
	})
}

// signOut ends the session of the browser.
func (id *identity) signOut(w http.ResponseWriter, r *http.Request) {
	if s := id.sessionOf(r); s != nil {
		s.SignOut()
	}
	http.Redirect(w, r, "/portal", http.StatusSeeOther)
}

// sessionOf is the session that the browser's cookie stands for, or nil.
func (id *identity) sessionOf(r *http.Request) *Session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.sessions[cookie.Value]
}

// roleName is what the portal calls a role.
func roleName(template string) string { return cmp.Or(RoleName(template), "Role "+template) }
