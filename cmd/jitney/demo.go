package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// demoBanner stands above every page of the demonstration.
const demoBanner = "Demonstration: the systems behind it are simulated, on this computer only."

func demoCommand(sh *shell) *cobra.Command {
	var data, listen, level string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try everything in a browser, with simulated systems",
		Long: `Run a server with sample customers, open tickets and people, and with simulated
Active Directory domains, Microsoft 365 and AWS in the same process. They speak
real LDAP, Microsoft Graph and AWS's own protocols, on this computer only. Everything is gone
when it stops, unless --data names a directory.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l slog.Level
			if err := l.UnmarshalText([]byte(level)); err != nil {
				return &failure{code: exitUsage, what: "read --log-level", err: err, hint: "Levels are debug, info, warn and error."}
			}
			if data == "" {
				dir, err := os.MkdirTemp("", "jitney-demo-")
				if err != nil {
					return failed("make a directory for the demonstration", err)
				}
				defer os.RemoveAll(dir)
				data = dir
			}
			if !cmd.Flags().Changed("listen") {
				listen = freeAddress(listen)
			}
			return demo(cmd.Context(), sh, data, listen, newLog(sh.err, "auto", l))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&data, "data", "", "directory to keep everything in; else a temporary one")
	flags.StringVar(&listen, "listen", "127.0.0.1:8080", "address of the website; another port if this one is taken")
	flags.StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

// freeAddress is address, or one with another port if that is taken.
func freeAddress(address string) string {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		host, _, _ := net.SplitHostPort(address)
		return net.JoinHostPort(host, "0")
	}
	_ = listener.Close()
	return address
}

// demo runs the demonstration until ctx ends.
func demo(ctx context.Context, sh *shell, data, listen string, log *slog.Logger) (err error) {
	systems, err := startDemoSystems(ctx, demoCustomers())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, systems.close()) }()
	var people []demoPerson
	s := &service{
		place: &place{data: data}, front: &front{listen: listen}, log: log, kinds: targetKinds(),
		banner: demoBanner, hint: "This is a demonstration: names and passwords are on the terminal where it was started.",
		prepared: func(ctx context.Context, p *program, _ string) (err error) {
			people, err = p.furnish(ctx, systems)
			return failed("prepare the samples", err)
		},
		opened: func(base string) { welcome(sh, base, people, data, systems.welcomePortal()+"\n"+systems.aws.welcome()) },
	}
	return s.run(ctx)
}

// welcome tells how to begin.
func welcome(sh *shell, base string, people []demoPerson, data, portal string) {
	rule := strings.Repeat("─", 78)
	fmt.Fprintf(sh.out, "%s\n%s\n%s\n\n", rule, demoBanner, rule)
	fmt.Fprintf(sh.out, "Open   %s\n\nSign in as\n", base)
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	for _, p := range people {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", p.login, p.password.Reveal(), p.what)
	}
	_ = w.Flush()
	fmt.Fprintf(sh.out, `
Try this: sign in as the first one, ask for a minute of access at
%s/request?minutes=1
and watch the grant from request to "Ended, verified". For M365, reveal the pass
and sign in with it before, during and after.
%s

In another terminal:

  %s grants ls --data %s

Ctrl-C ends the demonstration.
`, base, portal, os.Args[0], data)
}
