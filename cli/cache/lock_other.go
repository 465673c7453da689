//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// stale is how old the lock of a process that died may get.
const stale = 2 * time.Minute

// lock holds a file by being the one that made it.
func lock(ctx context.Context, name string) (unlock func(), err error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_ = file.Close()
			return func() { _ = os.Remove(name) }, nil
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrPermission) {
			return func() {}, nil
		}
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > stale {
			_ = os.Remove(name)
		}
		select {
		case <-ctx.Done():
			return func() {}, ctx.Err()
		case <-time.After(pause):
		}
	}
}
