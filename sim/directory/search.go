package directory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

const (
	maxPage   = 1000 // MaxPageSize
	maxValues = 1500 // MaxValRange
)

// A query is a decoded search request.
type query struct {
	base   string
	scope  int
	limit  int
	filter *ber.Packet
	attrs  []string

	paged       bool
	pageSize    int
	cookie      string
	sdFlags     bool
	linkTTL     bool
	domainScope bool
}

// A row is one found entry as it goes to the client.
type row struct {
	dn    string
	attrs []attribute
}

// An answer is what a search gives.
type answer struct {
	rows     []row
	referral string
	more     []guid // not yet sent, of a paged search
	limited  bool
}

// A reader shows a tree to a session.
type reader struct{ *tree }

// search runs a query for a session.
func (t reader) search(s *session, q query) (answer, error) {
	base, err := t.find(q.base)
	if err != nil {
		return answer{}, err
	}
	if q.scope != 0 && slices.ContainsFunc(q.attrs, func(a string) bool { return strings.EqualFold(a, "tokenGroups") }) {
		return answer{}, refuse(operationsError, "00002120: SvcErr: DSID-0314096C, problem 5012 (DIR_ERROR), data 0\n")
	}
	var found []*entry
	switch q.scope {
	case 0:
		found = []*entry{base}
	case 1:
		found = t.children(base.id)
	default:
		inConfig := t.below(base, t.d.configID)
		for _, e := range t.entries {
			if !e.deleted && t.below(e, base.id) && (inConfig || !t.below(e, t.d.configID)) {
				found = append(found, e)
			}
		}
	}
	var ids []guid
	for _, e := range found {
		ok, err := (matcher{t.tree}).matchesFilter(q.filter, e)
		if err != nil {
			return answer{}, err
		}
		if ok {
			ids = append(ids, e.id)
		}
	}
	slices.SortFunc(ids, func(a, b guid) int {
		return int(t.entries[a].stamps["objectguid"]) - int(t.entries[b].stamps["objectguid"])
	})
	out := t.page(s, q, ids)
	if q.scope == 2 && base.id == t.d.rootID && !q.domainScope {
		out.referral = fmt.Sprintf("ldap://%s/CN=Configuration,%s", t.d.opt.Domain, t.d.base)
	}
	return out, nil
}

// page renders as many entries as one answer may hold.
func (t reader) page(s *session, q query, ids []guid) (out answer) {
	size := maxPage
	if q.paged && q.pageSize > 0 {
		size = min(size, q.pageSize)
	}
	if q.limit > 0 {
		size = min(size, q.limit)
	}
	for i, id := range ids {
		if i == size {
			if q.paged {
				out.more = ids[i:]
			} else {
				out.limited = true
			}
			break
		}
		if e := t.live(id); e != nil {
			out.rows = append(out.rows, t.render(s, q, e))
		}
	}
	return out
}

// onlyAsked are attributes that no search for everything returns.
var onlyAsked = []string{"ntsecuritydescriptor", "tokengroups", "allowedattributeseffective", "allowedchildclasseseffective", "msds-user-account-control-computed"}

// hidden are attributes that nobody reads.
var hidden = []string{"unicodepwd"}

func (t reader) render(s *session, q query, e *entry) row {
	out := row{dn: t.dn(e)}
	asked := q.attrs
	if len(asked) == 0 || slices.Contains(asked, "*") {
		for name, a := range e.attrs {
			if !slices.Contains(onlyAsked, name) {
				asked = append(asked, a.name)
			}
		}
		asked = append(slices.Clone(asked), "distinguishedName", "name", "member", "memberOf")
	}
	seen := map[string]bool{}
	for _, name := range asked {
		if key := fold(name); !seen[key] {
			seen[key] = true
			if a, ok := t.attr(s, q, e, name); ok {
				out.attrs = append(out.attrs, a)
			}
		}
	}
	return out
}

// attr reads one asked attribute, with its range if it has one.
func (t reader) attr(s *session, q query, e *entry, asked string) (attribute, bool) {
	name, option, _ := strings.Cut(asked, ";")
	switch fold(name) {
	case "ntsecuritydescriptor":
		// Without the control the auditing part is meant as well, which only an administrator may read.
		if !q.sdFlags && !slices.Contains(s.token, "S-1-5-32-544") {
			return attribute{}, false
		}
		return attribute{name: "nTSecurityDescriptor", values: []string{(guard{t.tree}).descriptor(e)}}, true
	case "allowedattributeseffective":
		var names []string
		for _, a := range attributeTypes {
			if !a.fixed && (!strings.EqualFold(a.name, "member") || e.is("group")) && (guard{t.tree}).mayWriteAttr(s, e, a) {
				names = append(names, a.name)
			}
		}
		return attribute{name: "allowedAttributesEffective", values: names}, len(names) > 0
	case "allowedchildclasseseffective":
		var names []string
		for class := range childTypes {
			if (e.is("organizationalUnit") || e.is("container") || e.is("domainDNS")) && (guard{t.tree}).mayCreateIn(s, e, class) {
				names = append(names, class)
			}
		}
		slices.Sort(names)
		return attribute{name: "allowedChildClassesEffective", values: names}, len(names) > 0
	}
	values := t.values(e, name, &q)
	if len(values) == 0 {
		return attribute{}, false
	}
	a := attribute{name: typeOf(name).name, values: values}
	if typeOf(name).kind == dnValue {
		a = ranged(a, option)
	}
	return a, true
}

// ranged cuts the values of a linked attribute as a real domain does: 1,500 at a time, name;range=0-1499.
func ranged(a attribute, option string) attribute {
	from, to := 0, maxValues-1
	spec, asked := strings.CutPrefix(fold(option), "range=")
	if asked {
		low, high, _ := strings.Cut(spec, "-")
		from, _ = strconv.Atoi(low)
		if n, err := strconv.Atoi(high); err == nil {
			to = min(n, from+maxValues-1)
		} else {
			to = from + maxValues - 1
		}
	}
	if !asked && len(a.values) <= maxValues {
		return a
	}
	from = min(max(from, 0), len(a.values))
	end := "*"
	if to < len(a.values)-1 {
		end = strconv.Itoa(to)
	} else {
		to = len(a.values) - 1
	}
	return attribute{name: fmt.Sprintf("%s;range=%d-%s", a.name, from, end), values: a.values[from:max(from, to+1)]}
}

// values are those of an attribute, stored or computed. q may be nil.
func (t reader) values(e *entry, name string, q *query) []string {
	key := fold(name)
	switch {
	case slices.Contains(hidden, key):
		return nil
	case key == "distinguishedname":
		return []string{t.dn(e)}
	case key == "name":
		return []string{e.rdn}
	case key == "member":
		return t.members(e, q != nil && q.linkTTL)
	case key == "memberof":
		var out []string
		for _, g := range t.groupsOf(e) {
			out = append(out, t.dn(g))
		}
		return out
	case key == "tokengroups":
		if e.get("objectSid") == "" {
			return nil
		}
		var out []string
		for _, g := range t.allGroups(e) {
			out = append(out, g.get("objectSid"))
		}
		return out
	case key == "msds-user-account-control-computed":
		if e.get("userAccountControl") == "" {
			return nil
		}
		return []string{(door{t.tree}).computedUAC(e)}
	}
	if a := e.attrs[key]; a != nil {
		return a.values
	}
	return nil
}

// members writes the links of a group, with what is left of their time if that is asked for.
func (t reader) members(e *entry, ttl bool) (out []string) {
	for id, l := range e.links {
		if !t.holds(e, id) {
			continue
		}
		dn := t.dn(t.entries[id])
		if ttl && !l.until.IsZero() {
			dn = fmt.Sprintf("<TTL=%d,%s>", int64(l.until.Sub(t.d.opt.Now())/time.Second), dn)
		}
		out = append(out, dn)
	}
	slices.Sort(out)
	return out
}

// rootDSE describes the controller itself.
func (c *Controller) rootDSE(s *session) row {
	d := c.d
	config := "CN=Configuration," + d.base
	one := func(name string, values ...string) attribute { return attribute{name: name, values: values} }
	controls := []string{oidPaged, oidSDFlags, oidTreeDelete, oidDomainScope, oidPermissive}
	if d.opt.PAM {
		controls = append(controls, oidLinkTTL)
	}
	out := row{attrs: []attribute{
		one("currentTime", generalTime(d.opt.Now())), one("defaultNamingContext", d.base), one("rootDomainNamingContext", d.base),
		one("configurationNamingContext", config), one("schemaNamingContext", "CN=Schema,"+config), one("namingContexts", d.base, config),
		one("dnsHostName", c.Host()), one("ldapServiceName", d.opt.Domain+":"+fmt.Sprintf("dc%d$@%s", c.n+1, strings.ToUpper(d.opt.Domain))),
		one("serverName", fmt.Sprintf("CN=DC%d,CN=Servers,CN=Default-First-Site-Name,CN=Sites,%s", c.n+1, config)),
		one("supportedControl", controls...), one("supportedLDAPVersion", "3", "2"), one("supportedExtension", oidStartTLS, oidWhoAmI),
		one("supportedSASLMechanisms", "EXTERNAL"), one("supportedLDAPPolicies", "MaxPageSize", "MaxValRange"),
		one("domainFunctionality", "7"), one("forestFunctionality", "7"), one("domainControllerFunctionality", "7"),
		one("isSynchronized", "TRUE"), one("isGlobalCatalogReady", "TRUE"), one("highestCommittedUSN", strconv.FormatUint(d.seq, 10)),
	}}
	if s.bound {
		var sids []string
		for _, sid := range s.token {
			sids = append(sids, binarySID(sid))
		}
		out.attrs = append(out.attrs, one("tokenGroups", sids...))
	}
	return out
}

// pick leaves of a row what was asked for.
func (r row) pick(asked []string) row {
	all := len(asked) == 0 || slices.Contains(asked, "*")
	out := row{dn: r.dn}
	for _, a := range r.attrs {
		named := slices.ContainsFunc(asked, func(n string) bool { return strings.EqualFold(n, a.name) })
		if named || all && a.name != "tokenGroups" {
			out.attrs = append(out.attrs, a)
		}
	}
	return out
}
