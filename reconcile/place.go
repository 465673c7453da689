package reconcile

import (
	"crypto/rand"
	"strings"

	"jitney/access"
	"jitney/secret"
)

// newID makes random lowercase text.
func newID() string { return strings.ToLower(rand.Text()) }

// place is where a credential is sealed for.
func place(c access.Credential) secret.Place {
	return secret.Place{Table: "credentials", Row: c.Place, Column: "sealed"}
}

// ours reports whether a credential lies where it was sealed for, so that a
// row that was moved to another account opens nowhere.
func ours(c access.Credential) bool {
	return c.Account != "" && (strings.HasPrefix(c.Place, c.Account+"/") || strings.HasPrefix(c.Place, "offer:"+c.Recipient+":"))
}

// clean drops control characters from text that came from outside, and bounds
// it to n characters.
func clean(s string, n int) string {
	out := make([]rune, 0, min(len(s), n))
	for _, r := range s {
		switch {
		case len(out) == n:
			return string(out)
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			out = append(out, ' ')
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffd || isBidi(r):
		default:
			out = append(out, r)
		}
	}
	return string(out)
}

// isBidi reports whether r changes the direction of text, which could make a
// name read as another.
func isBidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f
}
