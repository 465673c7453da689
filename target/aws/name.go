package aws

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode"

	"jitney/access"
)

// Bounds of what STS takes.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	maxName = 64
	maxTag  = 256
)

// markLength is how many characters of an account's ID mark its sessions: 80
// bits, so that a mark never meets another one.
const markLength = 16

// markOf is what the names of a's sessions end with, and what the deny on the
// role goes by. It does not depend on the person's name, which may change.
func markOf(a access.Account) string {
	id := a.ID
	own := len(id) >= markLength && !strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	if !own {
		sum := sha256.Sum256([]byte(id))
		id = strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	}
	return id[:markLength]
}

// sessionName is what the target's log calls a's sessions: who it is, and the mark.
func sessionName(a access.Account) string {
	mark := markOf(a)
	who := word(a.Holder.Login, maxName-1-len(mark))
	if who == "" {
		who = "jitney"
	}
	return who + "-" + mark
}

// foretell is the name of a's sessions as far as it is known before there is one.
func foretell(login string) string { return word(login, maxName-1-markLength) + "-…" }

// sourceIdentity is who stands behind a's sessions, for the target's log.
func sourceIdentity(a access.Account) string {
	if who := word(a.Holder.Login, maxName); len(who) >= 2 {
		return who
	}
	return sessionName(a)
}

// word makes text fit for names of sessions, of which AWS takes letters and
// digits of ASCII and _+=,.@-. It is empty if nothing is left.
func word(text string, most int) string {
	var b strings.Builder
	gap := false
	for _, r := range text {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_+=,.@-", r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('-')
		}
		gap = false
		b.WriteRune(r)
	}
	out := b.String()
	if len(out) > most {
		out = out[:most]
	}
	return strings.Trim(out, "-.,=+")
}

// tagValue makes text fit for the value of a session tag.
func tagValue(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n == maxTag {
			break
		}
		n++
		switch {
		case r == unicode.ReplacementChar:
			b.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.Is(unicode.Z, r), strings.ContainsRune("_.:/=+-@", r):
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	return b.String()
}

// tagsOf are the marks of a session: the grant, the person and the customer.
func tagsOf(a access.Account, grant string) map[string]string {
	out := map[string]string{"jitney:person": tagValue(a.Holder.Login), "jitney:customer": tagValue(a.Customer)}
	if grant != "" {
		out["jitney:grant"] = tagValue(grant)
	}
	return out
}
