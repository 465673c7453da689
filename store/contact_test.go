package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	sqlitedriver "modernc.org/sqlite"
)

// A busyFile is a SQLite file that another process is making for a while.
type busyFile struct {
	till time.Time
	busy error
}

func (f busyFile) Connect(context.Context) (driver.Conn, error) {
	if time.Now().Before(f.till) {
		return nil, f.busy
	}
	return f.Driver().Open(":memory:")
}

func (busyFile) Driver() driver.Driver { return &sqlitedriver.Driver{} }

// TestAFileThatAnotherIsMakingIsWaitedFor has that take some seconds, as on a
// disk that others keep busy.
func TestAFileThatAnotherIsMakingIsWaitedFor(t *testing.T) {
	var both [2]*sql.DB
	name := filepath.Join(t.TempDir(), "busy.db")
	for i := range both {
		db, err := sql.Open("sqlite", name)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		both[i] = db
	}
	if _, err := both[0].Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	_, busy := both[1].Exec("BEGIN EXCLUSIVE")
	if !isBusy(busy) {
		t.Fatalf("while another has it: %v", busy)
	}
	synctest.Test(t, func(t *testing.T) {
		db := sql.OpenDB(busyFile{till: time.Now().Add(8 * time.Second), busy: busy})
		defer db.Close()
		if err := firstContact(t.Context(), db); err != nil {
			t.Error(err)
		}
	})
}
