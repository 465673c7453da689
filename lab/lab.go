// Package lab gives tests their real peers: Samba AD domain controllers, PostgreSQL, Chromium. Each is started once
// for a test binary, on loopback addresses of its own, and stops with the process that started it, whatever kills that
// process. Or a test uses a running one named in the environment. It never hides a missing peer: where CI or
// JITNEY_TEST_REQUIRE is set the test fails, elsewhere it is skipped with the command that would run it.
// It is for tests only and never part of the product.
package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// peers holds what this test binary has started, so that each peer starts once. A test binary is its only user.
var peers sync.Map // kind -> func() (map[string]string, error)

// once starts a peer through lab/hold at the first call for key and gives every caller the same answer.
func once(key string, start func() (map[string]string, error)) (map[string]string, error) {
	f, _ := peers.LoadOrStore(key, sync.OnceValues(start))
	return f.(func() (map[string]string, error))()
}

// missing ends the test: as a failure where peers are required, as a loud skip elsewhere.
func missing(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("JITNEY_TEST_REQUIRE") != "" {
		t.Fatalf("lab: %s is required here and is missing: %v", what, err)
	}
	t.Skipf("SKIPPED, NOT TESTED: %s is missing (%v). `make test` installs the peers and runs everything.", what, err)
}

// address is a loopback address that belongs to this process: 22 bits of process id and n of 0 to 3. The ports of
// Samba cannot be moved, but all of 127.0.0.0/8 is local.
func address(n int) string {
	v := uint32(os.Getpid())<<2 | uint32(n&3)
	return fmt.Sprintf("127.%d.%d.%d", v>>16&0xff, v>>8&0xff, v&0xff)
}

// folder finds lab/ in the module that holds the working directory of the test.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "lab"), nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}

// hold runs lab/hold with args and returns the env file it prints, one map for each peer joined with a prefix by the
// caller. The peer lives as long as the pipe to its standard input, which the kernel closes with this process.
func hold(env []string, args ...string) (map[string]string, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(dir, "hold"), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C at the terminal must not stop the clean-up
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var stderr tail
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	found := map[string]string{}
	prefix := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		if line == "ready" {
			keep(stdin)
			return found, nil
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		if name == "AD_NAME" && len(found) > 0 { // the second controller of a pair
			prefix = "SECOND_"
		}
		found[prefix+name] = value
	}
	_ = stdin.Close()
	err = cmd.Wait()
	return nil, fmt.Errorf("lab/hold %s: %w: %s", strings.Join(args, " "), err, stderr.String())
}

// keep holds a pipe open until the process ends: the garbage collector would close a forgotten one.
func keep(c io.Closer) { peers.Store(c, nil) }

// tail keeps the last 4,000 bytes that were written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write keeps the end of p and never fails.
func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	if n := len(w.buf) - 4000; n > 0 {
		w.buf = w.buf[n:]
	}
	return len(p), nil
}

// String is what was kept.
func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.TrimSpace(w.buf))
}

// Chromium returns the path of a Chromium or Chrome that can run headless: JITNEY_TEST_CHROMIUM or the first found in
// PATH. As root it needs --no-sandbox.
func Chromium(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("JITNEY_TEST_CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "Chromium", errors.New("no chromium in PATH"))
	return ""
}
