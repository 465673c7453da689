package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
)

// The awsPages are consoles and keys of AWS accounts, and how long they last.
// On them a customer is called tenant, as people who come from elsewhere know it.
type awsPages struct{ *Server }

// lastAWS is the cookie that remembers of which target somebody had sessions last.
const lastAWS = "aws"

func (s awsPages) routes(person, admin, reader func(string, handler)) {
	person("GET /aws", s.showAWS)
	person("POST /aws", s.showAWS)
	person("POST /aws/console", s.openConsole)
	person("POST /aws/url", s.giveURL)
	person("POST /aws/keys", s.giveKeys)
	person("POST /aws/end", s.endGrant)
	for _, once := range []string{"console", "url", "keys"} {
		person("GET /aws/"+once, s.afterwards)
	}
	reader("GET /settings/aws", s.showSettings)
	reader("POST /settings/aws/roles", s.readRoles)
	admin("POST /settings/aws/flags", s.saveFlags)
	admin("POST /settings/aws/limit", s.saveLimit)
	for _, answer := range []string{"roles", "limit"} {
		reader("GET /settings/aws/"+answer, s.toSettings)
	}
}

// afterwards goes back to the page when the address of an answer that was shown
// once is opened again.
func (s awsPages) afterwards(v *visit) error { return v.back("/aws", "") }

// An awsLevel is one of the radio buttons.
type awsLevel struct {
	Value, Title, Sub, Refused string
	Approval, Checked          bool
}

type awsTab struct {
	Value, Title, Path string
	Current            bool
}

// An awsRow is one grant of today, with how often it was used.
type awsRow struct {
	ID, Tenant, Level, Issued, Ends string
	State                           badge
	CanEnd                          bool
}

type awsBody struct {
	Empty    *emptiness
	CanSet   bool // the switches
	Tenants  []option
	Target   string // ID
	Tenant   string
	Level    string
	Levels   []awsLevel
	Refused  string // why nothing can be had at the chosen level
	Lasts    string
	Using    *access.Grant // a live one that sessions are issued from
	Waits    *access.Grant // one that waits for approval
	Approval bool

	NeedsTicket, NeedsReason             bool
	Tickets                              []option
	TicketHint                           string
	Ticket, Reason, Minutes              string
	Region, Destination, RegionUsual     string
	Logout, MoreOpen                     bool
	MaxMinutes                           int64
	Menu                                 awsMenu
	Tab                                  string
	Tabs                                 []awsTab
	Keys                                 *keysView
	URL                                  *urlView
	Profile, Use, UseShell, Update       codeView
	TokenProfile, Actions, Script, Token codeView
	Host, ProfileName                    string
	Rows                                 []awsRow
	Wrong                                []wrongField
	Problem                              *access.Error
	Linked                               bool // the problem is one that an administrator can change under Settings

	chosen broker.SessionLevel
	place  broker.SessionPlace
}

// showAWS shows the page, around what was chosen so far.
func (s awsPages) showAWS(v *visit) error {
	b, err := s.awsView(v)
	if err != nil {
		return err
	}
	return s.awsPage(v, http.StatusOK, b)
}

func (s awsPages) awsPage(v *visit, status int, b awsBody) error {
	v.section = "/aws"
	return s.show(v, status, "aws", "AWS access", b)
}

// caller is where the visitor asks from.
func (s awsPages) caller(v *visit) broker.Caller {
	return broker.Caller{Via: access.ViaPage, Application: agentName(v.r.UserAgent()), Address: localPages(s).visitorAddress(v)}
}

// awsView builds the page.
func (s awsPages) awsView(v *visit) (b awsBody, err error) {
	b.CanSet = v.Person.Is(access.Administrator)
	places, err := s.Broker.Sessions.Places(v.ctx(), v.Person, s.caller(v))
	if err != nil {
		return b, err
	}
	if b.Rows, err = s.today(v); err != nil {
		return b, err
	}
	if len(places) == 0 {
		b.Empty, err = s.nowhere(v)
		return b, err
	}
	b.choosePlace(v, places)
	b.chooseLevel(v)
	if err := s.demands(v, &b); err != nil {
		return b, err
	}
	b.texts(s.address(v.r))
	if b.Tab = v.form("tab"); b.Tab != "workstation" && b.Tab != "ci" {
		b.Tab = "keys"
	}
	for _, t := range [][2]string{{"keys", "Temporary keys"}, {"workstation", "From my workstation"}, {"ci", "In CI"}} {
		q := url.Values{"place": {b.Target}, "level": {b.Level}, "tab": {t[0]}}
		b.Tabs = append(b.Tabs, awsTab{Value: t[0], Title: t[1], Path: "/aws?" + q.Encode() + "#ways", Current: t[0] == b.Tab})
	}
	v.remember(lastAWS, b.Target)
	v.formsTo = strings.Join(consoles(b.place.Endpoint), " ")
	s.reachAWS(v)
	v.menu(&b.Menu, true)
	return b, nil
}

// nowhere says why somebody finds nothing here, and what to do about it.
func (s awsPages) nowhere(v *visit) (*emptiness, error) {
	reach, err := s.Broker.Sessions.Reach(v.ctx(), v.Person, "")
	switch {
	case err != nil:
		return nil, err
	case !v.Person.Is(access.Requester):
		return &emptiness{Icon: "cloud", Title: "No sessions for you", Text: "People who may only read get no sessions. An administrator can make you a requester, on the page of People."}, nil
	case !reach.Exists && v.Person.Is(access.Administrator):
		return &emptiness{Icon: "cloud", Title: "No AWS account is connected", Text: "Open a customer, and choose AWS account under Connect a target.", Link: "/customers", Label: "Customers"}, nil
	case reach.Exists:
		return &emptiness{Icon: "cloud", Title: "No AWS account for you", Text: "Accounts are connected, but you work for none of their customers. Tick them on your page under People.", Link: "/people/" + url.PathEscape(v.Person.ID), Label: "Your page"}, nil
	}
	return &emptiness{Icon: "cloud", Title: "No AWS account for you", Text: "Ask an administrator to connect one, or to let you work for its customer."}, nil
}

// choosePlace lists the tenants and finds the chosen one: as the form says,
// else the one of last time, else the first.
func (b *awsBody) choosePlace(v *visit, places []broker.SessionPlace) {
	b.place = places[0]
	if c, err := v.r.Cookie(lastAWS); err == nil {
		b.pick(places, c.Value)
	}
	b.pick(places, v.form("place"))
	b.Target, b.Tenant, b.RegionUsual = b.place.Target.ID, b.place.Customer.Name, b.place.Region
	for _, p := range places {
		label := p.Customer.Name
		if slices.ContainsFunc(places, func(o broker.SessionPlace) bool {
			return o.Customer.ID == p.Customer.ID && o.Target.ID != p.Target.ID
		}) {
			label += " · " + p.Target.Name
		}
		for _, part := range []string{dashed(p.Account), p.Region} {
			if part != "" {
				label += " · " + part
			}
		}
		b.Tenants = append(b.Tenants, option{Value: p.Target.ID, Label: label, Selected: p.Target.ID == b.Target})
	}
}

func (b *awsBody) pick(places []broker.SessionPlace, id string) {
	for _, p := range places {
		if p.Target.ID == id {
			b.place = p
		}
	}
}

// dashed writes an account number as people read it: 4021-7783-1190.
func dashed(account string) string {
	if len(account) != 12 {
		return account
	}
	return account[:4] + "-" + account[4:8] + "-" + account[8:]
}

func levelName(admin bool) string {
	if admin {
		return "admin"
	}
	return "tenant"
}

// chooseLevel lists what can be had there.
func (b *awsBody) chooseLevel(v *visit) {
	want := v.form("level")
	b.chosen = b.place.Levels[0]
	if i := slices.IndexFunc(b.place.Levels, func(l broker.SessionLevel) bool { return l.Refused == "" }); i >= 0 {
		b.chosen = b.place.Levels[i]
	}
	for _, l := range b.place.Levels {
		if levelName(l.Right.Admin) == want {
			b.chosen = l
		}
	}
	for _, l := range b.place.Levels {
		one := awsLevel{Value: levelName(l.Right.Admin), Title: "Tenant", Sub: "Only what " + b.Tenant + " owns", Refused: l.Refused, Approval: l.Policy.NeedsApproval}
		if l.Right.Admin {
			one.Title, one.Sub = "Admin", "Whole account"
		}
		if strings.Contains(l.Right.Help, "read only") {
			one.Sub += ", to read only"
		}
		one.Sub += ", up to " + inWords(l.Length)
		one.Checked = l.Right.Name == b.chosen.Right.Name
		b.Levels = append(b.Levels, one)
	}
	b.Level, b.Refused, b.Lasts = levelName(b.chosen.Right.Admin), b.chosen.Refused, inWords(b.chosen.Length)
	if g := b.chosen.Grant; g.ID != "" && g.ApprovedAt.IsZero() {
		b.Waits = &g
	} else if g.ID != "" {
		b.Using = &g
	}
}

// demands fills in what the policy wants to know before a new grant.
func (s awsPages) demands(v *visit, b *awsBody) error {
	p := b.chosen.Policy
	b.Ticket, b.Reason, b.Minutes = v.form("ticket"), v.form("reason"), v.form("minutes")
	b.Region, b.Destination, b.Logout = v.form("region"), v.form("destination"), v.form("logout") != ""
	b.MoreOpen = b.Region != "" || b.Destination != "" || b.Logout || b.Minutes != ""
	b.MaxMinutes = int64(min(p.Max, access.Ceiling) / time.Minute)
	if b.Using != nil || b.Waits != nil || b.Refused != "" {
		return nil
	}
	b.Approval, b.NeedsTicket, b.NeedsReason = p.NeedsApproval, !p.NoTicket, !p.NoReason
	if !b.NeedsTicket {
		return nil
	}
	list, err := s.Broker.Access.TicketList(v.ctx(), v.Person, b.place.Customer.ID, broker.TicketQuery{})
	if err != nil {
		return err
	}
	for _, t := range list.Tickets {
		label := t.Number
		if t.Title != "" {
			label += " - " + t.Title
		}
		b.Tickets = append(b.Tickets, option{Value: t.ID, Label: label, Selected: b.Ticket == t.ID || b.Ticket == t.Number})
	}
	switch {
	case list.Trouble != "":
		b.TicketHint = list.Trouble
	case len(b.Tickets) == 0:
		b.TicketHint = "This tenant has no open ticket."
	}
	return nil
}

// today lists what the visitor was given since midnight, by grant.
func (s awsPages) today(v *visit) ([]awsRow, error) {
	local := v.now.In(v.zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, v.zone)
	all, err := s.Broker.Sessions.Since(v.ctx(), v.Person, midnight)
	if err != nil {
		return nil, err
	}
	var rows []awsRow
	at := map[string]int{}
	count := map[string]map[string]int{}
	for _, r := range all {
		i, ok := at[r.Grant.ID]
		if !ok {
			i = len(rows)
			at[r.Grant.ID], count[r.Grant.ID] = i, map[string]int{}
			row := awsRow{ID: r.Grant.ID, Tenant: r.Customer, Level: broker.Capital(strings.TrimPrefix(r.Right, "AWS ")), State: stateBadges[r.State], Ends: v.Short(endOf(r)),
				CanEnd: r.Grant.Wanted(v.now) || r.State == access.Pending}
			rows = append(rows, row)
		}
		if r.Session.ID != "" {
			count[r.Grant.ID][r.Session.For]++
			rows[i].Issued = issuedWord(count[r.Grant.ID])
		}
	}
	return rows, nil
}

// endOf is when the access of a row ends; of one whose clock was not seen to
// run yet, when what was issued does.
func endOf(r broker.SessionRow) time.Time {
	switch {
	case r.Grant.ApprovedAt.IsZero():
		return time.Time{}
	case r.Grant.VerifiedAt.IsZero() && r.Session.ID != "" && r.Grant.StoppedAt.IsZero():
		return r.Session.EndsAt
	case !r.Grant.EndedAt.IsZero():
		return r.Grant.EndedAt
	}
	return r.Grant.EndsAt()
}

// issuedWord says what was issued: "keys × 3, console".
func issuedWord(count map[string]int) string {
	var parts []string
	for _, what := range [][2]string{{access.ForConsole, "console"}, {access.ForURL, "console URL"}, {access.ForKeys, "keys"}} {
		switch n := count[what[0]]; {
		case n == 1:
			parts = append(parts, what[1])
		case n > 1:
			parts = append(parts, fmt.Sprintf("%s × %d", what[1], n))
		}
	}
	return strings.Join(parts, ", ")
}

// endGrant ends a grant from the list, and comes back to it.
func (s awsPages) endGrant(v *visit) error {
	_, err := s.Broker.Access.End(v.ctx(), v.Person, v.form("grant"))
	if err != nil && access.KindOf(err) != access.Conflict {
		return err
	}
	return v.back("/aws", "ending")
}

// An awsMenu is the seven things that can be had, in two sections.
type awsMenu struct {
	Target, Tenant  string
	NonAdmin, Admin bool
	Direct          bool // the page lets a form lead straight to a console
	Linked          bool // some is switched off, and the visitor may be told where the switches are
}

// menu fills in m, as far as the visitor can have anything.
func (v *visit) menu(m *awsMenu, direct bool) {
	*m = awsMenu{Target: v.reach.Target, Tenant: v.reach.Tenant, NonAdmin: v.reach.NonAdmin, Admin: v.reach.Admin, Direct: direct, Linked: v.reach.SwitchedOff && v.Person.Is(access.Administrator)}
}

// reachAWS reads once for each page where the visitor may have sessions.
func (s *Server) reachAWS(v *visit) {
	if v.reached {
		return
	}
	v.reached = true
	chosen := v.form("place")
	if c, err := v.r.Cookie(lastAWS); err == nil && chosen == "" {
		chosen = c.Value
	}
	reach, err := s.Broker.Sessions.Reach(v.ctx(), v.Person, chosen)
	if err != nil { // menus are not worth failing a page for
		slog.WarnContext(v.ctx(), "reading where sessions can be had failed", "err", err)
	}
	v.reach = reach
}

// consoles are the places to which a form that opens a console may lead: AWS
// sends a browser on from its sign-in to the console, in the same partition.
func consoles(endpoint string) []string {
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		return []string{u.Scheme + "://" + u.Host}
	}
	var out []string
	for _, domain := range []string{"aws.amazon.com", "amazonaws.cn", "amazonaws-us-gov.com", "amazonaws-eusc.eu"} {
		out = append(out, "https://*."+domain)
	}
	return out
}

// inWords writes a length as people say it: "1 hour", "1 hour 30 minutes", "16 min 40 s".
func inWords(d time.Duration) string {
	h, m, sec := int64(d/time.Hour), int64(d%time.Hour/time.Minute), int64(d%time.Minute/time.Second)
	if sec > 0 {
		return strings.TrimPrefix(fmt.Sprintf("%d h %d min %d s", h, m, sec), "0 h ")
	}
	var parts []string
	for _, p := range []struct {
		n    int64
		word string
	}{{h, "hour"}, {m, "minute"}} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 "+p.word)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", p.n, p.word))
		}
	}
	return strings.Join(parts, " ")
}
