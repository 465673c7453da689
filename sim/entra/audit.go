package entra

import (
	"net/http"
	"slices"
	"time"
)

// logged is one line of a log, from when on it is seen.
type logged[T any] struct {
	at, seen time.Time
	value    T
}

// maxLog bounds each of a tenant's logs.
const maxLog = 50_000

// initiator is who did something: an app, a user, or nil for the service itself.
type initiator struct {
	app    *principal
	person *user
}

func (k *call) by() *initiator { return &initiator{app: k.p} }

// audit writes one line of the directory's audit log. t.mu is held.
func (t *store) audit(at time.Time, by *initiator, what string, targets ...object) {
	who := object{"app": nil, "user": nil}
	switch {
	case by != nil && by.app != nil:
		who["app"] = object{"appId": by.app.app.ID, "displayName": by.app.app.Name, "servicePrincipalId": by.app.id, "servicePrincipalName": nil}
	case by != nil && by.person != nil:
		who["user"] = object{"id": by.person.id, "displayName": nullable(by.person.text("displayName")), "userPrincipalName": by.person.upn, "ipAddress": "203.0.113.7"}
	}
	category := "UserManagement"
	for _, o := range targets {
		if o["type"] == "Role" {
			category = "RoleManagement"
		}
	}
	id := guid(t.dice)
	t.audits = keepLog(append(t.audits, logged[object]{at: at, seen: at.Add(t.cloud.opt.Delays.Audit.draw(t.dice)), value: object{
		"id": "Directory_" + id, "category": category, "correlationId": id, "result": "success", "resultReason": "", "activityDisplayName": what,
		"activityDateTime": stamp(at), "loggedByService": "Core Directory", "operationType": "Update", "initiatedBy": who, "targetResources": append([]object{}, targets...),
		"additionalDetails": []object{},
	}}))
}

func keepLog(log []logged[object]) []logged[object] {
	if len(log) > maxLog {
		return slices.Clone(log[maxLog/10:])
	}
	return log
}

func userTarget(u *user) object {
	return object{
		"id": u.id, "displayName": nullable(u.text("displayName")), "type": "User", "userPrincipalName": u.upn, "groupType": nil,
		"modifiedProperties": []object{},
	}
}

// roleTargets are who got or lost a role, and which.
func (t *store) roleTargets(a *assignment, now time.Time) []object {
	who := object{"id": a.principal, "displayName": nil, "type": "ServicePrincipal", "userPrincipalName": nil, "groupType": nil, "modifiedProperties": []object{}}
	if u := t.users.at(a.principal, authority, now); u != nil {
		who = userTarget(u)
	}
	d, _ := t.definition(a.role)
	who["modifiedProperties"] = []object{{"displayName": "Role.DisplayName", "oldValue": nil, "newValue": `"` + d.name + `"`}}
	return []object{who, {"id": t.roles[a.role], "displayName": d.name, "type": "Role", "userPrincipalName": nil, "groupType": nil, "modifiedProperties": []object{}}}
}

// visible are the lines of a log that it shows by now, the newest first.
func visible(log []logged[object], now time.Time) []object {
	var out []object
	for _, l := range slices.Backward(log) {
		if !l.seen.After(now) {
			out = append(out, l.value)
		}
	}
	return out
}

var auditShape = &shape{name: "directoryAudit", context: "auditLogs/directoryAudits"}
var signInShape = &shape{name: "signIn", context: "auditLogs/signIns"}

func listAudits(k *call) (int, any, error) {
	return k.list(auditShape, func(int) []object { return visible(k.t.audits, k.now) })
}

func getAudit(k *call) (int, any, error) { return logEntry(k, k.t.audits, auditShape) }

func listSignIns(k *call) (int, any, error) {
	if err := premiumLog(k); err != nil {
		return 0, nil, err
	}
	return k.list(signInShape, func(int) []object { return visible(k.t.signIns, k.now) })
}

func getSignIn(k *call) (int, any, error) {
	if err := premiumLog(k); err != nil {
		return 0, nil, err
	}
	return logEntry(k, k.t.signIns, signInShape)
}

func premiumLog(k *call) error {
	if k.t.licence < P1 {
		return fail(http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
	}
	return nil
}

func logEntry(k *call, log []logged[object], s *shape) (int, any, error) {
	for _, o := range visible(log, k.now) {
		if o["id"] == k.path("entry") {
			return k.entity(http.StatusOK, s.context, s, o)
		}
	}
	return 0, nil, notFound(k.path("entry"))
}

// SignIn is one attempt of a person to sign in.
type SignIn struct {
	User    string // object id
	UPN     string
	App     string // what was signed in to, such as Azure Portal
	Address string // where from
	// Code is 0 for success, else the AADSTS number; Reason is its text.
	Code   int
	Reason string
	Agent  string
}

// RecordSignIn writes an attempt into the sign-in log.
func (t *Tenant) RecordSignIn(s SignIn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	id := guid(t.dice)
	name := any(nil)
	if u := t.users.at(s.User, authority, now); u != nil {
		name = nullable(u.text("displayName"))
	}
	t.signIns = keepLog(append(t.signIns, logged[object]{at: now, seen: now.Add(t.cloud.opt.Delays.SignIns.draw(t.dice)), value: object{
		"id": id, "correlationId": id, "createdDateTime": stamp(now), "userId": s.User, "userPrincipalName": s.UPN, "userDisplayName": name,
		"appDisplayName": s.App, "appId": "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "ipAddress": nullable(s.Address), "clientAppUsed": "Browser",
		"isInteractive": true, "userAgent": nullable(s.Agent), "conditionalAccessStatus": "notApplied",
		"status": object{"errorCode": s.Code, "failureReason": nullable(s.Reason), "additionalDetails": nil},
	}}))
}
