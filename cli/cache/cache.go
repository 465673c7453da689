// Package cache keeps what was issued between two runs of the command line,
// in files that only their owner can read, and lets one process at a time do
// what all of them wait for. It knows neither keys nor tokens, never decides
// whether an entry is still good, and failing to write is no failure of the
// command.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"jitney/cli/keep"
)

// mostEntry bounds what is read back.
const mostEntry = 64 << 10

// A Dir is a cache in a directory; "" keeps nothing. Entries are named by Key.
type Dir string

// Key makes a name of all that must be equal for an entry to be used. Parts
// cannot run into each other, and nothing of them can be read from the name.
func Key(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(p)))
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

func (d Dir) folder() keep.Folder { return keep.Folder(d) }

// Get reports what is kept under key. What others could have written or read
// does not count.
func (d Dir) Get(key string) ([]byte, bool) {
	if d == "" {
		return nil, false
	}
	data, err := d.folder().Read(key+".json", mostEntry)
	return data, err == nil
}

// Put keeps data under key, if it can.
func (d Dir) Put(key string, data []byte) {
	if d != "" {
		_ = d.folder().Write(key+".json", data)
	}
}

// Delete forgets what is kept under key.
func (d Dir) Delete(key string) {
	if d != "" {
		_ = d.folder().Remove(key + ".json")
	}
}

// Each calls f with each entry and deletes those for which it reports true.
func (d Dir) Each(f func(data []byte) (remove bool)) {
	for _, name := range d.names() {
		key, ok := strings.CutSuffix(name, ".json")
		if data, found := d.Get(key); ok && found && f(data) {
			d.Delete(key)
		}
	}
}

// Clear deletes everything and reports how many entries there were.
func (d Dir) Clear() (int, error) {
	n := 0
	for _, name := range d.names() {
		if err := os.Remove(filepath.Join(string(d), name)); err != nil && !os.IsNotExist(err) {
			return n, err
		}
		if strings.HasSuffix(name, ".json") {
			n++
		}
	}
	return n, nil
}

// names lists our files: nothing else that may be in the directory.
func (d Dir) names() (all []string) {
	if d == "" {
		return nil
	}
	entries, _ := os.ReadDir(string(d))
	for _, e := range entries {
		name := e.Name()
		if e.Type().IsRegular() && (strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".lock") || strings.HasPrefix(name, ".")) {
			all = append(all, name)
		}
	}
	return all
}

// Lock waits until this process alone holds key, or ctx is done. What another
// did meanwhile may be what the caller wants. A cache that cannot be written to
// has no locks and lets everybody through.
func (d Dir) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if d == "" || d.folder().Make() != nil {
		return func() {}, nil
	}
	return lock(ctx, filepath.Join(string(d), key+".lock"))
}
