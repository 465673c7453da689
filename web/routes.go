package web

import (
	"net/http"

	"jitney/access"
)

// A listed mux keeps a list of what it handles.
type listed struct {
	*http.ServeMux
	patterns *[]string
}

// Handle registers h for pattern.
func (l listed) Handle(pattern string, h http.Handler) {
	*l.patterns = append(*l.patterns, pattern)
	l.ServeMux.Handle(pattern, h)
}

// routes shows every address of the website on one screen.
func (s *Server) routes() http.Handler {
	mux := listed{http.NewServeMux(), &s.patterns}
	anybody := func(pattern string, h handler) { mux.Handle(pattern, s.public(h)) }
	person := func(pattern string, h handler) { mux.Handle(pattern, s.page(h)) }
	admin := func(pattern string, h handler) { mux.Handle(pattern, s.roles(h, access.Administrator)) }
	reader := func(pattern string, h handler) { mux.Handle(pattern, s.roles(h, access.Administrator, access.Auditor)) }

	in, form, grant, list, place, desk := entry{s}, requests{s}, grantPages{s}, lists{s}, places{s}, deskPages{s}
	consent, company := consentPages{s}, importPages{s}
	people, audit, rule, me := staff{s}, audits{s}, rules{s}, mine{s}

	mux.Handle("GET /static/{name}", s.files)
	anybody("GET /login", in.showLogin)
	anybody("POST /login", in.login)
	anybody("GET /login/provider", in.leave)
	anybody("GET /login/provider/callback", in.comeBack)
	anybody("POST /logout", in.logout)
	anybody("GET /setup", in.showSetup)
	anybody("POST /setup", in.setup)
	anybody("POST /theme", in.setTheme)

	person("GET /{$}", form.showRequest)
	person("GET /request", form.showRequest)
	person("POST /request", form.submitRequest)
	person("POST /request/preview", form.previewRequest)
	person("POST /request/password", form.offerPassword)

	person("GET /access", list.showAccess)
	person("GET /grants", list.showGrants)
	person("GET /grants.csv", list.grantsCSV)
	person("GET /grants/{id}", grant.showGrant)
	person("GET /grants/{id}/events", grant.grantEvents)
	person("POST /grants/{id}/end", grant.act("ending", grant.endGrant))
	person("POST /grants/{id}/extend", grant.act("extended", grant.extendGrant))
	person("POST /grants/{id}/revoke", grant.act("ending", grant.revokeGrant))
	person("POST /grants/{id}/approve", grant.act("approved", grant.approveGrant))
	person("POST /grants/{id}/deny", grant.act("denied", grant.denyGrant))
	person("POST /grants/{id}/password", grant.act("newpassword", grant.newPassword))
	person("POST /grants/{id}/reissue", grant.act("reissued", grant.reissue))
	person("POST /grants/{id}/reveal", grant.reveal)
	person("GET /grants/{id}/reveal", grant.afterwards)
	person("GET /grants/{id}/retrieve", grant.afterwards)
	person("POST /grants/{id}/retrieve", grant.retrieve)
	person("POST /grants/{id}/notes/{work}", grant.act("retried", grant.retryNote))
	admin("POST /grants/revoke", list.revokeMany)

	person("GET /customers", place.showCustomers)
	admin("POST /customers", place.addCustomer)
	person("GET /customers/{id}", place.showCustomer)
	admin("POST /customers/{id}", place.saveCustomer)
	admin("GET /customers/{id}/targets/new", place.newTarget)
	admin("POST /customers/{id}/targets", place.addTarget)
	reader("GET /targets/{id}", place.showTarget)
	admin("POST /targets/{id}", place.saveTarget)
	admin("POST /targets/{id}/check", place.checkTarget)
	admin("POST /targets/{id}/consent", consent.askConsent)
	anybody("GET /consent", consent.takeConsent)
	admin("GET /targets/{id}/companies", company.showCompanies)
	admin("POST /targets/{id}/companies", company.importCompanies)

	person("GET /desk", desk.showDesk)
	person("POST /desk", desk.openTicket)
	person("GET /desk/{id}", desk.showTicket)
	person("POST /desk/{id}/close", desk.closeTicket)
	person("POST /desk/{id}/reopen", desk.reopenTicket)

	bureauPages{s}.routes(admin, reader)
	awsPages{s}.routes(person, admin, reader)

	reader("GET /people", people.showPeople)
	admin("POST /people", people.savePerson)
	admin("GET /people/new", people.newPerson)
	reader("GET /people/{id}", people.showPerson)
	admin("POST /people/{id}", people.savePerson)
	admin("POST /people/{id}/password", people.resetPassword)
	admin("POST /people/{id}/sessions", people.person("sessions", people.endSessions))
	admin("POST /people/{id}/unlink", people.person("unlinked", people.unlink))
	admin("POST /people/{id}/disable", people.person("disabled", people.disablePerson))
	admin("POST /people/{id}/enable", people.person("enabled", people.enablePerson))

	reader("GET /audit", audit.showAudit)
	reader("POST /audit/verify", audit.verifyAudit)
	reader("POST /audit/export", audit.exportAudit)
	reader("GET /settings", rule.showSettings)
	reader("GET /settings/policies.json", rule.exportPolicies)
	admin("POST /settings", rule.saveSettings)
	admin("POST /settings/policy", rule.savePolicy)

	tokenPages{s}.routes(admin, person)
	localPages{s}.routes(person)

	person("GET /me", me.showMe)
	person("POST /me", me.saveMe)
	person("POST /me/password", me.changePassword)
	person("POST /me/sessions", me.endMySessions)

	person("/", func(*visit) error { return notFound() })
	return mux
}
