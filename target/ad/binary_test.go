package ad

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

func FuzzSID(f *testing.F) {
	f.Add([]byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSID(b)
		if err != nil {
			return
		}
		if !validSID(s) && len(b) > 8 {
			t.Fatalf("%q is not valid", s)
		}
		if back, err := encodeSID(s); len(b) > 8 && (err != nil || string(back) != string(b)) {
			t.Errorf("%x became %q became %x (%v)", b, s, back, err)
		}
	})
}

func TestBuiltinSID(t *testing.T) {
	s, err := parseSID([]byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0})
	if s != "S-1-5-32-544" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	for _, s := range []string{"", "S-1", "S-2-5-32", "S-1-5-x", "S-1-5-32-544)(x", "S-1-5-99999999999999999999"} {
		if validSID(s) {
			t.Errorf("%q passes for a SID", s)
		}
	}
}

func TestGUID(t *testing.T) {
	g, err := parseGUID([]byte{0x78, 0xc8, 0xab, 0x52, 0x36, 0x87, 0xf9, 0x43, 0x8d, 0x73, 0x09, 0x9e, 0x36, 0xf3, 0xba, 0xa9})
	if g != "52abc878-8736-43f9-8d73-099e36f3baa9" || err != nil || !validGUID(g) {
		t.Errorf("%q, %v", g, err)
	}
	for _, s := range []string{"", g[1:], g + "0", strings.Replace(g, "-", "x", 1), strings.Replace(g, "5", ")", 1)} {
		if validGUID(s) {
			t.Errorf("%q passes for a GUID", s)
		}
	}
}

func FuzzDACL(f *testing.F) {
	sid := "S-1-5-21-1-2-3-1105"
	entry := grantACE(sid, rightWriteProperty, typeMember, "", false)
	acl := []byte{4, 0, 0, 0, 1, 0, 0, 0}
	acl = append(acl, entry...)
	binary.LittleEndian.PutUint16(acl[2:], uint16(len(acl)))
	f.Add(listOnly(0, acl))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		aces, err := parseDACL(b) // must not panic, whatever comes
		if err == nil {
			rights{aces: aces, tokens: []string{sid}}.allows(rightWriteProperty, typeMember)
		}
	})
}

func TestRights(t *testing.T) {
	const me, other = "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-1106"
	tests := []struct {
		name string
		aces []ace
		want bool
	}{
		{"nothing", nil, false},
		{"exactly that right", []ace{{kind: aceAllowObject, mask: rightWriteProperty, object: typeMember, sid: me}}, true},
		{"on everything", []ace{{kind: aceAllow, mask: rightWriteProperty, sid: me}}, true},
		{"full control", []ace{{kind: aceAllow, mask: rightGenericAll, sid: me}}, true},
		{"on something else", []ace{{kind: aceAllowObject, mask: rightWriteProperty, object: typeInfo, sid: me}}, false},
		{"another right", []ace{{kind: aceAllow, mask: rightControl, sid: me}}, false},
		{"somebody else's", []ace{{kind: aceAllow, mask: rightWriteProperty, sid: other}}, false},
		{"for children only", []ace{{kind: aceAllow, flags: aceInheritOnly, mask: rightWriteProperty, sid: me}}, false},
		{"denied first", []ace{{kind: aceDeny, mask: rightWriteProperty, sid: me}, {kind: aceAllow, mask: rightWriteProperty, sid: me}}, false},
		{"denied elsewhere", []ace{{kind: aceDenyObject, mask: rightWriteProperty, object: typeInfo, sid: me}, {kind: aceAllow, mask: rightWriteProperty, sid: me}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (rights{aces: tt.aces, tokens: []string{me}}).allows(rightWriteProperty, typeMember); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestFileTime(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 6, 20, 0, time.UTC)
	if got := fromFileTime(toFileTime(at)); !got.Equal(at) {
		t.Errorf("%v became %v", at, got)
	}
	if toFileTime(time.Unix(0, 0)) != 116444736000000000 {
		t.Error("the start of Unix time is elsewhere")
	}
}

func FuzzMark(f *testing.F) {
	f.Add("jitney:abc:clean:4:nonce")
	f.Add("jitney::live:-1:")
	f.Fuzz(func(t *testing.T, s string) {
		m, ok := parseMark(s)
		if !ok {
			return
		}
		if again, ok := parseMark(m.String()); !ok || again != m {
			t.Errorf("%q became %q", s, m.String())
		}
		next := m.next(phaseEnding, 0)
		if m.seq < 1<<62 && (next.seq <= m.seq || next.nonce == m.nonce) {
			t.Errorf("%v is not after %v", next, m)
		}
	})
}

func TestTTL(t *testing.T) {
	for v, want := range map[string]time.Duration{"<TTL=60,CN=a,DC=b>": time.Minute, "<TTL=60>,CN=a,DC=b": time.Minute, "CN=a,DC=b": -1, "<TTL=x,CN=a>": -1, "<TTL=-1,CN=a>": -1, "<TTL=99999999999,CN=a>": -1} {
		left, dn, ok := parseTTL(v)
		if ok != (want >= 0) || ok && (left != want || dn != "CN=a,DC=b") {
			t.Errorf("%s: %v, %q, %v", v, left, dn, ok)
		}
	}
}
