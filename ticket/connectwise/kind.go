package connectwise

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Names of the fields.
const (
	fieldURL     = "url"
	fieldCompany = "company"
	fieldPublic  = "public_key"
	fieldPrivate = "private_key"
	fieldClient  = "client_id"
	fieldNote    = "note"
	fieldCA      = "ca"
)

// Where a note goes.
const (
	noteInternal   = "internal"
	noteDiscussion = "discussion (customers see it)"
)

// version is the version of the interface that the calls are written for.
const version = "application/vnd.connectwise.com+json; version=2025.1"

// Kind describes ConnectWise PSA. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "connectwise", Title: "ConnectWise PSA", Company: "company",
		Fields: []ticket.Field{
			{Name: fieldURL, Title: "Address", Required: true, Example: "https://na.myconnectwise.net", Help: "Where people sign in to ConnectWise PSA, without anything after the host."},
			{Name: fieldCompany, Title: "Company ID", Required: true, Example: "yourcompany", Help: "What people enter as the company when they sign in."},
			{Name: fieldPublic, Title: "Public key", Required: true, Help: "Of an API member made for Jitney alone, under System, Members, API Members, API Keys. Its role needs: service tickets, inquire all and edit all; companies, inquire all; and each board of your customers."},
			{Name: fieldPrivate, Title: "Private key", Required: true, Secret: true, Help: "ConnectWise shows it once, when the keys are made."},
			{Name: fieldClient, Title: "Client ID", Required: true, Secret: true, Example: "01234567-89ab-cdef-0123-456789abcdef", Help: "ConnectWise demands one on every call. Make your own at developer.connectwise.com; it is yours, and not to be shared."},
			{Name: fieldNote, Title: "Notes are", Options: []string{noteInternal, noteDiscussion}, Help: "Internal notes go to Internal Analysis, which only people inside see. No note sends mail."},
			{Name: fieldCA, Title: "Certification authority", Lines: true, Example: "-----BEGIN CERTIFICATE-----", Help: "Only for a server of your own: the authority that issued its certificate, as PEM."},
		},
		Valid: func(s ticket.Settings) error { _, err := parse(rules, s); return err },
		Open: func(_ context.Context, s ticket.Settings) (ticket.System, error) {
			checked, err := parse(rules, s)
			if err != nil {
				return nil, err
			}
			sys := &system{settings: checked}
			if sys.api, err = reach.New(checked.api); err != nil {
				return nil, err
			}
			if sys.site, err = reach.New(checked.site); err != nil {
				return nil, err
			}
			return sys, nil
		},
	}
}

// settings are the fields of one connection, checked.
type settings struct {
	site    reach.Options // where people are, asked without credentials
	api     reach.Options // where calls go, on the host that belongs to the site
	company string
	public  string
	discuss bool // notes go to the customer-visible discussion
}

func parse(rules reach.Rules, s ticket.Settings) (settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := settings{company: v(fieldCompany), public: v(fieldPublic), discuss: v(fieldNote) == noteDiscussion}
	private, clientID := strings.TrimSpace(s.Secrets[fieldPrivate].Reveal()), strings.TrimSpace(s.Secrets[fieldClient].Reveal())
	out.site = reach.Options{Name: "ConnectWise PSA", Base: v(fieldURL), CA: v(fieldCA), Rules: rules}
	if err := out.site.Valid(); err != nil {
		return settings{}, err
	}
	base, err := url.Parse(out.site.Base)
	if err != nil || strings.Trim(base.Path, "/") != "" {
		return settings{}, invalid("The address must be the host alone, such as https://na.myconnectwise.net.", "Leave out everything after it.")
	}
	switch {
	case out.company == "" || len(out.company) > 60 || strings.Trim(out.company, letters+"_-.") != "" || strings.Trim(out.company, ".") == "":
		return settings{}, invalid("The company ID is the short name that people enter when they sign in.", "It has letters, digits, underscores and dashes.")
	case !isKey(out.public):
		return settings{}, invalid("The public key is missing, or is not one of ConnectWise.", "")
	case !isKey(private):
		return settings{}, invalid("The private key is missing, or is not one of ConnectWise.", "")
	case !isKey(clientID):
		return settings{}, invalid("The client ID is missing, or is not one.", "It looks like 01234567-89ab-cdef-0123-456789abcdef.")
	case !out.discuss && v(fieldNote) != "" && v(fieldNote) != noteInternal:
		return settings{}, invalid("Notes are internal, or a part of the discussion.", "")
	}
	auth := "Basic " + base64.StdEncoding.EncodeToString([]byte(out.company+"+"+out.public+":"+private))
	out.api = out.site
	out.api.Base = apiBase(base)
	out.api.Sign = func(h http.Header) {
		h.Set("Authorization", auth)
		h.Set("clientId", clientID)
		h.Set("Accept", version)
	}
	return out, nil
}

// apiBase is where calls go: hosted sites have a host of their own for that.
func apiBase(site *url.URL) string {
	host := strings.ToLower(site.Host)
	if strings.HasSuffix(host, ".myconnectwise.net") && !strings.HasPrefix(host, "api-") {
		host = "api-" + host
	}
	return site.Scheme + "://" + host
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func isKey(key string) bool {
	return key != "" && len(key) <= 100 && strings.Trim(key, letters+"-_") == ""
}

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}
