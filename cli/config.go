package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"jitney/cli/call"
	"jitney/cli/exit"
	"jitney/cli/login"
	"jitney/cli/profile"
)

// updateConfig writes a profile that runs this program.
func updateConfig(ctx context.Context, a *app) error {
	if err := a.s.scope(); err != nil {
		return err
	}
	path, err := a.env.awsFile("AWS_CONFIG_FILE", "config")
	if err != nil {
		return err
	}
	unlock, err := a.cache.Lock(ctx, "aws-config")
	if err != nil {
		return exit.New(exit.Failed, "Another jitney is editing the file.", "Repeat.")
	}
	defer unlock()
	before, err := profile.Load(path)
	if err != nil {
		return err
	}
	name := a.profileName()
	region := a.s.region
	if region == "" && !hasRegion(before, name) {
		region = cmp.Or(a.regionOfTenant(ctx), a.env["AWS_REGION"], a.env["AWS_DEFAULT_REGION"])
	}
	after, added, err := profile.Set(before, name, a.profileSettings(region))
	if err != nil {
		return err
	}
	if string(after) != string(before) {
		if err := profile.Save(path, after); err != nil {
			return err
		}
	}
	a.warnOfProfile(name, after)
	done := "updated"
	if added {
		done = "added"
	}
	return a.message(fmt.Sprintf("aws profile named %s was successfully %s in %s", name, done, path))
}

// awsFile reports where a file of the AWS CLI is.
func (e env) awsFile(variable, name string) (string, error) {
	path := e[variable]
	home := e.home()
	switch {
	case path == "" && home == "":
		return "", exit.New(exit.Usage, "There is no home directory.", "Set "+variable+" to the file.")
	case path == "":
		return filepath.Join(home, ".aws", name), nil
	case path == "~" || strings.HasPrefix(path, "~/"):
		return filepath.Join(home, path[1:]), nil
	default:
		return path, nil
	}
}

// profileName is the name that was given, else that of the host, as the
// instructions of source portals have it.
func (a *app) profileName() string {
	if len(a.rest) > 0 {
		return a.rest[0]
	}
	if a.program == "duploctl" {
		return "duplo"
	}
	_, host, _ := strings.Cut(a.s.origin, "://")
	return host
}

func hasRegion(config []byte, name string) bool {
	return profile.Has(config, "profile "+name, "region") || name == "default" && profile.Has(config, name, "region")
}

// regionOfTenant is the region of what the profile is for, as Jitney knows it:
// from keys that are kept, else by asking, if that needs no sign-in. It is "" if
// that cannot be told, or if the account has tenants in several.
func (a *app) regionOfTenant(ctx context.Context) string {
	if k, ok := (issuer{a}).load(); ok && k.Session.Region != "" {
		return k.Session.Region
	}
	token := a.s.token
	if token == "" {
		kept, _ := login.Kept(a.loginRequest())
		token = kept.Text
	}
	if token == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	all, err := call.New(a.s.origin, "jitney/"+a.Version).Tenants(ctx, token)
	if err != nil {
		a.note("Which region it is could not be asked: %v", err)
	}
	region := ""
	for _, t := range all {
		fits := a.s.tenantID != "" && t.ID == a.s.tenantID || a.s.tenantID == "" && (strings.EqualFold(t.Name, a.s.tenant) || t.ID == a.s.tenant)
		if fits || a.s.tenant == "" && a.s.tenantID == "" && a.s.admin {
			if region != "" && t.Region != region {
				return ""
			}
			region = t.Region
		}
	}
	return region
}

func (a *app) profileSettings(region string) []profile.Setting {
	settings := []profile.Setting{}
	if region != "" {
		settings = append(settings, profile.Setting{Name: "region", Value: call.Clean(region), Usual: a.s.region == ""})
	}
	return append(settings,
		profile.Setting{Name: "output", Value: "json", Usual: true},
		profile.Setting{Name: "credential_process", Value: a.s.processLine()})
}

// processLine is the command for SDKs. It holds no token: who has one gives it
// in the environment or a file.
func (s settings) processLine() string {
	words := []string{programPath(), "aws", "--host", s.origin}
	switch {
	case s.tenantID != "":
		words = append(words, "--tenant-id", s.tenantID)
	case s.tenant != "":
		words = append(words, "--tenant", s.tenant)
	}
	if s.admin {
		words = append(words, "--admin")
	}
	for _, w := range [][2]string{{"--grant", s.grant}, {"--duration", s.duration}, {"--ticket", s.ticket}, {"--reason", s.reason}, {"--browser", s.browser}, {"--port", s.port}} {
		if w[1] != "" {
			words = append(words, w[0], w[1])
		}
	}
	switch {
	case s.tokenFile != "":
		if file, err := filepath.Abs(s.tokenFile); err == nil {
			words = append(words, "--token-file", file)
		}
	case s.token == "":
		words = append(words, "--interactive")
	}
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// programPath is how SDKs find this program: by name where the name leads
// here, else by its path.
func programPath() string {
	self, err := os.Executable()
	if err != nil {
		return "jitney"
	}
	if found, err := exec.LookPath("jitney"); err == nil {
		one, err1 := os.Stat(found)
		two, err2 := os.Stat(self)
		if err1 == nil && err2 == nil && os.SameFile(one, two) {
			return "jitney"
		}
	}
	return self
}

// quote makes one word of s, for the shells that some SDKs use and for the
// splitting of the others.
func quote(s string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:@,+=%", c)
	}
	s = call.Clean(s)
	switch {
	case s != "" && strings.TrimFunc(s, plain) == "" && !strings.ContainsFunc(s, func(c rune) bool { return !plain(c) }):
		return s
	case os.PathSeparator == '\\':
		return `"` + strings.ReplaceAll(s, `"`, "") + `"`
	default:
		return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
	}
}

// warnOfProfile says what would keep the profile from working, or a token from
// being one's own.
func (a *app) warnOfProfile(name string, config []byte) {
	if path, err := a.env.awsFile("AWS_SHARED_CREDENTIALS_FILE", "credentials"); err == nil {
		if data, err := profile.Load(path); err == nil && profile.Has(data, name, "aws_access_key_id") {
			a.note("%s has keys under the same name %s. They win over this profile: delete them there, or name the profile otherwise.", path, name)
		}
	}
	if holder := profile.HoldsToken(config); holder != "" {
		a.note("The profile %s has a token on its command line, which others may see. Use JITNEY_TOKEN or --token-file, and revoke that token.", call.Clean(holder))
	}
	if a.s.token != "" && a.s.tokenFile == "" {
		a.note("No token was written. The profile uses JITNEY_TOKEN of the environment it runs in.")
	}
	if !hasRegion(config, name) {
		a.note("No region is set in the profile. Give one with --region.")
	}
}
