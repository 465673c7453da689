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

func TestEndForgetsTheKeysOfWhatItEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	first := b.keys("aws", "--tenant", "dev01")
	b.keys("aws", "--tenant", "dev01", "--ticket", "T1")
	b.f.change = func(a map[string]any) { a["grant"] = "another" }
	other := b.keys("aws", "--tenant", "other")
	r := b.run("aws", "end", "--tenant", "DEV01")
	r.want(t, exit.OK)
	if r.out != "Ended. AWS denies its keys and consoles within seconds, perhaps a minute or two; see https://jitney.example.net/grants/g1.\n"+
		"Withdrawn; nothing had been given. See https://jitney.example.net/grants/g2.\n" {
		t.Errorf("said %q", r.out)
	}
	if ask := b.f.asks[len(b.f.asks)-1]; ask["tenant"] != "dev01" || ask["admin"] != false || ask["grant"] != "" || ask["application"] != "jitney" {
		t.Errorf("asked %v", ask)
	}
	b.f.set(func() { b.f.asks = nil })
	if again := b.keys("aws", "--tenant", "dev01"); again["AccessKeyId"] == first["AccessKeyId"] {
		t.Error("keys that were ended are handed out")
	}
	b.keys("aws", "--tenant", "dev01", "--ticket", "T1")
	if again := b.keys("aws", "--tenant", "other"); again["AccessKeyId"] != other["AccessKeyId"] || len(b.f.asks) != 2 {
		t.Errorf("%d requests, want 2: keys of another tenant were forgotten, too", len(b.f.asks))
	}
	for line, want := range map[string]string{
		"aws end --admin --json":                                   `{"grants":[{"grant":"g1","tenant_id":"t1","state":"ending","page":"https://jitney.example.net/grants/g1"}`,
		"aws end --tenant-id 12-34 -q grants[].state":              `["ending","withdrawn"]`,
		"aws end --grant g1 --quiet -o json -q length(grants)":     "2",
		"-T dev01 aws end -o string -q grants[0].grant --no-cache": "g1",
	} {
		if r := b.run(strings.Fields(line)...); r.code != exit.OK || !strings.HasPrefix(r.out, want) || r.err != "" {
			t.Errorf("%s: exit %d, %q, %q", line, r.code, r.out, r.err)
		}
	}
}

func TestEndSaysWhyItDidNot(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		text   string
		code   int
		asks   int // how often Jitney is asked for keys in the end: 2 if those from before were forgotten
	}{
		{"nothing is there", 404, "You have no AWS access there that could be ended.", exit.NotFound, 2},
		{"it is over already", 410, "This access is over.", exit.Ended, 2},
		{"the token has no admin access", 403, "You are signed in without admin access here.", exit.Refused, 1},
		{"several tenants", 422, "Say which tenant: you have access to several.", exit.Usage, 1},
		{"Jitney does not work", 503, "Starting.", exit.Unreachable, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t).as("JITNEY_TOKEN=jat_ada")
			b.keys("aws", "--tenant", "dev01")
			b.f.set(func() { b.f.problem = func(map[string]any) (int, string, string) { return row.status, row.text, "" } })
			b.run("aws", "end", "--tenant", "dev01").want(t, row.code, row.text)
			b.f.set(func() { b.f.problem, b.f.asks = nil, b.f.asks[:1] })
			if b.keys("aws", "--tenant", "dev01"); len(b.f.asks) != row.asks {
				t.Errorf("Jitney was asked for keys %d times, want %d", len(b.f.asks), row.asks)
			}
		})
	}
	newBench(t).run("aws", "end").want(t, exit.Usage, "Neither a tenant nor --admin is given.")
	newBench(t).as("JITNEY_TOKEN=jat_wrong").run("aws", "end", "--admin").want(t, exit.Login, "does not know this token")
}

func TestEndRenewsASignInThatIsOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.signIn = func(context.Context, login.Request) (keep.Token, error) {
		return keep.Token{Text: "jcl_old", Login: "ada"}, nil
	}
	b.renew = func(context.Context, login.Request, keep.Token) (keep.Token, error) {
		return keep.Token{Text: "jat_ada", Login: "ada", ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	b.run("aws", "end", "--tenant", "dev01").want(t, exit.OK)
}
