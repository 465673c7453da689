package entra

import (
	"cmp"
	"net/http"
	"strings"
)

const passConfigType = "#microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration"

// passConfig is the policy for Temporary Access Passes.
func passConfig(t *Tenant) object {
	state, targets := "enabled", []object{{"targetType": "group", "id": "all_users", "isRegistrationRequired": false}}
	if t.tapPolicy.Off {
		state = "disabled"
	}
	if len(t.tapPolicy.Groups) > 0 {
		targets = nil
		for _, g := range t.tapPolicy.Groups {
			targets = append(targets, object{"targetType": "group", "id": g, "isRegistrationRequired": false})
		}
	}
	return object{
		"@odata.type": passConfigType, "id": "TemporaryAccessPass", "state": state, "defaultLifetimeInMinutes": t.tapPolicy.Default,
		"defaultLength": t.tapPolicy.Length, "minimumLifetimeInMinutes": t.tapPolicy.Min, "maximumLifetimeInMinutes": t.tapPolicy.Max,
		"isUsableOnce": t.tapPolicy.Once, "excludeTargets": []object{}, "includeTargets": targets,
	}
}

func getMethodsPolicy(k *call) (int, any, error) {
	return k.entity(http.StatusOK, "policies/authenticationMethodsPolicy", &shape{name: "authenticationMethodsPolicy"}, object{
		"id": "authenticationMethodsPolicy", "displayName": "Authentication Methods Policy", "description": "What users may sign in with.",
		"policyVersion": "1.5", "policyMigrationState": "migrationComplete", "lastModifiedDateTime": stamp(k.t.created), "reconfirmationInDays": nil,
		"authenticationMethodConfigurations": []object{passConfig(k.t), {"@odata.type": "#microsoft.graph.fido2AuthenticationMethodConfiguration", "id": "Fido2", "state": "enabled"}},
	})
}

func getMethodConfig(k *call) (int, any, error) {
	if !strings.EqualFold(k.path("method"), "TemporaryAccessPass") {
		return 0, nil, notFound(k.path("method"))
	}
	return k.entity(http.StatusOK, "policies/authenticationMethodsPolicy/authenticationMethodConfigurations", &shape{name: "authenticationMethodConfiguration"}, passConfig(k.t))
}

func patchMethodConfig(k *call) (int, any, error) {
	if !strings.EqualFold(k.path("method"), "TemporaryAccessPass") {
		return 0, nil, notFound(k.path("method"))
	}
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	p := k.t.tapPolicy
	if state, _ := body.text("state"); state != "" {
		p.Off = state != "enabled"
	}
	for name, to := range map[string]*int{"minimumLifetimeInMinutes": &p.Min, "maximumLifetimeInMinutes": &p.Max, "defaultLifetimeInMinutes": &p.Default, "defaultLength": &p.Length} {
		if n, ok := body[name].(float64); ok {
			*to = int(n)
		}
	}
	if once, ok := body["isUsableOnce"].(bool); ok {
		p.Once = once
	}
	if p.Min < 10 || p.Max > 43_200 || p.Min > p.Max || p.Default < p.Min || p.Default > p.Max || p.Length < 8 || p.Length > 48 {
		return 0, nil, badRequest("The Temporary Access Pass policy is not valid.")
	}
	k.t.tapPolicy = p
	k.t.writes++
	k.t.audit(k.now, k.by(), "Authentication Methods Policy Update")
	return http.StatusNoContent, nil, nil
}

func getSecurityDefaults(k *call) (int, any, error) {
	return k.entity(http.StatusOK, "policies/identitySecurityDefaultsEnforcementPolicy", &shape{name: "identitySecurityDefaultsEnforcementPolicy"}, object{
		"id": "00000000-0000-0000-0000-000000000005", "displayName": "Security Defaults", "description": "Security defaults is a set of basic identity security mechanisms.",
		"isEnabled": k.t.secDefaults, "deletedDateTime": nil,
	})
}

func listAccess(k *call) (int, any, error) {
	return k.list(&shape{name: "conditionalAccessPolicy", context: "identity/conditionalAccess/policies"}, func(int) []object {
		var out []object
		for i, p := range k.t.access {
			out = append(out, p.object(k.t, i))
		}
		return out
	})
}

func (p AccessPolicy) object(t *Tenant, n int) object {
	users := object{"includeUsers": []string{"All"}, "excludeUsers": []string{}, "includeGroups": []string{}, "excludeGroups": []string{}, "includeRoles": []string{}, "excludeRoles": []string{}}
	if len(p.Roles) > 0 {
		users["includeUsers"], users["includeRoles"] = []string{}, p.Roles
	}
	apps := p.Apps
	if len(apps) == 0 {
		apps = []string{"All"}
	}
	controls := []string{}
	if p.MFA {
		controls = append(controls, "mfa")
	}
	if p.Block {
		controls = append(controls, "block")
	}
	grant := object{"operator": "OR", "builtInControls": controls, "customAuthenticationFactors": []string{}, "termsOfUse": []string{}}
	if p.PhishingResistant {
		grant["authenticationStrength"] = object{
			"id": "00000000-0000-0000-0000-000000000004", "displayName": "Phishing-resistant MFA", "description": "Phishing-resistant, passwordless methods.",
			"policyType": "builtIn", "requirementsSatisfied": "mfa", "createdDateTime": stamp(t.created), "modifiedDateTime": stamp(t.created),
			"allowedCombinations": []string{"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"},
		}
	}
	return object{
		"id": pseudoGUID(t.ID, n), "displayName": p.Name, "state": cmp.Or(p.State, "enabled"), "createdDateTime": stamp(t.created), "modifiedDateTime": nil,
		"templateId": nil, "deletedDateTime": nil, "sessionControls": nil, "grantControls": grant,
		"conditions": object{
			"clientAppTypes": []string{"all"}, "signInRiskLevels": []string{}, "userRiskLevels": []string{}, "users": users,
			"applications": object{"includeApplications": apps, "excludeApplications": []string{}, "includeUserActions": []string{}},
		},
	}
}
