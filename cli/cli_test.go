package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/cli/keep"
	"jitney/cli/login"
)

func TestMain(m *testing.M) {
	if os.Getenv("JITNEY_TEST_MAIN") != "" { // this test binary plays jitney
		code, ours := Run(context.Background(), os.Args[0], os.Args[1:], World{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Version: "test"})
		if !ours {
			code = 99
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// A bench is a home directory and a fake to try commands with.
type bench struct {
	t       *testing.T
	f       *fake
	home    string
	environ []string
	program string
	now     func() time.Time
	signIn  func(context.Context, login.Request) (keep.Token, error)
	renew   func(context.Context, login.Request, keep.Token) (keep.Token, error)
	browse  func(link, browser string, env func(string) string) error
}

// A result is how a command ended.
type result struct {
	code     int
	out, err string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, f: fakeServer(t), home: t.TempDir(), program: "jitney"}
	b.environ = []string{"HOME=" + b.home, "PATH=" + os.Getenv("PATH"), "JITNEY_HOST=" + b.f.URL, "JITNEY_KEYRING=file"}
	b.signIn = func(context.Context, login.Request) (keep.Token, error) {
		t.Error("it went to sign in")
		return keep.Token{}, login.ErrPending
	}
	return b
}

// as adds variables to the environment.
func (b *bench) as(environ ...string) *bench {
	c := *b
	c.environ = append(slices.Clone(b.environ), environ...)
	return &c
}

// called gives the program another name.
func (b *bench) called(name string) *bench {
	c := *b
	c.program = name
	return &c
}

// run runs a command in this process.
func (b *bench) run(args ...string) result {
	b.t.Helper()
	var out, errs bytes.Buffer
	a := newApp(b.program, World{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: b.environ, Version: "test"})
	a.signIn = b.signIn
	if b.renew != nil {
		a.renew = b.renew
	}
	if b.now != nil {
		a.now = b.now
	}
	if b.browse != nil {
		a.browse = b.browse
	}
	code, ours := a.main(context.Background(), args)
	if !ours {
		code = 99
	}
	if code != 0 && out.Len() > 0 {
		b.t.Errorf("%v failed, and yet printed %q", args, out.String())
	}
	return result{code, out.String(), errs.String()}
}

// process is run in a process of its own.
func (b *bench) process(args ...string) result {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Args[0] = b.program
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, append(slices.Clone(b.environ), "JITNEY_TEST_MAIN=1")
	_ = cmd.Run()
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// keys runs a command that must print keys.
func (b *bench) keys(args ...string) map[string]any {
	b.t.Helper()
	r := b.run(args...)
	if r.code != 0 {
		b.t.Fatalf("%v: exit %d\n%s", args, r.code, r.err)
	}
	return decode(b.t, r.out)
}

func decode(t *testing.T, line string) map[string]any {
	t.Helper()
	var k map[string]any
	if err := json.Unmarshal([]byte(line), &k); err != nil || strings.Count(line, "\n") != 1 {
		t.Fatalf("not one line of JSON: %q: %v", line, err)
	}
	return k
}

// files lists what is in the cache.
func (b *bench) files() (all []string) {
	_ = filepath.Walk(filepath.Join(b.home, ".cache"), func(name string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			all = append(all, name)
		}
		return nil
	})
	return all
}

// want checks how a command ended, and that its errors hold each text.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit %d, want %d\nout: %s\nerr: %s", r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			t.Errorf("stderr lacks %q:\n%s", text, r.err)
		}
	}
}
