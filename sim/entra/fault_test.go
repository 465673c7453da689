package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		do     []Action
		status int // 0: no answer
		code   string
		effect bool // the user is there afterwards
	}{
		"an answer instead":                {Respond(503, "ServiceUnavailable"), 503, "ServiceUnavailable", false},
		"throttled":                        {Do(Throttled), 429, "TooManyRequests", false},
		"lost before":                      {Do(DropBefore), 0, "", false},
		"lost after":                       {Do(DropAfter), 0, "", true},
		"another answer after":             {Do(AnswerAfter), 503, "ServiceUnavailable", true},
		"a gateway's page":                 {Do(ErrorPage), 502, "", true},
		"half an answer":                   {Do(Truncate), 0, "", true},
		"carried out twice":                {Do(Duplicate), 400, "Request_BadRequest", true},
		"an expired token":                 {Do(TokenExpired), 401, "InvalidAuthenticationToken", false},
		"a challenge":                      {Do(ClaimsChallenge), 401, "InvalidAuthenticationToken", false},
		"consent withdrawn":                {Do(WithdrawConsent), 401, "Authorization_IdentityNotFound", false},
		"a full directory":                 {Do(QuotaExceeded), 403, "Directory_QuotaExceeded", false},
		"a newer service":                  {Do(UnknownEnumMember), 201, "", true},
		"slow, and good in the end":        {Slow(WaitBefore, time.Minute), 201, "", true},
		"slow after the effect, and good":  {Slow(WaitAfter, time.Minute), 201, "", true},
		"another replica":                  {[]Action{{Kind: ReadFrom, Replica: 2}}, 201, "", true},
		"two at once: slow and then lost":  {[]Action{{Kind: WaitBefore, Delay: time.Second}, {Kind: DropAfter}}, 0, "", true},
		"a wrong clock, and good besides":  {[]Action{{Kind: SkewClock, Delay: time.Hour}}, 201, "", true},
		"a licence lost, which is no harm": {Do(LoseLicence), 201, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{}, TenantSpec{})
				r.cloud.Faults(Rule{Name: "it", Method: "POST", Path: "^/v1.0/users$", Nth: 1, Do: c.do})
				g := r.send("POST", "/users", r.newUser("jit-a"))
				if c.status == 0 != (g.err != nil) || c.status != 0 && (g.status != c.status || g.code != c.code) {
					t.Errorf("got %d %s (%v)", g.status, g.code, g.err)
				}
				if n := len(r.tenant.Users()); (n == 1) != c.effect {
					t.Errorf("there are %d users", n)
				}
				if e := r.cloud.Journal()[0]; e.Effect != c.effect || e.Rule != "it" || r.cloud.Hits()[0] != 1 {
					t.Errorf("the journal says %+v", e)
				}
			})
		})
	}
}

func TestWhichRequestsARuleHits(t *testing.T) {
	r := newRig(t, Options{Seed: 7}, TenantSpec{})
	other := r.cloud.AddTenant(TenantSpec{Name: "Other"})
	hits := func(rule Rule) string {
		rule.Do = Respond(500, "")
		r.cloud.Faults(rule)
		out := ""
		for range 10 {
			if g := r.send("GET", "/organization", nil); g.status == 500 {
				out += "x"
			} else {
				out += "."
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		rule Rule
		want string
	}{
		"all":                {Rule{}, "xxxxxxxxxx"},
		"the third":          {Rule{Nth: 3}, "..x......."},
		"two from the third": {Rule{Nth: 3, Times: 2}, "..xx......"},
		"each fourth":        {Rule{Every: 4}, "...x...x.."},
		"the first three":    {Rule{Times: 3}, "xxx......."},
		"another method":     {Rule{Method: "POST"}, ".........."},
		"another path":       {Rule{Path: "/users"}, ".........."},
		"this tenant":        {Rule{Tenant: r.tenant.ID, Times: 1}, "x........."},
		"another tenant":     {Rule{Tenant: other.ID}, ".........."},
		"a body":             {Rule{Body: "x"}, ".........."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hits(c.rule); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if got := hits(Rule{Probability: 0.5}); !strings.Contains(got, "x") || !strings.Contains(got, ".") {
		t.Errorf("by lot: %s", got)
	}
}

func TestACallerThatHasGone(t *testing.T) {
	for kind, effect := range map[Kind]bool{WaitBefore: false, WaitAfter: true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{}, TenantSpec{})
			r.cloud.Faults(Rule{Method: "POST", Do: Slow(kind, time.Hour)})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			raw, _ := json.Marshal(r.newUser("jit-a"))
			req, _ := http.NewRequestWithContext(ctx, "POST", "https://graph.microsoft.com/v1.0/users", bytes.NewReader(raw))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+r.token)
			if _, err := r.cloud.Transport().RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", kind, err)
			}
			if (len(r.tenant.Users()) == 1) != effect {
				t.Errorf("%s: %d users", kind, len(r.tenant.Users()))
			}
		})
	}
}

func TestFaultsOverTheWire(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	server := httptest.NewServer(r.cloud.Handler())
	defer server.Close()
	get := func() (int, error) {
		req, _ := http.NewRequest("GET", server.URL+"/v1.0/organization", nil)
		req.Header.Set("Authorization", "Bearer "+r.token)
		res, err := server.Client().Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		return res.StatusCode, err
	}
	if status, err := get(); status != 200 || err != nil {
		t.Errorf("no fault: %d %v", status, err)
	}
	for _, kind := range []Kind{DropBefore, DropAfter, Truncate} {
		r.cloud.Faults(Rule{Do: Do(kind)})
		if _, err := get(); err == nil {
			t.Errorf("%s: no error", kind)
		}
	}
}

func TestPIMSaysGoneThoughItWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, TenantSpec{Licence: P2})
		id := r.make("jit-a")
		r.must(201, "POST", pimRequests, pimBody("adminAssign", id, time.Hour))
		time.Sleep(10 * time.Minute)
		r.cloud.Faults(Rule{Body: "adminRemove", Do: Do(SayGone)})
		r.fails(400, "RoleAssignmentDoesNotExist", "POST", pimRequests, pimBody("adminRemove", id, 0))
		if len(r.tenant.Effective(id)) != 0 {
			t.Error("it did not work")
		}
	})
}

func TestTheTokenEndpointIsDown(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	r.cloud.Faults(Rule{Do: Do(TokenDown)})
	res, err := r.client.PostForm("https://login.microsoftonline.com/"+r.tenant.ID+"/oauth2/v2.0/token", nil)
	if err != nil || res.StatusCode != 503 {
		t.Errorf("the token endpoint: %v %v", res, err)
	}
	r.must(200, "GET", "/users", nil)
}

func TestAFullDirectory(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{Quota: 2})
	r.make("jit-a")
	id := r.make("jit-b")
	r.must(204, "DELETE", "/users/"+id, nil)
	r.fails(403, "Directory_QuotaExceeded", "POST", "/users", r.newUser("jit-c"))
	r.must(204, "DELETE", "/directory/deletedItems/"+id, nil)
	r.make("jit-c")
}

func TestManyAtOnce(t *testing.T) {
	r := newRig(t, Options{Delays: Delays{Objects: Uniform(0, time.Millisecond)}, Throttle: true}, TenantSpec{})
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for m := range 20 {
				alias := fmt.Sprintf("jit-%d-%d", n, m)
				g := r.send("POST", "/users", r.newUser(alias))
				if g.status != 201 {
					t.Errorf("got %d %s", g.status, g.code)
				}
				r.send("GET", "/users?$filter=startsWith(userPrincipalName,'jit-')", nil)
				r.send("DELETE", "/users/"+g.str("id"), nil)
				r.send("GET", "/directory/deletedItems/microsoft.graph.user", nil)
			}
		})
	}
	all.Wait()
	if n := len(r.tenant.Users()); n != 160 {
		t.Errorf("%d users", n)
	}
}

func TestThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Throttle: true}, TenantSpec{})
		for range 5 {
			r.must(200, "GET", "/auditLogs/directoryAudits", nil)
		}
		g := r.fails(429, "TooManyRequests", "GET", "/auditLogs/directoryAudits", nil)
		if g.header.Get("Retry-After") != "2" || !strings.Contains(g.header.Get("x-ms-throttle-scope"), r.tenant.ID) {
			t.Errorf("headers: %v", g.header)
		}
		time.Sleep(2 * time.Second)
		r.must(200, "GET", "/auditLogs/directoryAudits", nil)
		r.must(200, "GET", "/identity/conditionalAccess/policies", nil)
		if g := r.fails(429, "TooManyRequests", "GET", "/identity/conditionalAccess/policies", nil); g.header.Get("Retry-After") != "" {
			t.Error("conditional access tells when to come back")
		}
		refused := 0
		for range 2000 {
			if r.send("GET", "/users", nil).status == 429 {
				refused++
			}
		}
		if refused < 200 || refused > 300 { // 3,500 units and a few, at 2 each
			t.Errorf("%d of 2,000 were refused", refused)
		}
		// Another tenant has quotas of its own.
		second := r.cloud.AddTenant(TenantSpec{Name: "Second"})
		r.tenant = second
		r.let(everything...)
		r.must(200, "GET", "/users", nil)
	})
}

func TestAct(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	id := r.make("jit-a")
	must := func(a Act) {
		t.Helper()
		if a.User == "" {
			a.User = id
		}
		if err := r.tenant.Act(a); err != nil {
			t.Errorf("%s: %v", a.Do, err)
		}
	}
	state := func() User { u, _ := r.tenant.User(id); return u }
	must(Act{Do: GiveRole, Role: GlobalAdministrator})
	must(Act{Do: GiveRole, Role: ExchangeAdministrator, By: id})
	must(Act{Do: MakeUser, Value: "backdoor@pedroaviary.onmicrosoft.com", By: id})
	if len(state().Roles) != 2 {
		t.Errorf("roles: %v", state().Roles)
	}
	if g := r.must(200, "GET", "/auditLogs/directoryAudits?$filter=initiatedBy/user/id eq '"+id+"'", nil); len(g.list()) != 2 {
		t.Errorf("%d deeds of the user are in the log", len(g.list()))
	}
	must(Act{Do: TakeRole, Role: GlobalAdministrator})
	must(Act{Do: DisableUser})
	must(Act{Do: EnableUser})
	must(Act{Do: ChangePassword, Value: "Canary-7781-changed"})
	must(Act{Do: DeleteUser})
	if state().Deleted.IsZero() {
		t.Error("not deleted")
	}
	must(Act{Do: RestoreUser})
	must(Act{Do: RenameUser, Value: r.upn("renamed")})
	if u := state(); !u.Enabled || u.UPN != r.upn("renamed") || len(u.Roles) != 1 {
		t.Errorf("restored: %+v", u)
	}
	for _, a := range []Act{{Do: "dance", User: id}, {Do: RestoreUser, User: id}, {Do: EnableUser, User: "nobody"}, {Do: TakeRole, User: id, Role: GlobalAdministrator}, {Do: WithdrawApp, App: "none"}} {
		if r.tenant.Act(a) == nil {
			t.Errorf("%s was done", a.Do)
		}
	}
	must(Act{Do: WithdrawApp, App: r.app.ID})
	r.fails(401, "Authorization_IdentityNotFound", "GET", "/users", nil)
}

func TestInvariants(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	id := r.make("jit-a")
	r.must(201, "POST", "/users/"+id+"/authentication/temporaryAccessPassMethods", map[string]any{})
	r.give(id, GlobalAdministrator)
	live := func(marker string) bool { return marker == "m-jit-a" }
	if f := r.cloud.Invariants(time.Time{}, live); len(f) != 0 {
		t.Errorf("while it lives: %v", f)
	}
	dead := strings.Join(r.cloud.Invariants(time.Time{}, func(string) bool { return false }), "\n")
	for _, part := range []string{"is enabled", "holds Global Administrator", "usable Temporary Access Pass", "has no live grant"} {
		if !strings.Contains(dead, part) {
			t.Errorf("%q is not among:\n%s", part, dead)
		}
	}
	twin := r.newUser("jit-b")
	twin["employeeId"] = "m-jit-a"
	r.must(201, "POST", "/users", twin)
	if f := r.cloud.Invariants(time.Time{}, live); len(f) != 1 || !strings.Contains(f[0], "the same marker") {
		t.Errorf("twins: %v", f)
	}
}

func TestControlsOverHTTP(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	id := r.make("jit-a")
	control := func(method, path, body string, want int) string {
		t.Helper()
		req := httptest.NewRequest(method, "/_sim/"+path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		r.cloud.Handler().ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
		return rec.Body.String()
	}
	control("PUT", "faults", `[{"name":"gone","path":"/users","times":1,"do":[{"kind":"status","status":500}]}]`, 204)
	r.must(500, "GET", "/users", nil)
	r.must(200, "GET", "/users", nil)
	control("DELETE", "faults", "", 204)
	control("PUT", "faults", `[{"path":"("}]`, 400)
	control("PUT", "faults", `{`, 400)
	control("POST", "act", `{"tenant":"`+r.tenant.ID+`","do":"giveRole","user":"`+id+`","role":"`+GlobalAdministrator+`"}`, 204)
	control("POST", "act", `{"tenant":"`+r.tenant.ID+`","do":"dance","user":"`+id+`"}`, 409)
	control("POST", "act", `{"tenant":"nowhere","do":"dance"}`, 404)
	if got := control("GET", "journal", "", 200); !strings.Contains(got, `"rule":"gone"`) || strings.Contains(got, "Canary") {
		t.Errorf("journal: %s", got)
	}
	if got := control("GET", "invariants?live=m-jit-a", "", 200); strings.TrimSpace(got) != "null" {
		t.Errorf("invariants: %s", got)
	}
	if got := control("GET", "invariants", "", 200); !strings.Contains(got, "holds Global Administrator") {
		t.Errorf("invariants: %s", got)
	}
	control("POST", "skew", `{"seconds":3600}`, 204)
	if d := time.Until(r.cloud.Now()); d < 59*time.Minute {
		t.Errorf("the clock is ahead by %v", d)
	}
}
