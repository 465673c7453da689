//go:build unix

package keep

import (
	"io/fs"
	"os"
	"syscall"
)

// openPrivate opens a file to read, but follows no link to another and does
// not wait for the other end of a pipe.
func openPrivate(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// mine reports whether the file belongs to who runs this.
func mine(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// open reports whether anybody else has rights on the file.
func open(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
