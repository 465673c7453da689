package aws

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func FuzzPolicies(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"a":"true"}}}}`, "s3:GetObject", "arn:aws:s3:::b/k")
	f.Add(`{"Statement":[{"Effect":"Allow","NotAction":["s3:?*"],"NotResource":["${aws:userid}","*"],"Condition":{"ForAnyValue:StringLikeIfExists":{"a":[1,true,"${b}"]}}}]}`, "a:b", "*")
	f.Add(`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":"sts:*","Condition":{"DateLessThan":{"a":"x"},"IpAddress":{"a":"::/0"}}}]}`, "sts:AssumeRole", "")
	f.Fuzz(func(t *testing.T, text, action, resource string) {
		for _, kind := range []policyKind{identityPolicy, sessionPolicy, trustPolicy} {
			d, err := parse(text, kind)
			if err != nil {
				continue
			}
			facts := facts{"a": {"1"}, "aws:userid": {"x:y"}}
			denied([]*document{d}, facts, action, resource)
			allowed([]*document{d}, facts, action, resource)
			d.ask(facts, action, func(string, string) trusts { return trustsSelf })
		}
	})
}

func FuzzRequests(f *testing.F) {
	f.Add("POST", "/", "Action=AssumeRole&Version=2011-06-15&Tags.member.1.Key=a", "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=00")
	f.Add("GET", "/federation?Action=login&SigninToken=x&Destination=%2Fconsole", "", "")
	f.Add("PUT", "/bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Signature=1&X-Amz-Credential=a/b/c/s3/aws4_request", "5;chunk-signature=0\r\nhello\r\n0\r\n\r\n", "")
	f.Add("POST", "/", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/r&RoleSessionName=ab&WebIdentityToken=e30.e30.e30", "")
	c := New(Options{})
	c.AddAccount("111122223333", "")
	f.Fuzz(func(t *testing.T, method, path, body, auth string) {
		req, err := http.NewRequest(method, "http://127.0.0.1", strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		if req.URL, err = req.URL.Parse(path); err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, req)
		if w.Code == 200 && strings.Contains(w.Body.String(), "SecretAccessKey") {
			t.Error("rubbish got keys")
		}
		unchunk([]byte(body))
	})
}
