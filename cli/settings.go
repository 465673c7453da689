package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"jitney/cli/call"
	"jitney/cli/exit"
	"jitney/cli/keep"
)

// env is an environment.
type env map[string]string

func environment(entries []string) env {
	e := make(env, len(entries))
	for _, entry := range entries {
		if name, value, ok := strings.Cut(entry, "="); ok {
			e[name] = value
		}
	}
	return e
}

// ours reports JITNEY_NAME, or DUPLO_NAME for those who come from there.
func (e env) ours(name string) string {
	return cmp.Or(e["JITNEY_"+name], e["DUPLO_"+name])
}

func (e env) get(name string) string { return e[name] }

// home is the home directory, or "".
func (e env) home() string {
	if runtime.GOOS == "windows" {
		return e["USERPROFILE"]
	}
	return e["HOME"]
}

// settings is what a command works with: flags, then the environment, then a
// context of the configuration file.
type settings struct {
	flags
	origin  string // as keep.Origin reports it
	minutes int
	// fromLine is where a token stands that others may see, or "".
	fromLine string
	// theirHost says that the host is one that DUPLO_HOST or duploctl's
	// configuration names, and ourToken that the token is that of JITNEY_TOKEN or
	// JITNEY_TOKEN_FILE.
	theirHost, ourToken bool
}

// A contextFile is our configuration and that of duploctl, which have the
// same form.
type contextFile struct {
	Current  string        `yaml:"current-context"`
	Contexts []contextItem `yaml:"contexts"`
}

type contextItem struct {
	Name        string `yaml:"name"`
	Host        string `yaml:"host"`
	Token       string `yaml:"token"`
	TokenFile   string `yaml:"token-file"`
	Tenant      string `yaml:"tenant"`
	Interactive bool   `yaml:"interactive"`
	Admin       bool   `yaml:"admin"`
	NoCache     bool   `yaml:"nocache"`
}

// resolve fills in what the flags leave open.
func (f flags) resolve(e env) (settings, error) {
	s := settings{flags: f}
	if s.json {
		s.output = "json"
	}
	for _, from := range []struct {
		name string
		to   *string
	}{
		{"HOST", &s.host}, {"TENANT_ID", &s.tenantID}, {"BROWSER", &s.browser}, {"CONTEXT", &s.context},
		{"CONFIG", &s.configFile}, {"CACHE", &s.cacheDir}, {"OUTPUT", &s.output}, {"GRANT", &s.grant},
	} {
		*from.to = cmp.Or(*from.to, e.ours(from.name))
	}
	s.theirHost = f.host == "" && e["JITNEY_HOST"] == "" && e["DUPLO_HOST"] != ""
	// A tenant or scope on the command line is not mixed with one of the environment.
	if f.tenant == "" && f.tenantID == "" && !f.admin {
		s.tenant = e.ours("TENANT")
	} else if !f.set["tenant-id"] {
		s.tenantID = ""
	}
	s.tenant = strings.ToLower(s.tenant)
	if err := s.tokens(e); err != nil {
		return s, err
	}
	if s.host == "" || s.context != "" {
		if err := s.fromContext(e); err != nil {
			return s, err
		}
	}
	if s.interactive {
		s.token, s.tokenFile, s.fromLine = "", "", ""
	}
	return s, s.times()
}

// tokens finds the API token, if there is one.
func (s *settings) tokens(e env) error {
	switch {
	case s.interactive:
		return nil
	case s.token != "":
		s.fromLine = "on the command line"
	case s.tokenFile != "":
		return s.readToken()
	default:
		s.token, s.tokenFile = e.ours("TOKEN"), e.ours("TOKEN_FILE")
		s.ourToken = e["JITNEY_TOKEN"] != "" || s.token == "" && e["JITNEY_TOKEN_FILE"] != ""
		if s.token == "" && s.tokenFile != "" {
			return s.readToken()
		}
	}
	return s.checkToken("the token")
}

func (s *settings) readToken() error {
	file, err := os.Open(s.tokenFile)
	if err != nil {
		return &exit.Error{Code: exit.Usage, Text: fmt.Sprintf("The token file %s cannot be read.", call.Clean(s.tokenFile)), Hint: "Check --token-file or JITNEY_TOKEN_FILE.", Err: err}
	}
	defer file.Close()
	buf := make([]byte, 4096)
	n, _ := file.Read(buf)
	s.token = strings.TrimSpace(string(buf[:n]))
	if s.token == "" {
		return exit.New(exit.Usage, fmt.Sprintf("The token file %s is empty.", call.Clean(s.tokenFile)), "Check --token-file or JITNEY_TOKEN_FILE.")
	}
	return s.checkToken("what " + call.Clean(s.tokenFile) + " holds")
}

// apart refuses to send a token of Jitney to the host that duploctl uses, which
// may still be another portal: who has both programs has the variables of both.
// Who calls this program by the name of the other, with a token, means its host.
func (s *settings) apart(program string) error {
	given := s.set["token"] || s.set["token-file"]
	if !s.theirHost || s.token == "" || !s.ourToken && !(given && program == "jitney") {
		return nil
	}
	return exit.New(exit.Usage, "A token of Jitney is not sent to the host that DUPLO_HOST or the configuration of duploctl names: it may be another portal.", "Name Jitney's address with JITNEY_HOST or --host.")
}

// checkToken refuses what cannot stand in a header.
func (s *settings) checkToken(what string) error {
	if strings.ContainsFunc(s.token, func(c rune) bool { return c <= ' ' || c > '~' }) || len(s.token) > 2048 {
		return exit.New(exit.Usage, strings.ToUpper(what[:1])+what[1:]+" is no API token.", "Copy it again, as one line without spaces.")
	}
	if s.token != "" && !strings.HasPrefix(s.token, "jat_") && !strings.HasPrefix(s.token, "jcl_") { // such as DUPLO_TOKEN of a portal: it is not told to another
		return exit.New(exit.Usage, strings.ToUpper(what[:1])+what[1:]+" is not one of Jitney, and is not sent.", "Make one on the page API tokens, unset DUPLO_TOKEN, or sign in with --interactive.")
	}
	return nil
}

// configFiles lists where a configuration may be: ours, then duploctl's.
func (s *settings) configFiles(e env) []string {
	if s.configFile != "" {
		return []string{s.configFile}
	}
	var all []string
	if d := e["XDG_CONFIG_HOME"]; filepath.IsAbs(d) {
		all = append(all, filepath.Join(d, "jitney", "config.yaml"))
	} else if d := e["AppData"]; runtime.GOOS == "windows" && d != "" {
		all = append(all, filepath.Join(d, "jitney", "config.yaml"))
	} else if e.home() != "" {
		all = append(all, filepath.Join(e.home(), ".config", "jitney", "config.yaml"))
	}
	if d := cmp.Or(e["DUPLO_HOME"], e.home()); d != "" {
		if e["DUPLO_HOME"] == "" {
			d = filepath.Join(d, ".duplo")
		}
		all = append(all, filepath.Join(d, "config"))
	}
	return all
}

// fromContext takes from the configuration file what nothing else says.
func (s *settings) fromContext(e env) error {
	for _, name := range s.configFiles(e) {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) && s.configFile == "" {
			continue
		}
		if err != nil || len(data) > 1<<20 {
			return &exit.Error{Code: exit.Usage, Text: fmt.Sprintf("The configuration file %s cannot be read.", call.Clean(name)), Err: err}
		}
		var file contextFile
		if err := yaml.Unmarshal(data, &file); err != nil {
			return &exit.Error{Code: exit.Usage, Text: fmt.Sprintf("The configuration file %s is not as it should be.", call.Clean(name)),
				Hint: "It holds current-context and a list of contexts with name, host and tenant.", Err: err}
		}
		want := cmp.Or(s.context, file.Current)
		i := slices.IndexFunc(file.Contexts, func(c contextItem) bool { return c.Name == want })
		if i < 0 && want == "" && len(file.Contexts) == 1 {
			i = 0
		}
		if i < 0 {
			return exit.New(exit.Usage, fmt.Sprintf("There is no context %q in %s.", call.Clean(want), call.Clean(name)), "Choose one with --context, or say --host.")
		}
		chosen := s.flags.set["context"] || e["JITNEY_CONTEXT"] != ""
		s.theirHost = s.theirHost || s.host == "" && !chosen && s.theirFile(name, e)
		return s.take(file.Contexts[i], name)
	}
	if s.context != "" {
		return exit.New(exit.Usage, fmt.Sprintf("There is no configuration file with a context %q.", call.Clean(s.context)), "Say --host instead.")
	}
	return nil
}

// theirFile reports whether a configuration file is duploctl's.
func (s *settings) theirFile(name string, e env) bool {
	if s.configFile != "" {
		return !s.flags.set["config"] && e["JITNEY_CONFIG"] == ""
	}
	return filepath.Base(name) == "config"
}

func (s *settings) take(c contextItem, file string) error {
	sameHost := s.host == "" || s.host == c.Host
	s.host = cmp.Or(s.host, c.Host)
	s.interactive = s.interactive || c.Interactive && s.token == ""
	s.noCache = s.noCache || c.NoCache
	if s.tenant == "" && s.tenantID == "" && !s.admin {
		s.tenant, s.admin = strings.ToLower(c.Tenant), c.Admin
	}
	if s.token != "" || s.interactive || !sameHost { // a token goes to the host it stands beside
		return nil
	}
	if c.Token != "" {
		s.token, s.fromLine = c.Token, "in "+file
		return s.checkToken("the token in " + file)
	}
	if c.TokenFile != "" {
		s.tokenFile = c.TokenFile
		return s.readToken()
	}
	return nil
}

// times reads --duration, and what else has a form.
func (s *settings) times() error {
	if s.duration != "" {
		d, err := time.ParseDuration(s.duration)
		if n, e := strconv.Atoi(s.duration); e == nil {
			d, err = time.Duration(n)*time.Minute, nil
		}
		if err != nil || d < time.Minute || d > 366*24*time.Hour {
			return exit.New(exit.Usage, "--duration is a time such as 30m or 1h.", "")
		}
		s.minutes = int(d / time.Minute)
	}
	if s.port != "" {
		if n, err := strconv.Atoi(s.port); err != nil || n < 0 || n > 65535 {
			return exit.New(exit.Usage, "--port is a number up to 65535.", "")
		}
	}
	switch s.output {
	case "", "json", "yaml", "string", "env", "csv":
		return nil
	default:
		return exit.New(exit.Usage, "--output is json, yaml, string, env or csv.", "")
	}
}

// address checks that there is a host, and brings it into its usual form.
func (s *settings) address() (err error) {
	if s.origin != "" {
		return nil
	}
	s.origin, err = keep.Origin(s.host)
	return err
}

// scope checks that exactly one thing is asked for: a tenant, the account or
// a grant.
func (s *settings) scope() error {
	switch {
	case s.opsScope:
		return exit.New(exit.Usage, "Jitney has no duplo-ops scope.", "Use --admin for the account, or --tenant NAME.")
	case s.admin, s.tenant != "", s.tenantID != "", s.grant != "":
		return nil
	default:
		return exit.New(exit.Usage, "Neither a tenant nor --admin is given.", "Say --tenant NAME or --admin. \"jitney aws tenants\" lists what you may use.")
	}
}
