package entra

import (
	"maps"
	"net/http"
	"strings"
)

// binFull is a user in the bin with all its properties.
func binFull(k *call, u *user) object {
	o := maps.Clone(u.full())
	o["@odata.type"] = "#microsoft.graph.user"
	if !k.cloud.opt.Switches.BinKeepsUPN {
		o["userPrincipalName"] = binned(u.id) + u.upn
	}
	if !k.cloud.opt.Switches.BinKeepsEmployeeID {
		o["employeeId"] = nil
	}
	return o
}

var binShape = &shape{
	name: "user", context: "directory/deletedItems/microsoft.graph.user", defaults: append([]string{"deletedDateTime"}, userShape.defaults...), known: userShape.known,
	directory: true,
}

func listBinUncast(k *call) (int, any, error) {
	return 0, nil, badRequest("The request is missing the type of the deleted items: a cast such as microsoft.graph.user is required.")
}

func listBin(k *call) (int, any, error) {
	return k.list(binShape, func(replica int) []object {
		var out []object
		for _, u := range k.t.users.all(replica, k.now) {
			if !u.deleted.IsZero() {
				o := binFull(k, u)
				delete(o, "@odata.type")
				out = append(out, o)
			}
		}
		return out
	})
}

// binned is the user in the bin that the path names, as this replica shows it.
func binnedUser(k *call) (*user, error) {
	if u := k.t.inBin(k.path("item"), k.replica, k.now); u != nil {
		return u, nil
	}
	return nil, notFound(k.path("item"))
}

func getBin(k *call) (int, any, error) {
	u, err := binnedUser(k)
	if err != nil {
		return 0, nil, err
	}
	return k.entity(http.StatusOK, "directoryObjects", binShape, binFull(k, u))
}

func purgeUser(k *call) (int, any, error) {
	if k.cloud.opt.Switches.PurgeNeedsPerson {
		return 0, nil, denied()
	}
	shown, err := binnedUser(k)
	if err != nil {
		return 0, nil, err
	}
	u := k.t.inBin(shown.id, authority, k.now)
	switch {
	case u == nil:
		return 0, nil, notFound(k.path("item"))
	case !k.mayTouch(u):
		return 0, nil, denied()
	case !purgeable(k.t, u, k.now):
		return 0, nil, badRequest("The object is protected from permanent deletion.")
	}
	k.t.purge(u, k.replica, k.now)
	k.t.audit(k.now, k.by(), "Hard Delete user", userTarget(u))
	return http.StatusNoContent, nil, nil
}

func restoreUser(k *call) (int, any, error) {
	name := ""
	if len(k.body) > 0 {
		body, err := k.decode()
		if err != nil {
			return 0, nil, err
		}
		name, _ = body["newUserPrincipalName"].(string)
	}
	shown, err := binnedUser(k)
	if err != nil {
		return 0, nil, err
	}
	u := k.t.inBin(shown.id, authority, k.now)
	if u == nil {
		return 0, nil, notFound(k.path("item"))
	}
	if !k.mayRestore(u) {
		return 0, nil, denied()
	}
	if name == "" {
		name = u.upn
	} else if err := checkUPN(k, object{"userPrincipalName": name}, u.id); err != nil {
		return 0, nil, err
	}
	if k.t.taken(name, u.id) {
		return 0, nil, taken("userPrincipalName")
	}
	n := k.t.unbin(u, strings.TrimSpace(name), k.replica, k.now)
	k.t.audit(k.now, k.by(), "Restore user", userTarget(n))
	full := maps.Clone(n.full())
	full["@odata.type"] = "#microsoft.graph.user"
	return k.entity(http.StatusOK, "directoryObjects", userShape, full)
}
