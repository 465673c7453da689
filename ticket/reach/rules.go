package reach

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Rules say which addresses calls may go to. The zero Rules allow public ones
// only. They come from who runs the server, never from a form.
type Rules struct {
	// Private are the exceptions: host names that may stand for an address of
	// a private network or of this machine, and addresses or prefixes
	// (10.1.0.0/16) that may be called by any name.
	Private []string
}

// special are networks that are not the public internet, beyond those that
// package netip tells.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// public reports whether ip belongs to the public internet.
func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Allows reports whether a call to host may go to ip. Addresses of the link,
// where clouds keep the keys of a machine, need to be named as addresses.
func (r Rules) Allows(host string, ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	switch {
	case !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast():
		return false
	case public(ip):
		return true
	}
	for _, named := range r.Private {
		if p, err := netip.ParsePrefix(named); err == nil && p.Contains(ip) {
			return true
		}
		if a, err := netip.ParseAddr(named); err == nil && a == ip {
			return true
		}
	}
	return !ip.IsLinkLocalUnicast() && r.Named(host)
}

// Named reports whether host is one of the exceptions.
func (r Rules) Named(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip, err := netip.ParseAddr(host)
	return slices.ContainsFunc(r.Private, func(named string) bool {
		if p, perr := netip.ParsePrefix(named); perr == nil {
			return err == nil && p.Contains(ip.Unmap())
		}
		return strings.TrimSuffix(strings.ToLower(named), ".") == host
	})
}

// A refusal says that a name stands for an address that must not be called.
type refusal struct{ host, address string }

func (r *refusal) Error() string {
	return fmt.Sprintf("%s is at %s, which is refused", r.host, r.address)
}

// dial connects. The address is checked after the name was resolved and right
// before the connection is made, so no name server can change it in between.
func (r Rules) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err != nil || !r.Allows(host, to.Addr()) {
			return &refusal{host, address}
		}
		return nil
	}}
	return d.DialContext(ctx, network, addr)
}

// client is an HTTP client that follows the rules, and no redirect: what a
// reply names gets neither credentials nor data. It asks no proxy, keeps no
// cookies and unpacks nothing.
func (r Rules) client(tlsConfig *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: r.dial, TLSClientConfig: tlsConfig, TLSHandshakeTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 4,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
