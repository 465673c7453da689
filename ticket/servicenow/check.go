package servicenow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Companies lists the companies, without those that only make or sell things,
// of which ServiceNow ships many: of twenty thousand at most.
func (s *system) Companies(ctx context.Context) (all []ticket.Company, err error) {
	table, fields := "core_company", "sys_id,name,customer,vendor,manufacturer"
	if s.companyField == "account" {
		table, fields = "customer_account", "sys_id,name"
	}
	const size = 1000
	seen := map[string]bool{}
	for from := 0; from < 20*size; from += size {
		var found []record
		answer, err := s.get(ctx, table, url.Values{"sysparm_query": {"ORDERBYsys_id"}, "sysparm_offset": {strconv.Itoa(from)}, "sysparm_limit": {strconv.Itoa(size)}, "sysparm_fields": {fields}}, &found)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			id, trade := r["sys_id"].Value, r["vendor"].Value == "true" || r["manufacturer"].Value == "true"
			if isID(id) && !seen[id] && (!trade || r["customer"].Value == "true") {
				seen[id] = true
				all = append(all, ticket.Company{ID: id, Name: reach.Clean(r["name"].Value, 200)})
			}
		}
		if !more(answer, from+size, len(found) >= size) {
			break
		}
	}
	return all, nil
}

// Options reports what can be chosen for a field of the settings.
func (s *system) Options(ctx context.Context, field string) (all []ticket.Option, err error) {
	if field != fieldClosed {
		return nil, nil
	}
	var found []record
	q := url.Values{"sysparm_query": {"nameIN" + s.table + ",task^element=state^inactive=false^language=en^ORDERBYsequence"}, "sysparm_limit": {"200"}, "sysparm_fields": {"name,element,value,label,inactive,language"}}
	if _, err := s.get(ctx, "sys_choice", q, &found); err != nil {
		return nil, err
	}
	own := slices.ContainsFunc(found, func(r record) bool { return r["name"].Value == s.table })
	for _, r := range found { // a table has those of task only if it has none of its own
		v := r["value"].Value
		if r["element"].Value != "state" || r["name"].Value != s.table && (own || r["name"].Value != "task") || r["inactive"].Value == "true" || r["language"].Value != "en" {
			continue
		}
		if v != "" && len(v) <= 40 && strings.Trim(v, letters+"_-") == "" {
			all = append(all, ticket.Option{Value: v, Title: reach.Clean(r["label"].Value, 60)})
		}
	}
	return all, nil
}

// findings are what a check found.
type findings []access.Finding

func (f *findings) add(level, what, fix string) {
	*f = append(*f, access.Finding{Level: level, What: what, Fix: fix})
}

func (f *findings) fail(err error) {
	text := "ServiceNow cannot be asked."
	if t, ok := errors.AsType[*ticket.Trouble](err); ok {
		text = t.Text
	}
	f.add("error", text, "")
}

// Check reports who we are in ServiceNow, what we see there, whether it heeds
// our conditions, how notes are written and which states are closed.
func (s *system) Check(ctx context.Context) ([]access.Finding, error) {
	var f findings
	one, err := s.sample(ctx, "")
	if err != nil {
		f.fail(err)
		return f, ctx.Err()
	}
	s.checkUser(ctx, &f)
	if s.client.Plain() {
		f.add("warning", "Calls and credentials travel without encryption.", "Call ServiceNow by https.")
	}
	s.checkTable(ctx, &f, one)
	companies, err := s.Companies(ctx)
	switch {
	case err != nil:
		f.fail(err)
	case len(companies) == 0:
		f.add("error", "The account sees no company, so no customer can be mapped.", "Let it read the table of companies.")
	default:
		f.add("info", fmt.Sprintf("%d companies can be seen, without those that are vendors or manufacturers only.", len(companies)), "Tickets and companies of domains that the account is not in look as if they did not exist.")
	}
	s.checkNotes(ctx, &f, one)
	s.checkStates(ctx, &f)
	return f, ctx.Err()
}

// sample reads one ticket that a condition lets through; nil if there is none.
func (s *system) sample(ctx context.Context, query string) (record, error) {
	var found []record
	_, err := s.get(ctx, s.table, url.Values{"sysparm_query": {query}, "sysparm_limit": {"1"}, "sysparm_fields": {s.wanted() + "," + strings.Join(elements, ",")}, "sysparm_display_value": {"all"}}, &found)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// checkUser says who we are.
func (s *system) checkUser(ctx context.Context, f *findings) {
	u, err := s.account(ctx)
	switch {
	case err == nil && u != nil:
		f.add("ok", fmt.Sprintf("ServiceNow answers, signed in as %s (%s).", reach.Clean(u["name"].Value, 100), reach.Clean(u["user_name"].Value, 100)), "")
	case s.user != "":
		f.add("ok", "ServiceNow answers, signed in as "+reach.Clean(s.user, 100)+".", "")
	default:
		f.add("ok", "ServiceNow answers, and does not say as whom the application signs in.", "")
	}
}

// account reads who we are; nil if that is not to be seen.
func (s *system) account(ctx context.Context) (record, error) {
	var found []record
	_, err := s.get(ctx, "sys_user", url.Values{"sysparm_query": {"sys_id=javascript:gs.getUserID()"}, "sysparm_limit": {"2"}, "sysparm_fields": {"sys_id,user_name,name"}}, &found)
	if err != nil || len(found) != 1 { // two would mean that the condition was left out
		return nil, err
	}
	return found[0], nil
}

// me is the name that notes tell of us.
func (s *system) me(ctx context.Context) (string, error) {
	u, err := s.account(ctx)
	return u["user_name"].Value, err
}

// checkTable says which tickets there are, and whether conditions hold.
func (s *system) checkTable(ctx context.Context, f *findings, one record) {
	if one == nil {
		f.add("warning", "The account sees no ticket in "+s.table+", so nothing more can be told about it.", "Let it read those of your customers.")
		return
	}
	f.add("info", "Tickets are read from "+s.table+". Those that the account may not read look as if they did not exist.", "")
	if _, ok := one[s.companyField]; !ok {
		f.add("error", "Tickets have no field "+s.companyField+" that the account may read, so none can be told to be a customer's.", "Choose the field of the company.")
	}
	loose, err := s.sample(ctx, "jitney_no_such_field=1")
	if err != nil {
		f.fail(err)
		return
	}
	if loose != nil {
		f.add("warning", "ServiceNow leaves out conditions that it does not understand and answers with all tickets. Jitney looks at the company of each again.",
			"Set the system property glide.invalid_query.returns_no_rows to true.")
	}
}

// checkNotes says how notes are written, and whether they can be read back.
func (s *system) checkNotes(ctx context.Context, f *findings, one record) {
	if s.element == "comments" {
		f.add("warning", "Notes are comments: customers see them, and may get them by mail.", "Choose work notes unless that is wanted.")
	} else {
		f.add("info", "Notes are work notes, which only those who work on tickets see.", "")
	}
	seen, err := s.seesJournal(ctx)
	_, shown := one[s.element]
	switch {
	case err != nil:
		f.fail(err)
	case seen:
		f.add("info", "Notes can be read back from the journal.", "")
	case one == nil:
		f.add("warning", "The account sees no note anywhere, so it cannot be told whether it could read one back.", "Let it read sys_journal_field.")
	case shown:
		f.add("warning", "The account sees no row of the journal, so notes are read back from the ticket.", "Let it read sys_journal_field.")
	default:
		f.add("error", "The account sees no notes, so none can be written safely: after a lost answer nobody could tell whether it is there.", "Let it read sys_journal_field.")
	}
}

// checkStates says what closed means here.
func (s *system) checkStates(ctx context.Context, f *findings) {
	options, err := s.Options(ctx, fieldClosed)
	if err != nil || len(options) == 0 {
		f.add("warning", "ServiceNow does not tell the account which states there are. Closed are tickets that are not active, and those in the states "+strings.Join(s.closed, ", ")+". None can be set, and time is not booked in ServiceNow.", "")
		return
	}
	var all, closed []string
	for _, o := range options {
		all = append(all, o.Value+" "+o.Title)
	}
	list := "States: " + strings.Join(all[:min(len(all), 60)], ", ") + "."
	for _, v := range s.closed {
		i := slices.IndexFunc(options, func(o ticket.Option) bool { return o.Value == v })
		if i < 0 && !s.named {
			continue
		}
		if i < 0 {
			f.add("error", "The closed state "+v+" does not exist on "+s.table+".", list)
			continue
		}
		closed = append(closed, options[i].Title)
	}
	f.add("info", "Closed are tickets that are not active, and those in the states "+strings.Join(closed, ", ")+".", list)
	f.add("info", "Where a policy says so, a ticket gets one of these states, if the account may write it and no rule demands other fields with it. Time is not booked in ServiceNow.", list)
}
