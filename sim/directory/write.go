package directory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A change is one step of a modify request.
type change struct {
	op     int // 0 add, 1 delete, 2 replace
	attr   string
	values []string
}

const (
	opAdd = iota
	opDelete
	opReplace
)

// A writer carries out one request on one controller: all of it or nothing.
type writer struct {
	t      *tree
	s      *session
	dc     int
	secure bool // the connection is encrypted
	notes  []note
	also   []*entry // changed beside the entry itself
}

type note struct{ attr, what string }

func (w *writer) note(attr, what string) { w.notes = append(w.notes, note{attr, what}) }

// modify applies changes to the named entry.
func (w *writer) modify(name string, changes []change) error {
	e, err := w.t.find(name)
	if err != nil {
		return err
	}
	for _, c := range changes {
		a := typeOf(c.attr)
		if a.fixed || strings.EqualFold(a.name, "objectClass") || strings.EqualFold(a.name, e.rdnType) {
			return refuse(constraintViolation, "000020B1: AtrErr: DSID-0315392C, problem 1005 (CONSTRAINT_ATT_TYPE), attribute %s", a.name)
		}
		if !(guard{w.t}).mayWriteAttr(w.s, e, a) && !ownPassword(w.s, e, changes) {
			return denied()
		}
	}
	draft := e.copy()
	stamp := w.t.stamp()
	if err := w.applyAll(draft, changes, stamp); err != nil {
		return err
	}
	if err := w.t.checkAccount(draft, false); err != nil {
		return err
	}
	w.t.put(draft)
	for _, a := range w.also {
		w.t.put(a)
	}
	w.done("modify", append([]*entry{draft}, w.also...)...)
	return nil
}

// done journals and replicates.
func (w *writer) done(op string, changed ...*entry) {
	d := w.t.d
	if len(w.notes) == 0 {
		w.note("", "")
	}
	for _, n := range w.notes {
		d.record(w.dc, w.s.name, op, changed[0], n.attr, n.what)
	}
	d.commit(w.dc, changed...)
}

// ownPassword reports whether changes are somebody changing their own password, which needs no right but the old one.
func ownPassword(s *session, e *entry, changes []change) bool {
	return s.id == e.id && len(changes) == 2 && strings.EqualFold(changes[0].attr, "unicodePwd") && strings.EqualFold(changes[1].attr, "unicodePwd") &&
		changes[0].op == opDelete && changes[1].op == opAdd
}

func (w *writer) applyAll(e *entry, changes []change, stamp uint64) error {
	var old string
	for _, c := range changes {
		var err error
		switch fold(c.attr) {
		case "unicodepwd":
			old, err = w.password(e, c, old)
		case "member":
			err = w.members(e, c)
		case "useraccountcontrol":
			err = w.accountControl(e, c, stamp)
		case "primarygroupid":
			err = w.primaryGroup(e, c, stamp)
		case "pwdlastset", "lockouttime":
			err = w.marker(e, c, stamp)
		case "ntsecuritydescriptor":
			err = refuse(unwilling, "00002098: the simulation does not take security descriptors; use Delegate")
		default:
			err = w.plain(e, c, stamp)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plain changes an ordinary attribute.
func (w *writer) plain(e *entry, c change, stamp uint64) error {
	a := typeOf(c.attr)
	var have []string
	if old := e.attrs[fold(c.attr)]; old != nil {
		have = slices.Clone(old.values)
	}
	for _, v := range c.values {
		if a.kind == number {
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				return refuse(21, "00000057: LdapErr: DSID-0C0C1A5F, comment: Error in attribute conversion operation, attribute %s", a.name)
			}
		}
	}
	switch c.op {
	case opAdd:
		for _, v := range c.values {
			if slices.ContainsFunc(have, func(h string) bool { return (matcher{w.t}).same(a.kind, h, v) }) {
				return refuse(valueExists, "00002083: AtrErr: DSID-03151830, problem 1006 (ATT_OR_VALUE_EXISTS), attribute %s", a.name)
			}
			have = append(have, v)
		}
	case opDelete:
		missing := refuse(noSuchAttribute, "00002085: AtrErr: DSID-03152395, problem 1001 (NO_ATTRIBUTE_OR_VAL), attribute %s", a.name)
		if len(have) == 0 {
			return missing
		}
		if len(c.values) == 0 {
			have = nil
		}
		for _, v := range c.values {
			i := slices.IndexFunc(have, func(h string) bool { return (matcher{w.t}).same(a.kind, h, v) })
			if i < 0 {
				return missing
			}
			have = slices.Delete(have, i, i+1)
		}
	case opReplace:
		have = c.values
	}
	if a.single && len(have) > 1 {
		return refuse(constraintViolation, "00002081: AtrErr: DSID-03151904, problem 1005 (CONSTRAINT_ATT_TYPE), attribute %s", a.name)
	}
	e.set(stamp, c.attr, have...)
	w.note(a.name, verb(c.op)+" "+brief(c.values))
	return nil
}

func verb(op int) string { return []string{"add", "delete", "replace"}[op] }

func brief(values []string) string {
	s := strings.ToValidUTF8(strings.Join(values, ", "), "?")
	return s[:min(len(s), 200)]
}

// password resets (replace) or changes (delete the old, add the new) a password. old carries from one step to the next.
func (w *writer) password(e *entry, c change, old string) (string, error) {
	if !w.secure {
		return "", refuse(unwilling, "0000001F: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\n")
	}
	if len(c.values) != 1 {
		return "", refuse(unwilling, "00002035: SvcErr: DSID-031A11E5, problem 5003 (WILL_NOT_PERFORM), data 0\n")
	}
	pw, err := decodePassword(c.values[0])
	if err != nil {
		return "", err
	}
	if c.op == opDelete {
		return pw, nil
	}
	if c.op == opAdd && e.pw.current != "" {
		if ok, current := (door{w.t}).matches(e, old); !ok || !current {
			return "", refuse(constraintViolation, "00000056: AtrErr: DSID-03191083, #1:\n\t0: 00000056: DSID-03191083, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)\n")
		}
	}
	if err := strong(w.t.d, pw, e); err != nil {
		return "", err
	}
	(door{w.t}).reset(e, pw)
	w.note("unicodePwd", map[int]string{opAdd: "change"}[c.op]+map[int]string{opReplace: "reset"}[c.op])
	return "", nil
}

// members adds, removes or replaces links of a group.
func (w *writer) members(e *entry, c change) error {
	if !e.is("group") {
		return refuse(objectClassViolation, "0000207D: UpdErr: DSID-0315166D, problem 6002 (OBJ_CLASS_VIOLATION), data 131102\n")
	}
	if c.op == opReplace || c.op == opDelete && len(c.values) == 0 {
		for id := range e.links {
			w.t.link(e, id, false, 0)
		}
		w.note("member", "removed all")
		if c.op == opDelete {
			return nil
		}
	}
	for _, v := range c.values {
		ttl, target, err := w.t.member(v)
		if err != nil {
			return err
		}
		member, err := w.t.find(target)
		if err != nil {
			return err
		}
		switch held := w.t.holds(e, member.id); {
		case c.op != opDelete && held:
			return refuse(alreadyExists, "00000562: UpdErr: DSID-031A11FA, problem 6005 (ENTRY_EXISTS), data 0\n")
		case c.op == opDelete && !held:
			if w.t.byRID(member.number("primaryGroupID")) == w.t.entries[e.id] {
				return refuse(unwilling, "0000055E: UpdErr: DSID-031A1236, problem 5003 (WILL_NOT_PERFORM), data 0\n")
			}
			return refuse(unwilling, "00000561: UpdErr: DSID-031A1236, problem 5003 (WILL_NOT_PERFORM), data 0\n")
		}
		w.t.link(e, member.id, c.op != opDelete, ttl)
		w.note("member", verb(c.op)+" "+w.t.dn(member))
	}
	return nil
}

// member reads a value of member, which may bear a time to live: <TTL=60,CN=…> or <TTL=60,<GUID=…>>.
func (t *tree) member(v string) (time.Duration, string, error) {
	rest, ok := strings.CutPrefix(v, "<TTL=")
	if !ok {
		return 0, v, nil
	}
	seconds, dn, ok := strings.Cut(strings.TrimSuffix(rest, ">"), ",")
	n, err := strconv.ParseInt(seconds, 10, 32)
	if !ok || err != nil || n < 1 || !t.d.opt.PAM {
		return 0, "", badDN(v)
	}
	return time.Duration(n) * time.Second, dn, nil
}

// accountControl writes the account's flags. The flags are replaced even when an old value is named to delete.
func (w *writer) accountControl(e *entry, c change, stamp uint64) error {
	if c.op == opDelete {
		return nil
	}
	if len(c.values) != 1 {
		return refuse(constraintViolation, "00002081: AtrErr: userAccountControl has one value")
	}
	n, err := strconv.ParseInt(c.values[0], 10, 32)
	if err != nil || n < 0 {
		return refuse(21, "00000057: userAccountControl is a number")
	}
	if n&(uacNormal|uacServerTrust|0x1000|0x800) == 0 {
		n |= uacNormal
	}
	n &^= uacLockout | uacExpired // computed elsewhere
	e.setNumber(stamp, "userAccountControl", n)
	w.note("userAccountControl", strconv.FormatInt(n, 10))
	return nil
}

// primaryGroup changes the primary group: the account must be a linked member of the new one, whose link goes away,
// and gets a link to the old one.
func (w *writer) primaryGroup(e *entry, c change, stamp uint64) error {
	if c.op != opReplace && c.op != opAdd || len(c.values) != 1 {
		return refuse(unwilling, "00002035: primaryGroupID can only be replaced")
	}
	rid, err := strconv.ParseInt(c.values[0], 10, 32)
	if err != nil {
		return refuse(21, "00000057: primaryGroupID is a number")
	}
	was := e.number("primaryGroupID")
	if rid == was {
		return nil
	}
	next, before := w.t.byRID(rid), w.t.byRID(was)
	if next == nil || !w.t.holds(next, e.id) {
		return refuse(unwilling, "00000561: SvcErr: DSID-031A1254, problem 5003 (WILL_NOT_PERFORM), data 0\n")
	}
	next = next.copy()
	w.t.link(next, e.id, false, 0)
	w.also = append(w.also, next)
	if before != nil {
		before = before.copy()
		w.t.link(before, e.id, true, 0)
		w.also = append(w.also, before)
	}
	e.setNumber(stamp, "primaryGroupID", rid)
	w.note("primaryGroupID", strconv.FormatInt(rid, 10))
	return nil
}

// marker writes pwdLastSet (0 or -1) and lockoutTime (0).
func (w *writer) marker(e *entry, c change, stamp uint64) error {
	name := typeOf(c.attr).name
	if c.op == opDelete || len(c.values) != 1 {
		return refuse(constraintViolation, "00002081: AtrErr: %s has one value", name)
	}
	switch v := c.values[0]; {
	case v == "0":
		e.set(stamp, name, "0")
		if name == "lockoutTime" {
			e.set(stamp, "badPwdCount", "0")
		}
	case v == "-1" && name == "pwdLastSet":
		e.setNumber(stamp, name, fileTime(w.t.d.opt.Now()))
	default:
		return refuse(constraintViolation, "00000057: AtrErr: DSID-03190F80, problem 1005 (CONSTRAINT_ATT_TYPE), attribute %s", name)
	}
	w.note(name, c.values[0])
	return nil
}

// checkAccount enforces what must hold of every account and group after a write.
func (t *tree) checkAccount(e *entry, fresh bool) error {
	sam := e.get("sAMAccountName")
	if sam == "" {
		return nil
	}
	if err := legalName(sam, e.is("group")); err != nil {
		return err
	}
	upn := e.get("userPrincipalName")
	for _, other := range t.entries {
		if other.deleted || other.id == e.id {
			continue
		}
		if strings.EqualFold(other.get("sAMAccountName"), sam) {
			return refuse(alreadyExists, "00000524: UpdErr: DSID-031A11E2, problem 6005 (ENTRY_EXISTS), data 0\n")
		}
		if upn != "" && strings.EqualFold(other.get("userPrincipalName"), upn) {
			return refuse(constraintViolation, "000021C8: AtrErr: DSID-03200EAF, #1:\n\t0: 000021C8: DSID-03200EAF, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 90290 (userPrincipalName)\n")
		}
	}
	uac := e.number("userAccountControl")
	if e.is("user") && !e.is("computer") && uac&(uacDisabled|uacNoPassword) == 0 && e.pw.current == "" && t.d.opt.MinPassword > 0 {
		return refuse(unwilling, "0000052D: SvcErr: DSID-031A11E5, problem 5003 (WILL_NOT_PERFORM), data 0\n")
	}
	return nil
}

// legalName applies Microsoft's rules for sAMAccountName: 20 characters for accounts, no " / \ [ ] : ; | = , + * ? < > @,
// no control characters, no dot at the end, not only dots, spaces and digits.
func legalName(sam string, group bool) error {
	most := 20
	if group {
		most = 256
	}
	bad := len([]rune(sam)) > most || strings.ContainsAny(sam, `"/\[]:;|=,+*?<>`) || strings.HasSuffix(sam, ".") || strings.ContainsFunc(sam, unicode.IsControl)
	if !group {
		bad = bad || strings.Contains(sam, "@") || strings.Trim(sam, " .") == ""
	}
	if bad {
		return refuse(constraintViolation, "00000523: AtrErr: DSID-031A0FBC, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 900dd (sAMAccountName)\n")
	}
	return nil
}

// String tells a change without its values, for errors.
func (c change) String() string { return fmt.Sprintf("%s %s", verb(c.op), c.attr) }
