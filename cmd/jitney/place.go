package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"jitney/store"
)

// A place is where an installation keeps what it must not forget.
type place struct {
	data     string   // directory
	database string   // path of a SQLite file or URL of PostgreSQL; empty means a file in data
	keyFile  string   // empty means a file in data
	private  []string // hosts and networks that are not public, and that ticket systems may be at
}

func (p *place) register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&p.data, "data", defaultData(), "directory of the database, the keys and the audit checkpoints")
	flags.StringVar(&p.database, "database", "", "postgres://… for a PostgreSQL database; else a SQLite file in the data directory")
	flags.StringSliceVar(&p.private, "allow-private", nil, "host names, addresses or networks that are not public, where ticket systems may be")
	flags.StringVar(&p.keyFile, "key-file", "", "file of the keys; else jitney.keys in the data directory")
}

// defaultData is the directory that the service manager gave us, or the usual
// one of the user.
func defaultData() string {
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "jitney")
	}
	home, err := os.UserHomeDir()
	if err != nil || home == "/" {
		return "/var/lib/jitney"
	}
	return filepath.Join(home, ".local", "share", "jitney")
}

func (p *place) isPostgres() bool {
	return strings.HasPrefix(p.database, "postgres://") || strings.HasPrefix(p.database, "postgresql://")
}

func (p *place) databaseName() string {
	if p.database != "" {
		return p.database
	}
	return filepath.Join(p.data, "jitney.db")
}

func (p *place) keyPath() string {
	if p.keyFile != "" {
		return p.keyFile
	}
	return filepath.Join(p.data, "jitney.keys")
}

func (p *place) checkpointPath() string { return filepath.Join(p.data, "audit-checkpoints.txt") }

// exists demands that there is an installation, so that a command that reads
// never makes an empty one beside the real one.
func (p *place) exists() error {
	if p.isPostgres() {
		return nil
	}
	if _, err := os.Stat(p.databaseName()); errors.Is(err, os.ErrNotExist) {
		return &failure{code: exitNotFound, what: "open the database", err: fmt.Errorf("there is no %s", p.databaseName()),
			hint: "Name the directory with --data, or start jitney serve once to make it."}
	}
	return nil
}

// prepare makes the data directory if it is not there. Only its owner may look
// into it.
func (p *place) prepare() error {
	if err := os.MkdirAll(p.data, 0o700); err != nil {
		return &failure{what: "make the data directory", err: err, hint: "Name one that you may write to with --data."}
	}
	return nil
}

// lock makes sure that one server at a time runs on a SQLite file. The kernel
// gives the lock back when the process is gone, however it went.
func (p *place) lock() (release func(), err error) {
	if p.isPostgres() {
		return func() {}, nil
	}
	unlock, err := store.Lock(filepath.Dir(p.databaseName()))
	if err != nil {
		return nil, failed("lock the database", err)
	}
	return func() { _ = unlock() }, nil
}
