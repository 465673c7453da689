package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const prefix = "JITNEY_"

// environment sets each flag that the command line left alone from JITNEY_NAME,
// or from the file that JITNEY_NAME_FILE names. A JITNEY_ variable that no flag
// of any command has is an error: a misspelled setting must not pass silently.
func (sh *shell) environment(root *cobra.Command, flags *pflag.FlagSet) error {
	env := map[string]string{}
	for _, entry := range sh.environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, prefix) {
			env[name] = value
		}
	}
	known := variables(root)
	for name := range env {
		if !known[name] && !known[strings.TrimSuffix(name, "_FILE")] && !isForeign(name) {
			return &failure{code: exitUsage, what: "read the environment", err: fmt.Errorf("there is no setting %s", name),
				hint: "Settings are named like flags: --base-url is JITNEY_BASE_URL. Unset it, or correct its name."}
		}
	}
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if err == nil && !f.Changed {
			err = setFrom(env, flags, f.Name)
		}
	})
	return err
}

// isForeign reports whether a variable is not ours although it begins like
// one: those of tests, and those that container platforms make for a service
// that is called jitney.
func isForeign(name string) bool {
	return slices.ContainsFunc([]string{"TEST_", "SCREENSHOTS", "SERVICE_", "PORT", "CRASH", "KEYRING"}, func(p string) bool {
		return strings.HasPrefix(name, prefix+p)
	})
}

func setFrom(env map[string]string, flags *pflag.FlagSet, flag string) error {
	name := variable(flag)
	value, isSet := env[name]
	file, hasFile := env[name+"_FILE"]
	wrong := func(err error) error {
		return &failure{code: exitUsage, what: "read the environment", err: err}
	}
	switch {
	case isSet && hasFile:
		return wrong(fmt.Errorf("both %s and %s_FILE are set", name, name))
	case hasFile:
		content, err := os.ReadFile(file)
		if err != nil {
			return wrong(fmt.Errorf("%s_FILE: %w", name, err))
		}
		value = strings.TrimRight(string(content), "\r\n")
	case !isSet:
		return nil
	}
	if err := flags.Set(flag, value); err != nil {
		return wrong(fmt.Errorf("%s is not a value for --%s", name, flag))
	}
	return nil
}

// variable is the name of a flag in the environment.
func variable(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// variables lists the names of all flags of all commands in the environment.
func variables(cmd *cobra.Command) map[string]bool {
	known := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			flags.VisitAll(func(f *pflag.Flag) {
				if !slices.Contains([]string{"help", "version"}, f.Name) {
					known[variable(f.Name)] = true
				}
			})
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(cmd)
	return known
}
