package redmine

import (
	"context"
	"net/http"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// SetStatus gives a ticket the status of that name. Redmine drops in silence
// what the account may not do, so the ticket is read afterwards.
func (s *system) SetStatus(ctx context.Context, ticketID, status string) error {
	if !isID(ticketID) {
		return &ticket.Trouble{Kind: ticket.Gone, Text: "Redmine has no ticket of that number."}
	}
	var known struct {
		IssueStatuses []ref `json:"issue_statuses"`
	}
	if _, err := s.get(ctx, "issue_statuses.json", nil, &known); err != nil {
		return before(err)
	}
	names := map[string]string{}
	for _, one := range known.IssueStatuses {
		if isID(string(one.ID)) {
			names[string(one.ID)] = one.Name
		}
	}
	id, err := reach.StatusNamed(names, status, "Redmine")
	if err != nil {
		return err
	}
	_, err = s.client.Do(ctx, reach.Call{Method: http.MethodPut, Path: "issues/" + ticketID + ".json", Body: map[string]any{"issue": map[string]any{"status_id": id}}, Writes: true})
	if err != nil {
		return err
	}
	now, err := s.issue(ctx, ticketID, false)
	if err != nil {
		return err
	}
	if string(now.Status.ID) != id {
		return &ticket.Trouble{Kind: ticket.Forbidden, Text: "Redmine did not give the ticket the status " + reach.Clean(status, 60) + ". The account of this connection needs the permission Edit issues and a workflow that allows the step."}
	}
	return nil
}
