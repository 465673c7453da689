package directory

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// add makes an object with all of its attributes, or nothing.
func (w *writer) add(name string, attrs []change) error {
	dn, err := ldap.ParseDN(name)
	if err != nil || len(dn.RDNs) < 2 || len(dn.RDNs[0].Attributes) != 1 {
		return badDN(name)
	}
	parent, err := w.t.parentOf(name)
	if err != nil {
		return err
	}
	rdn := dn.RDNs[0].Attributes[0]
	if len([]rune(rdn.Value)) > 64 || rdn.Value == "" {
		return refuse(constraintViolation, "00002082: AtrErr: DSID-031519B8, #1:\n\t0: 00002082: problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 3 (cn):len %d\n", 2*len(rdn.Value))
	}
	var given []string
	rest := slices.DeleteFunc(slices.Clone(attrs), func(c change) bool {
		if strings.EqualFold(c.attr, "objectClass") {
			given = c.values
			return true
		}
		return strings.EqualFold(c.attr, rdn.Type)
	})
	class, ok := classOf(given)
	if !ok {
		return refuse(objectClassViolation, "0000207D: UpdErr: DSID-0315166D, problem 6002 (OBJ_CLASS_VIOLATION), data 0\n")
	}
	if !(guard{w.t}).mayCreateIn(w.s, parent, class) {
		return denied()
	}
	e := w.t.draft(parent, strings.ToUpper(rdn.Type), rdn.Value, class)
	if _, taken := w.t.places[e.place()]; taken {
		return refuse(alreadyExists, "00002071: UpdErr: DSID-0305038D, problem 6005 (ENTRY_EXISTS), data 0\n")
	}
	for _, c := range rest {
		if a := typeOf(c.attr); a.fixed || strings.EqualFold(a.name, "primaryGroupID") {
			return refuse(unwilling, "000020B1: SvcErr: DSID-031A1254, problem 5003 (WILL_NOT_PERFORM), attribute %s", a.name)
		}
	}
	for i := range rest {
		rest[i].op = opReplace // what the directory itself would give
	}
	// The name comes first: the password may not contain it.
	slices.SortStableFunc(rest, func(a, b change) int { return order(a.attr) - order(b.attr) })
	if err := w.applyAll(e, rest, e.stamps["#place"]); err != nil {
		return err
	}
	if err := w.t.checkAccount(e, true); err != nil {
		return err
	}
	w.notes = nil
	w.note("", class)
	w.t.put(e)
	w.done("add", e)
	return nil
}

func order(attr string) int {
	if strings.EqualFold(attr, "sAMAccountName") {
		return 0
	}
	return 1
}

// draft is a new object with what the directory itself gives it.
func (t *tree) draft(parent *entry, rdnType, rdn, class string) *entry {
	stamp := t.stamp()
	now := generalTime(t.d.opt.Now())
	e := &entry{id: newGUID(), parent: parent.id, rdnType: rdnType, rdn: rdn, attrs: map[string]*attribute{}, links: map[guid]link{}, stamps: map[string]uint64{"#place": stamp}}
	e.set(stamp, "objectClass", classes[class]...)
	e.set(stamp, "objectGUID", string(e.id[:]))
	e.set(stamp, "whenCreated", now)
	e.set(stamp, fold(rdnType), rdn)
	switch class {
	case "user", "computer", "group":
		t.d.rid++
		e.set(stamp, "objectSid", binarySID(t.d.sid+"-"+strconv.FormatUint(uint64(t.d.rid), 10)))
		e.set(stamp, "sAMAccountName", "$"+strings.ToUpper(e.id.String()[:8])+"-"+strings.ToUpper(e.id.String()[24:34]))
	}
	switch class {
	case "group":
		e.setNumber(stamp, "groupType", globalGroup)
		e.set(stamp, "sAMAccountType", "268435456")
		e.set(stamp, "objectCategory", "CN=Group,CN=Schema,CN=Configuration,"+t.d.base)
	case "user":
		e.setNumber(stamp, "userAccountControl", uacNormal|uacDisabled|uacNoPassword)
		e.setNumber(stamp, "accountExpires", never)
		e.set(stamp, "objectCategory", "CN=Person,CN=Schema,CN=Configuration,"+t.d.base)
		for name, v := range map[string]string{"primaryGroupID": "513", "pwdLastSet": "0", "badPwdCount": "0", "sAMAccountType": "805306368"} {
			e.set(stamp, name, v)
		}
	case "computer":
		e.setNumber(stamp, "userAccountControl", 0x1000|uacDisabled)
		e.set(stamp, "primaryGroupID", "515")
	}
	return e
}

// parentOf finds the entry that a distinguished name stands below.
func (t *tree) parentOf(name string) (*entry, error) {
	escaped := false
	for i, r := range name {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == ',':
			return t.find(strings.TrimSpace(name[i+1:]))
		}
	}
	return nil, badDN(name)
}

// remove deletes an object. Every membership of it goes with it.
func (w *writer) remove(name string, tree bool) error {
	e, err := w.t.find(name)
	if err != nil {
		return err
	}
	if sid := textSID(e.get("objectSid")); e.id == w.t.d.rootID || e.id == w.t.d.configID || e.get("objectSid") != "" && w.t.seeded(sid) {
		return refuse(unwilling, "00002015: SvcErr: DSID-031A11E5, problem 5003 (WILL_NOT_PERFORM), data 0\n")
	}
	if !(guard{w.t}).mayDelete(w.s, e) {
		return denied()
	}
	children := w.t.children(e.id)
	if len(children) > 0 && !tree {
		return refuse(notOnNonLeaf, "00002015: UpdErr: DSID-031A1239, problem 6003 (CANT_ON_NON_LEAF), data 0\n")
	}
	gone := []*entry{e}
	for _, other := range w.t.entries {
		if other != e && !other.deleted && w.t.below(other, e.id) {
			gone = append(gone, other)
		}
	}
	w.note("", w.t.dn(e))
	for _, g := range gone {
		delete(w.t.places, g.place())
		g.deleted = true
		g.stamps["#deleted"] = w.t.stamp()
	}
	w.done("delete", gone...)
	return nil
}

// seeded reports whether a SID belongs to what every domain has.
func (t *tree) seeded(sid string) bool {
	rid := sid[strings.LastIndex(sid, "-")+1:]
	n, err := strconv.Atoi(rid)
	return err != nil || n < 1000
}

// move renames an object, or puts it below another parent. Its identity stays.
func (w *writer) move(name, rdn, superior string) error {
	e, err := w.t.find(name)
	if err != nil {
		return err
	}
	dn, err := ldap.ParseDN(rdn)
	if err != nil || len(dn.RDNs) != 1 {
		return badDN(rdn)
	}
	if !(guard{w.t}).allowed(w.s, e, mayWrite) {
		return denied()
	}
	draft := e.copy()
	part := dn.RDNs[0].Attributes[0]
	draft.rdnType, draft.rdn = strings.ToUpper(part.Type), part.Value
	if superior != "" {
		up, err := w.t.find(superior)
		if err != nil {
			return err
		}
		if w.t.below(up, e.id) {
			return refuse(unwilling, "0000200B: a container cannot be moved into itself")
		}
		draft.parent = up.id
	}
	if other, taken := w.t.places[draft.place()]; taken && other != e.id {
		return refuse(alreadyExists, "00002071: UpdErr: DSID-0305038D, problem 6005 (ENTRY_EXISTS), data 0\n")
	}
	stamp := w.t.stamp()
	draft.stamps["#place"] = stamp
	draft.set(stamp, fold(part.Type), part.Value)
	w.note("", "from "+w.t.dn(e))
	w.t.put(draft)
	w.done("rename", draft)
	return nil
}
