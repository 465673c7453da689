// Package exit holds the exit codes of the AWS commands and the error that
// carries one. SDKs only ask whether a code is 0; scripts may tell the rest
// apart. It never prints and never ends the process.
package exit

import (
	"cmp"
	"errors"
)

// The exit codes of jitney aws, login, logout, whoami and cache.
const (
	OK          = 0
	Failed      = 1 // whatever has no code of its own
	Usage       = 2 // the command line, a setting or a file is wrong
	Login       = 3 // a sign-in is needed, or one is waiting in the browser
	Refused     = 4 // switched off, not a member, read-only, turned down
	NotFound    = 5 // no such tenant or grant
	Unreachable = 6 // Jitney did not answer, or not usefully
	Ended       = 7 // the grant ended or was revoked
)

// An Error is what a person at a terminal is told. Text and Hint are full
// sentences on one line each and never hold a secret; Err is the cause for
// errors.Is and is not printed.
type Error struct {
	Code int
	Text string
	Hint string // what to do, or ""
	Err  error
}

// Error returns Text.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an Error from what a person is told.
func New(code int, text, hint string) *Error {
	return &Error{Code: code, Text: text, Hint: hint}
}

// Code reports the exit code that err stands for: OK for nil, Failed for an
// error that is no Error.
func Code(err error) int {
	if err == nil {
		return OK
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return cmp.Or(e.Code, Failed)
	}
	return Failed
}
