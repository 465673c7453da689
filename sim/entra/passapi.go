package entra

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"jitney/secret"
)

const passType = "#microsoft.graph.temporaryAccessPassAuthenticationMethod"

var passShape = &shape{name: "temporaryAccessPassAuthenticationMethod", context: "authentication/temporaryAccessPassMethods"}

// passObject is a pass as reads show it: never with its value.
func passObject(k *call, p *pass) object {
	ok, why := usable(k.t, p, k.now)
	return object{
		"id": p.id, "temporaryAccessPass": nil, "createdDateTime": stamp(p.created), "startDateTime": stamp(p.start),
		"lifetimeInMinutes": p.minutes, "isUsableOnce": p.once, "isUsable": ok, "methodUsabilityReason": why,
	}
}

func passwordObject(u *user) object {
	return object{"id": "28c10230-6103-485e-b985-444c60001490", "password": nil, "createdDateTime": stamp(u.changed)}
}

func listMethods(k *call) (int, any, error) {
	return methodsOf(k, "methods", func(u *user, replica int) []object {
		password := passwordObject(u)
		password["@odata.type"] = "#microsoft.graph.passwordAuthenticationMethod"
		out := []object{password}
		for _, p := range k.t.passesOf(u.id, replica, k.now) {
			o := passObject(k, p)
			o["@odata.type"] = passType
			out = append(out, o)
		}
		return out
	})
}

func listPasswords(k *call) (int, any, error) {
	return methodsOf(k, "passwordMethods", func(u *user, _ int) []object { return []object{passwordObject(u)} })
}

func listPasses(k *call) (int, any, error) {
	return methodsOf(k, "temporaryAccessPassMethods", func(u *user, replica int) []object {
		var out []object
		for _, p := range k.t.passesOf(u.id, replica, k.now) {
			out = append(out, passObject(k, p))
		}
		return out
	})
}

func methodsOf(k *call, kind string, rows func(*user, int) []object) (int, any, error) {
	u, err := k.user()
	if err != nil {
		return 0, nil, err
	}
	context := "users('" + u.id + "')/authentication/" + kind
	return k.list(&shape{name: "authenticationMethod", context: context}, func(replica int) []object { return rows(u, replica) })
}

// createPass makes a Temporary Access Pass as the tenant's policy lets it. It replaces the one that was there.
func createPass(k *call) (int, any, error) {
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	shown, err := k.user()
	if err != nil {
		return 0, nil, err
	}
	u := k.t.users.at(shown.id, authority, k.now)
	switch {
	case u == nil || !u.deleted.IsZero():
		return 0, nil, notFound(k.path("user"))
	case k.cloud.opt.Switches.TAPOnAdminNeedsRole && !k.mayTouch(u):
		return 0, nil, denied()
	case k.t.tapPolicy.Off && k.cloud.opt.Switches.TAPOffOtherText:
		return 0, nil, badRequest("Temporary Access Pass is not enabled for this tenant.")
	case k.t.tapPolicy.Off:
		return 0, nil, fail(http.StatusBadRequest, "badRequest", "Converged UserCredentialPolicy does not allow creating or updating Temporary Access Pass.")
	case strings.EqualFold(u.text("userType"), "Guest"):
		return 0, nil, fail(http.StatusBadRequest, "badRequest", "Temporary Access Pass cannot be created for guest users.")
	}
	p, err := newPass(k, u, body)
	if err != nil {
		return 0, nil, err
	}
	for _, old := range k.t.passesOf(u.id, authority, k.now) {
		k.t.passes.put(old.id, nil, k.t.spread(k.replica, k.now))
	}
	k.t.passes.put(p.id, p, k.t.spread(k.replica, k.now))
	k.t.passes.tidy(k.now)
	k.t.writes++
	k.t.secrets = append(k.t.secrets, p.value.Reveal())
	k.t.audit(k.now, k.by(), "Admin registered security info", userTarget(u))
	o := passObject(k, p)
	o["temporaryAccessPass"] = p.value.Reveal()
	return k.entity(http.StatusCreated, "users('"+u.id+"')/authentication/temporaryAccessPassMethods", passShape, o)
}

// newPass checks what is asked for against the policy.
func newPass(k *call, u *user, body object) (*pass, error) {
	policy := k.t.tapPolicy
	p := &pass{id: guid(k.t.dice), user: u.id, created: k.now, start: k.now, minutes: policy.Default, once: policy.Once}
	if v, there := body["lifetimeInMinutes"]; there && v != nil {
		n, ok := v.(float64)
		if p.minutes = int(n); !ok {
			return nil, invalid("lifetimeInMinutes", "temporaryAccessPassAuthenticationMethod")
		}
	}
	if p.minutes < policy.Min || p.minutes > policy.Max {
		return nil, fail(http.StatusBadRequest, "badRequest", "LifetimeInMinutes must be between the minimum and the maximum lifetime of the Temporary Access Pass policy.")
	}
	if once, asked := body["isUsableOnce"].(bool); asked {
		p.once = once || policy.Once
	}
	if v, there := body["startDateTime"]; there && v != nil {
		text, _ := v.(string)
		start, err := time.Parse(time.RFC3339, text)
		if err != nil || start.Before(k.now.Add(-5*time.Minute)) {
			return nil, fail(http.StatusBadRequest, "badRequest", "StartDateTime must not lie in the past.")
		}
		p.start = start.UTC()
	}
	p.value = secret.New(rand.Text()[:max(8, min(policy.Length, 26))])
	return p, nil
}

// pass is the one that the path names, as this replica shows it.
func (k *call) pass() (*user, *pass, error) {
	u, err := k.user()
	if err != nil {
		return nil, nil, err
	}
	p := k.t.passes.at(strings.ToLower(k.path("pass")), k.replica, k.now)
	if p == nil || p.user != u.id {
		return nil, nil, fail(http.StatusNotFound, "resourceNotFound", "Resource not found.")
	}
	return u, p, nil
}

func getPass(k *call) (int, any, error) {
	u, p, err := k.pass()
	if err != nil {
		return 0, nil, err
	}
	return k.entity(http.StatusOK, "users('"+u.id+"')/authentication/temporaryAccessPassMethods", passShape, passObject(k, p))
}

func deletePass(k *call) (int, any, error) {
	u, p, err := k.pass()
	if err != nil {
		return 0, nil, err
	}
	if k.t.passes.at(p.id, authority, k.now) == nil {
		return 0, nil, fail(http.StatusNotFound, "resourceNotFound", "Resource not found.")
	}
	k.t.passes.put(p.id, nil, k.t.spread(k.replica, k.now))
	k.t.writes++
	k.t.audit(k.now, k.by(), "Admin deleted security info", userTarget(u))
	return http.StatusNoContent, nil, nil
}
