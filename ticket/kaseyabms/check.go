package kaseyabms

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Companies lists the accounts that the user may see.
func (s *system) Companies(ctx context.Context) (all []ticket.Company, err error) {
	type account struct {
		ID       int64
		Name     string
		IsActive *bool
	}
	found, _, err := readAll(ctx, s, "v2/crm/accounts/lookup", url.Values{"Filter.WithInactiveAccounts": {"true"}}, func(a account) int64 { return a.ID })
	for _, a := range found {
		all = append(all, ticket.Company{ID: number(a.ID), Name: reach.Clean(a.Name, 200), Closed: a.IsActive != nil && !*a.IsActive})
	}
	return all, err
}

// named is something with a number and a name.
type named struct {
	ID   int64
	Name string
}

// statuses reads what statuses there are.
func (s *system) statuses(ctx context.Context) (map[int64]string, error) {
	var found []named
	if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "v2/system/statuses/lookup", Into: &found}); err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, st := range found {
		if st.ID > 0 {
			names[st.ID] = reach.Clean(st.Name, 60)
		}
	}
	return names, nil
}

// noteTypes reports the types of the notes of some new tickets, for no list of
// all is documented.
func (s *system) noteTypes(ctx context.Context) (map[int64]string, error) {
	var found []record
	if _, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "v2/servicedesk/tickets/search", Into: &found,
		Body: map[string]any{"PageSize": 20, "PageNumber": 1, "Filter": filter{}}}); err != nil {
		return nil, err
	}
	types := map[int64]string{}
	for _, r := range found[:min(len(found), 10)] {
		if r.ID <= 0 {
			continue
		}
		var notes []note
		if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "v2/servicedesk/tickets/" + number(r.ID) + "/notes",
			Query: url.Values{"PageSize": {"20"}, "PageNumber": {"1"}}, Into: &notes}); err != nil {
			return nil, err
		}
		for _, n := range notes {
			if n.TypeID > 0 && len(types) < 100 {
				types[n.TypeID] = reach.Clean(n.TypeName, 60)
			}
		}
	}
	return types, nil
}

// Options reports what can be chosen for a field of the settings.
func (s *system) Options(ctx context.Context, field string) (all []ticket.Option, err error) {
	var names map[int64]string
	switch field {
	case fieldClosed:
		names, err = s.statuses(ctx)
	case fieldType:
		names, err = s.noteTypes(ctx)
	}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		all = append(all, ticket.Option{Value: number(id), Title: names[id]})
	}
	return all, err
}

// Check reports who we are in BMS, what we see there, how notes are written
// and which statuses are closed.
func (s *system) Check(ctx context.Context) (found []access.Finding, err error) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	var me struct {
		FullName, BusinessName string
		IsUserSystemAdmin      bool
	}
	if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "v2/security/userinfo", Into: &me}); err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	add("ok", fmt.Sprintf("Kaseya BMS answers, signed in as %s (%s) of %s.", reach.Clean(me.FullName, 100), s.user, reach.Clean(me.BusinessName, 100)), "")
	if me.IsUserSystemAdmin {
		add("warning", "The user is a system administrator of BMS.", "Use one that may see and note the tickets of your customers, and nothing else.")
	}
	if s.totp.Reveal() == "" {
		add("info", "The user signs in without one-time codes.", "BMS can ask an employee for them; give Jitney the key then.")
	}
	if s.client.Plain() {
		add("warning", "Calls and the password travel without encryption.", "Put BMS behind https.")
	}
	companies, err := s.Companies(ctx)
	switch {
	case err != nil:
		found = append(found, finding(err))
	case len(companies) == 0:
		add("error", "The user sees no account, so no customer can be mapped.", "Give its security role the accounts of your customers.")
	default:
		add("info", fmt.Sprintf("%d accounts can be seen. Tickets of others, and of queues that the user has no access to, look as if they did not exist.", len(companies)), "")
	}
	return append(append(found, s.checkNotes(ctx)...), s.checkStatuses(ctx)...), ctx.Err()
}

// checkNotes says how notes are written.
func (s *system) checkNotes(ctx context.Context) (found []access.Finding) {
	types, err := s.noteTypes(ctx)
	if err != nil {
		return []access.Finding{finding(err)}
	}
	list := "No note of the newest tickets tells a type."
	if len(types) > 0 {
		list = "Types in use: " + listed(types) + "."
	}
	switch {
	case !s.typed:
		found = append(found, access.Finding{Level: "warning", What: "No type of notes is chosen, so BMS may refuse them.", Fix: list})
	case types[s.noteType] == "":
		found = append(found, access.Finding{Level: "info", What: "Notes are of the type " + number(s.noteType) + ".", Fix: list})
	default:
		found = append(found, access.Finding{Level: "info", What: "Notes are of the type " + types[s.noteType] + "."})
	}
	if s.public {
		return append(found, access.Finding{Level: "warning", What: "Notes are public: customers see them in the client portal.", Fix: "Choose internal notes unless that is wanted."})
	}
	return append(found, access.Finding{Level: "info", What: "Notes are internal, and send no mail."})
}

// checkStatuses says which tickets are closed.
func (s *system) checkStatuses(ctx context.Context) (found []access.Finding) {
	names, err := s.statuses(ctx)
	if err != nil {
		return []access.Finding{finding(err)}
	}
	list, closed := "Statuses: "+listed(names)+".", []string{completedName}
	for _, id := range s.closed {
		switch name := names[id]; {
		case name == "":
			found = append(found, access.Finding{Level: "error", What: fmt.Sprintf("The closed status %d does not exist in BMS.", id), Fix: list})
		case !strings.EqualFold(name, completedName):
			closed = append(closed, name)
		}
	}
	return append(found, access.Finding{Level: "info", What: "Closed are tickets with a date of completion, and those with the status " + strings.Join(closed, ", ") + ".", Fix: list},
		access.Finding{Level: "info", What: "Where a policy says so, a ticket gets one of these statuses, which needs the right to edit tickets. Time is not booked in Kaseya BMS.", Fix: list})
}

func listed(names map[int64]string) string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(names)) {
		all = append(all, strings.TrimSpace(number(id)+" "+names[id]))
	}
	return strings.Join(all[:min(len(all), 60)], ", ")
}

func finding(err error) access.Finding {
	text := "Kaseya BMS cannot be asked."
	if t, ok := errors.AsType[*ticket.Trouble](err); ok {
		text = t.Text
	}
	return access.Finding{Level: "error", What: text}
}
