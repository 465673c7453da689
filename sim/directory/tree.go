package directory

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// A tree is one controller's copy of the domain. Domain.mu guards it.
type tree struct {
	d       *Domain
	entries map[guid]*entry
	places  map[place]guid // of what is not deleted
}

// A place is where an entry stands: below its parent, under a name that no sibling has.
type place struct {
	parent guid
	name   string // folded
}

// An entry is one object.
type entry struct {
	id      guid
	parent  guid
	rdnType string
	rdn     string // unescaped
	attrs   map[string]*attribute
	links   map[guid]link // members, for groups
	acl     []ace
	guarded bool // its rights are AdminSDHolder's and it inherits none
	pw      password
	deleted bool
	// stamps say at which count of the domain each part changed last: an attribute's folded name, or one of #place,
	// #password, #acl, #deleted. Replication copies a part with a higher stamp.
	stamps map[string]uint64
}

type attribute struct {
	name   string
	values []string
}

// A link is a membership, or the memory of one that was taken away.
type link struct {
	present bool
	until   time.Time // of a membership with a time to live
	stamp   uint64
}

type password struct {
	current, previous string
	changed           time.Time
}

func newTree(d *Domain) *tree {
	return &tree{d: d, entries: map[guid]*entry{}, places: map[place]guid{}}
}

func (t *tree) copy() *tree {
	out := newTree(t.d)
	for id, e := range t.entries {
		out.entries[id] = e.copy()
	}
	out.places = maps.Clone(t.places)
	return out
}

func (e *entry) copy() *entry {
	c := *e
	c.attrs = make(map[string]*attribute, len(e.attrs))
	for k, a := range e.attrs {
		c.attrs[k] = &attribute{name: a.name, values: slices.Clone(a.values)}
	}
	c.links, c.stamps, c.acl = maps.Clone(e.links), maps.Clone(e.stamps), slices.Clone(e.acl)
	return &c
}

func (e *entry) place() place { return place{parent: e.parent, name: fold(e.rdnType + "=" + e.rdn)} }

func fold(s string) string { return strings.ToLower(s) }

func (e *entry) get(name string) string {
	if a := e.attrs[fold(name)]; a != nil && len(a.values) > 0 {
		return a.values[0]
	}
	return ""
}

func (e *entry) number(name string) int64 {
	n, _ := strconv.ParseInt(e.get(name), 10, 64)
	return n
}

func (e *entry) is(class string) bool {
	a := e.attrs["objectclass"]
	return a != nil && slices.ContainsFunc(a.values, func(v string) bool { return strings.EqualFold(v, class) })
}

// set writes an attribute and stamps it; no values remove it.
func (e *entry) set(stamp uint64, name string, values ...string) {
	key := fold(name)
	if len(values) == 0 {
		delete(e.attrs, key)
	} else {
		e.attrs[key] = &attribute{name: typeOf(name).name, values: values}
	}
	e.stamps[key] = stamp
}

func (e *entry) setNumber(stamp uint64, name string, n int64) {
	e.set(stamp, name, strconv.FormatInt(n, 10))
}

// stamp is the next count of the domain.
func (t *tree) stamp() uint64 {
	t.d.seq++
	return t.d.seq
}

// put makes e part of the tree, instead of what has its identity.
func (t *tree) put(e *entry) {
	if old := t.entries[e.id]; old != nil && t.places[old.place()] == e.id {
		delete(t.places, old.place())
	}
	t.entries[e.id] = e
	if !e.deleted {
		t.places[e.place()] = e.id
	}
}

// live finds an entry that is not deleted.
func (t *tree) live(id guid) *entry {
	if e := t.entries[id]; e != nil && !e.deleted {
		return e
	}
	return nil
}

// dn writes the distinguished name of an entry.
func (t *tree) dn(e *entry) string {
	if e.id == t.d.rootID {
		return t.d.base
	}
	own := e.rdnType + "=" + escapeRDN(e.rdn)
	up := t.entries[e.parent]
	if up == nil {
		return own
	}
	return own + "," + t.dn(up)
}

// escapeRDN escapes a value as RFC 4514 and the directory itself do.
func escapeRDN(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\0A`)
			continue
		case strings.ContainsRune(`,+"\<>;=`, r), r == '#' && i == 0, r == ' ' && (i == 0 || i == len(s)-1):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// find resolves a name: a distinguished name, <GUID=…> or <SID=…>.
func (t *tree) find(name string) (*entry, error) {
	missing := func() error {
		return refuse(noSuchObject, "0000208D: NameErr: DSID-03100245, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'%s'\n", t.d.base)
	}
	if inner, ok := strings.CutPrefix(name, "<"); ok {
		kind, value, _ := strings.Cut(strings.TrimSuffix(inner, ">"), "=")
		var e *entry
		switch strings.ToUpper(kind) {
		case "GUID":
			id, err := parseGUID(value)
			if err != nil {
				return nil, badDN(name)
			}
			e = t.live(id)
		case "SID":
			e = t.bySID(value)
		default:
			return nil, badDN(name)
		}
		if e == nil {
			return nil, missing()
		}
		return e, nil
	}
	dn, err := ldap.ParseDN(name)
	if err != nil || len(dn.RDNs) == 0 {
		return nil, badDN(name)
	}
	root, _ := ldap.ParseDN(t.d.base)
	depth := len(dn.RDNs) - len(root.RDNs)
	if depth < 0 || !(&ldap.DN{RDNs: dn.RDNs[depth:]}).EqualFold(root) {
		return nil, missing()
	}
	at := t.d.rootID
	for i := depth - 1; i >= 0; i-- {
		part := dn.RDNs[i].Attributes[0]
		id, ok := t.places[place{parent: at, name: fold(part.Type + "=" + part.Value)}]
		if !ok {
			return nil, missing()
		}
		at = id
	}
	return t.entries[at], nil
}

func badDN(name string) error {
	return refuse(invalidDN, "0000208F: NameErr: DSID-03100233, problem 2006 (BAD_NAME), data 8349, best match of:\n\t'%s'\n", name)
}

func (t *tree) bySID(s string) *entry {
	raw := binarySID(s)
	if raw == "" {
		return nil
	}
	for _, e := range t.entries {
		if !e.deleted && e.get("objectSid") == raw {
			return e
		}
	}
	return nil
}

// byRID finds an account or group of this domain.
func (t *tree) byRID(rid int64) *entry { return t.bySID(t.d.sid + "-" + strconv.FormatInt(rid, 10)) }

// below reports whether e is id or stands below it.
func (t *tree) below(e *entry, id guid) bool {
	for e != nil {
		if e.id == id {
			return true
		}
		e = t.entries[e.parent]
	}
	return false
}

// children are the live entries directly below id.
func (t *tree) children(id guid) (out []*entry) {
	for p, child := range t.places {
		if p.parent == id {
			out = append(out, t.entries[child])
		}
	}
	return out
}

// holds reports whether the group has the entry as a linked member now.
func (t *tree) holds(group *entry, member guid) bool {
	l, ok := group.links[member]
	return ok && l.present && (l.until.IsZero() || t.d.opt.Now().Before(l.until)) && t.live(member) != nil
}

// groupsOf are the groups that have e as a linked member; the primary group is not among them.
func (t *tree) groupsOf(e *entry) (out []*entry) {
	for _, g := range t.entries {
		if len(g.links) > 0 && !g.deleted && t.holds(g, e.id) {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return strings.Compare(t.dn(a), t.dn(b)) })
	return out
}

// allGroups are all groups that e is in, through its primary group and through other groups.
func (t *tree) allGroups(e *entry) (out []*entry) {
	seen := map[guid]bool{}
	next := t.groupsOf(e)
	if primary := t.byRID(e.number("primaryGroupID")); primary != nil && e.get("primaryGroupID") != "" {
		next = append(next, primary)
	}
	for len(next) > 0 {
		g := next[0]
		next = next[1:]
		if !seen[g.id] {
			seen[g.id] = true
			out = append(out, g)
			next = append(next, t.groupsOf(g)...)
		}
	}
	return out
}

// token is what a sign-in of e carries: its own identifier, its groups', everyone's.
func (t *tree) token(e *entry) []string {
	out := []string{textSID(e.get("objectSid"))}
	for _, g := range t.allGroups(e) {
		out = append(out, textSID(g.get("objectSid")))
	}
	return append(out, "S-1-1-0", "S-1-5-11")
}
