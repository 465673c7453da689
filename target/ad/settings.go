package ad

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// Names of the fields of this kind of target.
const (
	fieldDomain      = "domain"
	fieldControllers = "controllers"
	fieldProtocol    = "protocol"
	fieldCA          = "ca"
	fieldBindName    = "bind_name"
	fieldBindPass    = "bind_password"
	fieldOU          = "ou"
	fieldPrefix      = "prefix"
	fieldDomainAdmin = "domain_admin"
	fieldGroups      = "groups"
	fieldProtected   = "protected_users"
)

const (
	protocolLDAPS    = "LDAPS"
	protocolStartTLS = "StartTLS"
	no               = "no"
	yes              = "yes"
)

// Bounds of what a form may send.
const (
	maxControllers = 20
	maxGroups      = 20
	maxField       = 1000
	maxCA          = 256 << 10
)

// settings are the fields of one target, checked.
type settings struct {
	domain      string // lower case, such as pedroaviary.local
	base        string // DC=pedroaviary,DC=local
	controllers []endpoint
	startTLS    bool
	roots       *x509.CertPool // nil means the system's
	bindName    string
	bindPass    secret.Text
	ou          string // a DN or <GUID=…>
	prefix      string
	domainAdmin bool     // whether Domain Admin may be given at all
	groups      []string // SIDs of the delegated groups
	protected   bool     // whether accounts join Protected Users
	limits
}

// parseSettings checks s and reports the first thing that is wrong with it.
func parseSettings(s target.Settings) (*settings, error) {
	for name, value := range s.Values {
		if len(value) > maxField && name != fieldCA {
			return nil, invalid("The field " + name + " is too long.")
		}
	}
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := &settings{
		domain: strings.ToLower(strings.TrimSuffix(v(fieldDomain), ".")), startTLS: v(fieldProtocol) == protocolStartTLS,
		bindName: v(fieldBindName), bindPass: s.Secrets[fieldBindPass], ou: v(fieldOU), prefix: v(fieldPrefix),
		domainAdmin: v(fieldDomainAdmin) != no, protected: v(fieldProtected) == yes, limits: usual(),
	}
	for _, step := range []func(func(string) string) error{out.parseDomain, out.parseControllers, out.parseCA, out.parsePlaces} {
		if err := step(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func invalid(text string) error { return &access.Error{Kind: access.Invalid, Text: text} }

func (s *settings) parseDomain(v func(string) string) error {
	if s.domain == "" {
		return invalid("The DNS name of the domain is required, such as pedroaviary.local.")
	}
	if !isHost(s.domain) || !strings.Contains(s.domain, ".") {
		return invalid("The domain must be its full DNS name, such as pedroaviary.local.")
	}
	s.base = "DC=" + strings.ReplaceAll(s.domain, ".", ",DC=")
	if s.bindName == "" {
		return invalid("The name of the service account is required, such as svc-jitney@" + s.domain + ".")
	}
	if p := v(fieldProtocol); p != "" && p != protocolLDAPS && p != protocolStartTLS {
		return invalid("The protection must be LDAPS or StartTLS; there is no unprotected way.")
	}
	return nil
}

// parseControllers reads one domain controller a line, the preferred one first.
func (s *settings) parseControllers(v func(string) string) error {
	for _, line := range fields(v(fieldControllers)) {
		e := endpoint{host: strings.Trim(line, "[]"), port: s.port()}
		if host, p, err := net.SplitHostPort(line); err == nil {
			e = endpoint{host: host, port: p}
		}
		if number, err := strconv.ParseUint(e.port, 10, 16); err != nil || number == 0 || !isHost(e.host) && net.ParseIP(e.host) == nil {
			return invalid("A domain controller is written as a name or an address, with :port if it is not the usual one.")
		}
		s.controllers = append(s.controllers, e)
	}
	if len(s.controllers) > maxControllers {
		return invalid("There are more domain controllers than Jitney looks at; name the ones it shall use.")
	}
	return nil
}

// parseCA reads the authority from PEM text or from a file on the server.
func (s *settings) parseCA(v func(string) string) error {
	ca := v(fieldCA)
	if ca == "" {
		return nil
	}
	pem := []byte(ca)
	if !strings.HasPrefix(ca, "-----BEGIN") {
		if !filepath.IsAbs(ca) {
			return invalid("The certification authority is either PEM text or the full path of a PEM file on the server.")
		}
		info, err := os.Stat(ca)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxCA {
			return invalid("The file with the certification authority cannot be read on the server.")
		}
		if pem, err = os.ReadFile(ca); err != nil {
			return invalid("The file with the certification authority cannot be read on the server.")
		}
	}
	s.roots = x509.NewCertPool()
	if len(pem) > maxCA || !s.roots.AppendCertsFromPEM(pem) {
		return invalid("The certification authority holds no certificate in PEM form.")
	}
	return nil
}

func (s *settings) parsePlaces(v func(string) string) error {
	switch guid, ok := strings.CutPrefix(strings.ToUpper(s.ou), "<GUID="); {
	case s.ou == "":
		return invalid("The organizational unit for temporary accounts is required, such as OU=Jitney," + s.base + ".")
	case ok && validGUID(strings.ToLower(strings.TrimSuffix(guid, ">"))):
	case ok:
		return invalid("The organizational unit's GUID is not written as <GUID=01234567-89ab-cdef-0123-456789abcdef>.")
	default:
		dn, err := ldap.ParseDN(s.ou)
		if err != nil || len(dn.RDNs) < 2 {
			return invalid("The organizational unit must be its distinguished name, such as OU=Jitney," + s.base + ".")
		}
	}
	if len(s.prefix) > 12 {
		return invalid("The prefix of account names may have up to 12 characters.")
	}
	for _, line := range strings.Split(v(fieldGroups), "\n") {
		sid, _, _ := strings.Cut(strings.TrimSpace(line), " ") // a note may follow
		if sid == "" {
			continue
		}
		if !validSID(sid) {
			return invalid("A delegated group is named by its SID, such as S-1-5-21-1-2-3-1105, one a line.")
		}
		s.groups = append(s.groups, sid)
	}
	switch {
	case len(s.groups) > maxGroups:
		return invalid("There are too many delegated groups.")
	case !s.domainAdmin && len(s.groups) == 0:
		return invalid("Name at least one delegated group, or allow Domain Admin: otherwise there is nothing to give.")
	}
	return nil
}

// fields splits lines or a list separated by commas.
func fields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' || r == '\t' })
}

// isHost reports whether s is a DNS name by its look.
func isHost(s string) bool {
	if s == "" || len(s) > 253 || strings.HasPrefix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}
