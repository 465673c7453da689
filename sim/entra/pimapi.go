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

func (k *call) requestObject(q *pimRequest, expand []string) object {
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
	return k.attach(o, expand)
}

func (k *call) scheduleObject(a *assignment, expand []string) object {
	kind := "noExpiration"
	if !a.end.IsZero() {
		kind = "afterDateTime"
	}
	return k.attach(object{
		"id": a.schedule, "principalId": a.principal, "roleDefinitionId": a.role, "directoryScopeId": a.scope, "appScopeId": nil, "createdUsing": a.schedule,
		"createdDateTime": stamp(a.created), "modifiedDateTime": nil, "status": "Provisioned", "assignmentType": "Assigned", "memberType": "Direct",
		"scheduleInfo": object{"startDateTime": stamp(a.start), "recurrence": nil, "expiration": object{"type": kind, "endDateTime": stamp(a.end), "duration": nil}},
	}, expand)
}

func (k *call) instanceObject(a *assignment, expand []string) object {
	return k.attach(object{
		"id": a.id, "principalId": a.principal, "roleDefinitionId": a.role, "directoryScopeId": a.scope, "appScopeId": nil, "assignmentType": "Assigned",
		"memberType": "Direct", "roleAssignmentOriginId": a.id, "roleAssignmentScheduleId": a.schedule, "startDateTime": stamp(a.start), "endDateTime": stamp(a.end),
	}, expand)
}

// pimList lists what PIM shows, with a licence.
func (k *call) pimList(s *shape, rows func(replica int, expand []string) []object) (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	expand, err := k.expand(s)
	if err != nil {
		return 0, nil, err
	}
	return k.list(s, func(replica int) []object { return rows(replica, expand) })
}

func (k *call) listRequests() (int, any, error) {
	return k.pimList(requestShape, func(replica int, expand []string) []object {
		var out []object
		for _, q := range k.t.requests.all(replica, k.now) {
			out = append(out, k.requestObject(q, expand))
		}
		return out
	})
}

func (k *call) listSchedules() (int, any, error) {
	return k.pimList(scheduleShape, func(replica int, expand []string) []object {
		var out []object
		for _, a := range k.shown(replica) {
			out = append(out, k.scheduleObject(a, expand))
		}
		return out
	})
}

func (k *call) listInstances() (int, any, error) {
	return k.pimList(instanceShape, func(replica int, expand []string) []object {
		var out []object
		for _, a := range k.begun(replica) {
			out = append(out, k.instanceObject(a, expand))
		}
		return out
	})
}

func (k *call) getRequest() (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	q := k.t.requests.at(strings.ToLower(k.path("request")), k.replica, k.now)
	if q == nil {
		return 0, nil, notFound(k.path("request"))
	}
	return k.entity(http.StatusOK, requestShape.context, &shape{name: requestShape.name}, k.requestObject(q, nil))
}

func (k *call) getSchedule() (int, any, error) {
	return k.pimOne("schedule", scheduleShape, func(a *assignment) string { return a.schedule }, k.scheduleObject)
}

func (k *call) getInstance() (int, any, error) {
	return k.pimOne("instance", instanceShape, func(a *assignment) string { return a.id }, k.instanceObject)
}

func (k *call) pimOne(variable string, s *shape, id func(*assignment) string, show func(*assignment, []string) object) (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	for _, a := range k.shown(k.replica) {
		if id(a) == k.path(variable) {
			return k.entity(http.StatusOK, s.context, &shape{name: s.name}, show(a, nil))
		}
	}
	return 0, nil, notFound(k.path(variable))
}

var policyAssignmentShape = &shape{name: "unifiedRoleManagementPolicyAssignment", context: "policies/roleManagementPolicyAssignments", expands: []string{"policy"}}

func (t *Tenant) policyID(role string) string { return "DirectoryRole_" + t.ID + "_" + role }

func (k *call) listPolicyAssignments() (int, any, error) {
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
			id := k.t.policyID(d.id)
			o := object{"id": id + "_" + d.id, "policyId": id, "scopeId": "/", "scopeType": "DirectoryRole", "roleDefinitionId": d.id}
			if slices.Contains(expand, "policy") {
				policy := object{
					"id": id, "displayName": "DirectoryRole", "description": "DirectoryRole", "isOrganizationDefault": false, "scopeId": "/", "scopeType": "DirectoryRole",
					"lastModifiedDateTime": nil, "lastModifiedBy": object{"displayName": nil, "id": nil},
				}
				if deep {
					policy["rules"] = k.t.ruleObjects(d.id)
				}
				o["policy"] = policy
			}
			out = append(out, o)
		}
		return out
	})
}

// ruleObjects are the rules for a role, as far as they matter here.
func (t *Tenant) ruleObjects(role string) []object {
	r := t.rulesOf(role)
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
func (k *call) policyRole() (string, error) {
	role, ok := strings.CutPrefix(k.path("policy"), "DirectoryRole_"+k.t.ID+"_")
	if _, known := k.t.definition(role); !ok || !known {
		return "", notFound(k.path("policy"))
	}
	if k.t.licence < P2 {
		return "", premium()
	}
	return role, nil
}

func (k *call) listRules() (int, any, error) {
	role, err := k.policyRole()
	if err != nil {
		return 0, nil, err
	}
	return k.list(&shape{name: "unifiedRoleManagementPolicyRule", context: "policies/roleManagementPolicies('" + k.path("policy") + "')/rules"}, func(int) []object {
		return k.t.ruleObjects(role)
	})
}

func (k *call) patchRule() (int, any, error) {
	role, err := k.policyRole()
	if err != nil {
		return 0, nil, err
	}
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	r := k.t.rulesOf(role)
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
	for _, o := range k.t.ruleObjects(role) {
		if o["id"] == k.path("rule") {
			return k.entity(http.StatusOK, "policies/roleManagementPolicies/rules", &shape{name: "unifiedRoleManagementPolicyRule"}, o)
		}
	}
	return 0, nil, notFound(k.path("rule"))
}
