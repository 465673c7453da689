package entra

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// passes looks at the policy for Temporary Access Passes.
func (d *doctor) passes(ctx context.Context) {
	if !d.tap {
		d.say(levelWarning, "Technicians sign in with a password. Microsoft's admin portals demand a second factor, so the first sign-in asks to enrol one.", "A Temporary Access Pass does not have that problem.")
		return
	}
	d.forgetPolicy()
	p, err := d.passPolicy(ctx)
	switch {
	case err != nil:
		d.trouble(levelError, "read the policy for Temporary Access Passes", err)
		return
	case p.State != "enabled":
		d.say(levelError, "Temporary Access Passes are switched off.", "Enable them in the Entra admin center under Authentication methods, for all users; or have technicians sign in with a password.")
		return
	}
	d.say(levelOK, fmt.Sprintf("Temporary Access Passes are on, for %d to %d minutes.", p.Min, p.Max), "")
	if p.Min > 60 {
		d.say(levelInfo, fmt.Sprintf("A pass lives at least %d minutes; that of a shorter grant is deleted at its end.", p.Min), "")
	}
	if p.Max < int(8*time.Hour/time.Minute) {
		d.say(levelInfo, fmt.Sprintf("A pass lives at most %d minutes; in a longer grant a new one has to be made.", p.Max), "")
	}
	if p.Once {
		d.say(levelWarning, "The policy allows passes for one sign-in only: a technician gets into one portal once, and is then asked to enrol a second factor.", "Switch “Require one-time use” off.")
	}
	if scope := p.scope(); scope != "" {
		d.say(levelError, "Passes are allowed only for "+scope+"; temporary accounts are in no group.", "Allow them for all users: a pass for an account outside the scope can be made, and does not let it in.")
	}
}

func (d *doctor) securityDefaults(ctx context.Context) {
	var p struct {
		On bool `json:"isEnabled"`
	}
	_, err := d.do(ctx, call{method: http.MethodGet, path: "/policies/identitySecurityDefaultsEnforcementPolicy", into: &p, class: policies, needs: []string{"Policy.Read.All"}})
	switch {
	case err != nil:
		d.trouble(levelWarning, "read the security defaults", err)
	case p.On:
		d.say(levelInfo, "Security defaults are on: administrators give a second factor at each sign-in, and may be asked to register one.", "")
	default:
		d.say(levelOK, "Security defaults are off; what counts is conditional access.", "")
	}
}

// A caPolicy is one policy of conditional access, as far as it decides over
// a temporary administrator.
// https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
type caPolicy struct {
	Name       string `json:"displayName"`
	State      string `json:"state"`
	Conditions struct {
		Users struct {
			IncludeUsers  []string `json:"includeUsers"`
			ExcludeUsers  []string `json:"excludeUsers"`
			IncludeGroups []string `json:"includeGroups"`
			IncludeRoles  []string `json:"includeRoles"`
			ExcludeRoles  []string `json:"excludeRoles"`
		} `json:"users"`
		Apps struct {
			Include []string `json:"includeApplications"`
		} `json:"applications"`
		Locations *struct {
			Include []string `json:"includeLocations"`
			Exclude []string `json:"excludeLocations"`
		} `json:"locations"`
		ClientTypes []string `json:"clientAppTypes"`
		Risk        []string `json:"signInRiskLevels"`
		UserRisk    []string `json:"userRiskLevels"`
	} `json:"conditions"`
	Grant *struct {
		Operator string   `json:"operator"`
		Controls []string `json:"builtInControls"`
		Strength *struct {
			ID    string   `json:"id"`
			Name  string   `json:"displayName"`
			Allow []string `json:"allowedCombinations"`
		} `json:"authenticationStrength"`
	} `json:"grantControls"`
}

// phishingResistant is the id of the built-in strength that no pass satisfies.
// https://learn.microsoft.com/entra/identity/authentication/concept-authentication-strengths
const phishingResistant = "00000000-0000-0000-0000-000000000004"

// strengthWithPass are the combinations of a strength that a pass satisfies.
var strengthWithPass = []string{"temporaryAccessPassOneTime", "temporaryAccessPassMultiUse"}

// conditionalAccess looks for policies that would lock a temporary account
// out, by what they say and not by what they are called.
func (d *doctor) conditionalAccess(ctx context.Context) {
	all, _, err := list[caPolicy](ctx, d.client, call{path: "/identity/conditionalAccess/policies", class: policies, needs: []string{"Policy.Read.All"}})
	if err != nil {
		d.trouble(levelWarning, "read the policies of conditional access", err)
		return
	}
	found := false
	for _, p := range all {
		if p.State == "disabled" || !p.covers(d.roles) {
			continue
		}
		level, what := p.judge(d.tap)
		if what == "" {
			continue
		}
		found = true
		fix := "Exclude the temporary accounts from it, for example by the name's beginning “" + aliasPrefix + "”, or allow what they sign in with."
		if p.State != "enabled" {
			level, what = levelInfo, what+" It is in report-only mode, so it does not yet."
		}
		d.say(level, "The policy “"+clip(p.Name, 80)+"” "+what, fix)
	}
	if !found {
		d.say(levelOK, fmt.Sprintf("None of the %d policies of conditional access locks a temporary account out.", len(all)), "")
	}
}

// covers reports whether p can apply to an account with one of the roles.
func (p *caPolicy) covers(roles []role) bool {
	u := p.Conditions.Users
	has := func(ids []string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return id == "All" || offers(roles, strings.ToLower(id)) })
	}
	if slices.Contains(u.ExcludeUsers, "All") || len(u.ExcludeRoles) > 0 && allExcluded(roles, u.ExcludeRoles) {
		return false
	}
	return slices.Contains(u.IncludeUsers, "All") || has(u.IncludeRoles)
}

func allExcluded(roles []role, excluded []string) bool {
	for _, r := range roles {
		if !slices.ContainsFunc(excluded, func(id string) bool { return strings.EqualFold(id, r.id) }) {
			return false
		}
	}
	return true
}

// judge says what p does to an account that signs in with a pass (or a
// password); an empty text if nothing of concern.
func (p *caPolicy) judge(tap bool) (level, what string) {
	g := p.Grant
	legacy := len(p.Conditions.ClientTypes) > 0 && !slices.Contains(p.Conditions.ClientTypes, "all") && !slices.Contains(p.Conditions.ClientTypes, "browser")
	if g == nil || legacy {
		return "", ""
	}
	limited := p.Conditions.Locations != nil || len(p.Conditions.Risk) > 0 || len(p.Conditions.UserRisk) > 0
	either := strings.EqualFold(g.Operator, "OR") && slices.Contains(g.Controls, "mfa")
	switch {
	case slices.Contains(g.Controls, "block") && limited:
		return levelWarning, "blocks the sign-in from some places or at some risk."
	case slices.Contains(g.Controls, "block") && !slices.Contains(p.Conditions.Apps.Include, "All") && len(p.Conditions.Apps.Include) > 0:
		return levelWarning, "blocks the sign-in to some apps, the admin portals perhaps among them."
	case slices.Contains(g.Controls, "block"):
		return levelError, "blocks every sign-in of a temporary account."
	case g.Strength != nil && !either && tap && !p.passSuffices():
		return levelError, "demands " + clip(g.Strength.Name, 60) + ", which a Temporary Access Pass does not satisfy."
	case (slices.Contains(g.Controls, "compliantDevice") || slices.Contains(g.Controls, "domainJoinedDevice")) && !either:
		return levelWarning, "demands a device that the customer manages."
	case !tap && (slices.Contains(g.Controls, "mfa") || g.Strength != nil):
		return levelWarning, "demands a second factor, which a password is not."
	}
	return "", ""
}

// passSuffices reports whether the strength that p demands takes a pass. What
// combinations it allows decides, if they are told.
func (p *caPolicy) passSuffices() bool {
	if len(p.Grant.Strength.Allow) > 0 {
		return slices.ContainsFunc(p.Grant.Strength.Allow, func(c string) bool { return slices.Contains(strengthWithPass, c) })
	}
	return p.Grant.Strength.ID != phishingResistant && p.Grant.Strength.ID != ""
}
