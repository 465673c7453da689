package keep

import (
	"net/netip"
	"net/url"
	"strings"

	"jitney/cli/exit"
)

// Origin reports an address of Jitney as scheme://host[:port], in lower case
// and without a usual port. The scheme may be left out and is then https; http
// is taken only on this computer, since a token goes there.
func Origin(host string) (string, error) {
	wrong := func(text string) error {
		return exit.New(exit.Usage, text, "Give the address of Jitney, such as https://jitney.example.net, with --host or JITNEY_HOST.")
	}
	if host == "" {
		return "", wrong("The address of Jitney is not set.")
	}
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	u, err := url.Parse(host)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Opaque != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || len(host) > 300 ||
		strings.ContainsFunc(u.Host, func(c rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]", c)
		}) {
		return "", wrong("The address of Jitney must be a scheme and a host, such as https://jitney.example.net, and nothing more.")
	}
	scheme, name, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	switch {
	case scheme == "http" && !Loopback(name):
		return "", wrong("The address of Jitney must begin with https://: over http anybody on the way could read your token.")
	case scheme != "http" && scheme != "https":
		return "", wrong("The address of Jitney must begin with https://.")
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" && port != map[string]string{"http": "80", "https": "443"}[scheme] {
		name += ":" + port
	}
	return scheme + "://" + name, nil
}

// Loopback reports whether a host name means this computer and nothing else.
func Loopback(name string) bool {
	a, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && a.IsLoopback()
}
