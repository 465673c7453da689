package entra

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var roleShape = &shape{name: "directoryRole", context: "directoryRoles"}

func listRoles(k *call) (int, any, error) {
	return k.list(roleShape, func(int) []object {
		var out []object
		for _, template := range slices.Sorted(maps.Keys(k.t.roles)) {
			out = append(out, roleObject(k.t, template))
		}
		return out
	})
}

func activateRole(k *call) (int, any, error) {
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	template, _ := body.text("roleTemplateId")
	template = strings.ToLower(template)
	switch {
	case RoleName(template) == "":
		return 0, nil, notFound(template)
	case k.t.roles[template] != "":
		return 0, nil, conflicting()
	}
	k.t.activate(template)
	k.t.writes++
	return k.entity(http.StatusCreated, "directoryRoles", roleShape, roleObject(k.t, template))
}

// template is that of the activated role that the path names.
func activeTemplate(k *call) (string, error) {
	id := strings.ToLower(k.path("role"))
	for template, object := range k.t.roles {
		if object == id || template == id {
			return template, nil
		}
	}
	return "", notFound(k.path("role"))
}

func getRole(k *call) (int, any, error) {
	template, err := activeTemplate(k)
	if err != nil {
		return 0, nil, err
	}
	return k.entity(http.StatusOK, "directoryRoles", roleShape, roleObject(k.t, template))
}

var keyForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^directoryRoles\(roleTemplateId='([0-9A-Za-z-]+)'\)$`)
})

// getRoleByTemplate reads directoryRoles(roleTemplateId='…'), which the router sees as one odd segment.
func getRoleByTemplate(k *call) (int, any, error) {
	m := keyForm().FindStringSubmatch(k.path("directoryRoles"))
	if m == nil {
		return 0, nil, fail(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+k.path("directoryRoles")+"'.")
	}
	template := strings.ToLower(m[1])
	if k.t.roles[template] == "" {
		return 0, nil, notFound(m[1])
	}
	return k.entity(http.StatusOK, "directoryRoles", roleShape, roleObject(k.t, template))
}

// members are the assignments of a role over the whole tenant.
func membersOf(k *call, template string, replica int) []*assignment {
	return slices.DeleteFunc(k.begun(replica), func(a *assignment) bool { return a.role != template || a.scope != "/" })
}

func listMembers(k *call) (int, any, error) {
	template, err := activeTemplate(k)
	if err != nil {
		return 0, nil, err
	}
	return k.list(&shape{name: "directoryObject", context: "directoryObjects"}, func(replica int) []object {
		var out []object
		for _, a := range membersOf(k, template, replica) {
			if o, ok := whoObject(k, a.principal).(object); ok {
				out = append(out, o)
			}
		}
		return out
	})
}

// reference reads the object id out of {"@odata.id": ".../directoryObjects/id"}.
func readReference(k *call) (string, error) {
	body, err := k.decode()
	if err != nil {
		return "", err
	}
	link, _ := body.text("@odata.id")
	id := strings.ToLower(link[strings.LastIndexByte(link, '/')+1:])
	if link == "" || id == "" {
		return "", fail(http.StatusBadRequest, "BadRequest", "A value is required for the property '@odata.id'.")
	}
	return id, nil
}

func addMember(k *call) (int, any, error) {
	id, err := readReference(k)
	if err != nil {
		return 0, nil, err
	}
	template, err := activeTemplate(k)
	if err != nil {
		return 0, nil, err
	}
	if !k.exists(id) {
		return 0, nil, notFound(id)
	}
	if k.t.same(id, template, "/") != nil {
		return 0, nil, badRequest("One or more added object references already exist for the following modified properties: 'members'.")
	}
	k.grant(assignment{principal: id, role: template, scope: "/"})
	return http.StatusNoContent, nil, nil
}

func removeMember(k *call) (int, any, error) {
	template, err := activeTemplate(k)
	if err != nil {
		return 0, nil, err
	}
	a := k.t.same(strings.ToLower(k.path("member")), template, "/")
	if a == nil {
		return 0, nil, notFound(k.path("member"))
	}
	k.withdraw(a)
	return http.StatusNoContent, nil, nil
}
