package entra

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// Names of the fields of this kind of target.
const (
	fieldTenant      = "tenant"
	fieldApp         = "app"
	fieldAuth        = "auth"
	fieldSecret      = "secret"
	fieldCertificate = "certificate"
	fieldCertPass    = "certificate_password"
	fieldDomain      = "domain"
	fieldCredential  = "credential"
	fieldGlobalAdmin = "global_admin"
	fieldRoles       = "roles"
	fieldPIM         = "pim"
	fieldCloud       = "cloud"
	fieldAuthority   = "authority"
	fieldGraph       = "graph"
	fieldCA          = "ca"
	fieldBrowser     = "browser"
)

const (
	authCertificate = "Certificate"
	authSecret      = "Client secret"
	credentialTAP   = "Temporary Access Pass"
	credentialPass  = "Password"
	no              = "no"
	yes             = "yes"
)

// Bounds of what a form may send.
const (
	maxRoles = 50
	maxCert  = 64 << 10
)

// A cloud is where Microsoft runs an Entra tenant.
// https://learn.microsoft.com/graph/deployments
type cloud struct {
	name      string
	authority string // signs in
	graph     string
	portal    string // where people go
}

const cloudOther = "Other"

// clouds lists them, the usual one first.
func clouds() []cloud {
	return []cloud{
		{"Global", "https://login.microsoftonline.com", "https://graph.microsoft.com", "https://entra.microsoft.com"},
		{"US Government", "https://login.microsoftonline.us", "https://graph.microsoft.us", "https://entra.microsoft.us"},
		{"US Government DoD", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us", "https://entra.microsoft.us"},
		{"China", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn", "https://entra.microsoftonline.cn"},
	}
}

// settings are the fields of one target, checked.
type settings struct {
	tenant, app string // GUIDs, lower case
	secret      secret.Text
	certs       []*x509.Certificate // with key, instead of secret
	key         crypto.PrivateKey
	domain      string // for names; empty: the initial one
	tap         bool   // a Temporary Access Pass, else a password
	pim         bool
	roles       []role
	cloud       cloud
	browser     string         // where people's browsers find the authority
	roots       *x509.CertPool // nil means the system's
	other       bool           // not one of Microsoft's own clouds
}

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}

// parseSettings checks s and reports the first thing that is wrong with it.
func parseSettings(s target.Settings) (*settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := &settings{tenant: strings.ToLower(v(fieldTenant)), app: strings.ToLower(v(fieldApp)), domain: strings.ToLower(v(fieldDomain)),
		tap: v(fieldCredential) != credentialPass, pim: v(fieldPIM) == yes}
	switch {
	case !validGUID(out.tenant):
		return nil, invalid("The Entra tenant ID must be a GUID, such as 72f988bf-86f1-41af-91ab-2d7cd011db47; “common” is not accepted.", "It stands on the overview page of the customer's Entra admin center.")
	case !validGUID(out.app):
		return nil, invalid("The application (client) ID must be a GUID.", "It stands on the overview page of the app registration.")
	case out.domain != "" && !validDomain(out.domain):
		return nil, invalid("The domain for accounts must be a DNS name, such as contoso.onmicrosoft.com.", "")
	}
	var err error
	if out.roles, err = parseRoles(v(fieldGlobalAdmin), s.Values[fieldRoles]); err != nil {
		return nil, err
	}
	if len(out.roles) == 0 {
		return nil, invalid("The target offers no role.", "Allow Global Administrator, or name another role.")
	}
	if err := out.parseCloud(v); err != nil {
		return nil, err
	}
	if err := out.parseAuth(v(fieldAuth), s.Secrets); err != nil {
		return nil, err
	}
	return out, nil
}

func (s *settings) parseCloud(v func(string) string) error {
	name := v(fieldCloud)
	if name == cloudOther {
		return s.parseOther(v)
	}
	for i, c := range clouds() {
		if c.name == name || name == "" && i == 0 {
			s.cloud, s.browser = c, c.authority
			return nil
		}
	}
	return invalid("The cloud is not one that Jitney knows.", "")
}

// parseOther reads the addresses of a simulated or proxied cloud.
func (s *settings) parseOther(v func(string) string) error {
	s.other = true
	s.cloud = cloud{name: cloudOther, authority: strings.TrimRight(v(fieldAuthority), "/"), graph: strings.TrimRight(v(fieldGraph), "/")}
	if s.browser = strings.TrimRight(v(fieldBrowser), "/"); s.browser == "" {
		s.browser = s.cloud.authority
	}
	s.cloud.portal = s.browser + "/portal"
	for _, address := range []string{s.cloud.authority, s.cloud.graph, s.browser} {
		u, err := url.Parse(address)
		secure := err == nil && (u.Scheme == "https" || u.Scheme == "http" && address == s.browser)
		if !secure || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			return invalid("For another cloud the sign-in address and the Graph address are needed, each as https:// and a host.", "")
		}
	}
	if pem := v(fieldCA); pem != "" {
		s.roots = x509.NewCertPool()
		if len(pem) > maxCert || !s.roots.AppendCertsFromPEM([]byte(pem)) {
			return invalid("The certification authority holds no certificate in PEM form.", "")
		}
	}
	return nil
}

// parseAuth reads what Jitney proves itself with. Secrets may be missing
// altogether, as in a form that has not got them; open asks again.
func (s *settings) parseAuth(auth string, secrets map[string]secret.Text) error {
	if auth == authSecret {
		s.secret = secrets[fieldSecret]
		return nil
	}
	if auth != "" && auth != authCertificate {
		return invalid("Jitney proves itself with a certificate or a client secret.", "")
	}
	text := strings.TrimSpace(secrets[fieldCertificate].Reveal())
	if text == "" {
		return nil
	}
	data, err := certificateBytes(text)
	if err != nil {
		return err
	}
	if s.certs, s.key, err = azidentity.ParseCertificates(data, []byte(secrets[fieldCertPass].Reveal())); err != nil {
		return invalid("The certificate and its private key cannot be read.", "It must be PEM with both in it, without a password on the key, or a PFX file; for a PFX file its password goes into its own field.")
	}
	return nil
}

// certificateBytes takes PEM text, a PFX file in base64, or the full path of
// either on the server.
func certificateBytes(text string) ([]byte, error) {
	switch {
	case strings.Contains(text, "-----BEGIN"):
		return []byte(text), nil
	case filepath.IsAbs(text) && !strings.ContainsAny(text, "\r\n"):
		info, err := os.Stat(text)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxCert {
			return nil, invalid("The file with the certificate cannot be read on the server.", "")
		}
		data, err := os.ReadFile(text)
		if err != nil {
			return nil, invalid("The file with the certificate cannot be read on the server.", "")
		}
		return data, nil
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, invalid("The certificate is neither PEM text, nor a PFX file in base64, nor the full path of a file.", "")
	}
	return data, nil
}

// complete reports whether there is something to prove oneself with.
func (s *settings) complete() error {
	if s.secret.IsZero() && s.key == nil {
		return invalid("There is neither a certificate nor a client secret to sign in to the Entra tenant with.", "Enter the one that the settings name.")
	}
	return nil
}
