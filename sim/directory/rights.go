package directory

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Access rights, [MS-ADTS] 5.1.3.2.
const (
	mayCreate  = 0x1
	mayDelete  = 0x2 // a child
	mayRead    = 0x10
	mayWrite   = 0x20
	mayControl = 0x100
	mayRemove  = 0x10000 // the object itself
	mayAll     = 0xf01ff
)

// An ace allows one right to one identity. The simulation knows no denying entries.
type ace struct {
	sid     string
	mask    uint32
	object  string // the attribute, property set, right or class; "" is all
	inherit bool   // also for everything below
	below   bool   // only for what is below
}

// A guard decides what a session may do in a tree.
type guard struct{ *tree }

// effective are the entries that count for e: its own and, unless it is guarded, those it inherits.
func (t guard) effective(e *entry) (out []ace) {
	for _, a := range e.acl {
		if !a.below {
			out = append(out, a)
		}
	}
	if e.guarded {
		return out
	}
	for up := t.entries[e.parent]; up != nil; up = t.entries[up.parent] {
		for _, a := range up.acl {
			if a.inherit {
				out = append(out, a)
			}
		}
		if up.guarded {
			break
		}
	}
	return out
}

// allowed reports whether a session may do something to e: mask is the right, objects what names its subject.
func (t guard) allowed(s *session, e *entry, mask uint32, objects ...string) bool {
	if s.system {
		return true
	}
	for _, a := range t.effective(e) {
		if a.mask&mask != 0 && slices.Contains(s.token, a.sid) && (a.object == "" || slices.Contains(objects, a.object)) {
			return true
		}
	}
	return false
}

// mayWriteAttr reports whether a session may write one attribute of e.
func (t guard) mayWriteAttr(s *session, e *entry, a attributeType) bool {
	if strings.EqualFold(a.name, "unicodePwd") {
		return t.allowed(s, e, mayControl, rightReset)
	}
	var objects []string
	for _, id := range []string{a.id, a.set} {
		if id != "" {
			objects = append(objects, id)
		}
	}
	return t.allowed(s, e, mayWrite, objects...)
}

func (t guard) mayCreateIn(s *session, parent *entry, class string) bool {
	return t.allowed(s, parent, mayCreate, childTypes[class])
}

func (t guard) mayDelete(s *session, e *entry) bool {
	if t.allowed(s, e, mayRemove) {
		return true
	}
	class, _ := classOf(e.attrs["objectclass"].values)
	up := t.entries[e.parent]
	return up != nil && t.allowed(s, up, mayDelete, childTypes[class])
}

func denied() error {
	return refuse(insufficientRights, "00002098: SecErr: DSID-031514A0, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n")
}

// descriptor writes the security descriptor of e, self-relative. [MS-DTYP] 2.4.6
func (t guard) descriptor(e *entry) string {
	owner := binarySID(t.d.sid + "-512")
	var list []byte
	count := 0
	for _, a := range e.acl {
		var flags byte
		if a.inherit {
			flags |= 0x2
		}
		if a.below {
			flags |= 0x8
		}
		list = append(list, encodeACE(a, flags)...)
		count++
	}
	if !e.guarded {
		for _, a := range t.effective(e)[t.countOwn(e):] {
			list = append(list, encodeACE(a, 0x12)...) // inherited, and on to what is below
			count++
		}
	}
	control := uint16(0x8004)
	if e.guarded {
		control |= 0x1000
	}
	out := []byte{1, 0}
	out = binary.LittleEndian.AppendUint16(out, control)
	at := uint32(20)
	out = binary.LittleEndian.AppendUint32(out, at)
	out = binary.LittleEndian.AppendUint32(out, at+uint32(len(owner)))
	out = binary.LittleEndian.AppendUint32(out, 0)
	out = binary.LittleEndian.AppendUint32(out, at+2*uint32(len(owner)))
	out = append(append(out, owner...), owner...)
	out = append(out, 4, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(8+len(list)))
	out = binary.LittleEndian.AppendUint16(out, uint16(count))
	out = append(out, 0, 0)
	return string(append(out, list...))
}

func (t guard) countOwn(e *entry) (n int) {
	for _, a := range e.acl {
		if !a.below {
			n++
		}
	}
	return n
}

func encodeACE(a ace, flags byte) []byte {
	sid := binarySID(a.sid)
	var body []byte
	kind := byte(0)
	if a.object != "" {
		kind = 5
		id, _ := parseGUID(a.object)
		body = binary.LittleEndian.AppendUint32(body, 1)
		body = append(body, id[:]...)
	}
	body = append(body, sid...)
	out := []byte{kind, flags}
	out = binary.LittleEndian.AppendUint16(out, uint16(8+len(body)))
	out = binary.LittleEndian.AppendUint32(out, a.mask)
	return append(out, body...)
}

// A Delegation is a way to give an account the rights that a broker of temporary administrators needs.
type Delegation int

// The delegations, from least to most.
const (
	// UnitOnly creates, changes, resets and deletes accounts in one organizational unit.
	UnitOnly Delegation = iota
	// UnitAndGroup also changes the members of Domain Admins, by a right on the group itself. SDProp takes it away.
	UnitAndGroup
	// UnitAndHolder has these rights on AdminSDHolder as well, so they survive SDProp.
	UnitAndHolder
	// Administrators makes the account a member of BUILTIN\Administrators.
	Administrators
)

// Delegate gives an account, by its sAMAccountName, rights for the unit, a distinguished name.
func (d *Domain) Delegate(account, unit string, how Delegation) error {
	return d.outside(func(t *tree) error {
		e := t.bySAM(account)
		if e == nil {
			return fmt.Errorf("no account %s", account)
		}
		if how == Administrators {
			g := t.bySID("S-1-5-32-544")
			t.link(g, e.id, true, 0)
			d.record(0, witness, "modify", g, "member", "add "+t.dn(e))
			d.commit(0, g)
			return nil
		}
		ou, err := t.find(unit)
		if err != nil {
			return err
		}
		sid := textSID(e.get("objectSid"))
		(guard{t}).grant(ou, unitRights(sid)...)
		d.commit(0, ou)
		member := ace{sid: sid, mask: mayWrite | mayRead, object: typeOf("member").id}
		if how >= UnitAndGroup {
			g := t.byRID(512)
			(guard{t}).grant(g, member)
			d.commit(0, g)
		}
		if how >= UnitAndHolder {
			holder, err := t.find("CN=AdminSDHolder,CN=System," + d.base)
			if err != nil {
				return err
			}
			rights := []ace{member}
			for _, r := range unitRights(sid)[2:] {
				r.inherit, r.below = false, false
				rights = append(rights, r)
			}
			(guard{t}).grant(holder, rights...)
			d.commit(0, holder)
		}
		return nil
	})
}

func (t guard) grant(e *entry, rights ...ace) {
	e.acl = append(slices.Clone(e.acl), rights...)
	e.stamps["#acl"] = t.stamp()
}

// unitRights are the rights on accounts in a unit; the first two are on the unit itself.
func unitRights(sid string) []ace {
	out := []ace{{sid: sid, mask: mayCreate | mayDelete, object: classUser}, {sid: sid, mask: mayRead, inherit: true}}
	out = append(out, ace{sid: sid, mask: mayControl, object: rightReset, inherit: true, below: true})
	for _, object := range []string{setRestrictions, setPublic, typeOf("info").id, typeOf("lockoutTime").id, typeOf("primaryGroupID").id,
		typeOf("displayName").id, typeOf("msDS-KeyCredentialLink").id, typeOf("msDS-AllowedToDelegateTo").id, typeOf("msDS-AllowedToActOnBehalfOfOtherIdentity").id} {
		out = append(out, ace{sid: sid, mask: mayRead | mayWrite, object: object, inherit: true, below: true})
	}
	return out
}

// SDProp does what the first controller does every hour: it gives the rights of AdminSDHolder to the protected groups
// and to everyone in them, directly or through groups, and marks them with adminCount. It never takes the mark away.
func (d *Domain) SDProp() error {
	return d.outside(func(t *tree) error {
		holder, err := t.find("CN=AdminSDHolder,CN=System," + d.base)
		if err != nil {
			return err
		}
		for _, e := range t.entries {
			if e.deleted || e.get("objectSid") == "" || !(guard{t}).protected(e) {
				continue
			}
			e.acl, e.guarded = slices.Clone(holder.acl), true
			stamp := t.stamp()
			e.stamps["#acl"] = stamp
			e.set(stamp, "adminCount", "1")
			d.record(0, "SDProp", "modify", e, "nTSecurityDescriptor", "")
			d.commit(0, e)
		}
		return nil
	})
}

// protected reports whether SDProp guards e.
func (t guard) protected(e *entry) bool {
	guarded := func(e *entry) bool {
		sid := textSID(e.get("objectSid"))
		for _, rid := range []string{"500", "502", "512", "516", "518", "519", "521"} {
			if sid == t.d.sid+"-"+rid {
				return true
			}
		}
		return slices.Contains([]string{"S-1-5-32-544", "S-1-5-32-548", "S-1-5-32-549", "S-1-5-32-550", "S-1-5-32-551", "S-1-5-32-552"}, sid)
	}
	return guarded(e) || slices.ContainsFunc(t.allGroups(e), guarded)
}
