package directory

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

const maxMessage = 4 << 20 // bytes of one request

// LDAP protocol operations by their application tag, RFC 4511.
const (
	tagBind         = 0
	tagUnbind       = 2
	tagSearch       = 3
	tagEntry        = 4
	tagSearchDone   = 5
	tagModify       = 6
	tagAdd          = 8
	tagDelete       = 10
	tagRename       = 12
	tagCompare      = 14
	tagAbandon      = 16
	tagReferral     = 19
	tagExtended     = 23
	tagExtendedDone = 24
)

func (c *Controller) listen(address string) (err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not a loopback address", host)
	}
	if c.tls, err = c.d.ca.issue(c.Host(), ip); err != nil {
		return err
	}
	if c.ldaps, err = net.Listen("tcp", address); err != nil {
		return err
	}
	if c.plain, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
		return err
	}
	c.conns.Go(func() { c.accept(c.ldaps, true) })
	c.conns.Go(func() { c.accept(c.plain, false) })
	return nil
}

func (c *Controller) accept(l net.Listener, secure bool) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		refused := c.isDown || c.isClosed
		if !refused {
			c.open[nc] = struct{}{}
		}
		c.mu.Unlock()
		if refused {
			_ = nc.Close()
			continue
		}
		c.conns.Go(func() { c.serve(nc, secure) })
	}
}

func (c *Controller) close() {
	c.mu.Lock()
	c.isClosed = true
	if c.thaw != nil {
		close(c.thaw)
		c.thaw = nil
	}
	for nc := range c.open {
		_ = nc.Close()
	}
	c.mu.Unlock()
	for _, l := range []net.Listener{c.ldaps, c.plain} {
		if l != nil {
			_ = l.Close()
		}
	}
	c.conns.Wait()
}

// A peer is one connection.
type peer struct {
	c       *Controller
	raw     net.Conn
	conn    net.Conn // raw, or TLS over it
	in      *bufio.Reader
	secure  bool
	session *session
	pages   map[string][]guid
	nextID  int
}

func (c *Controller) serve(nc net.Conn, secure bool) {
	defer func() {
		c.mu.Lock()
		delete(c.open, nc)
		c.mu.Unlock()
		_ = nc.Close()
	}()
	p := &peer{c: c, raw: nc, conn: nc, secure: secure, session: &session{}, pages: map[string][]guid{}}
	if secure && !p.encrypt() {
		return
	}
	p.in = bufio.NewReader(p.conn)
	for {
		m, err := p.read()
		if err != nil || !p.handle(m) {
			return
		}
	}
}

// encrypt starts TLS. A frozen controller does not shake hands.
func (p *peer) encrypt() bool {
	if !p.c.wait() {
		return false
	}
	t := tls.Server(p.raw, p.c.tls)
	_ = p.raw.SetDeadline(time.Now().Add(30 * time.Second))
	if t.Handshake() != nil {
		return false
	}
	_ = p.raw.SetDeadline(time.Time{})
	p.conn, p.secure = t, true
	p.in = bufio.NewReader(p.conn)
	return true
}

// A message is one request.
type message struct {
	id       int64
	op       *ber.Packet
	controls map[string]control
}

type control struct {
	critical bool
	value    string
}

// read takes one request off the connection; one that is too large ends it.
func (p *peer) read() (message, error) {
	head, err := p.in.Peek(2)
	if err != nil {
		return message{}, err
	}
	if n := int(head[1]); n >= 0x80 {
		count := n & 0x7f
		if count == 0 || count > 4 {
			return message{}, errors.New("bad length")
		}
		if head, err = p.in.Peek(2 + count); err != nil {
			return message{}, err
		}
		size := 0
		for _, b := range head[2:] {
			size = size<<8 | int(b)
		}
		if size > maxMessage {
			return message{}, errors.New("too large")
		}
	}
	packet, err := ber.ReadPacket(p.in)
	if err != nil {
		return message{}, err
	}
	if len(packet.Children) < 2 {
		return message{}, errors.New("not an LDAP message")
	}
	id, ok := packet.Children[0].Value.(int64)
	if !ok {
		return message{}, errors.New("no message number")
	}
	m := message{id: id, op: packet.Children[1], controls: map[string]control{}}
	if len(packet.Children) > 2 {
		for _, one := range packet.Children[2].Children {
			if len(one.Children) == 0 {
				continue
			}
			var ctl control
			for _, part := range one.Children[1:] {
				if critical, ok := part.Value.(bool); ok && part.Tag == ber.TagBoolean {
					ctl.critical = critical
				} else {
					ctl.value = raw(part)
				}
			}
			m.controls[raw(one.Children[0])] = ctl
		}
	}
	return m, nil
}

// child returns the n-th part of a packet, or an empty one.
func child(p *ber.Packet, n int) *ber.Packet {
	if p == nil || n >= len(p.Children) {
		return &ber.Packet{}
	}
	return p.Children[n]
}

func envelope(id int64) *ber.Packet {
	out := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	out.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	return out
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func (p *peer) write(packet *ber.Packet) bool {
	_ = p.raw.SetWriteDeadline(time.Now().Add(30 * time.Second))
	_, err := p.conn.Write(packet.Bytes())
	return err == nil
}

// result answers a request. extra is appended inside the answer, control outside.
func (p *peer) result(m message, tag ber.Tag, err error, extra, ctl *ber.Packet) bool {
	code, text := success, ""
	var r *refusal
	if errors.As(err, &r) {
		code, text = r.code, r.text
	} else if err != nil {
		code, text = operationsError, err.Error()
	}
	body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	body.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	body.AppendChild(octets(""))
	body.AppendChild(octets(text))
	if extra != nil {
		body.AppendChild(extra)
	}
	out := envelope(m.id)
	out.AppendChild(body)
	if ctl != nil {
		out.AppendChild(ctl)
	}
	return p.write(out)
}

func (p *peer) sendRow(m message, r row, typesOnly bool) bool {
	body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tagEntry, nil, "")
	body.AppendChild(octets(r.dn))
	list := ber.NewSequence("")
	for _, a := range r.attrs {
		one := ber.NewSequence("")
		one.AppendChild(octets(a.name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range a.values {
			if !typesOnly {
				set.AppendChild(octets(v))
			}
		}
		one.AppendChild(set)
		list.AppendChild(one)
	}
	body.AppendChild(list)
	out := envelope(m.id)
	out.AppendChild(body)
	return p.write(out)
}
