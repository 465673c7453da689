package entra

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"jitney/sim/entra/contract"
)

// everything is what the product asks for, and what the tests need besides.
var everything = []string{
	"User.ReadWrite.All", "User.DeleteRestore.All", "User.RevokeSessions.All", "RoleManagement.ReadWrite.Directory", "UserAuthMethod-TAP.ReadWrite.All",
	"UserAuthenticationMethod.Read.All", "Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod", "Domain.Read.All", "AuditLog.Read.All", "Directory.Read.All",
	"Application.Read.All", "DelegatedAdminRelationship.ReadWrite.All", "AdministrativeUnit.ReadWrite.All", "RoleManagementPolicy.ReadWrite.Directory",
}

type rig struct {
	testing.TB
	cloud  *Cloud
	tenant *Tenant
	app    *App
	client *http.Client
	header http.Header
	token  string
}

// newRig has one tenant with one app that may do everything, held to the contract.
func newRig(t testing.TB, o Options, s TenantSpec) *rig {
	t.Helper()
	o.Check = contract.Check
	c := New(o)
	if s.Name == "" {
		s.Name = "Pedro Aviary"
	}
	r := &rig{TB: t, cloud: c, tenant: c.AddTenant(s), app: c.AddApp(AppSpec{Name: "Jitney"}), header: http.Header{}}
	r.client = &http.Client{Transport: c.Transport()}
	r.let(everything...)
	t.Cleanup(func() {
		for _, err := range c.Breaches() {
			var breach *contract.Error
			if !errors.As(err, &breach) || breach.Side == contract.Answer {
				t.Error(err)
			}
		}
		for _, leak := range leaks(c) {
			t.Error(leak)
		}
	})
	return r
}

// let grants permissions and takes a token that has them.
func (r *rig) let(permissions ...string) {
	r.Helper()
	r.tenant.Consent(r.app, permissions...)
	text, err := r.cloud.mint(r.tenant, r.app)
	if err != nil {
		r.Fatal(err)
	}
	r.token = text
}

// only takes a token with just these permissions.
func (r *rig) only(permissions ...string) {
	r.Helper()
	r.tenant.Revoke(r.app, everything...)
	r.let(permissions...)
}

type got struct {
	status int
	code   string
	text   string // the error's message
	body   map[string]any
	header http.Header
	err    error
}

func (g got) list() []any {
	list, _ := g.body["value"].([]any)
	return list
}

func (g got) str(name string) string {
	s, _ := g.body[name].(string)
	return s
}

// send sends a request with a JSON body, unless that is nil.
func (r *rig) send(method, path string, body any) got {
	r.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			r.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(r.Context(), method, "https://graph.microsoft.com/v1.0"+strings.ReplaceAll(path, " ", "%20"), in)
	if err != nil {
		r.Fatal(err)
	}
	req.Header = r.header.Clone()
	req.Header.Set("Authorization", "Bearer "+r.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := r.client.Do(req)
	if err != nil {
		return got{err: err}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	g := got{status: res.StatusCode, header: res.Header, err: err}
	_ = json.Unmarshal(raw, &g.body)
	if e, ok := g.body["error"].(map[string]any); ok {
		g.code, _ = e["code"].(string)
		g.text, _ = e["message"].(string)
	}
	return g
}

// must sends and expects a status.
func (r *rig) must(status int, method, path string, body any) got {
	r.Helper()
	g := r.send(method, path, body)
	if g.status != status || g.err != nil {
		r.Fatalf("%s %s: got %d %s %q (%v), want %d", method, path, g.status, g.code, g.text, g.err, status)
	}
	return g
}

// fails sends and expects an error.
func (r *rig) fails(status int, code, method, path string, body any) got {
	r.Helper()
	g := r.send(method, path, body)
	if g.status != status || g.code != code {
		r.Fatalf("%s %s: got %d %s %q (%v), want %d %s", method, path, g.status, g.code, g.text, g.err, status, code)
	}
	return g
}

func (r *rig) upn(alias string) string { return alias + "@pedroaviary.onmicrosoft.com" }

// newUser is the body of a user to be made.
func (r *rig) newUser(alias string) map[string]any {
	return map[string]any{
		"accountEnabled": true, "displayName": "JIT admin " + alias, "mailNickname": alias, "userPrincipalName": r.upn(alias),
		"employeeType": MarkerType, "employeeId": "m-" + alias, "passwordProfile": map[string]any{"password": "Canary-7781-" + alias, "forceChangePasswordNextSignIn": false},
	}
}

// make makes a user and reports its object id.
func (r *rig) make(alias string) string {
	r.Helper()
	return r.must(201, "POST", "/users", r.newUser(alias)).str("id")
}

// give gives a role and reports the assignment's id.
func (r *rig) give(user, role string) string {
	r.Helper()
	return r.must(201, "POST", "/roleManagement/directory/roleAssignments", assignmentBody(user, role)).str("id")
}

func assignmentBody(user, role string) map[string]any {
	return map[string]any{"principalId": user, "roleDefinitionId": role, "directoryScopeId": "/"}
}

func pimBody(action, user string, d time.Duration) map[string]any {
	body := assignmentBody(user, GlobalAdministrator)
	body["action"], body["justification"] = action, "Ticket 4711"
	if d != 0 {
		body["scheduleInfo"] = map[string]any{"expiration": map[string]any{"type": "afterDuration", "duration": "PT" + strings.ToUpper(d.String())}}
	}
	return body
}
