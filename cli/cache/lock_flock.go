//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package cache

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lock holds a file by flock, which the system lets go when the process ends,
// however it ends. The file stays.
func lock(ctx context.Context, name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return func() {}, nil
	}
	// A tenth of a second between looks, at first less: the usual wait is for
	// one request.
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return func() { _ = file.Close() }, nil // a file system without locks
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return func() {}, ctx.Err()
		case <-time.After(pause):
		}
	}
}
