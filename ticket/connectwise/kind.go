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
	fieldMember  = "time_member"
	fieldType    = "work_type"
	fieldRole    = "work_role"
	fieldBill    = "billing"
	fieldCA      = "ca"
)

// Where a note goes.
const (
	noteInternal   = "internal"
	noteDiscussion = "discussion (customers see it)"
)

// What becomes of time on invoices, by what ConnectWise calls it.
const (
	billAgreed = "as the ticket and its agreement say"
	billNot    = "not billed"
	billFree   = "shown on the invoice at no charge"
)

var billing = map[string]string{"": "", billAgreed: "", billNot: "DoNotBill", billFree: "NoCharge"}

// version is the version of the interface that the calls are written for.
const version = "application/vnd.connectwise.com+json; version=2025.1"

// Kind describes ConnectWise PSA. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "connectwise", Title: "ConnectWise PSA", Company: "company",
		Fields: []ticket.Field{
			{Name: fieldURL, Place: true, Route: true, Title: "Address", Required: true, Example: "https://na.myconnectwise.net", Help: "Where people sign in to ConnectWise PSA, without anything after the host."},
			{Name: fieldCompany, Place: true, Title: "Company ID", Required: true, Example: "yourcompany", Help: "What people enter as the company when they sign in."},
			{Name: fieldPublic, Title: "Public key", Required: true, Help: "Of an API member made for Jitney alone, under System, Members, API Members, API Keys. Its role needs: service tickets, inquire all and edit all; companies, inquire all; and each board of your customers."},
			{Name: fieldPrivate, Title: "Private key", Required: true, Secret: true, Help: "ConnectWise shows it once, when the keys are made."},
			{Name: fieldClient, Title: "Client ID", Required: true, Secret: true, Example: "01234567-89ab-cdef-0123-456789abcdef", Help: "ConnectWise demands one on every call. Make your own at developer.connectwise.com; it is yours, and not to be shared."},
			{Name: fieldNote, Title: "Notes are", Options: []string{noteInternal, noteDiscussion}, Help: "Internal notes go to Internal Analysis, which only people inside see. No note sends mail."},
			{Name: fieldMember, Title: "Time is booked for", Example: "bree", Help: "The member ID of somebody who may enter time, for policies that book the time of an access. Empty: no time is booked. The role of the API member needs time entry, add all and inquire all."},
			{Name: fieldType, Title: "Work type of time", Picked: true, Help: "The number of a work type. Empty: the one of the ticket or the board."},
			{Name: fieldRole, Title: "Work role of time", Picked: true, Help: "The number of a work role. Empty: the one of the member."},
			{Name: fieldBill, Title: "Time is billed", Options: []string{billAgreed, billNot, billFree}, Help: "What the entry says about invoices."},
			{Name: fieldCA, Title: "Certification authority", Lines: true, Route: true, Example: "-----BEGIN CERTIFICATE-----", Help: "Only for a server of your own: the authority that issued its certificate, as PEM."},
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

	member             string // for whom time is booked; empty if it is not
	workType, workRole int64  // 0: left to ConnectWise
	billable           string // empty: left to ConnectWise
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
	if err := out.parseTime(v); err != nil {
		return settings{}, err
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

// parseTime reads the fields about entries of time.
func (s *settings) parseTime(v func(name string) string) error {
	s.member = v(fieldMember)
	if len(s.member) > 60 || strings.Trim(s.member, letters+"_-.@") != "" {
		return invalid("Time is booked for a member, by the ID that the member signs in with.", "")
	}
	for name, into := range map[string]*int64{fieldType: &s.workType, fieldRole: &s.workRole} {
		if v(name) == "" {
			continue
		}
		if !isID(v(name)) {
			return invalid("Work type and work role are numbers.", "Check the connection, then choose them from the list.")
		}
		*into = ticketNumber(v(name))
	}
	option, ok := billing[v(fieldBill)]
	if !ok {
		return invalid("Time is billed as the agreement says, not billed, or shown at no charge.", "")
	}
	s.billable = option
	return nil
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
