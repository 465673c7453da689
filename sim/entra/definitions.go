package entra

import (
	"net/http"
	"strings"
)

type roleDefinition struct {
	id, name string
	custom   bool
}

// builtIns are Microsoft's own roles, those that matter to a service provider, by template id.
func builtIns() []roleDefinition {
	return []roleDefinition{
		{id: GlobalAdministrator, name: "Global Administrator"},
		{id: UserAdministrator, name: "User Administrator"},
		{id: "729827e3-9c14-49f7-bb1b-9608f156bbb8", name: "Helpdesk Administrator"},
		{id: ExchangeAdministrator, name: "Exchange Administrator"},
		{id: "f28a1f50-f6e7-4571-818b-6a12f2af6b6c", name: "SharePoint Administrator"},
		{id: "194ae4cb-b126-40b2-bd5b-6091b380977d", name: "Security Administrator"},
		{id: SecurityReader, name: "Security Reader"},
		{id: "f2ef992c-3afb-46b9-b7cf-a126ee74c451", name: "Global Reader"},
		{id: PrivilegedRoleAdministrator, name: "Privileged Role Administrator"},
		{id: PrivilegedAuthenticationAdministrator, name: "Privileged Authentication Administrator"},
		{id: "c4e39bd9-1100-46d3-8c65-fb160da0071f", name: "Authentication Administrator"},
		{id: "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", name: "Application Administrator"},
		{id: "158c047a-c907-4556-b7ef-446551a6b5f7", name: "Cloud Application Administrator"},
		{id: "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", name: "Conditional Access Administrator"},
		{id: "3a2c62db-5318-420d-8d74-23affee5d9d5", name: "Intune Administrator"},
		{id: "69091246-20e8-4a56-aa4d-066075b2a7a8", name: "Teams Administrator"},
		{id: "b0f54661-2d74-4c50-afa3-1ec803f12efe", name: "Billing Administrator"},
		{id: "fdd7a751-b60b-444a-984c-02652fe8fa1c", name: "Groups Administrator"},
		{id: "4d6ac14f-3453-41d0-bef9-a3e0c569773a", name: "License Administrator"},
		{id: DirectoryReaders, name: "Directory Readers"},
		{id: "95e79109-95c0-4d8e-aee3-d01accf2d47b", name: "Guest Inviter"},
		{id: "4a5d8f65-41da-4de4-8968-e035b65339cf", name: "Reports Reader"},
		{id: "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", name: "Message Center Reader"},
		{id: "966707d0-3269-4727-9be2-8c3a10f19b9d", name: "Password Administrator"},
		{id: "17315797-102d-40b4-93e0-432062caca18", name: "Compliance Administrator"},
		{id: "f023fd81-a637-4b56-95fd-791ac0226033", name: "Service Support Administrator"},
	}
}

// RoleName is the name of a built-in role by its template id; empty if there is none.
func RoleName(template string) string {
	for _, d := range builtIns() {
		if d.id == template {
			return d.name
		}
	}
	return ""
}

// AddRole makes a custom role in the tenant and reports its id.
func (t *Tenant) AddRole(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := roleDefinition{id: guid(t.dice), name: name, custom: true}
	t.custom = append(t.custom, d)
	return d.id
}

func (t *store) definition(id string) (roleDefinition, bool) {
	id = strings.ToLower(id)
	if name := RoleName(id); name != "" {
		return roleDefinition{id: id, name: name}, true
	}
	for _, d := range t.custom {
		if d.id == id {
			return d, true
		}
	}
	return roleDefinition{}, false
}

func (d roleDefinition) object() object {
	o := object{
		"id": d.id, "displayName": d.name, "description": "Can do what a " + d.name + " does.", "isBuiltIn": !d.custom, "isEnabled": true,
		"resourceScopes": []string{"/"}, "templateId": d.id, "version": "1",
		"rolePermissions": []object{{"allowedResourceActions": []string{"microsoft.directory/users/standard/read"}, "condition": nil}},
	}
	return o
}

var definitionShape = &shape{name: "unifiedRoleDefinition", context: "roleManagement/directory/roleDefinitions"}

func listDefinitions(k *call) (int, any, error) {
	return k.list(definitionShape, func(int) []object {
		var out []object
		for _, d := range append(builtIns(), k.t.custom...) {
			out = append(out, d.object())
		}
		return out
	})
}

func getDefinition(k *call) (int, any, error) {
	d, ok := k.t.definition(k.path("role"))
	if !ok {
		return 0, nil, notFound(k.path("role"))
	}
	return k.entity(http.StatusOK, "roleManagement/directory/roleDefinitions", definitionShape, d.object())
}

// roleObject is the directoryRole of an activated role.
func roleObject(t *Tenant, template string) object {
	d, _ := t.definition(template)
	return object{"id": t.roles[template], "deletedDateTime": nil, "displayName": d.name, "description": "Can do what a " + d.name + " does.", "roleTemplateId": template}
}

// activate makes sure that a role has its directoryRole.
func (t *store) activate(template string) {
	if _, builtIn := t.definition(template); builtIn && t.roles[template] == "" && RoleName(template) != "" {
		t.roles[template] = guid(t.dice)
	}
}
