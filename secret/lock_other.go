//go:build !unix

package secret

import (
	"context"
	"io/fs"
)

// lock does nothing without file locks of Unix: whoever rotates keys there
// stops the server first.
func lock(context.Context, string, bool) (unlock func(), err error) { return func() {}, nil }

// othersMayRead cannot tell without file modes of Unix.
func othersMayRead(fs.FileMode) bool { return false }

func syncDir(string) error { return nil }
