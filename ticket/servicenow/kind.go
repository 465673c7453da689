package servicenow

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"jitney/access"
	"jitney/secret"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Names of the fields.
const (
	fieldURL      = "url"
	fieldUser     = "user"
	fieldPassword = "password"
	fieldClient   = "client_id"
	fieldSecret   = "client_secret"
	fieldTable    = "table"
	fieldCompany  = "company_field"
	fieldNotes    = "notes"
	fieldClosed   = "closed"
)

// Who sees notes.
const (
	notesInternal = "work notes (internal)"
	notesPublic   = "comments (customers see them)"
)

// Kind describes ServiceNow. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "servicenow", Title: "ServiceNow", Company: "company",
		Fields: []ticket.Field{
			{Name: fieldURL, Place: true, Route: true, Title: "Address", Required: true, Example: "https://yourcompany.service-now.com", Help: "Of the instance, without anything after the host."},
			{Name: fieldUser, Title: "User", Example: "jitney.api", Help: "Of an account made for Jitney alone, with Web service access only, and roles that may read and write the tickets of your customers, read companies, and read journal entries (sys_journal_field). Empty if the application signs in by itself."},
			{Name: fieldPassword, Title: "Password", Secret: true, Help: "Of that user."},
			{Name: fieldClient, Title: "Client ID", Help: "Of an OAuth application under Application Registry. Empty: the user signs in without one. With a client ID and no user, the instance must allow client credentials (glide.oauth.inbound.client.credential.grant_type.enabled)."},
			{Name: fieldSecret, Title: "Client secret", Secret: true, Help: "Of that application."},
			{Name: fieldTable, Title: "Table", Example: tableIncident, Help: "Where tickets are: incident, or sn_customerservice_case with Customer Service Management. Empty: incident."},
			{Name: fieldCompany, Title: "Field of the company", Example: "company", Help: "The field of a ticket that says whose it is. Empty: account for sn_customerservice_case, company for every other table."},
			{Name: fieldNotes, Title: "Notes are", Options: []string{notesInternal, notesPublic}, Help: "Work notes are seen by those who work on tickets only."},
			{Name: fieldClosed, Title: "Closed states", Picked: true, Many: true, Example: "6, 7, 8", Help: "The values of the states that count as closed, parted by commas; Check connection lists them. Empty: resolved, closed and cancelled, as ServiceNow ships the table. A ticket that is not active is closed in any case."},
		},
		Valid: func(s ticket.Settings) error { _, err := parse(rules, s); return err },
		Open: func(_ context.Context, s ticket.Settings) (ticket.System, error) {
			checked, err := parse(rules, s)
			if err != nil {
				return nil, err
			}
			return open(checked)
		},
	}
}

// settings are the fields of one connection, checked.
type settings struct {
	api          reach.Options
	user, client string
	password     secret.Text
	secret       secret.Text // of the client
	table        string
	companyField string
	element      string // of the journal, which notes go to
	closed       []string
	named        bool // the closed states were chosen, and are not those that ServiceNow ships
}

// open prepares the calls: signed by the user, or by tokens if there is a
// client.
func open(s settings) (ticket.System, error) {
	sys := &system{settings: s}
	if s.client == "" {
		auth := "Basic " + base64.StdEncoding.EncodeToString([]byte(s.user+":"+s.password.Reveal()))
		sys.api.Sign = func(h http.Header) { h.Set("Authorization", auth) }
	} else {
		issuer, err := reach.NewIssuer(reach.Login{Server: s.api, Path: "oauth_token.do", Form: s.form, Refused: "ServiceNow does not accept the client ID, the client secret or the user of this connection, or does not allow this grant."})
		if err != nil {
			return nil, err
		}
		sys.issuer, sys.api.Sign = issuer, issuer.Sign
	}
	client, err := reach.New(sys.api)
	if err != nil {
		return nil, err
	}
	sys.client = client
	return sys, nil
}

// form is what a token is asked for with.
func (s settings) form() url.Values {
	f := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.client}, "client_secret": {s.secret.Reveal()}}
	if s.user != "" {
		f.Set("grant_type", "password")
		f.Set("username", s.user)
		f.Set("password", s.password.Reveal())
	}
	return f
}

func parse(rules reach.Rules, s ticket.Settings) (settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := settings{user: v(fieldUser), client: v(fieldClient), password: s.Secrets[fieldPassword], secret: s.Secrets[fieldSecret],
		table: v(fieldTable), companyField: v(fieldCompany), element: "work_notes"}
	if v(fieldNotes) == notesPublic {
		out.element = "comments"
	}
	if out.table == "" {
		out.table = tableIncident
	}
	if out.companyField == "" {
		out.companyField = "company"
		if out.table == tableCase {
			out.companyField = "account"
		}
	}
	out.api = reach.Options{Name: "ServiceNow", Base: v(fieldURL), Rules: rules, InFlight: 3}
	if err := out.api.Valid(); err != nil {
		return settings{}, err
	}
	if base, err := url.Parse(out.api.Base); err != nil || strings.Trim(base.Path, "/") != "" {
		return settings{}, invalid("The address must be the host alone, such as https://yourcompany.service-now.com.", "Leave out everything after it.")
	}
	switch {
	case v(fieldNotes) != "" && v(fieldNotes) != notesInternal && v(fieldNotes) != notesPublic:
		return settings{}, invalid("Notes are work notes or comments.", "")
	case !isName(out.table), !isName(out.companyField):
		return settings{}, invalid("Tables and fields have names of small letters, digits and underscores, such as incident.", "")
	}
	if err := out.credentials(); err != nil {
		return settings{}, err
	}
	var err error
	out.closed, err = states(out.table, v(fieldClosed))
	out.named = strings.Trim(v(fieldClosed), ", ") != ""
	return out, err
}

// credentials reports what is wrong with how the connection signs in.
func (s settings) credentials() error {
	odd := func(text string) bool {
		return len(text) > 300 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' })
	}
	switch {
	case s.user == "" && s.client == "":
		return invalid("Enter a user, or the client ID of an application.", "")
	case odd(s.user) || strings.Contains(s.user, ":") || odd(s.client):
		return invalid("The user or the client ID is not one of ServiceNow.", "")
	case s.user != "" && (s.password.Reveal() == "" || odd(s.password.Reveal())):
		return invalid("The password of the user is missing.", "")
	case s.client != "" && (s.secret.Reveal() == "" || odd(s.secret.Reveal())):
		return invalid("The client secret is missing.", "")
	}
	return nil
}

// states reads which states are closed; as ServiceNow ships the table if none
// are named.
func states(table, named string) (all []string, err error) {
	for part := range strings.SplitSeq(named, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if len(part) > 40 || strings.Trim(part, letters+"_-") != "" || len(all) >= 50 {
			return nil, invalid("Closed states are the values of states, parted by commas.", "Check connection lists them.")
		}
		all = append(all, part)
	}
	switch {
	case len(all) > 0:
	case table == tableIncident:
		all = []string{"6", "7", "8"} // resolved, closed, cancelled
	case table == tableCase:
		all = []string{"6", "3", "7"}
	default:
		all = []string{"3", "4", "7"} // complete, incomplete, skipped
	}
	return all, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// isName reports whether name can be the one of a table or a field.
func isName(name string) bool {
	return name != "" && len(name) <= 80 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// isID reports whether id can be the number of a row, fit to stand in a path
// and a condition.
func isID(id string) bool { return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" }

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}
