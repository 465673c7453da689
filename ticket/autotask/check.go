package autotask

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// A company is one as it comes.
type company struct {
	ID          int64
	CompanyName string
	IsActive    bool
}

func (c company) number() int64 { return c.ID }

// customer is the number of that type of company.
const customer = 1

// Companies lists the companies that the API user may see, customers only
// unless the settings say otherwise.
func (s *system) Companies(ctx context.Context) (all []ticket.Company, err error) {
	var filters []filter
	if !s.all {
		filters = append(filters, is("eq", "companyType", customer))
	}
	found, err := readAll[company](ctx, s, "Companies", filters, []string{"id", "companyName", "isActive"})
	if err != nil && !errors.Is(err, errLong) { // the first thousands are better than none
		return nil, err
	}
	for _, c := range found {
		all = append(all, ticket.Company{ID: number(c.ID), Name: reach.Clean(c.CompanyName, 200), Closed: !c.IsActive})
	}
	return all, nil
}

// Check reports who we are in Autotask, what we see there, which notes are
// written, which statuses are closed, and how many calls are left to all.
func (s *system) Check(ctx context.Context) (found []access.Finding, err error) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	var calls struct{ ExternalRequestThreshold, CurrentTimeframeRequestCount int }
	if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "V1.0/ThresholdInformation", Into: &calls}); err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	z, err := s.where(ctx, "")
	if err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	add("ok", fmt.Sprintf("Autotask answers from zone %s, signed in as %s.", z.name, s.user), "")
	if z.client.Plain() {
		add("warning", "Calls and the secret travel without encryption.", "")
	}
	if limit := calls.ExternalRequestThreshold; limit > 0 && calls.CurrentTimeframeRequestCount > limit/2 {
		add("warning", fmt.Sprintf("All integrations together made %d of the %d calls that Autotask allows in an hour; it slows them down above half.", calls.CurrentTimeframeRequestCount, limit), "Find out which integration makes so many. Jitney stays below a fifth.")
	}
	companies, err := s.Companies(ctx)
	switch {
	case err != nil:
		found = append(found, finding(err))
	case len(companies) == 0:
		add("error", "The API user sees no company, so no customer can be mapped.", "Look at its security level.")
	default:
		add("info", fmt.Sprintf("%d companies can be seen. Tickets that the security level hides look as if they did not exist.", len(companies)), "")
	}
	p, err := s.lists(ctx)
	if err != nil {
		return append(found, finding(err)), ctx.Err()
	}
	return append(append(found, s.checkLists(ctx, p)...), checkAfter(ctx, s)), ctx.Err()
}

// checkAfter says what can be done on a ticket when an access has ended.
func checkAfter(ctx context.Context, s *system) access.Finding {
	const status = " A ticket gets one of the statuses above, which needs the right to edit tickets."
	if _, err := readAll[entry](ctx, s, "TimeEntries", []filter{is("eq", "ticketID", 0)}, []string{"id"}); err != nil {
		return access.Finding{Level: "warning", What: "No time can be booked, for entries of time cannot be read. " + finding(err).What + status, Fix: "Let the security level add and view time entries, if a policy books time."}
	}
	who := "the resource that a ticket is assigned to"
	if s.resource > 0 {
		who = "the resource " + number(s.resource) + " in the role " + number(s.role)
	}
	return access.Finding{Level: "info", What: "Where a policy says so, time is booked for " + who + "; this needs Proxy Time Entry, of which Autotask does not tell beforehand." + status}
}

// checkLists says what notes and closed tickets are here.
func (s *system) checkLists(ctx context.Context, p picks) (found []access.Finding) {
	add := func(level, what, fix string) {
		found = append(found, access.Finding{Level: level, What: what, Fix: fix})
	}
	label := func(all []choice, n int64) string {
		i := slices.IndexFunc(all, func(c choice) bool { return c.Value == number(n) })
		if i < 0 {
			return ""
		}
		return reach.Clean(all[i].Label, 60)
	}
	publish, kind, err := s.noteKind(ctx)
	to, as := label(p.publish, publish), label(p.kind, kind)
	choices := "Publish: " + listed(p.publish) + ". Note type: " + listed(p.kind) + "."
	switch {
	case err != nil:
		found = append(found, access.Finding{Level: "error", What: finding(err).What, Fix: choices})
	case to == "" || as == "":
		add("error", "The choice of Publish or the note type in the settings does not exist in Autotask.", choices)
	case !internal(choice{Label: to}):
		add("warning", "Notes are published to "+to+", which may show them to customers, and to whom tickets are outsourced.", choices)
	default:
		add("info", "Notes are published to "+to+", as "+as+".", choices)
	}
	if p.length > 0 && p.length < s.Limits().Body {
		add("warning", fmt.Sprintf("Autotask takes notes of %d characters only here; longer ones are cut.", p.length), "")
	}
	var closed []string
	for _, n := range s.closed {
		name := label(p.status, n)
		if name == "" {
			add("error", fmt.Sprintf("The closed status %d of the settings does not exist in Autotask.", n), "Statuses: "+listed(p.status)+".")
			continue
		}
		closed = append(closed, name)
	}
	add("info", "Closed are tickets with a completion date, and those with the status "+strings.Join(closed, ", ")+".", "Statuses: "+listed(p.status)+".")
	return found
}
