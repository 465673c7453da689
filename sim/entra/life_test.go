package entra

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

const roleAssignments = "/roleManagement/directory/roleAssignments"

func rolesOf(user string) string { return roleAssignments + "?$filter=principalId eq '" + user + "'" }

func TestTheWholeLifeOfATemporaryAdministrator(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	id := r.make("jit-a")
	made := r.must(201, "POST", "/users/"+id+"/authentication/temporaryAccessPassMethods", map[string]any{"lifetimeInMinutes": 60})
	value := made.str("temporaryAccessPass")
	if len(value) < 8 || made.str("methodUsabilityReason") != "EnabledByPolicy" {
		t.Fatalf("the pass is %v", made.body["methodUsabilityReason"])
	}
	role := r.give(id, GlobalAdministrator)
	again := r.fails(400, "Request_BadRequest", "POST", roleAssignments, assignmentBody(id, GlobalAdministrator))
	if again.text != "A conflicting object with one or more of the specified property values is present in the directory." {
		t.Errorf("given twice: %q", again.text)
	}
	if g := r.must(200, "GET", "/users/"+id+"/authentication/temporaryAccessPassMethods", nil); len(g.list()) != 1 || g.list()[0].(map[string]any)["temporaryAccessPass"] != nil {
		t.Error("a pass is shown with its value, or not at all")
	}
	if p, why := r.tenant.UsePass(id, value); why != "" || !r.tenant.PassLives(id, p.ID) || !slices.Equal(r.tenant.Effective(id), []string{GlobalAdministrator}) {
		t.Errorf("signing in: %q, roles %v", why, r.tenant.Effective(id))
	}

	// The app has no role of its own: it may not touch an administrator.
	r.fails(403, "Authorization_RequestDenied", "PATCH", "/users/"+id, map[string]any{"accountEnabled": false})
	r.fails(403, "Authorization_RequestDenied", "DELETE", "/users/"+id, nil)
	r.must(204, "DELETE", roleAssignments+"/"+role, nil)
	r.fails(404, "Request_ResourceNotFound", "DELETE", roleAssignments+"/"+role, nil)
	r.must(204, "DELETE", "/users/"+id+"/authentication/temporaryAccessPassMethods/"+made.str("id"), nil)
	r.must(204, "PATCH", "/users/"+id, map[string]any{"accountEnabled": false})
	r.must(200, "POST", "/users/"+id+"/revokeSignInSessions", nil)
	r.must(204, "DELETE", "/users/"+id, nil)
	r.fails(404, "Request_ResourceNotFound", "GET", "/users/"+id, nil)
	bin := r.must(200, "GET", "/directory/deletedItems/"+id+"?$select=id,userPrincipalName,deletedDateTime,employeeId", nil)
	if bin.str("userPrincipalName") != binned(id)+r.upn("jit-a") || bin.str("deletedDateTime") == "" || bin.body["employeeId"] != nil {
		t.Errorf("in the bin: %v", bin.body)
	}
	if findings := r.cloud.Invariants(time.Time{}, func(string) bool { return false }); len(findings) != 1 {
		t.Errorf("with an account in the bin: %v", findings)
	}
	r.must(204, "DELETE", "/directory/deletedItems/"+id, nil)
	r.fails(404, "Request_ResourceNotFound", "GET", "/directory/deletedItems/"+id, nil)
	if findings := r.cloud.Invariants(time.Time{}, func(string) bool { return false }); len(findings) != 0 {
		t.Errorf("at the end: %v", findings)
	}
	var activities []string
	audits := r.must(200, "GET", "/auditLogs/directoryAudits?$filter=targetResources/any(t:t/id eq '"+id+"')", nil)
	for _, a := range audits.list() {
		entry := a.(map[string]any)
		activities = append(activities, entry["activityDisplayName"].(string))
		if app := entry["initiatedBy"].(map[string]any)["app"].(map[string]any); app["appId"] != r.app.ID {
			t.Errorf("initiated by %v", app)
		}
	}
	slices.Reverse(activities)
	want := []string{"Add user", "Admin registered security info", "Add member to role", "Remove member from role", "Admin deleted security info", "Disable account", "Update StsRefreshTokenValidFrom Timestamp", "Delete user", "Hard Delete user"}
	if !slices.Equal(activities, want) {
		t.Errorf("audited: %q", activities)
	}
}

func TestADeletedAdministratorIsOneClickFromBeingOneAgain(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	r.tenant.AppRole(r.app, PrivilegedAuthenticationAdministrator)
	id := r.make("jit-a")
	r.give(id, GlobalAdministrator)
	r.must(204, "DELETE", "/users/"+id, nil)
	if g := r.must(200, "GET", rolesOf(id), nil); len(g.list()) != 0 {
		t.Error("a deleted user's roles are listed")
	}
	r.fails(404, "Request_ResourceNotFound", "POST", roleAssignments, assignmentBody(id, SecurityReader))
	g := r.must(200, "POST", "/directory/deletedItems/"+id+"/restore", nil)
	if g.str("@odata.type") != "#microsoft.graph.user" || g.str("userPrincipalName") != r.upn("jit-a") {
		t.Errorf("restored: %v", g.body)
	}
	if !slices.Equal(r.tenant.Effective(id), []string{GlobalAdministrator}) {
		t.Error("the role did not come back")
	}
	r.must(204, "DELETE", "/users/"+id, nil)
	r.must(204, "DELETE", "/directory/deletedItems/"+id, nil)
	if len(r.tenant.holds[id]) != 0 || len(r.tenant.Users()) != 0 {
		t.Error("a purge leaves something")
	}
}

func TestNamesInTheBin(t *testing.T) {
	for name, keeps := range map[string]bool{"a name in the bin is free": false, "a name in the bin is taken, if it so happens": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{Switches: Switches{BinKeepsUPN: keeps, BinKeepsEmployeeID: keeps}}, TenantSpec{})
			id := r.make("jit-a")
			r.must(204, "DELETE", "/users/"+id, nil)
			if keeps {
				r.fails(400, "Request_BadRequest", "POST", "/users", r.newUser("jit-a"))
				if g := r.must(200, "GET", "/directory/deletedItems/microsoft.graph.user?$filter=employeeId eq 'm-jit-a'", nil); len(g.list()) != 1 {
					t.Errorf("the bin lists %d", len(g.list()))
				}
				return
			}
			second := r.make("jit-a")
			r.fails(400, "Request_BadRequest", "POST", "/directory/deletedItems/"+id+"/restore", nil)
			r.must(200, "POST", "/directory/deletedItems/"+id+"/restore", map[string]any{"newUserPrincipalName": r.upn("jit-b")})
			if a, _ := r.tenant.User(second); a.UPN != r.upn("jit-a") {
				t.Errorf("the second is %+v", a)
			}
		})
	}
}

func TestTheBinEmptiesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, TenantSpec{})
		id := r.make("jit-a")
		r.must(204, "DELETE", "/users/"+id, nil)
		time.Sleep(30*24*time.Hour - time.Minute)
		r.let(everything...)
		r.must(200, "GET", "/directory/deletedItems/"+id, nil)
		time.Sleep(time.Minute)
		r.fails(404, "Request_ResourceNotFound", "GET", "/directory/deletedItems/"+id, nil)
	})
}

func TestPurgesThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, TenantSpec{})
		id := r.make("jit-a")
		r.must(204, "DELETE", "/users/"+id, nil)
		if err := r.tenant.Act(Act{Do: RefusePurges, User: id}); err != nil {
			t.Fatal(err)
		}
		r.fails(400, "Request_BadRequest", "DELETE", "/directory/deletedItems/"+id, nil)
		time.Sleep(7 * 24 * time.Hour)
		r.let(everything...)
		r.must(204, "DELETE", "/directory/deletedItems/"+id, nil)
	})
	r := newRig(t, Options{Switches: Switches{PurgeNeedsPerson: true}}, TenantSpec{})
	id := r.make("jit-a")
	r.must(204, "DELETE", "/users/"+id, nil)
	r.fails(403, "Authorization_RequestDenied", "DELETE", "/directory/deletedItems/"+id, nil)
}

func TestWhoMayTouchWhom(t *testing.T) {
	for name, c := range map[string]struct {
		app, target string
		disable     int
		password    int
	}{
		"no role, ordinary user":                {"", "", 204, 403},
		"no role, harmless role":                {"", DirectoryReaders, 204, 403},
		"no role, any administrator":            {"", ExchangeAdministrator, 403, 403},
		"no role, Global Administrator":         {"", GlobalAdministrator, 403, 403},
		"User Administrator, ordinary user":     {UserAdministrator, "", 204, 204},
		"User Administrator, User Admin":        {UserAdministrator, UserAdministrator, 204, 204},
		"User Administrator, Global Admin":      {UserAdministrator, GlobalAdministrator, 403, 403},
		"Privileged Auth. Admin, Global Admin":  {PrivilegedAuthenticationAdministrator, GlobalAdministrator, 204, 204},
		"Global Administrator, Global Admin":    {GlobalAdministrator, GlobalAdministrator, 204, 204},
		"Privileged Role Admin, ordinary user":  {PrivilegedRoleAdministrator, "", 204, 403},
		"Privileged Role Admin, Global Admin":   {PrivilegedRoleAdministrator, GlobalAdministrator, 403, 403},
		"no role, Privileged Authentication Ad": {"", PrivilegedAuthenticationAdministrator, 403, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{}, TenantSpec{})
			id := r.make("jit-a")
			if c.app != "" {
				r.tenant.AppRole(r.app, c.app)
			}
			if c.target != "" {
				r.give(id, c.target)
			}
			r.must(c.disable, "PATCH", "/users/"+id, map[string]any{"accountEnabled": false})
			r.must(c.password, "PATCH", "/users/"+id, map[string]any{"passwordProfile": map[string]any{"password": "Canary-7781-new"}})
			if c.password == 204 && !r.tenant.PasswordFits(id, "Canary-7781-new") {
				t.Error("the password does not fit")
			}
		})
	}
}

func TestPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, TenantSpec{})
		id := r.make("jit-a")
		passes := "/users/" + id + "/authentication/temporaryAccessPassMethods"
		first := r.must(201, "POST", passes, map[string]any{"isUsableOnce": true})
		second := r.must(201, "POST", passes, map[string]any{"isUsableOnce": true, "lifetimeInMinutes": 90})
		if g := r.must(200, "GET", passes, nil); len(g.list()) != 1 || second.body["lifetimeInMinutes"] != 90.0 || first.body["lifetimeInMinutes"] != 60.0 {
			t.Error("a second pass does not replace the first")
		}
		try := func(value, want string) {
			t.Helper()
			if _, why := r.tenant.UsePass(id, value); why != want {
				t.Errorf("using a pass: %q, want %q", why, want)
			}
		}
		try(first.str("temporaryAccessPass"), "Wrong")
		try(second.str("temporaryAccessPass"), "")
		try(second.str("temporaryAccessPass"), "OneTimeUsed")
		third := r.must(201, "POST", passes, map[string]any{"startDateTime": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
		try(third.str("temporaryAccessPass"), "NotYetValid")
		time.Sleep(time.Hour)
		try(third.str("temporaryAccessPass"), "")
		_ = r.tenant.Act(Act{Do: TurnPassesOff})
		try(third.str("temporaryAccessPass"), "DisabledByPolicy")
		r.let(everything...)
		off := r.fails(400, "badRequest", "POST", passes, map[string]any{})
		if off.text != "Converged UserCredentialPolicy does not allow creating or updating Temporary Access Pass." {
			t.Errorf("off: %q", off.text)
		}
		_ = r.tenant.Act(Act{Do: TurnPassesOn})
		time.Sleep(time.Hour)
		try(third.str("temporaryAccessPass"), "Expired")
		if r.tenant.PassLives(id, third.str("id")) {
			t.Error("an expired pass lives")
		}
		r.let(everything...)
		if g := r.must(200, "GET", passes+"/"+third.str("id"), nil); g.body["isUsable"] != false || g.str("methodUsabilityReason") != "Expired" {
			t.Errorf("the pass is %v", g.body)
		}
	})
}

func TestSwitchesOfPasses(t *testing.T) {
	r := newRig(t, Options{Switches: Switches{TAPOnAdminNeedsRole: true, TAPOffOtherText: true}}, TenantSpec{TAP: &TAPPolicy{Min: 10, Max: 60, Default: 30, Length: 12, Once: true}})
	id := r.make("jit-a")
	passes := "/users/" + id + "/authentication/temporaryAccessPassMethods"
	if g := r.must(201, "POST", passes, map[string]any{"isUsableOnce": false}); g.body["isUsableOnce"] != true || len(g.str("temporaryAccessPass")) != 12 {
		t.Error("the policy's once, or its length, is not kept")
	}
	r.give(id, GlobalAdministrator)
	r.fails(403, "Authorization_RequestDenied", "POST", passes, map[string]any{})
	r.tenant.AppRole(r.app, PrivilegedAuthenticationAdministrator)
	r.must(201, "POST", passes, map[string]any{})
	_ = r.tenant.Act(Act{Do: TurnPassesOff})
	r.fails(400, "Request_BadRequest", "POST", passes, map[string]any{})
}

func TestLegacyRolesAreTheSameStore(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{})
	id := r.make("jit-a")
	role := r.must(201, "POST", "/directoryRoles", map[string]any{"roleTemplateId": ExchangeAdministrator}).str("id")
	ref := map[string]any{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + id}
	r.must(204, "POST", "/directoryRoles/"+role+"/members/$ref", ref)
	if g := r.fails(400, "Request_BadRequest", "POST", "/directoryRoles/"+role+"/members/$ref", ref); g.text != "One or more added object references already exist for the following modified properties: 'members'." {
		t.Errorf("twice: %q", g.text)
	}
	if g := r.must(200, "GET", rolesOf(id)+"&$expand=principal", nil); len(g.list()) != 1 || g.list()[0].(map[string]any)["principal"].(map[string]any)["id"] != id {
		t.Errorf("the assignment is %v", g.body)
	}
	if g := r.must(200, "GET", "/directoryRoles/"+role+"/members", nil); len(g.list()) != 1 {
		t.Error("no member")
	}
	r.must(204, "DELETE", "/directoryRoles/"+role+"/members/"+id+"/$ref", nil)
	r.fails(404, "Request_ResourceNotFound", "DELETE", "/directoryRoles/"+role+"/members/"+id+"/$ref", nil)
	if g := r.must(200, "GET", rolesOf(id), nil); len(g.list()) != 0 {
		t.Error("the role is still there")
	}
}
