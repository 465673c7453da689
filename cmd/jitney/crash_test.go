//go:build crashpoints

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/lab"
	"jitney/secret"
)

// crashes are the places at which the server is killed, each at a passage of
// its own. Commits are many: every few of them is tried, before and after.
var crashes = []string{
	"look.apply.before:1", "look.apply.after:1", "look.remove.before:1", "look.remove.after:1",
	"look.record.before:1", "look.record.before:2", "look.record.before:3", "note.tried:1", "note.added:1", "note.added:2",
	"store.commit.before:4", "store.commit.before:9", "store.commit.before:14", "store.commit.before:19", "store.commit.before:24",
	"store.commit.after:3", "store.commit.after:7", "store.commit.after:11", "store.commit.after:16", "store.commit.after:21",
}

// The real server on the real directory is killed at one place, started again,
// and everything must come right: access that ends, each record and each note
// once, no password twice.
func TestCrashAtEveryPoint(t *testing.T) {
	t.Parallel()
	domain := lab.Samba(t, 0)
	engines := map[string]func(t *testing.T) string{"SQLite": func(*testing.T) string { return "" }, "PostgreSQL": func(t *testing.T) string { return lab.Postgres(t) }}
	for engine, database := range engines {
		t.Run(engine, func(t *testing.T) {
			for i, point := range crashes {
				t.Run(strings.ReplaceAll(point, ":", " at passage "), func(t *testing.T) {
					t.Parallel()
					name := fmt.Sprintf("%c%02d", engine[0]|0x20, i)
					crash(t, &unit{t: t, domain: domain, ou: "OU=Crash-" + name + "," + domain.BaseDN}, database(t), point, name)
				})
			}
		})
	}
}

// A mishap is one run: an installation and its server, which dies once.
type mishap struct {
	t        *testing.T
	data     string
	database string
	login    string
	password secret.Text
	peer     peer
	kind     string // of its target

	server   *process
	v        *visitor
	died     int
	revealed int // passwords that were shown
}

// A peer is the system behind a server that is killed.
type peer interface {
	target() broker.TargetInput
	absent(took time.Duration) // nothing is left that one could use, and nothing was made twice
}

func crash(t *testing.T, behind peer, database, point, name string) {
	m := &mishap{t: t, data: t.TempDir(), database: database, peer: behind, login: "tech" + name + "@msp.example"}
	m.furnish()
	m.start("JITNEY_CRASH=" + point)
	m.signIn()
	grant := m.request()
	m.until("active access", grant, func(page string) bool { return strings.Contains(page, "Time left") })
	m.reveal(grant)
	ending := time.Now()
	m.end(grant)
	m.until("the proof that it ended", grant, func(page string) bool { return strings.Contains(page, "Ended, verified") })
	behind.absent(time.Since(ending))
	m.notes()
	if code := m.server.stop(); code != exitOK {
		t.Errorf("the server stops with code %d:\n%s", code, m.server.output())
	}
	m.audit(grant)
	if m.died != 1 {
		t.Errorf("the server died %d times at %s; want once, so that something was tested", m.died, point)
	}
	if m.revealed > 1 {
		t.Errorf("%d passwords were shown; want at most 1", m.revealed)
	}
}

// furnish makes an installation with one customer, technician and ticket.
func (m *mishap) furnish() {
	m.t.Helper()
	people := []broker.PersonInput{{Login: m.login, Name: "Tech", Roles: []access.Role{access.Requester}}}
	in := m.peer.target()
	m.kind = in.Kind
	m.password = furnish(m.t, &place{data: m.data, database: m.database}, []broker.TargetInput{in}, people)[m.login]
}

// start starts the server, or starts it again.
func (m *mishap) start(env ...string) {
	m.t.Helper()
	m.server = start(m.t, append(env, "JITNEY_DATABASE="+m.database), "serve", "--data", m.data, "--listen", "127.0.0.1:0", "--metrics-listen=", "--log-format", "json")
	line := regexp.MustCompile(`"msg":"jitney serves","address":"([^"]+)"`)
	poll(m.t, "the server", func() bool { return m.dead() || line.MatchString(m.server.output()) })
	if m.dead() {
		return // it was killed while it started
	}
	base := line.FindStringSubmatch(m.server.output())[1]
	if m.v == nil {
		m.v = visit(m.t, base)
	}
	m.v.base = base
}

func (m *mishap) dead() bool {
	select {
	case <-m.server.done:
		return true
	default:
		return false
	}
}

// revive starts the server again if it died, and reports whether it had.
func (m *mishap) revive() bool {
	m.t.Helper()
	if !m.dead() {
		return false
	}
	if !strings.Contains(m.server.output(), "crashpoint: ") {
		m.t.Fatalf("the server ended by itself:\n%s", m.server.output())
	}
	m.died++
	m.start()
	return true
}

// try sends a request until a server answers it.
func (m *mishap) try(method, path string, form url.Values) (status int, body, location string) {
	m.t.Helper()
	poll(m.t, method+" "+path, func() bool {
		if m.revive() || m.v == nil {
			return false
		}
		status, body, location = m.v.do(method, path, form)
		return status != 0 && status < 500
	})
	return status, body, location
}

func (m *mishap) signIn() {
	m.t.Helper()
	poll(m.t, "the sign-in", func() bool {
		m.try("POST", "/login", url.Values{"login": {m.login}, "password": {m.password.Reveal()}})
		status, _, _ := m.try("GET", "/request", nil)
		return status == 200
	})
}

var grantLink = regexp.MustCompile(`href="/grants/([a-z0-9]{20,})`)

// request asks for access. Whether a request whose answer was lost was stored
// is seen on the page of one's own access, as a person would do.
func (m *mishap) request() (grant string) {
	m.t.Helper()
	poll(m.t, "the grant", func() bool {
		if _, body, _ := m.try("GET", "/access", nil); grantLink.MatchString(body) {
			grant = grantLink.FindStringSubmatch(body)[1]
			return true
		}
		form := url.Values{"minutes": {"30"}, "reason": {"The spooler service has to be restarted."}, "kind": {m.kind}}
		_, page, _ := m.try("GET", "/request", nil)
		customer, _ := choice(page, "customer", "Pedro")
		form.Set("customer", customer)
		_, page, _ = m.try("POST", "/request/preview", form)
		ticket, _ := choice(page, "ticket", "The printer")
		form.Set("ticket", ticket)       // if the form did not wait for it, the request is refused, and sent again
		m.v.do("POST", "/request", form) // once: its answer may be lost
		m.revive()
		return false
	})
	return grant
}

// until reads the page of a grant until it is so.
func (m *mishap) until(what, grant string, so func(page string) bool) {
	m.t.Helper()
	poll(m.t, what, func() bool {
		_, page, _ := m.try("GET", "/grants/"+grant, nil)
		if so(page) {
			return true
		}
		time.Sleep(150 * time.Millisecond) // beside poll's own pause: many servers share the machine
		return false
	})
}

// reveal shows the password once, if it is there; an answer that is lost on
// its way takes the password with it.
func (m *mishap) reveal(grant string) {
	m.t.Helper()
	for range 2 {
		status, body, _ := m.v.do("POST", "/grants/"+grant+"/reveal", url.Values{})
		if status == 200 && regexp.MustCompile(`<code id="password"`).MatchString(body) {
			m.revealed++
		}
		m.revive()
	}
}

func (m *mishap) end(grant string) {
	m.t.Helper()
	m.until("the end that was asked for", grant, func(page string) bool {
		if !strings.Contains(page, "Time left") {
			return true
		}
		m.v.do("POST", "/grants/"+grant+"/end", url.Values{})
		m.revive()
		return false
	})
}

// notes demands each note once.
func (m *mishap) notes() {
	m.t.Helper()
	_, desk, _ := m.try("GET", "/desk", nil)
	link := regexp.MustCompile(`href="(/desk/[a-z0-9]+)"`).FindStringSubmatch(desk)
	if link == nil {
		m.t.Fatalf("no ticket on the desk:\n%s", text(desk))
	}
	counts := map[string]int{}
	poll(m.t, "the notes on the ticket", func() bool {
		_, page, _ := m.try("GET", link[1], nil)
		counts["is now enabled"] = strings.Count(page, "is now enabled")
		counts["has been revoked"] = strings.Count(page, "has been revoked")
		return counts["is now enabled"] > 0 && counts["has been revoked"] > 0
	})
	for what, n := range counts {
		if n != 1 {
			m.t.Errorf("the ticket says %d times %q; want once", n, what)
		}
	}
}

// audit demands that the log is proved, also against the checkpoints outside,
// and that each step of the grant is in it once.
func (m *mishap) audit(grant string) {
	m.t.Helper()
	env := []string{"JITNEY_DATABASE=" + m.database}
	verify := start(m.t, env, "audit", "verify", "--data", m.data)
	<-verify.done
	if code := verify.cmd.ProcessState.ExitCode(); code != exitOK {
		m.t.Errorf("audit verify exits with %d: %s", code, verify.output())
	}
	file := filepath.Join(m.t.TempDir(), "export")
	export := start(m.t, env, "audit", "export", "--data", m.data, "-o", file)
	<-export.done
	content, err := os.ReadFile(file)
	if err != nil {
		m.t.Fatalf("%v\n%s", err, export.output())
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(content)) {
		var r struct{ Kind, Grant string }
		if err := json.Unmarshal([]byte(line), &r); err == nil && r.Grant == grant {
			counts[r.Kind]++
		}
	}
	kinds := []string{access.EventSubmitted, access.EventVerified, access.EventStopped, access.EventEnded}
	slices.SortFunc(kinds, cmp.Compare)
	for _, kind := range kinds {
		if counts[kind] != 1 {
			m.t.Errorf("%d records of kind %s; want 1 (%v)", counts[kind], kind, counts)
		}
	}
	if counts[access.EventRevealed] < m.revealed {
		m.t.Errorf("%d passwords were shown and %d records say so", m.revealed, counts[access.EventRevealed])
	}
}
