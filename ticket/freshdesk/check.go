package freshdesk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Companies lists the companies, at most five thousand.
func (s *system) Companies(ctx context.Context) (all []ticket.Company, err error) {
	seen := map[int64]bool{}
	for page := 1; page <= 50; page++ {
		var found []struct {
			ID   int64
			Name string
		}
		more, err := s.list(ctx, "companies", page, nil, &found)
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, c := range found {
			if c.ID > 0 && !seen[c.ID] {
				seen[c.ID] = true
				all = append(all, ticket.Company{ID: number(c.ID), Name: reach.Clean(c.Name, 200)})
			}
		}
		if !more || len(all) == before {
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
	names, err := s.statusNames.read(ctx)
	for _, id := range slices.Sorted(maps.Keys(names)) {
		all = append(all, ticket.Option{Value: number(id), Title: names[id]})
	}
	return all, err
}

// Check reports who we are in Freshdesk, what we see there, how notes are
// written and which statuses are closed.
func (s *system) Check(ctx context.Context) (found []access.Finding, err error) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	var me struct {
		TicketScope int `json:"ticket_scope"`
		Contact     struct{ Name, Email string }
	}
	if _, err := s.get(ctx, "agents/me", nil, &me); err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	add("ok", fmt.Sprintf("Freshdesk answers, signed in as the agent %s (%s).", reach.Clean(me.Contact.Name, 100), reach.Clean(me.Contact.Email, 100)), "")
	switch me.TicketScope {
	case 1:
		add("info", "The agent sees the tickets of all groups.", "")
	default:
		add("warning", "The agent sees only the tickets of its own groups, or its own. All others look as if they did not exist.", "Give it the ticket scope Global Access.")
	}
	if s.client.Plain() {
		add("warning", "Calls and the key travel without encryption.", "Call Freshdesk by https.")
	}
	companies, err := s.Companies(ctx)
	switch {
	case err != nil:
		found = append(found, finding(err))
	case len(companies) == 0:
		add("error", "The agent sees no company, so no customer can be mapped.", "Make a company for each customer, and let the agent's role view them.")
	default:
		add("info", fmt.Sprintf("%d companies can be seen. A ticket counts for the company that it names, which Freshdesk takes from the requester.", len(companies)), "")
	}
	if s.public {
		add("warning", "Notes are public: customers see them.", "Choose private notes unless that is wanted.")
	} else {
		add("info", "Notes are private, which only agents see.", "")
	}
	return append(append(found, s.checkStatuses(ctx)...), s.checkAfter(ctx)), ctx.Err()
}

// checkAfter says what can be done on a ticket when an access has ended.
func (s *system) checkAfter(ctx context.Context) access.Finding {
	const status = " A ticket gets one of the statuses, which needs a role that may edit its properties."
	var found []entry
	if _, err := s.list(ctx, "time_entries", 1, nil, &found); err != nil {
		return access.Finding{Level: "warning", What: "No time can be booked, for entries of time cannot be read. " + finding(err).What + status, Fix: "Look at the plan and the agent's role, if a policy books time."}
	}
	as := billNo
	if s.billable {
		as = billYes
	}
	return access.Finding{Level: "info", What: "Where a policy says so, time is booked for this agent, " + as + "." + status}
}

// checkStatuses says what closed means here.
func (s *system) checkStatuses(ctx context.Context) (found []access.Finding) {
	names := s.statusNames.words(ctx)
	if len(names) == 0 {
		return []access.Finding{{Level: "warning", What: "Freshdesk does not tell the agent which statuses there are, so tickets are shown with numbers.", Fix: "Closed are Resolved (4), Closed (5) and those chosen in the settings."}}
	}
	var all, closed []string
	for _, id := range slices.Sorted(maps.Keys(names)) {
		all = append(all, number(id)+" "+names[id])
	}
	list := "Statuses: " + strings.Join(all[:min(len(all), 60)], ", ") + "."
	for _, id := range s.closed {
		if names[id] == "" {
			found = append(found, access.Finding{Level: "error", What: fmt.Sprintf("The closed status %d does not exist in Freshdesk.", id), Fix: list})
			continue
		}
		closed = append(closed, names[id])
	}
	return append(found, access.Finding{Level: "info", What: "These statuses count as closed: " + strings.Join(closed, ", ") + ".", Fix: list})
}

func finding(err error) access.Finding {
	text := "Freshdesk cannot be asked."
	if t, ok := errors.AsType[*ticket.Trouble](err); ok {
		text = t.Text
	}
	return access.Finding{Level: "error", What: text}
}
