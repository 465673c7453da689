package aws

import (
	"context"
	"net/http"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// Options are what this kind of target needs of the server. The zero value is
// good for targets that get in with credentials of AWS's.
type Options struct {
	// Issuer proves who Jitney is to targets that are entered by a web identity;
	// nil if this server issues no tokens.
	Issuer Minter
	// Transport carries every request; nil is the network. It is for tests.
	Transport http.RoundTripper
}

// A Minter makes tokens with which Jitney proves to AWS who it is.
type Minter interface {
	// Mint makes one token. Whoever holds it can be Jitney until it ends.
	Mint(ctx context.Context, ask MintAsk) (secret.Text, error)
}

// A MintAsk says what a token must carry.
type MintAsk struct {
	Audience       string            // aud, as the account's OIDC provider lists it
	Subject        string            // sub: the target's external ID
	Tags           map[string]string // principal_tags of https://aws.amazon.com/tags, one value each; may be empty
	SourceIdentity string            // https://aws.amazon.com/source_identity; empty means none
	Lifetime       time.Duration     // some minutes
	Real           bool              // AWS itself is asked, which takes tokens only from an issuer with an https address without a port
}

// Kind describes AWS accounts. Nothing stands there for a grant but the
// sessions that were issued from it.
func Kind(o Options) target.Kind {
	return target.Kind{
		Name:         "aws",
		Title:        "AWS account",
		Icon:         "cloud-cog",
		Fields:       kindFields(),
		Entitlements: entitlements,
		Confirm:      confirm,
		Patience:     patience,
		Sessions:     true,
		AtTheEnd:     "A policy on the role denies the grant's own sessions everything, which is proved by trying; other sessions of the role go on.",
		Keeps:        keeps,
		Outlives:     outlives,
		ByHand: "In the AWS console open IAM, Roles, and the role of {right}.\n" +
			"Only this session: add an inline policy that denies Action * on Resource * if aws:userid is like *:{account} (StringLike).\n" +
			"All sessions of the role at once: press Revoke sessions on its page; colleagues have to make new ones then.\n" +
			"Wait some minutes, and look in CloudTrail for calls of {account} that were not refused.",
		Valid: func(s target.Settings) error { _, err := parseSettings(s); return err },
		Username: func(_ target.Settings, h access.Holder) string {
			return foretell(h.Login)
		},
		GrantNote: grantNote,
		EndNote:   endNote,
		Open: func(_ context.Context, _ string, s target.Settings) (target.System, error) {
			checked, err := parseSettings(s)
			if err != nil {
				return nil, err
			}
			return open(checked, o), nil
		},
	}
}

// confirm is how long a role must refuse sessions to count as taken away:
// changes of trust policies take some seconds to show everywhere.
const confirm = time.Minute

// patience is how long an end may take: IAM applies a policy within seconds
// mostly, and within minutes at worst.
const patience = 5 * time.Minute

// outlives is what no end of a session takes back.
const outlives = "What a session made in the account stays: machines that run, keys, users and roles it was allowed to make, links that it signed in advance. " +
	"Keys that were issued exist until they expire, and are denied everything."

// keeps is what happens at the end where roles may not be edited.
func keeps(s target.Settings) string {
	if s.Values[fieldEdit] != no {
		return ""
	}
	return "Each session ends by a limit of its own, at the grant's end or before. Nothing ends it sooner, as Jitney may not edit the roles: " +
		"if access is ended early, keys and consoles that were fetched work until then."
}

func entitlements(s target.Settings) []target.Entitlement {
	all := []target.Entitlement{{Name: Tenant, Title: "AWS tenant", Help: "Console and keys of the role of this customer environment."}}
	if s.Values[fieldReadOnly] == yes {
		all[0].Help = "Console and keys of the role of this customer environment, to read only."
	}
	if name := strings.TrimSpace(s.Values[fieldAdmin]); name != "" {
		name = name[strings.LastIndexByte(name, '/')+1:]
		all = append(all, target.Entitlement{Name: Admin, Title: "AWS admin", Admin: true, Leads: name + " of " + strings.TrimSpace(s.Values[fieldAccount]),
			Help: "Console and keys of the role " + name + " for the whole account " + strings.TrimSpace(s.Values[fieldAccount]) + "."})
	}
	return all
}

func roleWord(entitlement string) string {
	if entitlement == Admin {
		return "admin"
	}
	return "tenant"
}

func nameOf(a access.Account) string {
	if a.Username != "" {
		return a.Username
	}
	return sessionName(a)
}

func grantNote(a access.Account, entitlement string) string {
	return "AWS sessions of the " + roleWord(entitlement) + " role can now be opened; CloudTrail shows them as " + nameOf(a) + "."
}

// endNote says no more than what was found.
func endNote(a access.Account, entitlement string) string {
	note := "AWS access by the " + roleWord(entitlement) + " role has ended: "
	if len(a.Issued) == 0 {
		return note + "no session was made from it."
	}
	for _, f := range a.Seen.Facts {
		if f.Clean && strings.HasPrefix(f.Name, "A try with keys") {
			return note + "the sessions named " + nameOf(a) + " are denied everything on the role, which was proved by trying."
		}
	}
	return note + "the keys named " + nameOf(a) + " have expired, or are denied everything by their own policy since the end."
}

func kindFields() []target.Field {
	return []target.Field{
		{Name: fieldAccount, Title: "Account ID", Required: true, Place: true, Example: "123456789012", Help: "The twelve digits of the customer's AWS account."},
		{Name: fieldRegion, Title: "Region", Required: true, Example: "eu-west-1", Help: "Where sessions begin; it also tells the partition (AWS, GovCloud, China)."},
		{Name: fieldTenant, Title: "Tenant role", Required: true, Place: true, Example: "northwind-prod", Help: "The role of this customer environment: its ARN, or its name, with the path if it has one."},
		{Name: fieldAdmin, Title: "Admin role", Place: true, Example: "Admin", Help: "The role for the whole account, for administrators of Jitney. Empty: there is none."},
		{Name: fieldWay, Title: "Jitney gets in with", Options: []string{wayAmbient, wayKeys, wayWeb},
			Help: "The server's own credentials (an instance role, its environment), an access key kept here, or tokens of Jitney's own issuer, for which no key is kept anywhere."},
		{Name: fieldKeyID, Title: "Access key: ID", Example: "AKIAIOSFODNN7EXAMPLE", Help: "Of the IAM user that Jitney works as."},
		{Name: fieldSecret, Title: "Access key: secret", Secret: true},
		{Name: fieldAudience, Title: "Web identity: audience", Example: defaultAudience, Help: "As the account's OIDC provider lists it. Empty: " + defaultAudience + "."},
		{Name: fieldExternal, Title: "External ID", Required: true, Random: true,
			Help: "At least 20 characters that nobody can guess, for this target alone. The roles' trust policies must demand it (sts:ExternalId; with a web identity, as the token's subject)."},
		{Name: fieldEdit, Title: "Jitney may edit the roles", Options: []string{yes, no},
			Help: "With it, sessions end when the grant is ended early, and the end is proved. Without it, keys work until the end that they were made with."},
		{Name: fieldManager, Title: "Role that Jitney edits them as", Place: true, Example: "jitney", Help: "A role in this account that Jitney assumes for that. Empty: its own credentials, which works only within their own account."},
		{Name: fieldReadOnly, Title: "Tenant sessions may only read", Options: []string{no, yes}, Help: "Limits them by AWS's policy ReadOnlyAccess as well."},
		{Name: fieldChain, Title: "Sessions may assume roles", Options: []string{no, yes}, Help: "Sessions of other roles that a session makes do not end with the grant, so this is denied unless it is needed."},
		{Name: fieldConsole, Title: "Console opens at", Example: "https://console.aws.amazon.com/s3/home", Help: "An address of the AWS console. Empty: its first page."},
		{Name: fieldEndpoint, Title: "Other address", Place: true, Example: "https://vpce-1a2b3c.sts.eu-west-1.vpce.amazonaws.com", Help: "One address in place of all of AWS's, for a private endpoint or a simulation. Usually empty."},
	}
}
