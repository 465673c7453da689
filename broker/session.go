package broker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// Sessions is everything that people and their programs do with sessions:
// keys and consoles that are issued from a grant and end with it.
type Sessions struct {
	access *Access
	issued Issued
	gate   gate

	refusals refusals
}

// Issued keeps what was issued, and how long sessions may last.
type Issued interface {
	// Issue stores a session, if its grant is still approved and neither
	// stopped nor ended; else it is access.Conflict.
	Issue(ctx context.Context, s access.Session, events ...access.Event) error
	SessionsOf(ctx context.Context, grant string) ([]access.Session, error)                   // newest first
	SessionsBy(ctx context.Context, person string, since time.Time) ([]access.Session, error) // newest first
	Limits(ctx context.Context) ([]access.Limit, error)                                       // in any order
	SetLimit(ctx context.Context, l access.Limit, events ...access.Event) error               // zero Length removes
}

// A Caller is from where a session is asked for. Texts are as the caller said.
type Caller struct {
	Via         string // access.ViaPage, ViaCLI or ViaToken
	Token       string // ID; empty on the page
	Application string
	Machine     string
	Address     string
	NoAdmin     bool     // the token is not good for what is an administrator's
	Customers   []string // the token is good for these only; nil for all of the person
}

func (c Caller) reaches(customer string) bool {
	return c.Customers == nil || slices.Contains(c.Customers, customer)
}

// tell adds to the data of a record what is known of where it comes from.
func (c Caller) tell(data map[string]string) {
	for name, value := range map[string]string{"via": c.Via, "token": c.Token, "application": clip(c.Application, 60), "machine": clip(c.Machine, 100), "address": clip(c.Address, 64)} {
		if value != "" {
			data[name] = value
		}
	}
}

// A SessionAsk is what somebody wants keys or a console for.
type SessionAsk struct {
	Customer string // ID, or
	Tenant   string // its name, without regard to case, or its ID
	Target   string // ID; empty: the customer's first target with sessions, by name
	Admin    bool
	Grant    string // ID of the grant to use; empty: a live one of the person, else a new one
	Minutes  int64  // of a new grant, and of the session at most; 0 means as long as settings say
	Ticket   string // of a new grant; the ticket system's own id
	Reason   string // of a new grant
	For      string // access.ForKeys, ForConsole or ForURL
	To       target.Place
	From     Caller
}

// A SessionAnswer is what somebody got. It is shown once and kept nowhere.
type SessionAnswer struct {
	Pending  bool // somebody must approve first, or its ticket is checked again after that; only Grant and the names are there
	Session  access.Session
	Grant    access.Grant
	Customer access.Customer
	Target   access.Target
	Admin    bool
	Keys     target.Keys
	URL      secret.Text // of the console, if that was asked for
	Notices  []string    // why it lasts shorter than asked, one sentence each
}

// Ended is the code of an error that says that a grant is over.
const Ended = "ended"

func ended() error {
	return &access.Error{Kind: access.Conflict, Code: Ended, Text: "This access is over.", Hint: "Ask for new access."}
}

// issueTimeout bounds how long a target may take to issue a session.
const issueTimeout = 25 * time.Second

// Issue gives keys or a console, from a live grant of the person or a new one.
// What a person may not have is refused as by every other way in: the switches,
// the policy and the role of the person decide, for pages, API and command line
// alike. The record is stored before anything is shown; if the grant was ended
// meanwhile, what was issued is thrown away.
func (s *Sessions) Issue(ctx context.Context, who access.Person, ask SessionAsk) (SessionAnswer, error) {
	w, err := s.place(ctx, who, ask)
	if err != nil {
		return SessionAnswer{}, s.refusals.record(ctx, s.access.Log, w, ask, err)
	}
	limits, err := s.issued.Limits(ctx)
	if err != nil {
		return SessionAnswer{}, err
	}
	w.length, w.why = w.at().Length(limits), choose(w.right.Admin, access.TitleAdminLength, access.TitleLength)+" is not set"
	if wins, ok := access.Winning(limits, access.SessionLength, w.at()); ok {
		w.why = wins.Title()
	}
	answer := SessionAnswer{Customer: w.customer, Target: w.target, Admin: w.right.Admin}
	made := false
	if answer.Grant, made, err = s.grant(ctx, w, ask); err != nil {
		return SessionAnswer{}, err
	}
	if answer.Grant.ApprovedAt.IsZero() || !made && unchecked(answer.Grant) {
		answer.Pending = true
		return answer, nil
	}
	if err := s.issue(ctx, w, ask, &answer); err != nil {
		if made { // nobody holds anything of it, so nothing should wait for it
			_, stopped := s.access.End(context.WithoutCancel(ctx), w.who, answer.Grant.ID)
			if stopped != nil && access.KindOf(stopped) != access.NotFound {
				return SessionAnswer{}, fmt.Errorf("%w (and ending the new grant failed: %v)", err, stopped)
			}
		}
		return SessionAnswer{}, err
	}
	return answer, nil
}

// unchecked reports whether the ticket of g was looked at when g was asked for
// only, which is some time ago: the first look at g asks for it again.
func unchecked(g access.Grant) bool {
	return g.VerifiedAt.IsZero() && !g.Ticket.None() && (g.ApprovedBy != "policy" || time.Since(g.ApprovedAt) > time.Minute)
}

// A wanted is where a session is wanted, and whether it may be.
type wanted struct {
	who      access.Person
	customer access.Customer
	target   access.Target
	kind     target.Kind
	right    target.Entitlement
	length   time.Duration // of sessions, by the settings
	why      string        // which of them says so
}

// place finds what is asked for, and refuses what may not be had.
func (s *Sessions) place(ctx context.Context, who access.Person, ask SessionAsk) (w wanted, err error) {
	if w.who, err = s.gate.fresh(ctx, who); err != nil {
		return w, err
	}
	if !w.who.Is(access.Requester) {
		return w, denied("People who may only read get no sessions.", "An administrator can make you a requester, on the page of People.")
	}
	if w.customer, err = s.customer(ctx, w.who, ask); err != nil {
		return w, err
	}
	if w.target, w.kind, err = s.target(ctx, w.customer, ask); err != nil {
		return w, err
	}
	i := slices.IndexFunc(w.kind.Entitlements(settingsOf(w.target)), func(e target.Entitlement) bool { return e.Admin == ask.Admin })
	if i < 0 && ask.Admin {
		return w, &access.Error{Kind: access.NotFound, Text: "No admin role is set up for " + w.customer.Name + ".", Hint: "Leave out --admin, or ask an administrator to name the admin role on the page of the target."}
	}
	if i < 0 {
		return w, notFound()
	}
	w.right = w.kind.Entitlements(settingsOf(w.target))[i]
	return w, refuse(ctx, s.access.Rules, w.who, w.right, ask.From)
}

// customer finds the customer by ID or name, among those that who may ask for.
func (s *Sessions) customer(ctx context.Context, who access.Person, ask SessionAsk) (access.Customer, error) {
	none := &access.Error{Kind: access.NotFound, Text: "There is no tenant of that name, or it is not yours to enter.", Hint: "See \"jitney aws tenants\" or the AWS page for those you can enter."}
	if ask.Customer == "" && ask.Tenant == "" && ask.Grant != "" {
		g, err := s.access.visible(ctx, who, ask.Grant)
		if err != nil {
			return access.Customer{}, err
		}
		ask.Customer = g.Customer
	}
	all, err := s.named(ctx, ask)
	if err != nil {
		return access.Customer{}, err
	}
	found := slices.DeleteFunc(slices.Clone(all), func(c access.Customer) bool {
		return !c.ArchivedAt.IsZero() || !asks(who, c.ID) || !ask.From.reaches(c.ID)
	})
	if ask.Customer == "" && strings.TrimSpace(ask.Tenant) == "" {
		return s.onlyCustomer(ctx, found, ask)
	}
	if len(found) > 1 { // nothing keeps two from having one name
		return access.Customer{}, &access.Error{Kind: access.Invalid, Text: "There are several tenants of that name.", Hint: "Say which by its ID: see \"jitney aws tenants\"."}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return access.Customer{}, none
}

// named lists the customers that ask names, all if it names none.
func (s *Sessions) named(ctx context.Context, ask SessionAsk) ([]access.Customer, error) {
	tenant := strings.TrimSpace(ask.Tenant)
	switch {
	case ask.Customer != "":
		c, err := s.access.Customers.Customer(ctx, ask.Customer)
		if access.KindOf(err) == access.NotFound && err != nil {
			return nil, nil
		}
		return []access.Customer{c}, err
	case tenant != "":
		return s.access.Customers.CustomersNamed(ctx, tenant)
	default:
		return s.access.Customers.Customers(ctx)
	}
}

// onlyCustomer is the one of all that a person can mean without naming it:
// for what is an administrator's, the first of an account, as every tenant of
// it leads to the same role.
func (s *Sessions) onlyCustomer(ctx context.Context, all []access.Customer, ask SessionAsk) (access.Customer, error) {
	var found []access.Customer
	roles := map[string]bool{}
	for _, c := range all {
		t, kind, err := s.target(ctx, c, ask)
		if access.KindOf(err) == access.NotFound {
			continue
		}
		if err != nil {
			return access.Customer{}, err
		}
		key := t.ID
		for _, e := range kind.Entitlements(settingsOf(t)) {
			if e.Admin && ask.Admin {
				key = cmp.Or(e.Leads, t.ID)
			}
		}
		if !roles[key] {
			roles[key], found = true, append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return access.Customer{}, &access.Error{Kind: access.NotFound, Text: "There is no AWS account that you can enter.", Hint: "Ask an administrator to connect one, or to let you work for its tenant."}
	case 1:
		return found[0], nil
	default:
		return access.Customer{}, &access.Error{Kind: access.Invalid, Text: "Say which tenant: there are several.", Hint: "Give --tenant NAME; \"jitney aws tenants\" lists them."}
	}
}

// target finds the customer's target with sessions.
func (s *Sessions) target(ctx context.Context, c access.Customer, ask SessionAsk) (access.Target, target.Kind, error) {
	all, err := s.access.Targets.Targets(ctx, c.ID)
	if err != nil {
		return access.Target{}, target.Kind{}, err
	}
	for _, t := range all {
		kind, ok := findKind(s.access.Kinds, t.Kind)
		if ok && kind.Sessions && t.DisabledAt.IsZero() && (ask.Target == "" || ask.Target == t.ID) {
			return t, kind, nil
		}
	}
	return access.Target{}, target.Kind{}, &access.Error{Kind: access.NotFound, Text: c.Name + " has no AWS account that is in use.", Hint: "An administrator can connect one on the page of the customer."}
}

// refuse reports why who may not have right, by the person and the switches.
func refuse(ctx context.Context, rules Rules, who access.Person, right target.Entitlement, from Caller) error {
	if right.Admin && !who.Is(access.Administrator) {
		return denied("Admin AWS access is for administrators only.", "Ask for the tenant scope, or ask an administrator.")
	}
	if right.Admin && from.NoAdmin {
		return denied("You are signed in without admin access here.", "Sign in again with \"jitney login --admin\", or use a token whose scope has admin access.")
	}
	return switched(ctx, rules, right)
}

// switched reports which switch forbids right; nil if none does.
func switched(ctx context.Context, rules Rules, right target.Entitlement) error {
	name, stands := access.SwitchNonAdmin, "on"
	if right.Admin {
		name, stands = access.SwitchAdmin, "off"
	}
	value, err := rules.Setting(ctx, name)
	if err != nil {
		return err
	}
	if (value == "true") == right.Admin {
		return nil
	}
	return denied(fmt.Sprintf("The switch %q is %s.", access.SwitchTitle(name), stands), "An administrator can change it under Settings, AWS sessions.")
}

// grant finds the live grant that a session is to be issued from, or asks for
// a new one.
func (s *Sessions) grant(ctx context.Context, w wanted, ask SessionAsk) (g access.Grant, made bool, err error) {
	now := time.Now().UTC()
	if ask.Grant != "" {
		g, err := s.access.visible(ctx, w.who, ask.Grant)
		switch {
		case err != nil:
			return g, false, err
		case g.Requester != w.who.ID || g.Target != w.target.ID || g.Entitlement != w.right.Name:
			return g, false, notFound()
		case !g.Wanted(now) && (!g.ApprovedAt.IsZero() || !g.StoppedAt.IsZero()):
			return g, false, ended()
		}
		return g, false, nil
	}
	open, err := s.access.Grants.Find(ctx, access.GrantQuery{Target: w.target.ID, Requester: w.who.ID, Open: true, Limit: 200, Now: now})
	if err != nil {
		return g, false, err
	}
	if g := best(open, w.target.ID, w.right.Name, now); g.ID != "" {
		return g, false, nil
	}
	minutes := ask.Minutes
	if minutes == 0 {
		minutes = int64((w.length + time.Minute - 1) / time.Minute)
		policy, err := policyFor(ctx, s.access.Rules, w.target, w.right)
		if err != nil {
			return g, false, err
		}
		minutes = min(minutes, int64(policy.Max/time.Minute))
	}
	g, err = s.access.Submit(ctx, w.who, Submission{Customer: w.customer.ID, Target: w.target.ID, Entitlement: w.right.Name,
		Ticket: ask.Ticket, Minutes: minutes, Reason: ask.Reason})
	return g, err == nil, err
}

// until is when the access of g ends; the clock of one that was not verified
// yet starts no earlier than now. One that waits for approval has no end.
func until(g access.Grant, now time.Time) time.Time {
	switch {
	case g.ApprovedAt.IsZero():
		return time.Time{}
	case g.VerifiedAt.IsZero():
		return now.Add(g.Duration + g.Extension)
	default:
		return g.EndsAt()
	}
}

// issue has the target issue what is asked for from the grant of answer, and
// stores that it did.
func (s *Sessions) issue(ctx context.Context, w wanted, ask SessionAsk, answer *SessionAnswer) error {
	c, err := s.access.Grants.Case(ctx, answer.Grant.Account)
	if err != nil {
		return err
	}
	sys, err := s.access.Open(ctx, w.target.ID)
	if err != nil {
		return err
	}
	sessioner, ok := target.As[target.Sessioner](sys)
	if !ok {
		return fmt.Errorf("target %s of kind %s issues no sessions", w.target.ID, w.kind.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, issueTimeout)
	defer cancel()
	now := time.Now().UTC()
	end := until(answer.Grant, now)
	length, asked := w.length, time.Duration(ask.Minutes)*time.Minute
	if ask.Minutes > 0 { // also of a grant that is longer
		length = min(length, asked)
	}
	if left := end.Sub(now); ask.Minutes == 0 && left > 0 { // that a session ends with its grant is news only to who asked for longer
		length = min(length, left)
	}
	keys, err := sessioner.Session(ctx, c.Account, target.SessionAsk{Grant: answer.Grant.ID, Entitlement: w.right.Name,
		Until: end, Length: length, Region: ask.To.Region})
	if err != nil {
		return err
	}
	if ask.For == access.ForConsole || ask.For == access.ForURL {
		if answer.URL, err = sessioner.Console(ctx, keys, ask.To); err != nil {
			return err
		}
	}
	answer.Keys, answer.Notices = keys, keys.Notices
	if asked-length >= time.Minute && keys.EndsAt.Sub(now) > length-time.Minute { // else another limit cut it further, and the target said which
		answer.Notices = append(slices.Clone(keys.Notices), "Cut to "+access.Length(length)+": "+w.why+" (Settings, AWS sessions).")
	}
	answer.Session = access.Session{ID: newID(), Grant: answer.Grant.ID, Account: answer.Grant.Account, Customer: w.customer.ID, Target: w.target.ID,
		Entitlement: w.right.Name, Person: w.who.ID, For: ask.For, Via: ask.From.Via, Token: ask.From.Token,
		Application: clip(ask.From.Application, 60), Machine: clip(ask.From.Machine, 100), Address: clip(ask.From.Address, 64),
		Name: keys.Name, KeyID: keys.ID, IssuedAt: now, EndsAt: keys.EndsAt, ExpiresAt: keys.ExpiresAt}
	err = s.issued.Issue(ctx, answer.Session, sessionEvent(w, answer.Session))
	if access.KindOf(err) == access.Conflict {
		*answer = SessionAnswer{Grant: answer.Grant}
		return ended()
	}
	return err
}

func sessionEvent(w wanted, n access.Session) access.Event {
	what := map[string]string{access.ForKeys: "Keys", access.ForConsole: "A console", access.ForURL: "A console address"}[n.For]
	e := by(w.who, access.EventSession, n.Customer, n.Grant, n.Target,
		fmt.Sprintf("%s for %s on %s until %s UTC, from %s.", what, w.right.Title, w.target.Name, n.EndsAt.UTC().Format("15:04:05"), viaWord(n.Via)))
	e.Data = map[string]string{"session": n.ID, "name": n.Name, "key": n.KeyID, "scope": n.Entitlement, "for": n.For,
		"ends": n.EndsAt.UTC().Format(time.RFC3339), "expires": n.ExpiresAt.UTC().Format(time.RFC3339)}
	Caller{Via: n.Via, Token: n.Token, Application: n.Application, Machine: n.Machine, Address: n.Address}.tell(e.Data)
	return e
}
