package entra

import (
	"strings"

	"jitney/access"
	"jitney/target"
)

// GlobalAdmin is the entitlement that gives the role Global Administrator.
const GlobalAdmin = "global-admin"

// rolePrefix begins the entitlement of every other role; the role's template
// id follows.
const rolePrefix = "role:"

// globalAdminID is the template id of Global Administrator, the same in every
// Entra tenant.
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
const globalAdminID = "62e90394-69f5-4237-9190-012177145e10"

// knownRoles are the built-in roles that are asked for most, by template id.
const knownRoles = `
62e90394-69f5-4237-9190-012177145e10 Global Administrator
f2ef992c-3afb-46b9-b7cf-a126ee74c451 Global Reader
fe930be7-5e62-47db-91af-98c3a49a38b1 User Administrator
729827e3-9c14-49f7-bb1b-9608f156bbb8 Helpdesk Administrator
29232cdf-9323-42fd-ade2-1d097af3e4de Exchange Administrator
f28a1f50-f6e7-4571-818b-6a12f2af6b6c SharePoint Administrator
69091246-20e8-4a56-aa4d-066075b2a7a8 Teams Administrator
3a2c62db-5318-420d-8d74-23affee5d9d5 Intune Administrator
194ae4cb-b126-40b2-bd5b-6091b380977d Security Administrator
5d6b6bb7-de71-4623-b4af-96380a352509 Security Reader
c4e39bd9-1100-46d3-8c65-fb160da0071f Authentication Administrator
7be44c8a-adaf-4e2a-84d6-ab2649e08a13 Privileged Authentication Administrator
e8611ab8-c189-46e8-94e1-60213ab1f814 Privileged Role Administrator
9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3 Application Administrator
158c047a-c907-4556-b7ef-446551a6b5f7 Cloud Application Administrator
b1be1c3e-b65d-4f19-8427-f6fa0d97feb9 Conditional Access Administrator
b0f54661-2d74-4c50-afa3-1ec803f12efe Billing Administrator
4d6ac14f-3453-41d0-bef9-a3e0c569773a License Administrator
fdd7a751-b60b-444a-984c-02652fe8fa1c Groups Administrator
f023fd81-a637-4b56-95fd-791ac0226033 Service Support Administrator
17315797-102d-40b4-93e0-432062caca18 Compliance Administrator
966707d0-3269-4727-9be2-8c3a10f19b9d Password Administrator
4a5d8f65-41da-4de4-8968-e035b65339cf Reports Reader
11648597-926c-4cf3-9c36-bcebb0ba8dcc Power Platform Administrator
44367163-eba1-44c3-98af-f5787879f96a Dynamics 365 Administrator
8329153b-31d0-4727-b945-745eb3bc5f31 Domain Name Administrator
88d8e3e3-8f55-4a1e-953a-9b9898b8876b Directory Readers
9360feb5-f418-4baa-8175-e2a00bac4301 Directory Writers
`

// A role is one built-in role that a target offers.
type role struct {
	id    string // template id, lower case
	title string
}

// entitlement is the name under which r is granted.
func (r role) entitlement() string {
	if r.id == globalAdminID {
		return GlobalAdmin
	}
	return rolePrefix + r.id
}

// roleTitle is what the role with that template id is called.
func roleTitle(id string) string {
	for line := range strings.Lines(knownRoles) {
		if got, title, ok := strings.Cut(strings.TrimSpace(line), " "); ok && got == id {
			return title
		}
	}
	return "role " + id
}

// roleID finds a role by template id or by its known name; empty if it is neither.
func roleID(text string) string {
	if id := strings.ToLower(text); validGUID(id) {
		return id
	}
	for line := range strings.Lines(knownRoles) {
		if id, title, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.EqualFold(title, text) {
			return id
		}
	}
	return ""
}

// parseRoles reads the roles that settings offer: Global Administrator unless
// that is switched off, and one a line of the others, by template id with an
// optional title, or by a known name.
func parseRoles(globalAdmin, lines string) (roles []role, err error) {
	if globalAdmin != no {
		roles = append(roles, role{globalAdminID, roleTitle(globalAdminID)})
	}
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		first, title, _ := strings.Cut(line, " ")
		id := strings.ToLower(first)
		if !validGUID(id) {
			id, title = roleID(line), ""
		}
		if id == "" {
			return nil, invalid("“"+clip(line, 60)+"” is no role that Jitney knows by name.", "Write its template id, such as f2ef992c-3afb-46b9-b7cf-a126ee74c451, and behind it what it shall be called.")
		}
		if title = clip(strings.TrimSpace(title), 80); title == "" {
			title = roleTitle(id)
		}
		if id == globalAdminID && globalAdmin == no {
			return nil, invalid("Global Administrator is listed as a role although it may not be given.", "Take it from the list, or allow it.")
		}
		if !offers(roles, id) {
			roles = append(roles, role{id, title})
		}
	}
	if len(roles) > maxRoles {
		return nil, invalid("There are more roles than Jitney offers for one target.", "Keep the ones that are needed.")
	}
	return roles, nil
}

func offers(roles []role, id string) bool {
	for _, r := range roles {
		if r.id == id {
			return true
		}
	}
	return false
}

// entitlements are the roles that settings offer. Settings that are wrong
// offer none.
func entitlements(s target.Settings) (all []target.Entitlement) {
	roles, err := parseRoles(s.Values[fieldGlobalAdmin], s.Values[fieldRoles])
	if err != nil {
		return nil
	}
	for _, r := range roles {
		e := target.Entitlement{Name: r.entitlement(), Title: r.title, Help: "A built-in role of Microsoft Entra."}
		if r.id == globalAdminID {
			e.Title, e.Help = "Global Admin", "Global Administrator: everything in Microsoft 365 and Entra."
		}
		all = append(all, e)
	}
	return all
}

// wanted finds the roles that a Want names.
func (s *settings) wanted(want access.Want) (roles []role, err error) {
	for _, name := range want.Names() {
		i := 0
		for i < len(s.roles) && s.roles[i].entitlement() != name {
			i++
		}
		if i == len(s.roles) {
			return nil, invalid("The role “"+clip(name, 80)+"” is not among those that this target offers.", "Add it to the target's settings, or ask for another.")
		}
		roles = append(roles, s.roles[i])
	}
	if len(roles) == 0 {
		return nil, invalid("No role was named.", "")
	}
	return roles, nil
}
