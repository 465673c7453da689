//go:build darwin || linux

package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"jitney/cli/exit"
)

// script is the rest of a command line that prints what a command run by
// "aws exec" sees.
func script(text string) []string { return []string{"--", "/bin/sh", "-c", text} }

func TestExecServesKeysThatRenewThemselves(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada", "DUPLO_TOKEN=jat_ada", "AWS_PROFILE=other", "AWS_ACCESS_KEY_ID=AKIAOLD", "AWS_WEB_IDENTITY_TOKEN_FILE=/x")
	var out strings.Builder
	reader, writer := io.Pipe()
	a := newApp("jitney", World{In: strings.NewReader(""), Out: writer, Err: &out, Environ: b.environ, Version: "test"})
	now := time.Now()
	a.now = func() time.Time { b.f.mu.Lock(); defer b.f.mu.Unlock(); return now }
	lines := bufio.NewScanner(reader)
	lines.Buffer(nil, 1<<20)
	done := make(chan int, 1)
	fifo := filepath.Join(b.home, "go")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		code, _ := a.main(t.Context(), append([]string{"aws", "exec", "--tenant", "dev01"}, script("env; echo; read x < "+fifo+"; exit 42")...))
		_ = writer.Close()
		done <- code
	}()
	env := map[string]string{}
	for lines.Scan() && lines.Text() != "" {
		name, value, _ := strings.Cut(lines.Text(), "=")
		env[name] = value
	}
	for _, gone := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SESSION_TOKEN", "JITNEY_TOKEN", "DUPLO_TOKEN"} {
		if v, has := env[gone]; has {
			t.Errorf("the command has %s=%s", gone, v)
		}
	}
	if env["AWS_REGION"] != "eu-central-1" || env["AWS_EC2_METADATA_DISABLED"] != "true" {
		t.Errorf("region %q, metadata %q", env["AWS_REGION"], env["AWS_EC2_METADATA_DISABLED"])
	}
	get := func(change func(*http.Request)) (int, map[string]any) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", env["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
		change(req)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var k map[string]any
		_ = json.NewDecoder(res.Body).Decode(&k)
		return res.StatusCode, k
	}
	as := func(*http.Request) {}
	status, k := get(as)
	if status != 200 || k["AccessKeyId"] != "ASIAADATENANT1" || k["Token"] != "token-tenant-dev01-1" || k["AccountId"] != "123456789012" {
		t.Errorf("%d %v", status, k)
	}
	if _, err := time.Parse("2006-01-02T15:04:05Z", fmt.Sprint(k["Expiration"])); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"without the token":        {func(r *http.Request) { r.Header.Del("Authorization") }, 403},
		"with another":             {func(r *http.Request) { r.Header.Set("Authorization", "x") }, 403},
		"from a page of a browser": {func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 404},
		"under another name":       {func(r *http.Request) { r.Host = "evil.example" }, 404},
		"at another path":          {func(r *http.Request) { r.URL.Path = "/" }, 404},
		"by another method":        {func(r *http.Request) { r.Method = http.MethodPost }, 405},
	} {
		if status, k := get(c.change); status != c.status || k["AccessKeyId"] != nil {
			t.Errorf("%s: %d %v", name, status, k)
		}
	}
	b.f.set(func() { now = now.Add(50 * time.Minute) })
	if _, k := get(as); k["AccessKeyId"] != "ASIAADATENANT2" {
		t.Errorf("after 50 minutes: %v", k)
	}
	b.f.set(func() {
		now = now.Add(55 * time.Minute)
		b.f.problem = func(map[string]any) (int, string, string) { return 410, "The grant is over.", "" }
	})
	if status, k := get(as); status != 400 || k["message"] != "The grant is over." {
		t.Errorf("after the end: %d %v", status, k)
	}
	go func() { _ = os.WriteFile(fifo, []byte("\n"), 0o600) }()
	if code := <-done; code != 42 {
		t.Errorf("exit %d, want 42\n%s", code, out.String())
	}
	if _, err := net.Dial("tcp", strings.Split(env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], "/")[2]); err == nil {
		t.Error("the endpoint is still there")
	}
}

func TestFault04TheEndpointListensOnThisComputerOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	r := b.run(append([]string{"aws", "exec", "--admin"}, script("echo $AWS_CONTAINER_CREDENTIALS_FULL_URI")...)...)
	if !strings.HasPrefix(r.out, "http://127.0.0.1:") || strings.Contains(r.out, "jat_") {
		t.Errorf("it is at %s", r.out)
	}
}

func TestExecPassesOnHowTheCommandEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	for _, c := range []struct {
		name string
		args []string
		code int
	}{
		{"an exit code", script("exit 7"), 7},
		{"a signal", script("kill -TERM $$"), 143},
		{"no such command", []string{"--", "no-such-command-here"}, 127},
		{"no command", nil, exit.Usage},
		{"without dashes, flags are the command's", []string{"sh", "-c", "exit 9"}, 9},
	} {
		r := b.run(append([]string{"aws", "exec", "--tenant", "dev01"}, c.args...)...)
		if r.code != c.code {
			t.Errorf("%s: %d, want %d\n%s", c.name, r.code, c.code, r.err)
		}
	}
	b.f.problem = func(map[string]any) (int, string, string) { return 403, "You are not a member.", "" }
	b.run(append([]string{"aws", "exec", "--tenant", "prod01"}, script("echo started >&2")...)...).want(t, exit.Refused, "You are not a member.")
}

func TestExecPassesSignalsOn(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada", "JITNEY_TEST_MAIN=1")
	cmd := exec.Command(os.Args[0], append([]string{"aws", "exec", "--tenant", "dev01"}, script("trap 'exit 33' TERM; echo ready; while :; do sleep 0.05; done")...)...)
	cmd.Env = b.environ
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 33 {
		t.Errorf("exit %d, want 33", code)
	}
}

func TestExecIsNotOvertakenByKeysOfTheDefaultProfile(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	dir := filepath.Join(b.home, ".aws")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config": "[default]\nregion=eu-west-3\ncredential_process=x\n", "credentials": "[default]\naws_access_key_id=AKIA\n[b]\naws_access_key_id=AKIB\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := b.run(append([]string{"aws", "exec", "--tenant", "dev01"}, script("cat $AWS_CONFIG_FILE $AWS_SHARED_CREDENTIALS_FILE; echo $AWS_CONFIG_FILE")...)...)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if want := []string{"[default]", "region=eu-west-3", "[default]", "[b]", "aws_access_key_id=AKIB"}; len(lines) != 6 || !slices.Equal(lines[:5], want) {
		t.Errorf("the command sees %v", lines)
	} else if _, err := os.Stat(lines[5]); err == nil {
		t.Errorf("%s was left", lines[5])
	}
}
