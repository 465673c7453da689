package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/target"
)

// requestView builds the form around what was chosen so far.
func (s requests) requestView(v *visit, sub broker.Submission, kind string) (requestBody, error) {
	f, err := s.Broker.Access.Form(v.ctx(), v.Person, sub.Customer)
	if err != nil {
		return requestBody{}, err
	}
	b := requestBody{Form: access.DefaultPolicy().Title, Reason: sub.Reason, TicketPrompt: "Choose a ticket", OfferID: sub.Offer}
	if len(f.Customers)+len(f.Without) == 0 {
		b.Empty = nobodyToHelp(v.Person)
		return b, nil
	}
	sub.Customer = f.Customer.ID
	kind = b.chooseKind(f, kind, sub.Target)
	b.chooseCustomer(f, kind)
	b.chooseTarget(f, kind, &sub)
	if err := s.listTickets(v, &b, &sub); err != nil {
		return b, err
	}
	policy := access.DefaultPolicy()
	if b.chosen.Target.ID != "" {
		policy = b.chosen.Policy
		b.Form, b.MaxText = policy.Title, access.Length(min(policy.Max, access.Ceiling))
	}
	if sub.Minutes < 0 {
		sub.Minutes = int64(policy.Default / time.Minute)
	}
	b.Length = durationChips(sub.Minutes, v.form("other"), []int64{15, 30, 60, 120, 240}, min(policy.Max, access.Ceiling))
	b.EndsAt = v.now.Add(time.Duration(min(max(sub.Minutes, 0), 1440)) * time.Minute)
	b.Offered, b.Word = b.chosen.OnForm, wordFor(f, b.chosen, kind)
	b.Sessions = slices.ContainsFunc(f.Kinds, func(k target.Kind) bool { return k.Name == kind && k.Sessions })
	b.CanOpen = v.Person.Is(access.Administrator) || v.Person.Is(access.Auditor)
	b.sub = sub
	return b, s.foresee(v, &b)
}

// nobodyToHelp says what somebody without a customer can do about it.
func nobodyToHelp(p access.Person) emptiness {
	e := emptiness{Icon: "building-2", Title: "You work for no customer yet", Text: "An administrator ticks the customers you work for, on your page under People."}
	switch {
	case p.AllCustomers && p.Is(access.Administrator):
		return emptiness{Icon: e.Icon, Title: "There is no customer yet", Text: "Add the first one, and connect what people need access to.", Link: "/customers", Label: "Customers"}
	case p.AllCustomers:
		e.Title, e.Text = "There is no customer yet", "An administrator adds customers, and connects what people need access to."
	case p.Is(access.Administrator):
		e.Text, e.Link, e.Label = "Tick the customers you work for, on your page under People.", "/people/"+p.ID, "Your page"
	}
	return e
}

func (b *requestBody) chooseKind(f broker.Form, kind, targetID string) string {
	for _, t := range f.Targets {
		if kind == "" && (targetID == t.Target.ID || targetID == "") {
			kind = t.Kind.Name
		}
	}
	known := slices.ContainsFunc(f.Kinds, func(k target.Kind) bool { return k.Name == kind })
	for i, k := range f.Kinds {
		if !known && i == 0 {
			kind = k.Name
		}
		b.Kinds = append(b.Kinds, kindTile{Value: k.Name, Title: k.Title, Icon: k.Icon, Sub: offered(f, k), Checked: k.Name == kind})
	}
	return kind
}

// offered says what can be asked for on targets of a kind: of the chosen
// customer, if there is one.
func offered(f broker.Form, k target.Kind) string {
	var all []target.Entitlement
	for _, t := range f.Targets {
		for _, e := range t.Entitlements {
			if t.Kind.Name == k.Name && !slices.ContainsFunc(all, func(o target.Entitlement) bool { return o.Title == e.Title }) {
				all = append(all, e)
			}
		}
	}
	switch {
	case len(all) > 0:
		return titles(all, 3)
	case f.Customer.ID != "" && slices.Contains(f.Closed, k.Name):
		return "Takes no new requests at " + f.Customer.Name
	case f.Customer.ID != "":
		return "Not connected at " + f.Customer.Name
	case k.Entitlements == nil:
		return ""
	}
	return titles(k.Entitlements(target.Settings{}), 3)
}

// chooseCustomer lists the customers, and explains if the chosen one has
// nothing of the chosen kind.
func (b *requestBody) chooseCustomer(f broker.Form, kind string) {
	title := kind
	for _, k := range f.Kinds {
		if k.Name == kind {
			title = k.Title
		}
	}
	for _, c := range f.Customers {
		label := c.Name
		if c.Note != "" {
			label += " (" + c.Note + ")"
		}
		if !slices.Contains(f.Has[c.ID], kind) {
			label += " – no " + title
		}
		b.Customers = append(b.Customers, option{Value: c.ID, Label: label, Selected: c.ID == f.Customer.ID})
	}
	if n := len(f.Without); n > 0 {
		names := make([]string, 0, min(n, 5))
		for _, c := range f.Without[:min(n, 5)] {
			names = append(names, c.Name)
		}
		if n > 5 {
			names = append(names, fmt.Sprintf("%d more", n-5))
		}
		what := "nothing"
		if len(f.Kinds) == 1 {
			what = "no " + f.Kinds[0].Title
		}
		b.CustomersHint = fmt.Sprintf("Not listed, as they have %s connected: %s.", what, strings.Join(names, ", "))
	}
	if f.Customer.ID == "" || slices.Contains(f.Has[f.Customer.ID], kind) {
		return
	}
	text := fmt.Sprintf("%s has no %s connected. Choose another Identity Provider or customer.", f.Customer.Name, title)
	if slices.Contains(f.Closed, kind) {
		text = fmt.Sprintf("%s of %s takes no new requests at the moment. Choose another Identity Provider, or ask an administrator.", title, f.Customer.Name)
	}
	b.complain([]access.FieldError{{Field: "customer", Text: text}})
	b.Wrong = nil // said at the field; nothing was sent yet
}

// chooseTarget narrows to one target and entitlement, and offers a choice only
// if there is one.
func (b *requestBody) chooseTarget(f broker.Form, kind string, sub *broker.Submission) {
	var all []option
	var first broker.TargetChoice
	var firstEntitlement string
	for _, t := range f.Targets {
		if t.Kind.Name != kind {
			continue
		}
		for _, e := range t.Entitlements {
			if first.Target.ID == "" {
				first, firstEntitlement = t, e.Name
			}
			chosen := t.Target.ID == sub.Target && (sub.Entitlement == "" || sub.Entitlement == e.Name)
			if chosen && b.chosen.Target.ID == "" {
				b.chosen, sub.Entitlement = t, e.Name
			} else {
				chosen = false
			}
			all = append(all, option{Value: t.Target.ID + "|" + e.Name, Label: t.Target.Name + " · " + e.Title, Selected: chosen})
			if known := slices.ContainsFunc(b.Helps, func(o option) bool { return o.Label == e.Title }); e.Help != "" && !known {
				b.Helps = append(b.Helps, option{Label: e.Title, Value: e.Help})
			}
		}
	}
	if b.chosen.Target.ID == "" {
		b.chosen, sub.Entitlement = first, firstEntitlement
	}
	sub.Target = b.chosen.Target.ID
	if len(all) > 1 {
		b.Targets = all
	}
	if len(b.Helps) > 4 { // what will happen tells that of the chosen one
		b.Helps = nil
	}
	if sub.Target == "" {
		return
	}
	b.Warning = b.chosen.Handover.Warning
	for _, m := range b.chosen.Missing {
		b.Missing = append(b.Missing, findingOf(m))
	}
	b.TargetID, b.TargetName = sub.Target, b.chosen.Target.Name
}

// wordFor is what the credential is called: on the chosen target, or on those
// of the chosen kind.
func wordFor(f broker.Form, chosen broker.TargetChoice, kind string) string {
	if chosen.Target.ID != "" {
		return broker.Word(chosen.Handover)
	}
	for _, k := range f.Kinds {
		if k.Name == kind {
			return broker.Word(k.Into(target.Settings{}))
		}
	}
	return broker.Word(target.Handover{})
}

// foresee fills in what will happen.
func (s requests) foresee(v *visit, b *requestBody) error {
	if b.sub.Target == "" {
		return nil
	}
	p, err := s.Broker.Access.Preview(v.ctx(), v.Person, b.sub)
	if err != nil {
		return err
	}
	out := &preview{Username: p.Username, Entitlement: p.Entitlement.Title, Help: p.Entitlement.Help, Target: p.Target, Policy: p.Policy.Title,
		AtTheEnd: p.AtTheEnd, Outlives: p.Kind.Outlives, Approval: p.Approval, Shares: p.Shares, EndsAt: p.EndsAt,
		Password: "Shown once, on the next page, when the account is ready", Word: b.Word}
	if p.Ticket.Number != "" {
		out.Ticket, out.TicketNote = ticketLabel(p.Ticket.Number, p.Ticket.Title), p.TicketNote
	}
	if p.Duration > 0 {
		out.Length = access.Length(p.Duration)
	}
	if out.AtTheEnd != "" && !p.Keeps {
		out.AtTheEnd += " It is read back to be sure."
	}
	switch {
	case p.Kind.Sessions:
		out.Word, out.Password = "keys and consoles", "Made when you ask for them, on the next page or at the command line"
	case p.Handover.Word == "":
		out.Password = "None is needed"
	case p.Handover.Issued:
		out.Password = "Made for you when the account is ready, and shown once, on the next page"
	case b.Offered:
		out.Password = "The one that this form shows before you send it"
	}
	for _, w := range p.Wrong {
		if w.Field == "duration" {
			b.Err.Duration = fieldErr{ID: "err-duration", Text: w.Text}
		}
	}
	b.Preview = out
	return nil
}

// again links to forms filled in like the last three different requests.
func (s requests) again(v *visit) ([]option, error) {
	if v.r.URL.RawQuery != "" {
		return nil, nil
	}
	open, past, err := s.Broker.Access.Mine(v.ctx(), v.Person)
	if err != nil {
		return nil, err
	}
	var out []option
	seen := map[string]bool{}
	for _, r := range append(open, past...) {
		key := r.Grant.Customer + "|" + r.Grant.Target + "|" + r.Grant.Entitlement
		if seen[key] || len(out) == 3 || !v.Person.WorksFor(r.Grant.Customer) {
			continue
		}
		seen[key] = true
		q := url.Values{"customer": {r.Grant.Customer}, "target": {r.Grant.Target + "|" + r.Grant.Entitlement}, "minutes": {fmt.Sprint(int64(r.Grant.Duration / time.Minute))}}
		out = append(out, option{Value: "/request?" + q.Encode(), Label: r.Customer + " · " + r.Entitlement + " · " + access.Length(r.Grant.Duration)})
	}
	return out, nil
}
