package aws

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"jitney/access"
	"jitney/target"
)

func TestWhatHappensAtTheEnd(t *testing.T) {
	for edit, words := range map[string]string{"": "A policy on the role denies", yes: "A policy on the role denies", no: "Nothing ends it sooner"} {
		text, keeps := Kind(Options{}).End(target.Settings{Values: map[string]string{fieldEdit: edit}})
		if !strings.Contains(text, words) || keeps != (edit == no) {
			t.Errorf("where roles may be edited is %q, it says %q, keeps %v", edit, text, keeps)
		}
	}
}

func TestSettings(t *testing.T) {
	good := map[string]string{fieldAccount: "1234-5678-9012", fieldRegion: "eu-west-1", fieldTenant: "northwind", fieldExternal: extID}
	for _, row := range []struct {
		name   string
		change []string
		text   string // of the error; empty means it is good
	}{
		{name: "as few as there can be"},
		{name: "the external ID that forms offer", change: []string{fieldExternal, rand.Text()}},
		{name: "everything", change: []string{fieldAdmin, "arn:aws:iam::123456789012:role/a/b/Admin", fieldWay, wayKeys, fieldKeyID, "AKIAIOSFODNN7EXAMPLE", fieldManager, "/jitney/roles", fieldConsole, "https://console.aws.amazon.com/s3/"}},
		{name: "an account of eleven digits", change: []string{fieldAccount, "12345678901"}, text: "account ID"},
		{name: "an account in letters", change: []string{fieldAccount, "northwindacc"}, text: "account ID"},
		{name: "no region", change: []string{fieldRegion, ""}, text: "region"},
		{name: "a region that is a host", change: []string{fieldRegion, "evil.example/x"}, text: "region"},
		{name: "an isolated region", change: []string{fieldRegion, "us-iso-east-1"}, text: "region"},
		{name: "China", change: []string{fieldRegion, "cn-north-1", fieldTenant, "arn:aws-cn:iam::123456789012:role/x"}},
		{name: "GovCloud", change: []string{fieldRegion, "us-gov-east-1", fieldTenant, "arn:aws-us-gov:iam::123456789012:role/x"}},
		{name: "the sovereign cloud", change: []string{fieldRegion, "eusc-de-east-1"}},
		{name: "no tenant role", change: []string{fieldTenant, ""}, text: "tenant role"},
		{name: "a role of another account", change: []string{fieldTenant, "arn:aws:iam::999999999999:role/x"}, text: "another account"},
		{name: "a role of another partition", change: []string{fieldTenant, "arn:aws-cn:iam::123456789012:role/x"}, text: "another account or partition"},
		{name: "a user", change: []string{fieldTenant, "arn:aws:iam::123456789012:user/x"}, text: "not the ARN of a role"},
		{name: "a role with a star", change: []string{fieldTenant, "north*"}, text: "neither a role's ARN nor its name"},
		{name: "a role with a star in its path", change: []string{fieldTenant, "a*/north"}, text: "neither a role's ARN nor its name"},
		{name: "one role for both", change: []string{fieldAdmin, "NORTHWIND"}, text: "are the same"},
		{name: "a role to work as that people get", change: []string{fieldManager, "northwind"}, text: "that people get"},
		{name: "no external ID", change: []string{fieldExternal, ""}, text: "external ID must have 20"},
		{name: "a short external ID", change: []string{fieldExternal, "0123456789abcdef012"}, text: "external ID must have 20"},
		{name: "an external ID that can be guessed", change: []string{fieldExternal, "1212121212121212121212"}, text: "can be guessed"},
		{name: "a key of a session", change: []string{fieldWay, wayKeys, fieldKeyID, "ASIAIOSFODNN7EXAMPLE"}, text: "AKIA"},
		{name: "another way", change: []string{fieldWay, "root"}, text: "web identity"},
		{name: "a web identity that shall edit roles as nobody", change: []string{fieldWay, wayWeb}, text: "needs a role to work as"},
		{name: "a web identity that edits nothing", change: []string{fieldWay, wayWeb, fieldEdit, no}},
		{name: "an audience with spaces", change: []string{fieldWay, wayWeb, fieldEdit, no, fieldAudience, "a b"}, text: "audience"},
		{name: "an address of this machine", change: []string{fieldEndpoint, "http://127.0.0.1:4566/"}},
		{name: "an address elsewhere", change: []string{fieldEndpoint, "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com"}},
		{name: "a web identity told to AWS by a private way", change: []string{fieldWay, wayWeb, fieldEdit, no, fieldEndpoint, "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com"}},
		{name: "a web identity told to somebody else", change: []string{fieldWay, wayWeb, fieldEdit, no, fieldEndpoint, "https://a1.execute-api.eu-west-1.amazonaws.com"}, text: "STS"},
		{name: "a web identity told to one who is called alike", change: []string{fieldWay, wayWeb, fieldEdit, no, fieldEndpoint, "https://sts.amazonaws.com.evil.example"}, text: "STS"},
		{name: "an address without encryption", change: []string{fieldEndpoint, "http://10.0.0.1:4566"}, text: "https://"},
		{name: "an address with a user", change: []string{fieldEndpoint, "https://a:b@host"}, text: "https://"},
		{name: "a console elsewhere", change: []string{fieldConsole, "https://evil.example/"}, text: "console does not open there"},
		{name: "far too long", change: []string{fieldTenant, strings.Repeat("x", 5000)}, text: "too long"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := target.Settings{Values: map[string]string{}}
			for k, v := range good {
				s.Values[k] = v
			}
			for i := 0; i+1 < len(row.change); i += 2 {
				s.Values[row.change[i]] = row.change[i+1]
			}
			k := Kind(Options{})
			err := k.Valid(s)
			if (err == nil) != (row.text == "") || err != nil && (access.KindOf(err) != access.Invalid || !strings.Contains(text(err), row.text)) {
				t.Errorf("got %s", text(err))
			}
			if _, openErr := k.Open(context.Background(), "t", s); (openErr == nil) != (err == nil) {
				t.Errorf("open says %s", text(openErr))
			}
		})
	}
}

func TestKind(t *testing.T) {
	k := Kind(Options{})
	if !k.Sessions || k.Shared || k.Handover != nil || k.Into(target.Settings{}).Word != "" {
		t.Error("it is not what its accounts are")
	}
	if !slices.ContainsFunc(k.Fields, func(f target.Field) bool { return f.Name == fieldExternal && f.Random }) {
		t.Error("no external ID is offered")
	}
	s := target.Settings{Values: map[string]string{fieldAdmin: "Admin"}}
	if e, ok := k.Find(s, Admin); !ok || !e.Admin {
		t.Errorf("admin: %+v", e)
	}
	if _, ok := k.Find(target.Settings{}, Admin); ok {
		t.Error("admin is offered without a role")
	}
	if e, ok := k.Find(s, Tenant); !ok || e.Admin {
		t.Errorf("tenant: %+v", e)
	}
	if got := k.Username(s, access.Holder{Login: "Ada Lovelace@msp.example"}); got != "Ada-Lovelace@msp.example-…" {
		t.Errorf("foretold %q", got)
	}
	a := account(firstID)
	if note := k.GrantNote(a, Tenant); !strings.Contains(note, sessionName(a)) {
		t.Error(note)
	}
	if note := k.EndNote(a, Tenant); !strings.Contains(note, "no session was made") {
		t.Error(note)
	}
	a.Issued = []access.Issued{{Entitlement: Tenant, Count: 1}}
	if note := k.EndNote(a, Tenant); strings.Contains(note, "proved") {
		t.Error(note)
	}
	a.Seen.Facts = []access.Fact{{Name: "A try with keys of the role x", Clean: true}}
	if note := k.EndNote(a, Tenant); !strings.Contains(note, "proved by trying") {
		t.Error(note)
	}
	for _, f := range k.Fields {
		if f.Title == "" || f.Secret && f.Example != "" {
			t.Errorf("field %+v", f)
		}
	}
}
