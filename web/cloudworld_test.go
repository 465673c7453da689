package web

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"jitney/access"
	"jitney/target"
	"jitney/target/fake"
)

// m365 is a kind of cloud target with everything that a kind can have: many
// settings, credentials that it issues itself, consent, and companies.
func (w *world) m365() target.Kind {
	yesno := []string{"no", "yes"}
	return target.Kind{Name: "entra", Title: "M365 (Microsoft 365)", Icon: "cloud",
		AtTheEnd: "The role is taken away, sessions are revoked, and the account is deleted and purged from the bin.",
		Outlives: "Access tokens that were issued before the end can work for up to about an hour.",
		ByHand:   "Find {account} under Users, and take {right} away.\nDelete the account, and purge it under Deleted users.",
		Fields: []target.Field{{Name: "tenant", Title: "Entra tenant ID", Required: true, Example: "72f988bf-86f1-41af-91ab-2d7cd011db47", Help: "The GUID on the overview page of the customer's Entra admin center."},
			{Name: "app", Title: "Application (client) ID", Required: true, Help: "Of the app registration that Jitney signs in as."},
			{Name: "auth", Title: "Proves itself with", Options: []string{"Certificate", "Client secret"}, Help: "A certificate is better."},
			{Name: "certificate", Title: "Certificate with its private key", Secret: true, Lines: true, Example: "-----BEGIN PRIVATE KEY-----", Help: "PEM text with both."},
			{Name: "secret", Title: "Client secret", Secret: true, Help: "Its value, not its ID."},
			{Name: "domain", Title: "Domain for accounts", Example: "contoso.onmicrosoft.com", Help: "Empty: the initial domain."},
			{Name: "credential", Title: "Technicians sign in with", Options: []string{"Temporary Access Pass", "Password"}, Help: "A pass satisfies the second factor."},
			{Name: "roles", Title: "Further roles", Lines: true, Example: "Exchange Administrator", Help: "One a line."},
			{Name: "pim", Title: "Roles that end by themselves", Options: yesno},
			{Name: "cloud", Title: "Cloud", Options: []string{"Global", "China", "Other"}}},
		Entitlements: func(s target.Settings) []target.Entitlement {
			all := []target.Entitlement{{Name: "global-admin", Title: "Global Administrator", Help: "Everything in the Entra tenant."}}
			for role := range strings.Lines(s.Values["roles"]) {
				role = strings.TrimSpace(role)
				all = append(all, target.Entitlement{Name: "role:" + role, Title: role, Help: "Only what " + role + " may do."})
			}
			return all
		},
		Handover: func(s target.Settings) target.Handover {
			if s.Values["credential"] == "Password" {
				return target.Handover{Word: "password", SignIn: "Open a private window.", Warning: "Microsoft's admin portals demand a second factor."}
			}
			return target.Handover{Word: "Temporary Access Pass", Issued: true, SignIn: "Open a private browser window, go to https://entra.microsoft.com and give the pass where it is asked for."}
		},
		Username: func(_ target.Settings, h access.Holder) string {
			return "jit-" + strings.Split(h.Login, "@")[0] + "-…@pedroaviary.example"
		},
		Valid: func(s target.Settings) error {
			if s.Values["tenant"] == "refused" {
				return &access.Error{Kind: access.Invalid, Text: "The Entra tenant ID must be a GUID."}
			}
			return nil
		},
		Consent: &target.Consent{Title: "Ask for admin consent", Help: "A Global Administrator of the customer must agree on Microsoft's page.",
			URL: func(s target.Settings, redirect, state string) (string, error) {
				if s.Values["tenant"] == "" {
					return "", &access.Error{Kind: access.Invalid, Text: "The Entra tenant ID must be a GUID."}
				}
				return w.login + "/" + s.Values["tenant"] + "/adminconsent?" + url.Values{"redirect_uri": {redirect}, "state": {state}}.Encode(), nil
			},
			Answer: func(s target.Settings, q url.Values) error {
				if q.Get("tenant") != s.Values["tenant"] || q.Get("error") != "" {
					return &access.Error{Kind: access.Denied, Text: "The consent was not given.", Hint: "Ask again when a Global Administrator is at hand."}
				}
				return nil
			}},
		For: func(s target.Settings, c target.Company) target.Settings {
			s.Values["tenant"], s.Values["domain"] = c.ID, ""
			return s
		},
	}
}

// open opens the System of a target of its kind.
func (w *world) open(_ context.Context, id string) (target.System, error) {
	t, err := find(w.memory, w.targets, id)
	if err == nil && t.Kind == "entra" {
		return tenant{w: w}, nil
	}
	if err == nil && t.Kind == fake.Sessions {
		return fake.OpenSessions(w.bank(id), t.Settings), nil
	}
	return nothing{}, err
}

// A tenant is a cloud target that knows companies and who is powerful.
type tenant struct {
	nothing
	w *world
}

func (tenant) Check(context.Context) ([]access.Finding, error) {
	return []access.Finding{{Level: "ok", What: "The app signs in."}, {Level: "info", What: "Licence: P1."}}, nil
}

func (tenant) Unexplained(context.Context) ([]string, error) {
	return []string{"Sam Admin (sam@pedroaviary.example)", "Break glass (bg@pedroaviary.example)"}, nil
}

func (t tenant) Companies(context.Context) ([]target.Company, error) {
	if t.w.shut {
		return nil, &access.Error{Kind: access.Denied, Text: "The permission DelegatedAdminRelationship.Read.All is missing.", Hint: "Give it to the app."}
	}
	all := []target.Company{{ID: "11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d1", Name: "Aviary Foods", Domain: "pedroaviary.example", Source: "GDAP relationship until 2027-01-31"},
		{ID: "11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d2", Name: "Kestrel Logistics", Domain: "kestrel.example", Source: "Contract"},
		{ID: "11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d3", Name: "Wren <Garage> & Sons", Domain: "wren.example", Source: "GDAP relationship until 2026-12-01"},
		{ID: "11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d4", Name: "Old Mill", Source: "Contract"},
		{ID: "refused", Name: "Not a GUID Ltd", Domain: "odd.example", Source: "Contract"}}
	for i := range 20 {
		all = append(all, target.Company{ID: fmt.Sprintf("22222222-aaaa-4bbb-8ccc-c2c2c2c2c2%02d", i), Name: fmt.Sprintf("Customer %02d of many with quite a long name", i), Domain: fmt.Sprintf("customer%02d.example", i), Source: "Contract"})
	}
	return all, nil
}

// fillCloud gives Aviary a second target, and grants on it in the states that
// only such a target has.
func (w *world) fillCloud(now time.Time) {
	w.targets["m365-aviary"] = access.Target{ID: "m365-aviary", Customer: "aviary", Kind: "entra", Name: "pedroaviary.example", Policy: "default", Version: 1, CreatedAt: now,
		Settings: map[string]string{"tenant": "11111111-aaaa-4bbb-8ccc-d1d1d1d1d1d1", "app": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "auth": "Certificate",
			"credential": "Temporary Access Pass", "roles": "Exchange Administrator\nGlobal Reader", "pim": "yes", "cloud": "Global"}}
	w.secrets["m365-aviary"] = map[string][]byte{}
	w.customers["mill"] = access.Customer{ID: "mill", Name: "Old Mill", CreatedAt: now, ArchivedAt: now, Version: 1}
	cloud := func(id string, change func(*access.Grant), seen func(*access.Observation)) {
		w.grantIn(id, "t2", now, func(g *access.Grant) {
			g.Target, g.Entitlement = "m365-aviary", "global-admin"
			change(g)
		})
		a := w.accounts["acc-"+id]
		a.Target, a.Username = "m365-aviary", "jit-maya.okafor-7k2@pedroaviary.example"
		seen(&a.Seen)
		gone := a.Seen.Settling > 0 || len(a.Seen.Entitlements) == 0
		role := "none"
		if !gone {
			role = "Global Administrator"
		}
		a.Seen.Facts = []access.Fact{{Name: "Role assignments", Found: role, Clean: gone}, {Name: "GET /users, 3 reads", Found: map[bool]string{true: "not found", false: "enabled"}[gone] + " since 2026-11-21T10:43:57.447Z", Clean: gone}}
		w.accounts[a.ID] = a
	}
	over := func(g *access.Grant) {
		g.SubmittedAt, g.VerifiedAt, g.StoppedAt = now.Add(-30*time.Minute), now.Add(-29*time.Minute), now.Add(-5*time.Minute)
		g.StoppedBy, g.StopCause = maya, access.ByHolder
	}
	cloud("pass", func(g *access.Grant) { g.VerifiedAt = now.Add(-10 * time.Minute) }, func(o *access.Observation) { o.Entitlements = []string{"global-admin"} })
	cloud("blocked", func(g *access.Grant) { over(g); g.Blocked = "purge refused" }, func(o *access.Observation) {
		o.Enabled, o.Entitlements, o.Left = false, nil, []string{"the account is in the bin, restorable until 2026-12-21"}
	})
	a := w.accounts["acc-blocked"]
	a.Trouble = "The directory refuses to purge the account. Give the app User.DeleteRestore.All, or purge it in the Entra admin center."
	w.accounts[a.ID] = a
	w.write(access.Event{At: now.Add(-4 * time.Minute), Kind: access.EventBlocked, Actor: "jitney", Customer: "aviary", Grant: "blocked", Text: "The end needs a person (purge refused). The directory refuses to purge the account."})
	settling := func(o *access.Observation) {
		o.At, o.Exists, o.Enabled, o.Entitlements, o.Settling = now.Add(-3*time.Second), false, false, nil, 20*time.Second
		o.Left = []string{"deleted and purged; reading back again until it is certain"}
	}
	cloud("settling", func(g *access.Grant) { over(g); g.StoppedAt, g.Patience = now.Add(-20*time.Second), unhurried }, settling)
	cloud("settlinglong", over, settling)
	cloud("told", func(g *access.Grant) { over(g); g.EndedAt = now.Add(-4 * time.Minute) }, func(o *access.Observation) { o.Enabled, o.Entitlements, o.Exists = false, nil, false })
	for at, e := range []access.Event{{Kind: access.EventHistory, Text: "Added the user intern9 to the role Exchange Administrator, and left it there."},
		{Kind: access.EventHistory, Text: "Changed the mailbox of finance@pedroaviary.example."}, {Kind: access.EventFinding, Text: "The role Exchange Administrator of intern9 was left behind."}} {
		e.At, e.Actor, e.Customer, e.Grant = now.Add(time.Duration(at-180)*time.Second), "jitney", "aviary", "told"
		w.write(e)
	}
}
