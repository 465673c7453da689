package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/issuer"
	sim "jitney/sim/aws"
	"jitney/target"
	"jitney/target/aws"
)

func TestNoTokenIsMadeThatAWSWouldNotTake(t *testing.T) {
	ctx := t.Context()
	p, err := (&place{data: t.TempDir()}).open(ctx, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	ask := aws.MintAsk{Audience: "jitney", Subject: "subject", Lifetime: time.Minute}
	for address, fits := range map[string]bool{"http://127.0.0.1:8080": false, "https://jitney.example:8443": false, "https://jitney.example": true} {
		if err := p.issuer.Move(ctx, address); err != nil {
			t.Fatal(err)
		}
		ask.Real = true
		if _, err := (minter{p.issuer}).Mint(ctx, ask); (err == nil) != fits || err != nil && (access.KindOf(err) != access.Invalid || !strings.Contains(err.Error(), address)) {
			t.Errorf("a token for AWS of an issuer at %s: %v", address, err)
		}
		ask.Real = false
		if _, err := (minter{p.issuer}).Mint(ctx, ask); err != nil {
			t.Errorf("a token for a simulation of an issuer at %s: %v", address, err)
		}
	}
}

// A site is a website without a socket, to whoever asks it.
type site struct{ http.Handler }

// RoundTrip sends one request to the site at https://jitney.example; there is no other.
func (s site) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.URL.Scheme+"://"+r.URL.Host != "https://jitney.example" {
		w.WriteHeader(http.StatusNotFound)
		return w.Result(), nil
	}
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// documents reads the two documents of the issuer at a site.
func (s site) documents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, path := range []string{issuer.Discovery, issuer.JWKS} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "https://jitney.example"+path, http.NoBody))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s is answered with %d, %s: %s", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		out[path] = w.Body.String()
	}
	return out
}

// keyIDs lists the IDs of the keys that a document tells.
func keyIDs(t *testing.T, jwks string) (ids []string) {
	t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal([]byte(jwks), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		ids = append(ids, k.Kid)
	}
	return ids
}

// issued runs one command about the issuer of the installation in data.
func issued(t *testing.T, data string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), append([]string{"issuer", "--data", data}, args...), strings.NewReader(""), &out, &errs); code != exitOK {
		t.Fatalf("jitney issuer %v: exit %d\n%s", args, code, errs.String())
	}
	return out.String()
}

// exported reads what "jitney issuer export" writes.
func exported(t *testing.T, data string) (dir string, documents map[string]string) {
	t.Helper()
	dir, documents = t.TempDir(), map[string]string{}
	said := issued(t, data, "export", dir)
	for _, path := range []string{issuer.Discovery, issuer.JWKS} {
		name := filepath.Join(dir, filepath.FromSlash(path))
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(said, name+"\n") {
			t.Errorf("export does not tell of %s, or did not write it (%v): %s", name, err, said)
		}
		documents[path] = string(text)
	}
	return dir, documents
}

// trusting is a cloud with an account that lets in whoever has a token of the
// issuer at https://jitney.example, which it asks by way of issuers.
func trusting(issuers http.RoundTripper) (*sim.Cloud, target.Settings) {
	const account, external = "444455556666", "7f3a9c51e2b84d06af19"
	cloud := sim.New(sim.Options{Issuers: issuers})
	a := cloud.AddAccount(account, "northwind")
	arn := a.AddProvider("https://jitney.example", "jitney-northwind")
	a.AddRole(sim.RoleSpec{Name: "northwind-prod", Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"` + arn + `"},
"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"],
"Condition":{"StringEquals":{"jitney.example:aud":"jitney-northwind","jitney.example:sub":"` + external + `"}}}}`})
	return cloud, target.Settings{Values: map[string]string{"account": account, "region": "eu-west-1", "tenant_role": "northwind-prod", "access": "Web identity",
		"audience": "jitney-northwind", "external_id": external, "edit_role": "no"}}
}

// keysOf opens an AWS account with its settings, and gets keys from it.
func keysOf(t *testing.T, kind target.Kind, s target.Settings) (target.Keys, error) {
	t.Helper()
	system, err := kind.Open(t.Context(), "target", s)
	if err != nil {
		t.Fatal(err)
	}
	sessions, _ := target.As[target.Sessioner](system)
	holder := access.Account{ID: "account", Username: "maya-account", Holder: access.Holder{Login: "maya@msp.example"}}
	return sessions.Session(t.Context(), holder, target.SessionAsk{Grant: "grant", Entitlement: aws.Tenant, Until: time.Now().Add(time.Hour), Length: time.Hour})
}

func TestAWSTakesTokensOfTheIssuerThatIsServedOrPublishedAsFiles(t *testing.T) {
	ctx, data := t.Context(), t.TempDir()
	s := &service{place: &place{data: data}, front: &front{}, log: slog.New(slog.DiscardHandler)}
	p, err := s.place.open(ctx, s.log, targetKinds())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	stop, err := s.begin(ctx, p, "https://jitney.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	handler, end, err := s.website(ctx, p, "https://jitney.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	served := site{handler}.documents(t)
	dir, files := exported(t, data)
	for path, text := range served {
		if files[path] != text {
			t.Errorf("%s is served as\n%s\nand exported as\n%s", path, text, files[path])
		}
	}

	for name, issuers := range map[string]http.RoundTripper{"served": site{handler}, "files": site{http.FileServer(http.Dir(dir))}} {
		cloud, settings := trusting(issuers)
		kind := aws.Kind(aws.Options{Issuer: minter{p.issuer}, Transport: cloud.Transport()})
		if k, err := keysOf(t, kind, settings); err != nil || k.Account != "444455556666" || k.Secret.IsZero() {
			t.Errorf("keys by the documents that are %s: %v", name, err)
		}
	}

	if said := issued(t, data, "rotate"); !strings.Contains(said, "signs in an hour") {
		t.Errorf("rotate says %q", said)
	}
	dir, files = exported(t, data)
	old, all := keyIDs(t, served[issuer.JWKS]), keyIDs(t, files[issuer.JWKS])
	if len(old) != 1 || len(all) != 2 || !slices.Contains(all, old[0]) || files[issuer.Discovery] != served[issuer.Discovery] {
		t.Errorf("after a rotation the keys %v are published, and %v were", all, old)
	}
	cloud, settings := trusting(site{http.FileServer(http.Dir(dir))})
	server, err := cloud.Serve(ctx) // as the program's own kinds get to it: by an endpoint
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	settings.Values["endpoint"] = server.URL()
	kind := p.kinds[slices.IndexFunc(p.kinds, func(k target.Kind) bool { return k.Name == "aws" })]
	if _, err := keysOf(t, kind, settings); err != nil {
		t.Errorf("keys after a rotation: %v", err)
	}
}
