package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/lab"
	"jitney/secret"
	"jitney/sim/directory"
)

const serves = `"msg":"jitney serves","address":"([^"]+)"`

// prompt is less than the 30 s of a lease, after which even what nobody woke up
// for would be done. A busy machine gets as long again as it took for a start
// and a grant.
const prompt = 20 * time.Second

func serve(t *testing.T, env []string, args ...string) (p *process, base string) {
	t.Helper()
	p = start(t, env, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "json"}, args...)...)
	return p, p.await(serves)
}

func TestFirstRun(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "new", "data")
	p, base := serve(t, nil, "--data", data, "--metrics-listen=")
	address := p.await(`"address":"(http://[^"]*/setup)"`)
	token := p.await(`"token":"([A-Z0-9]+)"`)
	if !strings.HasPrefix(address, base) {
		t.Fatalf("the setup address is %q; want one below %s", address, base)
	}
	v := visit(t, base)
	if status, _, location := v.do("GET", "/", nil); status != http.StatusSeeOther || !strings.HasPrefix(location, "/login") {
		t.Errorf("GET /: %d, to %q; want the sign-in", status, location)
	}
	form := url.Values{"token": {"wrong"}, "name": {"Ada"}, "login": {"ada@msp.example"}, "password": {"seven wet herons fly"}, "again": {"seven wet herons fly"}}
	if status, body, _ := v.do("POST", "/setup", form); status == http.StatusSeeOther {
		t.Errorf("a wrong token makes an administrator:\n%s", text(body))
	}
	if _, body, _ := v.do("GET", "/setup?token="+token, nil); strings.Contains(body, token) {
		t.Error("the page takes the token from an address")
	}
	if status, body, _ := v.do("POST", "/setup?token="+token, form); status == http.StatusSeeOther {
		t.Errorf("a token in the address makes an administrator:\n%s", text(body))
	}
	form.Set("token", token)
	v.post("/setup", form)
	v.signIn("ada@msp.example", "seven wet herons fly")
	form.Set("login", "eve@msp.example")
	if status, body, _ := visit(t, base).do("POST", "/setup", form); status == http.StatusSeeOther {
		t.Errorf("the token makes a second administrator:\n%s", text(body))
	}
	for path, want := range map[string]os.FileMode{data: 0o700, filepath.Join(data, "jitney.keys"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %o", path, info.Mode(), err, want)
		}
	}

	second := start(t, nil, "serve", "--data", data, "--listen", "127.0.0.1:0", "--metrics-listen=")
	<-second.done
	if out := second.output(); second.cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(out, "Another jitney is running") {
		t.Errorf("a second server on the same data exits with %d:\n%s", second.cmd.ProcessState.ExitCode(), out)
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("the server stops with code %d:\n%s", code, p.output())
	}
	p, base = serve(t, nil, "--data", data, "--metrics-listen=")
	visit(t, base).signIn("ada@msp.example", "seven wet herons fly")
	if strings.Contains(p.output(), "/setup") {
		t.Error("the second start invites another first administrator")
	}
}

func TestMetricsAndHealth(t *testing.T) {
	t.Parallel()
	p, base := serve(t, nil, "--data", t.TempDir(), "--metrics-listen", "127.0.0.1:0")
	v := visit(t, base)
	for _, path := range []string{"/healthz", "/readyz"} {
		if body := v.get(path); !strings.Contains(body, "ok") {
			t.Errorf("%s: %s", path, body)
		}
	}
	if status, _, _ := v.do("GET", "/metrics", nil); status == http.StatusOK {
		t.Error("the website shows the metrics")
	}
	back := visit(t, "http://"+p.await(`"metrics":"([^"]+)"`))
	metrics := ""
	poll(t, "the first checkpoint", func() bool {
		metrics = back.get("/metrics")
		return strings.Contains(metrics, "jitney_audit_checkpoint_age_seconds")
	})
	for _, series := range []string{`jitney_grants{state="active"} 0`, `jitney_removal_overdue_seconds 0`, `jitney_removal_lag_seconds_bucket`,
		`jitney_jobs{queue="accounts",state="due"} 0`, `jitney_overdue_grants 0`, `jitney_audit_checkpoint_age_seconds`, `jitney_audit_unsealed_age_seconds`} {
		if !strings.Contains(metrics, series) {
			t.Errorf("no series %s", series)
		}
	}
	back.get("/readyz")
}

// simulated is a target in a simulated domain, and the one who uses it.
func simulated(t *testing.T, where *place) secret.Text {
	domain, err := directory.Start(directory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(domain.Close)
	target := broker.TargetInput{Kind: "ad", Name: domain.Name(),
		Values:  map[string]string{"domain": domain.Name(), "controllers": strings.TrimPrefix(domain.URL(), "ldaps://"), "ca": domain.CAPEM(), "bind_name": domain.AdminUPN(), "ou": "OU=Jitney," + domain.BaseDN()},
		Secrets: map[string]secret.Text{"bind_password": domain.AdminPassword()}}
	people := []broker.PersonInput{{Login: "tech@msp.example", Name: "Tech", Roles: []access.Role{access.Requester}}}
	return furnish(t, where, []broker.TargetInput{target}, people)["tech@msp.example"]
}

// A minute of access, over which the server is killed and stays away past the
// end: the next start ends it before it answers anybody.
func TestOverdueEndsFirstAfterAKill(t *testing.T) {
	t.Parallel()
	where := &place{data: t.TempDir()}
	password := simulated(t, where)
	first := time.Now()
	p, base := serve(t, nil, "--data", where.data, "--metrics-listen=")
	v := visit(t, base)
	v.signIn("tech@msp.example", password.Reveal())
	grant := v.request("Pedro", "The printer", 1, "The spooler service has to be restarted.")
	poll(t, "active access", func() bool { return strings.Contains(v.get("/grants/"+grant), "Time left") })
	most := prompt + time.Since(first)
	p.kill()
	over := detail(t, where, grant).EndsAt.Add(2 * time.Second)
	poll(t, "the end of the minute", func() bool { return time.Now().After(over) })
	began := time.Now()
	serve(t, nil, "--data", where.data, "--metrics-listen=")
	poll(t, "the end", func() bool { return !detail(t, where, grant).Ended.IsZero() })
	if took := detail(t, where, grant).Ended.Sub(began); took > most {
		t.Errorf("after the start it took %s to end what was overdue; want %s at most, the start included", took, most)
	}
}

// Two servers share a PostgreSQL database; the one that dies loses nothing.
func TestAnotherReplicaTakesOver(t *testing.T) {
	t.Parallel()
	database := lab.Postgres(t)
	where := &place{data: t.TempDir(), database: database}
	password := simulated(t, where)
	env := []string{"JITNEY_DATABASE=" + database}
	began := time.Now()
	first, base := serve(t, env, "--data", where.data, "--metrics-listen=")
	serve(t, env, "--data", where.data, "--metrics-listen=")
	v := visit(t, base)
	v.signIn("tech@msp.example", password.Reveal())
	grant := v.request("Pedro", "The printer", 1, "The spooler service has to be restarted.")
	poll(t, "active access", func() bool { return strings.Contains(v.get("/grants/"+grant), "Time left") })
	most := prompt + time.Since(began)
	first.kill()
	poll(t, "the end by the other server", func() bool { return !detail(t, where, grant).Ended.IsZero() })
	g := detail(t, where, grant)
	if late := g.Ended.Sub(g.EndsAt); late > most {
		t.Errorf("the end came %s late; want %s at most", late, most)
	}
}

// detail reads a grant as jitney grants show --json tells it.
func detail(t *testing.T, where *place, grant string) (d grantDetail) {
	t.Helper()
	p := start(t, []string{"JITNEY_DATABASE=" + where.database}, "grants", "show", grant, "--json", "--data", where.data)
	<-p.done
	line := regexp.MustCompile(`(?m)^\{.*\}$`).FindString(p.output())
	if err := json.Unmarshal([]byte(line), &d); err != nil {
		t.Fatalf("jitney grants show: %v\n%s", err, p.output())
	}
	return d
}
