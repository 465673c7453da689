package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"jitney/cli/show"
)

// common are the flags of all commands that ask Jitney.
func common() []string {
	return []string{"host", "context", "config", "token-file", "token", "interactive", "no-browser", "browser", "device-code", "port", "cache", "output", "json", "query", "quiet"}
}

// Commands lists every command with what its help says.
func Commands() []Command {
	scope := append([]string{"tenant", "tenant-id", "admin", "grant", "duration", "ticket", "reason"}, common()...)
	return []Command{
		{Path: "aws", Short: "Print keys for AWS, as credential_process wants them", Flags: append([]string{"no-cache", "console-url"}, scope...),
			Long: `Print temporary keys for one tenant, or with --admin for the whole account, as
one line of JSON that AWS CLI and SDKs read as a credential_process. Keys are
kept until shortly before their end.

  jitney aws --host https://jitney.example.net --tenant dev01

These can be set by the environment: --host, --tenant, --tenant-id, --token,
--token-file, --grant, --browser, --context, --config, --cache, --output. For
--host it is JITNEY_HOST, or DUPLO_HOST.
Exit codes: 0 ok, 1 other, 2 usage, 3 sign-in needed, 4 refused, 5 no such
tenant or grant, 6 Jitney not reached, 7 the grant is over.`},
		{Path: "aws console", Short: "Open the AWS console in the browser", Flags: append([]string{"print", "logout-first", "destination", "region"}, scope...),
			Long: `Open the AWS console in the browser. --print prints its address instead: a
secret for 15 minutes.`},
		{Path: "aws env", Args: "[bash|powershell|fish]", Short: "Print keys as commands for a shell", Flags: append([]string{"shell", "region", "no-cache"}, scope...),
			Long: `Print keys as commands that set the environment of a shell:

  eval "$(jitney aws env --tenant dev01)"

Such keys do not renew themselves; "jitney aws exec" is better for long work.`},
		{Path: "aws exec", Args: "-- COMMAND", Short: "Run a command with keys that renew themselves", Flags: append([]string{"region", "no-cache"}, scope...),
			Long: `Run a command and serve it keys on 127.0.0.1, as containers of Amazon get
them, for as long as it runs:

  jitney aws exec --tenant dev01 -- terraform apply

Its exit code is passed on. No key stands in its environment.`},
		{Path: "aws update-config", Args: "[PROFILE]", Short: "Write a profile into ~/.aws/config", Flags: append([]string{"region"}, scope...),
			Long: `Write a profile that uses this command into ~/.aws/config, or the file that
AWS_CONFIG_FILE names. Everything else in the file stays as it is, and a profile
of another kind is never overwritten. The profile is named like the host of
Jitney unless you name it. No token is ever written.`},
		{Path: "aws tenants", Short: "List the tenants you may use", Flags: common(), Long: "List the tenants you may use, with their accounts and scopes."},
		{Path: "aws end", Short: "End what you have of AWS there before its time", Flags: append([]string{"tenant", "tenant-id", "admin", "grant"}, common()...),
			Long: `End your access to one tenant, or with --admin to the whole account, before its
time, and forget the keys that are kept of it. All that you have there ends: the
keys and consoles of pages as well. A request that waits is withdrawn.

  jitney aws end --tenant dev01`},
		{Path: "login", Short: "Sign this command line in with the browser", Flags: append([]string{"admin", "tenant"}, common()...),
			Long: `Sign this command line in with the browser. The page shows the same code as the
terminal. With --device-code the browser may be on another computer.`},
		{Path: "logout", Short: "Sign this command line out", Flags: common(), Long: "Revoke the sign-in of this command line, and forget it and the keys that it got."},
		{Path: "whoami", Short: "Say who is signed in, and with what", Flags: common(), Long: "Say whose token is used, for what it is good and until when."},
		{Path: "cache clear", Short: "Forget the keys that are kept", Flags: []string{"cache", "output", "json", "query"}, Long: "Delete the keys that are kept between two calls."},
	}
}

// Flags lists the flags of a command.
func (c Command) Describe() (all []Flag) {
	for _, o := range options() {
		if slices.Contains(c.Flags, o.names[0]) && o.usage != "" {
			all = append(all, Flag{Name: o.names[0], Short: o.short, Usage: o.usage, Bool: o.on != nil})
		}
	}
	return all
}

// help prints what the words before it mean.
func help(_ context.Context, a *app) error {
	words := strings.TrimSuffix(strings.Join(a.words, " "), " help")
	all := Commands()
	i := slices.IndexFunc(all, func(c Command) bool { return c.Path == words || strings.HasPrefix(c.Path, words+" ") && words != "aws" })
	if i < 0 {
		i = 0
	}
	c := all[i]
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  jitney %s [flags]%s\n", c.Long, c.Path, strings.TrimRight(" "+c.Args, " "))
	if c.Path == "aws" {
		b.WriteString("\nCommands:\n")
		for _, sub := range all {
			if strings.HasPrefix(sub.Path, "aws ") {
				fmt.Fprintf(&b, "  %-26s %s\n", "jitney "+sub.Path, sub.Short)
			}
		}
	}
	b.WriteString("\nFlags:\n")
	for _, f := range c.Describe() {
		short, value := "   ", ""
		if f.Short != "" {
			short = "-" + f.Short + ","
		}
		if !f.Bool {
			value = " …"
		}
		fmt.Fprintf(&b, "  %s --%-18s %s\n", short, f.Name+value, f.Usage)
	}
	_, err := fmt.Fprint(a.Out, b.String())
	return err
}

func printVersion(_ context.Context, a *app) error {
	if a.program == "duploctl" {
		return show.Print(a.Out, map[string]string{"cli": "jitney " + a.Version}, a.s.output, a.s.query)
	}
	_, err := fmt.Fprintln(a.Out, "jitney "+a.Version)
	return err
}
