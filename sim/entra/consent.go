package entra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// longestState bounds what a consent page hands back unread, in bytes.
const longestState = 4 << 10

// consentView is what the consent pages show.
type consentView struct {
	App, AppID        string
	TenantID, Company string
	Permissions       []string
	Action            string
	Choices           []choice
}

type choice struct{ Name, URL string }

// A consentRequest is a checked call of a consent page.
type consentRequest struct {
	tenant   *Tenant // nil: the person must choose
	app      *App
	redirect *url.URL
	state    string
}

// showConsent asks whether an app may have what it is registered for.
func (id *identity) showConsent(w http.ResponseWriter, r *http.Request) {
	c, why := id.consentOf(r)
	if why != "" {
		id.show(w, http.StatusBadRequest, "refused", page{Title: "Consent", Error: why})
		return
	}
	view := consentView{App: c.app.Name, AppID: c.app.ID, Permissions: c.app.Permissions(), Action: r.URL.RequestURI()}
	if c.tenant == nil {
		for _, t := range id.cloud.Tenants() {
			view.Choices = append(view.Choices, choice{t.Name, consentURL(t, r.URL)})
		}
		id.show(w, http.StatusOK, "choose", page{Title: "Choose a company", consentView: view})
		return
	}
	view.TenantID, view.Company = c.tenant.ID, c.tenant.Name
	id.show(w, http.StatusOK, "consent", page{Title: "Permissions requested", consentView: view}, c.redirect.Scheme+"://"+c.redirect.Host)
}

// answerConsent carries out what the person chose and sends the browser back.
func (id *identity) answerConsent(w http.ResponseWriter, r *http.Request) {
	answer, ok := form(w, r)
	if !ok {
		return
	}
	c, why := id.consentOf(r)
	if why == "" && c.tenant == nil {
		why = "Choose a company first."
	}
	if why != "" {
		id.show(w, http.StatusBadRequest, "refused", page{Title: "Consent", Error: why})
		return
	}
	back := c.redirect.Query()
	if c.state != "" {
		back.Set("state", c.state)
	}
	switch answer.Get("answer") {
	case "approve":
		consentLater(c.tenant, c.app)
		back.Set("tenant", c.tenant.ID)
		back.Set("admin_consent", "True")
	default:
		back.Set("error", "permission_denied")
		back.Set("error_description", "AADSTS65004: The resource owner or authorization server denied the request.")
	}
	to := *c.redirect
	to.RawQuery = back.Encode()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// consentLater is Consent whose service principal the token endpoint learns
// of after Delays.Consent, if it is new.
func consentLater(t *Tenant, a *App) {
	_, had := t.Principal(a.ID)
	t.Consent(a)
	if had {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.principals[a.ID]; p != nil {
		p.created = p.created.Add(t.cloud.opt.Delays.Consent.draw(t.dice))
	}
}

// consentOf checks a call of a consent page; why is a sentence for the person
// if it is no good. It is never answered by a redirect then: the address is
// not to be trusted.
func (id *identity) consentOf(r *http.Request) (c consentRequest, why string) {
	q := r.URL.Query()
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	c.tenant = id.cloud.Tenant(name)
	if c.tenant == nil && name != "common" && name != "organizations" {
		return c, "There is no such Entra tenant in this simulation."
	}
	if c.app = id.cloud.App(q.Get("client_id")); c.app == nil {
		return c, "There is no such application in this simulation."
	}
	if c.app.Single && c.tenant != nil && c.app.Home != c.tenant {
		return c, "This application is registered for the users of another company only."
	}
	if scope := q.Get("scope"); strings.HasPrefix(rest, "v2.0/") && !strings.HasSuffix(scope, "/.default") {
		return c, "The scope must end in /.default."
	}
	if c.state = q.Get("state"); len(c.state) > longestState {
		return c, "The state is too long."
	}
	u, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || !mayReturnTo(u, c.app.RedirectURIs()) {
		return c, "The address to return to is not registered for this application."
	}
	c.redirect = u
	return c, ""
}

// mayReturnTo reports whether a browser may be sent to u: one of the
// registered addresses or, if there are none, anywhere on loopback.
func mayReturnTo(u *url.URL, registered []string) bool {
	if len(registered) > 0 {
		return slices.Contains(registered, u.String())
	}
	return (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && isLoopback(u.Host)
}

// consentURL is the consent page that was asked for, for one Entra tenant.
func consentURL(t *Tenant, u *url.URL) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return "/" + t.ID + "/" + rest + "?" + u.RawQuery
}
