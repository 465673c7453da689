package secret

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Keyfile holds what must not be in the database: the keys that wrap the
// keys in it, and the key that signs the audit log. It is a text file, one key
// a line; the first wrapping key is the one in use, others are of earlier
// rotations.
type Keyfile struct {
	Path    string
	Fixed   bool // came from the service manager; it cannot be changed here
	wrap    []wrapKey
	signing string // in the form of package golang.org/x/mod/sumdb/note
}

type wrapKey struct {
	id  string
	key []byte // 32 bytes
}

// credentialName is the name that a systemd unit gives the key file.
const credentialName = "jitney-keys"

// OpenKeyfile reads the key file at path, or makes one that only its owner may
// read if there is none. Where the service manager hands over a credential
// called jitney-keys, that is read instead and nothing is made. makeSigning
// makes the signing key of a new file.
func OpenKeyfile(path string, makeSigning func() (string, error)) (*Keyfile, error) {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		handed := filepath.Join(dir, credentialName)
		if _, err := os.Stat(handed); err == nil {
			return readKeyfile(handed, true)
		}
	}
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKeyfile(path, makeSigning)
	}
	return readKeyfile(path, false)
}

func makeKeyfile(path string, makeSigning func() (string, error)) (*Keyfile, error) {
	signing, err := makeSigning()
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	f := &Keyfile{Path: path, wrap: []wrapKey{newWrapKey()}, signing: signing}
	// Written aside and then linked, so that it is there whole or not at all,
	// and never in the place of another one.
	aside := path + "." + strings.ToLower(rand.Text()[:8])
	if err := f.write(aside); err != nil {
		return nil, errors.Join(err, removeIfThere(aside))
	}
	err = os.Link(aside, path)
	if err := removeIfThere(aside); err != nil {
		return nil, err
	}
	if errors.Is(err, fs.ErrExist) {
		return readKeyfile(path, false) // another process was first
	}
	if err := errors.Join(err, syncDir(path)); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	return f, nil
}

// write makes a file of that name, which must not be there, and has it on disk
// before it returns.
func (f *Keyfile) write(name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(f.encode())
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func removeIfThere(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func readKeyfile(path string, fixed bool) (*Keyfile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); !fixed && othersMayRead(mode) {
		return nil, fmt.Errorf("%s may be read by others (mode %04o); make it chmod 600", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &Keyfile{Path: path, Fixed: fixed}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		if err := f.decode(lines.Text()); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	if len(f.wrap) == 0 || f.signing == "" {
		return nil, fmt.Errorf("%s lacks a wrapping or a signing key", path)
	}
	return f, nil
}

// decode never puts a key into its error.
func (f *Keyfile) decode(line string) error {
	what, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case what == "" || strings.HasPrefix(what, "#"):
		return nil
	case what == "sign":
		f.signing = rest
		return nil
	case what != "wrap":
		return errors.New("neither a wrap nor a sign line")
	}
	id, text, _ := strings.Cut(rest, " ")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 || id == "" {
		return errors.New("not a wrapping key")
	}
	f.wrap = append(f.wrap, wrapKey{id, key})
	return nil
}

func (f *Keyfile) encode() []byte {
	var b bytes.Buffer
	b.WriteString("# The keys of a Jitney installation. Keep a copy apart from the copies of the database:\n" +
		"# without this file no stored secret opens and no audit checkpoint can be signed.\n")
	for _, k := range f.wrap {
		fmt.Fprintf(&b, "wrap %s %s\n", k.id, base64.StdEncoding.EncodeToString(k.key))
	}
	fmt.Fprintf(&b, "sign %s\n", f.signing)
	return b.Bytes()
}

// save replaces the file at once: after a crash it is the old one or the new
// one. Who calls it holds the lock, so that no other process does.
func (f *Keyfile) save() error {
	if f.Fixed {
		return errors.New("the keys came from the service manager and cannot be changed here; change the credential it hands over")
	}
	aside := f.Path + ".new" // one that a crash left behind is of no use: it was never in force
	if err := errors.Join(removeIfThere(aside), f.write(aside)); err != nil {
		return err
	}
	return errors.Join(os.Rename(aside, f.Path), syncDir(f.Path))
}

// SigningKey is the key that signs audit checkpoints.
func (f *Keyfile) SigningKey() string { return f.signing }

// WrapKeys lists the names of the wrapping keys, the one in use first.
func (f *Keyfile) WrapKeys() []string {
	var ids []string
	for _, k := range f.wrap {
		ids = append(ids, k.id)
	}
	return ids
}

func (f *Keyfile) find(id string) ([]byte, bool) {
	i := slices.IndexFunc(f.wrap, func(k wrapKey) bool { return k.id == id })
	if i < 0 {
		return nil, false
	}
	return f.wrap[i].key, true
}

func newWrapKey() wrapKey {
	key := make([]byte, 32)
	rand.Read(key)
	return wrapKey{strings.ToLower(rand.Text()[:8]), key}
}
