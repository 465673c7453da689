package aws

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// metadata is what a server finds around it: STS, the container's credentials
// and the instance's, which say in the keys they give who asked for what.
func metadata(t *testing.T) string {
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	keys := func(w http.ResponseWriter, text string) {
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":"secret","Token":"token","Expiration":%q}`, text, until)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "POST":
			_ = r.ParseForm()
			_, who, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
			who, _, _ = strings.Cut(who, "/")
			if name := r.Form.Get("RoleSessionName"); name == "" || strings.ContainsAny(name[:1], "0123456789a") { // made up
				r.Form.Set("RoleSessionName", "*")
			}
			action := r.Form.Get("Action")
			fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
				action, strings.Join([]string{who, action, r.Form.Get("RoleArn"), r.Form.Get("ExternalId"), r.Form.Get("RoleSessionName"), r.Form.Get("DurationSeconds"), r.Form.Get("WebIdentityToken")}, "|"), until)
		case r.URL.Path == "/container":
			keys(w, "container|"+r.Header.Get("Authorization"))
		case r.URL.Path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "600")
			fmt.Fprint(w, "instancetoken")
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "instancetoken":
			http.Error(w, "no token", http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
			fmt.Fprint(w, "machine")
		case strings.HasSuffix(r.URL.Path, "/security-credentials/machine"):
			keys(w, "instance")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// What the server finds around it is what the SDK's own package would find.
func TestTheServersCredentialsAreThoseThatTheSDKFinds(t *testing.T) {
	address := metadata(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	token := write("token", "tokentext")
	process := write("process", `{"Version":1,"AccessKeyId":"PROCESS","SecretAccessKey":"s"}`)
	files := []string{"AWS_CONFIG_FILE=" + write("config", `# comment
[default]
region = eu-west-1
s3 =
  aws_access_key_id = nested
[profile static] ; comment
AWS_Access_Key_ID = "STATIC" # comment
aws_secret_access_key: s
aws_session_token = 't'
[ profile   role ]
role_arn = arn:aws:iam::111122223333:role/one
source_profile = static
external_id = outside
role_session_name = Named
duration_seconds = 1800
[profile roleofrole]
role_arn = arn:aws:iam::111122223333:role/two
source_profile = role
[profile own]
role_arn = arn:aws:iam::111122223333:role/own
source_profile = own
aws_access_key_id = OWN
aws_secret_access_key = s
[profile split]
aws_access_key_id = CONFIG
aws_secret_access_key = s
aws_session_token = config
[profile web]
role_arn = arn:aws:iam::111122223333:role/web
web_identity_token_file = `+token+`
role_session_name = Web
[profile process]
credential_process = cat `+process+`
[profile instance]
role_arn = arn:aws:iam::111122223333:role/of-instance
credential_source = Ec2InstanceMetadata
[profile box]
role_arn = arn:aws:iam::111122223333:role/of-container
credential_source = EcsContainer
[profile surroundings]
role_arn = arn:aws:iam::111122223333:role/of-environment
credential_source = Environment
[profile nothing]
region = eu-west-1
[profile half]
aws_access_key_id = HALF
[profile noarn]
source_profile = static
[profile nosource]
role_arn = arn:aws:iam::111122223333:role/x
source_profile = missing
[profile emptysource]
role_arn = arn:aws:iam::111122223333:role/x
source_profile = nothing
[profile ring]
role_arn = arn:aws:iam::111122223333:role/x
source_profile = circle
[profile circle]
role_arn = arn:aws:iam::111122223333:role/x
source_profile = ring
[profile device]
role_arn = arn:aws:iam::111122223333:role/x
source_profile = static
mfa_serial = arn:aws:iam::111122223333:mfa/ada
[profile strange]
role_arn = arn:aws:iam::111122223333:role/x
credential_source = Elsewhere
[profile barerole]
role_arn = arn:aws:iam::111122223333:role/bare
[static]
aws_access_key_id = WRONG
`), "AWS_SHARED_CREDENTIALS_FILE=" + write("credentials", "[split]\naws_access_key_id = CREDENTIALS\naws_secret_access_key = s\n[plain]\naws_access_key_id=PLAIN\naws_secret_access_key=p\n")}
	keys := []string{"AWS_ACCESS_KEY_ID=ENVIRONMENT", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t"}
	box := []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + address + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN=Bearer x"}
	none := []string{"AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent"}
	web := []string{"AWS_WEB_IDENTITY_TOKEN_FILE=" + token, "AWS_ROLE_ARN=arn:aws:iam::111122223333:role/pod", "AWS_ROLE_SESSION_NAME=Pod"}
	profile := func(name string, more ...string) []string {
		return append(append([]string{"AWS_PROFILE=" + name}, files...), more...)
	}
	for _, c := range []struct {
		name   string
		env    []string
		prefix string // of the keys' id; "" where there is an error
	}{
		{"keys in the environment", append(keys, none...), "ENVIRONMENT"},
		{"keys by their old names", append([]string{"AWS_ACCESS_KEY=OLD", "AWS_SECRET_KEY=s"}, none...), "OLD"},
		{"keys before a web identity, a profile and a container", append(append(append(profile("static"), keys...), web...), box...), "ENVIRONMENT"},
		{"half of the keys do not count", append([]string{"AWS_ACCESS_KEY_ID=HALF"}, none...), "instance"},
		{"web identity", append(web, none...), "|AssumeRoleWithWebIdentity|arn:aws:iam::111122223333:role/pod||Pod||tokentext"},
		{"web identity before a profile", append(profile("static"), web...), "|AssumeRoleWithWebIdentity"},
		{"web identity without a role", append(web[:1:1], none...), ""},
		{"instance", none, "instance"},
		{"instance that may not be asked", append([]string{"AWS_EC2_METADATA_DISABLED=true"}, none...), ""},
		{"container", append(box, none...), "container|Bearer x"},
		{"container with its token in a file", append([]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + address + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + token}, none...), "container|tokentext"},
		{"container elsewhere", append([]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://192.0.2.1/container"}, none...), ""},
		{"container without an address", append([]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http:///container"}, none...), ""},
		{"default profile without credentials", files, "instance"},
		{"profile with keys", profile("static"), "STATIC"},
		{"profile by its older variable", append([]string{"AWS_DEFAULT_PROFILE=static"}, files...), "STATIC"},
		{"profile of the credentials file", profile("plain"), "PLAIN"},
		{"profile in both files", profile("split"), "CREDENTIALS"},
		{"profile before a container", profile("static", box...), "STATIC"},
		{"profile without credentials before a container", profile("nothing", box...), "container"},
		{"profile with a role", profile("role"), "STATIC|AssumeRole|arn:aws:iam::111122223333:role/one|outside|Named|1800|"},
		{"profile with a role of a role", profile("roleofrole"), "STATIC|AssumeRole|arn:aws:iam::111122223333:role|AssumeRole|arn:aws:iam::111122223333:role/two"},
		{"profile that is its own source", profile("own"), "OWN|AssumeRole|arn:aws:iam::111122223333:role/own"},
		{"profile with a web identity", profile("web"), "|AssumeRoleWithWebIdentity|arn:aws:iam::111122223333:role/web||Web||tokentext"},
		{"profile with a process", profile("process"), "PROCESS"},
		{"profile with a role of the instance", profile("instance"), "instance|AssumeRole|arn:aws:iam::111122223333:role/of-instance"},
		{"profile with a role of the container", profile("box", box...), "container|Bearer x|AssumeRole"},
		{"profile with a role of a container that is none", profile("box"), ""},
		{"profile with a role and no source", profile("barerole"), "instance|AssumeRole|arn:aws:iam::111122223333:role/bare"},
		{"profile with half of the keys", profile("half"), ""},
		{"profile with a source and no role", profile("noarn"), ""},
		{"profile with a source that is missing", profile("nosource"), ""},
		{"profile with a source without credentials", profile("emptysource"), ""},
		{"profiles that lead to each other", profile("ring"), ""},
		{"profile that wants a device", profile("device"), ""},
		{"profile with a source that nobody knows", profile("strange"), ""},
		{"profile that is missing", profile("missing"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, entry := range os.Environ() {
				if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
					t.Setenv(name, "")
				}
			}
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
			for _, entry := range c.env {
				name, value, _ := strings.Cut(entry, "=")
				t.Setenv(name, value)
			}
			retrieve := func(from sdk.CredentialsProvider, err error) (string, error) {
				if err != nil {
					return "", err
				}
				k, err := from.Retrieve(t.Context())
				return k.AccessKeyID + " " + k.SecretAccessKey + " " + k.SessionToken, err
			}
			base := sdk.Config{Region: "us-east-1", BaseEndpoint: sdk.String(address), Retryer: func() sdk.Retryer { return sdk.NopRetryer{} }}
			var got, want string
			var err, wantErr error
			for deadline := time.Now().Add(time.Minute); ; { // the SDK leaves an instance half a second to answer, which a busy machine may not make
				got, err = retrieve(ambience{os.Getenv, base}.credentials())
				cfg, failed := config.LoadDefaultConfig(t.Context(), config.WithRegion(base.Region), config.WithBaseEndpoint(address), config.WithRetryer(base.Retryer))
				want, wantErr = retrieve(cfg.Credentials, failed)
				if c.prefix == "" || err == nil && wantErr == nil || time.Now().After(deadline) {
					break
				}
			}
			if (err == nil) != (wantErr == nil) || err == nil && got != want {
				t.Errorf("got %q, %v; the SDK: %q, %v", got, err, want, wantErr)
			}
			if (err == nil) != (c.prefix != "") || err == nil && !strings.HasPrefix(got, c.prefix) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	for _, values := range []string{"sso_start_url = https://x", "sso_session = x", "login_session = x"} {
		t.Setenv("AWS_PROFILE", "person")
		t.Setenv("AWS_CONFIG_FILE", write("person", "[profile person]\n"+values+"\n"))
		if from, err := (ambience{os.Getenv, sdk.Config{}}).credentials(); from != nil || err == nil || !strings.Contains(err.Error(), "the sign-in of a person") {
			t.Errorf("%s: %v, %v", values, from, err)
		}
	}
}
