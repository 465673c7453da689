package main

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A demonstration as its first visitor uses it: from the two lines that the
// terminal prints to the proof that nothing is left.
func TestDemoFromRequestToEndedVerified(t *testing.T) {
	t.Parallel()
	data, first := t.TempDir(), time.Now()
	p := start(t, nil, "demo", "--data", data, "--listen", "127.0.0.1:0")
	base := p.await(`Open   (http://\S+)`)
	m := regexp.MustCompile(`(example\.user@\S+)\s+(\S+)\s+a technician`).FindStringSubmatch(p.await(`(?s)(.*Ctrl-C)`))
	if m == nil {
		t.Fatalf("no sign-in is printed:\n%s", p.output())
	}
	v := visit(t, base)
	v.signIn(m[1], m[2])
	if page := v.get("/request"); !strings.Contains(page, demoBanner) {
		t.Error("the page does not say that the systems are simulated")
	}

	began := time.Now()
	grant := v.request("Pedro's Aviary", "Printer", 1, "The spooler service has to be restarted.")
	var page string
	poll(t, "the password", func() bool {
		page = v.get("/grants/" + grant)
		return strings.Contains(page, "Reveal once")
	})
	most := prompt + time.Since(first)
	username, password := v.reveal(grant)
	if !strings.HasPrefix(username, "example.user-pedroaviary") || len(password) < 16 {
		t.Errorf("revealed %q with a password of %d characters", username, len(password))
	}
	if status, body, _ := v.do("POST", "/grants/"+grant+"/reveal", url.Values{}); strings.Contains(body, password) {
		t.Errorf("the password is shown twice (status %d)", status)
	}
	if out := cli(t, "grants", "ls", "--data", data); !strings.Contains(out, grant) || !strings.Contains(out, "active") && !strings.Contains(out, "expiring") {
		if ends := detail(t, &place{data: data}, grant).EndsAt; time.Now().Before(ends) { // else the machine took the minute to answer
			t.Errorf("jitney grants ls, before %s:\n%s", ends, out)
		}
	}
	poll(t, "the proof that it ended", func() bool {
		page = v.get("/grants/" + grant)
		return strings.Contains(page, "Ended, verified")
	})
	if took := time.Since(began); took < time.Minute {
		t.Errorf("from request to Ended, verified it took %s; want a minute at least", took)
	}
	if g := detail(t, &place{data: data}, grant); g.Ended.Sub(g.EndsAt) > most {
		t.Errorf("the end came %s late; want %s at most", g.Ended.Sub(g.EndsAt), most)
	}
	out := cli(t, "grants", "show", grant, "--data", data)
	if !strings.Contains(out, "ended (expired)") {
		t.Errorf("jitney grants show:\n%s", out)
	}
	if out := cli(t, "audit", "verify", "--data", data); !strings.Contains(out, "as they were written") {
		t.Errorf("jitney audit verify: %s", out)
	}
	desk := v.get("/desk")
	link := regexp.MustCompile(`(/desk/[a-z0-9]+)[^<]*>[^<]*Printer`).FindStringSubmatch(desk)
	if link == nil {
		t.Fatalf("the desk does not list the ticket:\n%s", text(desk))
	}
	var notes string
	poll(t, "the note of the end", func() bool { // written beside the end
		notes = text(v.get(link[1]))
		return strings.Contains(notes, "has been revoked")
	})
	for _, want := range []string{"The tech account example.user-pedroaviary is now enabled", "The spooler service has to be restarted.", "has been revoked"} {
		if strings.Count(notes, want) == 0 {
			t.Errorf("the ticket lacks %q:\n%s", want, notes)
		}
	}
	if strings.Contains(p.output()+v.seen.String(), "GOTRACEBACK") || strings.Contains(p.output(), password) {
		t.Errorf("the server's output holds the password, or a crash:\n%s", p.output())
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("the demonstration stops with code %d:\n%s", code, p.output())
	}
}

// A demonstration that is kept has new domains and passwords at each start;
// what was open when it was killed ends.
func TestDemoStartsAgain(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	begin := func() (*process, *visitor) {
		p := start(t, nil, "demo", "--data", data, "--listen", "127.0.0.1:0")
		base := p.await(`Open   (http://\S+)`)
		m := regexp.MustCompile(`(example\.user@\S+)\s+(\S+)\s+a technician`).FindStringSubmatch(p.await(`(?s)(.*Ctrl-C)`))
		v := visit(t, base)
		v.signIn(m[1], m[2])
		return p, v
	}
	p, v := begin()
	grant := v.request("Pedro's Aviary", "Printer", 15, "The spooler service has to be restarted.")
	poll(t, "active access", func() bool { return strings.Contains(v.get("/grants/"+grant), "Time left") })
	p.kill()
	_, v = begin()
	poll(t, "the end of what was open", func() bool { return strings.Contains(v.get("/grants/"+grant), "Ended, verified") })
	grant = v.request("Pedro's Aviary", "New hire", 15, "The spooler service has to be restarted.")
	poll(t, "active access", func() bool { return strings.Contains(v.get("/grants/"+grant), "Time left") })
}

// cli runs one command to its end and reports what it prints.
func cli(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, nil, args...)
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("jitney %v does not end:\n%s", args, p.output())
	}
	return p.output()
}
