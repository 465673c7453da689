package directory

import (
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// Filter choices, RFC 4511 4.5.1.7.
const (
	filterAnd = iota
	filterOr
	filterNot
	filterEqual
	filterSubstrings
	filterGreater
	filterLess
	filterPresent
	filterApprox
	filterExtensible
)

// raw is the content of a packet as bytes, whatever its tag.
func raw(p *ber.Packet) string {
	if len(p.ByteValue) == 0 && p.Data != nil { // a tag of LDAP's own
		return p.Data.String()
	}
	return string(p.ByteValue)
}

// A matcher decides which entries of a tree a filter means.
type matcher struct{ *tree }

// matchesFilter evaluates a filter against one entry.
func (t matcher) matchesFilter(f *ber.Packet, e *entry) (bool, error) {
	malformed := refuse(protocolError, "00000057: LdapErr: DSID-0C0C0B31, comment: Error decoding ldap message, data 0, v4563")
	switch f.Tag {
	case filterAnd, filterOr:
		for _, child := range f.Children {
			ok, err := t.matchesFilter(child, e)
			if err != nil || ok == (f.Tag == filterOr) {
				return ok, err
			}
		}
		return f.Tag == filterAnd, nil
	case filterNot:
		if len(f.Children) != 1 {
			return false, malformed
		}
		ok, err := t.matchesFilter(f.Children[0], e)
		return !ok, err
	case filterPresent:
		name := raw(f)
		return strings.EqualFold(name, "objectClass") || len((reader{t.tree}).values(e, name, nil)) > 0, nil
	case filterEqual, filterApprox, filterGreater, filterLess:
		if len(f.Children) != 2 {
			return false, malformed
		}
		return t.compare(e, int(f.Tag), raw(f.Children[0]), raw(f.Children[1])), nil
	case filterSubstrings:
		if len(f.Children) != 2 {
			return false, malformed
		}
		return t.substrings(e, raw(f.Children[0]), f.Children[1].Children), nil
	case filterExtensible:
		return t.extensible(e, f), nil
	}
	return false, malformed
}

func (t matcher) compare(e *entry, op int, name, want string) bool {
	if strings.EqualFold(name, "anr") {
		return slices.ContainsFunc([]string{"cn", "displayName", "sAMAccountName", "givenName", "sn"}, func(a string) bool {
			return strings.HasPrefix(fold(e.get(a)), fold(want))
		})
	}
	kind := typeOf(name).kind
	return slices.ContainsFunc((reader{t.tree}).values(e, name, nil), func(have string) bool {
		if op == filterEqual || op == filterApprox {
			if strings.EqualFold(name, "objectCategory") && strings.HasPrefix(fold(have), "cn="+fold(want)+",") {
				return true
			}
			return t.same(kind, have, want)
		}
		a, b := int64(strings.Compare(fold(have), fold(want))), int64(0)
		if kind == number {
			a, _ = strconv.ParseInt(have, 10, 64)
			b, _ = strconv.ParseInt(want, 10, 64)
		}
		if op == filterGreater {
			return a >= b
		}
		return a <= b
	})
}

// same compares two values of one attribute.
func (t matcher) same(kind syntax, a, b string) bool {
	switch kind {
	case number:
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		return errX == nil && errY == nil && x == y
	case sidValue:
		return a == b || textSID(a) != "" && strings.EqualFold(textSID(a), b)
	case binaryValue:
		if id, err := parseGUID(b); err == nil && string(id[:]) == a {
			return true
		}
		return a == b
	case dnValue:
		x, errX := t.find(a)
		y, errY := t.find(b)
		if errX == nil && errY == nil {
			return x == y
		}
	}
	return strings.EqualFold(a, b)
}

func (t matcher) substrings(e *entry, name string, parts []*ber.Packet) bool {
	return slices.ContainsFunc((reader{t.tree}).values(e, name, nil), func(have string) bool {
		have = fold(have)
		for _, p := range parts {
			want := fold(raw(p))
			switch p.Tag {
			case 0:
				if !strings.HasPrefix(have, want) {
					return false
				}
				have = have[len(want):]
			case 1:
				i := strings.Index(have, want)
				if i < 0 {
					return false
				}
				have = have[i+len(want):]
			default:
				if !strings.HasSuffix(have, want) {
					return false
				}
			}
		}
		return true
	})
}

// extensible evaluates the rules of Active Directory: bits set, any bit set, membership through groups.
func (t matcher) extensible(e *entry, f *ber.Packet) bool {
	var rule, name, want string
	for _, c := range f.Children {
		switch c.Tag {
		case 1:
			rule = raw(c)
		case 2:
			name = raw(c)
		case 3:
			want = raw(c)
		}
	}
	switch rule {
	case ruleAnd, ruleOr:
		bits, err := strconv.ParseInt(want, 10, 64)
		values := (reader{t.tree}).values(e, name, nil)
		if err != nil || len(values) == 0 {
			return false
		}
		have, _ := strconv.ParseInt(values[0], 10, 64)
		return rule == ruleAnd && have&bits == bits || rule == ruleOr && have&bits != 0
	case ruleChain:
		other, err := t.find(want)
		if err != nil {
			return false
		}
		inner, outer := e, other
		if strings.EqualFold(name, "member") {
			inner, outer = other, e
		} else if !strings.EqualFold(name, "memberOf") {
			return false
		}
		return t.linked(inner, outer, map[guid]bool{})
	}
	return rule == "" && t.compare(e, filterEqual, name, want)
}

// linked reports whether e is in the group through links alone, which leaves out primary groups.
func (t matcher) linked(e, group *entry, seen map[guid]bool) bool {
	for _, g := range t.groupsOf(e) {
		if g == group {
			return true
		}
		if !seen[g.id] {
			seen[g.id] = true
			if t.linked(g, group, seen) {
				return true
			}
		}
	}
	return false
}
