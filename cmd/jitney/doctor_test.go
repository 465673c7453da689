package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/broker"
	"jitney/sim/entra"
)

// Doctor finds a Microsoft 365 well, says what is wrong when consent is gone,
// and probes one only when it is told that nobody works in it.
func TestDoctorOfM365(t *testing.T) {
	t.Parallel()
	in, tenant, cloud := canaryCloud(t)
	data := t.TempDir()
	furnish(t, &place{data: data}, []broker.TargetInput{in}, nil)

	out := cli(t, "doctor", "--data", data, "--target", in.Name)
	if strings.Contains(out, "ERROR") || strings.Count(out, "Pedro's Aviary, "+in.Name) < 3 {
		t.Errorf("doctor of a healthy Entra tenant:\n%s", out)
	}
	record := filepath.Join(t.TempDir(), "probe.ndjson")
	for flags, want := range map[string]string{
		"--live-probe": "no target is named",
		"--live-probe --target " + in.Name + " --record " + record: "it makes a Global Administrator",
		"--live-probe --target nowhere --" + confirmProbe:          "there is no target nowhere",
	} {
		p := start(t, nil, append([]string{"doctor", "--data", data}, strings.Fields(flags)...)...)
		<-p.done
		if code := p.cmd.ProcessState.ExitCode(); code == exitOK || !strings.Contains(p.output(), want) {
			t.Errorf("doctor %s exits with %d: %s", flags, code, p.output())
		}
	}
	if _, err := os.Stat(record); err == nil || len(tenant.Users()) > 0 {
		t.Fatal("a probe that was refused made something")
	}
	probed(t, data, record, in, cloud, tenant)

	tenant.Withdraw(cloud.App(in.Values["app"]))
	if out := cli(t, "doctor", "--data", data, "--target", in.Name); !strings.Contains(out, "ERROR") || !strings.Contains(out, "→") {
		t.Errorf("doctor of an Entra tenant that has withdrawn consent:\n%s", out)
	}
}

// probed runs the live probe, and looks into what it recorded.
func probed(t *testing.T, data, record string, in broker.TargetInput, cloud *entra.Cloud, tenant *entra.Tenant) {
	t.Helper()
	p := start(t, nil, "doctor", "--data", data, "--target", in.Name, "--live-probe", "--"+confirmProbe, "--record", record)
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("the probe does not end:\n%s", p.output())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Fatalf("the probe exits with %d:\n%s", code, p.output())
	}
	if info, err := os.Stat(record); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the record is %v (%v); want a file that only its owner reads", info.Mode(), err)
	}
	content, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	steps, answers := map[string]bool{}, 0
	for line := range strings.Lines(string(content)) {
		var l struct {
			Step   string
			Status int
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("not a line of JSON: %v", err)
		}
		steps[l.Step] = true
		if l.Status > 0 {
			answers++
		}
	}
	if len(steps) < 10 || answers < 20 {
		t.Errorf("the record holds %d steps and %d answers:\n%.3000s", len(steps), answers, content)
	}
	for what, pattern := range map[string]string{"the app's secret": regexp.QuoteMeta(in.Secrets["secret"].Reveal()), "a token": `eyJ[\w-]{20}`, "a pass": `"temporaryAccessPass":\s*"[^*]`} {
		if regexp.MustCompile(pattern).MatchString(string(content) + p.output()) {
			t.Errorf("%s is in the record or the output", what)
		}
	}
	for _, found := range cloud.Invariants(time.Time{}, func(string) bool { return false }) {
		t.Errorf("after the probe: %s", found)
	}
	if users := tenant.Users(); len(users) > 0 {
		t.Errorf("the probe leaves %+v", users)
	}
}
