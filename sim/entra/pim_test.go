package entra

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const pimRequests = "/roleManagement/directory/roleAssignmentScheduleRequests"

func TestPIM(t *testing.T) {
	const instances = "/roleManagement/directory/roleAssignmentScheduleInstances?$filter=principalId eq "
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, TenantSpec{Licence: P2})
		id := r.make("jit-a")
		if g := r.must(201, "POST", pimRequests, func() map[string]any {
			body := pimBody("adminAssign", id, time.Hour)
			body["ticketInfo"] = map[string]any{"ticketNumber": "4711", "ticketSystem": "PSA"}
			return body
		}()); g.str("status") != "Provisioned" || g.body["ticketInfo"].(map[string]any)["ticketNumber"] != "4711" {
			t.Errorf("assigned: %v", g.body)
		}
		r.fails(400, "RoleAssignmentExists", "POST", pimRequests, pimBody("adminAssign", id, time.Hour))
		r.fails(400, "Request_BadRequest", "POST", roleAssignments, assignmentBody(id, GlobalAdministrator))
		if g := r.must(200, "GET", instances+"'"+id+"'", nil); len(g.list()) != 1 || g.list()[0].(map[string]any)["endDateTime"] == nil {
			t.Errorf("instances: %v", g.body)
		}
		if g := r.fails(400, "ActiveDurationTooShort", "POST", pimRequests, pimBody("adminRemove", id, 0)); g.text != "The Active duration is too short. Miniumum Required is 5 minutes." {
			t.Errorf("too soon: %q", g.text)
		}
		time.Sleep(5 * time.Minute)
		if g := r.must(201, "POST", pimRequests, pimBody("adminRemove", id, 0)); g.str("status") != "Revoked" {
			t.Errorf("removed: %v", g.body["status"])
		}
		r.fails(400, "RoleAssignmentDoesNotExist", "POST", pimRequests, pimBody("adminRemove", id, 0))
		r.must(201, "POST", pimRequests, pimBody("adminAssign", id, 30*time.Minute))
		if !slices.Equal(r.tenant.Effective(id), []string{GlobalAdministrator}) {
			t.Error("the role is not on")
		}
		time.Sleep(30 * time.Minute)
		if g := r.must(200, "GET", rolesOf(id), nil); len(g.list()) != 0 || len(r.tenant.Effective(id)) != 0 {
			t.Error("the role outlives its end")
		}
	})
}

func TestPIMRefuses(t *testing.T) {
	r := newRig(t, Options{}, TenantSpec{Licence: P2})
	id := r.make("jit-a")
	strict := func(demands ...string) func() {
		return func() {
			r.tenant.SetPIMRules(GlobalAdministrator, PIMRules{Max: time.Hour, Required: true, Demands: demands})
		}
	}
	failed := func(rules string) string { return "The following policy rules failed: [" + rules + "]" }
	for name, c := range map[string]struct {
		before func()
		change func(body map[string]any)
		code   string
		text   string
	}{
		"a time too long":      {strict(), func(b map[string]any) { b["scheduleInfo"] = pimBody("", "", 2*time.Hour)["scheduleInfo"] }, "RoleAssignmentRequestPolicyValidationFailed", failed(`"ExpirationRule"`)},
		"no end":               {strict(), func(b map[string]any) { delete(b, "scheduleInfo") }, "RoleAssignmentRequestPolicyValidationFailed", failed(`"ExpirationRule"`)},
		"no reason":            {strict("Justification"), func(b map[string]any) { delete(b, "justification") }, "RoleAssignmentRequestPolicyValidationFailed", failed(`"JustificationRule"`)},
		"no ticket":            {strict("Ticketing"), func(map[string]any) {}, "RoleAssignmentRequestPolicyValidationFailed", failed(`"TicketingRule"`)},
		"a second factor":      {strict("MultiFactorAuthentication"), func(map[string]any) {}, "RoleAssignmentRequestPolicyValidationFailed", failed(`"MfaRule"`)},
		"four minutes":         {strict(), func(b map[string]any) { b["scheduleInfo"] = pimBody("", "", 4*time.Minute)["scheduleInfo"] }, "ActiveDurationTooShort", ""},
		"an unknown principal": {strict(), func(b map[string]any) { b["principalId"] = strings.Repeat("0", 8) + "-0000-4000-8000-000000000000" }, "SubjectNotFound", ""},
		"an unknown role":      {strict(), func(b map[string]any) { b["roleDefinitionId"] = id }, "RoleNotFound", ""},
		"nothing to remove":    {strict(), func(b map[string]any) { b["action"] = "adminRemove" }, "RoleAssignmentDoesNotExist", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.before()
			body := pimBody("adminAssign", id, time.Hour)
			c.change(body)
			if g := r.send("POST", pimRequests, body); g.code != c.code || c.text != "" && g.text != c.text {
				t.Errorf("got %d %s %q", g.status, g.code, g.text)
			}
		})
	}
}

func TestPIMInTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Switches: Switches{PIMDeleteRefused: true}}, TenantSpec{Licence: P2})
		id := r.make("jit-a")
		later := func() map[string]any {
			body := pimBody("adminAssign", id, time.Hour)
			body["scheduleInfo"].(map[string]any)["startDateTime"] = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
			return body
		}
		dry := later()
		dry["isValidationOnly"] = true
		r.must(201, "POST", pimRequests, dry)
		first := r.must(201, "POST", pimRequests, later())
		if len(r.tenant.Effective(id)) != 0 || first.str("status") != "PendingProvisioning" {
			t.Errorf("a role of the future is on, or %s", first.str("status"))
		}
		r.must(204, "POST", pimRequests+"/"+first.str("id")+"/cancel", nil)
		r.fails(400, "RequestCannotBeCancelled", "POST", pimRequests+"/"+first.str("id")+"/cancel", nil)
		r.must(201, "POST", pimRequests, later())
		time.Sleep(time.Hour - time.Second)
		if len(r.tenant.Effective(id)) != 0 {
			t.Error("too early")
		}
		time.Sleep(time.Second)
		r.let(everything...)
		if len(r.tenant.Effective(id)) != 1 {
			t.Error("too late")
		}
		g := r.must(200, "GET", rolesOf(id), nil)
		r.fails(400, "Request_BadRequest", "DELETE", roleAssignments+"/"+g.list()[0].(map[string]any)["id"].(string), nil)
		_ = r.tenant.Act(Act{Do: LoseTheLicence})
		r.fails(400, "AadPremiumLicenseRequired", "POST", pimRequests, pimBody("adminRemove", id, 0))
	})
}
