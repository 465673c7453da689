package aws

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A provider is an OIDC issuer that an account trusts.
type provider struct {
	account    *Account
	url        string // as it was given
	name       string // without https://
	clients    []string
	thumbs     []string
	tags       map[string]string
	registered time.Time
}

func (p *provider) arn() string { return p.account.arn(serviceIAM, "oidc-provider/"+p.name) }

// AddProvider makes the account trust an OIDC issuer with the given client ids at once, and returns the provider's ARN,
// for trust policies. It panics if AWS would not take the issuer's address.
func (a *Account) AddProvider(issuer string, clients ...string) string {
	a.cloud.mu.Lock()
	defer a.cloud.mu.Unlock()
	name, ok := a.cloud.issuerName(issuer)
	if !ok {
		panic("aws: an issuer cannot be at " + issuer)
	}
	p := &provider{account: a, url: issuer, name: name, clients: clients, registered: a.cloud.Now()}
	a.providers[name] = p
	return p.arn()
}

// issuerName is an issuer's address as ARNs and condition keys have it; false if it is none for AWS.
func (c *Cloud) issuerName(issuer string) (string, bool) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", false
	}
	if !c.opt.AnyIssuer && (u.Scheme != "https" || u.Port() != "") {
		return "", false
	}
	return strings.TrimPrefix(strings.TrimPrefix(issuer, "http://"), "https://"), u.Scheme == "https" || u.Scheme == "http"
}

// iamProviderOperations are IAM's operations on OIDC issuers.
func iamProviderOperations() []*operation {
	arn := field{name: "OpenIDConnectProviderArn", required: true, min: 20, max: 2048}
	thumbs := field{name: "ThumbprintList.member.N", min: 40, max: 40, list: 5}
	client := field{name: "ClientID", required: true, min: 1, max: 255}
	on := func(name string, do func(*exchange) ([]node, *failure), fields ...field) *operation {
		return &operation{
			service: serviceIAM, name: name, do: do, fields: append([]field{arn}, fields...),
			resource: func(x *exchange) string { return x.str("OpenIDConnectProviderArn") },
		}
	}
	return []*operation{
		{service: serviceIAM, name: "CreateOpenIDConnectProvider", do: createProvider, fields: append(tagFields(), thumbs,
			field{name: "Url", required: true, min: 1, max: 255}, field{name: "ClientIDList.member.N", min: 1, max: 255, list: 100})},
		{service: serviceIAM, name: "ListOpenIDConnectProviders", do: listProviders},
		on("GetOpenIDConnectProvider", getProvider),
		on("DeleteOpenIDConnectProvider", deleteProvider),
		on("AddClientIDToOpenIDConnectProvider", addClientID, client),
		on("RemoveClientIDFromOpenIDConnectProvider", removeClientID, client),
		on("UpdateOpenIDConnectProviderThumbprint", updateThumbprint, required(thumbs)...),
	}
}

func createProvider(x *exchange) ([]node, *failure) {
	a, issuer := x.who.account, x.str("Url")
	name, ok := x.cloud.issuerName(issuer)
	switch {
	case !ok:
		return nil, validation("Invalid Open ID Connect Provider URL")
	case a.providers[name] != nil:
		return nil, &failure{Status: 409, Code: "EntityAlreadyExists", Message: "Provider with url " + issuer + " already exists."}
	case len(a.providers) >= 100:
		return nil, &failure{Status: 409, Code: "LimitExceeded", Message: "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100"}
	}
	tags, f := formTags(x)
	if f != nil {
		return nil, f
	}
	p := &provider{account: a, url: issuer, name: name, clients: x.all("ClientIDList", ""), thumbs: x.all("ThumbprintList", ""), tags: tags, registered: x.now}
	a.providers[name] = p
	x.effect = true
	return []node{leaf("OpenIDConnectProviderArn", p.arn())}, nil
}

func listProviders(x *exchange) ([]node, *failure) {
	var list []node
	for _, name := range slices.Sorted(maps.Keys(x.who.account.providers)) {
		list = append(list, group("member", leaf("Arn", x.who.account.providers[name].arn())))
	}
	return []node{members("OpenIDConnectProviderList", list)}, nil
}

// theProvider finds the provider that a request names.
func theProvider(x *exchange) (*provider, *failure) {
	arn := x.str("OpenIDConnectProviderArn")
	for _, p := range x.who.account.providers {
		if p.arn() == arn {
			return p, nil
		}
	}
	return nil, noSuchEntity("OpenIDConnect Provider not found for arn %s", arn)
}

func getProvider(x *exchange) ([]node, *failure) {
	p, f := theProvider(x)
	if f != nil {
		return nil, f
	}
	texts := func(name string, list []string) node {
		var kids []node
		for _, t := range list {
			kids = append(kids, leaf("member", t))
		}
		return members(name, kids)
	}
	out := []node{leaf("Url", p.name), texts("ClientIDList", p.clients), texts("ThumbprintList", p.thumbs), instant("CreateDate", p.registered)}
	return append(out, tagNodes(p.tags)), nil
}

func deleteProvider(x *exchange) ([]node, *failure) {
	p, f := theProvider(x)
	if f != nil {
		return nil, f
	}
	delete(x.who.account.providers, p.name)
	x.effect = true
	return nil, nil
}

func addClientID(x *exchange) ([]node, *failure) {
	p, f := theProvider(x)
	if f != nil {
		return nil, f
	}
	if id := x.str("ClientID"); !slices.Contains(p.clients, id) {
		p.clients = append(slices.Clone(p.clients), id)
		x.effect = true
	}
	return nil, nil
}

func removeClientID(x *exchange) ([]node, *failure) {
	p, f := theProvider(x)
	if f != nil {
		return nil, f
	}
	id := x.str("ClientID")
	p.clients = slices.DeleteFunc(slices.Clone(p.clients), func(c string) bool { return c == id })
	x.effect = true
	return nil, nil
}

func updateThumbprint(x *exchange) ([]node, *failure) {
	p, f := theProvider(x)
	if f != nil {
		return nil, f
	}
	p.thumbs = x.all("ThumbprintList", "")
	x.effect = true
	return nil, nil
}
