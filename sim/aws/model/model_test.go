package model

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const callerAnswer = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
	`<Arn>arn:aws:iam::111122223333:user/a</Arn><UserId>AIDA</UserId><Account>111122223333</Account></GetCallerIdentityResult>` +
	`<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`

const deniedAnswer = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>m</Message></Error><RequestId>1</RequestId></ErrorResponse>`

func TestCheck(t *testing.T) {
	caller := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}
	assume := func(more ...string) url.Values {
		v := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {"arn:aws:iam::111122223333:role/r"}, "RoleSessionName": {"ada"}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	create := func(tag string) url.Values {
		return url.Values{"Action": {"TagRole"}, "Version": {"2010-05-08"}, "RoleName": {"r"}, "Tags.member.1.Key": {tag}, "Tags.member.1.Value": {"v"}}
	}
	iamDenied := strings.ReplaceAll(strings.ReplaceAll(deniedAnswer, "sts.amazonaws", "iam.amazonaws"), "2011-06-15", "2010-05-08")
	for _, row := range []struct {
		name   string
		form   url.Values
		status int
		body   string
		side   Side
		text   string
	}{
		{"A good exchange passes", caller, 200, callerAnswer, "", ""},
		{"A refusal passes", assume(), 403, deniedAnswer, "", ""},
		{"Tags pass", assume("Tags.member.1.Key", "k", "Tags.member.1.Value", "v"), 403, deniedAnswer, "", ""},
		{"IAM is told by its version", create("k"), 403, iamDenied, "", ""},
		{"An unknown operation", url.Values{"Action": {"GetAnything"}, "Version": {"2011-06-15"}}, 403, deniedAnswer, Request, "no such operation"},
		{"An unknown version", url.Values{"Action": {"AssumeRole"}, "Version": {"2020-01-01"}}, 403, deniedAnswer, Request, "Version"},
		{"An unknown parameter", assume("RoleSesionName", "x"), 403, deniedAnswer, Request, "RoleSesionName is no parameter"},
		{"A parameter that is missing", url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleSessionName": {"ada"}}, 403, deniedAnswer, Request, "RoleArn is required"},
		{"A pattern", assume("RoleSessionName", "o'brien"), 403, deniedAnswer, Request, "characters"},
		{"A length", assume("RoleSessionName", "a"), 403, deniedAnswer, Request, "too short"},
		{"A number", assume("DurationSeconds", "soon"), 403, deniedAnswer, Request, "whole number"},
		{"A number's bound", assume("DurationSeconds", "899"), 403, deniedAnswer, Request, "too small"},
		{"A member of a list that is missing", assume("Tags.member.1.Key", "k"), 403, deniedAnswer, Request, "Tags.member.1.Value is required"},
		{"A list that begins at two", assume("TransitiveTagKeys.member.2", "k"), 403, deniedAnswer, Request, "is no parameter"},
		{"An answer without what is required", assume(), 200, strings.ReplaceAll(callerAnswer, "GetCallerIdentity", "AssumeRole"), Answer, "unknown"},
		{"An answer of something else", assume(), 200, callerAnswer, Answer, "AssumeRoleResponse"},
		{"An answer with another namespace", caller, 200, strings.Replace(callerAnswer, "2011", "2012", 1), Answer, "namespace"},
		{"An error that the operation does not have", caller, 400, strings.Replace(deniedAnswer, "AccessDenied", "PackedPolicyTooLarge", 1), Answer, "no error PackedPolicyTooLarge"},
		{"An error with another status", caller, 400, deniedAnswer, Answer, "status 403"},
		{"An answer that is no XML", caller, 200, "{}", Answer, "no XML"},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
			err := Check(req, []byte(row.form.Encode()), row.status, http.Header{"Content-Type": {"text/xml"}}, []byte(row.body))
			var e *Error
			if row.text == "" && err == nil {
				return
			}
			if !errors.As(err, &e) || e.Side != row.side || !strings.Contains(e.Text, row.text) || row.text == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}
