package ad

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Limits of the names of an account.
// https://learn.microsoft.com/windows/win32/adschema/a-samaccountname says 20;
// https://learn.microsoft.com/windows/win32/adschema/a-cn says 64. Samba
// enforces neither, so they are enforced here.
const (
	maxSAM  = 20
	maxLong = 64
	samHead = 13 // what is kept of a long name before the hash
	hashLen = 6  // base32 characters: 30 bits
)

// A Name is what one temporary account is called.
type Name struct {
	// Long is the readable form, at most 64 characters: common name, display
	// name and the part before the @ of the user principal name.
	Long string
	// SAM is the account name, at most 20 characters, legal by Microsoft's rules.
	SAM string
}

// NameFor makes the name of the account that the person with the given login
// gets on a domain: user part, "-", first label of the domain, so that
// example.user@pedroaviary.local on pedroaviary.local becomes
// example.user-pedroaviary.
//
// The same arguments always make the same name. Whenever something had to be
// cut or replaced, the name ends in a hash of person and domain, so that two
// people never share it. A try above 0 makes another name of the same kind,
// for when another temporary account already has the first one.
func NameFor(login, person, domain, prefix string, try int) Name {
	user, _, _ := strings.Cut(login, "@")
	label, _, _ := strings.Cut(domain, ".")
	wish := strings.ToLower(prefix + user + "-" + label)
	hash := nameHash(person, domain, try)

	head := clean(wish)
	long := head
	if head != wish || len(head) > maxLong || !legalSAMStart(head) || try > 0 {
		long = cut(head, maxLong-hashLen-1) + "-" + hash
	}
	sam := long
	if len(sam) > maxSAM {
		sam = cut(head, samHead) + "-" + hash
	}
	return Name{Long: long, SAM: sam}
}

// UPN is the name that people sign in with, on the domain with that DNS name.
func (n Name) UPN(domain string) string { return n.Long + "@" + strings.ToLower(domain) }

// nameHash is six characters that depend on the whole identity.
func nameHash(person, domain string, try int) string {
	sum := sha256.Sum256([]byte(person + "\x00" + strings.ToLower(domain) + "\x00" + string(rune(try))))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:hashLen])
}

// clean replaces every character that is not a lower-case ASCII letter, a
// digit, a dot, a dash or an underscore by a dash. That is stricter than
// Microsoft's rule on purpose: directories compare other letters without
// regard to accents, which would make two names one.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s)
	return strings.Trim(s, ".-_")
}

// cut shortens s to at most n bytes and leaves no separator at its end.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	s = strings.TrimRight(s, ".-_")
	if s == "" {
		return "user"
	}
	return s
}

// legalSAMStart reports whether s holds a letter: names of digits and
// separators alone are refused by Microsoft's rule or look like an id.
func legalSAMStart(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' })
}

// LegalSAM reports whether Microsoft's rules allow s as the sAMAccountName of
// a user: 1 to 20 characters, none of "/\[]:;|=,+*?<>@ nor a control
// character, no space or dot at either end, not dots, spaces and digits alone.
// https://learn.microsoft.com/previous-versions/windows/it-pro/windows-2000-server/bb726984(v=technet.10)
func LegalSAM(s string) bool {
	if s == "" || len([]rune(s)) > maxSAM || strings.Trim(s, " .") != s || strings.HasSuffix(s, "$") {
		return false
	}
	if strings.ContainsAny(s, "\"/\\[]:;|=,+*?<>@") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return false
	}
	return strings.ContainsFunc(s, func(r rune) bool { return r != '.' && r != ' ' && (r < '0' || r > '9') })
}

// escapeRDN writes s as the value of a part of a distinguished name. It also
// escapes the equals sign, which Samba refuses otherwise ("invalid dn").
func escapeRDN(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c < ' ' || c > '~' || strings.IndexByte("\"+,;<>\\=", c) >= 0,
			c == '#' && i == 0, c == ' ' && (i == 0 || i == len(s)-1):
			const hex = "0123456789ABCDEF"
			b.WriteByte('\\')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
