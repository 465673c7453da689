package aws

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// An ambience finds the credentials of the server where AWS's tools find
// theirs, in their order: keys in the environment, a web identity there, a
// profile, the container, the instance. It is the SDK's own providers without
// its package config, which brings the clients of three more services for the
// sign-ins of people, and with them a tenth of the time that this program
// takes to start.
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
type ambience struct {
	env func(string) string
	cfg sdk.Config // for calls of STS, yet without credentials
}

// credentials reports what there is. It reads files, but asks nobody; what
// asks the instance or the container is used later.
func (a ambience) credentials() (sdk.CredentialsProvider, error) {
	if k := a.keys(); k.HasKeys() {
		return credentials.StaticCredentialsProvider{Value: k}, nil
	}
	if file := a.env("AWS_WEB_IDENTITY_TOKEN_FILE"); file != "" {
		return a.web(file, a.env("AWS_ROLE_ARN"), a.env("AWS_ROLE_SESSION_NAME"))
	}
	profiles, err := a.profiles()
	if err != nil {
		return nil, err
	}
	name := cmp.Or(a.env("AWS_PROFILE"), a.env("AWS_DEFAULT_PROFILE"), "default")
	p, ok := profiles[name]
	if !ok && name != "default" {
		return nil, fmt.Errorf("there is no profile %q", name)
	}
	if from, err := a.profile(profiles, name, nil); from != nil || err != nil {
		return from, err
	}
	from, err := a.container()
	if from == nil && err == nil {
		from = a.instance()
	}
	if err != nil || p["role_arn"] == "" {
		return from, err
	}
	return a.role(p, from)
}

func (a ambience) keys() sdk.Credentials {
	return sdk.Credentials{AccessKeyID: cmp.Or(a.env("AWS_ACCESS_KEY_ID"), a.env("AWS_ACCESS_KEY")),
		SecretAccessKey: cmp.Or(a.env("AWS_SECRET_ACCESS_KEY"), a.env("AWS_SECRET_KEY")), SessionToken: a.env("AWS_SESSION_TOKEN")}
}

// profile reports the credentials of a profile; nil if it names none. Seen are
// the profiles that led here.
func (a ambience) profile(all map[string]map[string]string, name string, seen []string) (from sdk.CredentialsProvider, err error) {
	p := all[name]
	keys := sdk.Credentials{AccessKeyID: p["aws_access_key_id"], SecretAccessKey: p["aws_secret_access_key"], SessionToken: p["aws_session_token"]}
	source := p["source_profile"]
	if (keys.AccessKeyID == "") != (keys.SecretAccessKey == "") {
		return nil, fmt.Errorf("the profile %q has half of a key", name)
	}
	if p["role_arn"] == "" && source+p["credential_source"]+p["web_identity_token_file"] != "" {
		return nil, fmt.Errorf("the profile %q says how to get a role's credentials, and not which role's", name)
	}
	switch again := slices.Contains(seen, name); {
	case again || len(seen) > 0 && keys.HasKeys():
		if !keys.HasKeys() {
			return nil, fmt.Errorf("the profile %q leads to itself", name)
		}
		return credentials.StaticCredentialsProvider{Value: keys}, nil // a profile may be its own source
	case source != "":
		if from, err = a.profile(all, source, append(seen, name)); from == nil && err == nil {
			err = fmt.Errorf("the profile %q, from which %q takes its credentials, has none", source, name)
		}
	case keys.HasKeys():
		from = credentials.StaticCredentialsProvider{Value: keys}
	case p["credential_source"] != "":
		from, err = a.named(p["credential_source"])
	case p["web_identity_token_file"] != "":
		return a.web(p["web_identity_token_file"], p["role_arn"], p["role_session_name"])
	case p["sso_session"] != "" || p["sso_start_url"] != "" || p["sso_account_id"] != "" || p["login_session"] != "":
		return nil, fmt.Errorf("the profile %q is the sign-in of a person, which a server has not", name)
	case p["credential_process"] != "":
		from = processcreds.NewProvider(p["credential_process"])
	}
	if from == nil || err != nil || p["role_arn"] == "" {
		return from, err
	}
	return a.role(p, from)
}

// named is what a profile calls by name.
func (a ambience) named(source string) (sdk.CredentialsProvider, error) {
	switch source {
	case "Environment":
		if k := a.keys(); k.HasKeys() {
			return credentials.StaticCredentialsProvider{Value: k}, nil
		}
		return nil, errors.New("the profile wants keys in the environment, where there are none")
	case "Ec2InstanceMetadata":
		return a.instance(), nil
	case "EcsContainer":
		from, err := a.container()
		if from == nil && err == nil {
			err = errors.New("the profile wants the credentials of a container, and this is none")
		}
		return from, err
	default:
		return nil, errors.New("credential_source is Environment, Ec2InstanceMetadata or EcsContainer")
	}
}

// role is a session of a profile's role.
func (a ambience) role(p map[string]string, from sdk.CredentialsProvider) (sdk.CredentialsProvider, error) {
	if p["mfa_serial"] != "" {
		return nil, errors.New("the profile wants the code of a person's device")
	}
	cfg := a.cfg.Copy()
	cfg.Credentials = sdk.NewCredentialsCache(from)
	return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), p["role_arn"], func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = p["role_session_name"]
		if p["external_id"] != "" {
			o.ExternalID = sdk.String(p["external_id"])
		}
		if seconds, err := strconv.Atoi(p["duration_seconds"]); err == nil && seconds > 900 {
			o.Duration = time.Duration(seconds) * time.Second
		}
	}), nil
}

func (a ambience) web(file, role, name string) (sdk.CredentialsProvider, error) {
	if role == "" {
		return nil, errors.New("there is the token of a web identity, but no role for it")
	}
	cfg := a.cfg.Copy()
	cfg.Credentials = sdk.AnonymousCredentials{}
	return stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), role, stscreds.IdentityTokenFile(file), func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = name }), nil
}

func (a ambience) instance() sdk.CredentialsProvider {
	o := imds.Options{} // its address, and whether it may be asked, New reads from the environment
	_ = o.EndpointMode.SetFromString(a.env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"))
	if strings.EqualFold(a.env("AWS_EC2_METADATA_V1_DISABLED"), "true") {
		o.EnableFallback = sdk.FalseTernary
	}
	return ec2rolecreds.New(func(e *ec2rolecreds.Options) { e.Client = imds.New(o) })
}

// container is what ECS, EKS and the like serve; nil if this is none of them.
func (a ambience) container() (sdk.CredentialsProvider, error) {
	address := a.env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if path := a.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		address = "http://169.254.170.2" + path
	} else if address == "" {
		return nil, nil
	} else if err := isNear(address); err != nil {
		return nil, err
	}
	return sdk.NewCredentialsCache(endpointcreds.New(address, func(o *endpointcreds.Options) {
		o.AuthorizationToken = a.env("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := a.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				text, err := os.ReadFile(file)
				return string(text), err
			})
		}
	}), func(o *sdk.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute }), nil
}

// isNear refuses to send a token over http to anything but this computer and
// the addresses of ECS and EKS.
func isNear(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("the address of the container's credentials is none")
	}
	if u.Scheme == "https" {
		return nil
	}
	ips, err := net.LookupIP(u.Hostname())
	if err != nil {
		return fmt.Errorf("look up the container's credentials: %w", err)
	}
	for _, ip := range ips {
		if !ip.IsLoopback() && !slices.Contains([]string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"}, ip.String()) {
			return errors.New("the address of the container's credentials is neither on this computer nor one of ECS or EKS")
		}
	}
	return nil
}

// profiles reads AWS's two files, by name of the profile. What the credentials
// file says of keys wins. A missing file is none.
func (a ambience) profiles() (map[string]map[string]string, error) {
	home, _ := os.UserHomeDir()
	all := map[string]map[string]string{}
	for _, f := range []struct {
		variable, name string
		prefixed       bool
	}{{"AWS_CONFIG_FILE", "config", true}, {"AWS_SHARED_CREDENTIALS_FILE", "credentials", false}} {
		text, err := os.ReadFile(cmp.Or(a.env(f.variable), filepath.Join(home, ".aws", f.name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		sections := parseProfiles(string(text))
		for name, values := range sections {
			if f.prefixed && name != "default" {
				plain, ok := strings.CutPrefix(name, "profile ")
				if name = strings.TrimSpace(plain); !ok {
					continue
				}
			} else if _, wins := sections["profile default"]; f.prefixed && wins {
				continue
			}
			if all[name] == nil {
				all[name] = map[string]string{}
			}
			maps.Copy(all[name], values)
		}
	}
	return all, nil
}

// parseProfiles reads sections with name = value lines, as leniently as the
// SDK. Indented lines below an empty value belong to that, and hold nothing
// about credentials.
func parseProfiles(text string) map[string]map[string]string {
	all, current, last := map[string]map[string]string{}, map[string]string{}, ""
	for line := range strings.Lines(text) {
		plain := strings.TrimSpace(line)
		if plain == "" || plain[0] == '#' || plain[0] == ';' {
			continue
		}
		if title, ok := strings.CutPrefix(plain, "["); ok {
			title, _, _ = strings.Cut(title, "]")
			title, last = strings.Join(strings.Fields(title), " "), ""
			if current = all[title]; current == nil {
				current = map[string]string{}
				all[title] = current
			}
			continue
		}
		if nested := line[0] == ' ' || line[0] == '\t'; nested && last != "" && current[last] == "" {
			continue
		}
		for _, mark := range []string{" #", " ;", "\t#", "\t;"} {
			plain, _, _ = strings.Cut(plain, mark)
		}
		if i := strings.IndexAny(plain, "=:"); i > 0 {
			last = strings.ToLower(strings.TrimSpace(plain[:i]))
			current[last] = unquote(strings.TrimSpace(plain[i+1:]))
		}
	}
	return all
}

func unquote(s string) string {
	if n := len(s); n > 1 && s[0] == s[n-1] && (s[0] == '"' || s[0] == '\'') {
		return s[1 : n-1]
	}
	return s
}
