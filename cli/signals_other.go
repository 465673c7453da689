//go:build !unix

package cli

import (
	"os"
	"os/exec"
)

// passed lists the signals that a command gets from us.
func passed() []os.Signal { return []os.Signal{os.Interrupt} }

// fromTerminal reports whether a terminal sends a signal to everything that
// runs in it.
func fromTerminal(os.Signal) bool { return true }

// endOf is the exit code of a command.
func endOf(err *exec.ExitError) int { return err.ExitCode() }
