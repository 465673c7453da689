package servicenow

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"jitney/ticket"
	"jitney/ticket/reach"
)

var _ ticket.Mover = (*system)(nil)

// SetStatus gives a ticket the state of that label. What the account may not
// write is left out without a word, so the ticket is read afterwards.
//
// Time is not booked in ServiceNow: which of the fields of task_time_worked
// counts when a row is made, and what rules then make of it, differs and is
// not documented.
func (s *system) SetStatus(ctx context.Context, ticketID, status string) error {
	if !isID(ticketID) {
		return trouble(ticket.Gone, "ServiceNow has no such ticket.", nil)
	}
	states, err := s.Options(ctx, fieldClosed)
	if err != nil {
		return err
	}
	var same []string
	for _, o := range states {
		if strings.EqualFold(strings.TrimSpace(o.Title), strings.TrimSpace(status)) {
			same = append(same, o.Value)
		}
	}
	name := reach.Clean(status, 60)
	if len(same) != 1 {
		return trouble(ticket.Rejected, fmt.Sprintf("ServiceNow tells the account of %d states of %s that are called %s; there must be one.", len(same), s.table, name), nil)
	}
	state := func() (string, error) {
		var r record
		_, err := s.get(ctx, s.table+"/"+ticketID, url.Values{"sysparm_fields": {"sys_id,state"}}, &r)
		return r["state"].Value, err
	}
	if now, err := state(); err != nil || now == same[0] {
		return err
	}
	var changed record
	if _, err := s.do(ctx, reach.Call{Method: http.MethodPatch, Path: s.table + "/" + ticketID, Into: &changed, Writes: true,
		Query: url.Values{"sysparm_fields": {"sys_id,state"}, "sysparm_exclude_reference_link": {"true"}}, Body: map[string]string{"state": same[0]}}); err != nil {
		return err
	}
	now, err := state()
	if err != nil {
		return err
	}
	if now != same[0] {
		return trouble(ticket.Forbidden, "ServiceNow took the state "+name+" and does not show it: the account may not write it, or a rule takes it back.", nil)
	}
	return nil
}
