package kaseyabms

import (
	"context"
	"encoding/base32"
	"strconv"
	"strings"

	"jitney/access"
	"jitney/secret"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Names of the fields.
const (
	fieldURL      = "url"
	fieldCompany  = "company"
	fieldUser     = "user"
	fieldPassword = "password"
	fieldTOTP     = "totp"
	fieldType     = "note_type"
	fieldNote     = "note"
	fieldClosed   = "closed"
	fieldCA       = "ca"
)

// Where a note is seen.
const (
	noteInternal = "internal"
	notePublic   = "public (customers see them)"
)

// completedName is the status that BMS itself brings for what is done.
const completedName = "Completed"

// Kind describes Kaseya BMS. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "kaseyabms", Title: "Kaseya BMS", Company: "account",
		Fields: []ticket.Field{
			{Name: fieldURL, Place: true, Route: true, Title: "Address of the interface", Required: true, Example: "https://api.bms.kaseya.com", Help: "api.bmsemea.kaseya.com or api.bmsapac.kaseya.com in those regions; for Pulseway PSA the address of your server."},
			{Name: fieldCompany, Place: true, Title: "Company name", Required: true, Example: "Your Company", Help: "As BMS shows it under My Settings."},
			{Name: fieldUser, Title: "Username", Required: true, Help: "Of an employee made for Jitney alone, who may see the accounts and tickets of your customers and add notes to them. BMS gives one-time codes to employees only, not to API users."},
			{Name: fieldPassword, Title: "Password", Required: true, Secret: true},
			{Name: fieldTOTP, Title: "Key of the one-time codes", Secret: true, Example: "JBSWY3DPEHPK3PXP", Help: "What BMS shows, beside the picture, when an authenticator app is set up for that employee. Empty if it signs in without codes."},
			{Name: fieldType, Title: "Type of notes", Picked: true, Example: "1", Help: "The number of a note type of BMS; Check connection lists those in use."},
			{Name: fieldNote, Title: "Notes are", Options: []string{noteInternal, notePublic}, Help: "Internal notes are hidden from the client portal. No note sends mail."},
			{Name: fieldClosed, Title: "Closed statuses", Picked: true, Many: true, Example: "6, 31", Help: "The numbers of the statuses that count as closed, parted by commas; Check connection lists them. Completed always does, and so does a ticket with a date of completion."},
			{Name: fieldCA, Title: "Certification authority", Lines: true, Route: true, Example: "-----BEGIN CERTIFICATE-----", Help: "Only for a server of your own: the authority that issued its certificate, as PEM."},
		},
		Valid: func(s ticket.Settings) error { _, err := parse(rules, s); return err },
		Open: func(_ context.Context, s ticket.Settings) (ticket.System, error) {
			checked, err := parse(rules, s)
			if err != nil {
				return nil, err
			}
			sys := &system{settings: checked}
			front, err := reach.New(checked.api) // signs nothing: who signs in has no token yet
			if err != nil {
				return nil, err
			}
			sys.issuer = &issuer{settings: checked, client: front}
			sys.api.Sign = sys.issuer.sign
			if sys.client, err = reach.New(sys.api); err != nil {
				return nil, err
			}
			return sys, nil
		},
	}
}

// settings are the fields of one connection, checked.
type settings struct {
	api      reach.Options
	company  string
	user     string
	password secret.Text
	totp     secret.Text // base32, without spaces; empty for none
	noteType int64
	typed    bool // a note type was chosen
	public   bool
	closed   []int64
}

func parse(rules reach.Rules, s ticket.Settings) (settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	out := settings{company: v(fieldCompany), user: v(fieldUser), password: s.Secrets[fieldPassword], public: v(fieldNote) == notePublic}
	out.totp = secret.New(strings.TrimRight(strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s.Secrets[fieldTOTP].Reveal())), "="))
	out.api = reach.Options{Name: "Kaseya BMS", Base: strings.TrimSuffix(strings.TrimRight(v(fieldURL), "/"), "/v2"), CA: v(fieldCA), Rules: rules, InFlight: 3}
	if err := out.api.Valid(); err != nil {
		return settings{}, err
	}
	switch _, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(out.totp.Reveal()); {
	case !plain(out.company):
		return settings{}, invalid("The company name is missing, or is not one of BMS.", "BMS shows it under My Settings.")
	case !plain(out.user):
		return settings{}, invalid("The username is missing, or is not one of BMS.", "")
	case out.password.Reveal() == "" || len(out.password.Reveal()) > 300:
		return settings{}, invalid("The password is missing, or is not one of BMS.", "")
	case err != nil || len(out.totp.Reveal()) > 200:
		return settings{}, invalid("The key of the one-time codes is not one.", "It has the letters A to Z and the digits 2 to 7. A code of six digits is not the key.")
	case v(fieldNote) != "" && v(fieldNote) != noteInternal && !out.public:
		return settings{}, invalid("Notes are internal or public.", "")
	}
	if text := v(fieldType); text != "" {
		var ok bool
		if out.noteType, ok = parseID(text); !ok {
			return settings{}, invalid("The type of notes is the number of one of BMS.", "Check connection lists them.")
		}
		out.typed = true
	}
	for part := range strings.SplitSeq(v(fieldClosed), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, ok := parseID(part)
		if !ok || len(out.closed) > 50 {
			return settings{}, invalid("Closed statuses are numbers, parted by commas.", "Check connection lists them.")
		}
		out.closed = append(out.closed, n)
	}
	return out, nil
}

// plain reports whether text is one line of a usual length.
func plain(text string) bool {
	return text != "" && len(text) <= 200 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// parseID reads the number of something in BMS.
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
