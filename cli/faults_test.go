package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
	"jitney/cli/login"
)

// Each test here is one fault that was measured in a client that ours replaces.

func TestFault01KeysOfOneTenantAreNeverHandedToAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	dev := b.keys("aws", "--tenant", "dev01")
	prod := b.keys("aws", "--tenant", "prod01")
	admin := b.keys("aws", "--tenant", "dev01", "--admin")
	byID := b.keys("aws", "--tenant-id", "dev01")
	granted := b.keys("aws", "--tenant", "dev01", "--grant", "g9")
	seen := map[any]bool{}
	for _, k := range []map[string]any{dev, prod, admin, byID, granted} {
		if seen[k["AccessKeyId"]] {
			t.Errorf("%v was handed out twice", k["AccessKeyId"])
		}
		seen[k["AccessKeyId"]] = true
	}
	if !strings.Contains(fmt.Sprint(prod["SecretAccessKey"]), "prod01") {
		t.Errorf("for prod01: %v", prod["SecretAccessKey"])
	}
	if b.f.count() != 5 {
		t.Errorf("%d requests, want 5", b.f.count())
	}
	t.Run("nor if the server mixes them up", func(t *testing.T) {
		for name, change := range map[string]func(map[string]any){
			"is for another tenant":    func(a map[string]any) { a["tenant"], a["tenant_id"] = "prod01", "id-of-prod01" },
			"is for the whole account": func(a map[string]any) { a["scope"] = "admin" },
			"keys are missing":         func(a map[string]any) { a["session_token"] = "" },
			"its keys are no keys":     func(a map[string]any) { a["secret_access_key"] = "a\nb" },
		} {
			b.f.set(func() { b.f.change = change })
			b.run("aws", "--tenant", "other").want(t, exit.Unreachable, name)
		}
	})
}

func TestFault02KeptKeysAreNotServedToAWrongToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ada := b.as("JITNEY_TOKEN=jat_ada").keys("aws", "--admin")
	b.as("JITNEY_TOKEN=jat_nobody").run("aws", "--admin").want(t, exit.Login, "does not know this token")
	bob := b.as("JITNEY_TOKEN=jat_bob").keys("aws", "--admin")
	if ada["AccessKeyId"] == bob["AccessKeyId"] || b.f.count() != 3 {
		t.Errorf("%v and %v after %d requests", ada["AccessKeyId"], bob["AccessKeyId"], b.f.count())
	}
}

func TestFault03WhatIsKeptIsPrivateAndHoldsNoToken(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	dir := filepath.Join(b.home, ".cache", "jitney")
	if err := os.MkdirAll(dir, 0o755); err != nil { // as an older program left it
		t.Fatal(err)
	}
	b.keys("aws", "--tenant", "dev01")
	for _, name := range append(b.files(), dir) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			t.Errorf("%s is %v", name, info.Mode())
		}
		if data, _ := os.ReadFile(name); strings.Contains(string(data), "jat_ada") || strings.Contains(string(data), "SigninToken") {
			t.Errorf("%s holds the token", name)
		}
	}
	for _, name := range b.files() { // one that others can read is not used
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.keys("aws", "--tenant", "dev01")
	if b.f.count() != 2 && runtime.GOOS != "windows" {
		t.Errorf("%d requests, want 2", b.f.count())
	}
}

func TestFault05ErrorsGoToStderr(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	b.f.problem = func(map[string]any) (int, string, string) {
		return 403, "AWS is switched off for admins.\x1b[2J\nSecond line", "Ask an administrator of Jitney."
	}
	r := b.run("aws", "--admin")
	r.want(t, exit.Refused, "jitney aws: AWS is switched off for admins.", "→ Ask an administrator")
	if r.out != "" || strings.Count(r.err, "\n") != 2 || strings.Contains(r.err, "\x1b") {
		t.Errorf("out %q, err %q", r.out, r.err)
	}
}

func TestFault06ExitCodesMeanSomething(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, code int
		detail, want string
	}{
		{400, exit.Usage, "A ticket is needed.", "A ticket is needed."},
		{422, exit.Usage, "A ticket is needed.", "A ticket is needed."},
		{401, exit.Login, "", "Refused"},
		{403, exit.Refused, "You are not a member.", "You are not a member."},
		{404, exit.NotFound, "There is no tenant dev01.", "There is no tenant dev01."},
		{410, exit.Ended, "The grant is over.", "The grant is over."},
		{429, exit.Unreachable, "Too many requests.", "Too many requests."},
		{500, exit.Unreachable, "Something broke.", "Something broke."},
		{503, exit.Unreachable, "Starting.", "Starting."},
	} {
		b := newBench(t).as("JITNEY_TOKEN=jat_ada")
		b.f.problem = func(map[string]any) (int, string, string) { return c.status, c.detail, "" }
		b.run("aws", "--tenant", "dev01").want(t, c.code, c.want)
	}
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	b.run("aws", "--tenant", "dev01", "--frobnicate").want(t, exit.Usage, "There is no flag --frobnicate.")
	b.run("aws").want(t, exit.Usage, "Neither a tenant nor --admin")
	b.f.change = func(a map[string]any) { a["state"], a["page"] = "pending", "https://jitney.example.net/grants/g1" }
	b.run("aws", "--tenant", "dev01").want(t, exit.Failed, "waits for approval", "/grants/g1")
	b.f.Close()
	b.run("aws", "--tenant", "dev01").want(t, exit.Unreachable, "cannot be reached")
}

func TestFault07WithoutCacheThereIsStillTheServersEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	b.f.validity = 47 * time.Minute
	for _, flag := range []string{"--nocache", "--no-cache", "--quiet"} {
		k := b.keys("aws", "--tenant", "dev01", flag)
		until, err := time.Parse(time.RFC3339, fmt.Sprint(k["Expiration"]))
		if left := time.Until(until); err != nil || left > 47*time.Minute || left < 46*time.Minute {
			t.Errorf("%s: %v is in %v", flag, k["Expiration"], left)
		}
		if flag != "--quiet" && len(b.files()) > 0 {
			t.Errorf("%s left %v", flag, b.files())
		}
	}
}

func TestFault08KeysNearTheirEndAreNotServed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		validity time.Duration
		grant    time.Duration // until the grant ends
		later    time.Duration
		requests int
	}{
		{"much is left", time.Hour, 8 * time.Hour, 44 * time.Minute, 1},
		{"less than 15 minutes are left", time.Hour, 8 * time.Hour, 46 * time.Minute, 2},
		{"one second is left", time.Hour, 8 * time.Hour, 59*time.Minute + 59*time.Second, 2},
		{"they are over", time.Hour, 8 * time.Hour, 61 * time.Minute, 2},
		{"little is left, but the grant ends with them", time.Hour, time.Hour, 55 * time.Minute, 1},
		{"the grant ends shortly after them", time.Hour, time.Hour + 2*time.Second, 55 * time.Minute, 2},
		{"short keys are used for most of their life", 15 * time.Minute, 8 * time.Hour, 9 * time.Minute, 1},
		{"but not for all of it", 15 * time.Minute, 8 * time.Hour, 11 * time.Minute, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t).as("JITNEY_TOKEN=jat_ada")
			now := time.Now()
			b.now = func() time.Time { return now }
			b.f.date = b.now
			b.f.validity, b.f.ends = c.validity, now.Add(c.grant)
			first := b.keys("aws", "--tenant", "dev01")
			b.f.set(func() { now = now.Add(c.later); b.f.ends = b.f.ends.Add(8 * time.Hour) })
			second := b.keys("aws", "--tenant", "dev01")
			if b.f.count() != c.requests || (first["AccessKeyId"] == second["AccessKeyId"]) != (c.requests == 1) {
				t.Errorf("%d requests, want %d", b.f.count(), c.requests)
			}
		})
	}
	t.Run("at the end of the grant the next call says so at once", func(t *testing.T) {
		b := newBench(t).as("JITNEY_TOKEN=jat_ada")
		now := time.Now()
		b.now, b.f.date, b.f.ends = func() time.Time { return now }, func() time.Time { return now }, now.Add(10*time.Minute)
		b.keys("aws", "--tenant", "dev01")
		b.f.set(func() {
			now = now.Add(10*time.Minute + time.Second)
			b.f.problem = func(map[string]any) (int, string, string) {
				return 410, "The grant ended at 14:00.", "Ask for a new one."
			}
		})
		b.run("aws", "--tenant", "dev01").want(t, exit.Ended, "The grant ended at 14:00.")
	})
}

func TestFault09TimesAreUTCWhereverOneIs(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"America/New_York", "Asia/Kathmandu"} {
		b := newBench(t).as("JITNEY_TOKEN=jat_ada", "TZ="+zone)
		r := b.process("aws", "--tenant", "dev01")
		r.want(t, exit.OK)
		until, err := time.Parse("2006-01-02T15:04:05Z", fmt.Sprint(decode(t, r.out)["Expiration"]))
		if left := time.Until(until); err != nil || left < 59*time.Minute || left > time.Hour {
			t.Errorf("%s: in %v, %v", zone, left, err)
		}
	}
}

func TestFault10WithoutABrowserTheAddressIsPrintedOnStderr(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("PATH=/nonexistent", "DISPLAY=")
	b.f.set(func() { b.f.pairs = true })
	r := b.process("aws", "--tenant", "dev01", "--device-code")
	r.want(t, exit.OK, b.f.URL+"/device", "ABCD-EFGH")
	decode(t, r.out)
}

func TestFault11ASignInThatIsOverIsRenewedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.signIn = func(context.Context, login.Request) (keep.Token, error) {
		return keep.Token{Text: "jcl_over", Login: "ada", ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	renewed := 0
	b.renew = func(_ context.Context, r login.Request, old keep.Token) (keep.Token, error) {
		renewed++
		if old.Text != "jcl_over" || r.Tenant != "dev01" {
			t.Errorf("renews %v for %s", old, r.Tenant)
		}
		return keep.Token{Text: "jat_ada", Login: "ada", ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	b.keys("aws", "--tenant", "dev01")
	if renewed != 1 || b.f.count() != 2 {
		t.Errorf("renewed %d times, %d requests", renewed, b.f.count())
	}
	t.Run("a token that was given is not", func(t *testing.T) {
		b.as("JITNEY_TOKEN=jat_old").run("aws", "--tenant", "dev01").want(t, exit.Login)
	})
}

func TestFault12ParallelCallsMakeOneRequestAndOneSignIn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.slow = 20 * time.Millisecond
	token := b.as("JITNEY_TOKEN=jat_ada")
	var wg sync.WaitGroup
	results := make([]result, 20)
	began := time.Now()
	for i := range results {
		wg.Go(func() { results[i] = token.process("aws", "--tenant", "dev01") })
	}
	wg.Wait()
	for _, r := range results {
		r.want(t, exit.OK)
		if r.out != results[0].out {
			t.Errorf("%s and %s", r.out, results[0].out)
		}
	}
	if n := b.f.count(); n != 1 {
		t.Errorf("%d requests of 20 calls, want 1", n)
	}
	all := 2 * time.Since(began) // in which twenty processes have started, however busy the machine is
	t.Run("and share a refusal", func(t *testing.T) {
		b.f.set(func() {
			b.f.problem = func(map[string]any) (int, string, string) { return 403, "You are not a member.", "" }
			b.f.requests, b.f.slow = nil, min(max(all, 400*time.Millisecond), 25*time.Second) // longer than 30 s is no answer
		})
		for i := range results {
			wg.Go(func() { results[i] = token.process("aws", "--tenant", "prod01") })
		}
		wg.Wait()
		for _, r := range results {
			r.want(t, exit.Refused, "You are not a member.")
		}
		if n := b.f.count(); n > 2 {
			t.Errorf("%d requests of 20 calls, want 1", n)
		}
	})
}

func TestFault14FileNamesAreGoodEverywhere(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	b.keys("aws", "--tenant", "dev01")
	for _, name := range b.files() {
		if strings.ContainsAny(filepath.Base(name), `:\/*?"<>| ,`) {
			t.Errorf("%s has characters that are not for every system", name)
		}
	}
}

// pairing answers the pairing of a device: authorized by the first question.
func (f *fake) pairing(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case !f.pairs:
		return false
	case r.URL.Path == "/api/v1/cli/pairings":
		var ask map[string]any
		_ = json.NewDecoder(r.Body).Decode(&ask)
		f.pairings = append(f.pairings, ask)
		answer(w, 201, map[string]any{"pairing": "p1", "url": f.URL + "/device", "code": "ABCD-EFGH", "expires_at": time.Now().Add(10 * time.Minute).UTC()})
	case r.URL.Path == "/api/v1/cli/pairings/p1/token":
		f.tokens["jcl_new"] = "ada"
		answer(w, 200, map[string]any{"token": "jcl_new", "expires_at": time.Now().Add(12 * time.Hour).UTC(), "login": "ada"})
	default:
		return false
	}
	return true
}
