package connectwise

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Companies lists the companies that the API member may see.
func (s *system) Companies(ctx context.Context) (all []ticket.Company, err error) {
	last := int64(0)
	for range 20 {
		var found []struct {
			ref
			DeletedFlag bool
		}
		q := url.Values{"conditions": {"id>" + number(last)}, "orderBy": {"id asc"}, "pageSize": {"500"}, "page": {"1"}, "fields": {"id,identifier,name,deletedFlag"}}
		if err := s.get(ctx, "company/companies", q, &found); err != nil {
			return nil, err
		}
		before := last
		for _, c := range found {
			if c.ID > last {
				last = c.ID
				all = append(all, ticket.Company{ID: number(c.ID), Name: reach.Clean(c.Name, 200), Closed: c.DeletedFlag})
			}
		}
		if len(found) < 500 || last == before {
			break
		}
	}
	return all, nil
}

// Options reports what can be chosen for a field of the settings.
func (s *system) Options(ctx context.Context, field string) (all []ticket.Option, err error) {
	path, ok := map[string]string{fieldType: "time/workTypes", fieldRole: "time/workRoles"}[field]
	if !ok {
		return nil, nil
	}
	var found []struct {
		ref
		InactiveFlag bool
	}
	err = s.get(ctx, path, url.Values{"pageSize": {"1000"}, "page": {"1"}}, &found)
	for _, f := range found {
		if f.ID > 0 && !f.InactiveFlag {
			all = append(all, ticket.Option{Value: number(f.ID), Title: reach.Clean(f.Name, 100)})
		}
	}
	return all, err
}

// A board is a service board.
type board struct {
	ref
	InactiveFlag bool
}

// Check reports who we are in ConnectWise, what we see there, which notes are
// written and which statuses are closed.
func (s *system) Check(ctx context.Context) (found []access.Finding, err error) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	var info struct{ Version string }
	if err := s.get(ctx, "system/info", nil, &info); err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	add("ok", fmt.Sprintf("ConnectWise PSA %s answers, signed in to %s with the API key %s.", reach.Clean(info.Version, 40), s.company, s.public), "")
	if s.api.Plain() {
		add("warning", "Calls and the keys travel without encryption.", "Put ConnectWise PSA behind https.")
	}
	companies, err := s.Companies(ctx)
	switch {
	case err != nil:
		found = append(found, finding(err))
	case len(companies) == 0:
		add("error", "The API member sees no company, so no customer can be mapped.", "Give its role inquire all on companies.")
	default:
		add("info", fmt.Sprintf("%d companies can be seen.", len(companies)), "")
	}
	found = append(found, s.checkBoards(ctx)...)
	if s.discuss {
		add("warning", "Notes go to the discussion, where customers see them.", "Choose internal notes unless that is wanted.")
	} else {
		add("info", "Notes go to Internal Analysis, which only people inside see. They send no mail.", "")
	}
	return append(found, s.checkAfter(ctx)), ctx.Err()
}

// checkAfter says what can be done on a ticket when an access has ended.
func (s *system) checkAfter(ctx context.Context) access.Finding {
	const status = " A ticket gets a status of its board, which needs the right to edit service tickets."
	if s.member == "" {
		return access.Finding{Level: "info", What: "No time can be booked, for the settings name no member for it." + status}
	}
	var found []entry
	if err := s.get(ctx, "time/entries", url.Values{"conditions": {"chargeToId=1"}, "pageSize": {"1"}, "page": {"1"}}, &found); err != nil {
		return access.Finding{Level: "warning", What: "No time can be booked, for entries of time cannot be read. " + finding(err).What + status, Fix: "Give the API member's role time entry, add and inquire all, if a policy books time."}
	}
	return access.Finding{Level: "info", What: "Where a policy says so, time is booked for the member " + s.member + "." + status}
}

// checkBoards says which boards can be seen, and what closed means on them.
func (s *system) checkBoards(ctx context.Context) []access.Finding {
	var boards []board
	if err := s.get(ctx, "service/boards", url.Values{"pageSize": {"1000"}, "page": {"1"}, "fields": {"id,name,inactiveFlag"}}, &boards); err != nil {
		return []access.Finding{finding(err)}
	}
	boards = slices.DeleteFunc(boards, func(b board) bool { return b.InactiveFlag || b.ID <= 0 })
	if len(boards) == 0 {
		return []access.Finding{{Level: "error", What: "The API member sees no service board, so no ticket can be chosen.", Fix: "Give its role the boards of your customers."}}
	}
	var names, closed []string
	for _, b := range boards[:min(len(boards), 10)] {
		names = append(names, reach.Clean(b.Name, 60))
		var statuses []struct {
			Name         string
			ClosedStatus bool
		}
		if err := s.get(ctx, "service/boards/"+number(b.ID)+"/statuses", url.Values{"pageSize": {"200"}, "page": {"1"}}, &statuses); err != nil {
			return []access.Finding{finding(err)}
		}
		for _, st := range statuses {
			if name := reach.Clean(st.Name, 40); st.ClosedStatus && !slices.Contains(closed, name) {
				closed = append(closed, name)
			}
		}
	}
	shown := strings.Join(names, ", ")
	if more := len(boards) - len(names); more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	found := []access.Finding{{Level: "info", What: fmt.Sprintf("%d service boards can be seen: %s. Tickets on any other, and project tickets, look as if they did not exist.", len(boards), shown)}}
	if len(closed) == 0 {
		return append(found, access.Finding{Level: "warning", What: "No status of these boards counts as closed, so closing a ticket will not end access.", Fix: "Mark the closed statuses of each board as Closed Status in ConnectWise."})
	}
	return append(found, access.Finding{Level: "info", What: "These statuses count as closed, each on its board: " + strings.Join(closed[:min(len(closed), 12)], ", ") + "."})
}

func finding(err error) access.Finding {
	text := "ConnectWise PSA cannot be asked."
	if t, ok := errors.AsType[*ticket.Trouble](err); ok {
		text = t.Text
	}
	return access.Finding{Level: "error", What: text}
}
