package aws_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"jitney/sim/aws"
)

func tag(k, v string) ststypes.Tag { return ststypes.Tag{Key: sdk.String(k), Value: sdk.String(v)} }

// TestPolicies asks S3 for one object, as a session with a tag and a source identity, under many policies. Inside
// synctest the clock begins on 1 January 2000.
func TestPolicies(t *testing.T) {
	when := func(condition string) string {
		return `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{` + condition + `}}`
	}
	for _, row := range []struct {
		name, statements string
		want             bool
	}{
		{"Nothing is allowed that nobody allows", `{"Effect":"Allow","Action":"iam:*","Resource":"*"}`, false},
		{"An action may have wildcards, in any case", `{"Effect":"Allow","Action":"S3:get*","Resource":"*"}`, true},
		{"A question mark is one character", `{"Effect":"Allow","Action":"s3:?etObject","Resource":"*"}`, true},
		{"A deny wins", `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}`, false},
		{"NotAction is all but these", `{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, true},
		{"NotAction is not these", `{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}`, false},
		{"A resource counts", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::northwind-logs/*"}`, true},
		{"Another resource does not", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::northwind-logs"}`, false},
		{"NotResource is all but these", `{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::northwind-logs/*"}`, false},
		{"A variable stands for what is known", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:PrincipalTag/bucket}/*"}`, true},
		{"A variable that is not known matches nothing", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:PrincipalTag/none}*"}`, false},
		{"The time is before", when(`"DateLessThan":{"aws:CurrentTime":"2000-01-01T00:00:01Z"}`), true},
		{"The time is not before itself", when(`"DateLessThan":{"aws:CurrentTime":"2000-01-01T00:00:00Z"}`), false},
		{"The time is not after", when(`"DateGreaterThan":{"aws:CurrentTime":"2000-01-01T00:00:00Z"}`), false},
		{"The time is at least itself, in seconds", when(`"DateGreaterThanEquals":{"aws:CurrentTime":946684800}`), true},
		{"The session was issued at its beginning", when(`"DateLessThanEquals":{"aws:TokenIssueTime":"2000-01-01T00:00:00Z"}`), true},
		{"The session was not issued before", when(`"DateLessThan":{"aws:TokenIssueTime":"2000-01-01T00:00:00Z"}`), false},
		{"The user id ends in the session's name", when(`"StringLike":{"aws:userid":"AROA*:ada-g1"}`), true},
		{"StringEquals has no wildcards", when(`"StringEquals":{"aws:userid":"*:ada-g1"}`), false},
		{"A tag is known, its key in any case", when(`"StringEquals":{"aws:principaltag/Grant":["g0","g1"]}`), true},
		{"A role's tag is a principal tag", when(`"StringEquals":{"aws:PrincipalTag/team":"web"}`), true},
		{"A key that is missing matches nothing", when(`"StringEquals":{"aws:PrincipalTag/none":"x"}`), false},
		{"A key that is missing is not equal", when(`"StringNotEquals":{"aws:PrincipalTag/none":"x"}`), true},
		{"IfExists lets a missing key pass", when(`"StringEqualsIfExists":{"aws:PrincipalTag/none":"x"}`), true},
		{"IfExists holds a key that is there", when(`"StringEqualsIfExists":{"aws:PrincipalTag/grant":"x"}`), false},
		{"Null true: it is missing", when(`"Null":{"aws:PrincipalTag/none":"true"}`), true},
		{"Null false: it is there", when(`"Null":{"aws:TokenIssueTime":"false"}`), true},
		{"Bool", when(`"Bool":{"aws:SecureTransport":true}`), true},
		{"No second factor", when(`"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}`), false},
		{"The source identity", when(`"StringEquals":{"aws:SourceIdentity":"ada"}`), true},
		{"All conditions must hold", when(`"StringEquals":{"aws:SourceIdentity":"ada"},"StringLike":{"aws:userid":"*:bob"}`), false},
		{"StringEqualsIgnoreCase", when(`"StringEqualsIgnoreCase":{"aws:SourceIdentity":"ADA"}`), true},
		{"ArnLike goes by parts", when(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/northwind-*"}`), true},
		{"NumericLessThan", when(`"NumericLessThan":{"aws:EpochTime":"946684801"}`), true},
		{"ForAnyValue of a key that is missing", when(`"ForAnyValue:StringEquals":{"aws:TagKeys":"x"}`), false},
		{"ForAllValues of a key that is missing", when(`"ForAllValues:StringEquals":{"aws:TagKeys":"x"}`), true},
	} {
		for _, kind := range []string{"role", "session"} {
			t.Run(row.name+", as a "+kind+" policy", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, aws.Options{})
					text := `{"Version":"2012-10-17","Statement":[` + row.statements + `]}`
					in := w.request()
					in.Tags, in.SourceIdentity = []ststypes.Tag{tag("Grant", "g1"), tag("bucket", "northwind-logs")}, sdk.String("ada")
					if kind == "session" {
						in.Policy = &text
					} else {
						r := w.other.AddRole(aws.RoleSpec{Name: "northwind-x", Trust: trust(home), Policies: map[string]string{"p": text}, Tags: map[string]string{"team": "web"}})
						in.RoleArn = sdk.String(r.ARN())
					}
					k := w.assume(w.broker, in)
					if status, body := w.s3(k, http.MethodGet, "/northwind-logs/readme.txt", ""); (status == 200) != row.want {
						t.Errorf("S3 answers %d: %s", status, body)
					}
					w.breaches(false)
				})
			})
		}
	}
}

func TestASessionPolicyAddsNothing(t *testing.T) {
	w := newWorld(t, aws.Options{})
	in := w.request()
	in.Policy = sdk.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	k := w.assume(w.broker, in)
	if status, body := w.s3(k, http.MethodDelete, "/northwind-logs/readme.txt", ""); status != 403 {
		t.Errorf("what the role may not do, the session does: %d %s", status, body)
	}
	in.Policy = nil
	in.PolicyArns = []ststypes.PolicyDescriptorType{{Arn: sdk.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}}
	k = w.assume(w.broker, in)
	if status, body := w.s3(k, http.MethodPut, "/northwind-logs/new.txt", "x"); status != 403 {
		t.Errorf("a session that may only read writes: %d %s", status, body)
	}
	k = w.assume(w.broker, w.request())
	if status, body := w.s3(k, http.MethodPut, "/northwind-logs/new.txt", "x"); status != 200 {
		t.Errorf("a session without a policy does not write: %d %s", status, body)
	}
	if text, ok := w.Object("northwind-logs", "new.txt"); !ok || text != "x" {
		t.Error("nothing was written")
	}
}

func TestAnotherAccountsBucketIsClosed(t *testing.T) {
	w := newWorld(t, aws.Options{})
	k := w.admin.Instance("i-1", time.Hour)
	if status, body := w.s3(k, http.MethodGet, "/northwind-logs/readme.txt", ""); status != 403 {
		t.Errorf("S3 answers %d: %s", status, body)
	}
}
