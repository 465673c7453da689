package entra

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pseudoGUID is an id that stays the same for the nth thing of a kind in a tenant.
func pseudoGUID(tenant string, n int) string {
	return tenant[:min(24, len(tenant))] + fmt.Sprintf("%012x", 0xc0de0000+n)
}

func (d Domain) object() object {
	kind := "Managed"
	if d.Federated {
		kind = "Federated"
	}
	return object{
		"id": d.Name, "authenticationType": kind, "availabilityStatus": nil, "isAdminManaged": true, "isDefault": d.Default, "isInitial": d.Initial,
		"isRoot": true, "isVerified": !d.Unverified, "supportedServices": []string{"Email", "OfficeCommunicationsOnline"},
		"passwordValidityPeriodInDays": nil, "passwordNotificationWindowInDays": nil, "state": nil, "manufacturer": nil, "model": nil,
	}
}

func listDomains(k *call) (int, any, error) {
	return k.list(&shape{name: "domain", context: "domains"}, func(int) []object {
		var out []object
		for _, d := range k.t.domains {
			out = append(out, d.object())
		}
		return out
	})
}

func getDomain(k *call) (int, any, error) {
	for _, d := range k.t.domains {
		if strings.EqualFold(d.Name, k.path("domain")) {
			return k.entity(http.StatusOK, "domains", &shape{name: "domain"}, d.object())
		}
	}
	return 0, nil, notFound(k.path("domain"))
}

// plans are the service plans that the tenant's licence brings.
func servicePlans(t *Tenant) []object {
	var out []object
	if t.licence >= P1 {
		out = append(out, object{"servicePlanId": "41781fb2-bc02-4b7c-bd55-b576c07bb09d", "servicePlanName": "AAD_PREMIUM", "provisioningStatus": "Success", "appliesTo": "User"})
	}
	if t.licence >= P2 {
		out = append(out, object{"servicePlanId": "eec0eb4f-6444-4f95-aba0-50c24d67f998", "servicePlanName": "AAD_PREMIUM_P2", "provisioningStatus": "Success", "appliesTo": "User"})
	}
	return out
}

func listOrganization(k *call) (int, any, error) {
	return k.list(&shape{name: "organization", context: "organization"}, func(int) []object {
		domains, plans := []object{}, []object{}
		for _, d := range k.t.domains {
			kind := "Managed"
			if d.Federated {
				kind = "Federated"
			}
			if !d.Unverified {
				domains = append(domains, object{"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": d.Default, "isInitial": d.Initial, "name": d.Name, "type": kind})
			}
		}
		for _, p := range servicePlans(k.t) {
			plans = append(plans, object{"assignedDateTime": stamp(k.t.created), "capabilityStatus": "Enabled", "service": "AADPremiumService", "servicePlanId": p["servicePlanId"]})
		}
		return []object{{
			"id": k.t.ID, "displayName": k.t.Name, "createdDateTime": stamp(k.t.created), "deletedDateTime": nil, "tenantType": "AAD",
			"verifiedDomains": domains, "assignedPlans": plans, "provisionedPlans": []object{}, "businessPhones": []string{},
			"countryLetterCode": "BE", "technicalNotificationMails": []string{}, "marketingNotificationEmails": []string{},
			"securityComplianceNotificationMails": []string{}, "securityComplianceNotificationPhones": []string{}, "onPremisesSyncEnabled": nil,
		}}
	})
}

func listSkus(k *call) (int, any, error) {
	return k.list(&shape{name: "subscribedSku", context: "subscribedSkus"}, func(int) []object {
		if k.t.licence == Free {
			return nil
		}
		name, id := "AAD_PREMIUM", "078d2b04-f1bd-4111-bbd4-b4b1b354cef4"
		if k.t.licence == P2 {
			name, id = "AAD_PREMIUM_P2", "84a661c4-e949-4bd2-a560-ed7766fcaf2b"
		}
		return []object{{
			"id": k.t.ID + "_" + id, "skuId": id, "skuPartNumber": name, "accountId": k.t.ID, "accountName": label(k.t.Name), "appliesTo": "User",
			"capabilityStatus": "Enabled", "consumedUnits": 1, "prepaidUnits": object{"enabled": 25, "suspended": 0, "warning": 0, "lockedOut": 0},
			"servicePlans": servicePlans(k.t), "subscriptionIds": []string{pseudoGUID(k.t.ID, 900)},
		}}
	})
}

// graphPrincipal is the object id of Microsoft Graph's own service principal in a tenant.
func graphPrincipal(t *Tenant) string { return pseudoGUID(t.ID, 901) }

const graphApp = "00000003-0000-0000-c000-000000000000"

func principalObject(t *Tenant, p *principal) object {
	owner := nullable(t.ID)
	if p.app.Home != nil {
		owner = p.app.Home.ID
	}
	return object{
		"id": p.id, "deletedDateTime": nil, "accountEnabled": !p.disabled, "appId": p.app.ID, "displayName": p.app.Name, "appOwnerOrganizationId": owner,
		"homepage": nil, "servicePrincipalNames": []string{p.app.ID}, "servicePrincipalType": "Application", "tags": []string{}, "appRoles": []object{},
	}
}

// permissionID is the id of one of Graph's app roles. Microsoft's own ids are not needed here; ours stay the same.
func permissionID(name string) string {
	var h uint64 = 14695981039346656037
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", uint32(h>>32), uint16(h>>16), h&0xfff, h>>20&0xfff, h&0xffffffffffff)
}

func listPrincipals(k *call) (int, any, error) {
	s := &shape{name: "servicePrincipal", context: "servicePrincipals", directory: true}
	return k.list(s, func(int) []object {
		roles := []object{}
		out := []object{}
		names := map[string]bool{}
		for _, id := range slices.Sorted(maps.Keys(k.t.principals)) {
			p := k.t.principals[id]
			out = append(out, principalObject(k.t, p))
			for _, x := range p.permissions {
				names[x.name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			roles = append(roles, object{"id": permissionID(name), "value": name, "displayName": name, "isEnabled": true, "allowedMemberTypes": []string{"Application"}})
		}
		return append(out, object{
			"id": graphPrincipal(k.t), "deletedDateTime": nil, "accountEnabled": true, "appId": graphApp, "displayName": "Microsoft Graph",
			"appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a", "homepage": nil, "servicePrincipalNames": []string{graphApp},
			"servicePrincipalType": "Application", "tags": []string{}, "appRoles": roles,
		})
	})
}

func listAppRoles(k *call) (int, any, error) {
	var p *principal
	for _, x := range k.t.principals {
		if x.id == strings.ToLower(k.path("principal")) {
			p = x
		}
	}
	if p == nil && strings.ToLower(k.path("principal")) != graphPrincipal(k.t) {
		return 0, nil, notFound(k.path("principal"))
	}
	context := "servicePrincipals('" + k.path("principal") + "')/appRoleAssignments"
	return k.list(&shape{name: "appRoleAssignment", context: context}, func(int) []object {
		if p == nil {
			return nil
		}
		var out []object
		for _, x := range p.permissions {
			out = append(out, object{
				"id": x.id, "appRoleId": permissionID(x.name), "createdDateTime": stamp(x.at), "deletedDateTime": nil, "principalDisplayName": p.app.Name,
				"principalId": p.id, "principalType": "ServicePrincipal", "resourceDisplayName": "Microsoft Graph", "resourceId": graphPrincipal(k.t),
			})
		}
		return out
	})
}

func relationObject(k *call, r Relationship, n int) object {
	status := r.Status
	if status == "" {
		status = "active"
	}
	until := r.Until
	if until.IsZero() {
		until = k.t.created.Add(730 * 24 * time.Hour)
	}
	roles := []object{}
	for _, role := range r.Roles {
		roles = append(roles, object{"roleDefinitionId": role})
	}
	return object{
		"id": pseudoGUID(k.t.ID, n) + "-" + pseudoGUID(r.Customer+strings.Repeat("0", 36), n), "displayName": "Access to " + r.Name, "duration": "P730D", "autoExtendDuration": "PT0S",
		"status": status, "customer": object{"tenantId": r.Customer, "displayName": r.Name}, "accessDetails": object{"unifiedRoles": roles},
		"createdDateTime": stamp(k.t.created), "activatedDateTime": stamp(k.t.created), "lastModifiedDateTime": stamp(k.t.created), "endDateTime": stamp(until),
	}
}

func relationObjects(k *call) []object {
	var out []object
	for n, r := range k.t.relations {
		out = append(out, relationObject(k, r, n))
	}
	return out
}
