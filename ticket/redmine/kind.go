package redmine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Names of the fields.
const (
	fieldURL      = "url"
	fieldKey      = "key"
	fieldNotes    = "notes"
	fieldMarkup   = "markup"
	fieldActivity = "activity"
	fieldCA       = "ca"
)

const (
	private  = "private"
	public   = "public"
	textile  = "Textile"
	markdown = "Markdown"
)

// Kind describes Redmine. Its calls keep to rules.
func Kind(rules reach.Rules) ticket.Kind {
	return ticket.Kind{
		Name: "redmine", Title: "Redmine", Company: "project",
		Fields: []ticket.Field{
			{Name: fieldURL, Place: true, Route: true, Title: "Address", Required: true, Example: "https://redmine.example.com", Help: "Where people open Redmine. Its REST web service must be on: Administration, Settings, API."},
			{Name: fieldKey, Title: "API access key", Required: true, Secret: true,
				Help: "Of a user made for Jitney alone, a member of the customers' projects with the permissions View issues, Add notes, View private notes and Set notes as private, Edit issues if a policy gives tickets a status, and Log spent time and View spent time if one books time. It stands under My account."},
			{Name: fieldNotes, Title: "Notes are", Options: []string{private, public}, Help: "Private notes are seen by people with that permission only; public ones by everybody on the project, which can mean the customer."},
			{Name: fieldMarkup, Title: "Text formatting", Options: []string{textile, markdown}, Help: "As set in Redmine: Administration, Settings, General."},
			{Name: fieldActivity, Title: "Activity of time", Picked: true, Help: "The number of the activity for policies that book the time of an access. Empty: the default of Redmine."},
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
			return &system{settings: checked, client: client, rights: map[string]time.Time{}}, nil
		},
	}
}

// settings are the fields of one connection, checked.
type settings struct {
	reach            reach.Options
	public, markdown bool
	activity         string // number of the activity of time; empty for the default
}

func parse(rules reach.Rules, s ticket.Settings) (settings, error) {
	v := func(name string) string { return strings.TrimSpace(s.Values[name]) }
	key := s.Secrets[fieldKey].Reveal()
	out := settings{public: v(fieldNotes) == public, markdown: v(fieldMarkup) == markdown, activity: v(fieldActivity)}
	out.reach = reach.Options{Name: "Redmine", Base: v(fieldURL), CA: v(fieldCA), Rules: rules, MaxAnswer: 16 << 20, // a ticket comes with all of its notes
		Sign: func(h http.Header) { h.Set("X-Redmine-API-Key", key) }}
	if err := out.reach.Valid(); err != nil {
		return settings{}, err
	}
	switch {
	case out.activity != "" && !isID(out.activity):
		return settings{}, &access.Error{Kind: access.Invalid, Text: "The activity of time is a number.", Hint: "Check the connection, then choose it from the list."}
	case key == "" || len(key) > 200 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return settings{}, &access.Error{Kind: access.Invalid, Text: "The API access key is missing, or is not one of Redmine.", Hint: "It is 40 digits and letters from a to f."}
	case v(fieldNotes) != "" && v(fieldNotes) != private && !out.public, v(fieldMarkup) != "" && v(fieldMarkup) != textile && !out.markdown:
		return settings{}, &access.Error{Kind: access.Invalid, Text: "Notes are private or public, and their formatting is Textile or Markdown."}
	}
	return out, nil
}

// Companies lists the projects that the account may see. A project that is
// closed or archived takes no notes.
func (s *system) Companies(ctx context.Context) (all []ticket.Company, err error) {
	for offset := 0; offset < 5000; offset += most {
		var found struct {
			Projects []struct {
				ID     ident
				Name   string
				Status int
			}
			Total int `json:"total_count"`
		}
		if _, err := s.get(ctx, "projects.json", url.Values{"limit": {strconv.Itoa(most)}, "offset": {strconv.Itoa(offset)}}, &found); err != nil {
			return nil, err
		}
		for _, p := range found.Projects {
			if isID(string(p.ID)) {
				all = append(all, ticket.Company{ID: string(p.ID), Name: reach.Clean(p.Name, 200), Closed: p.Status > 1})
			}
		}
		if len(found.Projects) == 0 || offset+most >= found.Total {
			break
		}
	}
	return all, nil
}

// Check reports who we are in Redmine, what we see there, which statuses
// are closed, and whether notes will be private.
func (s *system) Check(ctx context.Context) (found []access.Finding, err error) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	me, err := s.me(ctx)
	if err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	add("ok", "Redmine answers, signed in as "+reach.Clean(me.Login, 100)+".", "")
	if me.Admin {
		add("warning", "The account is an administrator of Redmine.", "Use one that may see and note the tickets of your customers, and nothing else.")
	}
	if s.client.Plain() {
		add("warning", "Calls and the key travel without encryption.", "Put Redmine behind https.")
	}
	projects, err := s.Companies(ctx)
	if err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	if len(projects) == 0 {
		add("error", "The account sees no project, so no ticket can be chosen.", "Make it a member of the projects of your customers.")
		return found, ctx.Err()
	}
	add("info", fmt.Sprintf("%d projects can be seen; tickets in any other look as if they did not exist. Tickets of subprojects belong to the subproject.", len(projects)), "")
	after, err := checkAfter(ctx, s, me, projects)
	if err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	found = append(found, after...)
	statuses, err := checkStatuses(ctx, s)
	if err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	found = append(found, statuses)
	if s.public {
		add("warning", "Notes are public: everybody on the project reads them.", "Choose private notes, unless your customers have no access to Redmine.")
		return found, ctx.Err()
	}
	for _, p := range projects[:min(len(projects), 20)] {
		may, err := s.mayHide(ctx, me, p.ID)
		if err != nil {
			return append(found, finding(err)), ctx.Err()
		}
		if !may && !p.Closed {
			add("error", "The account may not write private notes in the project "+p.Name+", so none will be written there.", "Make it a member with the permissions Add notes and Set notes as private.")
			return found, ctx.Err()
		}
	}
	add("ok", "Notes are private.", "")
	return found, ctx.Err()
}

// checkAfter says in how many of the first projects time can be booked, and
// statuses can be set.
func checkAfter(ctx context.Context, s *system, me person, projects []ticket.Company) (found []access.Finding, err error) {
	projects = slices.DeleteFunc(slices.Clone(projects[:min(len(projects), 20)]), func(p ticket.Company) bool { return p.Closed })
	timed, moved := 0, 0
	for _, p := range projects {
		all, err := s.permissions(ctx, me, p.ID)
		if err != nil {
			return nil, err
		}
		if me.Admin || slices.Contains(all, "log_time") && slices.Contains(all, "view_time_entries") {
			timed++
		}
		if me.Admin || slices.Contains(all, "edit_issues") {
			moved++
		}
	}
	f := access.Finding{Level: "info", What: fmt.Sprintf("Where a policy says so, time can be booked in %d of the %d projects that were looked at, and a status be set in %d, if the workflow allows the step.", timed, len(projects), moved)}
	if timed < len(projects) {
		f.Fix = "Booking time needs the permissions Log spent time and View spent time. "
	}
	if moved < len(projects) {
		f.Fix += "Setting a status needs Edit issues."
	}
	f.Fix = strings.TrimSpace(f.Fix)
	return append(found, f), nil
}

func finding(err error) access.Finding {
	text := "Redmine cannot be asked."
	if t, ok := errors.AsType[*ticket.Trouble](err); ok {
		text = t.Text
	}
	return access.Finding{Level: "error", What: text}
}
