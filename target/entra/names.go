package entra

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"jitney/access"
)

// Marks that an account of ours bears. Any of them can be lost: people change
// properties, and deleted users do not show all of them. An account counts as
// ours if two of three agree: employeeId, jobTitle, and the end of its name.
const (
	aliasPrefix  = "jit-"
	employeeType = "jitney"
	titlePrefix  = "jitney:" // the account's ID follows, in full, in jobTitle
)

// Limits of Microsoft Graph for a user: the name before the @ 64 characters,
// employeeId 16, jobTitle 128, displayName 256.
// https://learn.microsoft.com/graph/api/resources/user
const (
	maxReadable = 20
	maxID       = 100
)

// alias is the name before the @ of the account with that ID: the same for the
// same ID and holder, always, and different for every ID.
func alias(login, id string) string {
	return aliasPrefix + readable(login) + "-" + short(id)
}

// readable is what of a login can stand in a name.
func readable(login string) string {
	user, _, _ := strings.Cut(strings.ToLower(login), "@")
	var b strings.Builder
	for _, r := range user {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	if len(name) > maxReadable {
		name = name[:maxReadable]
	}
	if name = strings.Trim(name, "-"); name == "" {
		return "admin"
	}
	return name
}

// short is what the name of the account with that ID ends in.
func short(id string) string { return digest("name", id)[:10] }

// mark is the employeeId of the account with that ID: its beginning.
func mark(id string) string {
	if len(id) < 16 {
		return digest("mark", id)[:16]
	}
	return id[:16]
}

func digest(purpose, id string) string {
	sum := sha256.Sum256([]byte("jitney\x00" + purpose + "\x00" + id))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
}

// bears reports whether u bears the marks of the account with that ID.
func (u *user) bears(id string) bool {
	agree := 0
	if u.EmployeeID == mark(id) {
		agree++
	}
	if u.JobTitle == titlePrefix+id {
		agree++
	}
	name, _, _ := strings.Cut(strings.ToLower(u.UserPrincipalName), "@")
	if strings.HasSuffix(name, "-"+short(id)) || strings.HasSuffix(strings.ToLower(u.MailNickname), "-"+short(id)) {
		agree++
	}
	return agree >= 2
}

// marked reports the ID of the account that u is; empty if it is none of ours.
func (u *user) marked() string {
	id, ok := strings.CutPrefix(u.JobTitle, titlePrefix)
	if !ok || !validID(id) || !u.bears(id) {
		return ""
	}
	return id
}

// displayName is how the account is listed in the customer's directory.
func displayName(h access.Holder) string {
	name := clip(strings.TrimSpace(h.Name), 100)
	if name == "" {
		name = readable(h.Login)
	}
	return "Temporary admin " + name
}

// validID reports whether s can be one of our ids: it needs no escaping anywhere.
func validID(s string) bool { return s != "" && len(s) <= maxID && only(s, "-_") }

// validGUID reports whether s is a GUID in lower case.
func validGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (r == '-') || !dash && (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}

// validUPN reports whether s is a name that a request can be made with.
func validUPN(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && len(s) <= 200 && only(name, "-_.") && validDomain(domain)
}

func validDomain(s string) bool {
	return s != "" && len(s) <= 150 && strings.Contains(s, ".") && only(s, "-.") && strings.Trim(s, "-.") == s
}

// validOpaque reports whether s can be an id that only Graph understands, such
// as that of a role assignment.
func validOpaque(s string) bool { return s != "" && len(s) <= 300 && only(s, "-_=") }

// only reports whether s is made of letters, digits and the characters in more.
func only(s, more string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(more, r)
	})
}

// clip bounds text from outside to n characters of one line.
func clip(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if n--; n < 0 {
			return b.String() + "…"
		}
		if r < ' ' || r == 0x7f || r == 0xfffd {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}
