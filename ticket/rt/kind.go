package rt

import (
	"context"
	"net/http"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Names of the fields.
const (
	fieldURL          = "url"
	fieldToken        = "token"
	fieldCompany      = "company"
	fieldCompanyField = "company_field"
	fieldKey          = "key_field"
	fieldCA           = "ca"
)

// What a company is.
const (
	byQueue = "queue"
	byField = "custom field"
)

// Kind describes Request Tracker. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "rt", Title: "Request Tracker", Company: "queue",
		Fields: []ticket.Field{
			{Name: fieldURL, Place: true, Route: true, Title: "Address", Required: true, Example: "https://rt.example.com", Help: "Where people open Request Tracker; version 5 or newer."},
			{Name: fieldToken, Title: "Authentication token", Required: true, Secret: true,
				Help: "Of a privileged user made for Jitney alone, with the rights SeeQueue, ShowTicket, ShowTicketComments, CommentOnTicket, SeeCustomField and ModifyCustomField on the queues of your customers, and ModifyTicket if a policy gives tickets a status. Make it under Logged in as, Settings, Auth tokens."},
			{Name: fieldCompany, Title: "A customer is", Options: []string{byQueue, byField}, Help: "How tickets of different customers are told apart."},
			{Name: fieldCompanyField, Title: "Custom field of the customer", Picked: true, Example: "Customer", Help: "Only if a customer is a custom field: its name, as applied to tickets, with one value."},
			{Name: fieldKey, Title: "Custom field for keys", Picked: true, Example: "JitneyKey",
				Help: "Recommended: a custom field for ticket transactions (Enter one value), applied to all queues, by which Jitney finds its notes again. Empty: by their last line."},
			{Name: fieldCA, Title: "Certification authority", Lines: true, Route: true, Example: "-----BEGIN CERTIFICATE-----", Help: "The authority that issued the server's certificate, as PEM. Empty: what this server's system trusts."},
		},
		Valid: func(s ticket.Settings) error { _, err := parse(rules, s); return err },
		Open: func(_ context.Context, s ticket.Settings) (ticket.System, error) {
			checked, err := parse(rules, s)
			if err != nil {
				return nil, err
			}
			client, err := reach.New(checked.reach)
			if err != nil {
				return nil, err
			}
			return after{&system{settings: checked, client: client, keys: map[string]time.Time{}}}, nil
		},
	}
}

// settings are the fields of one connection, checked.
type settings struct {
	reach        reach.Options
	token        secret.Text
	companyField string // empty: a company is a queue
	keyField     string // empty: notes are found by their text
}

func parse(rules reach.Rules, s ticket.Settings) (settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := settings{token: s.Secrets[fieldToken], keyField: v(fieldKey)}
	token := out.token.Reveal()
	out.reach = reach.Options{Name: "Request Tracker", Base: v(fieldURL), CA: v(fieldCA), Rules: rules,
		Sign: func(h http.Header) { h.Set("Authorization", "token "+token) }}
	if err := out.reach.Valid(); err != nil {
		return settings{}, err
	}
	if token == "" || len(token) > 500 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return settings{}, invalid("The authentication token is missing, or is not one of Request Tracker.", "It looks like 1-14-0123456789abcdef.")
	}
	switch v(fieldCompany) {
	case "", byQueue:
	case byField:
		if out.companyField = v(fieldCompanyField); out.companyField == "" {
			return settings{}, invalid("The custom field that tells customers apart is needed.", "")
		}
	default:
		return settings{}, invalid("A customer is a queue or a custom field.", "")
	}
	for _, name := range []string{out.companyField, out.keyField} {
		if len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(`{}'"\`, r) }) {
			return settings{}, invalid("The name of a custom field must not hold quotes, backslashes or braces.", "Give the field another name in Request Tracker.")
		}
	}
	return out, nil
}

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}
