package directory

import (
	"encoding/binary"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// known are the controls that the domain understands.
var known = []string{oidPaged, oidSDFlags, oidTreeDelete, oidDomainScope, oidPermissive, oidLinkTTL}

// handle carries out one request and reports whether the connection goes on.
func (p *peer) handle(m message) bool {
	if !p.c.wait() {
		return false
	}
	op, tag := operation(m.op)
	switch m.op.Tag {
	case tagUnbind:
		return false
	case tagAbandon:
		return true
	}
	for oid, ctl := range m.controls {
		if ctl.critical && !(p.c.understands(oid)) {
			return p.result(m, tag, refuse(unavailableCritical, "00000057: LdapErr: DSID-0C090A14, comment: Error processing control, data 0, v4563"), nil, nil)
		}
	}
	before, after := p.c.d.strike(p.c.n, op)
	if before != nil {
		return before.drop(p, m, tag)
	}
	switch m.op.Tag {
	case tagSearch:
		return p.search(m, after)
	case tagExtended:
		return p.extended(m)
	}
	err := p.act(m)
	if after != nil {
		return after.drop(p, m, tag)
	}
	return p.result(m, tag, err, nil, nil)
}

func (c *Controller) understands(oid string) bool {
	for _, k := range known {
		if k == oid {
			return oid != oidLinkTTL || c.d.opt.PAM
		}
	}
	return false
}

// operation names a request and gives the tag of its answer.
func operation(op *ber.Packet) (Operation, ber.Tag) {
	switch op.Tag {
	case tagBind:
		return Bind, tagBind + 1
	case tagSearch:
		return Search, tagSearchDone
	case tagModify:
		return Modify, tagModify + 1
	case tagAdd:
		return Add, tagAdd + 1
	case tagDelete:
		return Delete, tagDelete + 1
	case tagRename:
		return Rename, tagRename + 1
	case tagCompare:
		return Search, tagCompare + 1
	}
	return Extended, tagExtendedDone
}

// act carries out everything but searches and extended requests.
func (p *peer) act(m message) error {
	p.c.d.mu.Lock()
	defer p.c.d.mu.Unlock()
	p.c.d.deliver()
	if m.op.Tag == tagBind {
		return p.bind(m)
	}
	if !p.session.bound {
		return notBound()
	}
	w := &writer{t: p.c.tree, s: p.session, dc: p.c.n, secure: p.secure}
	switch m.op.Tag {
	case tagModify:
		return w.modify(raw(child(m.op, 0)), changes(child(m.op, 1)))
	case tagAdd:
		var attrs []change
		for _, a := range child(m.op, 1).Children {
			attrs = append(attrs, change{op: opAdd, attr: raw(child(a, 0)), values: rawAll(child(a, 1))})
		}
		return w.add(raw(child(m.op, 0)), attrs)
	case tagDelete:
		_, whole := m.controls[oidTreeDelete]
		return w.remove(raw(m.op), whole)
	case tagRename:
		superior := ""
		if len(m.op.Children) > 3 {
			superior = raw(m.op.Children[3])
		}
		return w.move(raw(child(m.op, 0)), raw(child(m.op, 1)), superior)
	}
	return refuse(protocolError, "00000057: the simulation does not know this operation")
}

func notBound() error {
	return refuse(operationsError, "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v4563")
}

func changes(list *ber.Packet) (out []change) {
	for _, c := range list.Children {
		n, _ := child(c, 0).Value.(int64)
		out = append(out, change{op: int(n), attr: raw(child(child(c, 1), 0)), values: rawAll(child(child(c, 1), 1))})
	}
	return out
}

func rawAll(list *ber.Packet) (out []string) {
	for _, v := range list.Children {
		out = append(out, raw(v))
	}
	return out
}

// bind signs in. A failed one leaves the connection anonymous.
func (p *peer) bind(m message) error {
	p.session = &session{}
	auth := child(m.op, 2)
	if auth.Tag != 0 || auth.ClassType != ber.ClassContext {
		return refuse(7, "00002027: LdapErr: DSID-0C09058A, comment: only simple bind is simulated, data 0, v4563")
	}
	name, pw := raw(child(m.op, 1)), raw(auth)
	if name == "" && pw == "" {
		return nil // anonymous
	}
	if !p.secure {
		return refuse(strongAuthRequired, "00002028: LdapErr: DSID-0C090276, comment: The server requires binds to turn on integrity checking if SSL\\TLS are not already active on the connection, data 0, v4563")
	}
	if pw == "" {
		return nil // an unauthenticated bind "succeeds" as anonymous: the trap that clients must not fall into
	}
	s, err := (door{p.c.tree}).signIn(name, pw)
	if err == nil {
		p.session = s
	}
	return err
}

// extended answers StartTLS and WhoAmI.
func (p *peer) extended(m message) bool {
	switch raw(child(m.op, 0)) {
	case oidStartTLS:
		if p.secure {
			return p.result(m, tagExtendedDone, refuse(operationsError, "00002120: TLS is on already"), nil, nil)
		}
		name := ber.NewString(ber.ClassContext, ber.TypePrimitive, 10, oidStartTLS, "")
		return p.result(m, tagExtendedDone, nil, name, nil) && p.encrypt()
	case oidWhoAmI:
		who := ""
		if p.session.bound {
			who = "u:" + p.c.d.opt.NetBIOS + `\` + p.session.name
		}
		return p.result(m, tagExtendedDone, nil, ber.NewString(ber.ClassContext, ber.TypePrimitive, 11, who, ""), nil)
	}
	return p.result(m, tagExtendedDone, refuse(protocolError, "00000057: LdapErr: unknown extended request"), nil, nil)
}

// search decodes, runs and answers a search.
func (p *peer) search(m message, after *Fault) bool {
	q := query{base: raw(child(m.op, 0)), filter: child(m.op, 6), attrs: rawAll(child(m.op, 7))}
	scope, _ := child(m.op, 1).Value.(int64)
	limit, _ := child(m.op, 3).Value.(int64)
	typesOnly, _ := child(m.op, 5).Value.(bool)
	q.scope, q.limit = int(scope), int(limit)
	_, q.sdFlags = m.controls[oidSDFlags]
	_, q.linkTTL = m.controls[oidLinkTTL]
	_, q.domainScope = m.controls[oidDomainScope]
	if ctl, ok := m.controls[oidPaged]; ok {
		q.paged = true
		if inner, err := ber.DecodePacketErr([]byte(ctl.value)); err == nil && len(inner.Children) == 2 {
			size, _ := inner.Children[0].Value.(int64)
			q.pageSize, q.cookie = int(size), raw(inner.Children[1])
		}
	}
	got, err := p.look(q)
	if after != nil {
		return after.drop(p, m, tagSearchDone)
	}
	for _, r := range got.rows {
		if !p.sendRow(m, r, typesOnly) {
			return false
		}
	}
	if got.referral != "" && err == nil && len(got.more) == 0 {
		body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tagReferral, nil, "")
		body.AppendChild(octets(got.referral))
		out := envelope(m.id)
		out.AppendChild(body)
		if !p.write(out) {
			return false
		}
	}
	if err == nil && got.limited {
		err = refuse(sizeLimitExceeded, "")
	}
	var ctl *ber.Packet
	if q.paged {
		ctl = p.pageControl(got.more)
	}
	return p.result(m, tagSearchDone, err, nil, ctl)
}

// look runs a search on the controller's copy.
func (p *peer) look(q query) (answer, error) {
	p.c.d.mu.Lock()
	defer p.c.d.mu.Unlock()
	p.c.d.deliver()
	if q.base == "" && q.scope == 0 {
		return answer{rows: []row{p.c.rootDSE(p.session).pick(q.attrs)}}, nil
	}
	if !p.session.bound {
		return answer{}, notBound()
	}
	if q.cookie != "" {
		ids, ok := p.pages[q.cookie]
		if !ok {
			return answer{}, refuse(unavailableCritical, "00000057: LdapErr: a page of a search that is over")
		}
		delete(p.pages, q.cookie)
		if q.pageSize == 0 {
			return answer{}, nil // the client gives the rest up
		}
		return (reader{p.c.tree}).page(p.session, q, ids), nil
	}
	return (reader{p.c.tree}).search(p.session, q)
}

// pageControl tells the client whether there is more.
func (p *peer) pageControl(more []guid) *ber.Packet {
	cookie := ""
	if len(more) > 0 && len(p.pages) < 100 {
		p.nextID++
		cookie = strconv.Itoa(p.nextID) + "-" + strings.ToUpper(strconv.FormatUint(uint64(binary.LittleEndian.Uint32(more[0][:])), 16))
		p.pages[cookie] = more
	}
	value := ber.NewSequence("")
	value.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 0, ""))
	value.AppendChild(octets(cookie))
	one := ber.NewSequence("")
	one.AppendChild(octets(oidPaged))
	one.AppendChild(octets(string(value.Bytes())))
	list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	list.AppendChild(one)
	return list
}
