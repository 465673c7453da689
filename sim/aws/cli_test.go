package aws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/sim/aws"
)

// clis are the aws CLIs of this machine: Debian's, and the first on the PATH if that is another. A test without any fails
// where it must not, and skips loudly elsewhere.
func clis(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, name := range []string{"/usr/bin/aws", "aws"} {
		if path, err := exec.LookPath(name); err == nil && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	if len(found) > 0 {
		return found
	}
	if os.Getenv("CI") == "true" || os.Getenv("JITNEY_TEST_REQUIRE") == "1" {
		t.Fatal("the aws CLI is missing; install the package awscli")
	}
	t.Skip("NOT TESTED against the real aws CLI, which is missing; install the package awscli")
	return nil
}

// A cli runs one of them against a simulated AWS.
type cli struct {
	t    *testing.T
	path string
	url  string
	dir  string
	env  []string
}

func newCLI(t *testing.T, path, url string, k aws.Keys) *cli {
	c := &cli{t: t, path: path, url: url, dir: t.TempDir()}
	c.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LC_ALL=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1",
		"AWS_CONFIG_FILE=" + filepath.Join(c.dir, "config"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(c.dir, "credentials"),
		"AWS_ENDPOINT_URL=" + url, // newer ones know it
	}
	for _, name := range []string{"PYENV_ROOT", "PYENV_VERSION"} {
		if v := os.Getenv(name); v != "" {
			c.env = append(c.env, name+"="+v)
		}
	}
	if k.AccessKeyID != "" {
		c.env = append(c.env, "AWS_ACCESS_KEY_ID="+k.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+k.Secret.Reveal())
	}
	if !k.SessionToken.IsZero() {
		c.env = append(c.env, "AWS_SESSION_TOKEN="+k.SessionToken.Reveal())
	}
	return c
}

// run runs a command and gives what it printed on both channels.
func (c *cli) run(args ...string) (stdout, stderr string, err error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.path, append([]string{"--endpoint-url", c.url, "--region", "eu-west-1", "--output", "json"}, args...)...)
	cmd.Env, cmd.Dir = c.env, c.dir
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	err = cmd.Run()
	return out.String(), bad.String(), err
}

// ok runs a command that must succeed.
func (c *cli) ok(into any, args ...string) string {
	c.t.Helper()
	out, bad, err := c.run(args...)
	if err != nil {
		c.t.Fatalf("aws %s: %v: %s", strings.Join(args[:2], " "), err, bad)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(out), into); err != nil {
			c.t.Fatalf("aws %s: %v", strings.Join(args[:2], " "), err)
		}
	}
	return out
}

// refused runs a command that must fail with a text.
func (c *cli) refused(text string, args ...string) {
	c.t.Helper()
	if _, bad, err := c.run(args...); err == nil || !strings.Contains(bad, text) {
		c.t.Errorf("aws %s: %v: %s; want %q", strings.Join(args[:2], " "), err, bad, text)
	}
}

func TestTheRealCLI(t *testing.T) {
	for i, path := range clis(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, aws.Options{})
			s, err := w.Serve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			broker := newCLI(t, path, s.URL(), w.broker)
			var me struct{ Account, Arn, UserId string }
			broker.ok(&me, "sts", "get-caller-identity")
			if me.Arn != "arn:aws:iam::"+home+":user/jitney" || me.Account != home {
				t.Errorf("the broker is %+v", me)
			}
			session := newCLI(t, path, s.URL(), assumeByCLI(broker, w))
			session.ok(&me, "sts", "get-caller-identity")
			if me.Arn != "arn:aws:sts::"+other+":assumed-role/northwind-prod/ada-g1" {
				t.Errorf("the session is %+v", me)
			}
			if i == 0 {
				s3ByCLI(session, w)
				iamByCLI(broker, session, w)
			} else if out := session.ok(nil, "s3", "ls"); !strings.Contains(out, "northwind-logs") {
				t.Errorf("s3 ls prints %q", out)
			}
			w.breaches(true) // a name with an apostrophe is asked for on purpose
		})
	}
}

// assumeByCLI assumes the customer's role, after some that are refused.
func assumeByCLI(broker *cli, w *world) aws.Keys {
	role := []string{"sts", "assume-role", "--role-arn", w.role.ARN(), "--role-session-name"}
	broker.refused("(AccessDenied)", append(role, "ada-g1")...)
	broker.refused("is not authorized to perform: sts:AssumeRole on resource: "+w.role.ARN(), append(role, "ada-g1", "--external-id", "guess")...)
	broker.refused("(ValidationError)", append(role, "o'brien", "--external-id", extID)...)
	broker.refused("exceeds the MaxSessionDuration", append(role, "ada-g1", "--external-id", extID, "--duration-seconds", "7200")...)
	var out struct {
		Credentials struct {
			AccessKeyId, SecretAccessKey, SessionToken string
			Expiration                                 time.Time
		}
		AssumedRoleUser struct{ Arn string }
		SourceIdentity  string
	}
	began := time.Now().Truncate(time.Second)
	broker.ok(&out, append(role, "ada-g1", "--external-id", extID, "--duration-seconds", "900", "--source-identity", "ada@northwind.example", "--tags", "Key=jitney:grant,Value=g1")...)
	if ends := out.Credentials.Expiration.Add(-15 * time.Minute); ends.Before(began) || ends.After(time.Now()) || out.SourceIdentity != "ada@northwind.example" {
		broker.t.Errorf("the keys live until %v for %q", out.Credentials.Expiration, out.SourceIdentity)
	}
	return secretKeys(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken)
}

// s3ByCLI lists, reads and writes.
func s3ByCLI(session *cli, w *world) {
	t := session.t
	if out := session.ok(nil, "s3", "ls"); !strings.Contains(out, "northwind-logs") {
		t.Errorf("s3 ls prints %q", out)
	}
	if out := session.ok(nil, "s3", "ls", "s3://northwind-logs/"); !strings.Contains(out, "readme.txt") || !strings.Contains(out, "PRE 2026/") {
		t.Errorf("s3 ls of the bucket prints %q", out)
	}
	if out := session.ok(nil, "s3", "cp", "s3://northwind-logs/2026/11/21.log", "-"); out != "started\n" {
		t.Errorf("s3 cp prints %q", out)
	}
	file := filepath.Join(session.dir, "new.txt")
	if err := os.WriteFile(file, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	session.ok(nil, "s3", "cp", file, "s3://northwind-logs/a b/+ü.txt")
	if text, ok := w.Object("northwind-logs", "a b/+ü.txt"); !ok || text != "new\n" {
		t.Errorf("the bucket holds %q", text)
	}
	session.refused("AccessDenied", "s3api", "delete-object", "--bucket", "northwind-logs", "--key", "readme.txt")
	session.refused("NoSuchBucket", "s3api", "list-objects-v2", "--bucket", "no-such-bucket")
}

// iamByCLI reads and changes a role, cuts the session off with a policy, and sees S3 refuse.
func iamByCLI(broker, session *cli, w *world) {
	var got struct {
		Role struct {
			Arn                      string
			MaxSessionDuration       int
			AssumeRolePolicyDocument struct{ Statement any }
		}
	}
	broker.ok(&got, "iam", "get-role", "--role-name", "Admin")
	if got.Role.MaxSessionDuration != 43200 || got.Role.AssumeRolePolicyDocument.Statement == nil {
		broker.t.Errorf("the role is %+v", got.Role)
	}
	broker.ok(nil, "iam", "update-role", "--role-name", "Admin", "--max-session-duration", "7200")
	broker.ok(&got, "iam", "get-role", "--role-name", "Admin")
	if got.Role.MaxSessionDuration != 7200 {
		broker.t.Errorf("the role is %+v", got.Role)
	}
	session.refused("(AccessDenied)", "iam", "get-role", "--role-name", w.role.Name)
	broker.refused("(NoSuchEntity)", "iam", "get-role-policy", "--role-name", "Admin", "--policy-name", "none")

	owner := newCLI(broker.t, broker.path, broker.url, w.other.AddUser("owner", brokerPolicy).AddKey())
	owner.ok(nil, "iam", "put-role-policy", "--role-name", w.role.Name, "--policy-name", "jitney", "--policy-document",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:userid":"*:ada-g1"}}}]}`)
	var policy struct{ PolicyDocument struct{ Statement []any } }
	owner.ok(&policy, "iam", "get-role-policy", "--role-name", w.role.Name, "--policy-name", "jitney")
	if len(policy.PolicyDocument.Statement) != 1 {
		owner.t.Errorf("the policy is %+v", policy)
	}
	session.refused("AccessDenied", "s3", "ls")
	w.SetSkew(16 * time.Minute)
	session.refused("Signature expired", "sts", "get-caller-identity")
	session.refused("RequestTimeTooSkewed", "s3api", "list-buckets")
	w.SetSkew(0)
}

// TestTheRealCLIWithACredentialProcess gets keys from a program, as people will.
func TestTheRealCLIWithACredentialProcess(t *testing.T) {
	for _, path := range clis(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, aws.Options{})
			s, err := w.Serve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			c := newCLI(t, path, s.URL(), aws.Keys{})
			k := w.assume(w.broker, w.request())
			line, _ := json.Marshal(map[string]any{
				"Version": 1, "AccessKeyId": k.AccessKeyID, "SecretAccessKey": k.Secret.Reveal(), "SessionToken": k.SessionToken.Reveal(), "Expiration": k.Expires,
			})
			file := filepath.Join(c.dir, "keys.json")
			for name, text := range map[string]string{file: string(line), filepath.Join(c.dir, "config"): "[default]\ncredential_process = cat " + file + "\n"} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if out := c.ok(nil, "s3", "ls"); !strings.Contains(out, "northwind-logs") {
				t.Errorf("s3 ls prints %q", out)
			}
			w.DisableKey(k.AccessKeyID)
			c.refused("InvalidClientTokenId", "sts", "get-caller-identity")
		})
	}
}
