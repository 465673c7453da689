package halo

import (
	"context"
	"strconv"
	"strings"

	"jitney/access"
	"jitney/secret"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Names of the fields.
const (
	fieldURL     = "url"
	fieldAuth    = "auth_url"
	fieldTenant  = "tenant"
	fieldID      = "client_id"
	fieldSecret  = "client_secret"
	fieldOutcome = "outcome"
	fieldClosed  = "closed"
	fieldCA      = "ca"
)

// Kind describes HaloPSA. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "halo", Title: "HaloPSA", Company: "client",
		Fields: []ticket.Field{
			{Name: fieldURL, Place: true, Route: true, Title: "Resource server", Required: true, Example: "https://yourcompany.halopsa.com/api", Help: "As Halo shows it under Configuration, Integrations, Halo API."},
			{Name: fieldAuth, Title: "Authorisation server", Route: true, Example: "https://yourcompany.halopsa.com/auth", Help: "From the same page. Empty: the same host as the resource server."},
			{Name: fieldTenant, Place: true, Title: "Instance", Example: "yourcompany", Help: "What that page shows as Tenant. Empty for a server of your own."},
			{Name: fieldID, Title: "Client ID", Required: true, Help: "Of an API application made for Jitney alone: Client ID and Secret (Services), signed in as an agent of its own, with the permissions read:tickets, edit:tickets and read:customers. Add the agent to every team, and let it use all customers."},
			{Name: fieldSecret, Title: "Client secret", Required: true, Secret: true, Help: "Halo shows it once, when the application is made."},
			{Name: fieldOutcome, Title: "Outcome of notes", Picked: true, Example: "Private Note", Help: "The action by which notes are written; one that is private and changes no status. Empty: Private Note."},
			{Name: fieldClosed, Title: "Closed statuses", Picked: true, Many: true, Example: "9, 31", Help: "The numbers of the statuses that count as closed, parted by commas; Check connection lists them. Closed (9) always does, and so does what Halo itself does not list as open."},
			{Name: fieldCA, Title: "Certification authority", Lines: true, Route: true, Example: "-----BEGIN CERTIFICATE-----", Help: "Only for a server of your own: the authority that issued its certificate, as PEM."},
		},
		Valid: func(s ticket.Settings) error { _, err := parse(rules, s); return err },
		Open: func(_ context.Context, s ticket.Settings) (ticket.System, error) {
			checked, err := parse(rules, s)
			if err != nil {
				return nil, err
			}
			sys := &system{settings: checked}
			if sys.issuer, err = newIssuer(checked); err != nil {
				return nil, err
			}
			sys.api.Sign = sys.issuer.Sign
			if sys.client, err = reach.New(sys.api); err != nil {
				return nil, err
			}
			return sys, nil
		},
	}
}

// settings are the fields of one connection, checked.
type settings struct {
	api     reach.Options
	auth    reach.Options // of the authorisation server
	tenant  string
	id      string
	secret  secret.Text
	outcome string
	closed  []int64
}

func parse(rules reach.Rules, s ticket.Settings) (settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := settings{tenant: v(fieldTenant), id: v(fieldID), secret: secret.New(strings.TrimSpace(s.Secrets[fieldSecret].Reveal())), outcome: v(fieldOutcome), closed: []int64{closedStatus}}
	if out.outcome == "" {
		out.outcome = "Private Note"
	}
	out.api = reach.Options{Name: "Halo", Base: strings.TrimSuffix(strings.TrimRight(v(fieldURL), "/"), "/api"), CA: v(fieldCA), Rules: rules, InFlight: 3}
	if err := out.api.Valid(); err != nil {
		return settings{}, err
	}
	out.auth = out.api
	if v(fieldAuth) != "" {
		out.auth.Base = strings.TrimSuffix(strings.TrimRight(v(fieldAuth), "/"), "/token")
	} else {
		out.auth.Base = strings.TrimRight(out.api.Base, "/") + "/auth"
	}
	if err := out.auth.Valid(); err != nil {
		return settings{}, err
	}
	switch {
	case len(out.tenant) > 100 || strings.Trim(out.tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != "":
		return settings{}, invalid("The instance is the short name that Halo shows as Tenant.", "")
	case !printable(out.id):
		return settings{}, invalid("The client ID is missing, or is not one of Halo.", "")
	case !printable(out.secret.Reveal()):
		return settings{}, invalid("The client secret is missing, or is not one of Halo.", "")
	case len(out.outcome) > 100 || strings.ContainsFunc(out.outcome, func(r rune) bool { return r < ' ' }):
		return settings{}, invalid("The outcome is the name of an action of Halo.", "")
	}
	for part := range strings.SplitSeq(v(fieldClosed), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		n, ok := parseID(part)
		if !ok || len(out.closed) > 50 {
			return settings{}, invalid("Closed statuses are numbers, parted by commas.", "Check connection lists them.")
		}
		if n != closedStatus {
			out.closed = append(out.closed, n)
		}
	}
	return out, nil
}

func printable(text string) bool {
	return text != "" && len(text) <= 300 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// parseID reads the number of something in Halo.
func parseID(id string) (int64, bool) {
	if len(id) == 0 || len(id) > 10 || id[0] == '0' || strings.Trim(id, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(id, 10, 32)
	return n, err == nil
}

func number(id int64) string { return strconv.FormatInt(id, 10) }

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}
