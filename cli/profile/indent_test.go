package profile

import (
	"strings"
	"testing"
)

// Python's parser, and so botocore, takes a section whose settings are all
// indented, and fails on the whole file if one stands there twice.
func TestASectionMayBeIndented(t *testing.T) {
	ours := []Setting{{Name: "region", Value: "eu-west-9"}, {Name: "output", Value: "json", Usual: true}, {Name: "credential_process", Value: "jitney aws --tenant new"}}
	for name, c := range map[string]struct{ before, want string }{
		"one of ours is changed where it stands": {"[profile dev]\n  # mine\n  credential_process = jitney aws --tenant old\n  region = us-east-1\n",
			"[profile dev]\n  # mine\n  credential_process = jitney aws --tenant new\n  region = eu-west-9\noutput=json\n"},
		"what is below a setting is none":              {"[profile dev]\nregion=a\ns3 =\n  credential_process = x\n", "[profile dev]\nregion=eu-west-9\ns3 =\n  credential_process = x\noutput=json\ncredential_process=jitney aws --tenant new\n"},
		"one with single sign-on is left":              {"[profile dev]\n  sso_start_url = https://x\n  sso_account_id = 1\n", ""},
		"one of another program is left":               {"[profile dev]\n\tregion = a\n\tcredential_process = /opt/other\n", ""},
		"what is below a setting is of no consequence": {"[profile dev]\n  s3 =\n    role_arn = x\n", "[profile dev]\n  s3 =\n    role_arn = x\nregion=eu-west-9\noutput=json\ncredential_process=jitney aws --tenant new\n"},
	} {
		after, _, err := Set([]byte(c.before), "dev", ours)
		if (err != nil) != (c.want == "") || string(after) != c.want {
			t.Errorf("%s: %v\n%s", name, err, after)
		}
	}
	out, changed := WithoutKeys([]byte("[default]\n  region = a\n  aws_access_key_id = AKIA\n  credential_process =\n    foo\n  output = json\n"), "default")
	if !changed || string(out) != "[default]\n  region = a\n  output = json\n" || strings.Contains(string(out), "AKIA") {
		t.Errorf("%s", out)
	}
}
