//go:build unix && !solaris && !aix

package login

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks a file, which it makes, unless another holds it. Where the
// file system knows no locks, everybody gets it.
func tryLock(name string) (unlock func(), taken bool, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, true, f.Close()
	}
	return func() { _ = f.Close() }, false, nil
}
