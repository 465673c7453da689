package autotask

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

var (
	_ ticket.Timer = (*system)(nil)
	_ ticket.Mover = (*system)(nil)
)

// An entry is one of time, as it comes.
type entry struct {
	ID, TicketID                int64
	SummaryNotes, InternalNotes string
	CreateDateTime              stamp
}

func (e entry) number() int64 { return e.ID }

// Times reports the entries of time of a ticket that carry key.
func (s *system) Times(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	id, ok := parseID(ticketID)
	if !ok || id == 0 || !ticket.ValidKey(key) {
		return nil, nil
	}
	all, err := readAll[entry](ctx, s, "TimeEntries", []filter{is("eq", "ticketID", id)}, []string{"id", "ticketID", "summaryNotes", "internalNotes", "createDateTime"})
	for _, e := range all {
		if e.TicketID == id && (ticket.Carries(e.SummaryNotes, key) || ticket.Carries(e.InternalNotes, key)) {
			refs = append(refs, ticket.NoteRef{ID: number(e.ID), At: e.CreateDateTime.Time})
		}
	}
	if len(refs) > 0 {
		return refs, nil
	}
	return nil, err // without having read all, nobody knows that ours is not there
}

// longest is the most that Autotask takes as one entry.
const longest = 24 * 60

// BookTime writes one entry of time, for the resource of the settings or the
// one that works on the ticket. The summary, which customers can see, has no
// more than the key; who was allowed what is for the internal notes. It says
// nothing about billing: entries that are not billable are hidden from users
// who may not see those, so that they could not be found again.
func (s *system) BookTime(ctx context.Context, ticketID string, e ticket.TimeEntry) (ticket.NoteRef, error) {
	id, ok := parseID(ticketID)
	switch {
	case !ok || id == 0:
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Gone, Text: "Autotask has no ticket with such a number."}
	case !ticket.ValidKey(e.Key) || e.Minutes <= 0:
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The entry of time has no usable key, or no time."}
	case e.Minutes > longest:
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: fmt.Sprintf("Autotask takes no entry of time of more than 24 hours, and this would be one of %d minutes.", e.Minutes)}
	}
	who, role, err := s.worker(ctx, id)
	if err != nil {
		return ticket.NoteRef{}, err
	}
	from := e.From.UTC().Truncate(time.Second)
	body := map[string]any{
		"ticketID": id, "resourceID": who, "roleID": role, "dateWorked": from.Format("2006-01-02") + "T00:00:00Z",
		"startDateTime": from.Format(time.RFC3339), "endDateTime": from.Add(time.Duration(e.Minutes) * time.Minute).Format(time.RFC3339),
		"hoursWorked":  math.Round(float64(e.Minutes)/60*10000) / 10000,
		"summaryNotes": ticket.Marked("Time of an access", e.Key), "internalNotes": ticket.Marked(reach.Body(e.Text), e.Key),
	}
	made, err := s.write(ctx, ticketID, http.MethodPost, "V1.0/TimeEntries", body)
	return ticket.NoteRef{ID: made}, err
}

// worker reports for whom time is booked on a ticket, and in which role.
func (s *system) worker(ctx context.Context, id int64) (who, role int64, err error) {
	if s.resource > 0 && s.role > 0 {
		return s.resource, s.role, nil
	}
	found, err := readAll[assigned](ctx, s, "Tickets", []filter{is("eq", "id", id)}, []string{"id", "assignedResourceID", "assignedResourceRoleID"})
	switch {
	case err != nil:
		return 0, 0, err
	case len(found) != 1 || found[0].ID != id:
		return 0, 0, &ticket.Trouble{Kind: ticket.Gone, Text: "Autotask has no such ticket, or does not show it to the API user."}
	case found[0].AssignedResourceID <= 0 || found[0].AssignedResourceRoleID <= 0:
		return 0, 0, &ticket.Trouble{Kind: ticket.Rejected, Text: "The ticket is assigned to nobody in Autotask, and the settings of the connection do not say for whom time is booked."}
	}
	return found[0].AssignedResourceID, found[0].AssignedResourceRoleID, nil
}

// An assigned is who works on a ticket, and as what.
type assigned struct{ ID, AssignedResourceID, AssignedResourceRoleID int64 }

func (a assigned) number() int64 { return a.ID }

// SetStatus gives a ticket the status of that label.
func (s *system) SetStatus(ctx context.Context, ticketID, status string) error {
	id, ok := parseID(ticketID)
	if !ok || id == 0 {
		return &ticket.Trouble{Kind: ticket.Gone, Text: "Autotask has no ticket with such a number."}
	}
	p, err := s.lists(ctx)
	if err != nil {
		return err
	}
	names := map[int64]string{}
	for _, c := range p.status {
		if n, ok := parseID(c.Value); ok && c.IsActive {
			names[n] = c.Label
		}
	}
	wanted, err := reach.StatusNamed(names, status, "Autotask")
	if err != nil {
		return err
	}
	name := reach.Clean(status, 60)
	now, err := s.Find(ctx, ticketID)
	if err != nil {
		return err
	}
	if t, ok := now[ticketID]; !ok {
		return &ticket.Trouble{Kind: ticket.Gone, Text: "Autotask has no such ticket, or does not show it to the API user."}
	} else if strings.EqualFold(t.Status, name) {
		return nil
	}
	if _, err := s.write(ctx, ticketID, http.MethodPatch, "V1.0/Tickets", map[string]any{"id": id, "status": wanted}); err != nil {
		return err
	}
	if now, err = s.Find(ctx, ticketID); err != nil {
		return err
	}
	if !strings.EqualFold(now[ticketID].Status, name) {
		return &ticket.Trouble{Kind: ticket.Rejected, Text: "Autotask did not give the ticket the status " + name + "; a workflow rule may have changed it."}
	}
	return nil
}
