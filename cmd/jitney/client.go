package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	client "jitney/cli"
)

// clientCommands are the commands of package cli, for help and completion. To
// run them is main's first deed and seldom comes this far.
func clientCommands() []*cobra.Command {
	byPath := map[string]*cobra.Command{}
	var top []*cobra.Command
	for _, c := range client.Commands() {
		parent, name, nested := strings.Cut(c.Path, " ")
		if !nested {
			name = parent
		} else if byPath[parent] == nil {
			byPath[parent] = group(parent, "Keep or forget what was issued")
			top = append(top, byPath[parent])
		}
		cmd := &cobra.Command{Use: strings.TrimSpace(name + " " + c.Args), Short: c.Short, Long: c.Long, Args: cobra.ArbitraryArgs, RunE: runStub}
		for _, f := range c.Describe() {
			if f.Name == "quiet" {
				continue // as of every command
			}
			if f.Short == "q" {
				f.Short = "" // quiet to the server's commands; package cli reads it as the query
			}
			if f.Bool {
				cmd.Flags().BoolP(f.Name, f.Short, false, f.Usage)
			} else {
				cmd.Flags().StringP(f.Name, f.Short, "", f.Usage)
			}
		}
		byPath[c.Path] = cmd
		if nested {
			byPath[parent].AddCommand(cmd)
		} else {
			top = append(top, cmd)
		}
	}
	return top
}

// runStub runs the command line after all, such as one that begins with a flag
// of the server's commands.
func runStub(cmd *cobra.Command, _ []string) error {
	code, ours := runClient(os.Args)
	if !ours {
		return &failure{code: exitUsage, what: cmd.CommandPath(), err: fmt.Errorf("flags of other commands stand before %s", cmd.Name()), hint: "Write them behind it."}
	}
	if code != exitOK {
		os.Exit(code)
	}
	return nil
}

// runClient runs what is a command of package cli, and reports whether it was
// one.
func runClient(argv []string) (code int, ours bool) {
	return client.Run(context.Background(), argv[0], argv[1:], client.World{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Version: versionName(),
	})
}
