package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/access"
)

// Levels of findings.
const (
	levelOK      = "ok"
	levelInfo    = "info"
	levelWarning = "warning"
	levelError   = "error"
)

// A doctor collects what a check finds.
type doctor struct {
	*system
	findings []access.Finding
}

func (d *doctor) say(level, what, fix string) {
	d.findings = append(d.findings, access.Finding{Level: level, What: what, Fix: fix})
}

// trouble turns an error of one step into a finding.
func (d *doctor) trouble(level, doing string, err error) {
	if e, ok := explain(err, doing).(*access.Error); ok {
		d.say(level, e.Text, e.Hint)
	}
}

// Check tries what granting and removing need, and changes nothing.
func (s *system) Check(ctx context.Context) ([]access.Finding, error) {
	d := &doctor{system: s}
	s.tokens.renew(0) // what was consented since the last token counts
	if _, err := s.tokens.get(ctx, ""); err != nil {
		d.trouble(levelError, "sign in", err)
		return d.findings, ctx.Err()
	}
	d.certificate()
	d.permissions()
	if !d.tenancy(ctx) {
		return d.findings, ctx.Err()
	}
	d.clock()
	d.domains(ctx)
	d.passes(ctx)
	p2 := d.licences(ctx)
	d.securityDefaults(ctx)
	d.conditionalAccess(ctx)
	d.appRole(ctx)
	d.pimRules(ctx, p2)
	return d.findings, ctx.Err()
}

// A need is one permission of the app, and what it is for.
type need struct {
	any  []string // any of which is enough; the first one is recommended
	what string
	must bool // grants would fail, or would not end, without it
}

func (d *doctor) needs() []need {
	all := []need{
		{mayCreate, "make and read accounts", true},
		{mayRead, "read accounts", true},
		{mayDisable, "disable accounts", true},
		{mayDelete, "delete accounts", true},
		{mayPurge, "purge deleted accounts", true},
		{mayRevoke, "revoke sessions", true},
		{mayAssign, "give and take roles", true},
		{[]string{"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, "check domains", false},
		{[]string{"Policy.Read.All"}, "check conditional access and security defaults", false},
		{mayAudit, "tell afterwards what an account did", false},
		{[]string{"LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}, "read licences", false},
	}
	if d.tap {
		return append(all, need{mayPass, "make and delete Temporary Access Passes", true}, need{mayPolicy, "read the policy for Temporary Access Passes", false})
	}
	return append(all, need{mayReset, "set passwords", true})
}

// permissions compares what the token carries with what is needed.
func (d *doctor) permissions() {
	own, ok := d.tokens.claims()
	if !ok {
		d.say(levelWarning, "The permissions of the app could not be read from its token.", "")
		return
	}
	if own.Tenant != "" && !strings.EqualFold(own.Tenant, d.tenant) {
		d.say(levelError, "The token is for another Entra tenant, "+clip(own.Tenant, 60)+".", "Check the Entra tenant ID in the target's settings.")
	}
	if len(own.Roles) == 0 {
		d.say(levelError, "The app signs in, but has no permission in this Entra tenant.", "Have an administrator of the customer give admin consent; it can take up to an hour to show.")
		return
	}
	missing := 0
	for _, n := range d.needs() {
		if d.may(n.any) {
			continue
		}
		missing++
		level := levelWarning
		if n.must {
			level = levelError
		}
		d.say(level, "The permission "+n.any[0]+" is missing: the app may not "+n.what+".", "Add the application permission "+n.any[0]+" to the app registration and give admin consent again.")
	}
	if missing == 0 {
		d.say(levelOK, fmt.Sprintf("The app has every permission that it needs (%d granted).", len(own.Roles)), "")
	}
	if d.may(mayAssign) {
		d.say(levelInfo, "With RoleManagement.ReadWrite.Directory the app can make anyone Global Administrator: whoever has its key has this Entra tenant.", "Guard this server and the key like a domain controller; best use one certificate for each customer.")
	}
}

// tenancy reads the Entra tenant's own name and id; false if that fails in a
// way that makes the rest pointless.
func (d *doctor) tenancy(ctx context.Context) bool {
	org, err := d.organization(ctx)
	if err != nil {
		d.trouble(levelError, "read the Entra tenant", err)
		return !is(err, http.StatusUnauthorized) && ctx.Err() == nil && access.KindOf(explain(err, "")) != access.Unavailable
	}
	if !strings.EqualFold(org.ID, d.tenant) {
		d.say(levelError, "The Entra tenant that answers is "+clip(org.Name, 80)+" ("+clip(org.ID, 60)+"), not the one of the settings.", "Check the Entra tenant ID in the target's settings.")
		return true
	}
	d.say(levelOK, "The Entra tenant is "+clip(org.Name, 80)+" ("+d.tenant+").", "")
	return true
}

func (d *doctor) clock() {
	switch skew := time.Duration(d.skew.Load()).Abs().Round(time.Second); {
	case skew > 4*time.Minute:
		d.say(levelError, fmt.Sprintf("The clock of this server differs from Microsoft's by %s.", skew), "Correct it; from five minutes on Microsoft refuses the app's sign-in, and ends of roles would be wrong.")
	case skew > 30*time.Second:
		d.say(levelWarning, fmt.Sprintf("The clock of this server differs from Microsoft's by %s.", skew), "Let it follow a time server.")
	default:
		d.say(levelOK, "The clock of this server agrees with Microsoft's.", "")
	}
}

func (d *doctor) certificate() {
	if len(d.certs) == 0 {
		if !d.settings.secret.IsZero() {
			d.say(levelInfo, "The app proves itself with a client secret.", "A certificate is safer, and some customers forbid secrets.")
		}
		return
	}
	left := time.Until(d.certs[0].NotAfter)
	switch end := d.certs[0].NotAfter.UTC().Format(time.DateOnly); {
	case left < 0:
		d.say(levelError, "The app's certificate expired on "+end+".", "Make a new one, upload its public part to the app registration, and enter it in the target's settings.")
	case left < 30*24*time.Hour:
		d.say(levelWarning, "The app's certificate expires on "+end+".", "Make a new one soon, upload its public part to the app registration, and enter it in the target's settings.")
	default:
		d.say(levelOK, "The app's certificate is valid until "+end+".", "")
	}
}

// domains looks at the domain that accounts get. One that is federated would
// send the sign-in to the customer's own service.
func (d *doctor) domains(ctx context.Context) {
	type domain struct {
		Name     string `json:"id"`
		Kind     string `json:"authenticationType"`
		Verified bool   `json:"isVerified"`
		Initial  bool   `json:"isInitial"`
	}
	all, _, err := list[domain](ctx, d.client, call{path: "/domains", needs: []string{"Domain.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", "Domain.ReadWrite.All"}})
	if err != nil {
		d.trouble(levelWarning, "read the domains", err)
		return
	}
	for _, one := range all {
		name := strings.ToLower(one.Name)
		if name != d.settings.domain && (d.settings.domain != "" || !one.Initial) {
			continue
		}
		switch {
		case strings.EqualFold(one.Kind, "Federated"):
			d.say(levelError, "The domain "+name+" is federated: accounts there could not sign in.", "Choose another domain for accounts; the initial onmicrosoft.com domain always works.")
		case !one.Verified:
			d.say(levelError, "The domain "+name+" is not verified.", "Verify it, or choose another domain for accounts.")
		default:
			d.say(levelOK, "Accounts get names in "+name+", which is verified and managed by Entra.", "")
		}
		return
	}
	d.say(levelError, "The Entra tenant does not have the domain "+d.settings.domain+".", "Choose one that it has, or leave the field empty for the initial one.")
}

// licences reads what the Entra tenant has paid for, and reports whether PIM
// is part of it.
func (d *doctor) licences(ctx context.Context) (p2 bool) {
	type sku struct {
		Status string `json:"capabilityStatus"`
		Plans  []struct {
			Name string `json:"servicePlanName"`
		} `json:"servicePlans"`
	}
	all, _, err := list[sku](ctx, d.client, call{path: "/subscribedSkus", needs: []string{"LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}})
	if err != nil {
		d.trouble(levelInfo, "read the licences", err)
		return false
	}
	p1 := false
	for _, s := range all {
		for _, plan := range s.Plans {
			p1 = p1 || plan.Name == "AAD_PREMIUM" || plan.Name == "AAD_PREMIUM_P2"
			p2 = p2 || plan.Name == "AAD_PREMIUM_P2"
		}
	}
	switch {
	case p2:
		d.say(levelOK, "The Entra tenant has Entra ID P2: roles can end by themselves, and sign-ins are logged.", "")
	case p1:
		d.say(levelInfo, "The Entra tenant has Entra ID P1: sign-ins are logged; roles cannot end by themselves, Jitney ends them.", "")
	default:
		d.say(levelInfo, "The Entra tenant has neither Entra ID P1 nor P2: the audit log goes back 7 days, and sign-ins are not shown.", "")
	}
	return p2
}

// appRole looks at the directory role of the app itself, which it needs only
// for some steps.
func (d *doctor) appRole(ctx context.Context) {
	own, ok := d.tokens.claims()
	id := strings.ToLower(own.Object)
	if !ok || !validGUID(id) {
		return
	}
	held, _, err := d.assignments(ctx, id)
	if err != nil {
		d.trouble(levelWarning, "read the app's directory roles", err)
		return
	}
	strong, resets := false, false
	for _, h := range held {
		role := strings.ToLower(h.Role)
		strong = strong || role == globalAdminID || role == roleID("Privileged Authentication Administrator")
		resets = resets || role == roleID("User Administrator")
	}
	switch {
	case strong:
		d.say(levelOK, "The app holds a directory role with which it may disable and delete administrators at once.", "")
	case !d.tap && !resets:
		d.say(levelError, "The app holds no directory role, so it may not set passwords again.", "Give it the directory role Privileged Authentication Administrator, or have technicians sign in with a Temporary Access Pass.")
	default:
		d.say(levelInfo, "The app may not disable an account while that holds Global Administrator. It takes the role away first; deleting can then take some minutes to be allowed.",
			"Optional: give the app the directory role Privileged Authentication Administrator, with which it disables first and deletes at once.")
	}
}

// pimRules looks whether roles could be given with an end.
func (d *doctor) pimRules(ctx context.Context, p2 bool) {
	if !d.pim {
		return
	}
	if !p2 {
		d.say(levelWarning, "Roles shall end by themselves, but no Entra ID P2 was found.", "Jitney gives them directly and ends them itself. Buy P2, or switch that off.")
		return
	}
	type rules struct {
		Policy struct {
			Rules []struct {
				ID       string   `json:"id"`
				Enabled  []string `json:"enabledRules"`
				Longest  string   `json:"maximumDuration"`
				Required bool     `json:"isExpirationRequired"`
			} `json:"rules"`
		} `json:"policy"`
	}
	all, _, err := list[rules](ctx, d.client, call{path: "/policies/roleManagementPolicyAssignments", needs: mayRoles, query: url.Values{
		"$filter": {"scopeId eq '/' and scopeType eq 'DirectoryRole' and roleDefinitionId eq '" + d.roles[0].id + "'"}, "$expand": {"policy($expand=rules)"}}})
	if err != nil {
		d.trouble(levelInfo, "read the rules of Privileged Identity Management", err)
		return
	}
	for _, a := range all {
		for _, r := range a.Policy.Rules {
			for _, demand := range r.Enabled {
				if r.ID == "Enablement_Admin_Assignment" && demand == "MultiFactorAuthentication" {
					d.say(levelWarning, "Privileged Identity Management demands a second factor of whoever gives a role, which no app has.", "Jitney gives roles directly instead. Take that rule off for administrators' assignments if Entra shall end roles by itself.")
				}
			}
		}
	}
	d.say(levelOK, "Roles are given with an end that Entra keeps by itself.", "")
}
