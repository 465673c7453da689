package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"jitney/access"
)

// The exit codes of every command.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDenied      = 4
	exitNotFound    = 6
	exitUnreachable = 7
	exitNotRemoved  = 8
)

// A failure is an error as the terminal shows it: what failed, why, and what
// to do.
type failure struct {
	code int    // 0 means: as the kind of err says
	what string // such as "jitney audit verify" or "open the database"
	err  error
	hint string
}

func (f *failure) Error() string { return f.what + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// failed says what was tried when err happened; nil stays nil.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	return &failure{what: what, err: err}
}

// report prints err for people and turns it into an exit code.
func (sh *shell) report(err error) int {
	if err == nil {
		return exitOK
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{what: "jitney", err: err}
		if strings.HasPrefix(err.Error(), "unknown command") {
			f.code, f.hint = exitUsage, "Run jitney --help to see what there is."
		}
	}
	why, hint := f.err.Error(), f.hint
	if known, ok := errors.AsType[*access.Error](f.err); ok {
		why, hint = known.Text, known.Hint
		if known.Err != nil && known.Kind != access.NotFound {
			why += " (" + known.Err.Error() + ")"
		}
	}
	if errors.Is(f.err, context.Canceled) {
		why = "interrupted"
	}
	fmt.Fprintf(sh.err, "%s: %s\n", f.what, strings.TrimSpace(why))
	if hint != "" {
		fmt.Fprintf(sh.err, "→ %s\n", hint)
	}
	return f.exit()
}

func (f *failure) exit() int {
	if f.code != 0 {
		return f.code
	}
	if _, ok := errors.AsType[*access.Error](f.err); !ok {
		return exitFailed
	}
	switch access.KindOf(f.err) {
	case access.Denied:
		return exitDenied
	case access.NotFound:
		return exitNotFound
	case access.Unavailable:
		return exitUnreachable
	case access.Invalid:
		return exitUsage
	default:
		return exitFailed
	}
}
