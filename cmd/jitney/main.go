// Command jitney gives just-in-time administrator access and proves that it
// ended. This package is the only place that knows all parts: it lists the
// kinds of targets and ticket systems, puts the server together, and holds one
// file for each command. It decides nothing that another package could.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // people choose time zones; not every system knows them
)

func main() {
	// An SDK runs this program for keys again and again: nothing of the server
	// is touched before those are printed.
	if code, ours := runClient(os.Args); ours {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
