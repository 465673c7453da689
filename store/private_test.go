package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"jitney/store"
)

// The folder may have been made by somebody else, so that everybody can look
// into it.
func TestTheFileOfADatabaseIsItsOwners(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there the folder says who may read
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(dir, "jitney.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v, %v", f.Name(), info.Mode(), err)
		}
	}
}
