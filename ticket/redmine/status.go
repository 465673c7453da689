package redmine

import (
	"context"
	"net/http"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// A status is one that tickets can have.
type status struct {
	ref
	IsClosed bool `json:"is_closed"`
}

func allStatuses(ctx context.Context, s *system) ([]status, error) {
	var known struct {
		Statuses []status `json:"issue_statuses"`
	}
	_, err := s.get(ctx, "issue_statuses.json", nil, &known)
	return known.Statuses, err
}

// checkStatuses says which statuses close a ticket.
func checkStatuses(ctx context.Context, s *system) (access.Finding, error) {
	known, err := allStatuses(ctx, s)
	var all, closed []string
	for _, st := range known[:min(len(known), 100)] {
		name := reach.Clean(st.Name, 60)
		all = append(all, name)
		if st.IsClosed {
			closed = append(closed, name)
		}
	}
	if len(closed) == 0 {
		return access.Finding{Level: "warning", What: "No status of Redmine closes a ticket, so every ticket counts as open.", Fix: "Administration, Issue statuses, Issue closed."}, err
	}
	return access.Finding{Level: "info", What: "Closed are tickets with the status " + strings.Join(closed, ", ") + ".", Fix: "Statuses: " + strings.Join(all, ", ") + "."}, err
}

// SetStatus gives a ticket the status of that name. Redmine drops in silence
// what the account may not do, so the ticket is read afterwards.
func (s *system) SetStatus(ctx context.Context, ticketID, name string) error {
	if !isID(ticketID) {
		return &ticket.Trouble{Kind: ticket.Gone, Text: "Redmine has no ticket of that number."}
	}
	known, err := allStatuses(ctx, s)
	if err != nil {
		return before(err)
	}
	names := map[string]string{}
	for _, one := range known {
		if isID(string(one.ID)) {
			names[string(one.ID)] = one.Name
		}
	}
	id, err := reach.StatusNamed(names, name, "Redmine")
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
		return &ticket.Trouble{Kind: ticket.Forbidden, Text: "Redmine did not give the ticket the status " + reach.Clean(name, 60) + ". The account of this connection needs the permission Edit issues and a workflow that allows the step."}
	}
	return nil
}
