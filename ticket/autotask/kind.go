package autotask

import (
	"context"
	"net/http"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Names of the fields.
const (
	fieldUser    = "user"
	fieldSecret  = "secret"
	fieldCode    = "code"
	fieldPublish = "publish"
	fieldType    = "note_type"
	fieldClosed  = "closed"
	fieldListed  = "companies"
	fieldWho     = "time_resource"
	fieldRole    = "time_role"
	fieldURL     = "url"
	fieldCA      = "ca"
)

// Which companies are listed for the mapping.
const (
	listCustomers = "customers"
	listAll       = "companies of every type"
)

// finder is where Autotask tells which of its zones an account lives in.
const finder = "https://webservices2.autotask.net"

// Kind describes Autotask PSA. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "autotask", Title: "Autotask PSA", Company: "company", Sites: []string{"autotask.net"},
		Fields: []ticket.Field{
			{Name: fieldUser, Title: "Username (key)", Required: true, Example: "abcdefgh12345@yourcompany.com", Help: "Of an API user made for Jitney alone, under Admin, Resources/Users (HR), New API User. Its security level needs to view tickets, ticket notes and companies, and to add ticket notes."},
			{Name: fieldSecret, Title: "Password (secret)", Required: true, Secret: true, Help: "The secret that Autotask generated for this API user."},
			{Name: fieldCode, Title: "API tracking identifier", Required: true, Secret: true, Help: "Of the same API user: choose Custom (Internal Integration) there."},
			{Name: fieldPublish, Title: "Publish notes to", Picked: true, Example: "2", Help: "The number of the internal choice of Publish; Check connection lists them. Empty: the one whose name says that it is internal, if there is exactly one."},
			{Name: fieldType, Title: "Note type", Picked: true, Example: "1", Help: "The number of the type that notes get; Check connection lists them. Empty: Autotask's own default."},
			{Name: fieldClosed, Title: "Closed statuses", Picked: true, Many: true, Example: "5, 21", Help: "The numbers of the statuses that count as closed, parted by commas; Check connection lists them. Complete (5) always does, and so does a ticket with a completion date."},
			{Name: fieldListed, Title: "Companies to map", Options: []string{listCustomers, listAll}, Help: "Autotask keeps prospects, vendors and others in the same list."},
			{Name: fieldWho, Title: "Time is booked for", Picked: true, Help: "The number of a resource, for policies that book the time of an access. Empty: who the ticket is assigned to. The security level needs to add time entries and to view all of them, also those that are not billable, resources and roles; Proxy Time Entry must be on, and time entries may have to span midnight, for Autotask counts in UTC."},
			{Name: fieldRole, Title: "Role of time", Picked: true, Help: "The number of a role that the resource has. Empty: the role in which the ticket is assigned; with one of the two, fill in the other."},
			{Name: fieldURL, Place: true, Route: true, Title: "Address", Example: finder, Help: "Empty, unless support names another one. Autotask tells there in which of its zones the account lives."},
			{Name: fieldCA, Title: "Certification authority", Lines: true, Route: true, Example: "-----BEGIN CERTIFICATE-----", Help: "Only behind an inspecting proxy: the authority that issues its certificates, as PEM."},
		},
		Valid: func(s ticket.Settings) error { _, err := parse(rules, s); return err },
		Open: func(_ context.Context, s ticket.Settings) (ticket.System, error) {
			checked, err := parse(rules, s)
			if err != nil {
				return nil, err
			}
			client, err := reach.New(checked.finder)
			if err != nil {
				return nil, err
			}
			return &system{settings: checked, front: client}, nil
		},
	}
}

// settings are the fields of one connection, checked.
type settings struct {
	finder        reach.Options // asked without credentials
	user          string
	sign          func(http.Header)
	publish, kind int64 // 0: to be found out

	resource, role int64 // for whom time is booked; both 0: who the ticket is assigned to

	closed []int64
	all    bool // list companies of every type
}

func parse(rules reach.Rules, s ticket.Settings) (settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := settings{user: v(fieldUser), closed: []int64{complete}, all: v(fieldListed) == listAll}
	secret, code := strings.TrimSpace(s.Secrets[fieldSecret].Reveal()), strings.TrimSpace(s.Secrets[fieldCode].Reveal())
	out.finder = reach.Options{Name: "Autotask", Base: v(fieldURL), CA: v(fieldCA), Rules: rules}
	if out.finder.Base == "" {
		out.finder.Base = finder
	}
	if err := out.finder.Valid(); err != nil {
		return settings{}, err
	}
	for name, text := range map[string]string{"username": out.user, "secret": secret, "tracking identifier": code} {
		if text == "" || len(text) > 200 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return settings{}, invalid("The "+name+" is missing, or is not one of Autotask.", "Copy it from the page of the API user.")
		}
	}
	if !out.all && v(fieldListed) != "" && v(fieldListed) != listCustomers {
		return settings{}, invalid("Companies to map are customers, or of every type.", "")
	}
	for name, into := range map[string]*int64{fieldPublish: &out.publish, fieldType: &out.kind, fieldWho: &out.resource, fieldRole: &out.role} {
		if v(name) == "" {
			continue
		}
		n, ok := parseID(v(name))
		if !ok {
			return settings{}, invalid("Where notes are published, their type, and for whom and in which role time is booked are numbers.", "Check connection lists them.")
		}
		*into = n
	}
	if (out.resource > 0) != (out.role > 0) {
		return settings{}, invalid("For whom time is booked and in which role go together.", "Fill in both, or none.")
	}
	for part := range strings.SplitSeq(v(fieldClosed), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, ok := parseID(part)
		if !ok || len(out.closed) > 50 {
			return settings{}, invalid("Closed statuses are numbers, parted by commas.", "Check connection lists them.")
		}
		if n != complete {
			out.closed = append(out.closed, n)
		}
	}
	out.sign = func(h http.Header) {
		h.Set("UserName", out.user)
		h.Set("Secret", secret)
		h.Set("ApiIntegrationCode", code)
	}
	return out, nil
}

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}
