package keep

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"jitney/cli/exit"
)

// A Folder is a directory of private files: 0700, its files 0600, each written
// as a whole. What others may read or have written is not used.
type Folder string

// Dir reports where state is kept: jitney in $XDG_STATE_HOME, in %LocalAppData%
// on Windows, else in ~/.local/state. It need not exist.
func Dir(env func(string) string) (Folder, error) {
	if d := env("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return Folder(filepath.Join(d, "jitney")), nil
	}
	if d := env("LocalAppData"); runtime.GOOS == "windows" && filepath.IsAbs(d) {
		return Folder(filepath.Join(d, "jitney", "state")), nil
	}
	home := env("HOME")
	if runtime.GOOS == "windows" {
		home = env("USERPROFILE")
	}
	if !filepath.IsAbs(home) {
		return "", exit.New(exit.Usage, "There is no home directory to keep a sign-in in.",
			"Set HOME or XDG_STATE_HOME, or use an API token.")
	}
	return Folder(filepath.Join(home, ".local", "state", "jitney")), nil
}

// Key reports a short name for files about a host that is safe on every
// system.
func Key(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:12])
}

func tokenFile(origin string) string { return "token-" + Key(origin) + ".json" }

// Path reports the full name of a file of the folder.
func (f Folder) Path(name string) string { return filepath.Join(string(f), name) }

// Make makes the folder if there is none, and closes one of ours that others
// can look into.
func (f Folder) Make() error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return f.Failed("cannot be made", err)
	}
	info, err := os.Stat(string(f))
	if err != nil {
		return f.Failed("cannot be read", err)
	}
	if !mine(info) {
		return f.Failed("belongs to somebody else", nil)
	}
	if open(info) {
		if err := os.Chmod(string(f), 0o700); err != nil {
			return f.Failed("may be read by others", err)
		}
	}
	return nil
}

// Read reports what the file holds, of at most most bytes. A missing one is
// fs.ErrNotExist; one that others may read, or that is not ours, is refused.
func (f Folder) Read(name string, most int64) ([]byte, error) {
	file, err := openPrivate(f.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, f.unfit(name, "cannot be read", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, f.unfit(name, "cannot be read", err)
	case !info.Mode().IsRegular():
		return nil, f.unfit(name, "is no regular file", nil)
	case !mine(info):
		return nil, f.unfit(name, "belongs to somebody else", nil)
	case open(info):
		return nil, f.unfit(name, fmt.Sprintf("may be read by others (mode %04o)", info.Mode().Perm()), nil)
	}
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		data, err = data[:0], nil // too long to be one of ours: as good as damaged
	}
	if err != nil {
		return nil, f.unfit(name, "cannot be read", err)
	}
	return data, nil
}

// Write replaces the file as a whole: who reads it sees the old one or the new
// one. It makes the folder if need be.
func (f Folder) Write(name string, data []byte) error {
	if err := f.Make(); err != nil {
		return err
	}
	temp := f.Path("." + name + "-" + rand.Text())
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return f.Failed("cannot be written to", err)
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = replace(temp, f.Path(name))
	}
	if err != nil {
		_ = os.Remove(temp)
		return f.Failed("cannot be written to", err)
	}
	return nil
}

// replace renames over a file. Windows refuses while somebody reads it, which
// is over in no time.
func replace(from, to string) (err error) {
	for range 10 {
		if err = os.Rename(from, to); err == nil || runtime.GOOS != "windows" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// Remove deletes the file. It is no error if there is none.
func (f Folder) Remove(name string) error {
	if f == "" {
		return nil
	}
	if err := os.Remove(f.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.Failed("cannot be written to", err)
	}
	return nil
}

// Failed says what is wrong with the folder, and what to do about it.
func (f Folder) Failed(what string, err error) error {
	return &exit.Error{Code: exit.Failed, Text: "The folder " + clean(string(f)) + " " + what + ".",
		Hint: "Make it yours alone, set XDG_STATE_HOME to another, or use an API token.", Err: err}
}

func (f Folder) unfit(name, what string, err error) error {
	return &exit.Error{Code: exit.Failed, Text: "The file " + clean(f.Path(name)) + " " + what + ", so it is not used.",
		Hint: "Run \"jitney logout\", which deletes it, then \"jitney login\".", Err: err}
}

// clean keeps a path from moving the cursor of a terminal.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, s)
}
