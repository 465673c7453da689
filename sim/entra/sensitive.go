package entra

import "slices"

// harmless are the roles whose holders anyone with the permission may change.
func harmless(role string) bool {
	return slices.Contains([]string{DirectoryReaders, "95e79109-95c0-4d8e-aee3-d01accf2d47b", "4a5d8f65-41da-4de4-8968-e035b65339cf", "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b"}, role)
}

// modest are the roles of administrators whom a User Administrator may change: Groups, Helpdesk, Password and User Administrator.
func modest(role string) bool {
	return harmless(role) || slices.Contains([]string{"fdd7a751-b60b-444a-984c-02652fe8fa1c", "729827e3-9c14-49f7-bb1b-9608f156bbb8", "966707d0-3269-4727-9be2-8c3a10f19b9d", UserAdministrator}, role)
}

// mayTouch reports whether the calling app may carry out a sensitive action on a user: what the app holds against what
// the user holds. The user's roles are those that this replica shows and those still in effect, so that a role which was
// just removed may protect its holder for a while.
func (k *call) mayTouch(u *user) bool {
	held := k.t.held(u.id, k.replica, k.now)
	if k.cloud.opt.Switches.RoleRemovalAtOnce {
		held = k.t.held(u.id, authority, k.now)
	} else {
		held = append(held, k.t.held(u.id, k.t.effect(), k.now)...)
	}
	return k.outranks(held)
}

// mayRestore reports whether the calling app may bring a user back, whose roles come back with it.
func (k *call) mayRestore(u *user) bool { return k.outranks(k.t.bound(u.id, authority, k.now)) }

// outranks reports whether the calling app may carry out sensitive actions on who holds these roles.
func (k *call) outranks(held []*assignment) bool {
	mine := k.t.powers(k.p.id, k.now)
	if slices.Contains(mine, GlobalAdministrator) || slices.Contains(mine, PrivilegedAuthenticationAdministrator) {
		return true
	}
	allowed := harmless
	if slices.Contains(mine, UserAdministrator) {
		allowed = modest
	}
	return !slices.ContainsFunc(held, func(a *assignment) bool { return !allowed(a.role) })
}

// mayReset reports whether the calling app may set a user's password: it needs a role for that whoever the user is.
func (k *call) mayReset(u *user) bool {
	mine := k.t.powers(k.p.id, k.now)
	return k.may("User-PasswordProfile.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All") && k.mayTouch(u) &&
		(slices.Contains(mine, GlobalAdministrator) || slices.Contains(mine, PrivilegedAuthenticationAdministrator) || slices.Contains(mine, UserAdministrator))
}
