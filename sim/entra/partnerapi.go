package entra

import (
	"net/http"
	"slices"
)

var relationShape = &shape{name: "delegatedAdminRelationship", context: "tenantRelationships/delegatedAdminRelationships"}

func listRelations(k *call) (int, any, error) {
	return k.list(relationShape, func(int) []object { return relationObjects(k) })
}

func createRelation(k *call) (int, any, error) {
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	r := Relationship{Status: "created"}
	if r.Name, _ = body.text("displayName"); r.Name == "" {
		return 0, nil, badRequest("A value is required for property 'displayName' of resource 'delegatedAdminRelationship'.")
	}
	if customer, ok := body["customer"].(map[string]any); ok {
		r.Customer, _ = object(customer).text("tenantId")
	}
	k.t.relations = append(k.t.relations, r)
	k.t.writes++
	o := relationObject(k, r, len(k.t.relations)-1)
	o["displayName"], o["customer"] = r.Name, nil
	return k.entity(http.StatusCreated, relationShape.context, relationShape, o)
}

// relation is the one that the path names.
func relationOf(k *call) (object, error) {
	for _, o := range relationObjects(k) {
		if o["id"] == k.path("relation") {
			return o, nil
		}
	}
	return nil, fail(http.StatusNotFound, "notFound", "The relationship was not found.")
}

func getRelation(k *call) (int, any, error) {
	o, err := relationOf(k)
	if err != nil {
		return 0, nil, err
	}
	return k.entity(http.StatusOK, relationShape.context, relationShape, o)
}

func listRelationAccess(k *call) (int, any, error) {
	o, err := relationOf(k)
	if err != nil {
		return 0, nil, err
	}
	return k.list(&shape{name: "delegatedAdminAccessAssignment", context: relationShape.context + "('" + k.path("relation") + "')/accessAssignments"}, func(int) []object {
		return []object{{
			"id": pseudoGUID(k.t.ID, 950), "status": "active", "accessDetails": o["accessDetails"], "createdDateTime": stamp(k.t.created), "lastModifiedDateTime": stamp(k.t.created),
			"accessContainer": object{"accessContainerId": pseudoGUID(k.t.ID, 951), "accessContainerType": "securityGroup"},
		}}
	})
}

// customers are the tenants that the partner has active relationships with, each once.
func activeCustomers(k *call) []Relationship {
	var out []Relationship
	for _, r := range k.t.relations {
		known := slices.ContainsFunc(out, func(o Relationship) bool { return o.Customer == r.Customer })
		if r.Customer != "" && (r.Status == "" || r.Status == "active") && !known {
			out = append(out, r)
		}
	}
	return out
}

func listCustomers(k *call) (int, any, error) {
	return k.list(&shape{name: "delegatedAdminCustomer", context: "tenantRelationships/delegatedAdminCustomers"}, func(int) []object {
		var out []object
		for _, r := range activeCustomers(k) {
			out = append(out, object{"id": r.Customer, "tenantId": r.Customer, "displayName": r.Name})
		}
		return out
	})
}

func listContracts(k *call) (int, any, error) {
	return k.list(&shape{name: "contract", context: "contracts"}, func(int) []object {
		var out []object
		for n, r := range activeCustomers(k) {
			out = append(out, object{
				"id": pseudoGUID(k.t.ID, 960+n), "deletedDateTime": nil, "contractType": "ResellerPartnerContract", "customerId": r.Customer,
				"defaultDomainName": r.Domain, "displayName": r.Name,
			})
		}
		return out
	})
}
