package entra

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var assignmentShape = &shape{name: "unifiedRoleAssignment", context: "roleManagement/directory/roleAssignments", expands: []string{"principal", "roleDefinition"}}

// expand reads $expand and refuses what the type does not know.
func (k *call) expand(s *shape) ([]string, error) {
	var out []string
	text := k.query.Get("$expand")
	if text == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		plain, _, _ := strings.Cut(strings.TrimSpace(name), "(")
		if !slices.Contains(s.expands, plain) {
			return nil, fail(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '"+plain+"' on type 'microsoft.graph."+s.name+"'.")
		}
		out = append(out, plain)
	}
	return out, nil
}

// principalObject is who holds a role, as this replica shows it.
func whoObject(k *call, id string) any {
	if u := k.t.users.at(id, k.replica, k.now); u != nil && u.deleted.IsZero() {
		o := pick(u.full(), userShape.defaults)
		o["@odata.type"] = "#microsoft.graph.user"
		return o
	}
	for _, p := range k.t.principals {
		if p.id == id {
			o := principalObject(k.t, p)
			o["@odata.type"] = "#microsoft.graph.servicePrincipal"
			return o
		}
	}
	return nil
}

// attach adds what was asked for with $expand to an object that names a principal and a role.
func attachExpanded(k *call, o object, expand []string) object {
	for _, name := range expand {
		switch name {
		case "principal":
			if p := whoObject(k, o["principalId"].(string)); p != nil {
				o["principal"] = p
			}
		case "roleDefinition":
			if d, ok := k.t.definition(o["roleDefinitionId"].(string)); ok {
				o["roleDefinition"] = d.object()
			}
		}
	}
	return o
}

func assignmentObject(k *call, a *assignment, expand []string) object {
	return attachExpanded(k, object{
		"id": a.id, "principalId": a.principal, "principalOrganizationId": k.t.ID, "roleDefinitionId": a.role, "directoryScopeId": a.scope,
	}, expand)
}

// begun are the assignments that a replica shows and that are not of the future; with a filter by principal only theirs.
func (k *call) begun(replica int) []*assignment {
	return slices.DeleteFunc(k.shown(replica), func(a *assignment) bool { return a.start.After(k.now) })
}

// shown are the assignments that a replica shows.
func (k *call) shown(replica int) []*assignment {
	if m := principalFilter().FindStringSubmatch(k.query.Get("$filter")); m != nil {
		return k.t.held(strings.ToLower(m[1]), replica, k.now)
	}
	var out []*assignment
	for _, a := range k.t.assignments.all(replica, k.now) {
		if !a.hidden && !a.ended(k.now) {
			out = append(out, a)
		}
	}
	return out
}

// principalFilter is the filter that everybody uses; only that principal's assignments are looked at then.
var principalFilter = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*principalId eq '([0-9A-Za-z-]+)'\s*(?: and [A-Za-z]+ eq '[^']*')*$`)
})

func listAssignments(k *call) (int, any, error) {
	expand, err := k.expand(assignmentShape)
	if err != nil {
		return 0, nil, err
	}
	return k.list(assignmentShape, func(replica int) []object {
		var out []object
		for _, a := range k.begun(replica) {
			out = append(out, assignmentObject(k, a, expand))
		}
		return out
	})
}

// assignment is the one that the path names, as this replica shows it.
func (k *call) assignment() (*assignment, error) {
	a := k.t.assignments.at(k.path("assignment"), k.replica, k.now)
	if a == nil || a.hidden || a.ended(k.now) || a.start.After(k.now) {
		return nil, notFound(k.path("assignment"))
	}
	return a, nil
}

func getAssignment(k *call) (int, any, error) {
	expand, err := k.expand(assignmentShape)
	if err != nil {
		return 0, nil, err
	}
	a, err := k.assignment()
	if err != nil {
		return 0, nil, err
	}
	return k.entity(http.StatusOK, "roleManagement/directory/roleAssignments", &shape{name: assignmentShape.name}, assignmentObject(k, a, expand))
}

// target checks whom a role is to be given to, and which: what a replica does not know yet is not there.
func grantee(k *call, body object) (principal, role, scope string, err error) {
	principal, ok1 := body.text("principalId")
	role, ok2 := body.text("roleDefinitionId")
	scope, ok3 := body.text("directoryScopeId")
	if !ok1 || !ok2 || !ok3 || principal == "" || role == "" || scope == "" {
		return "", "", "", badRequest("One or more required parameters are missing: principalId, roleDefinitionId, directoryScopeId.")
	}
	principal, role = strings.ToLower(principal), strings.ToLower(role)
	unitID, inUnit := strings.CutPrefix(scope, "/administrativeUnits/")
	if scope != "/" && (!inUnit || k.t.units.at(unitID, k.replica, k.now) == nil) {
		return "", "", "", invalid("directoryScopeId", "RoleAssignment")
	}
	return principal, role, scope, nil
}

// exists reports whether this replica knows a principal.
func (k *call) exists(principal string) bool {
	if u := k.t.users.at(principal, k.replica, k.now); u != nil && u.deleted.IsZero() {
		return k.t.users.at(principal, authority, k.now) != nil
	}
	for _, p := range k.t.principals {
		if p.id == principal {
			return true
		}
	}
	return false
}

// same is the assignment of a role to a principal that there is already, in truth.
func (t *store) same(principal, role, scope string) *assignment {
	for _, a := range t.held(principal, authority, t.cloud.Now()) {
		if a.role == role && a.scope == scope {
			return a
		}
	}
	return nil
}

func createAssignment(k *call) (int, any, error) {
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	principal, role, scope, err := grantee(k, body)
	if err != nil {
		return 0, nil, err
	}
	if _, known := k.t.definition(role); !known {
		return 0, nil, notFound(role)
	}
	if !k.exists(principal) {
		return 0, nil, notFound(principal)
	}
	if k.t.same(principal, role, scope) != nil {
		return 0, nil, conflicting()
	}
	a := k.grant(assignment{principal: principal, role: role, scope: scope})
	return k.entity(http.StatusCreated, "roleManagement/directory/roleAssignments", &shape{name: assignmentShape.name}, assignmentObject(k, a, nil))
}

// grant makes an assignment on behalf of the caller.
func (k *call) grant(a assignment) *assignment {
	a.by = k.p.app.ID
	k.t.activate(a.role)
	made := k.t.assign(a, k.replica, k.now, false)
	k.t.audit(k.now, k.by(), "Add member to role", k.t.roleTargets(made, k.now)...)
	return made
}

// withdraw removes an assignment on behalf of the caller.
func (k *call) withdraw(a *assignment) {
	k.t.putAssignment(a.id, nil, k.replica, k.now)
	delete(k.t.timed, a.id)
	k.t.audit(k.now, k.by(), "Remove member from role", k.t.roleTargets(a, k.now)...)
}

func deleteAssignment(k *call) (int, any, error) {
	shown, err := k.assignment()
	if err != nil {
		return 0, nil, err
	}
	a := k.t.assignments.at(shown.id, authority, k.now)
	switch {
	case a == nil || a.hidden:
		return 0, nil, notFound(k.path("assignment"))
	case a.pim && k.cloud.opt.Switches.PIMDeleteRefused:
		return 0, nil, badRequest("The role assignment is managed by Privileged Identity Management and cannot be deleted here.")
	}
	k.withdraw(a)
	return http.StatusNoContent, nil, nil
}
