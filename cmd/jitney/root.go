package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// A shell is what a command has of the world around it.
type shell struct {
	in       io.Reader
	out, err io.Writer // data goes to out, everything else to err
	environ  []string  // NAME=value
	quiet    bool
}

// run runs one command line and reports the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	sh := &shell{in: stdin, out: stdout, err: stderr, environ: os.Environ()}
	root := sh.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	return sh.report(err)
}

func (sh *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "jitney",
		Short: "Just-in-time administrator access, with proof that it ended",
		Long: `Jitney gives technicians administrator access for a few minutes, tied to a
ticket, and proves at the end that nothing is left of it.

Try it:             jitney demo
Run it:             jitney serve --base-url https://jitney.example.net --tls-cert … --tls-key …
See what is open:   jitney grants ls

Every flag of the server's commands can be set by the environment: --base-url is
JITNEY_BASE_URL, or JITNEY_BASE_URL_FILE for a file that holds the value. "jitney
aws --help" says which of the others can.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		return sh.environment(root, cmd.Flags())
	}
	root.PersistentFlags().BoolVarP(&sh.quiet, "quiet", "q", false, "print data and errors only")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &failure{code: exitUsage, what: cmd.CommandPath(), err: err, hint: "Run " + cmd.CommandPath() + " --help to see what it takes."}
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(serveCommand(sh), demoCommand(sh), doctorCommand(sh), grantsCommand(sh),
		auditCommand(sh), keysCommand(sh), issuerCommand(sh), versionCommand(sh), completionCommand(sh))
	root.AddCommand(clientCommands()...)
	return root
}

// arguments turns a wrong number of arguments into an error of use.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &failure{code: exitUsage, what: cmd.CommandPath(), err: err, hint: "Run " + cmd.CommandPath() + " --help to see what it takes."}
		}
		return nil
	}
}

// group makes a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return &failure{code: exitUsage, what: cmd.CommandPath(), err: errors.New("there is no command " + args[0]),
			hint: "Run " + cmd.CommandPath() + " --help to see what there is."}
	}
	cmd.AddCommand(commands...)
	return cmd
}
