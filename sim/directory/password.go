package directory

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// oldPasswordLives is how long the password before the last one still signs in after one reset. KB906305
const oldPasswordLives = time.Hour

// decodePassword reads a unicodePwd value: the password in quotes, UTF-16LE.
func decodePassword(raw string) (string, error) {
	bad := refuse(unwilling, "00002035: SvcErr: DSID-031A11E5, problem 5003 (WILL_NOT_PERFORM), data 0\n")
	if len(raw) < 4 || len(raw)%2 != 0 || len(raw) > 1024 {
		return "", bad
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i]) | uint16(raw[2*i+1])<<8
	}
	text := string(utf16.Decode(units))
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return "", bad
	}
	return text[1 : len(text)-1], nil
}

func tooWeak() error {
	return refuse(constraintViolation, "0000052D: AtrErr: DSID-03191083, #1:\n\t0: 0000052D: DSID-03191083, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)\n")
}

// strong applies the domain's policy: length, three of five kinds of character, and not the name of the account.
func strong(d *Domain, pw string, e *entry) error {
	if len([]rune(pw)) < d.opt.MinPassword {
		return tooWeak()
	}
	var upper, lower, digit, other, letter int
	for _, r := range pw {
		switch {
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsDigit(r):
			digit = 1
		case unicode.IsLetter(r):
			letter = 1
		default:
			other = 1
		}
	}
	if upper+lower+digit+other+letter < 3 {
		return tooWeak()
	}
	if name := e.get("sAMAccountName"); len(name) > 2 && strings.Contains(fold(pw), fold(name)) {
		return tooWeak()
	}
	return nil
}

// reset gives e a new password. The one before lives on for a while, once.
func (t door) reset(e *entry, pw string) {
	stamp := t.stamp()
	now := t.d.opt.Now()
	e.pw = password{current: pw, previous: e.pw.current, changed: now}
	e.stamps["#password"] = stamp
	e.setNumber(stamp, "pwdLastSet", fileTime(now))
}

// matches reports whether pw signs in as e, and whether it is the current one.
func (t door) matches(e *entry, pw string) (ok, current bool) {
	switch {
	case pw == "":
		return false, false
	case pw == e.pw.current:
		return true, true
	case pw == e.pw.previous && t.d.opt.Now().Sub(e.pw.changed) < oldPasswordLives:
		return true, false
	}
	return false, false
}

func utf16Of(s string) []uint16 { return utf16.Encode([]rune(s)) }
