package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"jitney/broker"
	"jitney/secret"
	"jitney/sim/directory"
	"jitney/sim/entra"
)

// demoAppID is the client ID of the app that signs in to the simulated
// Microsoft 365. It is the same at each start, so that kept targets stay valid.
const demoAppID = "7e11e1a5-0d1e-4c0d-8a5e-6f1d2c3b4a59"

// demoSystems are the simulated systems behind the demonstration, new at each
// start.
type demoSystems struct {
	domains map[string]*directory.Domain // by name
	tenants map[string]*entra.Tenant     // by their initial domain
	cloud   *entra.Server
	aws     *demoCloud
	secret  secret.Text // of the app
}

// startDemoSystems starts a domain or an Entra tenant, or both, for every
// sample customer.
func startDemoSystems(ctx context.Context, customers []demoCustomer) (_ *demoSystems, err error) {
	s := &demoSystems{domains: map[string]*directory.Domain{}, tenants: map[string]*entra.Tenant{}, secret: secret.Password(32)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	// Real replicas differ for seconds to minutes. Here it is long enough to be
	// seen and short enough for a grant of one minute.
	cloud := entra.New(entra.Options{Delays: entra.Delays{
		Objects: entra.Uniform(500*time.Millisecond, 2*time.Second), Roles: entra.Uniform(time.Second, 2*time.Second),
		Index: entra.Fixed(2 * time.Second), Audit: entra.Fixed(time.Minute), SignIns: entra.Fixed(time.Minute)}})
	app := cloud.AddApp(entra.AppSpec{ID: demoAppID, Name: "Jitney (demonstration)", Secrets: []entra.AppSecret{{Value: s.secret}}, Permissions: m365Permissions()})
	for _, c := range customers {
		if c.domain != "" {
			d, err := directory.Start(directory.Options{Domain: c.domain, SID: c.sid, Controllers: c.controllers, ReplicationDelay: c.delay})
			if err != nil {
				return nil, failed("start the simulated domain "+c.domain, err)
			}
			s.domains[c.domain] = d
		}
		if c.m365 != "" {
			t := cloud.AddTenant(entra.TenantSpec{ID: c.tenant, Name: c.name, Licence: entra.P1, Domains: []entra.Domain{{Name: c.m365, Initial: true, Default: true}},
				TAP: &entra.TAPPolicy{Min: 10, Max: 480, Default: 60, Length: 12}})
			t.Consent(app)
			// As the guide recommends: with it the app can disable and delete
			// an administrator at once, not only when the role's removal has
			// reached every replica.
			t.AppRole(app, entra.PrivilegedAuthenticationAdministrator)
			s.tenants[c.m365] = t
		}
	}
	if s.cloud, err = cloud.Serve(ctx); err != nil {
		return nil, failed("start the simulated Microsoft 365", err)
	}
	s.aws, err = startDemoCloud(ctx, customers)
	return s, err
}

// close stops everything that listens.
func (s *demoSystems) close() error {
	for _, d := range s.domains {
		d.Close()
	}
	var failed []error
	if s.cloud != nil {
		failed = append(failed, s.cloud.Close())
	}
	if s.aws != nil {
		failed = append(failed, s.aws.server.Close())
	}
	return errors.Join(failed...)
}

// portal is where a person signs in to the simulated Microsoft 365.
func (s *demoSystems) portal() string { return s.cloud.BrowserURL() + "/portal" }

// targets are what an administrator would enter to connect a customer.
func (s *demoSystems) targets(c demoCustomer) (all []broker.TargetInput) {
	if d := s.domains[c.domain]; d != nil {
		var controllers []string
		for _, dc := range d.Controllers() {
			controllers = append(controllers, strings.TrimPrefix(dc.URL(), "ldaps://"))
		}
		all = append(all, broker.TargetInput{Kind: "ad", Name: d.Name(),
			Values: map[string]string{
				"domain": d.Name(), "controllers": strings.Join(controllers, "\n"), "ca": d.CAPEM(),
				"bind_name": d.AdminUPN(), "ou": "OU=Jitney," + d.BaseDN(),
			},
			Secrets: map[string]secret.Text{"bind_password": d.AdminPassword()}})
	}
	if t := s.tenants[c.m365]; t != nil {
		all = append(all, broker.TargetInput{Kind: "entra", Name: c.m365, Values: m365Values(s.cloud, t.ID, demoAppID),
			Secrets: map[string]secret.Text{"secret": s.secret}})
	}
	if c.aws != "" {
		all = append(all, s.aws.target(c.aws))
	}
	return all
}

// m365Values are the settings of a target in a simulated Microsoft 365.
func m365Values(s *entra.Server, tenant, app string) map[string]string {
	return map[string]string{"tenant": tenant, "app": app, "auth": "Client secret", "cloud": "Other",
		"authority": s.URL(), "graph": s.URL(), "browser": s.BrowserURL(), "ca": string(s.CA())}
}

// m365Permissions are what the app of the demonstration asks for: what the
// guide to connecting Microsoft 365 names.
func m365Permissions() []string {
	return []string{"User.ReadWrite.All", "User.DeleteRestore.All", "User.RevokeSessions.All", "RoleManagement.ReadWrite.Directory",
		"UserAuthMethod-TAP.ReadWrite.All", "Policy.Read.All", "Domain.Read.All", "Organization.Read.All", "LicenseAssignment.Read.All",
		"Application.Read.All", "AuditLog.Read.All"}
}

// welcomePortal tells where a pass can be tried.
func (s *demoSystems) welcomePortal() string {
	return fmt.Sprintf("The portal of the simulated Microsoft 365, for those who hold a pass:\n%s", s.portal())
}
