package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"jitney/cli/call"
	"jitney/cli/exit"
)

// flags is what a command line says. Words from an environment or a context
// are filled in later; see settings.
type flags struct {
	host, token, tokenFile, tenant, tenantID         string
	grant, duration, ticket, reason                  string
	port, browser, context, configFile, cacheDir     string
	output, query, destination, region, shell, where string
	admin, interactive, noCache, noBrowser, device   bool
	print, logoutFirst, consoleURL, json             bool
	quiet, help, version, opsScope                   bool

	set map[string]bool // by first name of the flag
}

// A Flag describes one flag for help and completion.
type Flag struct {
	Name  string // without dashes
	Short string // one letter or ""
	Usage string
	Bool  bool
}

// An option is one flag: its names, of which the first is ours and the others
// are what fingers and profiles know from duploctl and duplo-jit.
type option struct {
	names []string
	short string
	usage string // "" hides it from help
	text  func(*flags) *string
	on    func(*flags) *bool
}

// options lists every flag. A flag may stand before or after the words.
func options() []option {
	text := func(usage, short string, at func(*flags) *string, names ...string) option {
		return option{names: names, short: short, usage: usage, text: at}
	}
	on := func(usage, short string, at func(*flags) *bool, names ...string) option {
		return option{names: names, short: short, usage: usage, on: at}
	}
	return []option{
		text("address of Jitney, such as https://jitney.example.net", "H", func(f *flags) *string { return &f.host }, "host", "api-host"),
		text("tenant by name", "T", func(f *flags) *string { return &f.tenant }, "tenant"),
		text("tenant by ID; wins over --tenant", "", func(f *flags) *string { return &f.tenantID }, "tenant-id", "tenantid", "tid"),
		on("the admin role of the whole account", "", func(f *flags) *bool { return &f.admin }, "admin", "isadmin"),
		on("sign in with the browser, whatever token is set", "I", func(f *flags) *bool { return &f.interactive }, "interactive"),
		text("file that holds an API token", "", func(f *flags) *string { return &f.tokenFile }, "token-file"),
		text("API token; better in JITNEY_TOKEN or --token-file", "t", func(f *flags) *string { return &f.token }, "token"),
		text("use this grant", "", func(f *flags) *string { return &f.grant }, "grant"),
		text("how long, such as 30m (ask for no more than you need)", "", func(f *flags) *string { return &f.duration }, "duration"),
		text("ticket, where the policy wants one", "", func(f *flags) *string { return &f.ticket }, "ticket"),
		text("reason, where the policy wants one", "", func(f *flags) *string { return &f.reason }, "reason"),
		on("neither read nor write the cache", "", func(f *flags) *bool { return &f.noCache }, "no-cache", "nocache"),
		text("port on 127.0.0.1 for the sign-in", "", func(f *flags) *string { return &f.port }, "port"),
		text("browser to open, such as firefox", "", func(f *flags) *string { return &f.browser }, "browser", "web-browser"),
		on("open no browser; only print the address", "", func(f *flags) *bool { return &f.noBrowser }, "no-browser"),
		on("sign in on another device with a code", "", func(f *flags) *bool { return &f.device }, "device-code"),
		text("context of the configuration file", "", func(f *flags) *string { return &f.context }, "context", "ctx"),
		text("configuration file", "", func(f *flags) *string { return &f.configFile }, "config", "configfile", "config-file"),
		text("directory for the cache", "", func(f *flags) *string { return &f.cacheDir }, "cache", "cachedir", "cache-dir"),
		text("json, yaml, string, env or csv", "o", func(f *flags) *string { return &f.output }, "output"),
		on("the same as -o json", "", func(f *flags) *bool { return &f.json }, "json"),
		text("JMESPath of what to print", "q", func(f *flags) *string { return &f.query }, "query"),
		on("also get an address that opens the console; a secret for 15 minutes", "", func(f *flags) *bool { return &f.consoleURL }, "console-url"),
		on("console: print the address instead of opening it; a secret for 15 minutes", "", func(f *flags) *bool { return &f.print }, "print", "print-url"),
		on("console: end the console session of this browser first", "", func(f *flags) *bool { return &f.logoutFirst }, "logout-first", "auto-logout"),
		text("console: page to open, such as https://console.aws.amazon.com/s3", "", func(f *flags) *string { return &f.destination }, "destination"),
		text("region for the console, the environment or the profile", "", func(f *flags) *string { return &f.region }, "region"),
		text("env: bash, powershell or fish", "", func(f *flags) *string { return &f.shell }, "shell"),
		on("no notices", "", func(f *flags) *bool { return &f.quiet }, "quiet"),
		on("help", "h", func(f *flags) *bool { return &f.help }, "help"),
		on("", "", func(f *flags) *bool { return &f.version }, "version"),
		on("", "", func(f *flags) *bool { return &f.opsScope }, "duplo-ops"),
		// Known to duploctl and duplo-jit, without a meaning here.
		text("", "", func(f *flags) *string { return &f.where }, "homedir", "home-dir"),
		text("", "", func(f *flags) *string { return &f.where }, "auth-cooldown"),
		text("", "L", func(f *flags) *string { return &f.where }, "log-level", "loglevel"),
		text("", "P", func(f *flags) *string { return &f.where }, "plan"),
		on("", "", func(f *flags) *bool { return &f.quiet }, "debug"),
	}
}

// parse reads a command line: flags wherever they stand, words, and after "--"
// or after "aws exec" the command to run. The error is one of use.
func parse(args []string, isExec func(words []string) bool) (f flags, words, rest []string, err error) {
	f.set = map[string]bool{}
	all := options()
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return f, words, args[i+1:], nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			if isExec(words) {
				return f, words, args[i:], nil
			}
			words = append(words, arg)
			continue
		}
		o, value, given := find(all, arg)
		switch {
		case o == nil:
			return f, words, nil, wrong(fmt.Sprintf("There is no flag %s.", call.Clean(strings.SplitN(arg, "=", 2)[0])))
		case o.on != nil:
			*o.on(&f) = true
			if given {
				if *o.on(&f), err = strconv.ParseBool(value); err != nil {
					return f, words, nil, wrong(fmt.Sprintf("--%s is true or false.", o.names[0]))
				}
			}
		case given:
			*o.text(&f) = value
		case i+1 == len(args):
			return f, words, nil, wrong(fmt.Sprintf("--%s needs a value.", o.names[0]))
		default:
			i++
			*o.text(&f) = args[i]
		}
		f.set[o.names[0]] = true
	}
	return f, words, nil, nil
}

// find reports the option that arg names: --name, --name=value, -x, -xvalue,
// and -name as duplo-jit takes it.
func find(all []option, arg string) (o *option, value string, given bool) {
	name := strings.TrimLeft(arg, "-")
	name, value, given = strings.Cut(name, "=")
	for i := range all {
		if slices.Contains(all[i].names, name) || len(name) == 1 && all[i].short == name && !strings.HasPrefix(arg, "--") {
			return &all[i], value, given
		}
	}
	if strings.HasPrefix(arg, "--") {
		return nil, "", false
	}
	for i := range all { // -Hhttps://…
		if all[i].short != "" && all[i].text != nil && strings.HasPrefix(arg, "-"+all[i].short) {
			return &all[i], arg[2:], true
		}
	}
	return nil, "", false
}

// wrong is an error of use.
func wrong(text string) error {
	return exit.New(exit.Usage, text, "Run jitney aws --help to see what there is.")
}
