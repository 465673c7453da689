package ad

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Sizes that bound what a hostile server can do.
const (
	pageSize   = 500
	maxEntries = 20_000
	maxBytes   = 16 << 20 // of answers to one request
	maxValues  = 100_000  // of one attribute
)

// limits bound what a slow server can do.
type limits struct {
	dial     time.Duration // reach and TLS, each
	call     time.Duration // one request
	patience time.Duration // with a preferred domain controller, before the next is tried beside it: hung ones must not use up the time of a whole look
}

// usual are the limits, but in tests of something else on a slow machine.
func usual() limits {
	return limits{dial: 5 * time.Second, call: 10 * time.Second, patience: time.Second}
}

var (
	errBudget  = errors.New("the answer is larger than any honest one")
	errTooMany = errors.New("more results than can be right")
)

// An endpoint is one domain controller as it is dialled.
type endpoint struct {
	host string // name or address, also what its certificate must say
	port string
}

func (e endpoint) String() string {
	if e.port == "636" || e.port == "389" {
		return e.host
	}
	return net.JoinHostPort(e.host, e.port)
}

// A conn is one connection to one domain controller. It is not used by two
// goroutines at once.
type conn struct {
	ldap *ldap.Conn
	raw  *budgetConn
	ep   endpoint
	dc   string // for people
	tls  tls.ConnectionState
	limits
}

// dial connects to e with TLS. The connection is anonymous. It dies with ctx.
func dial(ctx context.Context, e endpoint, s *settings) (*conn, error) {
	d := net.Dialer{Timeout: s.limits.dial}
	tcp, err := d.DialContext(ctx, "tcp", net.JoinHostPort(e.host, e.port))
	if err != nil {
		return nil, explain(err, "reach the domain controller", e.String())
	}
	raw := &budgetConn{Conn: tcp, patience: s.call}
	raw.left.Store(maxBytes)
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots, ServerName: e.host}
	c := &conn{raw: raw, ep: e, dc: e.String(), limits: s.limits}
	_ = tcp.SetDeadline(time.Now().Add(s.limits.dial)) // the handshake's; each request has its own
	if s.startTLS {
		err = c.startTLS(ctx, cfg)
	} else {
		err = c.ldaps(ctx, cfg)
	}
	if err != nil {
		tcp.Close()
		return nil, explain(err, "open a protected connection", e.String())
	}
	_ = tcp.SetDeadline(time.Time{})
	return c, nil
}

func (c *conn) ldaps(ctx context.Context, cfg *tls.Config) error {
	t := tls.Client(c.raw, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	c.tls = t.ConnectionState()
	c.ldap = ldap.NewConn(t, true)
	c.ldap.Start()
	c.ldap.SetTimeout(c.call)
	return nil
}

func (c *conn) startTLS(ctx context.Context, cfg *tls.Config) error {
	c.ldap = ldap.NewConn(c.raw, false)
	c.ldap.Start()
	c.ldap.SetTimeout(c.limits.dial)
	if err := c.do(ctx, func() error { return c.ldap.StartTLS(cfg) }); err != nil {
		return err
	}
	state, ok := c.ldap.TLSConnectionState()
	if !ok || !state.HandshakeComplete {
		return errors.New("StartTLS left the connection open")
	}
	c.tls = state
	c.ldap.SetTimeout(c.call)
	return nil
}

// Close ends the connection. It does not wait for the server.
func (c *conn) Close() {
	c.abort()
	go c.ldap.Close() // waits for its own goroutines only
}

// abort ends the connection at once and drops what was not sent yet: the system
// would go on trying to deliver it for minutes.
func (c *conn) abort() {
	if tcp, ok := c.raw.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.raw.Conn.Close()
}

// do runs one exchange with the server and gives up when ctx ends: go-ldap
// knows no context, so the connection is closed under it. What became of a
// change is then unknown.
func (c *conn) do(ctx context.Context, exchange func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.raw.left.Store(maxBytes)
	stop := context.AfterFunc(ctx, c.abort)
	defer stop()
	err := exchange()
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w (%v)", ctx.Err(), err)
	case err != nil && c.raw.left.Load() <= 0:
		return errBudget
	}
	return err
}

// bind signs in. The name can be a DN, a user principal name or DOMAIN\name.
func (c *conn) bind(ctx context.Context, name, password string) error {
	return c.do(ctx, func() error { return c.ldap.Bind(name, password) })
}

func (c *conn) add(ctx context.Context, r *ldap.AddRequest) error {
	return c.do(ctx, func() error { return c.ldap.Add(r) })
}

func (c *conn) modify(ctx context.Context, r *ldap.ModifyRequest) error {
	return c.do(ctx, func() error { return c.ldap.Modify(r) })
}

func (c *conn) delete(ctx context.Context, dn string) error {
	return c.do(ctx, func() error { return c.ldap.Del(ldap.NewDelRequest(dn, nil)) })
}

// read reads one object by DN, <SID=…> or <GUID=…>. It is nil, without an
// error, if there is no such object.
func (c *conn) read(ctx context.Context, base string, controls []ldap.Control, attrs ...string) (*ldap.Entry, error) {
	r := ldap.NewSearchRequest(base, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 2, int(c.call/time.Second), false, "(objectClass=*)", attrs, controls)
	var got *ldap.SearchResult
	err := c.do(ctx, func() (err error) { got, err = c.ldap.Search(r); return err })
	switch {
	case isCode(err, ldap.LDAPResultNoSuchObject):
		return nil, nil
	case err != nil:
		return nil, err
	case len(got.Entries) == 0:
		return nil, nil
	case len(got.Entries) > 1:
		return nil, errTooMany
	}
	return got.Entries[0], nil
}

// search reads every object below base that filter matches, page by page.
// Referrals to other domains are neither asked for nor followed.
func (c *conn) search(ctx context.Context, base string, scope int, filter string, attrs ...string) ([]*ldap.Entry, error) {
	paging := ldap.NewControlPaging(pageSize)
	domainOnly := ldap.NewControlString(ldap.ControlTypeMicrosoftDomainScope, false, "")
	r := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, int(c.call/time.Second), false, filter, attrs, []ldap.Control{paging, domainOnly})
	var all []*ldap.Entry
	for {
		var got *ldap.SearchResult
		if err := c.do(ctx, func() (err error) { got, err = c.ldap.Search(r); return err }); err != nil {
			return nil, err
		}
		all = append(all, got.Entries...)
		if len(all) > maxEntries {
			return nil, errTooMany
		}
		next, ok := ldap.FindControl(got.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return all, nil
		}
		if len(got.Entries) == 0 && string(next.Cookie) == string(paging.Cookie) {
			return nil, errTooMany // a server that turns in circles
		}
		paging.SetCookie(next.Cookie)
	}
}

// values reads every value of an attribute that may have more than a server
// gives at once: Windows answers member;range=0-1499 and wants to be asked for
// the rest. [MS-ADTS] 3.1.1.3.1.3.3
func (c *conn) values(ctx context.Context, base, attr string, controls ...ldap.Control) ([]string, error) {
	var all []string
	ask := attr
	for {
		e, err := c.read(ctx, base, controls, ask)
		if err != nil || e == nil {
			return nil, err
		}
		got, last, more := rangeOf(e, attr)
		all = append(all, got...)
		if !more {
			return all, nil
		}
		if len(got) == 0 || len(all) > maxValues || last+1 != len(all) {
			return nil, errTooMany
		}
		ask = attr + ";range=" + strconv.Itoa(last+1) + "-*"
	}
}

// rangeOf finds the values of attr in e, and whether there are more after the
// one with index last.
func rangeOf(e *ldap.Entry, attr string) (values []string, last int, more bool) {
	for _, a := range e.Attributes {
		name, option, ranged := strings.Cut(strings.ToLower(a.Name), ";range=")
		if name != strings.ToLower(attr) {
			continue
		}
		if !ranged {
			if len(a.Values) > 0 {
				return a.Values, 0, false
			}
			continue // an empty member beside the ranged one
		}
		_, end, _ := strings.Cut(option, "-")
		last, err := strconv.Atoi(end)
		return a.Values, last, err == nil // the last range ends in *
	}
	return nil, 0, false
}

// A budgetConn gives up on a server that answers without end, and on one that
// does not take what is sent to it.
type budgetConn struct {
	net.Conn
	patience time.Duration // with one write
	left     atomic.Int64
}

func (b *budgetConn) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if b.left.Add(-int64(n)) <= 0 {
		return 0, errBudget
	}
	return n, err
}

func (b *budgetConn) Write(p []byte) (int, error) {
	_ = b.Conn.SetWriteDeadline(time.Now().Add(b.patience))
	return b.Conn.Write(p)
}
