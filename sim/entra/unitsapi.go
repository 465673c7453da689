package entra

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A unit is one state of an administrative unit.
type unit struct {
	id, name, about string
	restricted      bool
	members         []string
}

var unitShape = &shape{name: "administrativeUnit", context: "directory/administrativeUnits"}

func (u *unit) object() object {
	return object{
		"id": u.id, "deletedDateTime": nil, "displayName": u.name, "description": nullable(u.about), "isMemberManagementRestricted": u.restricted, "visibility": nil,
		"membershipType": nil, "membershipRule": nil, "membershipRuleProcessingState": nil,
	}
}

func listUnits(k *call) (int, any, error) {
	return k.list(unitShape, func(replica int) []object {
		var out []object
		for _, u := range k.t.units.all(replica, k.now) {
			out = append(out, u.object())
		}
		return out
	})
}

func createUnit(k *call) (int, any, error) {
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	u := &unit{id: guid(k.t.dice)}
	u.name, _ = body.text("displayName")
	u.about, _ = body.text("description")
	u.restricted, _ = body["isMemberManagementRestricted"].(bool)
	if u.name == "" {
		return 0, nil, badRequest("A value is required for property 'displayName' of resource 'AdministrativeUnit'.")
	}
	putUnit(k, u)
	return k.entity(http.StatusCreated, unitShape.context, unitShape, u.object())
}

func putUnit(k *call, u *unit) {
	k.t.units.put(u.id, u, k.t.spread(k.replica, k.now))
	k.t.writes++
}

func (k *call) unit() (*unit, error) {
	if u := k.t.units.at(strings.ToLower(k.path("unit")), k.replica, k.now); u != nil {
		return u, nil
	}
	return nil, notFound(k.path("unit"))
}

func getUnit(k *call) (int, any, error) {
	u, err := k.unit()
	if err != nil {
		return 0, nil, err
	}
	return k.entity(http.StatusOK, unitShape.context, unitShape, u.object())
}

func listUnitMembers(k *call) (int, any, error) {
	u, err := k.unit()
	if err != nil {
		return 0, nil, err
	}
	return k.list(&shape{name: "directoryObject", context: "directoryObjects"}, func(int) []object {
		var out []object
		for _, id := range u.members {
			if o, ok := whoObject(k, id).(object); ok {
				out = append(out, o)
			}
		}
		return out
	})
}

func addUnitMember(k *call) (int, any, error) {
	id, err := readReference(k)
	if err != nil {
		return 0, nil, err
	}
	u, err := k.unit()
	if err != nil {
		return 0, nil, err
	}
	if !k.exists(id) {
		return 0, nil, notFound(id)
	}
	if slices.Contains(u.members, id) {
		return 0, nil, badRequest("One or more added object references already exist for the following modified properties: 'members'.")
	}
	n := *u
	n.members = append(slices.Clone(u.members), id)
	putUnit(k, &n)
	return http.StatusNoContent, nil, nil
}

func removeUnitMember(k *call) (int, any, error) {
	u, err := k.unit()
	if err != nil {
		return 0, nil, err
	}
	id := strings.ToLower(k.path("member"))
	if !slices.Contains(u.members, id) {
		return 0, nil, notFound(id)
	}
	n := *u
	n.members = slices.DeleteFunc(slices.Clone(u.members), func(m string) bool { return m == id })
	putUnit(k, &n)
	return http.StatusNoContent, nil, nil
}

var subscriptionShape = &shape{name: "subscription", context: "subscriptions"}

// subscriptions are taken and kept; nothing is ever delivered.
func listSubscriptions(k *call) (int, any, error) {
	return k.list(subscriptionShape, func(int) []object {
		var out []object
		for _, o := range k.t.hooks {
			if o["applicationId"] == k.p.app.ID {
				out = append(out, o)
			}
		}
		order(out, "id")
		return out
	})
}

func createSubscription(k *call) (int, any, error) {
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	o := object{"id": guid(k.t.dice), "applicationId": k.p.app.ID, "creatorId": k.p.id, "latestSupportedTlsVersion": "v1_2", "includeResourceData": nil, "clientState": nil}
	for _, name := range []string{"changeType", "notificationUrl", "resource", "expirationDateTime"} {
		text, _ := body.text(name)
		if text == "" {
			return 0, nil, fail(http.StatusBadRequest, "ExtensionError", "The property '"+name+"' is required.")
		}
		o[name] = text
	}
	if link := o["notificationUrl"].(string); !strings.HasPrefix(link, "https://") {
		return 0, nil, fail(http.StatusBadRequest, "ValidationError", "The notification URL must begin with https.")
	}
	k.t.hooks[o["id"].(string)] = o
	k.t.writes++
	return k.entity(http.StatusCreated, subscriptionShape.context, subscriptionShape, o)
}

func subscriptionOf(k *call) (object, error) {
	if o := k.t.hooks[strings.ToLower(k.path("subscription"))]; o != nil && o["applicationId"] == k.p.app.ID {
		return o, nil
	}
	return nil, fail(http.StatusNotFound, "ResourceNotFound", "The object was not found.")
}

func getSubscription(k *call) (int, any, error) {
	o, err := subscriptionOf(k)
	if err != nil {
		return 0, nil, err
	}
	return k.entity(http.StatusOK, subscriptionShape.context, subscriptionShape, o)
}

func patchSubscription(k *call) (int, any, error) {
	o, err := subscriptionOf(k)
	if err != nil {
		return 0, nil, err
	}
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	n := pick(o, nil)
	if text, _ := body.text("expirationDateTime"); text != "" {
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return 0, nil, fail(http.StatusBadRequest, "ValidationError", "The expiration is not a time.")
		}
		n["expirationDateTime"] = text
	}
	k.t.hooks[n["id"].(string)] = n
	k.t.writes++
	return k.entity(http.StatusOK, subscriptionShape.context, subscriptionShape, n)
}

func deleteSubscription(k *call) (int, any, error) {
	o, err := subscriptionOf(k)
	if err != nil {
		return 0, nil, err
	}
	delete(k.t.hooks, o["id"].(string))
	k.t.writes++
	return http.StatusNoContent, nil, nil
}
