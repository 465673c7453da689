package contract_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"jitney/sim/entra/contract"
)

const (
	id       = "87d349ed-44d7-43e1-9a83-5f2406dee5bd"
	newUser  = `{"accountEnabled":true,"displayName":"JIT admin","mailNickname":"jit-a","userPrincipalName":"jit-a@example.com","passwordProfile":{"password":"` + canary + `"}}`
	madeUser = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users/$entity","id":"` + id + `","displayName":"JIT admin","userPrincipalName":"jit-a@example.com","businessPhones":[],"mail":null}`
	conflict = `{"error":{"code":"Request_BadRequest","message":"Another object with the same value for property userPrincipalName already exists.","details":[{"code":"ObjectConflict","target":"userPrincipalName"}],"innerError":{"date":"2026-08-09T10:11:12","request-id":"` + id + `","client-request-id":"` + id + `"}}}`
	list     = `{"@odata.context":"x","value":[{"id":"abc-1","principalId":"` + id + `","roleDefinitionId":"62e90394-69f5-4237-9190-012177145e10","directoryScopeId":"/"}]}`
	// canary is in every value that must not turn up in an error.
	canary = "Canary-7781-secret"
)

func TestCheck(t *testing.T) {
	const (
		good   = contract.Side("")
		sent   = contract.Request
		answer = contract.Answer
	)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		answer             string
		want               contract.Side
		text               string // in the error
	}{
		"a created user": {"POST", "/v1.0/users", newUser, 201, madeUser, good, ""},
		"a conflict":     {"POST", "/v1.0/users", newUser, 400, conflict, good, ""},
		"an identity path is none of its business":           {"POST", "/tid/oauth2/v2.0/token", "x=y", 200, `{"odd":1}`, good, ""},
		"the toy portal is none of its business":             {"GET", "/portal", "", 200, `<html>`, good, ""},
		"a deleted user in the bin":                          {"GET", "/v1.0/directory/deletedItems/microsoft.graph.user?$filter=id%20eq%20'x'", "", 200, `{"value":[]}`, good, ""},
		"a next page":                                        {"GET", "/v1.0/users?$top=2&$skiptoken=abc", "", 200, `{"value":[],"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=b"}`, good, ""},
		"roles of a principal":                               {"GET", "/v1.0/roleManagement/directory/roleAssignments?$filter=principalId%20eq%20'" + id + "'", "", 200, list, good, ""},
		"a change":                                           {"PATCH", "/v1.0/users/" + id, `{"accountEnabled":false}`, 204, "", good, ""},
		"a removal":                                          {"DELETE", "/v1.0/directory/deletedItems/" + id, "", 204, "", good, ""},
		"revoked sessions":                                   {"POST", "/v1.0/users/" + id + "/revokeSignInSessions", "", 200, `{"@odata.context":"x","value":true}`, good, ""},
		"a pass":                                             {"POST", "/v1.0/users/" + id + "/authentication/temporaryAccessPassMethods", `{"lifetimeInMinutes":60,"isUsableOnce":false}`, 201, `{"id":"` + id + `","temporaryAccessPass":"` + canary + `","isUsable":true,"isUsableOnce":false,"lifetimeInMinutes":60,"methodUsabilityReason":"EnabledByPolicy"}`, good, ""},
		"a directory role by its template":                   {"GET", "/v1.0/directoryRoles(roleTemplateId='62e90394-69f5-4237-9190-012177145e10')", "", 200, `{"id":"` + id + `","displayName":"Global Administrator"}`, good, ""},
		"throttled":                                          {"GET", "/v1.0/users/" + id, "", 429, `{"error":{"code":"TooManyRequests","message":"Too many requests."}}`, good, ""},
		"a user without its name is refused":                 {"POST", "/v1.0/users", `{"accountEnabled":true,"mailNickname":"a","userPrincipalName":"a@b.c","passwordProfile":{"password":"` + canary + `"}}`, 400, conflict, sent, "displayName"},
		"a misspelt property is refused":                     {"POST", "/v1.0/users", strings.Replace(newUser, "mailNickname", "mailNickName", 1), 400, conflict, sent, "mailNickName"},
		"a wrong type is refused":                            {"PATCH", "/v1.0/users/" + id, `{"accountEnabled":"` + canary + `"}`, 204, "", sent, "accountEnabled"},
		"a create with no body is refused":                   {"POST", "/v1.0/users", "", 400, conflict, sent, "body"},
		"half a body is refused":                             {"POST", "/v1.0/users", `{"passwordProfile":{"password":"` + canary, 400, conflict, sent, "body"},
		"an unknown path is refused":                         {"GET", "/v1.0/me", "", 200, "{}", sent, "no such operation"},
		"an unknown method is refused":                       {"PUT", "/v1.0/users/" + id, newUser, 200, "{}", sent, "no such operation"},
		"the bin without a cast is refused":                  {"GET", "/v1.0/directory/deletedItems", "", 200, "{}", sent, "no such operation"},
		"an unknown query parameter is refused":              {"GET", "/v1.0/users?$filtre=x", "", 200, `{"value":[]}`, sent, "$filtre"},
		"a body where none belongs is refused":               {"DELETE", "/v1.0/users/" + id, `{"why":"x"}`, 204, "", sent, "body"},
		"a success code of another operation is refused":     {"POST", "/v1.0/users", newUser, 200, madeUser, answer, "status"},
		"an answer with an unknown property is refused":      {"GET", "/v1.0/users/" + id, "", 200, `{"id":"x","passwort":"` + canary + `"}`, answer, "passwort"},
		"an answer with a wrong type is refused":             {"GET", "/v1.0/users/" + id, "", 200, `{"id":7}`, answer, "/id"},
		"an error without a code is refused":                 {"GET", "/v1.0/users/" + id, "", 404, `{"error":{"message":"gone"}}`, answer, "code"},
		"an error page is refused":                           {"GET", "/v1.0/users/" + id, "", 502, `<html>` + canary, answer, "body"},
		"half an answer is refused":                          {"GET", "/v1.0/users/" + id, "", 200, `{"id":"` + canary, answer, "body"},
		"an empty answer with content is refused":            {"DELETE", "/v1.0/users/" + id, "", 204, `{"done":true}`, answer, "204"},
		"a created user without an id is refused":            {"POST", "/v1.0/users", newUser, 201, `{"displayName":"x"}`, answer, "id"},
		"a list with a wrong item is refused":                {"GET", "/v1.0/roleManagement/directory/roleAssignments", "", 200, strings.Replace(list, "principalId", "principalID", 1), answer, "principalID"},
		"an assignment with a role that is no id is refused": {"POST", "/v1.0/roleManagement/directory/roleAssignments", `{"principalId":7,"roleDefinitionId":"x","directoryScopeId":"/"}`, 201, `{}`, sent, "principalId"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(c.method, strings.ReplaceAll(c.path, " ", "%20"), strings.NewReader("untouched"))
			if c.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			header := http.Header{"Content-Type": {"application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"}}
			err := contract.Check(req, []byte(c.body), c.status, header, []byte(c.answer))
			var breach *contract.Error
			switch {
			case c.want == good && err != nil:
				t.Fatalf("refused: %v", err)
			case c.want == good:
			case !errors.As(err, &breach):
				t.Fatalf("got %v, want a breach of the %s", err, c.want)
			case breach.Side != c.want || !strings.Contains(breach.Text, c.text):
				t.Errorf("got %v, want one of the %s about %q", breach, c.want, c.text)
			case strings.Contains(breach.Error(), canary):
				t.Errorf("the error repeats a value")
			}
		})
	}
}

// BenchmarkCheck measures what every call of a suite pays.
func BenchmarkCheck(b *testing.B) {
	req := httptest.NewRequest("POST", "/v1.0/users", nil)
	req.Header.Set("Content-Type", "application/json")
	header := http.Header{"Content-Type": {"application/json"}}
	for b.Loop() {
		if err := contract.Check(req, []byte(newUser), 201, header, []byte(madeUser)); err != nil {
			b.Fatal(err)
		}
	}
}
