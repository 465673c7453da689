//go:build crashpoints

// Package crashpoint marks the places at which a test kills the process to see
// whether everything comes right after a restart. This build kills: the
// variable JITNEY_CRASH holds the name of a place, a colon, and the number of
// the passage that is the last.
package crashpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var passed atomic.Int64

// At ends the process as kill -9 does if this is the passage that the test asked for.
func At(name string) {
	where, number, _ := strings.Cut(os.Getenv("JITNEY_CRASH"), ":")
	if where != name {
		return
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && passed.Add(1) != n {
		return
	}
	fmt.Fprintln(os.Stderr, "crashpoint: "+name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
