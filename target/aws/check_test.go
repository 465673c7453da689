package aws

import (
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/aws"
)

// findings writes what a check found, one line each.
func findings(all []access.Finding) string {
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "%s: %s -- %s\n", f.Level, f.What, f.Fix)
	}
	return b.String()
}

func TestCheckFindsNothingWrong(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		before := fmt.Sprint(w.tenant.Policies())
		all, err := w.open().Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := findings(all)
		if strings.Contains(got, "error:") || strings.Contains(got, "warning:") || strings.Contains(got, extID) {
			t.Errorf("found:\n%s", got)
		}
		for _, want := range []string{"To AWS, Jitney is arn:aws:iam::111122223333:user/jitney.", "ok: A session of the role Admin in the account 444455556666 was given", "ok: The role northwind-prod demands this target's external ID",
			"Sessions of the role Admin may last 12 h.", "may put the deny on the role northwind-prod", "AWS's sign-in for consoles answers"} {
			if !strings.Contains(got, want) {
				t.Errorf("not found: %s\n%s", want, got)
			}
		}
		if fmt.Sprint(w.tenant.Policies()) != before {
			t.Error("the check changed the role")
		}
	})
}

func TestCheckFinds(t *testing.T) {
	open := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + home + `:root"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	itself := trustOf(alsoTags + `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + other + `:role/customers/northwind-prod"},"Action":"sts:AssumeRole"}`)
	for _, row := range []struct {
		name   string
		change func(w *world)
		fields []string
		want   []string
	}{
		{"a wrong key", func(w *world) { w.broker.Secret = secret.New("wrong") }, nil, []string{"error: The secret access key that Jitney uses is wrong."}},
		{"no secret", func(w *world) { w.broker.Secret = secret.Text{} }, nil, []string{"error: There is no secret access key"}},
		{"an external ID that nobody demands", func(w *world) { w.trust(open) }, nil, []string{"warning: The role northwind-prod is given without this target's external ID too."}},
		{"a role that trusts itself", func(w *world) { w.trust(itself) }, nil, []string{"warning: The trust policy of the role northwind-prod names the role itself"}},
		{"a role that takes no tags", func(w *world) { w.trust(trustOf("")) }, nil, []string{"error: The role northwind-prod takes no session tags from Jitney.", "info: Without tags and source identity"}},
		{"a role that is not there", nil, []string{fieldTenant, "nowhere"}, []string{"error: AWS does not let Jitney make a session of the role nowhere."}},
		{"another external ID", nil, []string{fieldExternal, "0123456789abcdef0123"}, []string{"error: AWS does not let Jitney make a session of the role Admin."}},
		{"credentials of another account and nobody to work as", nil, []string{fieldManager, ""}, []string{"error: Jitney's credentials belong to the account 111122223333 and cannot edit roles of 444455556666."}},
		{"a role to work as that is not there", nil, []string{fieldManager, "nobody"}, []string{"error: AWS does not let Jitney make a session of the role nobody."}},
		{"nobody may put the deny", func(w *world) {
			w.putPolicy("jitney", "guard", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:PutRolePolicy","Resource":"*"}}`)
		}, nil, []string{"error: Jitney may not end sessions of the role northwind-prod: it lacks the permission iam:PutRolePolicy."}},
		{"nobody may prune", func(w *world) {
			w.putPolicy("jitney", "guard", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:DeleteRolePolicy","Resource":"*"}}`)
		}, nil, []string{"lacks the permission iam:DeleteRolePolicy."}},
		{"roles that may not be edited", nil, []string{fieldEdit, no, fieldManager, ""}, []string{"info: Jitney may not edit the roles"}},
		{"sessions that may assume roles", nil, []string{fieldChain, yes}, []string{"warning: Sessions may assume roles"}},
		{"a clock that is off a little", func(w *world) { w.SetSkew(3 * time.Minute) }, nil, []string{"warning: The clock of this server is 3 min behind AWS's."}},
		{"a clock that is off", func(w *world) { w.SetSkew(-40 * time.Minute) }, nil, []string{"error: The clock of this server is 40 min ahead of AWS's."}},
		{"a sign-in that fails", func(w *world) { w.Faults(sim.Rule{Service: "signin", Do: sim.Respond(503, "Down")}) }, nil, []string{"warning: AWS's sign-in for consoles was not reached"}},
		{"AWS is not reached", func(w *world) { w.Faults(sim.Rule{Do: sim.Do(sim.DropBefore)}) }, nil, []string{"error: AWS was not reached to find out who Jitney is."}},
		{"no issuer", nil, []string{fieldWay, wayWeb}, []string{"error: This server issues no tokens"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inTime(t, sim.Options{}, func(t *testing.T, w *world) {
				if row.change != nil {
					row.change(w)
				}
				all, err := w.open(row.fields...).Check(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range row.want {
					if !strings.Contains(findings(all), want) {
						t.Errorf("not found: %s\n%s", want, findings(all))
					}
				}
			})
		})
	}
}

func TestCheckByWebIdentity(t *testing.T) {
	i := newIDP(t)
	inTime(t, sim.Options{Issuers: i}, func(t *testing.T, w *world) {
		byWeb(t, w, i)
		all, err := w.open().Check(t.Context())
		if got := findings(all); err != nil || strings.Contains(got, "error:") || strings.Contains(got, "warning:") {
			t.Errorf("%v\n%s", err, got)
		}
		w.trust(webTrust(`"sts:AssumeRoleWithWebIdentity"`, extID))
		all, _ = w.open().Check(t.Context())
		if got := findings(all); !strings.Contains(got, "info: Without tags and source identity the role northwind-prod is given. -- Add sts:TagSession") {
			t.Error(got)
		}
	})
}

func TestTheLimitOfARole(t *testing.T) {
	inTime(t, sim.Options{ReadDelay: 3 * time.Second}, func(t *testing.T, w *world) {
		sys := w.open()
		if d, err := sys.Longest(t.Context(), Tenant); err != nil || d != time.Hour {
			t.Errorf("%v %v", d, err)
		}
		if d, err := sys.SetLongest(t.Context(), Tenant, 4*time.Hour); err != nil || d != 4*time.Hour {
			t.Errorf("%v %s", d, text(err))
		}
		a, ask := account(firstID), asked(4*time.Hour)
		ask.Length = 4 * time.Hour
		if k := w.session(sys, &a, ask); time.Until(k.EndsAt) != 4*time.Hour {
			t.Errorf("%v", time.Until(k.EndsAt))
		}
		w.edit(func(api *iam.Client) error {
			out, err := api.GetRole(t.Context(), &iam.GetRoleInput{RoleName: sdk.String("northwind-prod")})
			if err == nil && sdk.ToString(out.Role.Description) != "Production" {
				t.Errorf("the description is %q", sdk.ToString(out.Role.Description))
			}
			return err
		})
		for _, row := range []struct {
			entitlement string
			d           time.Duration
			fields      []string
			kind        access.Kind
		}{
			{Tenant, 30 * time.Minute, nil, access.Invalid},
			{Tenant, 13 * time.Hour, nil, access.Invalid},
			{"root", time.Hour, nil, access.Invalid},
			{Tenant, time.Hour, []string{fieldEdit, no}, access.Denied},
			{Tenant, time.Hour, []string{fieldManager, ""}, access.Invalid}, // there is no such role in Jitney's own account
		} {
			if _, err := w.open(row.fields...).SetLongest(t.Context(), row.entitlement, row.d); err == nil || row.fields == nil && access.KindOf(err) != row.kind {
				t.Errorf("%s %v: %s", row.entitlement, row.d, text(err))
			}
		}
	})
}
