package entra

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"jitney/secret"
	"jitney/sim/entra/contract"
)

// A graphClient calls Graph with a token of the app.
type graphClient struct {
	t      *testing.T
	client *http.Client
	token  string
}

func (g graphClient) call(method, path string, body any, want int) map[string]any {
	g.t.Helper()
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			g.t.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, graphA+"/v1.0"+path, &sent)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if resp.StatusCode != want {
		g.t.Fatalf("%s %s: got %d %s, want %d", method, path, resp.StatusCode, raw, want)
	}
	var answer map[string]any
	if len(raw) > 0 && json.Unmarshal(raw, &answer) != nil {
		g.t.Fatalf("%s %s: the answer is no JSON", method, path)
	}
	return answer
}

func TestAnAccountMadeThroughGraphComesAndGoes(t *testing.T) {
	w := world{cloud: New(Options{Check: contract.Check})}
	w.tenant = w.cloud.AddTenant(TenantSpec{Name: "Contoso", Licence: P1})
	w.app = w.cloud.AddApp(AppSpec{Secrets: []AppSecret{{Value: secret.New(testSecret)}}, Permissions: []string{
		"User.ReadWrite.All", "User.DeleteRestore.All", "User.RevokeSessions.All", "RoleManagement.ReadWrite.Directory",
		"UserAuthMethod-TAP.ReadWrite.All", "AuditLog.Read.All",
	}})
	w.tenant.Consent(w.app)
	_, answer := w.ask(t, w.tenant.ID, w.bySecret())
	g := graphClient{t, &http.Client{Transport: w.cloud.Transport()}, answer["access_token"].(string)}

	upn := "jit-b@" + w.tenant.InitialDomain()
	user := g.call("POST", "/users", object{
		"accountEnabled": true, "displayName": "JIT admin", "mailNickname": "jit-b", "userPrincipalName": upn, "passwordProfile": object{"password": goodPassword},
	}, 201)
	id := user["id"].(string)
	made := g.call("POST", "/users/"+id+"/authentication/temporaryAccessPassMethods", object{"lifetimeInMinutes": 60, "isUsableOnce": false}, 201)
	value := made["temporaryAccessPass"].(string)
	role := g.call("POST", "/roleManagement/directory/roleAssignments", object{"principalId": id, "roleDefinitionId": GlobalAdministrator, "directoryScopeId": "/"}, 201)

	s, err := w.cloud.SignIn(strings.ToUpper(upn), WithPass, secret.New(value))
	if err != nil || !s.Look().Admin() {
		t.Fatalf("got %+v, %v", s, err)
	}
	g.call("DELETE", "/users/"+id+"/authentication/temporaryAccessPassMethods/"+made["id"].(string), nil, 204)
	if _, err := w.cloud.SignIn(upn, WithPass, secret.New(value)); err == nil {
		t.Error("a pass that was deleted let somebody in")
	}
	if look := s.Look(); !look.Admin() {
		t.Errorf("a sign-in goes on without its pass; it shows %+v", look)
	}
	g.call("DELETE", "/roleManagement/directory/roleAssignments/"+role["id"].(string), nil, 204)
	if look := s.Look(); look.Admin() || look.Ended != "" {
		t.Errorf("without the role: %+v", look)
	}
	g.call("POST", "/users/"+id+"/revokeSignInSessions", nil, 200)
	if look := s.Look(); !strings.Contains(look.Ended, "revoked") {
		t.Errorf("after revoking: %+v", look)
	}
	g.call("PATCH", "/users/"+id, object{"accountEnabled": false}, 204)
	if _, err := w.cloud.SignIn(upn, WithPassword, secret.New(goodPassword)); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("a disabled account: %v", err)
	}
	g.call("DELETE", "/users/"+id, nil, 204)
	if _, err := w.cloud.SignIn(upn, WithPassword, secret.New(goodPassword)); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a deleted account: %v", err)
	}

	log := g.call("GET", "/auditLogs/signIns?$filter=userId%20eq%20'"+id+"'", nil, 200)
	if got := len(log["value"].([]any)); got != 3 {
		t.Errorf("the sign-in log holds %d attempts of the account, want 3", got)
	}
	for _, breach := range w.cloud.Breaches() {
		t.Error(breach)
	}
}
