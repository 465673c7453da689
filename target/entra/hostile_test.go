package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

const (
	testTenant = "11111111-2222-4333-8444-555555555555"
	testApp    = "99999999-2222-4333-8444-555555555555"
	testUser   = "aaaaaaaa-2222-4333-8444-555555555555"
	testSecret = "s3cret~of.the-app"
)

// A cable answers requests by hand. It serves tokens by itself.
type cable struct {
	roles  []string
	graph  func(r *http.Request, body string) (status int, answer string)
	header http.Header // of Graph's answers
	token  func() (int, string)
	calls  []string
	issued int
}

func (c *cable) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
	}
	status, answer, header := 200, "", http.Header{"Content-Type": {"application/json"}}
	switch {
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		base := "https://login.test/" + testTenant
		answer = fmt.Sprintf(`{"token_endpoint":"%s/oauth2/v2.0/token","authorization_endpoint":"%s/oauth2/v2.0/authorize","issuer":"%s/v2.0"}`, base, base, base)
	case strings.HasSuffix(r.URL.Path, "/token"):
		c.issued++
		if c.token != nil {
			status, answer = c.token()
		} else {
			answer = fmt.Sprintf(`{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"%s"}`, c.jwt())
		}
	default:
		c.calls = append(c.calls, r.Method+" "+r.URL.Path)
		header.Set("request-id", "request-"+fmt.Sprint(len(c.calls)))
		for k, v := range c.header {
			header[k] = v
		}
		status, answer = c.graph(r, body)
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: header, Body: io.NopCloser(strings.NewReader(answer)), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

func (c *cable) jwt() string {
	b, _ := json.Marshal(map[string]any{"roles": c.roles, "tid": testTenant, "appid": testApp, "n": c.issued})
	return "e30." + base64.RawURLEncoding.EncodeToString(b) + ".signature"
}

// all are the permissions that grants need.
func all() []string {
	return []string{"User.ReadWrite.All", "User.DeleteRestore.All", "User.RevokeSessions.All", "RoleManagement.ReadWrite.Directory",
		"UserAuthMethod-TAP.ReadWrite.All", "Policy.Read.All", "Domain.Read.All", "AuditLog.Read.All", "LicenseAssignment.Read.All"}
}

func testSettings(change map[string]string) target.Settings {
	s := target.Settings{Values: map[string]string{fieldTenant: testTenant, fieldApp: testApp, fieldAuth: authSecret, fieldCloud: cloudOther,
		fieldAuthority: "https://login.test", fieldGraph: "https://graph.test", fieldDomain: "contoso.onmicrosoft.com", fieldRoles: "Global Reader"},
		Secrets: map[string]secret.Text{fieldSecret: secret.New(testSecret)}}
	for k, v := range change {
		s.Values[k] = v
	}
	return s
}

func (c *cable) open(t *testing.T, change map[string]string) *system {
	t.Helper()
	if c.roles == nil {
		c.roles = all()
	}
	sys, err := KindOver(c).Open(t.Context(), "target", testSettings(change))
	if err != nil {
		t.Fatal(err)
	}
	return sys.(*system)
}

func testAccount() access.Account {
	return access.Account{ID: "abcdefghijklmnopqrstuvwxyz", Key: "grant1", ObjectID: testUser, Username: "jit-ada-" + short("abcdefghijklmnopqrstuvwxyz") + "@contoso.onmicrosoft.com",
		Holder: access.Holder{Login: "ada@msp.example", Name: "Ada Lovelace"}}
}

func anHour(names ...string) access.Want {
	w := access.Want{Until: time.Now().Add(time.Hour)}
	for _, n := range names {
		w.Entitlements = append(w.Entitlements, access.Entitled{Name: n, Until: w.Until})
	}
	return w
}

func refusal(code, message string) string {
	b, _ := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": message}})
	return string(b)
}

func TestAnswersOfAHostileServerAreErrors(t *testing.T) {
	other := "bbbbbbbb-2222-4333-8444-555555555555"
	for name, graph := range map[string]func(*http.Request, string) (int, string){
		"an answer without end": func(*http.Request, string) (int, string) { return 200, strings.Repeat(" ", maxBody+10) },
		"no JSON":               func(*http.Request, string) (int, string) { return 200, "<html>welcome to the hotel</html>" },
		"another user than the one that was asked": func(*http.Request, string) (int, string) { return 200, `{"id":"` + other + `"}` },
		"an id that would lead elsewhere":          func(*http.Request, string) (int, string) { return 200, `{"id":"../../applications"}` },
		"a list that leads to another host": func(r *http.Request, _ string) (int, string) {
			if strings.Contains(r.URL.Path, "/users/") {
				return 404, refusal("Request_ResourceNotFound", "no")
			}
			return 200, `{"value":[],"@odata.nextLink":"https://evil.test/v1.0/users"}`
		},
		"a list that turns in circles": func(r *http.Request, _ string) (int, string) {
			if strings.Contains(r.URL.Path, "/users/") || strings.Contains(r.URL.Path, "/deletedItems/") {
				return 404, refusal("Request_ResourceNotFound", "no")
			}
			return 200, `{"value":[],"@odata.nextLink":"https://graph.test/v1.0/roleManagement/directory/roleAssignments?$skip=1"}`
		},
		"roles of somebody else": func(r *http.Request, _ string) (int, string) {
			if strings.Contains(r.URL.Path, "/users/") || strings.Contains(r.URL.Path, "/deletedItems/") {
				return 404, refusal("Request_ResourceNotFound", "no")
			}
			return 200, `{"value":[{"id":"x","principalId":"` + other + `","roleDefinitionId":"` + globalAdminID + `","directoryScopeId":"/"}]}`
		},
		"a redirect": func(*http.Request, string) (int, string) { return 302, "" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cable{graph: graph, header: http.Header{"Location": {"https://evil.test/"}}}
				o, err := c.open(t, nil).Observe(t.Context(), testAccount())
				if _, ok := errors.AsType[*access.Error](err); !ok {
					t.Errorf("got %+v, %v", o, err)
				}
			})
		})
	}
}

func TestRefusalsAreExplained(t *testing.T) {
	for name, c := range map[string]struct {
		status      int
		code, text  string
		header      http.Header
		roles       []string
		kind        access.Kind
		code2, says string
		after       time.Duration
	}{
		"throttled, for longer than a call waits":    {429, "TooManyRequests", "", http.Header{"Retry-After": {"150"}}, nil, access.Unavailable, "", "wait", 150 * time.Second},
		"down, for a time that is told":              {503, "ServiceUnavailable", "", http.Header{"Retry-After": {"30"}}, nil, access.Unavailable, "", "failed", 30 * time.Second},
		"a token that is refused twice":              {401, "InvalidAuthenticationToken", "", nil, nil, access.Denied, codeConsent, "does not admit", 0},
		"an app that is not there any more":          {403, "Authorization_IdentityNotFound", "", nil, nil, access.Denied, codeConsent, "does not admit", 0},
		"no permission at all":                       {403, "Authorization_RequestDenied", "", nil, []string{}, access.Denied, codeConsent, "does not admit", 0},
		"the permission for this call is missing":    {403, "Authorization_RequestDenied", "", nil, []string{"Policy.Read.All"}, access.Denied, codeRight, "User.ReadWrite.All", 0},
		"refused although the permission is granted": {403, "Authorization_RequestDenied", "", nil, nil, access.Denied, "", "refuses", 0},
		"the quota is used up":                       {403, "Directory_QuotaExceeded", "", nil, nil, access.Denied, "", "as many objects", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := &cable{roles: c.roles, header: c.header, graph: func(*http.Request, string) (int, string) { return c.status, refusal(c.code, c.text) }}
				_, err := wire.open(t, nil).Observe(t.Context(), testAccount())
				e, ok := errors.AsType[*access.Error](err)
				if !ok || e.Kind != c.kind || e.Code != c.code2 || e.After != c.after || !strings.Contains(e.Text, c.says) {
					t.Errorf("got %+v", err)
				}
				if !strings.Contains(err.Error(), "request-") {
					t.Errorf("no request-id in %v", err)
				}
			})
		})
	}
}

func TestSignInRefusalsAreExplained(t *testing.T) {
	for number, code := range map[int]string{7000215: codeCredential, 7000222: codeCredential, 700027: codeCredential, 700016: codeConsent, 7000229: codeConsent,
		65001: codeConsent, 90002: codeConsent, 53003: codeBlocked, 700024: "", 1234567: codeConsent} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cable{token: func() (int, string) {
					return 401, fmt.Sprintf(`{"error":"invalid_client","error_description":"AADSTS%d: Something about %s here.","error_codes":[%d],"trace_id":"trace","correlation_id":"corr"}`, number, testSecret, number)
				}}
				_, err := c.open(t, nil).Observe(t.Context(), testAccount())
				e, ok := errors.AsType[*access.Error](err)
				if !ok || e.Kind != access.Denied || e.Code != code || e.Text == "" || e.Hint == "" {
					t.Errorf("got %+v", err)
				}
				if strings.Contains(fmt.Sprintf("%v %+v", err, err), testSecret) {
					t.Errorf("the secret is in %v", err)
				}
			})
		})
	}
}

// echo repeats everything that it was sent, as a bad proxy would.
func echo(r *http.Request, body string) (int, string) {
	return 400, refusal("BadRequest", "you sent "+r.Header.Get("Authorization")+" and "+body+" and "+testSecret)
}

func TestNoErrorHoldsASecret(t *testing.T) {
	password := secret.New("Correct-Horse-7-Battery")
	for _, mode := range []string{credentialTAP, credentialPass} {
		synctest.Test(t, func(t *testing.T) {
			c := &cable{}
			made := ""
			c.graph = func(r *http.Request, body string) (int, string) {
				if strings.Contains(r.URL.Path, "TemporaryAccessPass") && r.Method == http.MethodGet {
					return 200, `{"state":"enabled","minimumLifetimeInMinutes":10,"maximumLifetimeInMinutes":480}`
				}
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/users") {
					_, rest, _ := strings.Cut(body, `"password":"`)
					made, _, _ = strings.Cut(rest, `"`)
				}
				return echo(r, body)
			}
			s := c.open(t, map[string]string{fieldCredential: mode})
			fresh := testAccount()
			fresh.ObjectID = ""
			var errs []error
			_, err := s.Observe(t.Context(), testAccount())
			errs = append(errs, err)
			_, err = s.Issue(t.Context(), fresh, anHour(GlobalAdmin))
			errs = append(errs, err, s.Apply(t.Context(), fresh, anHour(GlobalAdmin), password), s.Apply(t.Context(), testAccount(), anHour(GlobalAdmin), password), s.Remove(t.Context(), testAccount()))
			for _, err := range errs {
				text := fmt.Sprintf("%v|%+v|%#v", err, err, err)
				for _, word := range []string{testSecret, c.jwt(), "Bearer e30", password.Reveal(), made} {
					if word != "" && strings.Contains(text, word) {
						t.Errorf("%s: %q is in an error: %s", mode, word, text)
					}
				}
			}
		})
	}
}

func TestTransportErrorsHoldNoSecret(t *testing.T) {
	c := &cable{}
	c.graph = func(*http.Request, string) (int, string) { return 200, "{}" }
	s := c.open(t, nil)
	if _, err := s.tokens.get(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	err := s.hideAll(errors.New("dial with "+testSecret+" and "+c.jwt()), nil)
	if strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), c.jwt()) {
		t.Error(err)
	}
}

func TestATokenThatIsTooOldIsRenewedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cable{}
		c.graph = func(r *http.Request, _ string) (int, string) {
			if c.issued < 2 {
				return 401, refusal("InvalidAuthenticationToken", "expired")
			}
			if strings.Contains(r.URL.Path, "roleAssignments") {
				return 200, `{"value":[]}`
			}
			return 404, refusal("Request_ResourceNotFound", "no")
		}
		if _, err := c.open(t, nil).Observe(t.Context(), testAccount()); err != nil || c.issued != 2 {
			t.Errorf("%d tokens, %v", c.issued, err)
		}
	})
}

func TestWhatCreatesIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		posts := 0
		c := &cable{graph: func(r *http.Request, _ string) (int, string) {
			if r.Method == http.MethodPost {
				posts++
				return 503, ""
			}
			return 200, `{"state":"enabled","minimumLifetimeInMinutes":10,"maximumLifetimeInMinutes":480}`
		}}
		a := testAccount()
		a.ObjectID = ""
		_, err := c.open(t, nil).Issue(t.Context(), a, anHour(GlobalAdmin))
		if posts != 1 || access.KindOf(err) != access.Unavailable {
			t.Errorf("%d POSTs, %v", posts, err)
		}
	})
}

func TestManyCallsWaitHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cable{graph: func(*http.Request, string) (int, string) { return 200, `{"value":[]}` }}
		s := c.open(t, nil)
		from := time.Now()
		for range 8 { // as others would that read reports of this Entra tenant at the same time
			s.limits.of[reports].Reserve()
		}
		_, err := s.History(t.Context(), testAccount(), from, from)
		e, ok := errors.AsType[*access.Error](err)
		if !ok || e.Kind != access.Unavailable || e.After < maxWait || time.Since(from) > 5*time.Second {
			t.Errorf("after %v: %v", time.Since(from), err)
		}
	})
}

func TestAnEndedContextEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cable{graph: func(*http.Request, string) (int, string) { return 503, "" }}
		s := c.open(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Remove(ctx, testAccount()); err == nil {
			t.Error("Remove ignores its context")
		}
	})
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

func TestAGroupThatCarriesRolesIsAnExtra(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := testAccount()
		a.Seen = access.Observation{At: time.Now(), Exists: true, Enabled: true, Entitlements: []string{GlobalAdmin}, ObjectID: testUser}
		c := &cable{roles: append(all(), "GroupMember.Read.All"), graph: func(r *http.Request, _ string) (int, string) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/transitiveMemberOf"):
				return 200, `{"value":[{"@odata.type":"#microsoft.graph.group","id":"g1","displayName":"Everybody"},{"@odata.type":"#microsoft.graph.group","id":"g2","displayName":"Secret \u0000 admins","isAssignableToRole":true}]}`
			case strings.HasSuffix(r.URL.Path, "/roleAssignments"):
				return 200, `{"value":[{"id":"x-1","principalId":"` + testUser + `","roleDefinitionId":"` + globalAdminID + `","directoryScopeId":"/"}]}`
			case strings.HasSuffix(r.URL.Path, "/temporaryAccessPassMethods"):
				return 200, `{"value":[]}`
			}
			return 200, `{"id":"` + testUser + `","userPrincipalName":"` + a.Username + `","accountEnabled":true,"signInActivity":{"unheard":"of"}}`
		}}
		s := c.open(t, nil)
		o, err := s.Observe(t.Context(), a)
		if err != nil || len(o.Extra) != 1 || !strings.Contains(o.Extra[0], "Secret   admins") || !o.Shows(GlobalAdmin) {
			t.Fatalf("%+v, %v", o, err)
		}
		a.Seen = o
		if err := s.Apply(t.Context(), a, anHour(GlobalAdmin), secret.Text{}); access.KindOf(err) != access.Denied {
			t.Errorf("what the app may not undo must be told: %v", err)
		}
	})
}
