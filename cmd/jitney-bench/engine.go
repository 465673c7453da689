package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"jitney/store"
)

// An engine is one kind of database, and how to get empty ones.
type engine struct {
	title      string
	postgres   bool
	server     string // URL of PostgreSQL
	postmaster string // its process, if we started it
	dir        string
	n          int
	stop       func()
}

// engine starts or finds a database engine.
func (o *options) engine(ctx context.Context, name string) (*engine, error) {
	switch name {
	case "sqlite":
		return &engine{title: "SQLite (WAL, synchronous=FULL)", dir: o.dir, stop: func() {}}, nil
	case "postgres":
		return o.postgres(ctx)
	default:
		return nil, fmt.Errorf("there is no engine %q", name)
	}
}

// postgres uses the server that JITNEY_TEST_POSTGRES names, or starts one that
// flushes to disk.
func (o *options) postgres(ctx context.Context) (*engine, error) {
	e := &engine{postgres: true, dir: o.dir, server: os.Getenv("JITNEY_TEST_POSTGRES"), stop: func() {}}
	if e.server == "" {
		if err := e.start(ctx); err != nil {
			return nil, err
		}
	}
	db, err := sql.Open("pgx", e.server)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var version, fsync string
	if err := db.QueryRowContext(ctx, "SELECT current_setting('server_version'), current_setting('fsync')").Scan(&version, &fsync); err != nil {
		return nil, err
	}
	e.title = "PostgreSQL " + version + " (fsync=" + fsync + ")"
	return e, nil
}

func (e *engine) start(ctx context.Context) error {
	dir, err := os.MkdirTemp(e.dir, "pg-")
	if err != nil {
		return err
	}
	if err := os.Chmod(e.dir, 0o755); err != nil { // the server runs as somebody else
		return err
	}
	env := append(os.Environ(), "LAB_DIR="+dir)
	up := exec.CommandContext(ctx, "lab/postgres", "up", "127.0.0.93", "5493")
	up.Env = env
	out, err := up.Output()
	if err != nil {
		return fmt.Errorf("lab/postgres up: %w (run this in the root of the module)", err)
	}
	e.stop = func() {
		down := exec.Command("lab/postgres", "down")
		down.Env = env
		_ = down.Run() // its directory goes with ours
	}
	if b, err := os.ReadFile(filepath.Join(dir, "pg/data/postmaster.pid")); err == nil {
		e.postmaster, _, _ = strings.Cut(string(b), "\n")
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if url, ok := strings.CutPrefix(lines.Text(), "JITNEY_TEST_POSTGRES="); ok {
			e.server = url
			return nil
		}
	}
	e.stop()
	return fmt.Errorf("lab/postgres told no address")
}

// empty makes a new database with the current schema, and reports its name for
// store.Open.
func (e *engine) empty(ctx context.Context) (name string, err error) {
	e.n++
	if e.postgres {
		if name, err = e.create(ctx); err != nil {
			return "", err
		}
	} else {
		name = filepath.Join(e.dir, fmt.Sprintf("bench%d.db", e.n))
	}
	s, err := store.Open(ctx, name)
	if err != nil {
		return "", err
	}
	return name, s.Close()
}

func (e *engine) create(ctx context.Context) (string, error) {
	db, err := sql.Open("pgx", e.server)
	if err != nil {
		return "", err
	}
	defer db.Close()
	base := fmt.Sprintf("bench_%d_%d", os.Getpid(), e.n)
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+base); err != nil {
		return "", err
	}
	host, query, _ := strings.Cut(e.server, "?")
	return host[:strings.LastIndexByte(host, '/')+1] + base + "?" + query, nil
}

// drop removes a database.
func (e *engine) drop(ctx context.Context, name string) {
	if !e.postgres {
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(name + end)
		}
		return
	}
	db, err := sql.Open("pgx", e.server)
	if err != nil {
		return
	}
	defer db.Close()
	host, _, _ := strings.Cut(name, "?")
	_, _ = db.ExecContext(ctx, "DROP DATABASE IF EXISTS "+host[strings.LastIndexByte(host, '/')+1:]+" WITH (FORCE)")
}

// raw opens a database beside the store, to fill it and to count.
func (e *engine) raw(name string) (*sql.DB, error) {
	if e.postgres {
		return sql.Open("pgx", name)
	}
	db, err := sql.Open("sqlite", "file:"+name+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=synchronous(OFF)&_pragma=cache_size(-200000)&_pragma=wal_autocheckpoint(20000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// preface says where the figures come from.
func (o *options) preface() {
	o.printf("# Jitney, measured %s", time.Now().UTC().Format(time.RFC3339))
	o.printf("%s, %s/%s, %d CPUs; one fdatasync here takes %s; load %s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), syncTime(o.dir), load())
	o.printf("Everything that commits is bound by that sync; the load generator and the target share the CPUs.")
	o.printf("The target takes 1 ms for a removal and nothing for a read; every end is observed, removed, read back and recorded,")
	o.printf("with audit records and a ticket note, in one durable transaction. Audit sealer and note writer run beside it.")
}

// syncTime is the median of some small synced writes.
func syncTime(dir string) time.Duration {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0
	}
	defer f.Close()
	var all []time.Duration
	for range 200 {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0
		}
		if err := f.Sync(); err != nil {
			return 0
		}
		all = append(all, time.Since(began))
	}
	return at(all, 0.5).Round(time.Microsecond)
}

// load is the machine's load, so that a disturbed run shows.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
