//go:build unix

package cli

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// passed lists the signals that a command gets from us.
func passed() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGALRM, syscall.SIGCONT}
}

// fromTerminal reports whether a terminal sends a signal to everything that
// runs in it.
func fromTerminal(s os.Signal) bool {
	return slices.Contains([]os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH}, s)
}

// endOf is the exit code of a command; of one that a signal ended, as shells
// have it.
func endOf(err *exec.ExitError) int {
	if status, ok := err.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return err.ExitCode()
}
