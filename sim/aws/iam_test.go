package aws_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/sim/aws"
)

func TestIAMReadsBackWhatWasWritten(t *testing.T) {
	w := newWorld(t, aws.Options{})
	ctx, c := t.Context(), w.iam(w.broker)
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	name := sdk.String("acme-prod")
	trusting := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + home + `"},"Action":"sts:AssumeRole"}}`
	made, err := c.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: name, Path: sdk.String("/jitney/"), AssumeRolePolicyDocument: sdk.String(trusting), MaxSessionDuration: sdk.Int32(7200),
		Tags: []iamtypes.Tag{{Key: sdk.String("customer"), Value: sdk.String("acme")}},
	})
	must("create", err)
	if want := "arn:aws:iam::" + home + ":role/jitney/acme-prod"; *made.Role.Arn != want {
		t.Errorf("the role is %s", *made.Role.Arn)
	}
	_, err = c.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name, MaxSessionDuration: sdk.Int32(14400), Description: sdk.String("Acme")})
	must("update", err)
	_, err = c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: sdk.String("s3"), PolicyDocument: sdk.String(s3Policy)})
	must("put", err)
	_, err = c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: sdk.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})
	must("attach", err)
	got, err := c.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	must("get", err)
	if doc, _ := url.PathUnescape(*got.Role.AssumeRolePolicyDocument); *got.Role.MaxSessionDuration != 14400 || *got.Role.Description != "Acme" || len(got.Role.Tags) != 1 || doc != trusting {
		t.Errorf("got %d %s %s", *got.Role.MaxSessionDuration, *got.Role.Description, doc)
	}
	policy, err := c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: sdk.String("s3")})
	must("get policy", err)
	if doc, _ := url.PathUnescape(*policy.PolicyDocument); doc != s3Policy {
		t.Errorf("got %s", doc)
	}
	pages := iam.NewListRolesPaginator(c, &iam.ListRolesInput{MaxItems: sdk.Int32(1)})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must("list", err)
		for _, r := range page.Roles {
			names = append(names, *r.RoleName)
		}
	}
	if strings.Join(names, " ") != "Admin acme-prod" {
		t.Errorf("roles: %v", names)
	}
	policies, err := c.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	must("list policies", err)
	attached, err := c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	must("list attached", err)
	if len(policies.PolicyNames) != 1 || len(attached.AttachedPolicies) != 1 {
		t.Errorf("policies: %v %v", policies.PolicyNames, attached.AttachedPolicies)
	}
	_, err = c.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name})
	must("update", err)
	if got, _ = c.GetRole(ctx, &iam.GetRoleInput{RoleName: name}); *got.Role.MaxSessionDuration != 3600 {
		t.Errorf("an update without a length leaves %d", *got.Role.MaxSessionDuration)
	}
	if _, err = c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}); code(err) != "DeleteConflict" {
		t.Errorf("delete with policies: %v", err)
	}
	_, err = c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: attached.AttachedPolicies[0].PolicyArn})
	must("detach", err)
	_, err = c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: sdk.String("s3")})
	must("delete policy", err)
	_, err = c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	must("delete", err)
	if _, err = c.GetRole(ctx, &iam.GetRoleInput{RoleName: name}); code(err) != "NoSuchEntity" {
		t.Errorf("get what is gone: %v", err)
	}
	w.breaches(false)
}

func TestIAMRefusesWhatAWSRefuses(t *testing.T) {
	admin := sdk.String("Admin")
	put := func(text string) func(*world) error {
		return func(w *world) error {
			_, err := w.iam(w.broker).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: admin, PolicyName: sdk.String("p"), PolicyDocument: &text})
			return err
		}
	}
	trusting := func(text string) func(*world) error {
		return func(w *world) error {
			_, err := w.iam(w.broker).UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: admin, PolicyDocument: &text})
			return err
		}
	}
	deny := func(more string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"` + more + `}}`
	}
	for _, row := range []struct {
		name string
		do   func(*world) error
		code string
	}{
		{"A policy is JSON", put("no"), "MalformedPolicyDocument"},
		{"A policy has no unknown operator", put(deny(`,"Condition":{"StringIs":{"aws:userid":"x"}}`)), "MalformedPolicyDocument"},
		{"A policy has no unknown field", put(deny(`,"Reason":"x"`)), "MalformedPolicyDocument"},
		{"A policy has a resource", put(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*"}}`), "MalformedPolicyDocument"},
		{"A policy has either Action or NotAction", put(deny(`,"NotAction":"s3:*"`)), "MalformedPolicyDocument"},
		{"A statement's id has letters and digits", put(deny(`,"Sid":"a-b"`)), "MalformedPolicyDocument"},
		{"An action names its service", put(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"GetObject","Resource":"*"}}`), "MalformedPolicyDocument"},
		{"Inline policies have 10,240 characters", put(deny(`,"Condition":{"StringEquals":{"aws:userid":"` + strings.Repeat("x", 10_200) + `"}}`)), "LimitExceeded"},
		{"White space is free", put(deny(strings.Repeat(" ", 20_000))), ""},
		{"A trust policy has 2048 characters", trusting(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + home + `"},"Action":"sts:AssumeRole"}}` + strings.Repeat(" ", 2048)), "LimitExceeded"},
		{"A trust policy names someone who is there", trusting(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + home + `:role/nobody"},"Action":"sts:AssumeRole"}}`), "MalformedPolicyDocument"},
		{"A trust policy has no resource", trusting(deny("")), "MalformedPolicyDocument"},
		{"A role may not last less than an hour", func(w *world) error {
			_, err := w.iam(w.broker).UpdateRole(t.Context(), &iam.UpdateRoleInput{RoleName: admin, MaxSessionDuration: sdk.Int32(3599)})
			return err
		}, "ValidationError"},
		{"Who has no right to is told so", func(w *world) error {
			k := w.home.AddUser("poor", s3Policy).AddKey()
			_, err := w.iam(k).GetRole(t.Context(), &iam.GetRoleInput{RoleName: admin})
			if err != nil && !strings.Contains(err.Error(), "because no identity-based policy allows the iam:GetRole action") {
				return errors.New("the text is " + err.Error())
			}
			return err
		}, "AccessDenied"},
		{"An issuer has no port", func(w *world) error {
			_, err := w.iam(w.broker).CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: sdk.String("https://jitney.example:8443")})
			return err
		}, "ValidationError"},
		{"An issuer is registered once", func(w *world) error {
			w.home.AddProvider("https://jitney.example", "sts.amazonaws.com")
			_, err := w.iam(w.broker).CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: sdk.String("https://jitney.example")})
			return err
		}, "EntityAlreadyExists"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, aws.Options{})
			if err := row.do(w); code(err) != row.code || row.code == "" && err != nil {
				t.Errorf("got %v", err)
			}
			w.breaches(true)
		})
	}
}

func TestChangesTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aws.Options{Delay: 10 * time.Second, ReadDelay: 3 * time.Second})
		k := w.assume(w.broker, &sts.AssumeRoleInput{RoleArn: sdk.String(w.admin.ARN()), RoleSessionName: sdk.String("ada-g1")})
		deny := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:userid":"` + w.admin.ID + `:ada-g1"}}}}`
		policy := &iam.GetRolePolicyInput{RoleName: sdk.String("Admin"), PolicyName: sdk.String("jitney")}
		if _, err := w.iam(w.broker).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: policy.RoleName, PolicyName: policy.PolicyName, PolicyDocument: &deny}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.iam(w.broker).GetRolePolicy(t.Context(), policy); code(err) != "NoSuchEntity" {
			t.Errorf("a read sees the change at once: %v", err)
		}
		time.Sleep(4 * time.Second)
		if _, err := w.iam(w.broker).GetRolePolicy(t.Context(), policy); err != nil {
			t.Errorf("a read does not see the change after 4 s: %v", err)
		}
		if status, _ := w.s3(k, http.MethodGet, "/", ""); status != 200 {
			t.Errorf("the change counts after 4 s: %d", status)
		}
		time.Sleep(7 * time.Second)
		status, body := w.s3(k, http.MethodGet, "/", "")
		if status != 403 || !strings.Contains(body, "with an explicit deny in an identity-based policy") {
			t.Errorf("the change does not count after 11 s: %d %s", status, body)
		}
		if _, err := w.sts(k).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Errorf("who one is cannot be denied: %v", err)
		}
		w.breaches(false)
	})
}

func TestARevocationEndsOneSessionAndNoOther(t *testing.T) {
	for _, row := range []struct{ name, condition string }{
		{"By session name", `"StringLike":{"aws:userid":"*:ada-g1"}`},
		{"By tag", `"StringEquals":{"aws:PrincipalTag/jitney:grant":"g1"}`},
		{"By source identity", `"StringEquals":{"aws:SourceIdentity":"ada"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, aws.Options{})
			var ks []aws.Keys
			for _, who := range []string{"ada-g1", "bob-g2"} {
				in := w.request()
				name, grant, _ := strings.Cut(who, "-")
				in.RoleSessionName, in.SourceIdentity = sdk.String(who), sdk.String(name)
				in.Tags = append(in.Tags, tag("jitney:grant", grant))
				ks = append(ks, w.assume(w.broker, in))
			}
			owner := w.other.AddUser("owner", brokerPolicy).AddKey()
			deny := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{` + row.condition + `}}}`
			if _, err := w.iam(owner).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: sdk.String(w.role.Name), PolicyName: sdk.String("jitney"), PolicyDocument: &deny}); err != nil {
				t.Fatal(err)
			}
			if status, body := w.s3(ks[0], http.MethodGet, "/northwind-logs/readme.txt", ""); status != 403 {
				t.Errorf("the revoked session reads: %d %s", status, body)
			}
			if status, body := w.s3(ks[1], http.MethodGet, "/northwind-logs/readme.txt", ""); status != 200 {
				t.Errorf("the other session does not: %d %s", status, body)
			}
			w.breaches(false)
		})
	}
}

func TestAGrantShorterThanFifteenMinutesIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aws.Options{})
		end := time.Now().Add(5 * time.Minute).UTC().Format(time.RFC3339)
		in := w.request()
		in.DurationSeconds = sdk.Int32(900)
		in.Policy = sdk.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":"` + end + `"}}},
			{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}]}`)
		k := w.assume(w.broker, in)
		status, token := w.signinToken(k, nil)
		if status != 200 {
			t.Fatal("no console")
		}
		b := &browser{w: w}
		b.get(loginURL(token, "https://console.aws.amazon.com/"))
		time.Sleep(5*time.Minute - time.Second)
		if status, _ := w.s3(k, http.MethodGet, "/northwind-logs/readme.txt", ""); status != 200 {
			t.Errorf("a second before the end: %d", status)
		}
		if _, page, _ := b.get("https://console.aws.amazon.com/"); !strings.Contains(page, "readme.txt") {
			t.Error("a second before the end the console shows nothing")
		}
		time.Sleep(time.Second)
		if status, body := w.s3(k, http.MethodGet, "/northwind-logs/readme.txt", ""); status != 403 || !strings.Contains(body, "explicit deny in a session policy") {
			t.Errorf("after the end: %d %s", status, body)
		}
		if _, page, _ := b.get("https://console.aws.amazon.com/"); strings.Contains(page, "readme.txt") || !strings.Contains(page, "have permissions to list buckets") {
			t.Error("after the end the console shows objects")
		}
		w.breaches(false)
	})
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	w := newWorld(t, aws.Options{})
	out, err := w.iam(w.broker).SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: sdk.String("arn:aws:iam::" + home + ":user/jitney"), ActionNames: []string{"iam:PutRolePolicy", "s3:GetObject"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range out.EvaluationResults {
		got += fmt.Sprint(r.EvalDecision, " ")
	}
	if got != "allowed implicitDeny " {
		t.Errorf("got %s", got)
	}
	w.breaches(false)
}
