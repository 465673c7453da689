package broker

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/access"
	"jitney/target"
	"jitney/ticket"
)

// A GrantList is one page of grants.
type GrantList struct {
	Rows []GrantRow
	Next string // After of the next page; empty if this is the last
}

// List reads the grants that q selects and who may see, 50 a page unless q
// says otherwise, 500 at most.
func (a *Access) List(ctx context.Context, who access.Person, q access.GrantQuery) (GrantList, error) {
	if err := allow(who); err != nil {
		return GrantList{}, err
	}
	if q.Requester != who.ID { // one's own are always to be seen
		q.Customers = visible(who)
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	limit := min(q.Limit, 500)
	q.Limit, q.Now = limit+1, time.Now().UTC()
	grants, err := a.Grants.Find(ctx, q)
	if err != nil {
		return GrantList{}, err
	}
	b, err := a.names.read(ctx)
	if err != nil {
		return GrantList{}, err
	}
	var list GrantList
	for i, g := range grants {
		if i == limit {
			list.Next = grants[i-1].ID
			break
		}
		if seesGrant(who, g) { // the store was asked for these only; this is the second lock
			list.Rows = append(list.Rows, b.row(g, q.Now))
		}
	}
	return list, nil
}

// A Bar is what the top of every page counts.
type Bar struct {
	Held    int  // open grants of the visitor, at most 99
	Stuck   bool // one of them is overdue or blocked
	Overdue int  // of everybody, at most 100; 0 for whoever does not see everything
}

// Bar counts for the top of a page. It names nothing, so it reads grants only.
func (a *Access) Bar(ctx context.Context, who access.Person) (Bar, error) {
	if err := allow(who); err != nil {
		return Bar{}, err
	}
	now := time.Now().UTC()
	mine, err := a.Grants.Find(ctx, access.GrantQuery{Requester: who.ID, Open: true, Limit: 99, Now: now})
	if err != nil {
		return Bar{}, err
	}
	b := Bar{Held: len(mine)}
	for _, g := range mine {
		b.Stuck = b.Stuck || stuck(g.State(now))
	}
	if !who.Is(access.Administrator) && !who.Is(access.Auditor) {
		return b, nil
	}
	late, err := a.Grants.Find(ctx, access.GrantQuery{Open: true, States: []access.State{access.Overdue, access.Blocked}, Limit: 100, Now: now})
	b.Overdue = len(late)
	return b, err
}

func stuck(s access.State) bool { return s == access.Overdue || s == access.Blocked }

// Mine reads the grants of who, newest first: those that are open, and then
// the last that are over.
func (a *Access) Mine(ctx context.Context, who access.Person) (open, past []GrantRow, err error) {
	list, err := a.List(ctx, who, access.GrantQuery{Requester: who.ID, Limit: 200})
	for _, r := range list.Rows {
		if r.Grant.EndedAt.IsZero() {
			open = append(open, r)
		} else {
			past = append(past, r)
		}
	}
	return open, past, err
}

// CSV calls row with a header and then with every grant that q selects and who
// may see. Cells that a spreadsheet would run as a formula begin with '.
func (a *Access) CSV(ctx context.Context, who access.Person, q access.GrantQuery, row func([]string) error) error {
	if err := row([]string{"id", "state", "cause", "requester", "login", "customer", "target", "entitlement", "ticket", "title", "reason",
		"minutes", "extension", "submitted", "approved", "approved_by", "active", "end", "ended", "continued_by", "findings", "blocked"}); err != nil {
		return err
	}
	q.Limit = 500
	for {
		list, err := a.List(ctx, who, q)
		if err != nil {
			return err
		}
		for _, r := range list.Rows {
			if err := row(csvRow(r)); err != nil {
				return err
			}
		}
		if q.After = list.Next; q.After == "" {
			return nil
		}
	}
}

func csvRow(r GrantRow) []string {
	g := r.Grant
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	cells := []string{g.ID, string(r.State), string(r.Cause), r.Requester, r.RequesterLogin, r.Customer, r.Target, r.Entitlement, g.Ticket.Number, g.Ticket.Title, g.Reason,
		strconv.Itoa(int(g.Duration / time.Minute)), strconv.Itoa(int(g.Extension / time.Minute)), at(g.SubmittedAt), at(g.ApprovedAt), g.ApprovedBy,
		at(g.VerifiedAt), at(r.EndsAt), at(g.EndedAt), g.ContinuedBy, strings.Join(g.Findings, "; "), g.Blocked}
	for i, c := range cells {
		if c != "" && strings.ContainsRune("=+-@\t\r\n", rune(c[0])) {
			cells[i] = "'" + c
		}
	}
	return cells
}

// A Form is what the request form offers to one person.
type Form struct {
	Customers []access.Customer   // those they may ask for, with anything connected
	Without   []access.Customer   // others of theirs, where nothing may be asked for
	Has       map[string][]string // the kinds of target that may be asked for, by the customer's ID
	Customer  access.Customer     // the chosen one; empty if none
	Targets   []TargetChoice      // of the chosen customer
	Closed    []string            // names of kinds of which the chosen one has only targets that take no new requests
	Kinds     []target.Kind       // all that this program knows
}

// A TargetChoice is one target that may be asked for.
type TargetChoice struct {
	Target       access.Target // without its settings
	Kind         target.Kind
	Entitlements []target.Entitlement // that this target offers
	Policy       access.Policy
	Handover     target.Handover
	OnForm       bool             // the form shows the password before it is sent
	Missing      []access.Finding // what its last check found to be missing: a grant would fail, or would not end
}

// Form reads what who may ask for; customer is the ID of the chosen one, or
// empty. One that who may not ask for is the same as none.
func (a *Access) Form(ctx context.Context, who access.Person, customer string) (Form, error) {
	if err := allow(who, access.Requester); err != nil {
		return Form{}, err
	}
	all, err := a.Customers.Customers(ctx)
	if err != nil {
		return Form{}, err
	}
	targets, err := a.Targets.Targets(ctx, "")
	if err != nil {
		return Form{}, err
	}
	f := Form{Kinds: a.Kinds, Has: map[string][]string{}}
	for _, t := range targets {
		if _, ok := findKind(a.Kinds, t.Kind); ok && t.DisabledAt.IsZero() && !slices.Contains(f.Has[t.Customer], t.Kind) && asks(who, t.Customer) {
			f.Has[t.Customer] = append(f.Has[t.Customer], t.Kind)
		}
	}
	for _, c := range all {
		if !asks(who, c.ID) || !c.ArchivedAt.IsZero() {
			continue
		}
		if len(f.Has[c.ID]) == 0 {
			f.Without = append(f.Without, c)
		} else {
			f.Customers = append(f.Customers, c)
		}
		if c.ID == customer {
			f.Customer = c
		}
	}
	if f.Customer.ID == "" {
		return f, nil
	}
	return f, a.choices(ctx, who, &f, targets)
}

// choices lists the targets of the chosen customer.
func (a *Access) choices(ctx context.Context, who access.Person, f *Form, targets []access.Target) error {
	for _, t := range targets {
		k, ok := findKind(a.Kinds, t.Kind)
		if !ok || t.Customer != f.Customer.ID {
			continue
		}
		if !t.DisabledAt.IsZero() {
			if !slices.Contains(f.Has[t.Customer], t.Kind) {
				f.Closed = append(f.Closed, t.Kind)
			}
			continue
		}
		policy, err := policyOf(ctx, a.Rules, t)
		if err != nil {
			return err
		}
		h := k.Into(settingsOf(t))
		choice := TargetChoice{Kind: k, Policy: policy, Handover: h, OnForm: onForm(h, policy), Missing: missing(t)}
		if choice.Entitlements, err = offersTo(ctx, a, who, k, t); err != nil {
			return err
		}
		t.Settings, t.Findings = nil, nil
		choice.Target = t
		f.Targets = append(f.Targets, choice)
	}
	return nil
}

// missing lists what the last check of t found to be missing.
func missing(t access.Target) (out []access.Finding) {
	for _, f := range t.Findings {
		if f.Level == "error" {
			out = append(out, f)
		}
	}
	return out
}

// Tickets lists open tickets of a customer for the form. It may be slow, as
// the ticket system is asked; what does not belong to the customer, or is not
// open, is left out whatever the ticket system says.
func (a *Access) Tickets(ctx context.Context, who access.Person, customer, text, cursor string) (ticket.Page, error) {
	if err := allow(who, access.Requester); err != nil {
		return ticket.Page{}, err
	}
	if _, err := a.Customers.Customer(ctx, customer); err != nil {
		return ticket.Page{}, hide(err)
	}
	if !asks(who, customer) {
		return ticket.Page{}, notFound()
	}
	sys, _, company, err := a.Desks(ctx, customer)
	if err != nil {
		out := &access.Error{Kind: access.Unavailable, Text: "The ticket system of this customer cannot be reached.", Hint: "Try again in a moment.", Err: err}
		if e, ok := errors.AsType[*access.Error](err); ok && e.Kind == access.Invalid { // such as a customer that is not mapped
			out.Text, out.Hint = e.Text, e.Hint
		}
		return ticket.Page{}, out
	}
	page, err := sys.Tickets(ctx, ticket.Query{Company: company, Text: clip(text, 200), Cursor: cursor, Limit: 50})
	if err != nil {
		return ticket.Page{}, &access.Error{Kind: access.Unavailable, Text: "The ticket system did not list its tickets.", Hint: "Try again in a moment.", Err: err}
	}
	kept := page.Tickets[:0:0]
	for _, t := range page.Tickets {
		if t.Open && t.Company == company {
			t.Number, t.Title, t.Status = clip(t.Number, 100), clip(t.Title, 300), clip(t.Status, 100)
			kept = append(kept, t)
		}
	}
	page.Tickets = kept
	return page, nil
}
