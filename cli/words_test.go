package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
	"jitney/cli/login"
)

func TestWordsOfOtherProgramsWork(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("DUPLO_TOKEN=jat_ada")
	for _, c := range []struct {
		program, line string
		tenant, id    string
		admin         bool
	}{
		{"jitney", "aws --tenant dev01", "dev01", "", false},
		{"jitney", "--tenant dev01 aws", "dev01", "", false},
		{"jitney", "-T DEV01 jit aws", "dev01", "", false},
		{"jitney", "aws --tenant=dev01 -o json", "dev01", "", false},
		{"jitney", "aws --admin --tenant dev01", "dev01", "", true},
		{"duploctl", "jit aws --tenant dev01", "dev01", "", false},
		{"/usr/local/bin/duploctl", "--isadmin jit aws --nocache", "", "", true},
		{`C:\tools\duploctl.exe`, "jit aws --tid 12-34", "", "12-34", false},
		{"duploctl", "-T dev01 --tenantid 12-34 jit aws", "", "12-34", false},
		{"duplo-jit", "aws -admin", "", "", true},
		{"duplo-jit", "aws --tenant dev01 -no-cache -port 1234", "dev01", "", false},
		{"duplo-jit", "aws -tenant=dev01 -debug", "dev01", "", false},
		{"duploctl", "jit aws --admin --auth-cooldown 30m -L DEBUG -P plan --home-dir /x", "", "", true},
	} {
		b.f.set(func() { b.f.asks = nil })
		x := b.called(c.program).as("JITNEY_CACHE=" + t.TempDir())
		x.keys(strings.Fields(c.line)...)
		if len(b.f.asks) != 1 {
			t.Errorf("%s %s: %d requests", c.program, c.line, len(b.f.asks))
			continue
		}
		ask := b.f.asks[0]
		if ask["tenant"] != c.tenant || ask["tenant_id"] != c.id || ask["admin"] != c.admin {
			t.Errorf("%s %s asks %v", c.program, c.line, ask)
		}
		if program := programOf(c.program); ask["application"] != program {
			t.Errorf("%s is called %v", program, ask["application"])
		}
	}
}

func TestOtherNamesOfOurCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	for _, c := range []struct{ line, want string }{
		{"aws creds --tenant dev01", `{"Version":1,"AccessKeyId":"ASIA`},
		{"aws credentials --tenant dev01", `{"Version":1,"AccessKeyId":"ASIA`},
		{"aws web --tenant dev01 --print", "https://signin.aws.amazon.com/federation"},
		{"aws configure first --tenant dev01 --region eu-west-1", "aws profile named first was successfully added"},
		{"aws update_aws_config second --tenant dev01 --region eu-west-1", "aws profile named second was successfully added"},
	} {
		if r := b.run(strings.Fields(c.line)...); r.code != exit.OK || !strings.HasPrefix(r.out, c.want) {
			t.Errorf("jitney %s: exit %d\n%s%s", c.line, r.code, r.out, r.err)
		}
	}
}

func TestUnknownWordsAreAnsweredClearly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct{ program, line, want string }{
		{"duploctl", "jit k8s", `it has no "k8s"`},
		{"duploctl", "jit gcp", `it has no "gcp"`},
		{"duploctl", "jit update_kubeconfig", `it has no "update_kubeconfig"`},
		{"duploctl", "jit token", "Make an API token"},
		{"duploctl", "tenant list", "jit aws, jit web, jit update_aws_config"},
		{"duplo-jit", "k8s", "aws, clear-cache, version"},
		{"duplo-jit", "duplo", "no Duplo token"},
		{"duplo-jit", "aws --duplo-ops", "no duplo-ops scope"},
		{"jitney", "aws frobnicate", "There is no command"},
		{"jitney", "aws console now", "There is no command"},
		{"jitney", "cache", "clear"},
		{"jitney", "aws --tenant", "--tenant needs a value"},
		{"jitney", "aws --admin=maybe", "true or false"},
		{"jitney", "aws --tenant dev01 -o xml", "--output is json"},
		{"jitney", "aws --tenant dev01 --duration soon", "--duration is a time"},
		{"jitney", "aws --tenant dev01 --port http", "--port is a number"},
		{"jitney", "aws --tenant dev01 --token-file /nonexistent", "cannot be read"},
		{"jitney", "aws env csh --tenant dev01", "There is no shell"},
		{"jitney", "aws --tenant dev01 --host http://jitney.example.net", "must begin with https://"},
		{"jitney", "aws --tenant dev01 --host ftp://jitney.example.net", "https://"},
	} {
		b.called(c.program).run(strings.Fields(c.line)...).want(t, exit.Usage, c.want)
	}
	for _, args := range [][]string{{}, {"serve"}, {"--help"}, {"-q", "grants", "ls"}, {"grants", "aws"}, {"help", "aws"}, {"__complete", "aws", ""}} {
		if r := b.run(args...); r.code != 99 {
			t.Errorf("%v is not ours, but ended with %d: %s", args, r.code, r.err)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range Commands() {
		r := b.run(append(strings.Fields(c.Path), "--help")...)
		if r.code != 0 || !strings.Contains(r.out, "jitney "+c.Path) {
			t.Errorf("%s --help: %d\n%s%s", c.Path, r.code, r.out, r.err)
		}
		known := map[string]bool{}
		for _, f := range c.Describe() {
			known[f.Name] = true
		}
		for _, f := range c.Flags {
			if !known[f] {
				t.Errorf("%s: there is no flag %s", c.Path, f)
			}
		}
	}
	for program, line := range map[string]string{"duploctl": "--version", "duplo-jit": "version"} {
		if r := b.called(program).run(line); r.code != 0 || !strings.Contains(r.out, "jitney test") {
			t.Errorf("%s: %v", program, r)
		}
	}
}

func TestHelpNamesTheFlagsThatTheEnvironmentSets(t *testing.T) {
	t.Parallel()
	set := []string{}
	for _, o := range options() {
		if o.usage == "" {
			continue
		}
		without, _ := flags{}.resolve(env{})
		with, err := flags{}.resolve(env{"JITNEY_" + strings.ToUpper(strings.ReplaceAll(o.names[0], "-", "_")): "true"})
		if err != nil || !reflect.DeepEqual(with, without) {
			set = append(set, "--"+o.names[0])
		}
	}
	_, list, _ := strings.Cut(Commands()[0].Long, "These can be set by the environment: ")
	list, _, _ = strings.Cut(list, ".")
	said := strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' || c == '\n' })
	slices.Sort(said)
	slices.Sort(set)
	if !slices.Equal(said, set) {
		t.Errorf("the help says that the environment sets\n%v, and it sets\n%v", said, set)
	}
}

func TestSettingsComeFromFlagsThenEnvironmentThenContexts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ours := filepath.Join(b.home, ".config", "jitney")
	theirs := filepath.Join(b.home, ".duplo")
	write := func(dir, name, text string) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	resolve := func(line string, environ ...string) settings {
		t.Helper()
		f, _, _, err := parse(strings.Fields(line), isExec)
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.resolve(environment(append([]string{"HOME=" + b.home}, environ...)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	show := func(s settings) string {
		return fmt.Sprintf("%s %s/%s %v %s %v", s.host, s.tenant, s.tenantID, s.admin, s.token, s.interactive)
	}
	write(theirs, "config", "current-context: one\ncontexts:\n- {name: one, host: one.example, tenant: Dev, token: jat_1}\n- {name: two, host: two.example, admin: true, interactive: true}\n")
	for _, c := range []struct {
		line    string
		environ []string
		want    string
	}{
		{"aws", nil, "one.example dev/ false jat_1 false"},
		{"aws --context two", nil, "two.example / true  true"},
		{"aws --ctx two", []string{"JITNEY_TOKEN=jat_2"}, "two.example / true jat_2 false"},
		{"aws --tenant Prod", nil, "one.example prod/ false jat_1 false"},
		{"aws --admin", nil, "one.example / true jat_1 false"},
		{"aws --admin", []string{"DUPLO_TENANT=x", "DUPLO_TENANT_ID=y", "DUPLO_HOST=h"}, "h / true  false"},
		{"aws --tenant a", []string{"DUPLO_TENANT_ID=y", "DUPLO_HOST=h"}, "h a/ false  false"},
		{"aws", []string{"JITNEY_HOST=j", "DUPLO_HOST=d", "DUPLO_TENANT=A", "JITNEY_TENANT=B", "DUPLO_TOKEN=jat_3"}, "j b/ false jat_3 false"},
		{"aws --host other.example --tenant x", nil, "other.example x/ false  false"}, // the token of one.example stays there
		{"aws --host other.example --context one --tenant x", nil, "other.example x/ false  false"},
		{"aws -I", []string{"JITNEY_TOKEN=jat_2"}, "one.example dev/ false  true"},
		{"aws -I --token jat_4", nil, "one.example dev/ false  true"},
		{"aws --token jat_4", []string{"JITNEY_TOKEN=jat_2"}, "one.example dev/ false jat_4 false"},
	} {
		if got := show(resolve(c.line, c.environ...)); got != c.want {
			t.Errorf("%s with %v: %s, want %s", c.line, c.environ, got, c.want)
		}
	}
	write(ours, "config.yaml", "contexts:\n- {name: only, host: ours.example, tenant: dev}\n")
	if got := resolve("aws").host; got != "ours.example" {
		t.Errorf("ours comes first, got %s", got)
	}
	file := filepath.Join(b.home, "token")
	write(b.home, "token", "jat_ada\n")
	for _, s := range []settings{resolve("aws --token-file " + file), resolve("aws", "JITNEY_TOKEN_FILE="+file)} {
		if s.token != "jat_ada" || s.fromLine != "" {
			t.Errorf("from a file: %s", s.token)
		}
	}
}

func TestATokenOnTheCommandLineIsWarnedOfOnceADay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, wants := range []bool{true, false} {
		r := b.run("aws", "--tenant", "dev01", "--token", "jat_ada")
		r.want(t, exit.OK)
		if strings.Contains(r.err, "A token on the command line can be read by others") != wants {
			t.Errorf("call %d said %q", i+1, r.err)
		}
		decode(t, r.out)
	}
	b.now = func() time.Time { return time.Now().Add(24 * time.Hour) }
	if r := b.run("aws", "tenants", "--token", "jat_ada"); r.code != 0 {
		t.Error(r)
	}
	b.now = nil
	if r := b.as("JITNEY_TOKEN=jat_ada").run("aws", "--tenant", "dev02"); r.err != "" {
		t.Errorf("a token of the environment: %s", r.err)
	}
}

func TestGitHubIsToldWhatToMask(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada", "GITHUB_ACTIONS=true")
	for range 2 { // issued, then kept
		r := b.run("aws", "--tenant", "dev01")
		r.want(t, exit.OK, "::add-mask::ASIAADATENANT1\n", "::add-mask::secret/dev01+ada==\n", "::add-mask::token-tenant-dev01-1\n")
		decode(t, r.out)
	}
}

func TestOutputForPrograms(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"the idiom of CI", "AWS_ACCESS_KEY_ID=ASIAADATENANT1\nAWS_REGION=eu-central-1\nAWS_SECRET_ACCESS_KEY=secret/dev01+ada==\nAWS_SESSION_TOKEN=token-tenant-dev01-1\n",
			[]string{"-q", "{AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey, AWS_SESSION_TOKEN: SessionToken, AWS_REGION: Region}", "-o", "env"}},
		{"one value", "ASIAADATENANT1\n", []string{"-q", "AccessKeyId", "-o", "string"}},
		{"one value as JSON", "\"ASIAADATENANT1\"\n", []string{"-q", "AccessKeyId"}},
		{"CSV", "AccessKeyId,Validity\nASIAADATENANT1,3600\n", []string{"-q", "{AccessKeyId: AccessKeyId, Validity: Validity}", "-o", "csv"}},
		{"YAML", "AccessKeyId: ASIAADATENANT1\nValidity: 3600\n", []string{"-q", "{AccessKeyId: AccessKeyId, Validity: Validity}", "-o", "yaml"}},
	} {
		r := b.run(append([]string{"aws", "--tenant", "dev01"}, c.args...)...)
		if r.code != 0 || r.out != c.want {
			t.Errorf("%s: %d %q, want %q\n%s", c.name, r.code, r.out, c.want, r.err)
		}
	}
	b.run("aws", "--tenant", "dev01", "-q", "{{").want(t, exit.Usage, "no JMESPath")
	b.run("aws", "--tenant", "dev01", "-q", "AccessKeyId", "-o", "env").want(t, exit.Usage, "no names")
	if r := b.run("aws", "tenants", "-o", "csv"); r.out != "id,name,account_id,region,scopes\nt1,dev01,123456789012,eu-central-1,tenant admin\n" {
		t.Errorf("tenants: %q", r.out)
	}
	if r := b.run("whoami", "-q", "person.login", "-o", "string"); r.out != "ada\n" {
		t.Errorf("whoami: %q %s", r.out, r.err)
	}
	if r := b.run("aws", "tenants"); !strings.Contains(r.out, "dev01") {
		t.Errorf("tenants: %q", r.out)
	}
}

func TestEnvForShells(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada", "SHELL=/bin/zsh")
	b.f.change = func(a map[string]any) { a["secret_access_key"] = `it's"$(id)` }
	for shell, want := range map[string]string{
		"":           `export AWS_SECRET_ACCESS_KEY='it'\''s"$(id)'`,
		"powershell": `$Env:AWS_SECRET_ACCESS_KEY = 'it''s"$(id)'`,
		"fish":       `set -gx AWS_SECRET_ACCESS_KEY 'it\'s"$(id)';`,
	} {
		r := b.run(strings.Fields("aws env " + shell + " --tenant dev01")...)
		if r.code != 0 || !strings.Contains(r.out, want+"\n") || !strings.Contains(r.out, "AWS_REGION") {
			t.Errorf("%s: %q %s", shell, r.out, r.err)
		}
	}
}

func TestConsoleIsOpenedWithoutShowingItsAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	opened := ""
	b.browse = func(link, browser string, _ func(string) string) error {
		opened = link
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		for i, want := range []int{303, 404} { // once
			res, err := client.Get(link)
			if err != nil {
				if i == 0 {
					return err
				}
				continue // closed already
			}
			_ = res.Body.Close()
			if res.StatusCode != want || i == 0 && !strings.HasSuffix(res.Header.Get("Location"), "SigninToken=verysecret") {
				t.Errorf("%d to %s", res.StatusCode, res.Header.Get("Location"))
			}
		}
		if browser != "firefox" {
			t.Errorf("opened %q", browser)
		}
		return nil
	}
	r := b.run("aws", "console", "--tenant", "dev01", "--browser", "firefox", "--region", "eu-west-1", "--destination", "https://console.aws.amazon.com/s3", "--logout-first")
	r.want(t, exit.OK)
	if !strings.HasPrefix(opened, "http://127.0.0.1:") || r.out != "Opening AWS console in browser\n" {
		t.Errorf("opened %s, said %s", opened, r.out)
	}
	if ask := b.f.asks[0]; ask["console"] != true || ask["region"] != "eu-west-1" || ask["destination"] == "" || ask["logout_first"] != true {
		t.Errorf("asked %v", ask)
	}
	if r := b.run("aws", "console", "--print", "--tenant", "dev01"); !strings.HasPrefix(r.out, "https://signin.aws.amazon.com/") {
		t.Errorf("printed %q", r.out)
	}
	if k := b.keys("aws", "--tenant", "dev01", "--console-url"); !strings.HasPrefix(fmt.Sprint(k["ConsoleUrl"]), "https://signin") {
		t.Errorf("got %v", k)
	}
	if r := b.called("duploctl").run("jit", "web", "--tenant", "dev01", "--browser", "firefox"); r.out != `{"message":"Opening AWS console in browser"}`+"\n" {
		t.Errorf("said %q %s", r.out, r.err)
	}
	for _, name := range b.files() {
		if data, _ := os.ReadFile(name); strings.Contains(string(data), "verysecret") {
			t.Errorf("%s holds the address", name)
		}
	}
	b.browse = func(string, string, func(string) string) error { return os.ErrNotExist }
	b.run("aws", "console", "--tenant", "dev01").want(t, exit.Failed, "--print")
}

func TestCacheClearAndLogoutForgetKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.signIn = func(_ context.Context, r login.Request) (keep.Token, error) {
		if r.Budget > 50*time.Second || r.Budget <= 0 && r.Tenant != "" {
			t.Errorf("it would wait %v", r.Budget)
		}
		return keep.Token{Text: "jat_ada", Login: "ada", ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	first := b.keys("aws", "--tenant", "dev01")
	b.signIn = nil // the second finds out who is signed in without asking
	if second := b.keys("aws", "--tenant", "dev01"); second["AccessKeyId"] != first["AccessKeyId"] {
		t.Errorf("%v and %v", first, second)
	}
	b.run("logout").want(t, exit.OK)
	b.signIn = func(context.Context, login.Request) (keep.Token, error) {
		return keep.Token{Text: "jat_bob", Login: "bob", ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	if third := b.keys("aws", "--tenant", "dev01"); third["AccessKeyId"] == first["AccessKeyId"] {
		t.Error("keys of the one who signed out are handed out")
	}
	r := b.run("cache", "clear")
	if r.code != 0 || !strings.HasPrefix(r.out, "Cleared ") || len(b.files()) != 0 {
		t.Errorf("%v left %v", r, b.files())
	}
	if r := b.called("duploctl").run("cache", "clear"); r.out != `{"message":"Cleared 0 cached file(s)"}`+"\n" {
		t.Errorf("said %q", r.out)
	}
	if r := b.called("duplo-jit").run("clear-cache"); r.code != 0 {
		t.Errorf("said %v", r)
	}
}

func TestAClockThatIsWrongIsSaidInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		off  time.Duration // of our clock
		code int
		want string
		kept int
	}{
		{"a little", time.Minute, exit.OK, "", 3},
		{"ahead", 30 * time.Minute, exit.OK, "The clock of this computer is 30 min ahead of Jitney's.", 1},
		{"behind", -2 * time.Hour, exit.OK, "The clock of this computer is 2 h 0 min behind Jitney's.", 1},
		{"so far ahead that keys seem over", 2 * time.Hour, exit.Failed, "By it these keys are over already.", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t).as("JITNEY_TOKEN=jat_ada")
			b.now = func() time.Time { return time.Now().Add(c.off) }
			r := b.run("aws", "--tenant", "dev01")
			r.want(t, c.code, c.want)
			if c.want == "" && r.err != "" {
				t.Errorf("said %q", r.err)
			}
			if c.kept == 1 { // what such a clock dates is not kept
				before := b.f.count()
				b.run("aws", "--tenant", "dev01")
				if b.f.count() != before+1 {
					t.Error("the keys were kept")
				}
			}
		})
	}
}

func TestKeptKeysBridgeAFailureOfJitney(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	now := time.Now()
	b.now, b.f.date = func() time.Time { return now }, func() time.Time { return now }
	first := b.keys("aws", "--tenant", "dev01")
	b.f.set(func() {
		now = now.Add(50 * time.Minute)
		b.f.problem = func(map[string]any) (int, string, string) { return 503, "Starting.", "" }
	})
	r := b.run("aws", "--tenant", "dev01")
	r.want(t, exit.OK, "Starting.", "kept")
	if k := decode(t, r.out); k["AccessKeyId"] != first["AccessKeyId"] {
		t.Errorf("got %v", k)
	}
	b.f.set(func() { now = now.Add(9*time.Minute + 30*time.Second) })
	b.run("aws", "--tenant", "dev01").want(t, exit.Unreachable)
	t.Run("but not a refusal", func(t *testing.T) {
		b.f.set(func() {
			now = now.Add(-9 * time.Minute)
			b.f.problem = func(map[string]any) (int, string, string) { return 403, "Switched off.", "" }
		})
		b.run("aws", "--tenant", "dev01").want(t, exit.Refused, "Switched off.")
		b.f.set(func() {
			now = now.Add(time.Second)
			b.f.problem = func(map[string]any) (int, string, string) { return 503, "Starting.", "" }
		})
		b.run("aws", "--tenant", "dev01").want(t, exit.Unreachable) // they were forgotten
	})
}

func TestWhatIsNotJitneyIsSaidToBeNot(t *testing.T) {
	t.Parallel()
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	for name, handler := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Sign in to the Wi-Fi") },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		},
		"no page": http.NotFound,
		"no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{")
		},
		"without end": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 2<<20)) },
	} {
		b.f.Config.Handler = handler
		t.Run(name, func(t *testing.T) {
			b.run("aws", "--tenant", "dev01").want(t, exit.Unreachable, "is not Jitney")
		})
	}
}
