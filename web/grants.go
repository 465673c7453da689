package web

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"jitney/access"
	"jitney/broker"
)

// The lists are pages of many grants.
type lists struct{ *Server }

// A grantLine is a grant in a list.
type grantLine struct {
	running
	Entitlement, Customer, Target, Requester, Login, Ticket string
	TicketURL                                               string
	TicketOut, Unverified                                   bool
	Created, End                                            moment
	EndWord                                                 string
	Open                                                    bool
}

func lineOf(v *visit, r broker.GrantRow) grantLine {
	l := grantLine{running: runningOf(r, v.now), Entitlement: r.Entitlement, Customer: r.Customer, Target: r.Target, Requester: r.Requester,
		Login: r.RequesterLogin, Ticket: refLabel(r.Grant.Ticket), Created: v.at(r.Grant.SubmittedAt, v.Short(r.Grant.SubmittedAt)), Open: r.Grant.EndedAt.IsZero(), EndWord: "Ends"}
	l.TicketURL, l.TicketOut = ticketLink(r.Grant.Ticket)
	l.Unverified = r.Grant.Ticket.Unverified
	l.End = v.at(r.EndsAt, v.Short(r.EndsAt))
	switch {
	case !r.Grant.EndedAt.IsZero():
		if l.End, l.EndWord = v.at(r.Grant.EndedAt, v.Short(r.Grant.EndedAt)), "Over"; r.State == access.Ended {
			l.EndWord = "Ended"
		}
	case r.State == access.Starting || r.State == access.Pending:
		l.End = moment{Text: "–"} // its clock does not run yet
	}
	return l
}

// A grantTable is a table of grants.
type grantTable struct {
	Rows      []grantLine
	Pick, Who bool
	Sort      string // address that sorts the other way; empty if it cannot be sorted
	Oldest    bool
}

func tableOf(v *visit, rows []broker.GrantRow) grantTable {
	var t grantTable
	for _, r := range rows {
		t.Rows = append(t.Rows, lineOf(v, r))
	}
	return t
}

type accessBody struct {
	Live  []grantLine
	Past  *grantTable
	Next  string
	Empty emptiness
}

// showAccess shows what the visitor holds, waits for, and had.
func (s lists) showAccess(v *visit) error {
	open, past, err := s.Broker.Access.Mine(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	b := accessBody{Live: tableOf(v, open).Rows, Empty: emptiness{Icon: "shield-check", Title: "You hold no access right now",
		Text: "That is how it should be most of the time.", Link: "/request", Label: "Request access"}}
	if len(past) > 0 {
		t := tableOf(v, past[:min(len(past), 50)])
		b.Past = &t
		if len(past) > 50 {
			b.Next = "/grants?requester=" + url.QueryEscape(v.Person.ID)
		}
	}
	return s.show(v, http.StatusOK, "access", "My access", b)
}

type grantsBody struct {
	Table                                            grantTable
	Next, CSV                                        string
	State, Ticket, Text, From, To, Policy, SortValue string
	OnePerson, OneCustomer                           string
	States, Customers, People                        []option
	Filtered                                         bool
	Empty                                            emptiness
}

// grantQuery reads the filters of an address.
func grantQuery(v *visit) access.GrantQuery {
	q := access.GrantQuery{Customer: v.form("customer"), Requester: v.form("requester"), Ticket: v.form("ticket"), Policy: v.form("policy"),
		Target: v.form("target"), Text: v.form("q"), After: v.form("after"), Oldest: v.form("sort") == "oldest"}
	switch state := access.State(v.form("state")); {
	case state == "open":
		q.Open = true
	case state == "stuck":
		q.States = []access.State{access.Overdue, access.Blocked}
	case slices.Contains(states, state):
		q.States = []access.State{state}
	}
	q.From = v.Day(v.form("from"))
	if to := v.Day(v.form("to")); !to.IsZero() {
		q.To = to.AddDate(0, 0, 1) // the whole day
	}
	return q
}

// with is the address of this page with one parameter changed.
func with(v *visit, path, key, value string) string {
	q := v.r.URL.Query()
	q.Del("after")
	q.Set(key, value)
	for k := range q {
		if q.Get(k) == "" {
			q.Del(k)
		}
	}
	return path + "?" + q.Encode()
}

// showGrants lists the grants that the filters select.
func (s lists) showGrants(v *visit) error {
	q := grantQuery(v)
	list, err := s.Broker.Access.List(v.ctx(), v.Person, q)
	if err != nil {
		return err
	}
	admin := v.Person.Is(access.Administrator)
	b := grantsBody{Table: tableOf(v, list.Rows), CSV: with(v, "/grants.csv", "after", ""), State: v.form("state"), Ticket: q.Ticket, Text: q.Text,
		From: v.form("from"), To: v.form("to"), Policy: q.Policy, SortValue: v.form("sort"), Filtered: v.r.URL.RawQuery != "",
		Empty: emptiness{Icon: "list", Title: "No grants", Text: "Nothing fits these filters."}}
	if !b.Filtered {
		b.Empty.Text = "Nobody has asked for access yet."
	}
	b.Table.Pick, b.Table.Who, b.Table.Oldest = admin, true, q.Oldest
	b.Table.Sort = with(v, "/grants", "sort", map[bool]string{false: "oldest", true: ""}[q.Oldest])
	if list.Next != "" {
		b.Next = with(v, "/grants", "after", list.Next)
	}
	if admin {
		b.OnePerson, b.OneCustomer = q.Requester, q.Customer
	}
	for _, st := range states {
		b.States = append(b.States, option{Value: string(st), Label: stateBadges[st].Word, Selected: b.State == string(st)})
	}
	if b.Customers, err = s.customerOptions(v, q.Customer); err != nil {
		return err
	}
	if b.People, err = s.personOptions(v, q.Requester); err != nil {
		return err
	}
	return s.show(v, http.StatusOK, "grants", "All grants", b)
}

// grantsCSV sends the grants that the filters select.
func (s lists) grantsCSV(v *visit) error {
	q := grantQuery(v)
	q.After = ""
	out := csv.NewWriter(v.w)
	started := false
	err := s.Broker.Access.CSV(v.ctx(), v.Person, q, func(row []string) error {
		if !started {
			started = true
			v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			v.w.Header().Set("Content-Disposition", `attachment; filename="jitney-grants.csv"`)
			v.w.Header().Set("Cache-Control", "no-store")
		}
		return out.Write(row)
	})
	out.Flush()
	if err == nil {
		return out.Error()
	}
	if started { // a cut file must look cut, not complete
		panic(http.ErrAbortHandler)
	}
	return err
}

type revokeBody struct {
	What, Text, Reason           string
	IDs, Rows                    []string
	Person, Customer, Everything string
	Wrong                        []wrongField
}

// revokeMany asks first, and revokes what was chosen when that was confirmed.
func (s lists) revokeMany(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	b := revokeBody{IDs: v.r.PostForm["id"], Person: v.form("person"), Customer: v.form("customer"), Everything: v.form("everything"), Reason: v.form("reason"),
		Text: "Access that is live ends at once; requests that wait are refused."}
	scopes, err := s.scopes(v, &b)
	if err != nil {
		return err
	}
	if len(scopes) == 0 {
		return v.back("/grants?state=open", "nothing")
	}
	if v.form("confirm") == "" {
		return s.show(v, http.StatusOK, "revoke", "Revoke", b)
	}
	for _, scope := range scopes {
		_, err := s.Broker.Access.Revoke(v.ctx(), v.Person, scope, b.Reason)
		if fields := broker.FieldsOf(err); len(fields) > 0 {
			b.Wrong = []wrongField{{Anchor: "reason", Text: fields[0].Text}}
			return s.show(v, http.StatusUnprocessableEntity, "revoke", "Revoke", b)
		}
		if err != nil {
			return err
		}
	}
	return v.back("/grants?state=open", "ending")
}

func (s lists) scopes(v *visit, b *revokeBody) ([]broker.Scope, error) {
	switch {
	case b.Everything != "":
		b.What = "everything"
		return []broker.Scope{{Everything: true}}, nil
	case b.Person != "":
		p, err := s.Broker.People.Person(v.ctx(), v.Person, b.Person)
		b.What = "everything of " + p.Name
		return []broker.Scope{{Person: b.Person}}, err
	case b.Customer != "":
		c, err := s.Broker.Places.Customer(v.ctx(), v.Person, b.Customer)
		b.What = "everything at " + c.Customer.Name
		return []broker.Scope{{Customer: b.Customer}}, err
	}
	var out []broker.Scope
	for _, id := range b.IDs[:min(len(b.IDs), 500)] {
		p, err := s.Broker.Access.Grant(v.ctx(), v.Person, id)
		if err != nil {
			return nil, err
		}
		b.Rows = append(b.Rows, fmt.Sprintf("%s on %s, %s", p.Entitlement, p.Customer, p.Requester))
		out = append(out, broker.Scope{Grant: id})
	}
	b.What = fmt.Sprintf("%d grants", len(out))
	if len(out) == 1 {
		b.What = "this grant"
	}
	return out, nil
}
