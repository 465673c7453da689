package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The commands as a person at a terminal sees them. Beside the usual words a
// script may say:
//
//	demo                          start a demonstration; $DATA is its directory
//	request CUSTOMER TICKET MIN   ask for access and wait until it is active; $GRANT is its ID
//	code N CMD…                   run a command that must exit with N
func TestCommands(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_DATA_HOME", "")
			e.Values[outer{}] = &running{t: t}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"demo":    scriptDemo,
			"request": scriptRequest,
			"code":    scriptCode,
		},
	})
}

// running is the demonstration that a script started.
type running struct {
	t *testing.T
	v *visitor
}

type outer struct{}

func scriptDemo(ts *testscript.TestScript, _ bool, _ []string) {
	r := ts.Value(outer{}).(*running)
	data := filepath.Join(ts.Getenv("WORK"), "demo")
	p := start(r.t, nil, "demo", "--data", data, "--listen", "127.0.0.1:0")
	ts.Defer(func() { p.kill() })
	base := p.await(`Open   (http://\S+)`)
	m := regexp.MustCompile(`(example\.user@\S+)\s+(\S+)\s+a technician`).FindStringSubmatch(p.await(`(?s)(.*Ctrl-C)`))
	if m == nil {
		ts.Fatalf("no sign-in is printed:\n%s", p.output())
	}
	r.v = visit(r.t, base)
	r.v.signIn(m[1], m[2])
	ts.Setenv("DATA", data)
}

func scriptRequest(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: request CUSTOMER TICKET MINUTES")
	}
	v := ts.Value(outer{}).(*running).v
	minutes, err := strconv.Atoi(args[2])
	ts.Check(err)
	grant := v.request(args[0], args[1], minutes, "A reason that is long enough.")
	poll(v.t, "active access", func() bool { return strings.Contains(v.get("/grants/"+grant), "Time left") })
	ts.Setenv("GRANT", grant)
}

func scriptCode(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v: %v", args[1:], err)
		}
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("%s exits with %d; want %s\n%s", strings.Join(args[1:], " "), got, args[0], ts.ReadFile("stderr"))
	}
}
