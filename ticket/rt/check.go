package rt

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// A queue is what Request Tracker says of one.
type queue struct {
	ID                            ident
	Name                          string
	Disabled                      ident
	TicketCustomFields            []field
	TicketTransactionCustomFields []field
}

func (q queue) transactionFields() []string { return names(q.TicketTransactionCustomFields) }

func names(fields []field) (all []string) {
	for _, f := range fields {
		all = append(all, f.Name)
	}
	return all
}

func (s *system) queue(ctx context.Context, id string) (q queue, err error) {
	_, err = s.get(ctx, "queue/"+id, nil, &q)
	return q, err
}

// queues lists those that the account may see.
func (s *system) queues(ctx context.Context) (all []queue, err error) {
	for page := 1; page <= 50; page++ {
		var found list[queue]
		if _, err := s.get(ctx, "queues/all", url.Values{"fields": {"Name,Disabled"}, "per_page": {strconv.Itoa(most)}, "page": {strconv.Itoa(page)}}, &found); err != nil {
			return nil, err
		}
		for _, q := range found.Items {
			if isID(string(q.ID)) {
				all = append(all, q)
			}
		}
		if found.NextPage == "" {
			break
		}
	}
	return all, nil
}

// Companies lists the queues that the account may see, or the values that the
// custom field of customers has on its open tickets.
func (s *system) Companies(ctx context.Context) (all []ticket.Company, err error) {
	if s.companyField != "" {
		return s.values(ctx)
	}
	queues, err := s.queues(ctx)
	for _, q := range queues {
		all = append(all, ticket.Company{ID: string(q.ID), Name: reach.Clean(q.Name, 200), Closed: q.Disabled == "1"})
	}
	return all, err
}

// values reads the companies off the newest open tickets, for the values of a
// field can be free text.
func (s *system) values(ctx context.Context) (all []ticket.Company, err error) {
	query := "Status = '__Active__'"
	for more, pages := "", 0; pages < 20; pages++ {
		found, err := s.search(ctx, query+more, most)
		if err != nil {
			return nil, err
		}
		for _, t := range found.Items {
			shown, ok := s.show(t)
			if c := (ticket.Company{ID: shown.Company, Name: reach.Clean(shown.Company, 200)}); ok && c.ID != "" && !slices.Contains(all, c) {
				all = append(all, c)
			}
			if ok {
				more = " AND id < " + shown.ID
			}
		}
		if found.NextPage == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b ticket.Company) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Options reports the custom fields that can be chosen for a field of the
// settings, of the first queues that the account sees.
func (s *system) Options(ctx context.Context, name string) (all []ticket.Option, err error) {
	if name != fieldKey && name != fieldCompanyField {
		return nil, nil
	}
	queues, err := s.queues(ctx)
	for _, q := range queues[:min(len(queues), 5)] {
		whole, err := s.queue(ctx, string(q.ID))
		if err != nil {
			return nil, err
		}
		fields := whole.TicketCustomFields
		if name == fieldKey {
			fields = whole.TicketTransactionCustomFields
		}
		for _, f := range fields {
			if o := (ticket.Option{Value: f.Name, Title: reach.Clean(f.Name, 100)}); !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	return all, err
}

// Check reports who we are in Request Tracker, what we see there, and whether
// notes can be found again.
func (s *system) Check(ctx context.Context) (found []access.Finding, err error) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	var version struct{ Version string }
	if _, err := s.get(ctx, "rt", nil, &version); err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	who := ""
	if me, err := whoami(s)(ctx); err == nil && me != "" {
		who = ", signed in as " + reach.Clean(me, 100)
	}
	add("ok", "Request Tracker "+reach.Clean(version.Version, 60)+" answers"+who+".", "")
	if v := version.Version; v != "" && v[0] < '5' && !strings.HasPrefix(v, "1") {
		add("error", "This version of Request Tracker is too old.", "Request Tracker 5 is needed.")
	}
	if s.client.Plain() {
		add("warning", "Calls and the token travel without encryption.", "Put Request Tracker behind https.")
	}
	queues, err := s.queues(ctx)
	if err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	queues = slices.DeleteFunc(queues, func(q queue) bool { return q.Disabled == "1" })
	if len(queues) == 0 {
		add("error", "The account sees no queue, so no ticket can be chosen.", "Give it SeeQueue and ShowTicket on the queues of your customers.")
		return found, ctx.Err()
	}
	add("info", fmt.Sprintf("%d queues can be seen; tickets in any other look as if they did not exist.", len(queues)), "")
	add("info", "Notes are comments, which only people inside see. Which statuses count as closed is for each queue's lifecycle in Request Tracker to say.", "")
	add("info", "Where a policy says so, time is booked as a comment that took time, and a ticket gets a status of its queue's lifecycle. The latter needs the right ModifyTicket, of which Request Tracker does not tell beforehand.", "")
	return append(found, s.checkKeys(ctx, queues)...), ctx.Err()
}

// whoami reads the name of the user whose token this is; empty if the token
// does not say.
func whoami(s *system) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		parts := strings.Split(s.token.Reveal(), "-")
		if len(parts) != 3 || !isID(parts[1]) { // 1-14-…: version, user, secret
			return "", nil
		}
		var user struct{ Name string }
		_, err := s.get(ctx, "user/"+parts[1], nil, &user)
		return user.Name, err
	}
}

// checkKeys says how notes are found again.
func (s *system) checkKeys(ctx context.Context, queues []queue) []access.Finding {
	if s.keyField == "" {
		return []access.Finding{{Level: "info", What: "Notes are found again by their last line.", Fix: "A custom field for keys makes that quicker and keeps the line out of sight of filters."}}
	}
	var without []string
	for _, q := range queues[:min(len(queues), 20)] {
		whole, err := s.queue(ctx, string(q.ID))
		if err != nil {
			return []access.Finding{finding(err)}
		}
		if !slices.Contains(whole.transactionFields(), s.keyField) {
			without = append(without, reach.Clean(q.Name, 60))
		}
	}
	if len(without) > 0 {
		return []access.Finding{{Level: "warning", What: fmt.Sprintf("The custom field %s is not on the transactions of %d of the queues, such as %s; there, notes are found by their last line.", s.keyField, len(without), without[0]),
			Fix: "Apply it to all queues, as a field for ticket transactions, and let the account see and change it."}}
	}
	return []access.Finding{{Level: "ok", What: "Notes are found again by the custom field " + s.keyField + "."}}
}

func finding(err error) access.Finding {
	text := "Request Tracker cannot be asked."
	if t, ok := err.(*ticket.Trouble); ok {
		text = t.Text
	}
	return access.Finding{Level: "error", What: text}
}
