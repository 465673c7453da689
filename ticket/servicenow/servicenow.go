// Package servicenow connects ServiceNow through its Table API: five calls, no
// library.
//
// ServiceNow leaves out conditions that it does not understand, and rows,
// fields and changes for which a right is missing, and tells nobody. So
// conditions are made of ids and of fixed words only, everything that comes is
// looked at again, and a note counts as written when it can be read. A
// customer's company is a company there, by its sys_id. A note is a work note
// and carries its key in its last line. The package sends credentials to the
// host in its settings only, and never repeats a request that writes.
package servicenow

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// Tables whose states are known.
const (
	tableIncident = "incident"
	tableCase     = "sn_customerservice_case"
)

// A system is one connected ServiceNow.
type system struct {
	settings
	client *reach.Client
	issuer *reach.Issuer // nil if the user signs in without an application
	self   ticket.Account
}

var (
	_ ticket.System   = (*system)(nil)
	_ ticket.Checker  = (*system)(nil)
	_ ticket.Importer = (*system)(nil)
	_ ticket.Picker   = (*system)(nil)
)

const (
	most  = 100  // tickets of one answer
	batch = 50   // ids of one condition, so that the address stays short
	scan  = 5    // answers that are read for one page
	far   = 5000 // how far into a list a cursor may point
)

// Limits reports what ServiceNow takes: fields of notes are made for 4000
// characters, and whether longer ones are cut is for the instance to say. The
// grace is longer than its front ends hold a request whose caller left.
func (s *system) Limits() ticket.Limits { return ticket.Limits{Body: 3900, Grace: 2 * time.Minute} }

// Close ends idle connections.
func (s *system) Close() error {
	if s.issuer != nil {
		_ = s.issuer.Close()
	}
	return s.client.Close()
}

// Tickets lists the open tickets of a company, the newest first. Rows are
// counted, for those that the account may not see are missing from an answer;
// so a ticket that closes in between can hide another one until the list is
// read again.
func (s *system) Tickets(ctx context.Context, q ticket.Query) (page ticket.Page, err error) {
	from, err := strconv.Atoi("0" + q.Cursor)
	if !isID(q.Company) || err != nil || from > far {
		return ticket.Page{}, nil
	}
	limit := q.Limit
	if limit <= 0 || limit > most {
		limit = most
	}
	query := s.companyField + "=" + q.Company + "^active=true^stateNOT IN" + strings.Join(s.closed, ",") + search(q.Text) + "^ORDERBYDESCsys_created_on^ORDERBYDESCnumber"
	for range scan {
		var found []record
		answer, err := s.get(ctx, s.table, url.Values{"sysparm_query": {query}, "sysparm_offset": {strconv.Itoa(from)}, "sysparm_limit": {strconv.Itoa(limit)}, "sysparm_fields": {s.wanted()}, "sysparm_display_value": {"all"}}, &found)
		if err != nil {
			return ticket.Page{}, err
		}
		for _, r := range found {
			t := s.show(r)
			switch {
			case !isID(t.ID) || !t.Open:
			case t.Company != q.Company:
				page.Foreign++
			case matches(t, q.Text):
				page.Tickets = append(page.Tickets, t)
			}
		}
		page.Next = ""
		if from += limit; from > far || !more(answer, from, len(found) >= limit) {
			return page, nil
		}
		page.Next = strconv.Itoa(from)
		if len(page.Tickets) > 0 {
			return page, nil
		}
	}
	return page, nil
}

// more reports whether there are rows after the first from: an answer can be
// short, or empty, because of rights. The address in Link is not followed.
func more(a reach.Answer, from int, full bool) bool {
	if total, err := strconv.Atoi(a.Header.Get("X-Total-Count")); err == nil {
		return total > from
	}
	return full || strings.Contains(a.Header.Get("Link"), `rel="next"`)
}

// search is the part of a condition that looks for text. It may find more
// than asked for; see matches.
func search(text string) string {
	part := plain(strings.TrimPrefix(strings.TrimSpace(text), "#"))
	if part == "" {
		return ""
	}
	return "^short_descriptionLIKE" + part + "^ORnumberLIKE" + part
}

// plain is the longest part of text that means nothing in a condition: what
// stands after a ^ would be another one, and what begins with javascript:
// would be run.
func plain(text string) (best string) {
	safe := func(r rune) bool { return strings.ContainsRune(letters+" -_./#", r) || r > 0xbf && r < 0x2000 }
	for part := range strings.FieldsFuncSeq(text[:min(len(text), 100)], func(r rune) bool { return !safe(r) }) {
		if part = strings.ToValidUTF8(strings.TrimSpace(part), ""); len(part) > len(best) {
			best = part
		}
	}
	return best
}

// matches checks what the search let through.
func matches(t ticket.Ticket, text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return strings.Contains(strings.ToLower(t.Title), text) || strings.Contains(strings.ToLower(t.Number), strings.TrimPrefix(text, "#"))
}

// Find reports the tickets with these ids, as many in one call as the address
// can hold.
func (s *system) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	found := make(map[string]ticket.Ticket, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !isID(id) })
	for part := range slices.Chunk(ids, batch) {
		var records []record
		_, err := s.get(ctx, s.table, url.Values{"sysparm_query": {"sys_idIN" + strings.Join(part, ",")}, "sysparm_limit": {strconv.Itoa(len(part))}, "sysparm_fields": {s.wanted()}, "sysparm_display_value": {"all"}}, &records)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if t := s.show(r); slices.Contains(part, t.ID) {
				found[t.ID] = t
			}
		}
	}
	return found, nil
}

// wanted are the fields of a ticket.
func (s *system) wanted() string {
	return "sys_id,number,short_description,state,active,assigned_to,opened_at,sys_created_on,sys_updated_on," + s.companyField
}

// show makes a Ticket of what came. What is not told is not taken for open.
func (s *system) show(r record) ticket.Ticket {
	id, state := r["sys_id"].Value, r["state"].Value
	t := ticket.Ticket{
		ID: id, Number: reach.Clean(r["number"].Value, 60), Title: reach.Clean(r["short_description"].Value, 300), Status: reach.Clean(r["state"].shown(), 60),
		Open:         r["active"].Value == "true" && state != "" && !slices.Contains(s.closed, state),
		AcceptsNotes: true, // who may write to a closed ticket is for the instance to say
		URL:          s.client.URL("nav_to.do", url.Values{"uri": {s.table + ".do?sys_id=" + id}}.Encode()),
		OpenedAt:     r["opened_at"].time(), UpdatedAt: r["sys_updated_on"].time(),
		Assignee: reach.Clean(r["assigned_to"].shown(), 100),
	}
	if company := r[s.companyField].Value; isID(company) {
		t.Company = company
	}
	if t.OpenedAt.IsZero() {
		t.OpenedAt = r["sys_created_on"].time()
	}
	return t
}
