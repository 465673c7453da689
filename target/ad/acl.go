package ad

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
)

// Access rights and object types, from [MS-ADTS] 5.1.3.2 and the schema.
const (
	rightDeleteChild   = 0x2
	rightWriteProperty = 0x20
	rightControl       = 0x100
	rightGenericAll    = 0x10000000

	typeUser            = "bf967aba-0de6-11d0-a285-00aa003049e2"
	typeMember          = "bf9679c0-0de6-11d0-a285-00aa003049e2"
	typeResetPassword   = "00299570-246d-11d0-a768-00aa006e0529"
	typeAccountControl  = "bf967a68-0de6-11d0-a285-00aa003049e2"
	typeInfo            = "bf96793e-0de6-11d0-a285-00aa003049e2"
	typePersonal        = "77b5b886-944a-11d1-aebd-0000f80367c1" // the property set that holds info
	typeAccountRestrict = "4c164200-20c0-11d0-a768-00aa006e0529" // the property set that holds userAccountControl
)

const (
	aceAllow       = 0
	aceDeny        = 1
	aceAllowObject = 5
	aceDenyObject  = 6
	aceInheritOnly = 0x8
	maxACEs        = 10_000
)

// An ace is one entry of an access control list.
type ace struct {
	kind, flags byte
	mask        uint32
	object      string // GUID; empty means everything
	sid         string
}

// A rights is what an access control list gives to one session.
type rights struct {
	aces   []ace
	tokens []string
}

// parseDACL reads the entries of a self-relative security descriptor.
// [MS-DTYP] 2.4.6, 2.4.5, 2.4.4
func parseDACL(sd []byte) ([]ace, error) {
	bad := errors.New("a security descriptor that cannot be read")
	if len(sd) < 20 {
		return nil, bad
	}
	off := int(binary.LittleEndian.Uint32(sd[16:]))
	if off == 0 {
		return nil, errors.New("a security descriptor without an access control list")
	}
	if off < 20 || off > len(sd)-8 {
		return nil, bad
	}
	count, rest := int(binary.LittleEndian.Uint16(sd[off+4:])), sd[off+8:]
	if count > maxACEs {
		return nil, bad
	}
	var aces []ace
	for range count {
		if len(rest) < 8 {
			return nil, bad
		}
		size := int(binary.LittleEndian.Uint16(rest[2:]))
		if size < 8 || size > len(rest) {
			return nil, bad
		}
		a, ok, err := parseACE(rest[:size])
		if err != nil {
			return nil, err
		}
		if ok {
			aces = append(aces, a)
		}
		rest = rest[size:]
	}
	return aces, nil
}

// parseACE reads one entry; ok is false for kinds that give or deny nothing here.
func parseACE(b []byte) (a ace, ok bool, err error) {
	a = ace{kind: b[0], flags: b[1], mask: binary.LittleEndian.Uint32(b[4:])}
	body := b[8:]
	switch a.kind {
	case aceAllow, aceDeny:
	case aceAllowObject, aceDenyObject:
		if len(body) < 4 {
			return a, false, errors.New("an access control entry that cannot be read")
		}
		present := binary.LittleEndian.Uint32(body)
		body = body[4:]
		for bit := uint32(1); bit <= 2; bit <<= 1 { // object type, then inherited object type
			if present&bit == 0 {
				continue
			}
			if len(body) < 16 {
				return a, false, errors.New("an access control entry that cannot be read")
			}
			if bit == 1 {
				a.object, _ = parseGUID(body[:16])
			}
			body = body[16:]
		}
	default:
		return a, false, nil
	}
	if len(body) < 8 || len(body) < 8+4*int(body[1]) {
		return a, false, errors.New("an access control entry that cannot be read")
	}
	a.sid, err = parseSID(body[:8+4*int(body[1])])
	return a, err == nil, err
}

// allows reports whether the list gives the right on any of the object types.
// The first entry that speaks decides, as the directory does it.
func (r rights) allows(right uint32, objects ...string) bool {
	for _, a := range r.aces {
		if a.flags&aceInheritOnly != 0 || !slices.Contains(r.tokens, a.sid) || a.mask&(right|rightGenericAll) == 0 {
			continue
		}
		if a.object != "" && !slices.Contains(objects, a.object) {
			continue
		}
		return a.kind == aceAllow || a.kind == aceAllowObject
	}
	return false
}

// rightsOn reads what the service account may do with an object; nil if that
// cannot be read. The descriptor is shown only when the owner, the group and
// the list are asked for, because the auditing part needs another right.
func rightsOn(ctx context.Context, sv *server, base string) (*rights, error) {
	e, err := sv.read(ctx, base, []ldap.Control{&ldap.ControlMicrosoftSDFlags{ControlValue: 7}}, "nTSecurityDescriptor")
	if err != nil || e == nil || len(sv.tokens) == 0 {
		return nil, err
	}
	raw := e.GetRawAttributeValue("nTSecurityDescriptor")
	if len(raw) == 0 {
		return nil, nil
	}
	aces, err := parseDACL(raw)
	if err != nil {
		return nil, err
	}
	return &rights{aces: aces, tokens: sv.tokens}, nil
}

// A survival says which rights the service account keeps once the domain has
// given the access list of AdminSDHolder to Domain Admins and its members,
// which happens every hour.
type survival struct {
	known   bool
	member  bool // may change the members of Domain Admins
	reset   bool // may reset its members' passwords
	disable bool // may disable its members
	mark    bool // may write our mark on its members
	remove  bool // may delete accounts in our unit, which needs no right on the account
}

func (s survival) enough() bool { return s.remove || s.member && s.reset && s.disable && s.mark }

func survivalOf(ctx context.Context, sv *server) (survival, error) {
	holder, err := rightsOn(ctx, sv, adminSDHolder(sv))
	if err != nil {
		return survival{}, err
	}
	ou, err := rightsOn(ctx, sv, sv.ou)
	if err != nil || holder == nil || ou == nil {
		return survival{}, err
	}
	return survival{
		known:   true,
		member:  holder.allows(rightWriteProperty, typeMember),
		reset:   holder.allows(rightControl, typeResetPassword),
		disable: holder.allows(rightWriteProperty, typeAccountControl, typeAccountRestrict),
		mark:    holder.allows(rightWriteProperty, typeInfo, typePersonal),
		remove:  ou.allows(rightDeleteChild, typeUser),
	}, nil
}

func adminSDHolder(sv *server) string { return "CN=AdminSDHolder,CN=System," + sv.base }

// revocable refuses to give Domain Admin where taking it away would be refused
// an hour later.
func (g *granting) revocable(ctx context.Context) error {
	s, err := survivalOf(ctx, g.server)
	if err != nil {
		return err
	}
	if s.known && !s.enough() {
		return &access.Error{Kind: access.Denied, Text: "Domain Admin is not given: after at most an hour the service account could not take it away again.",
			Hint: "Run Check connection and give the rights that it names, on AdminSDHolder or to delete accounts in the organizational unit."}
	}
	return nil
}
