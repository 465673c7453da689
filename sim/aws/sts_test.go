package aws_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"jitney/sim/aws"
)

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestASessionIsWhatWasAskedForAndDiesOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aws.Options{})
		in := w.request()
		in.DurationSeconds = sdk.Int32(900)
		in.SourceIdentity = sdk.String("ada@northwind.example")
		in.Tags = []ststypes.Tag{{Key: sdk.String("jitney:grant"), Value: sdk.String("g1")}}
		out, err := w.sts(w.broker).AssumeRole(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Until(*out.Credentials.Expiration); got != 15*time.Minute {
			t.Errorf("the keys live %v", got)
		}
		k := keys(out.Credentials)
		me, err := w.sts(k).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := "arn:aws:sts::" + other + ":assumed-role/northwind-prod/ada-g1"; *me.Arn != want || *me.Account != other || *me.UserId != w.role.ID+":ada-g1" {
			t.Errorf("got %s in %s as %s", *me.Arn, *me.Account, *me.UserId)
		}
		if s := w.role.Sessions(); len(s) != 1 || s[0].SourceIdentity != "ada@northwind.example" || s[0].AccessKeyID != k.AccessKeyID {
			t.Errorf("sessions: %v", len(s))
		}
		if status, body := w.s3(k, http.MethodGet, "/", ""); status != 200 || !strings.Contains(body, "northwind-logs") {
			t.Errorf("S3 answers %d: %s", status, body)
		}
		time.Sleep(15*time.Minute - time.Second)
		if status, _ := w.s3(k, http.MethodGet, "/", ""); status != 200 {
			t.Errorf("S3 answers %d one second before the end", status)
		}
		time.Sleep(time.Second)
		if status, body := w.s3(k, http.MethodGet, "/", ""); status != 400 || !strings.Contains(body, "ExpiredToken") {
			t.Errorf("S3 answers %d after the end: %s", status, body)
		}
		if _, err := w.sts(k).GetCallerIdentity(t.Context(), nil); code(err) != "ExpiredToken" {
			t.Errorf("STS answers %v after the end", err)
		}
		w.breaches(false)
	})
}

func TestAssumeRoleKeepsAWSsLimits(t *testing.T) {
	long := func(n int) *string { return sdk.String(strings.Repeat("x", n)) }
	tags := func(n int) (out []ststypes.Tag) {
		for i := range n {
			out = append(out, ststypes.Tag{Key: sdk.String(fmt.Sprintf("k%d", i)), Value: sdk.String("v")})
		}
		return out
	}
	const allow = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	for _, row := range []struct {
		name  string
		spoil func(w *world, in *sts.AssumeRoleInput)
		code  string
		text  string
	}{
		{"A good request passes", func(*world, *sts.AssumeRoleInput) {}, "", ""},
		{"A session name may not have an apostrophe", func(_ *world, in *sts.AssumeRoleInput) { in.RoleSessionName = sdk.String("o'brien") }, "ValidationError", `Value 'o'brien' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		{"A session name may have 64 characters", func(_ *world, in *sts.AssumeRoleInput) { in.RoleSessionName = long(64) }, "", ""},
		{"A session name may not have 65", func(_ *world, in *sts.AssumeRoleInput) { in.RoleSessionName = long(65) }, "ValidationError", "less than or equal to 64"},
		{"A session name may not have one", func(_ *world, in *sts.AssumeRoleInput) { in.RoleSessionName = long(1) }, "ValidationError", "greater than or equal to 2"},
		{"899 seconds are too few", func(_ *world, in *sts.AssumeRoleInput) { in.DurationSeconds = sdk.Int32(899) }, "ValidationError", "greater than or equal to 900"},
		{"More than the role's own length is refused", func(_ *world, in *sts.AssumeRoleInput) { in.DurationSeconds = sdk.Int32(3601) }, "ValidationError", "exceeds the MaxSessionDuration"},
		{"More than twelve hours are refused", func(_ *world, in *sts.AssumeRoleInput) { in.DurationSeconds = sdk.Int32(43201) }, "ValidationError", "less than or equal to 43200"},
		{"Without the external id there is no access", func(_ *world, in *sts.AssumeRoleInput) { in.ExternalId = nil }, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/northwind-prod"},
		{"With another external id there is no access", func(_ *world, in *sts.AssumeRoleInput) { in.ExternalId = sdk.String("guess") }, "AccessDenied", "sts:AssumeRole"},
		{"A role that is not there looks like one that is closed", func(_ *world, in *sts.AssumeRoleInput) { *in.RoleArn += "x" }, "AccessDenied", "sts:AssumeRole"},
		{"Fifty tags are enough", func(_ *world, in *sts.AssumeRoleInput) { in.Tags = tags(50) }, "", ""},
		{"51 are too many", func(_ *world, in *sts.AssumeRoleInput) { in.Tags = tags(51) }, "ValidationError", "less than or equal to 50"},
		{"A tag may not have an exclamation mark", func(_ *world, in *sts.AssumeRoleInput) {
			in.Tags = []ststypes.Tag{{Key: sdk.String("a"), Value: sdk.String("hey!")}}
		}, "ValidationError", "tags.1.member.value"},
		{"A tag key is there once, however written", func(_ *world, in *sts.AssumeRoleInput) {
			in.Tags = []ststypes.Tag{{Key: sdk.String("a"), Value: sdk.String("1")}, {Key: sdk.String("A"), Value: sdk.String("2")}}
		}, "InvalidParameterValue", "Duplicate tag keys"},
		{"A tag needs the role's consent", func(w *world, in *sts.AssumeRoleInput) { in.Tags, in.RoleArn = tags(1), bare(w) }, "AccessDenied", "sts:TagSession"},
		{"A source identity needs the role's consent", func(w *world, in *sts.AssumeRoleInput) { in.SourceIdentity, in.RoleArn = sdk.String("ada"), bare(w) }, "AccessDenied", "sts:SetSourceIdentity"},
		{"A source identity does not begin with aws:", func(_ *world, in *sts.AssumeRoleInput) { in.SourceIdentity = sdk.String("aws:ada") }, "ValidationError", "sourceIdentity"},
		{"A session policy has 2048 characters", func(_ *world, in *sts.AssumeRoleInput) {
			in.Policy = sdk.String(allow + strings.Repeat(" ", 2048-len(allow)))
		}, "", ""},
		{"A session policy has no more", func(_ *world, in *sts.AssumeRoleInput) {
			in.Policy = sdk.String(allow + strings.Repeat(" ", 2049-len(allow)))
		}, "ValidationError", "2048"},
		{"A session policy is JSON", func(_ *world, in *sts.AssumeRoleInput) { in.Policy = sdk.String("{") }, "MalformedPolicyDocument", "invalid Json"},
		{"A session policy names no principal", func(_ *world, in *sts.AssumeRoleInput) {
			in.Policy = sdk.String(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`)
		}, "MalformedPolicyDocument", "principal"},
		{"What does not pack small enough is refused", func(_ *world, in *sts.AssumeRoleInput) {
			for i := range 50 {
				in.Tags = append(in.Tags, ststypes.Tag{Key: sdk.String(sha(fmt.Sprint("k", i))), Value: sdk.String(sha(fmt.Sprint(i)) + sha(fmt.Sprint("v", i)))})
			}
		}, "PackedPolicyTooLarge", "% of allotted space"},
		{"A managed session policy must exist", func(_ *world, in *sts.AssumeRoleInput) {
			in.PolicyArns = []ststypes.PolicyDescriptorType{{Arn: sdk.String("arn:aws:iam::aws:policy/NoSuchPolicy")}}
		}, "MalformedPolicyDocument", "NoSuchPolicy"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, aws.Options{})
			in := w.request()
			row.spoil(w, in)
			_, err := w.sts(w.broker).AssumeRole(t.Context(), in)
			if code(err) != row.code || row.code == "" && err != nil || err != nil && !strings.Contains(err.Error(), row.text) {
				t.Errorf("got %v; want %s: %s", err, row.code, row.text)
			}
			w.breaches(true)
		})
	}
}

// bare adds a role that lets the broker in, and nothing more.
func bare(w *world) *string {
	r := w.other.AddRole(aws.RoleSpec{Name: "bare", Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + home + `"},"Action":"sts:AssumeRole"}}`})
	return sdk.String(r.ARN())
}

func TestChainedRoles(t *testing.T) {
	w := newWorld(t, aws.Options{})
	next := w.home.AddRole(aws.RoleSpec{
		Name: "Next", MaxSession: 12 * time.Hour,
		Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + w.admin.ARN() + `"},"Action":["sts:AssumeRole","sts:TagSession"]}}`,
	})
	first := w.assume(w.broker, &sts.AssumeRoleInput{
		RoleArn: sdk.String(w.admin.ARN()), RoleSessionName: sdk.String("ada"), DurationSeconds: sdk.Int32(43200),
		Tags:              []ststypes.Tag{{Key: sdk.String("stays"), Value: sdk.String("1")}, {Key: sdk.String("goes"), Value: sdk.String("1")}},
		TransitiveTagKeys: []string{"stays"},
	})
	in := &sts.AssumeRoleInput{RoleArn: sdk.String(next.ARN()), RoleSessionName: sdk.String("ada"), DurationSeconds: sdk.Int32(3601)}
	if _, err := w.sts(first).AssumeRole(t.Context(), in); code(err) != "ValidationError" || !strings.Contains(err.Error(), "1 hour session limit for roles assumed by role chaining") {
		t.Errorf("more than one hour: %v", err)
	}
	in.DurationSeconds = sdk.Int32(3600)
	in.Tags = []ststypes.Tag{{Key: sdk.String("Stays"), Value: sdk.String("2")}}
	if _, err := w.sts(first).AssumeRole(t.Context(), in); code(err) != "InvalidParameterValue" {
		t.Errorf("a tag that stays was changed: %v", err)
	}
	in.Tags = nil
	k := w.assume(first, in)
	in.SourceIdentity = sdk.String("someone")
	if _, err := w.sts(first).AssumeRole(t.Context(), in); code(err) != "AccessDenied" {
		t.Errorf("a source identity without the role's consent: %v", err)
	}
	if status, _ := w.signinToken(k, url.Values{"SessionDuration": {"3600"}}); status != 400 {
		t.Errorf("the console takes SessionDuration from a chained role: %d", status)
	}
	if status, token := w.signinToken(k, nil); status != 200 || token == "" {
		t.Errorf("the console refuses a chained role: %d", status)
	}
	w.breaches(false)
}

func TestARoleMayNotRenewItselfIfItsSessionPolicySaysSo(t *testing.T) {
	w := newWorld(t, aws.Options{})
	self := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + home + `"},"Action":"sts:AssumeRole"}}`
	r := w.home.AddRole(aws.RoleSpec{Name: "Loop", Trust: self, Managed: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}})
	in := &sts.AssumeRoleInput{RoleArn: sdk.String(r.ARN()), RoleSessionName: sdk.String("ada")}
	k := w.assume(w.broker, in)
	k = w.assume(k, in) // and so on for ever
	in.Policy = sdk.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"sts:AssumeRole*","Resource":"*"}]}`)
	k = w.assume(k, in)
	if _, err := w.sts(k).AssumeRole(t.Context(), in); code(err) != "AccessDenied" {
		t.Errorf("got %v", err)
	}
}

func TestOtherOperationsOfSTS(t *testing.T) {
	w := newWorld(t, aws.Options{})
	ctx := t.Context()
	out, err := w.sts(w.broker).GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: sdk.Int32(900)})
	if err != nil {
		t.Fatal(err)
	}
	session := keys(out.Credentials)
	if _, err := w.sts(session).GetSessionToken(ctx, nil); code(err) != "InvalidClientTokenId" && code(err) != "AccessDenied" {
		t.Errorf("a session token from a session token: %v", err)
	}
	if _, err := w.iam(session).GetRole(ctx, &iam.GetRoleInput{RoleName: sdk.String("Admin")}); code(err) != "InvalidClientTokenId" {
		t.Errorf("IAM with a session token and no second factor: %v", err)
	}
	w.assume(session, w.request()) // a session of a user is no chain
	info, err := w.sts(w.broker).GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: sdk.String(session.AccessKeyID)})
	if err != nil || *info.Account != home {
		t.Errorf("key info: %v", err)
	}
	if status, _ := w.signinToken(session, nil); status != 400 {
		t.Errorf("the console takes a user's session: %d", status)
	}
	w.breaches(false)
}

func TestSignatures(t *testing.T) {
	const form = "Action=GetCallerIdentity&Version=2011-06-15"
	for _, row := range []struct {
		name            string
		spoil           func(k *aws.Keys)
		host            string
		service, region string
		off             time.Duration
		code            string
	}{
		{name: "A good signature passes"},
		{name: "The global host takes us-east-1", host: "sts.amazonaws.com", region: "us-east-1"},
		{name: "The global host takes no other region", host: "sts.amazonaws.com", code: "Credential should be scoped to a valid region"},
		{name: "A region's host takes no other region", region: "us-east-1", code: "Credential should be scoped to a valid region"},
		{name: "Another service's signature is refused", service: "iam", code: "Credential should be scoped to correct service"},
		{name: "Another secret is refused", spoil: func(k *aws.Keys) { k.Secret = k.SessionToken }, code: "SignatureDoesNotMatch"},
		{name: "Another key is refused", spoil: func(k *aws.Keys) { k.AccessKeyID = "ASIAAAAAAAAAAAAAAAAA" }, code: "InvalidClientTokenId"},
		{name: "A missing session token is refused", spoil: func(k *aws.Keys) { k.SessionToken = aws.Keys{}.SessionToken }, code: "InvalidClientTokenId"},
		{name: "Fourteen minutes behind are good", off: -14 * time.Minute},
		{name: "Sixteen minutes behind are not", off: -16 * time.Minute, code: "Signature expired"},
		{name: "Four minutes ahead are good", off: 4 * time.Minute},
		{name: "Six minutes ahead are not", off: 6 * time.Minute, code: "Signature not yet current"},
		{name: "Any host on loopback is held to the action's service", host: "127.0.0.1:4000", service: "iam", region: "us-east-1", code: "Credential should be scoped to correct service: 'sts'"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, aws.Options{})
			k := w.assume(w.broker, w.request())
			if row.spoil != nil {
				row.spoil(&k)
			}
			host, service, region := or(row.host, "sts.eu-west-1.amazonaws.com"), or(row.service, "sts"), or(row.region, "eu-west-1")
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"/", strings.NewReader(form))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			sign(t, req, k, form, service, region, time.Now().Add(row.off))
			status, body := w.send(req)
			if row.code == "" && status != 200 || row.code != "" && (status != 403 || !strings.Contains(body, row.code)) {
				t.Errorf("got %d: %s", status, body)
			}
			if strings.Contains(body, "northwind-prod") != (row.code == "") {
				t.Errorf("got %s", body)
			}
			w.breaches(false)
		})
	}
}

func TestABodyIsPartOfTheSignature(t *testing.T) {
	w := newWorld(t, aws.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://sts.eu-west-1.amazonaws.com/", strings.NewReader("Action=GetSessionToken&Version=2011-06-15"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sign(t, req, w.broker, "Action=GetCallerIdentity&Version=2011-06-15", "sts", "eu-west-1", time.Now())
	if status, body := w.send(req); status != 403 || !strings.Contains(body, "SignatureDoesNotMatch") {
		t.Errorf("got %d: %s", status, body)
	}
}

func TestNobodyIsSomebody(t *testing.T) {
	w := newWorld(t, aws.Options{})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://sts.eu-west-1.amazonaws.com/", strings.NewReader("Action=GetCallerIdentity&Version=2011-06-15"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, body := w.send(req); status != 403 || !strings.Contains(body, "MissingAuthenticationToken") {
		t.Errorf("STS answers %d: %s", status, body)
	}
	req, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, "https://northwind-logs.s3.eu-west-1.amazonaws.com/readme.txt", http.NoBody)
	if status, body := w.send(req); status != 403 || !strings.Contains(body, "AccessDenied") {
		t.Errorf("S3 answers %d: %s", status, body)
	}
}

func TestOtherPartitions(t *testing.T) {
	for _, row := range []struct{ partition, region string }{
		{"aws-cn", "cn-north-1"},
		{"aws-us-gov", "us-gov-west-1"},
	} {
		t.Run("In "+row.partition+" names are its own", func(t *testing.T) {
			c := aws.New(aws.Options{Partition: row.partition})
			a := c.AddAccount(home, "")
			k := a.AddUser("jitney", brokerPolicy).AddKey()
			r := a.AddRole(aws.RoleSpec{Name: "R", Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + home + `"},"Action":"sts:AssumeRole"}}`})
			w := &world{Cloud: c, t: t}
			cfg := w.config(k)
			cfg.Region = row.region
			out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: sdk.String(r.ARN()), RoleSessionName: sdk.String("ada")})
			if err != nil || !strings.HasPrefix(*out.AssumedRoleUser.Arn, "arn:"+row.partition+":sts::") {
				t.Fatalf("got %v", err)
			}
			if _, err := iam.NewFromConfig(cfg).GetRole(t.Context(), &iam.GetRoleInput{RoleName: sdk.String("R")}); err != nil {
				t.Error(err)
			}
			cfg.Region = "us-east-1"
			cfg.BaseEndpoint = sdk.String("https://sts." + row.region + ".amazonaws.com")
			if row.partition == "aws-cn" {
				*cfg.BaseEndpoint += ".cn"
			}
			if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(context.Background(), nil); code(err) != "SignatureDoesNotMatch" {
				t.Errorf("a region of another partition: %v", err)
			}
		})
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
