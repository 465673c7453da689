package aws

import (
	"os"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"jitney/secret"
	sim "jitney/sim/aws"
)

// guide is the policy of that name in the page for administrators.
func guide(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/connecting-aws.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "<!-- "+name+" -->\n```json\n")
	policy, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatalf("the guide has no policy %s", name)
	}
	return policy
}

// TestTheGuideWorks sets accounts up by the policies that the guide prints, and
// nothing else.
func TestTheGuideWorks(t *testing.T) {
	for _, way := range []string{wayKeys, wayAmbient, wayWeb} {
		t.Run(way, func(t *testing.T) {
			i := newIDP(t)
			i.url = "https://jitney.example"
			inTime(t, sim.Options{Issuers: i, Delay: 2 * time.Second}, func(t *testing.T, w *world) {
				trust := guide(t, "trust")
				if way == wayWeb {
					trust = guide(t, "web-trust")
				}
				cloud := sim.New(sim.Options{Issuers: i, Delay: 2 * time.Second})
				w.Cloud, w.home, w.other = cloud, cloud.AddAccount(home, "msp"), cloud.AddAccount(other, "northwind")
				w.boss = sim.Keys{}
				w.opt = Options{Transport: cloud.Transport(), Issuer: i}
				w.broker = w.home.AddUser("jitney", guide(t, "jitney")).AddKey()
				w.tenant = w.other.AddRole(sim.RoleSpec{Name: "northwind-prod", Trust: trust, Policies: map[string]string{"s3": s3Policy}})
				w.admin = w.other.AddRole(sim.RoleSpec{Name: "Admin", Trust: trust, Managed: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}})
				w.other.AddRole(sim.RoleSpec{Name: "jitney", Trust: trust, Policies: map[string]string{"roles": guide(t, "manager")}})
				if way == wayWeb {
					w.edit(func(api *iam.Client) error {
						_, err := api.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: sdk.String(i.url), ClientIDList: []string{"jitney-northwind"}})
						return err
					})
					w.broker.Secret = secret.Text{}
				}
				if way == wayAmbient {
					t.Setenv("AWS_ACCESS_KEY_ID", w.broker.AccessKeyID)
					t.Setenv("AWS_SECRET_ACCESS_KEY", w.broker.Secret.Reveal())
					t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
					t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
				}
				fields := []string{fieldWay, way, fieldKeyID, w.broker.AccessKeyID, fieldTenant, "northwind-prod", fieldAudience, "jitney-northwind"}
				all, err := w.open(fields...).Check(t.Context())
				if got := findings(all); err != nil || strings.Contains(got, "error:") || strings.Contains(got, "warning:") {
					t.Fatalf("%v\n%s", err, got)
				}
				a := account(firstID)
				k := w.session(w.open(fields...), &a, asked(time.Hour))
				if !w.lists(k) {
					t.Error("the keys do not work")
				}
				w.settle(a, time.Minute, fields...)
				if w.lists(k) {
					t.Error("clean, and the keys work")
				}
			})
		})
	}
}
