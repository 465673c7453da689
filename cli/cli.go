// Package cli is the command line of the people who use Jitney: jitney aws
// with all its words, login, logout, whoami and cache, also under the names
// and with the flags of duploctl and duplo-jit. It starts in milliseconds,
// since an SDK runs it again and again, and so imports nothing of what the
// server needs. Data goes to stdout and nothing else does; if a command fails,
// stdout stays empty. It never writes a token into a file of others.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"jitney/cli/cache"
	"jitney/cli/exit"
	"jitney/cli/keep"
	"jitney/cli/login"
)

// A World is what a command has around it.
type World struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string // NAME=value
	Version  string
}

// A Command describes one command for help and completion.
type Command struct {
	Path  string // words, such as "aws console"
	Args  string
	Short string
	Long  string
	Flags []string // names of the flags that matter to it
}

// An app is one run.
type app struct {
	World
	env     env
	program string // jitney, duploctl or duplo-jit
	words   []string
	rest    []string // the command to run
	s       settings
	cache   cache.Dir
	now     func() time.Time

	signIn func(context.Context, login.Request) (keep.Token, error)
	renew  func(context.Context, login.Request, keep.Token) (keep.Token, error)
	browse func(link, browser string, env func(string) string) error
}

// Run runs a command line that is one of ours and reports its exit code.
// Otherwise ours is false and nothing has happened. argv0 is the name the
// program was started by.
func Run(ctx context.Context, argv0 string, args []string, w World) (code int, ours bool) {
	return newApp(argv0, w).main(ctx, args)
}

func newApp(argv0 string, w World) *app {
	return &app{World: w, program: programOf(argv0), now: time.Now, signIn: login.Token, renew: login.Renew, browse: login.Open}
}

func (a *app) main(ctx context.Context, args []string) (code int, ours bool) {
	f, words, rest, err := parse(args, isExec)
	if a.program == "jitney" && (len(words) == 0 || !slices.Contains([]string{"aws", "jit", "login", "logout", "whoami", "cache"}, words[0])) {
		return exit.OK, false
	}
	a.rest = rest
	var run action
	if err == nil {
		a.words, err = a.translate(words, f)
	}
	if err == nil {
		run, err = a.find(f)
	}
	if err == nil {
		a.env = environment(a.Environ)
		a.s, err = f.resolve(a.env)
	}
	if err == nil {
		err = a.s.apart(a.program)
	}
	if err == nil && run.remote {
		err = a.s.address()
	}
	if err == nil {
		a.cache = a.cacheDir()
		err = run.do(ctx, a)
	}
	return a.report(err), true
}

// programOf reports whose words are spoken.
func programOf(argv0 string) string {
	name := strings.ToLower(filepath.Base(strings.ReplaceAll(argv0, `\`, "/")))
	name = strings.TrimSuffix(name, ".exe")
	if name == "duploctl" || name == "duplo-jit" {
		return name
	}
	return "jitney"
}

// isExec reports whether the next word begins the command to run.
func isExec(words []string) bool {
	return len(words) == 2 && words[0] == "aws" && words[1] == "exec" ||
		len(words) == 3 && words[0] == "jit" && words[1] == "aws" && words[2] == "exec"
}

// report prints err for people and turns it into an exit code. A child's code
// passes through.
func (a *app) report(err error) int {
	if err == nil {
		return exit.OK
	}
	if c, ok := errors.AsType[childCode](err); ok {
		return int(c)
	}
	text, hint := "It did not work: "+err.Error(), ""
	if e, ok := errors.AsType[*exit.Error](err); ok {
		text, hint = e.Text, e.Hint
	}
	fmt.Fprintf(a.Err, "%s: %s\n", strings.Join(append([]string{a.program}, a.words...), " "), text)
	if hint != "" {
		fmt.Fprintf(a.Err, "→ %s\n", hint)
	}
	return exit.Code(err)
}

// note prints a line that is not the result, unless quiet.
func (a *app) note(format string, args ...any) {
	if !a.s.quiet {
		fmt.Fprintf(a.Err, "jitney: "+format+"\n", args...)
	}
}

// atTerminal reports whether a person reads what the command prints.
func (a *app) atTerminal() bool {
	f, ok := a.Out.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// cacheDir is the directory for the cache: jitney in the one that was named,
// else in the usual one; "" if there is no home.
func (a *app) cacheDir() cache.Dir {
	switch dir := a.s.cacheDir; {
	case dir != "":
		return cache.Dir(filepath.Join(dir, "jitney"))
	case filepath.IsAbs(a.env["XDG_CACHE_HOME"]):
		return cache.Dir(filepath.Join(a.env["XDG_CACHE_HOME"], "jitney"))
	case filepath.IsAbs(a.env["LocalAppData"]) && os.PathSeparator == '\\':
		return cache.Dir(filepath.Join(a.env["LocalAppData"], "jitney", "cache"))
	case filepath.IsAbs(a.env.home()):
		return cache.Dir(filepath.Join(a.env.home(), ".cache", "jitney"))
	default:
		return ""
	}
}
