package entra

import (
	"fmt"
	"slices"
	"time"
)

// Deed is what somebody outside the product does.
type Deed string

// The deeds. User is an object id or a name, Role a role template, By the user who does it (empty: another administrator).
const (
	RestoreUser     Deed = "restoreUser"     // out of the bin
	DeleteUser      Deed = "deleteUser"      // into the bin
	PurgeUser       Deed = "purgeUser"       // out of the bin for good
	EnableUser      Deed = "enableUser"      //
	DisableUser     Deed = "disableUser"     //
	GiveRole        Deed = "giveRole"        // another role, or the same
	TakeRole        Deed = "takeRole"        //
	ChangePassword  Deed = "changePassword"  // to Value
	RenameUser      Deed = "renameUser"      // to Value
	SetProperty     Deed = "setProperty"     // the property Role to Value
	DeletePass      Deed = "deletePass"      // every Temporary Access Pass of the user
	TurnPassesOff   Deed = "turnPassesOff"   // the policy
	TurnPassesOn    Deed = "turnPassesOn"    //
	MakeUser        Deed = "makeUser"        // with the name Value
	WithdrawApp     Deed = "withdrawApp"     // the app with the client id App
	RestoreApp      Deed = "restoreApp"      // lets it in again, with the permissions that it asks for
	RefusePurges    Deed = "refusePurges"    // of the user, for seven days
	LoseTheLicence  Deed = "loseLicence"     // the tenant is Free
	BuyPremium      Deed = "buyPremium"      // the tenant has P2
	CopyToEverybody Deed = "copyToEverybody" // all replicas catch up
)

// Act is one deed.
type Act struct {
	Do    Deed   `json:"do"`
	User  string `json:"user,omitempty"`
	By    string `json:"by,omitempty"`
	Role  string `json:"role,omitempty"`
	Value string `json:"value,omitempty"`
	App   string `json:"app,omitempty"`
}

// Act does what somebody outside the product does, at once and on every replica's authority: it reaches the replicas with
// the usual delays.
func (t *Tenant) Act(a Act) error {
	if done, err := actOnTenant(t, a); done {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	by := &initiator{person: t.live(a.By, authority, now)}
	if a.Do == MakeUser {
		return makeUser(t, a, by, now)
	}
	u := t.live(a.User, authority, now)
	if u == nil {
		u = t.inBin(a.User, authority, now)
	}
	if u == nil {
		return fmt.Errorf("entra: no user %q", a.User)
	}
	return actOn(t, u, a, by, now)
}

// actOnTenant does what is not about a user.
func actOnTenant(t *Tenant, a Act) (done bool, err error) {
	app := t.cloud.App(a.App)
	switch a.Do {
	case TurnPassesOff, TurnPassesOn:
		p := t.TAPPolicy()
		p.Off = a.Do == TurnPassesOff
		t.SetTAPPolicy(p)
	case LoseTheLicence:
		t.SetLicence(Free)
	case BuyPremium:
		t.SetLicence(P2)
	case WithdrawApp, RestoreApp:
		if app == nil {
			return true, fmt.Errorf("entra: no app %q", a.App)
		}
		if a.Do == WithdrawApp {
			t.Withdraw(app)
		} else {
			t.Consent(app)
		}
	case CopyToEverybody:
		t.Settle()
	default:
		return false, nil
	}
	return true, nil
}

func makeUser(t *Tenant, a Act, by *initiator, now time.Time) error {
	if a.Value == "" || t.taken(a.Value, "") {
		return fmt.Errorf("entra: the name %q cannot be used", a.Value)
	}
	u := &user{id: guid(t.dice), upn: a.Value, enabled: true, created: now, validFrom: now, props: object{"displayName": a.Value}}
	t.put(u, authority, now)
	t.audit(now, by, "Add user", userTarget(u))
	return nil
}

func actOn(t *Tenant, u *user, a Act, by *initiator, now time.Time) error {
	binned := !u.deleted.IsZero()
	inBin := slices.Contains([]Deed{RestoreUser, PurgeUser, RefusePurges}, a.Do)
	if binned != inBin && a.Do != RefusePurges {
		return fmt.Errorf("entra: %s cannot be done to a user in that place", a.Do)
	}
	change := func(what string, f func(*user)) {
		n := u.with(f)
		t.put(n, authority, now)
		t.audit(now, by, what, userTarget(n))
	}
	switch a.Do {
	case RestoreUser:
		n := t.unbin(u, u.upn, authority, now)
		t.audit(now, by, "Restore user", userTarget(n))
	case PurgeUser:
		t.purge(u, authority, now)
		t.audit(now, by, "Hard Delete user", userTarget(u))
	case DeleteUser:
		t.bin(u, authority, now)
		t.audit(now, by, "Delete user", userTarget(u))
	case RefusePurges:
		t.purgeStop[u.id] = now.Add(7 * 24 * time.Hour)
	case EnableUser:
		change("Enable account", func(n *user) { n.enabled = true })
	case DisableUser:
		change("Disable account", func(n *user) { n.enabled = false })
	case ChangePassword:
		change("Change user password", func(n *user) { t.setPassword(n, a.Value, false, now) })
	case RenameUser:
		change("Update user", func(n *user) { n.upn = a.Value })
	case SetProperty:
		change("Update user", func(n *user) { n.props[a.Role] = a.Value })
	case DeletePass:
		for _, p := range t.passesOf(u.id, authority, now) {
			t.passes.put(p.id, nil, t.spread(authority, now))
		}
		t.audit(now, by, "Admin deleted security info", userTarget(u))
	case GiveRole, TakeRole:
		return actOnRole(t, u, a, by, now)
	default:
		return fmt.Errorf("entra: nobody knows how to do %q", a.Do)
	}
	return nil
}

func actOnRole(t *Tenant, u *user, a Act, by *initiator, now time.Time) error {
	if _, known := t.definition(a.Role); !known {
		return fmt.Errorf("entra: no role %q", a.Role)
	}
	had := t.same(u.id, a.Role, "/")
	switch {
	case a.Do == GiveRole && had != nil, a.Do == TakeRole && had == nil:
		return fmt.Errorf("entra: %s: it is so already", a.Do)
	case a.Do == GiveRole:
		t.activate(a.Role)
		made := t.assign(assignment{principal: u.id, role: a.Role, scope: "/"}, authority, now, false)
		t.audit(now, by, "Add member to role", t.roleTargets(made, now)...)
	default:
		t.putAssignment(had.id, nil, authority, now)
		delete(t.timed, had.id)
		t.audit(now, by, "Remove member from role", t.roleTargets(had, now)...)
	}
	return nil
}

// Settle lets every replica know everything at once; roles take effect, too.
func (t *Tenant) Settle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for id := range t.users.rows {
		t.users.settle(id, now)
	}
	for id := range t.assignments.rows {
		t.assignments.settle(id, now)
	}
	for id := range t.passes.rows {
		t.passes.settle(id, now)
	}
	for id := range t.requests.rows {
		t.requests.settle(id, now)
	}
	for id := range t.units.rows {
		t.units.settle(id, now)
	}
}
