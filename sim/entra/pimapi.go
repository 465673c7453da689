package entra

import (
	"net/http"
	"slices"
	"strings"
)

var (
	requestShape  = &shape{name: "unifiedRoleAssignmentScheduleRequest", context: "roleManagement/directory/roleAssignmentScheduleRequests", expands: []string{"principal", "roleDefinition", "targetSchedule"}}
	scheduleShape = &shape{name: "unifiedRoleAssignmentSchedule", context: "roleManagement/directory/roleAssignmentSchedules", expands: []string{"principal", "roleDefinition", "activatedUsing"}}
	instanceShape = &shape{name: "unifiedRoleAssignmentScheduleInstance", context: "roleManagement/directory/roleAssignmentScheduleInstances", expands: []string{"principal", "roleDefinition", "activatedUsing"}}
)

func requestObject(k *call, q *pimRequest, expand []string) object {
	o := object{
		"id": q.id, "status": q.status, "createdDateTime": stamp(q.created), "completedDateTime": stamp(q.created), "approvalId": nil, "customData": nil,
		"action": q.action, "principalId": q.principal, "roleDefinitionId": q.role, "directoryScopeId": q.scope, "appScopeId": nil,
		"isValidationOnly": q.dry, "targetScheduleId": nullable(q.schedule), "justification": nullable(q.justification),
		"createdBy": object{"application": object{"displayName": q.by.app.Name, "id": q.by.id}, "device": nil, "user": nil},
		"scheduleInfo": object{
			"startDateTime": stamp(q.start), "recurrence": nil,
			"expiration": object{"type": q.kind, "endDateTime": stamp(q.end), "duration": nullable(q.duration)},
		},
		"ticketInfo": object{"ticketNumber": nullable(q.ticketNumber), "ticketSystem": nullable(q.ticketSystem)},
	}
	return attachExpanded(k, o, expand)
}

func scheduleObject(k *call, a *assignment, expand []string) object {
	kind := "noExpiration"
	if !a.end.IsZero() {
		kind = "afterDateTime"
	}
	return attachExpanded(k, object{
		"id": a.schedule, "principalId": a.principal, "roleDefinitionId": a.role, "directoryScopeId": a.scope, "appScopeId": nil, "createdUsing": a.schedule,
		"createdDateTime": stamp(a.created), "modifiedDateTime": nil, "status": "Provisioned", "assignmentType": "Assigned", "memberType": "Direct",
		"scheduleInfo": object{"startDateTime": stamp(a.start), "recurrence": nil, "expiration": object{"type": kind, "endDateTime": stamp(a.end), "duration": nil}},
	}, expand)
}

func instanceObject(k *call, a *assignment, expand []string) object {
	return attachExpanded(k, object{
		"id": a.id, "principalId": a.principal, "roleDefinitionId": a.role, "directoryScopeId": a.scope, "appScopeId": nil, "assignmentType": "Assigned",
		"memberType": "Direct", "roleAssignmentOriginId": a.id, "roleAssignmentScheduleId": a.schedule, "startDateTime": stamp(a.start), "endDateTime": stamp(a.end),
	}, expand)
}

// pimList lists what PIM shows, with a licence.
func pimList(k *call, s *shape, rows func(replica int, expand []string) []object) (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	expand, err := k.expand(s)
	if err != nil {
		return 0, nil, err
	}
	return k.list(s, func(replica int) []object { return rows(replica, expand) })
}

func listRequests(k *call) (int, any, error) {
	return pimList(k, requestShape, func(replica int, expand []string) []object {
		var out []object
		for _, q := range k.t.requests.all(replica, k.now) {
			out = append(out, requestObject(k, q, expand))
		}
		return out
	})
}

func listSchedules(k *call) (int, any, error) {
	return pimList(k, scheduleShape, func(replica int, expand []string) []object {
		var out []object
		for _, a := range k.shown(replica) {
			out = append(out, scheduleObject(k, a, expand))
		}
		return out
	})
}

func listInstances(k *call) (int, any, error) {
	return pimList(k, instanceShape, func(replica int, expand []string) []object {
		var out []object
		for _, a := range k.begun(replica) {
			out = append(out, instanceObject(k, a, expand))
		}
		return out
	})
}

func getRequest(k *call) (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	q := k.t.requests.at(strings.ToLower(k.path("request")), k.replica, k.now)
	if q == nil {
		return 0, nil, notFound(k.path("request"))
	}
	return k.entity(http.StatusOK, requestShape.context, &shape{name: requestShape.name}, requestObject(k, q, nil))
}

func getSchedule(k *call) (int, any, error) {
	return pimOne(k, "schedule", scheduleShape, func(a *assignment) string { return a.schedule }, scheduleObject)
}

func getInstance(k *call) (int, any, error) {
	return pimOne(k, "instance", instanceShape, func(a *assignment) string { return a.id }, instanceObject)
}

func pimOne(k *call, variable string, s *shape, id func(*assignment) string, show func(*call, *assignment, []string) object) (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	for _, a := range k.shown(k.replica) {
		if id(a) == k.path(variable) {
			return k.entity(http.StatusOK, s.context, &shape{name: s.name}, show(k, a, nil))
		}
	}
	return 0, nil, notFound(k.path(variable))
}

var policyAssignmentShape = &shape{name: "unifiedRoleManagementPolicyAssignment", context: "policies/roleManagementPolicyAssignments", expands: []string{"policy"}}

func policyID(t *Tenant, role string) string { return "DirectoryRole_" + t.ID + "_" + role }

func listPolicyAssignments(k *call) (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	if !strings.Contains(k.query.Get("$filter"), "scopeType eq 'DirectoryRole'") && !strings.Contains(k.query.Get("$filter"), "scopeType eq 'Directory'") {
		return 0, nil, fail(http.StatusBadRequest, "MissingProvider", "The provider is missing: filter by scopeId and scopeType.")
	}
	expand, err := k.expand(policyAssignmentShape)
	if err != nil {
		return 0, nil, err
	}
	deep := strings.Contains(k.query.Get("$expand"), "$expand=rules")
	return k.list(policyAssignmentShape, func(int) []object {
		var out []object
		for _, d := range append(builtIns(), k.t.custom...) {
			id := policyID(k.t, d.id)
			o := object{"id": id + "_" + d.id, "policyId": id, "scopeId": "/", "scopeType": "DirectoryRole", "roleDefinitionId": d.id}
			if slices.Contains(expand, "policy") {
				policy := object{
					"id": id, "displayName": "DirectoryRole", "description": "DirectoryRole", "isOrganizationDefault": false, "scopeId": "/", "scopeType": "DirectoryRole",
					"lastModifiedDateTime": nil, "lastModifiedBy": object{"displayName": nil, "id": nil},
				}
				if deep {
					policy["rules"] = ruleObjects(k.t, d.id)
				}
				o["policy"] = policy
			}
			out = append(out, o)
		}
		return out
	})
}

// ruleObjects are the rules for a role, as far as they matter here.
func ruleObjects(t *Tenant, role string) []object {
	r := rulesOf(t, role)
	var out []object
	for _, who := range [][2]string{{"Admin", "Eligibility"}, {"Admin", "Assignment"}, {"EndUser", "Assignment"}} {
		name := who[0] + "_" + who[1]
		target := object{"caller": who[0], "operations": []string{"All"}, "level": who[1], "inheritableSettings": []string{}, "enforcedSettings": []string{}}
		limit, demands, required := "P365D", []string{}, true
		if name == "Admin_Assignment" {
			limit, demands, required = formatDuration(r.Max), append(demands, r.Demands...), r.Required
		}
		out = append(out,
			object{"@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyExpirationRule", "id": "Expiration_" + name, "isExpirationRequired": required, "maximumDuration": limit, "target": target},
			object{"@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyEnablementRule", "id": "Enablement_" + name, "enabledRules": demands, "target": target})
	}
	return out
}

// policyRole is the role whose policy the path names.
func policyRole(k *call) (string, error) {
	role, ok := strings.CutPrefix(k.path("policy"), "DirectoryRole_"+k.t.ID+"_")
	if _, known := k.t.definition(role); !ok || !known {
		return "", notFound(k.path("policy"))
	}
	if k.t.licence < P2 {
		return "", premium()
	}
	return role, nil
}

func listRules(k *call) (int, any, error) {
	role, err := policyRole(k)
	if err != nil {
		return 0, nil, err
	}
	return k.list(&shape{name: "unifiedRoleManagementPolicyRule", context: "policies/roleManagementPolicies('" + k.path("policy") + "')/rules"}, func(int) []object {
		return ruleObjects(k.t, role)
	})
}

func patchRule(k *call) (int, any, error) {
	role, err := policyRole(k)
	if err != nil {
		return 0, nil, err
	}
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	r := rulesOf(k.t, role)
	switch k.path("rule") {
	case "Expiration_Admin_Assignment":
		if v, ok := body["isExpirationRequired"].(bool); ok {
			r.Required = v
		}
		if text, _ := body.text("maximumDuration"); text != "" {
			if r.Max, err = parseDuration(text); err != nil {
				return 0, nil, fail(http.StatusBadRequest, "InvalidPolicyRule", "The policy rule is not valid.")
			}
		}
	case "Enablement_Admin_Assignment":
		r.Demands = nil
		list, _ := body["enabledRules"].([]any)
		for _, v := range list {
			if s, ok := v.(string); ok {
				r.Demands = append(r.Demands, s)
			}
		}
	}
	k.t.rules[role] = &pimRules{r}
	k.t.writes++
	for _, o := range ruleObjects(k.t, role) {
		if o["id"] == k.path("rule") {
			return k.entity(http.StatusOK, "policies/roleManagementPolicies/rules", &shape{name: "unifiedRoleManagementPolicyRule"}, o)
		}
	}
	return 0, nil, notFound(k.path("rule"))
}
