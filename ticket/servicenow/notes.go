package servicenow

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// elements are the fields of a ticket that notes can have been written to:
// the setting may have changed since.
var elements = []string{"work_notes", "comments"}

// rows is how many rows of the journal are read.
const rows = 500

// Notes reports the notes of a ticket that carry key. They are looked for in
// the journal, and if they are not there in what the ticket itself shows of
// its notes, for rights can hide either without a word. If both are hidden
// nobody knows, and it is an error.
func (s *system) Notes(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	if !isID(ticketID) || !ticket.ValidKey(key) {
		return nil, nil
	}
	refs, seen, hidden, err := s.journal(ctx, ticketID, key)
	if err != nil || len(refs) > 0 || seen && !hidden { // what is seen then, with the key in it, is others'
		return refs, err
	}
	var r record
	_, err = s.get(ctx, s.table+"/"+ticketID, url.Values{"sysparm_fields": {"sys_id," + strings.Join(elements, ",")}, "sysparm_display_value": {"true"}}, &r)
	if err != nil && ticket.TroubleOf(err) == ticket.Gone {
		return nil, nil // the note that follows will say so
	}
	if err != nil {
		return nil, err
	}
	for _, e := range elements {
		for range times(r[e].Value, key) {
			refs = append(refs, ticket.NoteRef{})
		}
	}
	if text, shown := r[s.element]; len(refs) > 0 || shown && !(hidden && text.Value == "") {
		return refs, nil
	}
	if !seen && !hidden {
		seen, err = s.seesJournal(ctx)
	}
	if err == nil && (hidden || !seen) {
		return nil, trouble(ticket.Forbidden, "ServiceNow shows the account no notes, neither on the ticket nor in the journal, so it cannot be told whether ours is there. Let it read sys_journal_field.", nil)
	}
	return nil, err
}

// seesJournal reports whether the account sees any note in the journal.
func (s *system) seesJournal(ctx context.Context) (bool, error) {
	var found []record
	_, err := s.get(ctx, "sys_journal_field", url.Values{"sysparm_query": {"element=" + s.element}, "sysparm_limit": {"20"}, "sysparm_fields": {"sys_id,element"}}, &found)
	if err != nil && ticket.TroubleOf(err) == ticket.Forbidden {
		return false, nil
	}
	return slices.ContainsFunc(found, func(r record) bool { return r["element"].Value == s.element }), err
}

// journal looks for key among the notes of a ticket, and reports whether the
// account has seen any row at all, and whether rows were counted that rights
// then took out.
func (s *system) journal(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, seen, hidden bool, err error) {
	var found []record
	q := url.Values{"sysparm_query": {"element_id=" + ticketID + "^valueLIKE" + key + "^ORDERBYDESCsys_created_on"}, "sysparm_limit": {strconv.Itoa(rows)},
		"sysparm_fields": {"sys_id,element_id,element,value,sys_created_on,sys_created_by"}}
	answer, err := s.get(ctx, "sys_journal_field", q, &found)
	if kind := ticket.TroubleOf(err); err != nil && (kind == ticket.Forbidden || kind == ticket.Gone) {
		return nil, false, false, nil
	}
	if err != nil {
		return nil, false, false, err
	}
	for _, r := range found {
		if r["element_id"].Value != ticketID || !slices.Contains(elements, r["element"].Value) || !ticket.Carries(r["value"].Value, key) {
			continue
		}
		if ours, err := s.self.Wrote(ctx, r["sys_created_by"].Value, s.me); err != nil {
			return nil, false, false, err
		} else if ours {
			refs = append(refs, ticket.NoteRef{ID: reach.Clean(r["sys_id"].Value, 60), At: r["sys_created_on"].time()})
		}
	}
	if len(refs) == 0 && len(found) >= rows { // it does not heed the condition
		return nil, true, false, trouble(ticket.Down, fmt.Sprintf("ServiceNow sends more than %d notes, so it cannot be told whether ours is among them.", rows), nil)
	}
	return refs, len(found) > 0, more(answer, len(found), false), nil
}

// times counts how often text carries key.
func times(text, key string) (n int) {
	for from := 0; ; {
		i := strings.Index(text[from:], key)
		if i < 0 {
			return n
		}
		i += from
		from = i + len(key)
		if ticket.Carries(text[max(i-1, 0):min(from+1, len(text))], key) {
			n++
		}
	}
}

// AddNote writes one note with one request, and looks whether it is there: a
// field that the account may not write is left out without a word.
func (s *system) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	if !isID(ticketID) {
		return ticket.NoteRef{}, trouble(ticket.Gone, "ServiceNow has no such ticket.", nil)
	}
	if !ticket.ValidKey(n.Key) {
		return ticket.NoteRef{}, trouble(ticket.Rejected, "The note has no usable key.", nil)
	}
	var r record
	_, err := s.do(ctx, reach.Call{Method: http.MethodPatch, Path: s.table + "/" + ticketID, Into: &r, Writes: true,
		Query: url.Values{"sysparm_fields": {"sys_id," + s.element}, "sysparm_display_value": {"true"}, "sysparm_exclude_reference_link": {"true"}},
		Body:  map[string]string{s.element: quiet(ticket.Marked(reach.Body(n.Body), n.Key))}})
	if err != nil {
		return ticket.NoteRef{}, err
	}
	if ticket.Carries(r[s.element].Value, n.Key) {
		return ticket.NoteRef{}, nil
	}
	refs, err := s.Notes(ctx, ticketID, n.Key)
	switch {
	case err == nil && len(refs) > 0:
		return refs[0], nil
	case err == nil || ticket.TroubleOf(err) == ticket.Forbidden:
		return ticket.NoteRef{}, trouble(ticket.Forbidden, "ServiceNow took the note and does not show it: the account may not write "+s.element+", or may not read it. Look at the ticket before you try again.", err)
	default:
		return ticket.NoteRef{}, trouble(ticket.Doubtful, "ServiceNow took the note, but could not be asked whether it is there.", err)
	}
}

var code = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)\[(/?code)\]`) })

// quiet takes the meaning out of what ServiceNow would not show as text: what
// stands between [code] and [/code] is HTML to it, and @[…] calls somebody.
func quiet(text string) string {
	return strings.ReplaceAll(code().ReplaceAllString(text, "[ $1]"), "@[", "@ [")
}
