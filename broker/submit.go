package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"jitney/access"
	"jitney/target"
	"jitney/ticket"
)

// A Submission is a request as a form, the API or the command line sends it.
type Submission struct {
	Customer    string // ID
	Target      string // ID
	Entitlement string // name; may be empty where the target offers only one
	Ticket      string // the ticket system's own id
	Number      string // what people call the ticket, where its id is not known
	Minutes     int64
	Reason      string
	Offer       string // ID of the password that the form showed; empty if none
}

// A Preview is what would happen if a Submission was sent now. Parts that
// cannot be told yet are empty.
type Preview struct {
	Wrong       []access.FieldError // what keeps it from being sent
	Customer    string              // name
	Target      string              // name
	Kind        target.Kind
	Handover    target.Handover
	OnForm      bool // the form shows the password before it is sent
	Entitlement target.Entitlement
	Policy      access.Policy
	Ticket      ticket.Ticket
	TicketNote  string // what is to be known of the ticket; may be empty
	Duration    time.Duration
	EndsAt      time.Time // if it became usable this instant
	Username    string    // of the temporary account
	Approval    bool      // somebody must approve
	Shares      bool      // live access of the same person uses the same account
	AtTheEnd    string    // what happens then; may be empty
	Keeps       bool      // sessions go on until their own limit if it is ended early
}

// checked is a Submission of which everything was looked up.
type checked struct {
	who      access.Person
	customer access.Customer
	target   access.Target
	ref      access.TicketRef
	request  access.Request
	Preview
}

func (c *checked) wrong(field, text string) {
	for _, w := range c.Wrong {
		if w.Field == field {
			return
		}
	}
	c.Wrong = append(c.Wrong, access.FieldError{Field: field, Text: text})
}

// Preview tells what would happen. What is wrong with s is in the answer; the
// error is about who may not ask at all, and about what does not work now.
func (a *Access) Preview(ctx context.Context, who access.Person, s Submission) (Preview, error) {
	c, err := clerk{a, true}.check(ctx, who, s)
	if err != nil {
		return Preview{}, err
	}
	return c.Preview, nil
}

// Submit makes a grant of s, or reports what is wrong with it as *Invalid.
// Where the policy asks for no approval, granting begins at once.
func (a *Access) Submit(ctx context.Context, who access.Person, s Submission) (access.Grant, error) {
	c, err := clerk{a, false}.check(ctx, who, s)
	if err != nil {
		return access.Grant{}, err
	}
	if c.OnForm && s.Offer == "" {
		c.wrong("password", "Temporary "+c.Handover.Word+" is required: press Refresh, and copy it before you send the form.")
	}
	if len(c.Wrong) > 0 {
		return access.Grant{}, &Invalid{Fields: c.Wrong}
	}
	now := time.Now().UTC()
	g := access.Grant{ID: newID(), Request: c.request, Policy: c.Policy.Name, PolicyVersion: c.Policy.Version, Patience: c.Kind.Patience, SubmittedAt: now}
	submitted := by(c.who, access.EventSubmitted, g.Customer, g.ID, g.Target,
		fmt.Sprintf("Asked for %s on %s for %s, %s.", c.Entitlement.Title, c.target.Name, access.Length(g.Duration), ticketWords(g.Ticket)))
	submitted.Data = map[string]string{"policy": fmt.Sprintf("%s v%d", g.Policy, g.PolicyVersion), "minutes": fmt.Sprint(int64(g.Duration / time.Minute))}
	if g.Reason != "" { // what people write about people goes where it can be erased
		submitted.Data["reason"] = g.Reason
	}
	events := []access.Event{submitted}
	if !c.Policy.NeedsApproval {
		g.ApprovedAt, g.ApprovedBy, g.StartBy = now, "policy", now.Add(c.Policy.StartWithin)
		ok := by(c.who, access.EventApproved, g.Customer, g.ID, g.Target, fmt.Sprintf("Allowed by the policy %q, version %d, without approval.", c.Policy.Title, c.Policy.Version))
		ok.Actor = "jitney"
		events = append(events, ok)
	}
	key := g.ID
	if c.Kind.Shared {
		key = c.who.ID
	}
	offer := ""
	if c.OnForm {
		offer = s.Offer
	}
	account := access.Account{ID: newID(), Customer: g.Customer, Target: g.Target, Key: key, Holder: holderOf(c.who)}
	g.Account = account.ID
	made, err := a.Grants.Create(ctx, access.NewGrant{Grant: g, Account: account, Offer: offer, Events: events})
	if offer != "" && err != nil && access.KindOf(err) == access.NotFound {
		return access.Grant{}, invalid("password", "That "+c.Handover.Word+" is not valid any more. Press Refresh for a new one, and copy it.")
	}
	return made, hide(err)
}

func holderOf(p access.Person) access.Holder {
	return access.Holder{Person: p.ID, Login: p.Login, Name: p.Name}
}

// A clerk looks at what was asked for.
type clerk struct {
	*Access
	brief bool // asks nobody else for what is known
}

// check looks up everything that s names and collects what is wrong. Preview
// and Submit share it, so that what one says the other does.
func (a clerk) check(ctx context.Context, who access.Person, s Submission) (c checked, err error) {
	if c.who, err = a.gate.fresh(ctx, who, access.Requester); err != nil {
		return c, err
	}
	if s.Customer == "" {
		c.wrong("customer", "Customer is required.")
	} else if err := a.checkCustomer(ctx, s, &c); err != nil {
		return c, err
	}
	if c.customer.ID != "" {
		if err := a.checkTarget(ctx, s, &c); err != nil {
			return c, err
		}
	} else if s.Target == "" {
		c.wrong("target", "Target is required.")
	}
	if err := a.checkTicket(ctx, s, &c); err != nil {
		return c, err
	}
	a.checkRequest(s, &c)
	if c.target.ID != "" && c.Entitlement.Name != "" {
		return c, a.foresee(ctx, &c)
	}
	return c, nil
}

func (a clerk) checkCustomer(ctx context.Context, s Submission, c *checked) error {
	customer, err := a.Customers.Customer(ctx, s.Customer)
	switch {
	case err != nil && access.KindOf(err) != access.NotFound:
		return err
	case err != nil || !asks(c.who, customer.ID) || !customer.ArchivedAt.IsZero():
		c.wrong("customer", "Choose a customer from the list.")
	default:
		c.customer, c.Customer = customer, customer.Name
	}
	return nil
}

func (a clerk) checkTarget(ctx context.Context, s Submission, c *checked) error {
	if s.Target == "" {
		c.wrong("target", "Target is required.")
		return nil
	}
	t, err := a.Targets.Target(ctx, s.Target)
	if err != nil && access.KindOf(err) != access.NotFound {
		return err
	}
	kind, known := findKind(a.Kinds, t.Kind)
	if err != nil || t.Customer != c.customer.ID || !t.DisabledAt.IsZero() || !known {
		c.wrong("target", "Choose a target from the list.")
		return nil
	}
	c.target, c.Target, c.Kind = t, t.Name, kind
	c.Handover = kind.Into(settingsOf(t))
	c.AtTheEnd, c.Keeps = kind.End(settingsOf(t))
	if err := a.checkEntitlement(ctx, s, c); err != nil {
		return err
	}
	if c.Preview.Policy, err = policyFor(ctx, a.Rules, t, c.Entitlement); err != nil {
		return fmt.Errorf("read policy of target %s: %w", t.ID, err)
	}
	c.OnForm = onForm(c.Handover, c.Preview.Policy)
	return nil
}

func (a clerk) checkEntitlement(ctx context.Context, s Submission, c *checked) error {
	offers, err := offersTo(ctx, a.Access, c.who, c.Kind, c.target)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(offers, func(e target.Entitlement) bool {
		return e.Name == s.Entitlement || s.Entitlement == "" && len(offers) == 1
	})
	if i < 0 {
		c.wrong("entitlement", "Choose what you need on this target.")
		return nil
	}
	c.Entitlement = offers[i]
	return nil
}

// offersTo lists what who may ask for on t: what is an administrator's is for
// administrators, and what a switch forbids is for nobody.
func offersTo(ctx context.Context, a *Access, who access.Person, kind target.Kind, t access.Target) (offers []target.Entitlement, err error) {
	if kind.Entitlements == nil {
		return nil, nil
	}
	for _, e := range kind.Entitlements(settingsOf(t)) {
		if kind.Sessions {
			err := refuse(ctx, a.Rules, who, e, Caller{})
			if access.KindOf(err) == access.Denied {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		offers = append(offers, e)
	}
	return offers, nil
}

// checkRequest builds the request and asks the policy.
func (a clerk) checkRequest(s Submission, c *checked) {
	c.request = access.Request{Requester: c.who.ID, Customer: c.customer.ID, Target: c.target.ID, Entitlement: c.Entitlement.Name,
		Ticket: c.ref,
		Reason: strings.TrimSpace(s.Reason)}
	d, err := access.Minutes(s.Minutes)
	if err != nil {
		e, _ := errors.AsType[*access.Error](err)
		c.wrong("duration", e.Text)
	}
	c.request.Duration, c.Duration = d, d
	policy := c.Preview.Policy
	if policy.Name == "" { // no target yet: what every policy demands
		policy = access.Policy{Title: "Jitney", Max: access.Ceiling, MinReason: 1}
	}
	for _, w := range policy.Check(c.request) {
		c.wrong(w.Field, w.Text)
	}
}

// foresee tells what will come of it.
func (a clerk) foresee(ctx context.Context, c *checked) error {
	c.Approval = c.Preview.Policy.NeedsApproval
	if c.Duration > 0 {
		c.EndsAt = time.Now().UTC().Add(c.Duration)
	}
	if c.Kind.Username != nil {
		c.Username = c.Kind.Username(target.Settings{Values: c.target.Settings}, holderOf(c.who))
	}
	if !c.Kind.Shared {
		return nil
	}
	live, err := a.Grants.Find(ctx, access.GrantQuery{Target: c.target.ID, Requester: c.who.ID, Open: true, Limit: 50, Now: time.Now().UTC()})
	if err != nil {
		return err
	}
	for _, g := range live {
		c.Shares = c.Shares || g.Wanted(time.Now())
	}
	return nil
}

// clip bounds text from outside to n characters and drops control characters.
func clip(s string, n int) string {
	out := make([]rune, 0, min(len(s), n))
	for _, r := range s {
		if len(out) == n {
			break
		}
		if !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) {
			out = append(out, r)
		}
	}
	return string(out)
}
