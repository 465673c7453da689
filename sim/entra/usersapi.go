package entra

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

var userShape = &shape{
	name: "user", context: "users", directory: true,
	defaults: []string{"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName"},
	known: strings.Fields(`accountEnabled ageGroup assignedLicenses assignedPlans authorizationInfo city companyName country createdDateTime
		creationType deletedDateTime department employeeHireDate employeeId employeeType externalUserState faxNumber identities imAddresses
		isManagementRestricted isResourceAccount lastPasswordChangeDateTime mailNickname onPremisesDistinguishedName onPremisesDomainName
		onPremisesExtensionAttributes onPremisesImmutableId onPremisesLastSyncDateTime onPremisesSamAccountName onPremisesSecurityIdentifier
		onPremisesSyncEnabled onPremisesUserPrincipalName otherMails passwordPolicies passwordProfile postalCode preferredDataLocation proxyAddresses
		securityIdentifier showInAddressList signInActivity signInSessionsValidFromDateTime state streetAddress usageLocation userType`),
}

// basic is what User.ReadBasic.All shows.
var basic = []string{"displayName", "givenName", "id", "mail", "surname", "userPrincipalName", "userType", "otherMails"}

// full is a user with all its properties. Nobody may change it.
func (u *user) full() object {
	if u.shown == nil {
		u.shown = u.render()
	}
	return u.shown
}

func (u *user) render() object {
	o := object{
		"businessPhones": []string{}, "displayName": nil, "givenName": nil, "jobTitle": nil, "mail": nil, "mobilePhone": nil,
		"officeLocation": nil, "preferredLanguage": nil, "surname": nil, "userType": "Member", "otherMails": []string{}, "proxyAddresses": []string{},
		"assignedLicenses": []object{}, "assignedPlans": []object{}, "imAddresses": []string{}, "identities": []object{}, "isManagementRestricted": nil,
	}
	maps.Copy(o, u.props)
	delete(o, "passwordProfile")
	o["id"], o["userPrincipalName"], o["accountEnabled"] = u.id, u.upn, u.enabled
	o["createdDateTime"], o["deletedDateTime"] = stamp(u.created), stamp(u.deleted)
	o["signInSessionsValidFromDateTime"], o["lastPasswordChangeDateTime"] = stamp(u.validFrom), stamp(u.changed)
	return o
}

// basicOnly reports whether the caller asks for what its permission does not show.
func basicOnly(k *call) error {
	sel := k.query.Get("$select")
	if k.may("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All") || sel == "" {
		return nil
	}
	for name := range strings.SplitSeq(sel, ",") {
		if !slices.Contains(basic, strings.TrimSpace(name)) {
			return denied()
		}
	}
	return nil
}

func listUsers(k *call) (int, any, error) {
	if err := basicOnly(k); err != nil {
		return 0, nil, err
	}
	return k.list(userShape, func(replica int) []object {
		var out []object
		for _, u := range k.t.users.all(replica, k.now) {
			if u.deleted.IsZero() {
				out = append(out, u.full())
			}
		}
		return out
	})
}

func getUser(k *call) (int, any, error) {
	u, err := k.user()
	if err != nil {
		return 0, nil, err
	}
	if err := basicOnly(k); err != nil {
		return 0, nil, err
	}
	return k.entity(http.StatusOK, "users", userShape, u.full())
}

func deltaUsers(k *call) (int, any, error) {
	return k.list(&shape{name: "user", context: "users", defaults: userShape.defaults, known: userShape.known}, func(replica int) []object {
		var out []object
		for _, u := range k.t.users.all(replica, k.now) {
			if o := u.full(); u.deleted.IsZero() {
				out = append(out, o)
			}
		}
		return out
	})
}

func createUser(k *call) (int, any, error) {
	mayCreate := k.may("User.ReadWrite.All", "Directory.ReadWrite.All") || k.may("User.Create") && !k.cloud.opt.Switches.UserCreateRefused
	if !mayCreate {
		return 0, nil, denied()
	}
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	password, mustChange, err := newUser(k, body)
	if err != nil {
		return 0, nil, err
	}
	upn := body["userPrincipalName"].(string)
	switch {
	case k.t.taken(upn, ""):
		return 0, nil, taken("userPrincipalName")
	case k.t.full(k.now):
		return 0, nil, quotaExceeded()
	}
	u := &user{id: guid(k.t.dice), upn: upn, created: k.now, validFrom: k.now, by: k.p.app.ID, props: object{}}
	u.enabled, _ = body["accountEnabled"].(bool)
	maps.Copy(u.props, body)
	for _, name := range []string{"userPrincipalName", "accountEnabled", "passwordProfile"} {
		delete(u.props, name)
	}
	k.t.setPassword(u, password, mustChange, k.now)
	k.t.put(u, k.replica, k.now)
	k.t.audit(k.now, k.by(), "Add user", userTarget(u))
	return k.entity(http.StatusCreated, "users", userShape, u.full())
}

// full reports whether the tenant holds as many objects as it may; those in the bin count.
func (t *Tenant) full(now time.Time) bool {
	if len(t.users.order) < t.quota {
		return false
	}
	n := 0
	for range t.users.all(authority, now) {
		n++
	}
	return n >= t.quota
}

// newUser checks a user to be made, and takes its password out.
func newUser(k *call, body object) (password string, mustChange bool, err error) {
	for _, name := range []string{"accountEnabled", "displayName", "mailNickname", "passwordProfile", "userPrincipalName"} {
		if body[name] == nil {
			return "", false, badRequest("A value is required for property '" + name + "' of resource 'User'.")
		}
	}
	if err := checkProperties(k, body, ""); err != nil {
		return "", false, err
	}
	return profile(body)
}

// profile reads passwordProfile.
func profile(body object) (password string, mustChange bool, err error) {
	p, _ := body["passwordProfile"].(map[string]any)
	password, ok := p["password"].(string)
	mustChange, _ = p["forceChangePasswordNextSignIn"].(bool)
	switch {
	case !ok:
		return "", false, badRequest("A value is required for property 'password' of resource 'User'.")
	case !complex(password):
		return "", false, badRequest("The specified password does not comply with password complexity requirements. Please provide a different password.")
	}
	return password, mustChange, nil
}

// properties checks what a user's properties are to become. except is the id of the user that they are for.
func checkProperties(k *call, body object, except string) error {
	limits := map[string]int{"displayName": 256, "mailNickname": 64, "employeeId": 16, "department": 64, "jobTitle": 128, "givenName": 64, "surname": 64, "companyName": 64}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if strings.HasPrefix(name, "@") {
			continue
		}
		if !slices.Contains(userShape.known, name) && !slices.Contains(userShape.defaults, name) {
			return badRequest("Property '" + name + "' does not exist as a declared property or extension property.")
		}
		text, isText := body[name].(string)
		limit, limited := limits[name]
		required := name == "displayName" || name == "mailNickname"
		if limited && (!isText && body[name] != nil || len([]rune(text)) > limit || required && text == "") {
			return invalid(name, "User")
		}
	}
	if nick, there := body["mailNickname"].(string); there && strings.ContainsFunc(nick, notNick) {
		return invalid("mailNickname", "User")
	}
	if _, isBool := body["accountEnabled"].(bool); body["accountEnabled"] != nil && !isBool {
		return invalid("accountEnabled", "User")
	}
	if body["userPrincipalName"] == nil {
		return nil
	}
	return checkUPN(k, body, except)
}

func notNick(r rune) bool { return r > 126 || r <= ' ' || strings.ContainsRune(`@()\[]";:.<>,`, r) }

// upn checks the name that a user is to bear.
func checkUPN(k *call, body object, except string) error {
	name, _ := body["userPrincipalName"].(string)
	alias, domain, ok := strings.Cut(name, "@")
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("'.-_!#^~", r))
	}
	if !ok || alias == "" || len(alias) > 64 || strings.ContainsFunc(alias, bad) || strings.HasSuffix(alias, ".") {
		return invalid("userPrincipalName", "User")
	}
	for _, d := range k.t.domains {
		if !strings.EqualFold(d.Name, domain) || d.Unverified {
			continue
		}
		if d.Federated && body["onPremisesImmutableId"] == nil && except == "" {
			return badRequest("A value is required for property 'onPremisesImmutableId' of resource 'User'.")
		}
		return nil
	}
	return badRequest("The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.")
}

// sensitive are the properties that only some may change on an administrator.
var sensitive = []string{"accountEnabled", "businessPhones", "mobilePhone", "onPremisesImmutableId", "otherMails", "passwordProfile", "userPrincipalName"}

func patchUser(k *call) (int, any, error) {
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	all := k.may("User.ReadWrite.All", "Directory.ReadWrite.All")
	for name := range body {
		ok := all || name == "accountEnabled" && k.may("User.EnableDisableAccount.All") || name == "passwordProfile" && k.may("User-PasswordProfile.ReadWrite.All")
		if !ok {
			return 0, nil, denied()
		}
	}
	shown, err := k.user()
	if err != nil {
		return 0, nil, err
	}
	for name := range body {
		if slices.Contains(sensitive, name) && !k.mayTouch(shown) || name == "passwordProfile" && !k.mayReset(shown) {
			return 0, nil, denied()
		}
	}
	u := k.t.users.at(shown.id, authority, k.now)
	if u == nil || !u.deleted.IsZero() {
		return 0, nil, notFound(k.path("user"))
	}
	changed, err := changedUser(k, u, body)
	if err != nil {
		return 0, nil, err
	}
	k.t.put(changed, k.replica, k.now)
	auditChange(k, u, changed)
	return http.StatusNoContent, nil, nil
}

// change is a user after the properties of a PATCH.
func changedUser(k *call, u *user, body object) (*user, error) {
	if err := checkProperties(k, body, u.id); err != nil {
		return nil, err
	}
	n := u.with(func(*user) {})
	for name, v := range body {
		switch name {
		case "userPrincipalName":
			n.upn, _ = v.(string)
			if k.t.taken(n.upn, u.id) {
				return nil, taken("userPrincipalName")
			}
		case "accountEnabled":
			n.enabled, _ = v.(bool)
		case "passwordProfile":
			password, mustChange, err := profile(body)
			if err != nil {
				return nil, err
			}
			k.t.setPassword(n, password, mustChange, k.now)
			n.validFrom = k.now
		default:
			n.props[name] = v
		}
	}
	return n, nil
}

func auditChange(k *call, before, after *user) {
	what := "Update user"
	switch {
	case before.enabled && !after.enabled:
		what = "Disable account"
	case !before.enabled && after.enabled:
		what = "Enable account"
	case !before.changed.Equal(after.changed):
		what = "Reset user password"
	}
	k.t.audit(k.now, k.by(), what, userTarget(after))
}

func deleteUser(k *call) (int, any, error) {
	shown, err := k.user()
	if err != nil {
		return 0, nil, err
	}
	if !k.mayTouch(shown) {
		return 0, nil, denied()
	}
	u := k.t.users.at(shown.id, authority, k.now)
	if u == nil || !u.deleted.IsZero() {
		return 0, nil, notFound(k.path("user"))
	}
	k.t.bin(u, k.replica, k.now)
	k.t.audit(k.now, k.by(), "Delete user", userTarget(u))
	return http.StatusNoContent, nil, nil
}

func revokeSessions(k *call) (int, any, error) {
	shown, err := k.user()
	if err != nil {
		return 0, nil, err
	}
	if u := k.t.users.at(shown.id, authority, k.now); u != nil && u.deleted.IsZero() {
		k.t.put(u.with(func(n *user) { n.validFrom = k.now }), k.replica, k.now)
		k.t.audit(k.now, k.by(), "Update StsRefreshTokenValidFrom Timestamp", userTarget(u))
	}
	return http.StatusOK, object{"@odata.context": k.base() + "$metadata#Edm.Boolean", "value": true}, nil
}

// memberOf are a user's directory roles; nobody here is in a group.
func memberOf(k *call) (int, any, error) {
	u, err := k.user()
	if err != nil {
		return 0, nil, err
	}
	return k.list(&shape{name: "directoryObject", context: "directoryObjects"}, func(replica int) []object {
		var out []object
		for _, a := range k.t.held(u.id, replica, k.now) {
			if id := k.t.roles[a.role]; id != "" && !a.start.After(k.now) && a.scope == "/" {
				o := roleObject(k.t, a.role)
				o["@odata.type"] = "#microsoft.graph.directoryRole"
				out = append(out, o)
			}
		}
		return out
	})
}

// purgeable reports whether nothing protects a user in the bin.
func purgeable(t *Tenant, u *user, now time.Time) bool { return !t.purgeStop[u.id].After(now) }
