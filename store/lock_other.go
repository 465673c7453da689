//go:build !unix

package store

import (
	"os"
	"path/filepath"

	"jitney/access"
)

// Lock takes a data directory for this process alone, until unlock is called.
// Without file locks of Unix a process that is killed leaves its lock behind;
// an administrator deletes the file.
func Lock(dir string) (unlock func() error, err error) {
	name := filepath.Join(dir, "lock")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &access.Error{Kind: access.Conflict, Text: "Another jitney seems to be running with this data directory.",
			Hint: "If none is running, delete the file named lock in it.", Err: err}
	}
	return func() error {
		if err := file.Close(); err != nil {
			return err
		}
		return os.Remove(name)
	}, nil
}
