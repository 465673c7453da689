package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"jitney/cli/call"
	"jitney/cli/exit"
	"jitney/cli/show"
)

// A variable is one of the environment.
type variable struct{ name, value string }

// variables are keys as the AWS CLI and SDKs read them from the environment.
func variables(s call.Session, region string) []variable {
	all := []variable{
		{"AWS_ACCESS_KEY_ID", s.AccessKeyID}, {"AWS_SECRET_ACCESS_KEY", s.SecretAccessKey}, {"AWS_SESSION_TOKEN", s.SessionToken},
		{"AWS_CREDENTIAL_EXPIRATION", s.Expiration.UTC().Format(time.RFC3339)},
	}
	if region := call.Clean(cmp.Or(region, s.Region)); region != "" {
		all = append(all, variable{"AWS_REGION", region}, variable{"AWS_DEFAULT_REGION", region})
	}
	return all
}

// printEnv prints keys as commands for a shell.
func printEnv(ctx context.Context, a *app) error {
	shell := a.s.shell
	if len(a.rest) > 0 {
		shell = a.rest[0]
	}
	line, err := assignment(cmp.Or(shell, a.env.usualShell()))
	if err != nil {
		return err
	}
	k, err := issuer{a}.session(ctx)
	if err != nil {
		return err
	}
	all := variables(k.Session, a.s.region)
	if a.s.output != "" || a.s.query != "" {
		values := make(map[string]string, len(all))
		for _, v := range all {
			values[v.name] = v.value
		}
		return show.Print(a.Out, values, a.s.output, a.s.query)
	}
	var b strings.Builder
	for _, v := range all {
		b.WriteString(line(v) + "\n")
	}
	_, err = fmt.Fprint(a.Out, b.String())
	return err
}

// usualShell guesses for which shell the lines are.
func (e env) usualShell() string {
	switch shell := filepath.Base(e["SHELL"]); {
	case shell == "fish":
		return "fish"
	case shell == "." && e["PSModulePath"] != "":
		return "powershell"
	default:
		return "bash"
	}
}

// assignment reports how a shell sets a variable, whatever its value holds.
func assignment(shell string) (func(variable) string, error) {
	switch strings.ToLower(shell) {
	case "bash", "sh", "zsh", "dash", "ksh":
		return func(v variable) string {
			return fmt.Sprintf("export %s='%s'", v.name, strings.ReplaceAll(v.value, "'", `'\''`))
		}, nil
	case "fish":
		return func(v variable) string {
			return fmt.Sprintf("set -gx %s '%s';", v.name, strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(v.value))
		}, nil
	case "powershell", "pwsh":
		return func(v variable) string {
			return fmt.Sprintf("$Env:%s = '%s'", v.name, strings.ReplaceAll(v.value, "'", "''"))
		}, nil
	default:
		return nil, exit.New(exit.Usage, fmt.Sprintf("There is no shell %q.", call.Clean(shell)), "Choose bash, powershell or fish.")
	}
}
