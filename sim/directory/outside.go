package directory

import (
	"fmt"
	"strconv"
	"strings"

	"jitney/secret"
)

// bindCode finds the data code in a refused sign-in.
func bindCode(err error) string {
	if err == nil {
		return ""
	}
	_, rest, _ := strings.Cut(err.Error(), "data ")
	code, _, _ := strings.Cut(rest, ",")
	return code
}

// outside runs a change on the first controller as somebody who may do everything.
func (d *Domain) outside(act func(t *tree) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deliver()
	return act(d.dcs[0].tree)
}

// Outsider acts as an administrator of the domain who knows nothing of the product: by hand, on one controller.
// Accounts and groups are named by sAMAccountName.
type Outsider struct{ c *Controller }

// Outsider acts on the first controller.
func (d *Domain) Outsider() Outsider { return Outsider{d.dcs[0]} }

// Outsider acts on this controller.
func (c *Controller) Outsider() Outsider { return Outsider{c} }

// on runs a request against the entry that sam names.
func (o Outsider) on(sam string, act func(w *writer, e *entry, name string) error) error {
	d := o.c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deliver()
	e := o.c.tree.bySAM(sam)
	if e == nil {
		return fmt.Errorf("directory: no %s", sam)
	}
	w := &writer{t: o.c.tree, s: &session{bound: true, system: true, name: witness}, dc: o.c.n, secure: true}
	return act(w, e, "<GUID="+e.id.String()+">")
}

func (o Outsider) change(sam string, op int, attr string, values ...string) error {
	return o.on(sam, func(w *writer, _ *entry, name string) error {
		return w.modify(name, []change{{op: op, attr: attr, values: values}})
	})
}

// AddMember puts an account or group into a group.
func (o Outsider) AddMember(group, member string) error { return o.link(opAdd, group, member) }

// RemoveMember takes it out.
func (o Outsider) RemoveMember(group, member string) error { return o.link(opDelete, group, member) }

func (o Outsider) link(op int, group, member string) error {
	id := ""
	err := o.on(member, func(_ *writer, e *entry, _ string) error { id = e.id.String(); return nil })
	if err != nil {
		return err
	}
	return o.change(group, op, "member", "<GUID="+id+">")
}

// Set replaces an attribute; no values remove it.
func (o Outsider) Set(sam, attr string, values ...string) error {
	return o.change(sam, opReplace, attr, values...)
}

// Disable switches an account off.
func (o Outsider) Disable(sam string) error { return o.flag(sam, true) }

// Enable switches it on.
func (o Outsider) Enable(sam string) error { return o.flag(sam, false) }

func (o Outsider) flag(sam string, off bool) error {
	return o.on(sam, func(w *writer, e *entry, name string) error {
		n := e.number("userAccountControl") &^ uacDisabled
		if off {
			n |= uacDisabled
		}
		return w.modify(name, []change{{op: opReplace, attr: "userAccountControl", values: []string{strconv.FormatInt(n, 10)}}})
	})
}

// SetPrimaryGroup makes a group, of which the account must be a member, its primary one. The membership then no longer
// shows in the group's list.
func (o Outsider) SetPrimaryGroup(sam string, rid int64) error {
	return o.Set(sam, "primaryGroupID", strconv.FormatInt(rid, 10))
}

// Reset gives an account a new password.
func (o Outsider) Reset(sam string, pw secret.Text) error {
	return o.change(sam, opReplace, "unicodePwd", EncodePassword(pw))
}

// Rename changes the object's common name. Its identity stays.
func (o Outsider) Rename(sam, cn string) error {
	return o.on(sam, func(w *writer, _ *entry, name string) error { return w.move(name, "CN="+escapeRDN(cn), "") })
}

// Move puts the object below another one, given as a distinguished name.
func (o Outsider) Move(sam, parent string) error {
	return o.on(sam, func(w *writer, e *entry, name string) error {
		return w.move(name, "CN="+escapeRDN(e.rdn), parent)
	})
}

// Delete removes the object.
func (o Outsider) Delete(sam string) error {
	return o.on(sam, func(w *writer, _ *entry, name string) error { return w.remove(name, true) })
}

// CreateUser makes an enabled account below parent, a distinguished name; "" is the container Users.
func (o Outsider) CreateUser(sam string, pw secret.Text, parent string) error {
	return o.create(sam, parent, []change{
		{attr: "objectClass", values: []string{"user"}}, {attr: "sAMAccountName", values: []string{sam}},
		{attr: "userPrincipalName", values: []string{sam + "@" + o.c.d.opt.Domain}}, {attr: "userAccountControl", values: []string{"512"}},
		{attr: "unicodePwd", values: []string{EncodePassword(pw)}, op: opReplace},
	})
}

// CreateGroup makes a global security group.
func (o Outsider) CreateGroup(sam, parent string) error {
	return o.create(sam, parent, []change{{attr: "objectClass", values: []string{"group"}}, {attr: "sAMAccountName", values: []string{sam}}})
}

func (o Outsider) create(cn, parent string, attrs []change) error {
	d := o.c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deliver()
	if parent == "" {
		parent = "CN=Users," + d.base
	}
	w := &writer{t: o.c.tree, s: &session{bound: true, system: true, name: witness}, dc: o.c.n, secure: true}
	return w.add("CN="+escapeRDN(cn)+","+parent, attrs)
}

// EncodePassword writes a password as unicodePwd takes it: in quotes, UTF-16LE.
func EncodePassword(pw secret.Text) string {
	var out []byte
	for _, u := range utf16Of(`"` + pw.Reveal() + `"`) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}
