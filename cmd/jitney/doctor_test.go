package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
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

	out := cli(t, "doctor", "--data", data, "--target", in.Name, "--timeout", patience.String())
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
	if out := cli(t, "doctor", "--data", data, "--target", in.Name, "--timeout", patience.String()); !strings.Contains(out, "ERROR") || !strings.Contains(out, "→") {
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

func TestPrescriptionsSumUp(t *testing.T) {
	found := []diagnosis{{"keys", access.Finding{Level: "ok", What: "Fine."}}, {"dc1", access.Finding{Level: "info", What: "2016."}}, {"data", access.Finding{Level: "warning", What: "Open to others.", Fix: "chmod 700"}}}
	for _, c := range []struct {
		name          string
		quiet         bool
		more          []diagnosis
		out, err, bad string
	}{
		{"everything is told", false, nil, "ok      keys: Fine.\ninfo    dc1: 2016.\nwarning data: Open to others.\n        → chmod 700\n", "no error, 1 warning, 2 in order.\n", ""},
		{"quietly only what needs somebody", true, nil, "warning data: Open to others.\n        → chmod 700\n", "", ""},
		{"an error fails", true, []diagnosis{{"audit", access.Finding{Level: "error", What: "Cut."}}, {"dc2", access.Finding{Level: "error", What: "Down."}}},
			"warning data: Open to others.\n        → chmod 700\nERROR   audit: Cut.\nERROR   dc2: Down.\n", "", "2 errors, 1 warning"},
	} {
		var out, errs bytes.Buffer
		err := prescribe(&shell{out: &out, err: &errs, quiet: c.quiet}, append(slices.Clone(found), c.more...), false)
		if out.String() != c.out || errs.String() != c.err || (err != nil) != (c.bad != "") || err != nil && !strings.Contains(err.Error(), c.bad) {
			t.Errorf("%s: %q, %q, %v", c.name, &out, &errs, err)
		}
	}
}
