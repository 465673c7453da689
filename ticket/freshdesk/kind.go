package freshdesk

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Names of the fields.
const (
	fieldURL    = "url"
	fieldKey    = "key"
	fieldNotes  = "notes"
	fieldClosed = "closed"
	fieldBill   = "billable"
)

// Who sees notes.
const (
	notesPrivate = "private"
	notesPublic  = "public (customers see them)"
)

// Whether time is billed.
const (
	billYes = "billable"
	billNo  = "not billable"
)

// Kind describes Freshdesk. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "freshdesk", Title: "Freshdesk", Company: "company",
		Fields: []ticket.Field{
			{Name: fieldURL, Place: true, Route: true, Title: "Address", Required: true, Example: "https://yourcompany.freshdesk.com", Help: "Where agents open Freshdesk, by the name that ends in freshdesk.com."},
			{Name: fieldKey, Title: "API key", Required: true, Secret: true, Help: "Of an agent made for Jitney alone, with the ticket scope Global Access and a role that may view tickets, add notes and view companies; for policies that ask for it, also edit ticket properties and log time. It stands in the agent's profile settings."},
			{Name: fieldNotes, Title: "Notes are", Options: []string{notesPrivate, notesPublic}, Help: "Private notes are seen by agents only."},
			{Name: fieldClosed, Title: "Closed statuses", Picked: true, Many: true, Example: "8, 9", Help: "The numbers of further statuses that count as closed, parted by commas; Check connection lists them. Resolved (4) and Closed (5) always do."},
			{Name: fieldBill, Title: "Time is", Options: []string{billNo, billYes}, Help: "For policies that book the time of an access. It is booked for the agent whose key this is."},
		},
		Valid: func(s ticket.Settings) error { _, err := parse(rules, s); return err },
		Open: func(_ context.Context, s ticket.Settings) (ticket.System, error) {
			checked, err := parse(rules, s)
			if err != nil {
				return nil, err
			}
			client, err := reach.New(checked.api)
			if err != nil {
				return nil, err
			}
			sys := &system{settings: checked, client: client}
			sys.statusNames.ask, sys.agentNames.ask = sys.statuses, sys.agents
			return sys, nil
		},
	}
}

// settings are the fields of one connection, checked.
type settings struct {
	api    reach.Options
	public bool // notes are seen by customers
	closed []int64

	billable bool // time is
}

func parse(rules reach.Rules, s ticket.Settings) (settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	key := strings.TrimSpace(s.Secrets[fieldKey].Reveal())
	out := settings{public: v(fieldNotes) == notesPublic, billable: v(fieldBill) == billYes, closed: []int64{statusResolved, statusClosed}}
	out.api = reach.Options{Name: "Freshdesk", Base: v(fieldURL), Rules: rules, InFlight: 3}
	if err := out.api.Valid(); err != nil {
		return settings{}, err
	}
	base, err := url.Parse(out.api.Base)
	if err != nil || strings.Trim(base.Path, "/") != "" {
		return settings{}, invalid("The address must be the host alone, such as https://yourcompany.freshdesk.com.", "Leave out everything after it.")
	}
	switch {
	case key == "" || len(key) > 200 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }):
		return settings{}, invalid("The API key is missing, or is not one of Freshdesk.", "It is about 20 letters and digits.")
	case v(fieldBill) != "" && v(fieldBill) != billNo && !out.billable:
		return settings{}, invalid("Time is billable, or not.", "")
	case v(fieldNotes) != "" && v(fieldNotes) != notesPrivate && !out.public:
		return settings{}, invalid("Notes are private or public.", "")
	}
	for part := range strings.SplitSeq(v(fieldClosed), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, ok := parseID(part)
		if !ok || len(part) > 6 || len(out.closed) > 50 {
			return settings{}, invalid("Closed statuses are numbers, parted by commas.", "Check connection lists them.")
		}
		if !slices.Contains(out.closed, n) {
			out.closed = append(out.closed, n)
		}
	}
	auth := "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":X")) // no password; X stands for it
	out.api.Sign = func(h http.Header) { h.Set("Authorization", auth) }
	return out, nil
}

// parseID reads the number of something in Freshdesk, fit to stand in a path.
func parseID(id string) (int64, bool) {
	if len(id) == 0 || len(id) > 18 || id[0] == '0' || strings.Trim(id, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil
}

func number(id int64) string { return strconv.FormatInt(id, 10) }

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}
