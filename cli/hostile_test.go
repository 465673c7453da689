package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
	"jitney/cli/login"
)

func TestATokenOfAnotherPortalIsNotTold(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("DUPLO_TOKEN=AQAAANCMnd8BFdERjHoAwE")
	b.run("aws", "--tenant", "dev01").want(t, exit.Usage, "not one of Jitney", "DUPLO_TOKEN")
	if n := b.f.count(); n != 0 {
		t.Errorf("%d requests carried it", n)
	}
}

func TestAnAnswerGivesNoCommandToGitHub(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada", "GITHUB_ACTIONS=true")
	b.f.set(func() {
		b.f.change = func(a map[string]any) { a["console_url"] = "https://x\n::stop-commands::y" }
	})
	r := b.run("aws", "console", "--print", "--tenant", "dev01")
	for line := range strings.Lines(r.err) {
		if strings.HasPrefix(line, "::") && !strings.HasPrefix(line, "::add-mask::") {
			t.Errorf("a command: %q", line)
		}
	}
}

func TestKeysThatNeverEndAreNotKeptForEver(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	b.f.set(func() { b.f.validity, b.f.ends = 900*24*time.Hour, time.Now().Add(1000*24*time.Hour) })
	b.keys("aws", "--tenant", "dev01")
	b.now = func() time.Time { return time.Now().Add(13 * time.Hour) }
	b.f.set(func() { b.f.date = b.now })
	b.keys("aws", "--tenant", "dev01")
	if n := b.f.count(); n != 2 {
		t.Errorf("%d requests within 13 hours", n)
	}
}

func TestKeysOfWhoWasSignedInBeforeAreNotFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	who := "ada"
	b.signIn = func(context.Context, login.Request) (keep.Token, error) {
		return keep.Token{Text: "jat_" + who, Login: who, ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	ada := b.keys("aws", "--tenant", "dev01")
	who = "bob"
	b.keys("aws", "--tenant", "dev01", "--no-cache")
	if bob := b.keys("aws", "--tenant", "dev01"); bob["AccessKeyId"] == ada["AccessKeyId"] {
		t.Error("Bob has Ada's keys")
	}
}

func TestNamesOfTenantsDoNotMoveTheCursor(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	b.f.set(func() { b.f.change = func(a map[string]any) { a["region"] = "eu\u009b2J\x1b[2J-west" } })
	for _, format := range []string{"string", "csv", "env", "yaml"} {
		if r := b.run("aws", "--tenant", "dev01", "-o", format); strings.ContainsAny(r.out, "\u009b\x1b") {
			t.Errorf("%s: %q", format, r.out)
		}
	}
}
