package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
)

// signedInAt keeps a sign-in as login leaves it.
func (b *bench) signedInAt(host, login string) {
	b.t.Helper()
	token := keep.Token{Text: "jcl_new", Login: login, ExpiresAt: time.Now().Add(time.Hour)}
	if err := keep.Open(environment(b.environ).get).Put(host, token); err != nil {
		b.t.Fatal(err)
	}
}

func TestTheOnlySignInNeedsNoHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	host := b.f.URL
	b = b.as("JITNEY_HOST=")
	b.f.set(func() { b.f.tokens["jcl_new"] = "ada" })
	b.signIn = nil // as the program signs in: with what is kept
	b.run("whoami").want(t, exit.Login, "You are not signed in anywhere.")
	if r := b.run("logout"); r.code != exit.OK || r.out != "You are not signed in anywhere.\n" {
		t.Errorf("%+v", r)
	}
	b.signedInAt(host, "ada")
	if r := b.process("whoami"); r.code != exit.OK || !strings.Contains(r.out, "ada (Ada L.) at "+host) {
		t.Errorf("%+v", r)
	}
	b.as("JITNEY_TOKEN=jat_ada").run("whoami").want(t, exit.Usage) // which is not told to where somebody else is signed in
	b.signedInAt("https://two.example", "bob")
	if r := b.run("whoami"); r.code != exit.OK || !strings.Contains(r.out, "ada at "+host+", until ") || !strings.Contains(r.out, "bob at https://two.example, until ") {
		t.Errorf("%+v", r)
	}
	if r := b.run("whoami", "-o", "json"); r.code != exit.OK || !strings.Contains(r.out, `"login":"bob"`) || strings.Contains(r.out, "jcl_") {
		t.Errorf("%+v", r)
	}
	b.run("logout").want(t, exit.Usage, "https://two.example (bob)", host+" (ada)", "--host")
	b.run("logout", "--host", host).want(t, exit.OK)
	if err := os.WriteFile(filepath.Join(b.home, ".local", "state", "jitney", "signin-odd.json"), []byte(`{"host":"https://evil.example"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run("whoami", "--host", "https://two.example", "--help").want(t, exit.OK)
	if got := keep.Open(environment(b.environ).get).SignIns(time.Now()); len(got) != 1 || got[0].Host != "https://two.example" {
		t.Errorf("%+v", got)
	}
}

func TestLogoutTwiceSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.set(func() { b.f.tokens["jcl_new"] = "ada" })
	b.signedInAt(b.f.URL, "ada")
	if r := b.run("logout"); r.code != exit.OK || !strings.HasPrefix(r.out, "Signed out at "+b.f.URL) {
		t.Errorf("%+v", r)
	}
	if r := b.run("logout"); r.code != exit.OK || r.out != "You were not signed in at "+b.f.URL+".\n" {
		t.Errorf("%+v", r)
	}
}

// Who moves from the other portal has the variables of both.
func TestATokenOfOursDoesNotGoToTheirHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	host := b.f.URL
	b = b.as("JITNEY_HOST=", "DUPLO_HOST="+host)
	file := filepath.Join(b.home, "token")
	if err := os.WriteFile(file, []byte("jat_ada"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		program string
		environ []string
		args    []string
	}{
		"JITNEY_TOKEN":          {"jitney", []string{"JITNEY_TOKEN=jat_ada"}, nil},
		"beside DUPLO_TOKEN":    {"jitney", []string{"JITNEY_TOKEN=jat_ada", "DUPLO_TOKEN=jat_ada"}, nil},
		"JITNEY_TOKEN_FILE":     {"jitney", []string{"JITNEY_TOKEN_FILE=" + file}, nil},
		"by the other name":     {"duploctl", []string{"JITNEY_TOKEN=jat_ada"}, []string{"--no-cache"}},
		"--token":               {"jitney", nil, []string{"--token", "jat_ada"}},
		"--token-file":          {"jitney", nil, []string{"--token-file", file}},
		"duploctl's config":     {"jitney", []string{"DUPLO_HOST=", "JITNEY_TOKEN=jat_ada"}, nil},
		"DUPLO_CONFIG":          {"jitney", []string{"DUPLO_HOST=", "DUPLO_CONFIG=" + filepath.Join(b.home, ".duplo", "config"), "JITNEY_TOKEN=jat_ada"}, nil},
		"a token without scope": {"jitney", []string{"JITNEY_TOKEN=jat_bob"}, []string{"whoami"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.as(c.environ...).called(c.program)
			if err := os.MkdirAll(filepath.Join(b.home, ".duplo"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(b.home, ".duplo", "config"), []byte("contexts:\n- {name: one, host: "+host+"}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"aws", "--tenant", "dev01"}, c.args...)
			if c.program != "jitney" {
				args = append([]string{"jit"}, args...)
			}
			if len(c.args) > 0 && c.args[0] == "whoami" {
				args = c.args
			}
			b.run(args...).want(t, exit.Usage, "not sent to the host that DUPLO_HOST", "JITNEY_HOST or --host")
			if n := b.f.count(); n != 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
	for name, got := range map[string]map[string]any{
		"named by --host":          b.as("JITNEY_TOKEN=jat_ada").keys("aws", "--tenant", "dev01", "--host", host),
		"named by JITNEY_HOST":     b.as("JITNEY_TOKEN=jat_ada", "JITNEY_HOST="+host).keys("aws", "--tenant", "dev01"),
		"named by --context":       b.as("JITNEY_TOKEN=jat_ada", "DUPLO_HOST=").keys("aws", "--tenant", "dev01", "--context", "one"),
		"both are of DUPLO":        b.as("DUPLO_TOKEN=jat_ada").keys("aws", "--tenant", "dev01"),
		"called by the other name": b.called("duploctl").keys("jit", "aws", "--tenant", "dev01", "--token", "jat_ada"),
	} {
		if got["AccessKeyId"] == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTheRegionOfAProfileIsThatOfTheTenant(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.set(func() { b.f.tokens["jcl_new"] = "ada" })
	region := func(b *bench, name string, args ...string) string {
		t.Helper()
		b.run(append([]string{"aws", "update-config", name}, args...)...).want(t, exit.OK)
		config, err := os.ReadFile(filepath.Join(b.home, ".aws", "config"))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(config), "[profile "+name+"]\n")
		line, _, _ := strings.Cut(after, "\n")
		return line
	}
	env := b.as("AWS_REGION=eu-north-1")
	for _, c := range []struct {
		name string
		b    *bench
		args []string
		want string
	}{
		{"unknown", env, []string{"--tenant", "dev01"}, "region=eu-north-1"},
		{"named", env.as("JITNEY_TOKEN=jat_ada"), []string{"--tenant", "dev01", "--region", "us-west-2"}, "region=us-west-2"},
		{"token", env.as("JITNEY_TOKEN=jat_ada"), []string{"--tenant", "DEV01"}, "region=eu-central-1"},
		{"admin", env.as("JITNEY_TOKEN=jat_ada"), []string{"--admin"}, "region=eu-central-1"},
		{"other", env.as("JITNEY_TOKEN=jat_ada"), []string{"--tenant", "prod01"}, "region=eu-north-1"},
	} {
		if got := region(c.b, c.name, c.args...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	b.signedInAt(b.f.URL, "ada")
	if got := region(b, "signed-in", "--tenant-id", "t1"); got != "region=eu-central-1" {
		t.Errorf("signed in: %s", got)
	}
	before := b.f.count()
	if got := region(b, "signed-in", "--tenant-id", "t1"); got != "region=eu-central-1" || b.f.count() != before {
		t.Errorf("one that has a region: %s after %d requests", got, b.f.count()-before)
	}
	b.f.Close()
	if got := region(env, "away", "--tenant", "dev01"); got != "region=eu-north-1" {
		t.Errorf("Jitney is away: %s", got)
	}
}

func TestKeysOfAGrantThatIsOverAreForgottenUnderEveryName(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	b.keys("aws", "--tenant", "dev01")
	b.keys("aws", "--tenant", "dev01", "--ticket", "T1")
	b.f.set(func() {
		b.f.problem = func(ask map[string]any) (int, string, string) {
			if ask["grant"] == "g1" {
				return 410, "This access is over.", "Ask for new access."
			}
			return 0, "", ""
		}
	})
	b.run("aws", "--tenant", "dev01", "--grant", "g1").want(t, exit.Ended, "This access is over.")
	before := b.f.count()
	b.keys("aws", "--tenant", "dev01")
	b.keys("aws", "--tenant", "dev01", "--ticket", "T1")
	if n := b.f.count() - before; n != 2 {
		t.Errorf("%d requests, want 2: the keys that AWS denies were kept", n)
	}
}
