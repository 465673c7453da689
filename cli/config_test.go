package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"jitney/cli/exit"
)

const before = `# my profiles
[default]
Region = eu-west-1   
output = table

; prod, do not touch
[profile Prod]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = default
s3 =
  max_concurrent_requests = 20

[profile dev]
# for dev
Credential_Process = duploctl jit aws --host https://old.example.net --token SECRET
Region=us-west-2
cli_pager=

# the last one
[profile "with space"]
output=json
`

func TestFault13UpdateConfigEditsInPlace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := filepath.Join(b.home, ".aws", "config")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(before), 0o640); err != nil {
		t.Fatal(err)
	}
	r := b.as("AWS_REGION=eu-central-1").run("aws", "update-config", "dev", "--tenant", "dev01", "--token", "jat_ada")
	r.want(t, exit.OK, "No token was written")
	if want := "aws profile named dev was successfully updated in " + path + "\n"; r.out != want {
		t.Errorf("said %q, want %q", r.out, want)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	self, _ := os.Executable()
	line := fmt.Sprintf("%s aws --host %s --tenant dev01", self, b.f.URL)
	want := strings.Replace(before, "duploctl jit aws --host https://old.example.net --token SECRET", line, 1)
	want = strings.Replace(want, "cli_pager=\n", "cli_pager=\noutput=json\n", 1)
	if string(after) != want {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 && runtime.GOOS != "windows" {
		t.Errorf("mode %v", info.Mode())
	}
	t.Run("twice is once", func(t *testing.T) {
		b.run("aws", "update-config", "dev", "--tenant", "dev01", "--token", "jat_ada").want(t, exit.OK)
		if again, _ := os.ReadFile(path); string(again) != want {
			t.Errorf("got\n%s", again)
		}
	})
	for _, c := range []struct{ name, why string }{{"Prod", "role_arn"}, {"aws", ""}} {
		t.Run("another kind of profile: "+c.name, func(t *testing.T) {
			if c.why == "" {
				return
			}
			b.run("aws", "update-config", c.name, "--admin").want(t, exit.Usage, c.why, "left as it is")
			if again, _ := os.ReadFile(path); string(again) != want {
				t.Errorf("got\n%s", again)
			}
		})
	}
}

func TestUpdateConfigMakesAProfileNamedLikeTheHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := filepath.Join(b.home, "deep", "aws", "config")
	b = b.as("AWS_CONFIG_FILE=" + path)
	r := b.run("aws", "update-config", "--admin", "--interactive", "--host", "Jitney.example.net", "--region", "us-west-2", "-o", "json")
	r.want(t, exit.OK)
	if !strings.HasPrefix(r.out, `{"message":"aws profile named jitney.example.net was successfully added in `) {
		t.Errorf("said %s", r.out)
	}
	self, _ := os.Executable()
	want := "[profile jitney.example.net]\nregion=us-west-2\noutput=json\ncredential_process=" + self + " aws --host https://jitney.example.net --admin --interactive\n"
	if got, _ := os.ReadFile(path); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if b.f.count() != 0 {
		t.Error("it asked Jitney")
	}
	t.Run("a link stays one", func(t *testing.T) {
		link := filepath.Join(b.home, "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		b.as("AWS_CONFIG_FILE="+link).run("aws", "update-config", "second", "--tenant", "dev 01").want(t, exit.OK, "No region is set")
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if got, _ := os.ReadFile(path); !strings.Contains(string(got), "\n\n[profile second]\n") || !strings.Contains(string(got), "--tenant 'dev 01' --interactive\n") {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("keys under the same name are warned of", func(t *testing.T) {
		credentials := filepath.Join(b.home, "credentials")
		if err := os.WriteFile(credentials, []byte("[second]\naws_access_key_id=AKIA\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.as("AWS_SHARED_CREDENTIALS_FILE="+credentials).run("aws", "update-config", "second", "--admin").want(t, exit.OK, "They win over this profile")
	})
	t.Run("a token on a line is warned of", func(t *testing.T) {
		if err := os.WriteFile(path, []byte("[profile ci]\ncredential_process=duploctl jit aws --token X\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.run("aws", "update-config", "--admin").want(t, exit.OK, "The profile ci has a token on its command line")
	})
	t.Run("under the other name the profile is called as there", func(t *testing.T) {
		b.called("duploctl").run("jit", "update_aws_config", "--admin").want(t, exit.OK)
		if got, _ := os.ReadFile(path); !strings.Contains(string(got), "[profile duplo]\n") {
			t.Errorf("got\n%s", got)
		}
	})
	for _, name := range []string{"a]b", "a\nb", "", " a", `a"b`} {
		b.run("aws", "update-config", "--admin", "--", name).want(t, exit.Usage)
	}
}
