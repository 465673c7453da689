package ad

import (
	"context"
	"strings"

	"jitney/access"
	"jitney/target"
)

// The entitlements of this kind of target.
const (
	DomainAdmin = "domain-admin" // membership in the group with RID 512
	Delegated   = "delegated"    // membership in the groups named in the target's settings
)

// Kind describes Active Directory domains. Grants of one person on one domain
// share one account, whose name follows [NameFor].
func Kind() target.Kind {
	return target.Kind{
		Name:         "ad",
		Title:        "On Prem AD (Active Directory)",
		Icon:         "server",
		Fields:       kindFields(),
		Entitlements: entitlements,
		Handover:     target.Password("Sign in with the account's full name as shown, for example in Remote Desktop or with Run as; if it is refused right after the start, another domain controller may not know it yet."),
		Shared:       true,
		AtTheEnd:     "The account is taken out of every group, disabled, and its password is reset twice; it is not deleted.",
		Outlives:     outlives,
		ByHand: "In Active Directory Users and Computers find {account} and disable it first: Disable-ADAccount does the same. That refuses every new sign-in at once.\n" +
			"Take it out of every group but its primary one, above all out of Domain Admins: Remove-ADGroupMember.\n" +
			"Reset its password twice, to something long that nobody keeps: Set-ADAccountPassword -Reset.\n" +
			"Let the domain controllers replicate (repadmin /syncall), and sign out sessions that are still open on servers.",
		Valid: func(s target.Settings) error { _, err := parseSettings(s); return err },
		Username: func(s target.Settings, h access.Holder) string {
			domain := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s.Values[fieldDomain]), "."))
			return NameFor(h.Login, h.Person, domain, strings.TrimSpace(s.Values[fieldPrefix]), 0).UPN(domain)
		},
		GrantNote: func(a access.Account, _ string) string {
			return "The tech account " + shortName(a) + " is now enabled"
		},
		EndNote: endNote,
		Open:    open,
	}
}

// entitlements are those that the settings of a domain allow.
func entitlements(s target.Settings) (all []target.Entitlement) {
	if s.Values[fieldDomainAdmin] != no {
		all = append(all, target.Entitlement{Name: DomainAdmin, Title: "Domain Admin", Help: "Member of Domain Admins: everything on the domain."})
	}
	if strings.TrimSpace(s.Values[fieldGroups]) != "" {
		all = append(all, target.Entitlement{Name: Delegated, Title: "Delegated groups", Help: "Member of the groups that were agreed for this domain, without Domain Admins."})
	}
	return all
}

// outlives is what no domain controller ends at once.
const outlives = "Connections that are open at the end, and Kerberos tickets issued before it (up to 10 hours, 4 with Protected Users), " +
	"can outlive the end on the machines that already accepted them; new sign-ins are refused at once."

// endNote says no more than what was read back.
func endNote(a access.Account, entitlement string) string {
	note := "Access of the tech account " + shortName(a) + " has been revoked: "
	switch {
	case !a.Seen.At.IsZero() && !a.Seen.Exists:
		note += "the account does not exist any more, and its memberships ended with it."
	case entitlement == Delegated:
		note += "removed from every group, disabled, password reset."
	default:
		note += "removed from Domain Admins and every other group, disabled, password reset."
	}
	note += " This was read back from the domain."
	if len(a.Seen.Silent) > 0 {
		note += " No answer came from " + strings.Join(a.Seen.Silent, ", ") + "; what does not answer learns it by replication."
	}
	return note
}

// shortName is the account's name without the domain.
func shortName(a access.Account) string {
	name := a.Username
	if name == "" {
		name = a.Seen.Username
	}
	name, _, _ = strings.Cut(name, "@")
	return name
}

func kindFields() []target.Field {
	return []target.Field{
		{Name: fieldDomain, Title: "Domain", Required: true, Place: true, Route: true, Example: "pedroaviary.local", Help: "The full DNS name of the Active Directory domain."},
		{Name: fieldControllers, Title: "Domain controllers", Lines: true, Route: true, Example: "dc1.pedroaviary.local",
			Help: "One a line, the preferred one first, as its certificate names it. Empty: found by DNS. Other writable ones are found through the directory."},
		{Name: fieldProtocol, Title: "Protection", Options: []string{protocolLDAPS, protocolStartTLS}, Help: "LDAPS (port 636) or StartTLS (port 389). There is no unprotected way."},
		{Name: fieldCA, Title: "Certification authority", Lines: true, Route: true, Example: "-----BEGIN CERTIFICATE-----",
			Help: "The authority that issued the domain controllers' certificates, as PEM, or the full path of a PEM file on the server. Empty: what the server's system trusts."},
		{Name: fieldBindName, Title: "Service account", Required: true, Example: "svc-jitney@pedroaviary.local", Help: "What Jitney signs in with."},
		{Name: fieldBindPass, Title: "Its password", Required: true, Secret: true},
		{Name: fieldOU, Title: "Organizational unit", Required: true, Place: true, Example: "OU=Jitney,DC=pedroaviary,DC=local", Help: "Where temporary accounts live, and nothing else."},
		{Name: fieldPrefix, Title: "Prefix of account names", Example: "adm-", Help: "Optional."},
		{Name: fieldDomainAdmin, Title: "Domain Admin may be given", Options: []string{yes, no}},
		{Name: fieldGroups, Title: "Delegated groups", Lines: true, Example: "S-1-5-21-1-2-3-1105 Helpdesk",
			Help: "Groups that the entitlement Delegated groups gives, by SID, one a line; a note may follow the SID."},
		{Name: fieldProtected, Title: "Protected Users", Options: []string{no, yes},
			Help: "Puts accounts into Protected Users: Kerberos tickets live 4 hours instead of 10, but sign-in by NTLM, by IP address or by simple LDAP bind is refused."},
	}
}

// open prepares the target; it connects when it is used.
func open(_ context.Context, _ string, s target.Settings) (target.System, error) {
	checked, err := parseSettings(s)
	if err != nil {
		return nil, err
	}
	return &system{settings: checked}, nil
}

// A system is one domain. It holds settings and nothing else.
type system struct {
	*settings
}
