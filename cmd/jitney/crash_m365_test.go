//go:build crashpoints

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"jitney/broker"
	"jitney/lab"
	"jitney/secret"
	"jitney/sim/entra"
	"jitney/sim/entra/contract"
)

// crashesM365 are the places at which the server is killed with a Microsoft
// 365 behind it: those where its way differs from that of a directory. Its
// accounts are made before they get any power, and its ends take many looks.
// One that dies right after the purge, before it wrote down that Graph had
// confirmed it, waits a quarter of an hour for late replicas: that, and every
// other call, is proved in virtual time in proof/entra.
var crashesM365 = []string{
	"look.issue.before:1", "look.issue.after:1", "look.apply.before:1", "look.apply.after:1", "look.remove.before:1",
	"look.record.before:2", "look.record.before:3", "store.commit.before:9", "store.commit.after:8",
}

// The real server is killed at one place and started again, while the
// simulated Microsoft 365, which lives on, is reached over TLS.
func TestCrashWithM365AtEveryPoint(t *testing.T) {
	t.Parallel()
	cloud := entra.New(entra.Options{Seed: 1, Check: contract.Check, Delays: entra.Delays{Objects: entra.Uniform(0, 2*time.Second), Roles: entra.Fixed(time.Second)}})
	password := secret.Password(32)
	app := cloud.AddApp(entra.AppSpec{Name: "Jitney", Secrets: []entra.AppSecret{{Value: password}}, Permissions: m365Permissions()})
	server, err := cloud.Serve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Close()
		for _, err := range cloud.Breaches() {
			t.Errorf("outside the contract: %v", err)
		}
	})
	engines := map[string]func(t *testing.T) string{"SQLite": func(*testing.T) string { return "" }, "PostgreSQL": func(t *testing.T) string { return lab.Postgres(t) }}
	for engine, database := range engines {
		for i, point := range crashesM365 {
			t.Run(engine+"/"+strings.ReplaceAll(point, ":", " at passage "), func(t *testing.T) {
				t.Parallel()
				name := fmt.Sprintf("m%c%02d", engine[0]|0x20, i)
				tenant := cloud.AddTenant(entra.TenantSpec{Name: "Crash " + name})
				tenant.Consent(app)
				tenant.AppRole(app, entra.PrivilegedAuthenticationAdministrator)
				crash(t, &customer365{t: t, cloud: cloud, server: server, tenant: tenant, app: app.ID, secret: password}, database(t), point, name)
			})
		}
	}
}

// A customer365 is an Entra tenant of its own.
type customer365 struct {
	t      *testing.T
	cloud  *entra.Cloud
	server *entra.Server
	tenant *entra.Tenant
	app    string
	secret secret.Text
}

func (c *customer365) target() broker.TargetInput {
	return broker.TargetInput{Kind: "entra", Name: c.tenant.InitialDomain(), Values: m365Values(c.server, c.tenant.ID, c.app), Secrets: map[string]secret.Text{"secret": c.secret}}
}

// absent asks Microsoft 365 for the truth: no account is left, also none in
// the bin, and one was made.
func (c *customer365) absent(took time.Duration) {
	c.t.Helper()
	for _, u := range c.tenant.Users() {
		c.t.Errorf("after %s there is still %+v", took, u)
	}
	made := 0
	for _, e := range c.cloud.Journal() {
		if e.Tenant == c.tenant.ID && e.Method == "POST" && e.Path == "/v1.0/users" && e.Effect {
			made++
		}
	}
	if made != 1 {
		c.t.Errorf("%d accounts were made; want 1", made)
	}
}
