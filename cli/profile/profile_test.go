package profile

import (
	"strings"
	"testing"
)

func settings() []Setting {
	return []Setting{{Name: "region", Value: "eu-west-1", Usual: true}, {Name: "credential_process", Value: "jitney aws"}}
}

func TestSetKeepsEverythingElse(t *testing.T) {
	for _, c := range []struct{ name, before, profile, after string }{
		{"an empty file", "", "a", "[profile a]\nregion=eu-west-1\ncredential_process=jitney aws\n"},
		{"the default profile has no prefix", "", "default", "[default]\nregion=eu-west-1\ncredential_process=jitney aws\n"},
		{"a name with a space is quoted", "", "a b", "[profile \"a b\"]\nregion=eu-west-1\ncredential_process=jitney aws\n"},
		{"and found again", "[profile  'a b' ]\n", "a b", "[profile  'a b' ]\nregion=eu-west-1\ncredential_process=jitney aws\n"},
		{"no line end at the end", "[profile b]\nx=1", "a", "[profile b]\nx=1\n\n[profile a]\nregion=eu-west-1\ncredential_process=jitney aws\n"},
		{"no line end in the profile itself", "[profile a]", "a", "[profile a]\nregion=eu-west-1\ncredential_process=jitney aws\n"},
		{"line ends of Windows", "[profile a]\r\nx=1\r\n", "a", "[profile a]\r\nx=1\r\nregion=eu-west-1\r\ncredential_process=jitney aws\r\n"},
		{"what is usual is not forced", "[profile a]\nregion = us-east-1\n", "a", "[profile a]\nregion = us-east-1\ncredential_process=jitney aws\n"},
		{"spelling and spaces stay", "[profile a]\nREGION: us-east-1\nCredential_Process  =   duplo-jit aws\n", "a", "[profile a]\nREGION: us-east-1\nCredential_Process  =   jitney aws\n"},
		{"lines below a setting are not settings", "[profile a]\ns3 =\n  region = x\n\n[b]\n", "a", "[profile a]\ns3 =\n  region = x\nregion=eu-west-1\ncredential_process=jitney aws\n\n[b]\n"},
		{"a comment on the next section stays with it", "[profile a]\nx=1\n# b\n[profile b]\n", "a", "[profile a]\nx=1\nregion=eu-west-1\ncredential_process=jitney aws\n# b\n[profile b]\n"},
		{"names differ by case", "[profile A]\nrole_arn=x\n", "a", "[profile A]\nrole_arn=x\n\n[profile a]\nregion=eu-west-1\ncredential_process=jitney aws\n"},
		{"a process of ours in quotes", "[profile a]\ncredential_process=\"C:\\Program Files\\Jitney.exe\" aws\n", "a", "[profile a]\ncredential_process=jitney aws\nregion=eu-west-1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := Set([]byte(c.before), c.profile, settings())
			if err != nil || string(got) != c.after {
				t.Errorf("%v, got\n%s\nwant\n%s", err, got, c.after)
			}
			again, added, err := Set(got, c.profile, settings())
			if err != nil || added || string(again) != string(got) {
				t.Errorf("again: %v, added %v, got\n%s", err, added, again)
			}
		})
	}
}

func TestAnotherKindOfProfileIsLeftAlone(t *testing.T) {
	for _, line := range []string{"aws_access_key_id=x", "role_arn = x", "sso_session=x", "SSO_Start_URL=x", "login_session=x", "credential_source=Environment",
		"credential_process=aws-vault exec x", "credential_process=/opt/jitney-like/tool", "credential_process=\"/opt/my tool\" jitney"} {
		if _, _, err := Set([]byte("[profile a]\n"+line+"\n"), "a", settings()); err == nil {
			t.Errorf("%s was overwritten", line)
		}
	}
}

func TestTokensOnCommandLinesAreFound(t *testing.T) {
	for line, want := range map[string]bool{"duploctl jit aws --token x": true, "jitney aws -t x": true, "jitney aws --token=x": true, "duplo-jit aws -token=x": true,
		"jitney aws --token-file x": false, "jitney aws --interactive": false} {
		if got := HoldsToken([]byte("[default]\n[profile ci]\ncredential_process = " + line + "\n")); (got == "ci") != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func TestWithoutKeys(t *testing.T) {
	got, changed := WithoutKeys([]byte("[default]\nregion=x\naws_access_key_id=a\naws_secret_access_key=b\ns3=\n  x=1\n[b]\naws_access_key_id=c\n"), "default")
	if want := "[default]\nregion=x\ns3=\n  x=1\n[b]\naws_access_key_id=c\n"; !changed || string(got) != want {
		t.Errorf("%v\n%s", changed, got)
	}
	if _, changed := WithoutKeys([]byte("[default]\nregion=x\n"), "default"); changed {
		t.Error("there was nothing to change")
	}
}

func FuzzSet(f *testing.F) {
	f.Add("[profile a]\nregion=x\n", "a")
	f.Add("[profile a", "a b")
	f.Add("[default]\r\n x\r\n", "default")
	f.Fuzz(func(t *testing.T, before, name string) {
		after, _, err := Set([]byte(before), name, settings())
		if err != nil {
			return
		}
		again, added, err := Set(after, name, settings())
		if err != nil || added || string(again) != string(after) {
			t.Errorf("not the same again: %v %v\n%q\n%q", added, err, after, again)
		}
		// Every line that was there is there still, but for the one of the process.
		left := string(after)
		for line := range strings.Lines(before) {
			if line = strings.TrimRight(line, "\r\n"); !strings.Contains(left, line) && !strings.Contains(strings.ToLower(line), "credential_process") {
				t.Errorf("lost %q", line)
			}
		}
	})
}
