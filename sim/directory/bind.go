package directory

import (
	"strconv"
	"strings"
)

// A session is one signed-in connection. Its token is that of the moment of sign-in and stays until the end, as in a
// real domain: taking a group away does not touch it.
type session struct {
	bound  bool
	system bool // an administrator outside the product, or the domain itself
	name   string
	id     guid
	token  []string
}

// badBind writes a refused sign-in as Active Directory does; data is the Windows error that tells why.
func badBind(data string) error {
	return refuse(invalidCredentials, "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data %s, v2580\x00", data)
}

// A door lets accounts of a tree in.
type door struct{ *tree }

// signIn checks a simple bind against one controller's copy.
func (t door) signIn(name, pw string) (*session, error) {
	e, err := t.who(name)
	if err != nil {
		return nil, err
	}
	now := t.d.opt.Now()
	if t.d.opt.Lockout > 0 && e.number("lockoutTime") != 0 {
		return nil, badBind("775")
	}
	ok, current := t.matches(e, pw)
	if !ok {
		if t.d.opt.Lockout > 0 && pw != e.pw.previous {
			t.wrong(e)
		}
		return nil, badBind("52e")
	}
	expires := e.number("accountExpires")
	switch uac := e.number("userAccountControl"); {
	case uac&uacDisabled != 0:
		return nil, badBind("533")
	case expires != 0 && expires != never && !now.Before(fromFileTime(expires)):
		return nil, badBind("701")
	case e.get("pwdLastSet") == "0" && uac&uacNeverExpires == 0:
		return nil, badBind("773")
	case e.get("logonHours") != "" && strings.Trim(e.get("logonHours"), "\x00") == "":
		return nil, badBind("530")
	}
	for _, g := range t.allGroups(e) {
		if textSID(g.get("objectSid")) == t.d.sid+"-525" {
			return nil, badBind("52f") // Protected Users cannot use a simple bind
		}
	}
	if current && e.get("badPwdCount") != "0" {
		e.set(t.stamp(), "badPwdCount", "0")
	}
	return &session{bound: true, name: e.get("sAMAccountName"), id: e.id, token: t.token(e)}, nil
}

// wrong counts a wrong password and locks the account when there are too many.
func (t door) wrong(e *entry) {
	n := e.number("badPwdCount") + 1
	stamp := t.stamp()
	e.setNumber(stamp, "badPwdCount", n)
	if n >= int64(t.d.opt.Lockout) {
		e.setNumber(stamp, "lockoutTime", fileTime(t.d.opt.Now()))
	}
}

// who finds the account that a bind names: DN, user principal name, name@domain, NETBIOS\name. Two accounts of one
// name, which a replication conflict leaves, are none.
func (t door) who(name string) (*entry, error) {
	if strings.Contains(name, "=") {
		e, err := t.find(name)
		if err != nil || e.get("sAMAccountName") == "" {
			return nil, badBind("525")
		}
		return e, nil
	}
	var found []*entry
	sam := ""
	if netbios, rest, ok := strings.Cut(name, `\`); ok {
		if strings.EqualFold(netbios, t.d.opt.NetBIOS) {
			sam = rest
		}
	} else if at := strings.LastIndex(name, "@"); at > 0 {
		for _, e := range t.entries {
			if !e.deleted && strings.EqualFold(e.get("userPrincipalName"), name) {
				found = append(found, e)
			}
		}
		if len(found) == 0 && strings.EqualFold(name[at+1:], t.d.opt.Domain) {
			sam = name[:at]
		}
	}
	if sam != "" {
		found = t.allBySAM(sam)
	}
	switch len(found) {
	case 0:
		return nil, badBind("525")
	case 1:
		return found[0], nil
	}
	return nil, badBind("52e")
}

func (t *tree) allBySAM(sam string) (out []*entry) {
	for _, e := range t.entries {
		if !e.deleted && strings.EqualFold(e.get("sAMAccountName"), sam) {
			out = append(out, e)
		}
	}
	return out
}

// bySAM finds an account or group by its sAMAccountName.
func (t *tree) bySAM(sam string) *entry {
	if found := t.allBySAM(sam); len(found) == 1 {
		return found[0]
	}
	return nil
}

// computedUAC is msDS-User-Account-Control-Computed.
func (t door) computedUAC(e *entry) string {
	bits := int64(0)
	if e.number("lockoutTime") != 0 {
		bits |= uacLockout
	}
	if e.get("pwdLastSet") == "0" && e.number("userAccountControl")&uacNeverExpires == 0 {
		bits |= uacExpired
	}
	return strconv.FormatInt(bits, 10)
}
