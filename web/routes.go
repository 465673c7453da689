package web

import (
	"net/http"

	"jitney/access"
)

// routes shows every address of the website on one screen.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	anybody := func(pattern string, h handler) { mux.Handle(pattern, s.public(h)) }
	person := func(pattern string, h handler) { mux.Handle(pattern, s.page(h)) }
	admin := func(pattern string, h handler) { mux.Handle(pattern, s.roles(h, access.Administrator)) }
	reader := func(pattern string, h handler) { mux.Handle(pattern, s.roles(h, access.Administrator, access.Auditor)) }

	mux.Handle("GET /static/{name}", s.files)
	anybody("GET /login", s.showLogin)
	anybody("POST /login", s.login)
	anybody("POST /logout", s.logout)
	anybody("GET /setup", s.showSetup)
	anybody("POST /setup", s.setup)
	anybody("POST /theme", s.setTheme)

	person("GET /{$}", s.showRequest)
	person("GET /request", s.showRequest)
	person("POST /request", s.submitRequest)
	person("POST /request/preview", s.previewRequest)
	person("POST /request/password", s.offerPassword)

	person("GET /access", s.showAccess)
	person("GET /grants", s.showGrants)
	person("GET /grants.csv", s.grantsCSV)
	person("GET /grants/{id}", s.showGrant)
	person("GET /grants/{id}/events", s.grantEvents)
	person("POST /grants/{id}/end", s.act("ending", s.endGrant))
	person("POST /grants/{id}/extend", s.act("extended", s.extendGrant))
	person("POST /grants/{id}/revoke", s.act("ending", s.revokeGrant))
	person("POST /grants/{id}/approve", s.act("approved", s.approveGrant))
	person("POST /grants/{id}/deny", s.act("denied", s.denyGrant))
	person("POST /grants/{id}/password", s.act("newpassword", s.newPassword))
	person("POST /grants/{id}/reissue", s.act("reissued", s.reissue))
	person("POST /grants/{id}/reveal", s.reveal)
	person("POST /grants/{id}/retrieve", s.retrieve)
	person("POST /grants/{id}/notes/{work}", s.act("retried", s.retryNote))
	admin("POST /grants/revoke", s.revokeMany)

	person("GET /customers", s.showCustomers)
	admin("POST /customers", s.addCustomer)
	person("GET /customers/{id}", s.showCustomer)
	admin("POST /customers/{id}", s.saveCustomer)
	admin("GET /customers/{id}/targets/new", s.newTarget)
	admin("POST /customers/{id}/targets", s.addTarget)
	reader("GET /targets/{id}", s.showTarget)
	admin("POST /targets/{id}", s.saveTarget)
	admin("POST /targets/{id}/check", s.checkTarget)

	person("GET /desk", s.showDesk)
	person("POST /desk", s.openTicket)
	person("GET /desk/{id}", s.showTicket)
	person("POST /desk/{id}/close", s.closeTicket)
	person("POST /desk/{id}/reopen", s.reopenTicket)

	reader("GET /people", s.showPeople)
	admin("POST /people", s.savePerson)
	admin("GET /people/new", s.newPerson)
	reader("GET /people/{id}", s.showPerson)
	admin("POST /people/{id}", s.savePerson)
	admin("POST /people/{id}/password", s.resetPassword)
	admin("POST /people/{id}/sessions", s.person("sessions", s.endSessions))
	admin("POST /people/{id}/disable", s.person("disabled", s.disablePerson))
	admin("POST /people/{id}/enable", s.person("enabled", s.enablePerson))

	reader("GET /audit", s.showAudit)
	reader("POST /audit/verify", s.verifyAudit)
	reader("POST /audit/export", s.exportAudit)
	reader("GET /settings", s.showSettings)
	admin("POST /settings", s.saveSettings)
	admin("POST /settings/policy", s.savePolicy)

	person("GET /me", s.showMe)
	person("POST /me", s.saveMe)
	person("POST /me/password", s.changePassword)
	person("POST /me/sessions", s.endMySessions)

	person("/", func(*visit) error { return notFound() })
	return mux
}
