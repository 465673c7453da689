package entra

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"jitney/target"
)

// relationship is a partner's standing with one customer (GDAP).
// https://learn.microsoft.com/graph/api/resources/delegatedadminrelationship
type relationship struct {
	Status   string    `json:"status"`
	End      time.Time `json:"endDateTime"`
	Customer struct {
		Tenant string `json:"tenantId"`
		Name   string `json:"displayName"`
	} `json:"customer"`
}

// resale is a reseller's older standing with one customer.
// https://learn.microsoft.com/graph/api/resources/contract
type resale struct {
	Customer string `json:"customerId"`
	Domain   string `json:"defaultDomainName"`
	Name     string `json:"displayName"`
}

// Companies lists the customers that this Entra tenant knows as a partner:
// from GDAP relationships that are active, and from contracts. One of the two
// may be refused.
func (s *system) Companies(ctx context.Context) ([]target.Company, error) {
	byID := map[string]target.Company{}
	relations, _, err := list[relationship](ctx, s.client, call{path: "/tenantRelationships/delegatedAdminRelationships",
		query: url.Values{"$filter": {"status eq 'active'"}}, needs: []string{"DelegatedAdminRelationship.Read.All", "DelegatedAdminRelationship.ReadWrite.All"}})
	for _, r := range relations {
		id := strings.ToLower(r.Customer.Tenant)
		if !validGUID(id) || !strings.EqualFold(r.Status, "active") {
			continue
		}
		source := "GDAP relationship"
		if !r.End.IsZero() {
			source += " until " + r.End.UTC().Format(time.DateOnly)
		}
		byID[id] = target.Company{ID: id, Name: clip(r.Customer.Name, 200), Source: source}
	}
	contracts, _, cerr := list[resale](ctx, s.client, call{path: "/contracts", needs: []string{"Directory.Read.All", "Directory.ReadWrite.All"}})
	if err != nil && cerr != nil {
		return nil, explain(err, "list the partner's customers")
	}
	for _, c := range contracts {
		id := strings.ToLower(c.Customer)
		if !validGUID(id) {
			continue
		}
		known, ok := byID[id]
		if !ok {
			known = target.Company{ID: id, Name: clip(c.Name, 200), Source: "Partner contract"}
		}
		if domain := strings.ToLower(c.Domain); validDomain(domain) {
			known.Domain = domain
		}
		byID[id] = known
	}
	return slices.SortedFunc(maps.Values(byID), func(a, b target.Company) int {
		return strings.Compare(fmt.Sprint(strings.ToLower(a.Name), a.ID), fmt.Sprint(strings.ToLower(b.Name), b.ID))
	}), nil
}

// forCompany changes settings to those of the same app in another Entra
// tenant. The domain for accounts is the initial one there.
func forCompany(s target.Settings, c target.Company) target.Settings {
	out := target.Settings{Values: maps.Clone(s.Values), Secrets: maps.Clone(s.Secrets)}
	if out.Values == nil {
		out.Values = map[string]string{}
	}
	out.Values[fieldTenant], out.Values[fieldDomain] = c.ID, ""
	return out
}
