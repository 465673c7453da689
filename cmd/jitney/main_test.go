package main

import (
	"bufio"
	"flag"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if os.Getenv("JITNEY_TEST_MAIN") != "" { // this test binary plays jitney
		_ = os.Unsetenv("JITNEY_TEST_MAIN")
		main()
	}
	// These tests wait for servers far more than they compute; -parallel still
	// overrides this.
	_ = flag.Set("test.parallel", "6")
	testscript.Main(m, map[string]func(){"jitney": main})
}

// A process is a jitney of its own that a test started.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out strings.Builder // both outputs, line by line
}

// start starts jitney with these arguments and, beside the usual ones, these
// variables of the environment. It is killed when the test ends.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), done: make(chan struct{})}
	p.cmd.Env = append([]string{"JITNEY_TEST_MAIN=1", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(reader)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.mu.Lock()
			p.out.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
		}
	}()
	go func() { <-read; _ = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(p.kill)
	return p
}

// output is what the process has printed so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// kill ends the process at once, as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks the process to end and reports its exit code.
func (p *process) stop() int {
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("the process did not stop:\n%s", p.output())
		p.kill()
	}
	return p.cmd.ProcessState.ExitCode()
}

// await waits until pattern is in the output and reports its first group.
func (p *process) await(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var found string
	poll(p.t, "the output "+pattern, func() bool {
		m := re.FindStringSubmatch(p.output())
		if m == nil {
			select {
			case <-p.done:
				p.t.Fatalf("the process ended without printing %s:\n%s", pattern, p.output())
			default:
			}
			return false
		}
		found = m[len(m)-1]
		return true
	})
	return found
}

// patience is how long a test waits for what must come. How soon it comes is
// measured elsewhere, in virtual time: a busy machine fails no test here.
const patience = 3 * time.Minute

// poll waits until done, and fails the test if it never is.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come within %s", what, patience)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A visitor uses the website as a browser without JavaScript does.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client

	mu   sync.Mutex
	seen strings.Builder // everything that was ever shown, for searching
}

func visit(t *testing.T, base string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, base: base, client: &http.Client{Jar: jar, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do sends a request and reports status, body and where it redirects to.
func (v *visitor) do(method, path string, form url.Values) (status int, body, location string) {
	v.t.Helper()
	var in io.Reader
	if form != nil {
		in = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, v.base+path, in)
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Origin", v.base)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := v.client.Do(r)
	if err != nil {
		return 0, err.Error(), ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error(), ""
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprintf(&v.seen, "%s %s\n%v\n%s\n", method, path, resp.Header, text)
	return resp.StatusCode, string(text), resp.Header.Get("Location")
}

// show sends a form whose answer may hold a password, so that it is not kept
// with what was seen.
func (v *visitor) show(path string, form url.Values) string {
	v.t.Helper()
	kept := v.seen.String()
	_, body, _ := v.do("POST", path, form)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen.Reset()
	v.seen.WriteString(kept)
	return body
}

// get reads a page that must be there.
func (v *visitor) get(path string) string {
	v.t.Helper()
	status, body, location := v.do("GET", path, nil)
	if status != http.StatusOK {
		v.t.Fatalf("GET %s: status %d, to %q\n%s", path, status, location, text(body))
	}
	return body
}

// post sends a form that must be taken, and reports where it leads.
func (v *visitor) post(path string, form url.Values) string {
	v.t.Helper()
	status, body, location := v.do("POST", path, form)
	if status != http.StatusSeeOther && status != http.StatusOK {
		v.t.Fatalf("POST %s: status %d\n%s", path, status, text(body))
	}
	return location
}

func (v *visitor) signIn(login, password string) {
	v.t.Helper()
	v.post("/login", url.Values{"login": {login}, "password": {password}})
	if status, _, location := v.do("GET", "/me", nil); status != http.StatusOK {
		v.t.Fatalf("after signing in as %s, /me answers %d, to %q", login, status, location)
	}
}

// option finds the value of the option with label in the select called name.
func option(t *testing.T, page, name, label string) string {
	t.Helper()
	value, rest := choice(page, name, label)
	if value == "" {
		t.Fatalf("select %s has no option %q:\n%s", name, label, rest)
	}
	return value
}

// choice is option, or empty if there is none, and the select itself.
func choice(page, name, label string) (value, list string) {
	_, rest, _ := strings.Cut(page, `name="`+name+`"`)
	rest, _, _ = strings.Cut(rest, "</select>")
	for _, m := range regexp.MustCompile(`<option value="([^"]*)"[^>]*>([^<]*)`).FindAllStringSubmatch(rest, -1) {
		if strings.Contains(html.UnescapeString(m[2]), label) {
			return html.UnescapeString(m[1]), rest
		}
	}
	return "", rest
}

// chooses chooses a ticket on the form, and reports the form's page. A form does
// not wait long for tickets: it says so, and who fills it in asks again.
func (v *visitor) chooses(form url.Values, ticket string) (page string) {
	v.t.Helper()
	poll(v.t, "the ticket "+ticket+" on the form", func() bool {
		page = v.show("/request/preview", form)
		value, _ := choice(page, "ticket", ticket)
		form.Set("ticket", value)
		return value != ""
	})
	return page
}

// request asks for access to a directory and reports the grant's ID.
func (v *visitor) request(customer, ticket string, minutes int, reason string) string {
	v.t.Helper()
	form := url.Values{"kind": {"ad"}, "minutes": {fmt.Sprint(minutes)}, "reason": {reason}}
	page := v.get("/request")
	form.Set("customer", option(v.t, page, "customer", customer))
	v.chooses(form, ticket)
	location := v.post("/request", form)
	m := regexp.MustCompile(`^/grants/([a-z0-9]+)`).FindStringSubmatch(location)
	if m == nil {
		_, body, _ := v.do("POST", "/request", form)
		v.t.Fatalf("the request leads to %q:\n%s", location, text(body))
	}
	return m[1]
}

// reveal shows the password of a grant, once.
func (v *visitor) reveal(grant string) (username, password string) {
	v.t.Helper()
	body := v.show("/grants/"+grant+"/reveal", url.Values{})
	user := regexp.MustCompile(`<code id="username">([^<]*)`).FindStringSubmatch(body)
	pass := regexp.MustCompile(`<code id="password"[^>]*>([^<]*)`).FindStringSubmatch(body)
	if user == nil || pass == nil {
		v.t.Fatalf("nothing is revealed:\n%s", text(body))
	}
	return html.UnescapeString(user[1]), html.UnescapeString(pass[1])
}

// text is what a page says, without its tags, on few lines.
func text(page string) string {
	page = regexp.MustCompile(`(?s)<svg.*?</svg>|<script.*?</script>|<head>.*?</head>|<[^>]*>`).ReplaceAllString(page, " ")
	lines := strings.FieldsFunc(html.UnescapeString(page), func(r rune) bool { return r == '\n' })
	var kept []string
	for _, l := range lines {
		if l = strings.Join(strings.Fields(l), " "); l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}
