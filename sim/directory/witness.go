package directory

import (
	"slices"
	"time"
)

// witness is the name under which changes from outside the product are journalled.
const witness = "outside"

// A Change is one line of the domain's own journal. It holds no password.
type Change struct {
	At         time.Time
	Controller int    // 1 for the first
	Who        string // the signed-in sAMAccountName, "outside", or "SDProp"
	Op         string // add, modify, delete, rename
	DN         string
	GUID       string
	Attr       string // of a modify
	What       string // what was done to it, in a few words
}

// Account is what one controller knows of an account, computed without LDAP.
type Account struct {
	DN, GUID, SID   string
	SAM, UPN        string
	Control         int64 // userAccountControl
	Disabled        bool
	Expires         time.Time // zero if never
	PrimaryGroup    int64
	Groups          []string // sAMAccountNames of all groups, nested ones and the primary one too
	SPNs            []string
	Info            string
	PasswordSet     time.Time
	ProtectedBySD   bool
	ResetsJournaled int // password resets in the journal
}

// record writes one line into the journal. Domain.mu is held.
func (d *Domain) record(dc int, who, op string, e *entry, attr, what string) {
	d.journal = append(d.journal, Change{At: d.opt.Now(), Controller: dc + 1, Who: who, Op: op, DN: d.dcs[dc].tree.dn(e), GUID: e.id.String(), Attr: attr, What: what})
}

// Journal is every change so far, oldest first, with who made it.
func (d *Domain) Journal() []Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.journal)
}

// Members are the sAMAccountNames of everyone who is in a group in effect, as the first controller sees it: through
// other groups and by primary group, too.
func (d *Domain) Members(group string) []string { return d.dcs[0].Members(group) }

// Account finds an account by its sAMAccountName, as the first controller sees it.
func (d *Domain) Account(sam string) (Account, bool) { return d.dcs[0].Account(sam) }

// SignsIn tries a simple bind as the first controller would, without a connection and without a trace.
// The answer is "" for success, or the data code of Active Directory: 52e, 533, 701 and so on.
func (d *Domain) SignsIn(name, password string) string { return d.dcs[0].SignsIn(name, password) }

// Members is the controller's own view; see Domain.Members.
func (c *Controller) Members(group string) []string {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.deliver()
	g := c.tree.bySAM(group)
	if g == nil {
		return nil
	}
	var out []string
	for _, e := range c.tree.entries {
		if !e.deleted && e.is("user") && slices.Contains(c.tree.allGroups(e), g) {
			out = append(out, e.get("sAMAccountName"))
		}
	}
	slices.Sort(out)
	return out
}

// Account is the controller's own view; see Domain.Account.
func (c *Controller) Account(sam string) (Account, bool) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.deliver()
	e := c.tree.bySAM(sam)
	if e == nil {
		return Account{}, false
	}
	a := Account{
		DN: c.tree.dn(e), GUID: e.id.String(), SID: textSID(e.get("objectSid")), SAM: e.get("sAMAccountName"), UPN: e.get("userPrincipalName"),
		Control: e.number("userAccountControl"), PrimaryGroup: e.number("primaryGroupID"), Info: e.get("info"), ProtectedBySD: e.guarded,
		SPNs: slices.Clone((reader{c.tree}).values(e, "servicePrincipalName", nil)), PasswordSet: e.pw.changed,
	}
	a.Disabled = a.Control&uacDisabled != 0
	if v := e.number("accountExpires"); v != 0 && v != never {
		a.Expires = fromFileTime(v)
	}
	for _, g := range c.tree.allGroups(e) {
		a.Groups = append(a.Groups, g.get("sAMAccountName"))
	}
	slices.Sort(a.Groups)
	for _, line := range c.d.journal {
		if line.GUID == a.GUID && line.Attr == "unicodePwd" {
			a.ResetsJournaled++
		}
	}
	return a, true
}

// SignsIn is the controller's own view; see Domain.SignsIn.
func (c *Controller) SignsIn(name, password string) string {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.deliver()
	copied := c.tree.copy() // a wrong password would count
	_, err := (door{copied}).signIn(name, password)
	return bindCode(err)
}
