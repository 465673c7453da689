package aws_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/sim/aws"
)

// TestMotoIsAnsweredLikewise asks moto, another simulation by other people, the same as ours, and compares which fields the
// SDK finds in the answers and which error codes. moto is a witness where it is installed, and nothing that must be.
func TestMotoIsAnsweredLikewise(t *testing.T) {
	moto, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("NOT COMPARED with moto, which is not installed here")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, moto, "-H", "127.0.0.1", "-p", fmt.Sprint(addr.Port))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("moto does not start")
		}
	}
	w := newWorld(t, aws.Options{})
	theirs := sdk.Config{
		Region: "us-east-1", BaseEndpoint: sdk.String("http://" + addr.String()), HTTPClient: http.DefaultClient,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAAAAAAAAAAAAAAAAA", "x", ""),
	}
	got, want := script(t, w.config(w.broker), home), script(t, theirs, "123456789012")
	for i := range want {
		for _, differs := range known() {
			got[i], want[i] = strings.ReplaceAll(got[i], differs, ""), strings.ReplaceAll(want[i], differs, "")
		}
		if got[i] != want[i] {
			t.Errorf("ours: %s\nmoto: %s", got[i], want[i])
		}
	}
	w.breaches(false)
}

// known are the fields in which moto differs and ours is as AWS is.
func known() []string {
	return []string{
		" PackedPolicySize", // moto tells it though there is no policy
	}
}

// script asks the same of any AWS, and tells what was in each answer.
func script(t *testing.T, cfg sdk.Config, account string) (out []string) {
	ctx, i, s := t.Context(), iam.NewFromConfig(cfg), sts.NewFromConfig(cfg)
	name, policy := sdk.String("compared"), sdk.String("p")
	trusting := sdk.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"sts:AssumeRole"}]}`)
	tell := func(what string, answer any, err error) {
		if err != nil {
			out = append(out, what+": "+code(err))
			return
		}
		fields := filled("", reflect.ValueOf(answer))
		slices.Sort(fields)
		out = append(out, what+": "+strings.Join(slices.Compact(fields), ""))
	}
	a, err := i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: trusting, Description: name, MaxSessionDuration: sdk.Int32(7200)})
	tell("CreateRole", a, err)
	a, err = i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: trusting})
	tell("CreateRole again", a, err)
	b, err := i.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	tell("GetRole", b, err)
	b, err = i.GetRole(ctx, &iam.GetRoleInput{RoleName: sdk.String("none")})
	tell("GetRole of none", b, err)
	c, err := i.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: policy, PolicyDocument: sdk.String(s3Policy)})
	tell("PutRolePolicy", c, err)
	c, err = i.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: policy, PolicyDocument: sdk.String("no")})
	tell("PutRolePolicy of no JSON", c, err)
	d, err := i.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: policy})
	tell("GetRolePolicy", d, err)
	d, err = i.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: sdk.String("none")})
	tell("GetRolePolicy of none", d, err)
	e, err := i.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	tell("ListRolePolicies", e, err)
	f, err := i.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name, MaxSessionDuration: sdk.Int32(3600)})
	tell("UpdateRole", f, err)
	g, err := i.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	tell("DeleteRole too early", g, err)
	h, err := s.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: sdk.String("arn:aws:iam::" + account + ":role/compared"), RoleSessionName: sdk.String("ada")})
	tell("AssumeRole", h, err)
	j, err := s.GetCallerIdentity(ctx, nil)
	tell("GetCallerIdentity", j, err)
	k, err := i.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: sdk.String("https://jitney.example"), ClientIDList: []string{"a"}, ThumbprintList: []string{strings.Repeat("a", 40)}})
	tell("CreateOpenIDConnectProvider", k, err)
	if err == nil {
		m, err := i.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: k.OpenIDConnectProviderArn})
		tell("GetOpenIDConnectProvider", m, err)
	}
	return out
}

// filled are the paths of what is not empty in an answer.
func filled(at string, v reflect.Value) (out []string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return filled(at, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, filled(at, v.Index(i))...)
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			return []string{" " + at}
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "ResultMetadata" {
				out = append(out, filled(strings.TrimPrefix(at+"."+f.Name, "."), v.Field(i))...)
			}
		}
	default:
		if !v.IsZero() {
			return []string{" " + at}
		}
	}
	return out
}
