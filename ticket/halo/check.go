package halo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// Companies lists the clients that the agent may see.
func (s *system) Companies(ctx context.Context) (all []ticket.Company, err error) {
	seen := map[int64]bool{}
	for page := 1; page <= 50; page++ {
		var found list[struct {
			ID       int64  `json:"id"`
			Name     string `json:"name"`
			Inactive bool   `json:"inactive"`
		}]
		q := url.Values{"pageinate": {"true"}, "page_size": {strconv.Itoa(most)}, "page_no": {strconv.Itoa(page)}, "includeactive": {"true"}, "includeinactive": {"true"}, "order": {"id"}}
		if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "api/Client", Query: q, Into: &found}); err != nil {
			return nil, err
		}
		before := len(all)
		for _, c := range found.items {
			if c.ID > 0 && !seen[c.ID] {
				seen[c.ID] = true
				all = append(all, ticket.Company{ID: number(c.ID), Name: reach.Clean(c.Name, 200), Closed: c.Inactive})
			}
		}
		if len(found.items) == 0 || len(all) == before || found.count > 0 && len(all) >= found.count || found.count == 0 && len(found.items) < most {
			break
		}
	}
	return all, nil
}

// named is something with a number and a name.
type named struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// statuses reads what statuses there are.
func (s *system) statuses(ctx context.Context) (map[int64]string, error) {
	s.mu.Lock()
	names, at := s.names, s.readAt
	s.mu.Unlock()
	if !at.IsZero() && time.Since(at) < 10*time.Minute {
		return names, nil
	}
	var found list[named]
	if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "api/Status", Query: url.Values{"showall": {"true"}}, Into: &found}); err != nil {
		return nil, err
	}
	names = map[int64]string{}
	for _, st := range found.items {
		if st.ID > 0 {
			names[st.ID] = reach.Clean(st.Name, 60)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names, s.readAt = names, time.Now()
	return names, nil
}

// statusNames are for people only, so there can be none.
func (s *system) statusNames(ctx context.Context) map[int64]string {
	names, err := s.statuses(ctx)
	if err != nil {
		return map[int64]string{}
	}
	return names
}

// Options reports what can be chosen for a field of the settings. The list of
// outcomes is not in every description of the interface; without it the name
// is typed.
func (s *system) Options(ctx context.Context, field string) (all []ticket.Option, err error) {
	switch field {
	case fieldClosed:
		names, err := s.statuses(ctx)
		for _, id := range slices.Sorted(maps.Keys(names)) {
			all = append(all, ticket.Option{Value: number(id), Title: names[id]})
		}
		return all, err
	case fieldOutcome:
		outcomes, err := s.outcomes(ctx)
		for _, name := range outcomes {
			all = append(all, ticket.Option{Value: name, Title: name})
		}
		return all, err
	}
	return nil, nil
}

func (s *system) outcomes(ctx context.Context) (names []string, err error) {
	var found list[struct {
		Outcome string `json:"outcome"`
	}]
	if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "api/Outcome", Into: &found}); err != nil {
		return nil, err
	}
	for _, o := range found.items {
		if name := reach.Clean(o.Outcome, 100); name != "" && name == o.Outcome {
			names = append(names, name)
		}
	}
	return names, nil
}

// Check reports who we are in Halo, what we see there, how notes are written
// and which statuses are closed.
func (s *system) Check(ctx context.Context) (found []access.Finding, err error) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	var me named
	if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "api/Agent/me", Into: &me}); err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	if me.ID <= 0 {
		add("warning", "Halo answers, but does not say as which agent the application signs in.", "Choose an agent for it under Login Type.")
	} else {
		add("ok", "Halo answers, signed in as the agent "+reach.Clean(me.Name, 100)+".", "")
	}
	if s.client.Plain() {
		add("warning", "Calls and tokens travel without encryption.", "Put Halo behind https.")
	}
	companies, err := s.Companies(ctx)
	switch {
	case err != nil:
		found = append(found, finding(err))
	case len(companies) == 0:
		add("error", "The agent sees no client, so no customer can be mapped.", "Set Allow use of all Customers to Yes for it, and give the application read:customers.")
	default:
		add("info", fmt.Sprintf("%d clients can be seen. Tickets of teams that the agent is not in, and of clients that it may not use, look as if they did not exist.", len(companies)),
			"Add the agent to every team, and set Allow use of all Customers to Yes.")
	}
	return append(found, s.checkLists(ctx)...), ctx.Err()
}

// checkLists says what notes and closed tickets are here.
func (s *system) checkLists(ctx context.Context) (found []access.Finding) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	outcomes, err := s.outcomes(ctx)
	known := slices.ContainsFunc(outcomes, func(name string) bool { return strings.EqualFold(name, s.outcome) })
	switch {
	case err != nil || len(outcomes) == 0:
		add("warning", "Halo does not tell which outcomes there are, so nobody knows whether "+s.outcome+" is one. Without it notes are refused.", "")
	case !known:
		add("error", "Halo has no outcome called "+s.outcome+", so notes would be refused.", "There are: "+strings.Join(outcomes[:min(len(outcomes), 40)], ", ")+".")
	default:
		add("info", "Notes are actions with the outcome "+s.outcome+", hidden from end users. They send no mail.", "")
	}
	names, err := s.statuses(ctx)
	if err != nil {
		return append(found, finding(err))
	}
	var all, closed []string
	for _, id := range slices.Sorted(maps.Keys(names)) {
		all = append(all, number(id)+" "+names[id])
	}
	list := "Statuses: " + strings.Join(all[:min(len(all), 60)], ", ") + "."
	for _, id := range s.closed {
		if names[id] == "" {
			add("error", fmt.Sprintf("The closed status %d does not exist in Halo.", id), list)
			continue
		}
		closed = append(closed, names[id])
	}
	add("info", "Closed are tickets that Halo does not list as open, those with a closing date, and those with the status "+strings.Join(closed, ", ")+".", list)
	add("info", "Where a policy says so, time is booked as a hidden action that took time, and a ticket gets one of these statuses, which needs edit:tickets.", list)
	return found
}

func finding(err error) access.Finding {
	text := "Halo cannot be asked."
	if t, ok := errors.AsType[*ticket.Trouble](err); ok {
		text = t.Text
	}
	return access.Finding{Level: "error", What: text}
}
