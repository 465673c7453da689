package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"jitney/access"
)

// visitors are who comes, in the order of the columns below: nobody who is
// signed in; an administrator who was disabled; a requester and approver of
// other customers; somebody without a role; the requester who holds the access;
// an approver of the customer; an auditor; an administrator.
var visitors = []string{"", "gone", priya, "idle", maya, "hana", otto, ada}

// whoMay says what each of them gets at every address that there is:
//
//	L  the way to the sign-in
//	-  that there is nothing, as at an address that does not exist
//	d  that they may not, which they are told only about what they see
//	y  in: what they want, or what is wrong with their form
//
// Behind the pattern stands what is tried there, if it has a variable or needs
// a form. An address that nobody lists here is a failure of the test.
var whoMay = []struct{ pattern, try, may string }{
	{"GET /static/{name}", "/static/app.css", "yyyyyyyy"},
	{"GET /login", "", "yyyyyyyy"},
	{"POST /login", "", "dddddddd"},
	{"GET /login/provider", "", "yyyyyyyy"},
	{"GET /login/provider/callback", "/login/provider/callback?code=bad", "dddddddd"},
	{"POST /logout", "", "LLLLLLLL"},
	{"GET /setup", "", "--------"},
	{"POST /setup", "", "--------"},
	{"POST /theme", "", "yyyyyyyy"},
	{"GET /{$}", "/", "LLyyyyyy"},
	{"GET /request", "", "LLyyyyyy"},
	{"POST /request", "/request customer=aviary&target=ad-aviary", "LLy-y--y"},
	{"POST /request/preview", "", "LLy-y--y"},
	{"POST /request/password", "/request/password customer=aviary&target=ad-aviary", "LLy-y--y"},
	{"GET /access", "", "LLyyyyyy"},
	{"GET /grants", "", "LLyyyyyy"},
	{"GET /grants.csv", "", "LLyyyyyy"},
	{"GET /grants/{id}", "/grants/active", "LL--yyyy"},
	{"GET /grants/{id}/events", "/grants/ended/events", "LL--yyyy"},
	{"POST /grants/{id}/end", "/grants/expiring/end", "LL--yddd"},
	{"POST /grants/{id}/extend", "/grants/active/extend", "LL--yddd"},
	{"POST /grants/{id}/revoke", "/grants/active/revoke", "LL--dddy"},
	{"POST /grants/{id}/approve", "/grants/pending/approve", "LL--dydd"},
	{"POST /grants/{id}/deny", "/grants/pending/deny", "LL--dydd"},
	{"POST /grants/{id}/password", "/grants/active/password", "LL--yddd"},
	{"POST /grants/{id}/reissue", "/grants/active/reissue", "LL--dddy"},
	{"POST /grants/{id}/reveal", "/grants/active/reveal", "LL--yddd"},
	{"GET /grants/{id}/reveal", "/grants/active/reveal", "LLyyyyyy"},
	{"GET /grants/{id}/retrieve", "/grants/active/retrieve", "LLyyyyyy"},
	{"POST /grants/{id}/retrieve", "/grants/active/retrieve", "LL--dddy"},
	{"POST /grants/{id}/notes/{work}", "/grants/overdue/notes/work-overdue", "LL--yddy"},
	{"POST /grants/revoke", "/grants/revoke id=active", "LL-----y"},
	{"GET /customers", "", "LLyyyyyy"},
	{"POST /customers", "", "LL-----y"},
	{"GET /customers/{id}", "/customers/aviary", "LL--yyyy"},
	{"POST /customers/{id}", "/customers/aviary", "LL-----y"},
	{"GET /customers/{id}/targets/new", "/customers/aviary/targets/new?kind=ad", "LL-----y"},
	{"POST /customers/{id}/targets", "/customers/aviary/targets kind=ad", "LL-----y"},
	{"GET /targets/{id}", "/targets/ad-aviary", "LL----yy"},
	{"POST /targets/{id}", "/targets/ad-aviary", "LL-----y"},
	{"POST /targets/{id}/check", "/targets/ad-aviary/check", "LL-----y"},
	{"POST /targets/{id}/consent", "/targets/m365-aviary/consent", "LL-----y"},
	{"GET /consent", "", "yyyyyyyy"},
	{"GET /targets/{id}/companies", "/targets/m365-aviary/companies", "LL-----y"},
	{"POST /targets/{id}/companies", "/targets/m365-aviary/companies", "LL-----y"},
	{"GET /desk", "", "LLyyyyyy"},
	{"POST /desk", "/desk customer=aviary", "LL--y--y"},
	{"GET /desk/{id}", "/desk/t2", "LL--yyyy"},
	{"POST /desk/{id}/close", "/desk/t2/close", "LL--yddy"},
	{"POST /desk/{id}/reopen", "/desk/t2/reopen", "LL--yddy"},
	{"GET /ticket-systems", "", "LL----yy"},
	{"POST /ticket-systems", "/ticket-systems kind=bureau", "LL-----y"},
	{"GET /ticket-systems/new", "/ticket-systems/new?kind=bureau", "LL-----y"},
	{"POST /ticket-systems/default", "", "LL-----y"},
	{"GET /ticket-systems/{id}", "/ticket-systems/{bureau}", "LL----yy"},
	{"POST /ticket-systems/{id}", "/ticket-systems/{bureau}", "LL-----y"},
	{"POST /ticket-systems/{id}/check", "/ticket-systems/{bureau}/check", "LL-----y"},
	{"POST /ticket-systems/{id}/refresh", "/ticket-systems/{bureau}/refresh", "LL-----y"},
	{"POST /ticket-systems/{id}/choices", "/ticket-systems/{bureau}/choices", "LL-----y"},
	{"POST /ticket-systems/{id}/retry", "/ticket-systems/{bureau}/retry", "LL-----y"},
	{"POST /ticket-systems/{id}/webhook", "/ticket-systems/{bureau}/webhook", "LL-----y"},
	{"POST /ticket-systems/{id}/map", "/ticket-systems/{bureau}/map", "LL-----y"},
	{"POST /ticket-systems/{id}/adopt", "/ticket-systems/{bureau}/adopt", "LL-----y"},
	{"POST /customers/{id}/ticket-system", "/customers/aviary/ticket-system", "LL-----y"},
	{"GET /aws", "", "LLyyyyyy"},
	{"POST /aws", "", "LLyyyyyy"},
	{"POST /aws/console", "/aws/console place=aws-kprod&level=tenant", "LLddyddy"},
	{"POST /aws/url", "/aws/url place=aws-kprod&level=tenant", "LLddyddy"},
	{"POST /aws/keys", "/aws/keys place=aws-kprod&level=tenant", "LLddyddy"},
	{"POST /aws/end", "/aws/end grant=active", "LL--yddd"},
	{"GET /aws/console", "", "LLyyyyyy"},
	{"GET /aws/url", "", "LLyyyyyy"},
	{"GET /aws/keys", "", "LLyyyyyy"},
	{"GET /settings/aws", "", "LL----yy"},
	{"POST /settings/aws/roles", "", "LL----yy"},
	{"POST /settings/aws/flags", "", "LL-----y"},
	{"POST /settings/aws/limit", "", "LL-----y"},
	{"GET /settings/aws/roles", "", "LL----yy"},
	{"GET /settings/aws/limit", "", "LL----yy"},
	{"GET /people", "", "LL----yy"},
	{"POST /people", "", "LL-----y"},
	{"GET /people/new", "", "LL-----y"},
	{"GET /people/{id}", "/people/priya", "LL----yy"},
	{"POST /people/{id}", "/people/priya", "LL-----y"},
	{"POST /people/{id}/password", "/people/priya/password", "LL-----y"},
	{"POST /people/{id}/sessions", "/people/priya/sessions", "LL-----y"},
	{"POST /people/{id}/unlink", "/people/priya/unlink", "LL-----y"},
	{"POST /people/{id}/disable", "/people/priya/disable", "LL-----y"},
	{"POST /people/{id}/enable", "/people/priya/enable", "LL-----y"},
	{"GET /audit", "", "LL----yy"},
	{"POST /audit/verify", "", "LL----yy"},
	{"POST /audit/export", "", "LL----yy"},
	{"GET /settings", "", "LL----yy"},
	{"GET /settings/policies.json", "", "LL----yy"},
	{"POST /settings", "", "LL-----y"},
	{"POST /settings/policy", "", "LL-----y"},
	{"GET /tokens", "", "LLyyyyyy"},
	{"POST /tokens", "", "LL-----y"},
	{"POST /tokens/{id}/revoke", "/tokens/{token}/revoke", "LL--y--y"},
	{"GET /local-access/{id}", "/local-access/{pairing}", "LLyyyyyy"},
	{"POST /local-access/{id}/authorize", "/local-access/{pairing}/authorize", "LLydyddy"},
	{"POST /local-access/{id}/cancel", "/local-access/{pairing}/cancel", "LLyyyyyy"},
	{"GET /local-access/{id}/done", "/local-access/{pairing}/done", "LLyyyyyy"},
	{"GET /device", "", "LLyyyyyy"},
	{"POST /device", "", "LLyyyyyy"},
	{"GET /me", "", "LLyyyyyy"},
	{"POST /me", "", "LLyyyyyy"},
	{"POST /me/password", "", "LLyyyyyy"},
	{"POST /me/sessions", "", "LLyyyyyy"},
	{"/", "/nowhere", "LL------"},
}

// matrixWorld is a filled world in which everybody above exists.
func matrixWorld(t *testing.T) (w *world, bureau string) {
	w = newAWSWorld(t, "")
	w.server.Provider = &fakeProvider{}
	w.people["gone"] = access.Person{ID: "gone", Login: "gone@msp.example", Name: "Gone", Roles: []access.Role{access.Administrator, access.Requester}, AllCustomers: true, DisabledAt: w.grants[0].SubmittedAt, Version: 1}
	w.people["idle"] = access.Person{ID: "idle", Login: "idle@msp.example", Name: "Idle", Customers: []string{"aviary", "kprod"}, Version: 1}
	w.people["hana"] = access.Person{ID: "hana", Login: "hana@msp.example", Name: "Hana", Roles: []access.Role{access.Approver}, Customers: []string{"aviary"}, Version: 1}
	c, err := w.bureaus.SaveConnection(t.Context(), access.Connection{ID: "b1", Kind: "bureau", Name: "Bureau", Settings: map[string]string{"url": "https://b.example"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.AddToken(t.Context(), access.Token{ID: "k1", Kind: access.TokenAPI, Name: "ci", Person: maya, ExpiresAt: w.grants[0].StartBy.AddDate(0, 0, 9)}, "hash", access.Letter{}); err != nil {
		t.Fatal(err)
	}
	return w, c.ID
}

// told is what an answer means to who gets it.
func told(t *testing.T, who string, a answer) byte {
	t.Helper()
	switch {
	case a.StatusCode == http.StatusSeeOther && strings.HasPrefix(a.Header.Get("Location"), "/login"):
		return 'L'
	case a.StatusCode == http.StatusForbidden:
		return 'd'
	case a.StatusCode != http.StatusNotFound:
		return 'y'
	}
	const nothing = "There is nothing here, or it is not yours to see."
	if !strings.Contains(a.body, nothing) {
		t.Errorf("%s is told more than that nothing is there: %.300s", who, a.body)
	}
	return '-'
}

// stream asks as the script of a page does.
func (w *world) stream(t *testing.T, who, path string) answer {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://jitney.example"+path, nil)
	r.Header.Set("Accept", "text/event-stream")
	r.AddCookie(&http.Cookie{Name: "as", Value: who})
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return answer{rec.Result(), rec.Body.String()}
}

// foreign is what people of other customers must never read.
var foreign = []string{"Aviary", "aviary.local", "Email Blacklist", "restart both domain", "Harbour", "helpdesk2", "maya.okafor-"}

func TestWhoMayUseWhichAddress(t *testing.T) {
	w, bureau := matrixWorld(t)
	rows := map[string]string{}
	for _, r := range whoMay {
		if _, twice := rows[r.pattern]; twice {
			t.Errorf("%s is listed twice", r.pattern)
		}
		rows[r.pattern] = r.may
		got := ""
		for _, who := range visitors {
			method, path, _ := strings.Cut(r.pattern, " ")
			if r.try != "" {
				path = strings.NewReplacer("{bureau}", bureau, "{token}", "k1").Replace(r.try)
			}
			if strings.Contains(path, "{pairing}") { // whoever decides first, decides
				path = strings.ReplaceAll(path, "{pairing}", w.asks(t, func(p *access.Pairing) { p.Tenant, p.Address = "", who }).ID)
			}
			path, query, _ := strings.Cut(path, " ")
			var form url.Values
			if method == http.MethodPost {
				form, _ = url.ParseQuery(query)
			}
			a := w.ask(t, who, path, form)
			if strings.HasSuffix(path, "/events") {
				a = w.stream(t, who, path)
			}
			got += string(told(t, who, a))
			for _, word := range foreign {
				if (who == priya || who == "idle") && strings.Contains(a.body, word) {
					t.Errorf("%s: %s reads %q", r.pattern, who, word)
				}
			}
		}
		if got != r.may {
			t.Errorf("%s: %s, want %s", r.pattern, got, r.may)
		}
	}
	for _, p := range w.server.patterns {
		if _, listed := rows[p]; !listed {
			t.Errorf("nobody says who may use %s", p)
		}
		delete(rows, p)
	}
	for p := range rows {
		t.Errorf("%s is listed and does not exist", p)
	}
}
