package entra

import (
	"context"
	"net/http"
	"strings"
	"time"

	"jitney/access"
	"jitney/target"
)

// Kind describes Entra tenants, which Microsoft 365 runs on. Every grant has
// an account of its own.
func Kind() target.Kind { return KindOver(nil) }

// KindOver is Kind with every request sent through rt instead of the network;
// nil means the network. It is for tests.
func KindOver(rt http.RoundTripper) target.Kind { return kindAt(rt, usualPace()) }

func kindAt(rt http.RoundTripper, p pace) target.Kind {
	shared := &pool{transport: rt}
	return target.Kind{
		Name:         "entra",
		Title:        "M365 (Microsoft 365)",
		Icon:         "cloud",
		Fields:       kindFields(),
		Entitlements: entitlements,
		Handover:     handover,
		Confirm:      confirm,
		Patience:     patience,
		AtTheEnd:     "The role is taken away, sessions are revoked, and the account is deleted and purged from the bin.",
		Outlives:     outlives,
		ByHand: "In the Entra admin center open Users, find {account}, and take {right} away under Assigned roles.\n" +
			"Press Revoke sessions, and delete its Temporary Access Pass under Authentication methods.\n" +
			"Delete the account.\n" +
			"Open Deleted users and delete it permanently: from there it could be restored with its roles for 30 days.",
		Valid:     func(s target.Settings) error { _, err := parseSettings(s); return err },
		Username:  foretell,
		GrantNote: grantNote,
		EndNote:   endNote,
		Consent:   consent(),
		For:       forCompany,
		Open: func(_ context.Context, _ string, s target.Settings) (target.System, error) {
			return open(s, shared, p)
		},
	}
}

// confirm is how long access must be missing to count as taken away: replicas
// of the directory may differ for up to 15 minutes.
// https://learn.microsoft.com/entra/identity/role-based-access-control (service limits)
const confirm = 16 * time.Minute

// patience is how long an end usually takes at most: the directory has to
// catch up with itself, and to be read several times.
const patience = 5 * time.Minute

// outlives is what Microsoft does not end at once.
const outlives = "Access tokens that were issued before the end can work for up to about an hour in services that do not check continuously; new sign-ins and new tokens are refused."

// foretell is the name of an account as far as it is known before there is one.
func foretell(s target.Settings, h access.Holder) string {
	domain := strings.ToLower(strings.TrimSpace(s.Values[fieldDomain]))
	if domain == "" {
		domain = "….onmicrosoft.com"
	}
	return aliasPrefix + readable(h.Login) + "-…@" + domain
}

func handover(s target.Settings) target.Handover {
	portal := "https://entra.microsoft.com"
	if parsed, err := parseSettings(target.Settings{Values: s.Values}); err == nil {
		portal = parsed.cloud.portal
	}
	if s.Values[fieldCredential] == credentialPass {
		return target.Handover{Word: "password",
			SignIn:  "Open a private browser window, go to " + portal + ", and sign in with the name and the password.",
			Warning: "Microsoft's admin portals demand a second factor. With a password alone, the first sign-in asks to enrol one in the customer's Entra tenant."}
	}
	return target.Handover{Word: "Temporary Access Pass", Issued: true,
		SignIn: "Open a private browser window, go to " + portal + ", enter the name, and give the Temporary Access Pass where it is asked for; it counts as the second factor too. A role can take some minutes to work everywhere."}
}

func grantNote(a access.Account, entitlement string) string {
	return "The account " + nameOf(a) + " is now enabled and has been added to the " + roleWord(entitlement) + " role."
}

// endNote says no more than what was read back.
func endNote(a access.Account, entitlement string) string {
	note := "Access of the account " + nameOf(a) + " has been revoked"
	switch {
	case a.Seen.At.IsZero() || a.Seen.Exists:
		return note + ": it does not hold the " + roleWord(entitlement) + " role any more."
	case a.ObjectID == "" && a.TriedAt.IsZero():
		return "The account " + nameOf(a) + " was never made: it is neither among the users nor in the bin."
	default:
		return note + " and the account was removed: it is neither among the users nor in the bin any more, and holds no role. This was read back from the directory several times."
	}
}

// roleWord is what the notes call a role.
func roleWord(entitlement string) string {
	if entitlement == GlobalAdmin {
		return "Global Admin"
	}
	return roleTitle(strings.TrimPrefix(entitlement, rolePrefix))
}

func nameOf(a access.Account) string {
	if a.Username != "" {
		return a.Username
	}
	return a.Seen.Username
}

func kindFields() []target.Field {
	var names []string
	for _, c := range clouds() {
		names = append(names, c.name)
	}
	return []target.Field{
		{Name: fieldTenant, Title: "Entra tenant ID", Required: true, Place: true, Example: "72f988bf-86f1-41af-91ab-2d7cd011db47", Help: "The GUID on the overview page of the customer's Entra admin center."},
		{Name: fieldApp, Title: "Application (client) ID", Required: true, Example: "3f2504e0-4f89-41d3-9a0c-0305e82c3301", Help: "Of the app registration that Jitney signs in as: one for all customers, or one in each customer's own Entra tenant, which keeps a lost key small."},
		{Name: fieldAuth, Title: "Proves itself with", Options: []string{authCertificate, authSecret}, Help: "A certificate is better: its key never leaves this server."},
		{Name: fieldCertificate, Title: "Certificate with its private key", Secret: true, Lines: true, Example: "-----BEGIN PRIVATE KEY-----",
			Help: "PEM text with both, a PFX file in base64, or the full path of either on the server. Whoever has the key has the customer."},
		{Name: fieldCertPass, Title: "Password of the PFX file", Secret: true, Help: "Only if it has one."},
		{Name: fieldSecret, Title: "Client secret", Secret: true, Help: "Its value, not its ID."},
		{Name: fieldDomain, Title: "Domain for accounts", Example: "contoso.onmicrosoft.com", Help: "A verified domain that is not federated. Empty: the initial onmicrosoft.com domain."},
		{Name: fieldCredential, Title: "Technicians sign in with", Options: []string{credentialTAP, credentialPass},
			Help: "A Temporary Access Pass satisfies the second factor that admin portals demand, and ends by itself. A password does neither."},
		{Name: fieldGlobalAdmin, Title: "Global Administrator may be given", Options: []string{yes, no}},
		{Name: fieldRoles, Title: "Further roles", Lines: true, Example: "Exchange Administrator", Help: "One a line: a well-known name such as Global Reader, or a built-in role's template id and behind it what to call it."},
		{Name: fieldPIM, Title: "Roles that end by themselves", Options: []string{no, yes},
			Help: "Gives roles through Privileged Identity Management with an end, where the Entra tenant has P2; else directly."},
		{Name: fieldCloud, Title: "Cloud", Place: true, Route: true, Options: append(names, cloudOther)},
		{Name: fieldAuthority, Title: "Other cloud: sign-in address", Place: true, Route: true, Example: "https://login.example.net"},
		{Name: fieldGraph, Title: "Other cloud: Graph address", Place: true, Route: true, Example: "https://graph.example.net"},
		{Name: fieldCA, Title: "Other cloud: certification authority", Lines: true, Route: true, Example: "-----BEGIN CERTIFICATE-----"},
		{Name: fieldBrowser, Title: "Other cloud: sign-in address for browsers", Help: "If it is not the sign-in address above."},
	}
}
