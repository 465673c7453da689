//go:build unix

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"jitney/access"
)

// Lock takes a data directory for this process alone, until unlock is called
// or the process ends, however it ends. A server does so before it opens a
// SQLite database; commands that only look do not.
func Lock(dir string) (unlock func() error, err error) {
	name := filepath.Join(dir, "lock")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &access.Error{Kind: access.Unavailable, Text: "The data directory cannot be used.",
			Hint: "Check that it exists and that jitney may write to it.", Err: err}
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, &access.Error{Kind: access.Conflict, Text: "Another jitney is running with this data directory.",
			Hint: "Stop that one first, or give this one a directory of its own.", Err: errors.Join(fmt.Errorf("lock %s: %w", name, err), file.Close())}
	}
	return file.Close, nil
}
