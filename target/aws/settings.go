package aws

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// The entitlements of this kind of target.
const (
	Tenant = "tenant" // the role of one customer environment
	Admin  = "admin"  // the role for the whole account
)

// Names of the fields of this kind of target.
const (
	fieldAccount  = "account"
	fieldRegion   = "region"
	fieldTenant   = "tenant_role"
	fieldAdmin    = "admin_role"
	fieldWay      = "access"
	fieldKeyID    = "access_key_id"
	fieldSecret   = "secret_access_key"
	fieldAudience = "audience"
	fieldExternal = "external_id"
	fieldEdit     = "edit_role"
	fieldManager  = "manager_role"
	fieldChain    = "assume_others"
	fieldReadOnly = "read_only"
	fieldConsole  = "destination"
	fieldEndpoint = "endpoint"
)

// The ways in which Jitney gets into the account.
const (
	wayAmbient = "Credentials of the server"
	wayKeys    = "Access key"
	wayWeb     = "Web identity"
)

const (
	no  = "no"
	yes = "yes"
)

const (
	maxField        = 2048
	minExternal     = 20
	defaultAudience = "sts.amazonaws.com"
)

var (
	accountForm  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{12}$`) })
	regionForm   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]{2,5}(-[a-z]{2,10}){1,2}-[0-9]{1,2}$`) })
	roleForm     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`) })
	pathForm     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[!-~]{0,510}$`) })
	externalForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]{20,128}$`) })
	stsForm      = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([a-z0-9-]+\.)?sts(-fips)?\.([a-z0-9-]+\.)?(vpce\.)?(amazonaws\.(com(\.cn)?|eu)|api\.aws)$`)
	})
	keyForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^AKIA[A-Z0-9]{12,124}$`) })
)

// A role is one role of the account.
type role struct {
	entitlement string // empty for the one that Jitney works as
	name        string // without path, as IAM's operations want it
	arn         string
}

// settings are the fields of one target, checked.
type settings struct {
	account   string
	region    string
	partition partition
	roles     []role // those that can be granted, Tenant first
	manager   role   // that Jitney works as in IAM; its arn is empty if it does so by its own credentials
	way       string
	keyID     string
	secret    secret.Text
	audience  string
	external  string
	edit      bool // whether roles may be edited, so that sessions end early
	chain     bool // whether sessions may assume roles
	readOnly  bool // whether sessions of Tenant may only read
	console   string
	endpoint  string // one address for all services; empty: AWS's own
}

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}

// parseSettings checks s and reports the first thing that is wrong with it.
func parseSettings(s target.Settings) (*settings, error) {
	for _, value := range s.Values {
		if len(value) > maxField {
			return nil, invalid("A setting of the target is too long.", "")
		}
	}
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := &settings{account: strings.ReplaceAll(v(fieldAccount), "-", ""), region: strings.ToLower(v(fieldRegion)), way: v(fieldWay), external: v(fieldExternal),
		edit: v(fieldEdit) != no, chain: v(fieldChain) == yes, readOnly: v(fieldReadOnly) == yes}
	if !accountForm().MatchString(out.account) {
		return nil, invalid("The account ID must be twelve digits, such as 123456789012.", "It stands in the menu at the top right of the AWS console.")
	}
	var ok bool
	if out.partition, ok = partitionOf(out.region); !ok {
		return nil, invalid("The region must be one of AWS's, such as eu-west-1.", "Regions of isolated partitions are not supported.")
	}
	for _, step := range []func(func(string) string) error{out.parseRoles, out.parseEndpoint, out.parseConsole, out.parseExternal} {
		if err := step(v); err != nil {
			return nil, err
		}
	}
	return out, out.parseWay(v, s.Secrets)
}

func (s *settings) parseRoles(v func(string) string) error {
	for _, f := range []struct{ field, entitlement, title string }{{fieldTenant, Tenant, "tenant role"}, {fieldAdmin, Admin, "admin role"}, {fieldManager, "", "role that Jitney works as"}} {
		text := v(f.field)
		if text == "" && f.entitlement != Tenant {
			continue
		}
		r, err := s.parseRole(text, f.title)
		if err != nil {
			return err
		}
		r.entitlement = f.entitlement
		if f.entitlement == "" {
			s.manager = r
			continue
		}
		if slices.ContainsFunc(s.roles, func(o role) bool { return strings.EqualFold(o.name, r.name) }) {
			return invalid("The tenant role and the admin role are the same.", "Make a role of its own for the whole account, or leave the admin role empty.")
		}
		s.roles = append(s.roles, r)
	}
	if s.manager.arn != "" && slices.ContainsFunc(s.roles, func(o role) bool { return strings.EqualFold(o.name, s.manager.name) }) {
		return invalid("The role that Jitney works as is one that people get.", "Whoever holds it could lift the end of their own session. Make a role of its own.")
	}
	return nil
}

// parseRole reads the ARN of a role, or its name with or without path.
func (s *settings) parseRole(text, title string) (role, error) {
	hint := "Write it as arn:" + s.partition.name + ":iam::" + s.account + ":role/NAME, or as NAME."
	full := text
	if strings.HasPrefix(text, "arn:") {
		parts := strings.SplitN(text, ":", 6)
		if len(parts) != 6 || parts[2] != "iam" || parts[3] != "" || !strings.HasPrefix(parts[5], "role/") {
			return role{}, invalid("The "+title+" is not the ARN of a role.", hint)
		}
		if parts[1] != s.partition.name || parts[4] != s.account {
			return role{}, invalid("The "+title+" is in another account or partition than the target.", hint)
		}
		full = strings.TrimPrefix(parts[5], "role/")
	}
	full = strings.TrimPrefix(strings.TrimPrefix(full, "role/"), "/")
	cut := strings.LastIndexByte(full, '/') + 1
	if path, name := full[:cut], full[cut:]; !roleForm().MatchString(name) || !pathForm().MatchString(path) || strings.ContainsAny(path, `*?"\`) {
		return role{}, invalid("The "+title+" is neither a role's ARN nor its name.", hint)
	}
	return role{name: full[cut:], arn: "arn:" + s.partition.name + ":iam::" + s.account + ":role/" + full}, nil
}

// parseEndpoint reads the one address that stands for all of AWS's services.
func (s *settings) parseEndpoint(v func(string) string) error {
	text := strings.TrimRight(v(fieldEndpoint), "/")
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return invalid("The other address must be https:// and a host.", "")
	}
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "http" && !here {
		return invalid("The other address must begin with https://; http:// is for this machine alone.", "")
	}
	if v(fieldWay) == wayWeb && !here && !stsForm().MatchString(strings.ToLower(u.Hostname())) {
		return invalid("With a web identity the other address must be one of AWS's STS.", "Whoever is sent a token can take it to AWS.")
	}
	s.endpoint = text
	return nil
}

func (s *settings) parseConsole(v func(string) string) error {
	s.console = v(fieldConsole)
	if s.console != "" && !s.isConsole(s.console) {
		return invalid("The console does not open there: the address must be https:// and lie on "+s.partition.console+".", "Copy it from the browser's address line, without your own account's prefix.")
	}
	return nil
}

func (s *settings) parseExternal(func(string) string) error {
	if !externalForm().MatchString(s.external) {
		return invalid("The external ID must have 20 to 128 letters, digits or one of _+=,.@:/-.", "Make one that nobody can guess, for this target alone: openssl rand -hex 20.")
	}
	kinds := map[rune]bool{}
	for _, r := range s.external {
		kinds[r] = true
	}
	if len(kinds) < 8 {
		return invalid("The external ID can be guessed.", "Make one by chance, for this target alone: openssl rand -hex 20.")
	}
	return nil
}

// parseWay reads how Jitney gets in. Secrets may be missing altogether, as in
// a form that has not got them; the first call asks again.
func (s *settings) parseWay(v func(string) string, secrets map[string]secret.Text) error {
	s.keyID, s.secret, s.audience = v(fieldKeyID), secrets[fieldSecret], v(fieldAudience)
	if s.audience == "" {
		s.audience = defaultAudience
	}
	switch s.way {
	case "", wayAmbient:
		s.way = wayAmbient
	case wayKeys:
		if !keyForm().MatchString(s.keyID) {
			return invalid("The access key ID must be one that lasts, which begins with AKIA.", "Make an access key for the IAM user that Jitney works as.")
		}
	case wayWeb:
		if len(s.audience) > 255 || strings.ContainsFunc(s.audience, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return invalid("The audience may have at most 255 characters, without spaces.", "")
		}
		if s.edit && s.manager.arn == "" {
			return invalid("With a web identity Jitney has no credentials of its own, so it needs a role to work as if it shall edit roles.", "Name one, or say that Jitney may not edit the roles.")
		}
	default:
		return invalid("Jitney gets in with the credentials of the server, an access key, or a web identity.", "")
	}
	return nil
}

// find is the role of an entitlement.
func (s *settings) find(entitlement string) (role, bool) {
	for _, r := range s.roles {
		if r.entitlement == entitlement {
			return r, true
		}
	}
	return role{}, false
}
