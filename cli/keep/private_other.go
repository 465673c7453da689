//go:build !unix

package keep

import (
	"io/fs"
	"os"
)

// openPrivate opens a file to read.
func openPrivate(name string) (*os.File, error) { return os.Open(name) }

// mine is true: on Windows a file in a person's profile inherits a list of
// rights that names nobody else, and mode bits say nothing.
func mine(fs.FileInfo) bool { return true }

// open is false for the same reason.
func open(fs.FileInfo) bool { return false }
