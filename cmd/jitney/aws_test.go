package main

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// A workstation is the computer of a platform engineer: a home directory, the
// aws command line, and jitney on the path.
type workstation struct {
	t        *testing.T
	home     string
	host     string // of jitney
	endpoint string // of the simulated AWS
	person   [2]string
	admin    [2]string
	browser  *camera
	env      []string
	server   *process
	data     string            // of jitney
	secrets  map[string]string // that were handed out, by what they are
}

// newWorkstation starts the demonstration, and a home directory without
// anything in it.
func newWorkstation(t *testing.T) *workstation {
	t.Helper()
	if _, err := os.Stat("/usr/bin/aws"); err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("JITNEY_TEST_REQUIRE") == "1" {
			t.Fatal("the aws CLI is missing; install the package awscli")
		}
		t.Skip("NOT TESTED with the real aws CLI, which is missing; install the package awscli")
	}
	data := t.TempDir()
	p := start(t, nil, "demo", "--data", data, "--listen", "127.0.0.1:0")
	w := &workstation{t: t, home: t.TempDir(), host: p.await(`Open   (http://\S+)`), server: p, data: data, secrets: map[string]string{}}
	out := p.await(`(?s)(.*Ctrl-C)`)
	find := func(pattern string) []string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("the welcome does not say %s:\n%s", pattern, out)
		}
		return m
	}
	m := find(`(example\.user@\S+)\s+(\S+)\s+a technician`)
	w.person = [2]string{m[1], m[2]}
	m = find(`(ada@\S+)\s+(\S+)\s+an administrator`)
	w.admin = [2]string{m[1], m[2]}
	w.endpoint = find(`takes keys at (http://[^\s:]+:\d+)`)[1]
	bin := filepath.Join(w.home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"jitney": "#!/bin/sh\nJITNEY_TEST_MAIN=1 exec " + os.Args[0] + " \"$@\"\n",
		// The browser that the command line opens is the one of the test.
		"browser": "#!/bin/sh\nprintf '%s\\n' \"$1\" >> " + filepath.Join(w.home, "opened") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.env = []string{"JITNEY_TEST_MAIN=1", "PATH=" + bin + ":/usr/bin:/bin", "HOME=" + w.home, "LC_ALL=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
		"AWS_MAX_ATTEMPTS=1", "AWS_PROFILE=kestrel", "BROWSER=" + filepath.Join(bin, "browser"), "DISPLAY=:99"}
	return w
}

// run runs a command on the workstation.
func (w *workstation) run(name string, args ...string) (stdout, stderr string, err error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	if !strings.Contains(name, "/") {
		cmd.Path = filepath.Join(w.home, "bin", name)
		cmd.Err = nil
	}
	var out, errs bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = w.env, w.home, &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// aws runs Debian's aws CLI against the simulated AWS.
func (w *workstation) aws(args ...string) (stdout, stderr string, err error) {
	w.t.Helper()
	return w.run("/usr/bin/aws", append([]string{"--endpoint-url", w.endpoint}, args...)...)
}

// must runs jitney and demands that it works.
func (w *workstation) must(args ...string) string {
	w.t.Helper()
	out, errs, err := w.run("jitney", args...)
	if err != nil {
		w.t.Fatalf("jitney %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out
}

// opened lists the addresses that a browser was opened with.
func (w *workstation) opened() []string {
	text, _ := os.ReadFile(filepath.Join(w.home, "opened"))
	return strings.Fields(string(text))
}

// authorize waits until the command line opens the browser, reads the page and
// presses a button in it.
func (w *workstation) authorize(before int, button string, words ...string) {
	w.t.Helper()
	poll(w.t, "the command line opens the browser", func() bool { return len(w.opened()) > before })
	c := w.browser
	c.open(w.opened()[before])
	c.until(`document.body.innerText.includes("Local Access Requested")`)
	for _, want := range words {
		if !strings.Contains(c.text(), want) {
			w.t.Errorf("the page does not say %q:\n%s", want, c.text())
		}
	}
	if focus := c.eval(`document.activeElement.tagName`); focus == "BUTTON" {
		w.t.Error("a button has the focus, so a stray key could press it")
	}
	c.run(`[...document.querySelectorAll("button")].find(b => b.textContent.trim() === "` + button + `").click()`)
}

func TestAWSFromTheCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorkstation(t)
	w.browser = openCamera(t, t.TempDir())
	w.browser.signInHere(w.host, w.person[0], w.person[1])

	out := w.must("aws", "update-config", "kestrel", "--host", w.host, "--tenant", "kestrel-prod", "--region", "eu-west-2", "--interactive")
	if !strings.Contains(out, "kestrel") {
		t.Errorf("update-config says %q", out)
	}
	written, err := os.ReadFile(filepath.Join(w.home, ".aws", "config"))
	if err != nil || !strings.Contains(string(written), "credential_process") {
		t.Fatalf("the profile is %q (%v)", written, err)
	}

	var list, trouble string
	var failed error
	var call sync.WaitGroup
	call.Go(func() { list, trouble, failed = w.aws("s3", "ls", "s3://kestrel-prod-files") })
	w.authorize(0, "Authorize", "kestrel-prod", "127.0.0.1")
	call.Wait()
	if failed != nil || !strings.Contains(list, "hello.txt") {
		t.Fatalf("the first call: %v\n%s%s", failed, list, trouble)
	}
	w.browser.until(`location.pathname.endsWith("/done")`)
	if list, trouble, err = w.aws("s3", "ls", "s3://kestrel-prod-files"); err != nil || !strings.Contains(list, "hello.txt") || len(w.opened()) != 1 {
		t.Errorf("the second call opened %d pages in all: %v\n%s", len(w.opened()), err, trouble)
	}
	if _, trouble, err = w.aws("s3", "ls", "s3://kestrel-dev-files"); err == nil || !strings.Contains(trouble, "AccessDenied") {
		t.Errorf("keys of one tenant open another: %v %s", err, trouble)
	}
	who, _, err := w.aws("sts", "get-caller-identity")
	if err != nil || !strings.Contains(who, "example.user@msp.example-") {
		t.Errorf("AWS does not know whose session it is: %s", who)
	}
	w.sdks()
	w.ends()
	w.refusals()
	w.tokens()
	w.keepsNothing()
}

// keepsNothing looks for what was handed out wherever it might stay.
func (w *workstation) keepsNothing() {
	w.t.Helper()
	w.must("cache", "clear") // where keys are kept on purpose
	if w.server.stop() != exitOK {
		w.t.Errorf("the server does not stop well:\n%s", w.server.output())
	}
	seen := map[string]string{"the server's output": w.server.output()}
	readFiles(w.t, w.data, seen)
	readFiles(w.t, w.home, seen)
	delete(seen, "the file token") // the file of the pipeline
	for what, text := range w.secrets {
		for place, content := range seen {
			if form := findSecret(content, text); form != "" {
				w.t.Errorf("%s is in %s, %s", what, place, form)
			}
		}
	}
	if len(w.secrets) != 5 || len(seen) < 5 {
		w.t.Errorf("%d secrets were looked for in %d places", len(w.secrets), len(seen))
	}
}

// sdks calls AWS as programs in Go and Python do.
func (w *workstation) sdks() {
	w.t.Helper()
	out := w.must("aws", "--host", w.host, "--tenant", "kestrel-prod")
	var keys struct {
		Version                       int
		SecretAccessKey, SessionToken string
		Expiration                    time.Time
	}
	if err := json.Unmarshal([]byte(out), &keys); err != nil || keys.Version != 1 || time.Until(keys.Expiration) > time.Hour+time.Second || strings.Count(out, "\n") != 1 {
		w.t.Fatalf("the process prints not one line of keys that last an hour at most (%v)", err)
	}
	w.secrets["the secret key"], w.secrets["the session token"] = keys.SecretAccessKey, keys.SessionToken
	w.secrets["the console's address"] = signInToken(w.t, w.must("aws", "console", "--print", "--host", w.host, "--tenant", "kestrel-prod"))
	process := processcreds.NewProvider("env -i "+strings.Join(w.env, " ")+" jitney aws --host "+w.host+" --tenant kestrel-prod", func(o *processcreds.Options) { o.Timeout = patience })
	client := sts.New(sts.Options{Region: "eu-west-2", BaseEndpoint: &w.endpoint, Credentials: process})
	if who, err := client.GetCallerIdentity(w.t.Context(), nil); err != nil || !strings.Contains(*who.Arn, "example.user@msp.example-") {
		w.t.Errorf("the Go SDK: %v", err)
	}
	python := `try:
 import botocore.session as session
except ImportError:
 import awscli.botocore.session as session
c = session.get_session().create_client("s3", endpoint_url="` + w.endpoint + `")
print(sum(len(c.list_objects_v2(Bucket="kestrel-prod-files")["Contents"]) for _ in range(10)))`
	if out, errs, err := w.run("/usr/bin/python3", "-c", python); err != nil || strings.TrimSpace(out) != "20" {
		w.t.Errorf("botocore: %v %q %s", err, out, errs)
	}
}

func signInToken(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || len(u.Query().Get("SigninToken")) < 20 {
		t.Fatal("this is no address of a console")
	}
	return u.Query().Get("SigninToken")
}

// ends ends the grant on its page, and sees the keys stop working.
func (w *workstation) ends() {
	w.t.Helper()
	c := w.browser
	c.open(w.host + "/access")
	c.run(`document.querySelector("a[href^='/grants/']").click()`)
	c.until(`location.pathname.startsWith("/grants/") && document.readyState === "complete"`)
	grant := c.eval(`location.pathname.split("/")[2]`)
	c.until(`document.querySelector("form[action$='/end'] button")`)
	c.run(`document.querySelector("form[action$='/end']").requestSubmit()`)
	c.until(`document.querySelector("#head").innerText.includes("Ended, verified")`)
	if _, errs, err := w.aws("s3", "ls", "s3://kestrel-prod-files"); err == nil || !strings.Contains(errs, "explicit deny") {
		w.t.Errorf("the grant is ended, and its keys are not denied: %v %s", err, errs)
	}
	w.must("cache", "clear")
	out, errs, err := w.run("jitney", "aws", "--host", w.host, "--grant", grant, "--tenant", "kestrel-prod")
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 7 || out != "" || !strings.Contains(errs, "This access is over.") {
		w.t.Errorf("keys of an ended grant: %v, %q, %q", err, out, errs)
	}
	profile := "[profile ended]\nregion = eu-west-2\ncredential_process = jitney aws --host " + w.host + " --tenant kestrel-prod --grant " + grant + "\n"
	name := filepath.Join(w.home, "ended")
	if err := os.WriteFile(name, []byte(profile), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.env = append(w.env, "AWS_CONFIG_FILE="+name, "AWS_PROFILE=ended")
	if _, errs, err := w.aws("s3", "ls"); err == nil || !strings.Contains(errs, "This access is over.") {
		w.t.Errorf("the aws CLI does not pass our words on: %s", errs)
	}
	w.env = w.env[:len(w.env)-2]
}

// refusals flips the switches, and uses a token.
func (w *workstation) refusals() {
	w.t.Helper()
	out, errs, err := w.run("jitney", "aws", "--host", w.host, "--tenant", "kestrel-prod", "--admin", "--token", "jat_wrong")
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 3 || out != "" {
		w.t.Errorf("a wrong token: %v, %q, %q", err, out, errs)
	}
	out, errs, err = w.run("jitney", "aws", "--host", w.host, "--tenant", "no-such")
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 5 || out != "" {
		w.t.Errorf("a tenant that is not there: %v, %q, %q", err, out, errs)
	}
	if n := len(w.opened()); n != 1 {
		w.t.Errorf("%d pages were opened, want 1", n)
	}
}

// tokens uses a token as a pipeline does, until a switch and then a revocation
// stop it.
func (w *workstation) tokens() {
	w.t.Helper()
	ada := visit(w.t, w.host)
	ada.signIn(w.admin[0], w.admin[1])
	page := ada.get("/tokens")
	page = ada.show("/tokens", url.Values{"name": {"pipeline"}, "person": {option(w.t, page, "person", "Example User")}, "for": {"all"}, "days": {"30"}})
	text := regexp.MustCompile(`jat_[A-Za-z0-9_-]+`).FindString(page)
	if text == "" {
		w.t.Fatalf("the page shows no token:\n%s", page)
	}
	w.secrets["the API token"] = text
	place := option(w.t, ada.get("/aws"), "place", "kestrel-dev")
	w.secrets["the address that a page told"] = signInToken(w.t, html.UnescapeString(regexp.MustCompile(`class="tok">([^<]+)`).FindStringSubmatch(ada.show("/aws/url", url.Values{"place": {place}, "level": {"tenant"}}))[1]))
	name := filepath.Join(w.home, "token")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	profile := "[profile ci]\nregion = eu-west-2\ncredential_process = jitney aws --host " + w.host + " --tenant kestrel-dev --token-file " + name + "\n"
	if err := os.WriteFile(filepath.Join(w.home, "ci"), []byte(profile), 0o600); err != nil {
		w.t.Fatal(err)
	}
	usual := w.env
	w.env = append(slices.DeleteFunc(slices.Clone(usual), func(v string) bool { return strings.HasPrefix(v, "DISPLAY=") }), "AWS_CONFIG_FILE="+filepath.Join(w.home, "ci"), "AWS_PROFILE=ci")
	defer func() { w.env = usual }()
	opened := len(w.opened())
	if out, errs, err := w.aws("s3", "ls", "s3://kestrel-dev-files"); err != nil || !strings.Contains(out, "hello.txt") {
		w.t.Errorf("with a token: %v %s", err, errs)
	}
	end := []string{"aws", "end", "--host", w.host, "--tenant", "kestrel-dev", "--token-file", name}
	if out := w.must(end...); !strings.HasPrefix(out, "Ended. ") {
		w.t.Errorf("ending says %q", out)
	}
	if _, errs, err := w.run("jitney", end...); err == nil || !strings.Contains(errs, "This access is over.") && !strings.Contains(errs, "no AWS access there") {
		w.t.Errorf("ending again: %v %s", err, errs)
	}
	refused := func(what string, code int, words string) {
		w.t.Helper()
		w.must("cache", "clear")
		out, errs, err := w.run("jitney", "aws", "--host", w.host, "--tenant", "kestrel-dev", "--token-file", name)
		if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != code || out != "" || !strings.Contains(errs, words) {
			w.t.Errorf("%s: %v, %q, %q", what, err, out, errs)
		}
	}
	ada.show("/settings/aws/flags", url.Values{"nonadmin": {"yes"}})
	refused("with the switch", 4, "Disable Non-Admin AWS JIT Access On UI")
	ada.show("/settings/aws/flags", url.Values{})
	id := regexp.MustCompile(`/tokens/([a-z0-9]+)/revoke`).FindStringSubmatch(ada.get("/tokens"))
	if id == nil {
		w.t.Fatal("no token can be revoked")
	}
	ada.show("/tokens/"+id[1]+"/revoke", nil)
	refused("with a revoked token", 3, "")
	if n := len(w.opened()); n != opened {
		w.t.Errorf("a token opened %d pages", n-opened)
	}
}
