package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"jitney/cli/call"
	"jitney/cli/exit"
	"jitney/cli/profile"
	"jitney/cli/relay"
)

// childCode is the exit code of the command that was run.
type childCode int

func (c childCode) Error() string { return fmt.Sprintf("the command ended with %d", int(c)) }

// execCommand runs a command beside an endpoint that serves it keys.
func execCommand(ctx context.Context, a *app) error {
	if len(a.rest) == 0 {
		return exit.New(exit.Usage, "There is no command to run.", "Write it after --, such as: jitney aws exec --tenant dev01 -- aws s3 ls")
	}
	path, err := exec.LookPath(a.rest[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		fmt.Fprintf(a.Err, "jitney aws exec: %s: %s\n", call.Clean(a.rest[0]), whyNot(err))
		if errors.Is(err, fs.ErrPermission) {
			return childCode(126)
		}
		return childCode(127)
	}
	keys := &source{app: a}
	first, err := keys.get(ctx) // so that what would fail fails before the command runs
	if err != nil {
		return err
	}
	server, err := relay.Start(func(ctx context.Context) (relay.Keys, error) {
		s, err := keys.get(ctx)
		return relay.Keys{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, Token: s.SessionToken,
			Expiration: s.Expiration.UTC().Format(time.RFC3339), AccountID: s.AccountID}, err
	})
	if err != nil {
		return err
	}
	defer server.Close()
	command := child{a}
	files, remove := command.filesWithoutKeys()
	defer remove()
	return command.run(path, append(command.environment(first, server), files...))
}

func whyNot(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "may not be run"
	}
	return "there is no such command"
}

// A child is the command that is run.
type child struct{ *app }

// run runs the command to its end. Signals that come to this process alone are
// passed on; those of a terminal reach the command by themselves.
func (a child) run(path string, environ []string) error {
	cmd := exec.Command(path, a.rest[1:]...)
	cmd.Args[0] = a.rest[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = a.In, a.Out, a.Err, environ
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passed()...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(a.Err, "jitney aws exec: %s: may not be run\n", call.Clean(a.rest[0]))
		return childCode(126)
	}
	in, ok := a.In.(*os.File)
	terminal := ok && isatty.IsTerminal(in.Fd())
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if !terminal || !fromTerminal(s) {
					_ = cmd.Process.Signal(s)
				}
			case <-done:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(done)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return childCode(endOf(ended))
	}
	return err
}

// environment is the environment of the command: where its keys are, and none of
// what would win over that. It holds no key and no token of Jitney.
func (a child) environment(s call.Session, server *relay.Relay) []string {
	out := []string{}
	for _, entry := range a.Environ {
		name, _, _ := strings.Cut(entry, "=")
		if !slices.Contains([]string{
			"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
			"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
			"AWS_EC2_METADATA_DISABLED", "JITNEY_TOKEN", "JITNEY_TOKEN_FILE", "DUPLO_TOKEN", "DUPLO_TOKEN_FILE",
		}, name) {
			out = append(out, entry)
		}
	}
	// Debian's botocore knows only the token itself, not a file with it.
	out = append(out, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+server.URL, "AWS_CONTAINER_AUTHORIZATION_TOKEN="+server.Token,
		"AWS_EC2_METADATA_DISABLED=true") // at the end of the grant, not on as the machine
	region := call.Clean(cmp.Or(a.s.region, a.env["AWS_REGION"], a.env["AWS_DEFAULT_REGION"], s.Region))
	if region != "" {
		out = append(out, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region)
	}
	return out
}

// filesWithoutKeys reports variables that lead the command to copies of its
// AWS files without the keys of the default profile, which would win over the
// endpoint. Where there are none, the files are its own.
func (a child) filesWithoutKeys() (environ []string, remove func()) {
	dir := ""
	remove = func() {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
	for _, f := range [][3]string{{"AWS_CONFIG_FILE", "config"}, {"AWS_SHARED_CREDENTIALS_FILE", "credentials"}} {
		path, err := a.env.awsFile(f[0], f[1])
		if err != nil {
			continue
		}
		data, err := profile.Load(path)
		if err != nil {
			continue
		}
		data, changed := profile.WithoutKeys(data, "default")
		if !changed {
			continue
		}
		if dir == "" {
			if dir, err = os.MkdirTemp("", "jitney-"); err != nil {
				return environ, func() {}
			}
		}
		copied := filepath.Join(dir, f[1])
		if os.WriteFile(copied, data, 0o600) == nil {
			environ = append(environ, f[0]+"="+copied)
		}
	}
	return environ, remove
}

// A source gets keys for the command, and does not ask twice for what is good.
type source struct {
	app  *app
	mu   sync.Mutex
	last kept
}

// get reports keys that are usable; or, if no fresh ones can be had, those
// that are not over yet.
func (s *source) get(ctx context.Context) (call.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.app.now()
	if s.last.usable(now) {
		return s.last.Session, nil
	}
	k, err := issuer{s.app}.session(context.WithoutCancel(ctx)) // who gave up waiting comes again
	if err == nil {
		s.last = k
		return k.Session, nil
	}
	if s.last.Session.Expiration.After(now) {
		return s.last.Session, nil
	}
	return call.Session{}, err
}
