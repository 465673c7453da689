package entra

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/sim/entra/contract"
)

func TestEveryOperationOfTheContractIsAnswered(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{Licence: P2})
	var routed []string
	for _, op := range operations() {
		path := strings.NewReplacer("{user}", "{user-id}", "{directoryRoles}", "directoryRoles(roleTemplateId='{roleTemplateId}')").Replace(op.path)
		routed = append(routed, op.method+" "+path)
	}
	if n := len(routed); n != 76 { // 75, and the list of the bin without a cast
		t.Errorf("%d operations are routed", n)
	}
	user := r.make("jit-a")
	pass := r.must(201, "POST", "/users/"+user+"/authentication/temporaryAccessPassMethods", map[string]any{}).str("id")
	role := r.give(user, SecurityReader)
	unit := r.must(201, "POST", "/directory/administrativeUnits", map[string]any{"displayName": "North"}).str("id")
	hook := r.must(201, "POST", "/subscriptions", map[string]any{"changeType": "updated", "notificationUrl": "https://example.com/x", "resource": "/users", "expirationDateTime": "2030-01-01T00:00:00Z"}).str("id")
	relation := r.must(201, "POST", "/tenantRelationships/delegatedAdminRelationships", map[string]any{"displayName": "All", "duration": "P730D", "accessDetails": map[string]any{"unifiedRoles": []any{map[string]any{"roleDefinitionId": UserAdministrator}}}}).str("id")
	request := r.must(201, "POST", "/roleManagement/directory/roleAssignmentScheduleRequests", pimBody("adminAssign", user, time.Hour))
	for _, path := range []string{
		"/users/" + user, "/users/delta", "/users/" + user + "/memberOf", "/users/" + user + "/transitiveMemberOf", "/users/" + user + "/authentication/methods",
		"/users/" + user + "/authentication/passwordMethods", "/users/" + user + "/authentication/temporaryAccessPassMethods",
		"/users/" + user + "/authentication/temporaryAccessPassMethods/" + pass, "/directory/deletedItems/microsoft.graph.user",
		"/roleManagement/directory/roleDefinitions", "/roleManagement/directory/roleDefinitions/" + GlobalAdministrator,
		"/roleManagement/directory/roleAssignments?$expand=principal,roleDefinition", "/roleManagement/directory/roleAssignments/" + role,
		"/roleManagement/directory/roleAssignmentScheduleRequests", "/roleManagement/directory/roleAssignmentScheduleRequests/" + request.str("id"),
		"/roleManagement/directory/roleAssignmentSchedules?$expand=principal", "/roleManagement/directory/roleAssignmentSchedules/" + request.str("targetScheduleId"),
		"/roleManagement/directory/roleAssignmentScheduleInstances", "/roleManagement/directory/roleAssignmentScheduleInstances/" + role,
		"/policies/roleManagementPolicyAssignments?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole' and roleDefinitionId eq '" + GlobalAdministrator + "'&$expand=policy($expand=rules)",
		"/policies/roleManagementPolicies/" + policyID(r.tenant, GlobalAdministrator) + "/rules", "/policies/authenticationMethodsPolicy",
		"/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/TemporaryAccessPass", "/policies/identitySecurityDefaultsEnforcementPolicy",
		"/identity/conditionalAccess/policies", "/directoryRoles", "/directoryRoles/" + r.tenant.roles[GlobalAdministrator],
		"/directoryRoles(roleTemplateId='" + GlobalAdministrator + "')", "/directoryRoles/" + r.tenant.roles[GlobalAdministrator] + "/members", "/domains",
		"/domains/pedroaviary.onmicrosoft.com", "/organization", "/subscribedSkus", "/directory/administrativeUnits", "/directory/administrativeUnits/" + unit,
		"/directory/administrativeUnits/" + unit + "/members", "/auditLogs/signIns", "/auditLogs/directoryAudits", "/subscriptions", "/subscriptions/" + hook,
		"/tenantRelationships/delegatedAdminRelationships", "/tenantRelationships/delegatedAdminRelationships/" + relation,
		"/tenantRelationships/delegatedAdminRelationships/" + relation + "/accessAssignments", "/tenantRelationships/delegatedAdminCustomers", "/contracts",
		"/servicePrincipals", "/servicePrincipals/" + r.tenant.principals[r.app.ID].id + "/appRoleAssignments",
	} {
		r.must(200, "GET", path, nil)
	}
	r.must(200, "PATCH", "/subscriptions/"+hook, map[string]any{"expirationDateTime": "2031-01-01T00:00:00Z"})
	r.must(204, "DELETE", "/subscriptions/"+hook, nil)
	ref := map[string]any{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + user}
	r.must(204, "POST", "/directory/administrativeUnits/"+unit+"/members/$ref", ref)
	r.must(204, "DELETE", "/directory/administrativeUnits/"+unit+"/members/"+user+"/$ref", nil)
	r.must(200, "PATCH", "/policies/roleManagementPolicies/"+policyID(r.tenant, GlobalAdministrator)+"/rules/Expiration_Admin_Assignment", map[string]any{"@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyExpirationRule", "maximumDuration": "PT8H"})
	r.must(204, "PATCH", "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/TemporaryAccessPass", map[string]any{"@odata.type": passConfigType, "minimumLifetimeInMinutes": 30})
	if len(r.cloud.Breaches()) > 0 {
		t.Error(r.cloud.Breaches())
	}
}

func TestWhatGraphRefuses(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{Domains: []Domain{
		{Name: "pedroaviary.onmicrosoft.com", Initial: true, Default: true}, {Name: "fed.example", Federated: true}, {Name: "new.example", Unverified: true},
	}})
	user := r.make("jit-a")
	with := func(name string, v any) map[string]any {
		body := r.newUser("jit-b")
		if body[name] = v; v == nil {
			delete(body, name)
		}
		return body
	}
	const bad, missing = "Request_BadRequest", "Request_ResourceNotFound"
	nobody := "00000000-0000-4000-8000-000000000000"
	passes := "/users/" + user + "/authentication/temporaryAccessPassMethods"
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
		code, text   string
	}{
		"a name that is taken":                         {"POST", "/users", with("userPrincipalName", strings.ToUpper(r.upn("jit-a"))), 400, bad, "Another object with the same value for property userPrincipalName already exists."},
		"a weak password":                              {"POST", "/users", with("passwordProfile", map[string]any{"password": "alllowercase"}), 400, bad, "The specified password does not comply with password complexity requirements. Please provide a different password."},
		"no password":                                  {"POST", "/users", with("passwordProfile", map[string]any{}), 400, bad, "A value is required for property 'password' of resource 'User'."},
		"no display name":                              {"POST", "/users", with("displayName", nil), 400, bad, "A value is required for property 'displayName' of resource 'User'."},
		"an empty display name":                        {"POST", "/users", with("displayName", ""), 400, bad, "Invalid value specified for property 'displayName' of resource 'User'."},
		"a nickname with a space":                      {"POST", "/users", with("mailNickname", "a b"), 400, bad, "Invalid value specified for property 'mailNickname' of resource 'User'."},
		"a marker of 17 characters":                    {"POST", "/users", with("employeeId", "12345678901234567"), 400, bad, "Invalid value specified for property 'employeeId' of resource 'User'."},
		"a domain of somebody else":                    {"POST", "/users", with("userPrincipalName", "a@elsewhere.example"), 400, bad, "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization."},
		"a domain not yet verified":                    {"POST", "/users", with("userPrincipalName", "a@new.example"), 400, bad, "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization."},
		"a federated domain":                           {"POST", "/users", with("userPrincipalName", "a@fed.example"), 400, bad, "A value is required for property 'onPremisesImmutableId' of resource 'User'."},
		"an accent in a name":                          {"POST", "/users", with("userPrincipalName", "é@pedroaviary.onmicrosoft.com"), 400, bad, "Invalid value specified for property 'userPrincipalName' of resource 'User'."},
		"a property that does not exist":               {"POST", "/users", with("shoeSize", 43), 400, bad, "Property 'shoeSize' does not exist as a declared property or extension property."},
		"a user who is not there":                      {"GET", "/users/" + nobody, nil, 404, missing, "Resource '" + nobody + "' does not exist or one of its queried reference-property objects are not present."},
		"a deleted user who is not there":              {"GET", "/directory/deletedItems/" + user, nil, 404, missing, "Resource '" + user + "' does not exist or one of its queried reference-property objects are not present."},
		"a purge of a live user":                       {"DELETE", "/directory/deletedItems/" + user, nil, 404, missing, ""},
		"the bin without a cast":                       {"GET", "/directory/deletedItems", nil, 400, bad, ""},
		"a role for nobody":                            {"POST", "/roleManagement/directory/roleAssignments", assignmentBody(nobody, GlobalAdministrator), 404, missing, ""},
		"a role that is none":                          {"POST", "/roleManagement/directory/roleAssignments", assignmentBody(user, nobody), 404, missing, ""},
		"an assignment that is not there":              {"DELETE", "/roleManagement/directory/roleAssignments/abc-1", nil, 404, missing, ""},
		"a pass too short":                             {"POST", passes, map[string]any{"lifetimeInMinutes": 59}, 400, "badRequest", ""},
		"a pass too long":                              {"POST", passes, map[string]any{"lifetimeInMinutes": 481}, 400, "badRequest", ""},
		"PIM without a licence":                        {"POST", "/roleManagement/directory/roleAssignmentScheduleRequests", pimBody("adminAssign", user, time.Hour), 400, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."},
		"PIM schedules without a licence":              {"GET", "/roleManagement/directory/roleAssignmentSchedules", nil, 400, "AadPremiumLicenseRequired", ""},
		"sign-in logs without a licence":               {"GET", "/auditLogs/signIns", nil, 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", ""},
		"an advanced query without the header":         {"GET", "/users?$filter=endsWith(userPrincipalName,'com')&$count=true", nil, 400, "Request_UnsupportedQuery", ""},
		"a count without the header":                   {"GET", "/users?$count=true", nil, 400, "Request_UnsupportedQuery", ""},
		"a filter that breaks off":                     {"GET", "/users?$filter=displayName eq 'x", nil, 400, "BadRequest", ""},
		"a filter on a property that does not exist":   {"GET", "/users?$filter=shoeSize eq 43", nil, 400, "BadRequest", ""},
		"a selection of what does not exist":           {"GET", "/users?$select=shoeSize", nil, 400, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named 'shoeSize' on type 'microsoft.graph.user'."},
		"an expansion of what does not exist":          {"GET", "/roleManagement/directory/roleAssignments?$expand=owner", nil, 400, "BadRequest", ""},
		"a page of a thousand":                         {"GET", "/users?$top=1000", nil, 400, bad, "Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."},
		"a path that does not exist":                   {"GET", "/planets", nil, 400, "BadRequest", "Resource not found for the segment 'planets'."},
		"a role twice activated":                       {"POST", "/directoryRoles", map[string]any{"roleTemplateId": GlobalAdministrator}, 400, bad, "A conflicting object with one or more of the specified property values is present in the directory."},
		"a password of a user, without a role":         {"PATCH", "/users/" + user, map[string]any{"passwordProfile": map[string]any{"password": "Canary-7781-x"}}, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."},
		"PIM rules without saying which kind of scope": {"GET", "/policies/roleManagementPolicyAssignments", nil, 400, "AadPremiumLicenseRequired", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := r.fails(c.status, c.code, c.method, c.path, c.body)
			if c.text != "" && g.text != c.text {
				t.Errorf("got %q", g.text)
			}
			last := r.cloud.Journal()[len(r.cloud.Journal())-1]
			if last.Effect || last.Status != c.status || last.Code != c.code {
				t.Errorf("the journal says %+v", last)
			}
		})
	}
	conflict := r.send("POST", "/users", r.newUser("jit-a"))
	details, _ := conflict.body["error"].(map[string]any)["details"].([]any)
	if len(details) != 1 || details[0].(map[string]any)["code"] != "ObjectConflict" || details[0].(map[string]any)["target"] != "userPrincipalName" {
		t.Errorf("the conflict's details are %v", details)
	}
}

func TestDefaultPropertiesAndHeaders(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	made := r.must(201, "POST", "/users", r.newUser("jit-a"))
	if _, shown := made.body["accountEnabled"]; shown || made.str("displayName") == "" {
		t.Errorf("a created user shows %v", made.body)
	}
	r.header.Set("client-request-id", "abc-1")
	g := r.must(200, "GET", "/users/"+r.upn("JIT-A")+"?$select=id,accountEnabled,employeeId,deletedDateTime", nil)
	if g.body["accountEnabled"] != true || g.str("employeeId") != "m-jit-a" || g.str("displayName") != "" || g.body["deletedDateTime"] != nil {
		t.Errorf("selected: %v", g.body)
	}
	for name, want := range map[string]string{"client-request-id": "abc-1", "OData-Version": "4.0", "Content-Type": jsonType} {
		if g.header.Get(name) != want {
			t.Errorf("%s is %q", name, g.header.Get(name))
		}
	}
	if _, err := http.ParseTime(g.header.Get("Date")); err != nil || g.header.Get("request-id") == "" || g.header.Get("x-ms-ags-diagnostic") == "" {
		t.Errorf("headers: %v", g.header)
	}
	if g := r.must(204, "PATCH", "/users/"+made.str("id"), map[string]any{"accountEnabled": false}); len(g.body) > 0 {
		t.Errorf("a change answers %v", g.body)
	}
	if u, _ := r.tenant.User(made.str("id")); u.Enabled || u.Marker != "m-jit-a" {
		t.Errorf("the user is %+v", u)
	}
}

func TestPages(t *testing.T) {
	r := newRig(t, Options{PageSize: 2}, TenantSpec{})
	for _, alias := range []string{"jit-a", "jit-b", "other", "jit-c", "jit-d", "jit-e"} {
		r.make(alias)
	}
	path, pages, names := "/users?$filter=startsWith(userPrincipalName,'JIT-')&$select=userPrincipalName&$top=3", 0, []string{}
	for path != "" {
		g := r.must(200, "GET", path, nil)
		pages++
		for _, v := range g.list() {
			names = append(names, strings.TrimSuffix(v.(map[string]any)["userPrincipalName"].(string), "@pedroaviary.onmicrosoft.com"))
		}
		path = strings.TrimPrefix(g.str("@odata.nextLink"), "https://graph.microsoft.com/v1.0")
	}
	if pages != 3 || !slices.Equal(names, []string{"jit-a", "jit-b", "jit-c", "jit-d", "jit-e"}) {
		t.Errorf("%d pages with %v", pages, names)
	}
	r.fails(400, "Directory_ExpiredPageToken", "GET", "/users?$skiptoken=xyz", nil)
	r.header.Set("ConsistencyLevel", "eventual")
	if g := r.must(200, "GET", "/users?$filter=endsWith(userPrincipalName,'.com')&$count=true&$orderby=displayName desc", nil); g.body["@odata.count"] != 6.0 || g.list()[0].(map[string]any)["displayName"] != "JIT admin other" {
		t.Errorf("counted %v", g.body)
	}
}

func TestFilters(t *testing.T) {
	o := object{"a": "One", "n": 5, "b": true, "at": "2026-01-02T00:00:00Z", "none": nil, "in": object{"x": "y"}, "list": []object{{"id": "1"}, {"id": "2"}}}
	for text, want := range map[string]bool{
		"a eq 'one'": true, "a ne 'one'": false, "a eq 'two' or b eq true": true, "a eq 'one' and (b eq false or n ge 5)": true, "not (n gt 5)": true,
		"startswith(a,'ON')": true, "endsWith(a,'x')": false, "contains(a,'n')": true, "a in ('x','ONE')": true, "none eq null": true, "in/x eq 'y'": true,
		"at ge 2026-01-01T00:00:00Z": true, "at lt 2026-01-01T12:30:00Z": false, "list/any(l:l/id eq '2')": true, "list/any(l:l/id eq '3')": false, "a eq 'it''s'": false,
	} {
		f, err := parseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if f.match(o) != want {
			t.Errorf("%s is not %v", text, want)
		}
	}
	for _, text := range []string{"", "a", "a eq", "a eq 'x", "(a eq 'x'", "a like 'x'", "eq 'x'", "a eq 'x' and", "a in (", "a in ('x'", "list/any(l l eq 1)", "startswith(a)", strings.Repeat("(", 100), "a eq 'x' b"} {
		if _, err := parseFilter(text); err == nil {
			t.Errorf("%q is taken for a filter", text)
		}
	}
}

func TestPermissions(t *testing.T) {
	for name, c := range map[string]struct {
		permissions  []string
		method, path string
		body         any
		ok           int
	}{
		"reading needs a reader":                       {[]string{"User.Read.All"}, "GET", "/users/{}", nil, 200},
		"a basic reader does not see who is enabled":   {[]string{"User.ReadBasic.All"}, "GET", "/users/{}?$select=accountEnabled", nil, 403},
		"a basic reader sees names":                    {[]string{"User.ReadBasic.All"}, "GET", "/users/{}?$select=displayName", nil, 200},
		"User.Create creates":                          {[]string{"User.Create"}, "POST", "/users", nil, 201},
		"a reader does not create":                     {[]string{"User.Read.All"}, "POST", "/users", nil, 403},
		"disabling has a permission of its own":        {[]string{"User.EnableDisableAccount.All"}, "PATCH", "/users/{}", map[string]any{"accountEnabled": false}, 204},
		"which is no good for the rest":                {[]string{"User.EnableDisableAccount.All"}, "PATCH", "/users/{}", map[string]any{"accountEnabled": false, "jobTitle": "x"}, 403},
		"deleting has one, too":                        {[]string{"User.DeleteRestore.All"}, "DELETE", "/users/{}", nil, 204},
		"writing roles is not reading them":            {[]string{"RoleManagement.Read.Directory"}, "POST", "/roleManagement/directory/roleAssignments", nil, 403},
		"passes have their own":                        {[]string{"User.ReadWrite.All"}, "GET", "/users/{}/authentication/temporaryAccessPassMethods", nil, 403},
		"with nothing there is nothing":                {nil, "GET", "/organization", nil, 403},
		"logs need theirs":                             {[]string{"Directory.Read.All"}, "GET", "/auditLogs/directoryAudits", nil, 403},
		"sessions are revoked with a permission":       {[]string{"User.RevokeSessions.All"}, "POST", "/users/{}/revokeSignInSessions", nil, 200},
		"without permission what is missing is denied": {nil, "GET", "/users/nobody", nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{}, TenantSpec{})
			id := r.make("jit-a")
			body := c.body
			if c.path == "/users" && c.method == "POST" {
				body = r.newUser("jit-b")
			} else if c.method == "POST" && strings.HasSuffix(c.path, "Assignments") {
				body = assignmentBody(id, GlobalAdministrator)
			}
			r.only(append([]string{"Some.Permission"}, c.permissions...)...)
			r.must(c.ok, c.method, strings.ReplaceAll(c.path, "{}", id), body)
		})
	}
}

func TestTokensAndConsent(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	id := r.make("jit-a")
	good := r.token
	r.token = "rubbish"
	r.fails(401, "InvalidAuthenticationToken", "GET", "/users/"+id, nil)
	r.token = good
	r.tenant.Revoke(r.app, everything...)
	r.must(200, "GET", "/users/"+id, nil) // the token lives on
	r.tenant.Withdraw(r.app)
	r.fails(401, "Authorization_IdentityNotFound", "GET", "/users/"+id, nil)
	r.let(everything...)
	r.must(200, "GET", "/users/"+id, nil)
}

func TestSwitchesOfPermissions(t *testing.T) {
	for name, c := range map[string]struct {
		switches Switches
		status   int // of asking for nobody, and of creating with User.Create
		create   int
	}{
		"denied comes first":  {Switches{}, 403, 201},
		"missing comes first": {Switches{MissingBeforeDenied: true, UserCreateRefused: true}, 404, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{Switches: c.switches}, TenantSpec{})
			r.only("User.Create")
			r.must(c.status, "GET", "/users/nobody", nil)
			r.must(c.create, "POST", "/users", r.newUser("jit-a"))
		})
	}
}

func TestATokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, TenantSpec{})
		r.must(200, "GET", "/users", nil)
		time.Sleep(2 * time.Hour)
		r.fails(401, "InvalidAuthenticationToken", "GET", "/users", nil)
	})
}

func TestTheContractIsHeldTo(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	r.send("POST", "/users", map[string]any{"mailNickName": "x"})
	if len(r.cloud.Breaches()) != 1 || r.cloud.Breaches()[0].(*contract.Error).Side != contract.Request {
		t.Errorf("breaches: %v", r.cloud.Breaches())
	}
}
