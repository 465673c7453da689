package web

import (
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
)

// An awsGrant is what the page of a grant shows if sessions are issued from it.
type awsGrant struct {
	Target, Level, Grant string
	CanOpen              bool
	EndWords             string // what ending it early does
	Name                 string // as the account's own log shows its sessions
	Rows                 []issuedRow
}

// An issuedRow is one session.
type issuedRow struct {
	What, From, Key string
	At, Ends        time.Time
	State           badge
}

// awsOf adds to the page of a grant what was issued from it, and the way to
// more, if it is the visitor's own.
func (s grantPages) awsOf(v *visit, p broker.GrantPage, b *grantBody) error {
	if !p.Sessions {
		return nil
	}
	issued, err := s.Broker.Sessions.Of(v.ctx(), v.Person, p.Grant.ID)
	if err != nil {
		return err
	}
	g := &awsGrant{Target: p.Grant.Target, Level: levelName(p.Admin), Grant: p.Grant.ID, Name: p.Account.Username,
		CanOpen: p.Grant.Requester == v.Person.ID && p.Grant.Wanted(v.now) && v.Person.Is(access.Requester)}
	for _, n := range issued {
		row := issuedRow{What: broker.Capital(whatFor(n.For)), From: fromWhere(n), Key: n.KeyID, At: n.IssuedAt, Ends: n.EndsAt, State: b.State}
		if !v.now.Before(n.EndsAt) {
			row.State = badge{"ended", "circle-check", "Over"}
		} else if b.Ticking || p.Keeps {
			row.State = stateBadges[access.Active]
		}
		g.Rows = append(g.Rows, row)
	}
	g.EndWords = "No new session is made, and every one of it is denied everything: within seconds as a rule, but AWS may take a minute or two."
	if p.Keeps {
		g.EndWords = "No new session is made."
	}
	if !p.Kept.IsZero() {
		g.EndWords = kept(v, p)
	}
	b.Username = "" // nobody signs in with it
	if p.State == access.Starting {
		b.PhaseText = "Sessions can be had already. The clock starts when Jitney has tried the role and read that back."
	}
	if g.CanOpen {
		if err := s.mayLead(v, g.Target); err != nil {
			return err
		}
	}
	b.AWS = g
	return nil
}

// kept says until when that works which nothing can end sooner.
func kept(v *visit, p broker.GrantPage) string {
	return "No new session is made. Keys and consoles that were fetched work until " + v.Second(p.Kept) + " " + v.ZoneName() + "; nothing can end them sooner."
}

func whatFor(what string) string {
	return map[string]string{access.ForConsole: "console", access.ForURL: "console URL", access.ForKeys: "keys"}[what]
}

// fromWhere says how a session was asked for: "command line on maya-laptop".
func fromWhere(n access.Session) string {
	from := map[string]string{access.ViaPage: "the page", access.ViaCLI: "the command line", access.ViaToken: "an API token"}[n.Via]
	var parts []string
	for _, part := range []string{n.Application, n.Machine, n.Address} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return from
	}
	return from + ": " + strings.Join(parts, ", ")
}

// mayLead lets the forms of a page lead to the console of a target.
func (s *Server) mayLead(v *visit, targetID string) error {
	reach, err := s.Broker.Sessions.Reach(v.ctx(), v.Person, targetID)
	if err == nil && reach.Target == targetID {
		v.formsTo = strings.Join(consoles(reach.Endpoint), " ")
	}
	return err
}

// lengthsOf lists the settings of how long sessions of a customer last, for
// whoever may see settings.
func (s places) lengthsOf(v *visit, customer string) (out []option, err error) {
	if !v.Person.Is(access.Administrator) && !v.Person.Is(access.Auditor) {
		return nil, nil
	}
	all, err := s.Broker.Sessions.Settings(v.ctx(), v.Person)
	if err != nil {
		return nil, err
	}
	at := func(l access.Limit) bool {
		if l.Place == access.AtCustomer(customer) {
			return true
		}
		for _, r := range all.Rows {
			if r.Customer.ID == customer && l.Place == access.AtTarget(r.Target.ID) {
				return true
			}
		}
		return false
	}
	for _, l := range all.Limits {
		if at(l) {
			row := limitRowOf(v, all, l)
			out = append(out, option{Label: row.Name + " (" + row.Where + ")", Value: secondsOf(l.Length)})
		}
	}
	for _, r := range all.Rows {
		if r.Customer.ID == customer && (r.Wins.Setting == "" || !at(r.Wins)) {
			out = append(out, option{Label: nameValidity + " (" + broker.Capital(levelName(r.Right.Admin)) + ")", Value: secondsOf(r.Length) + ". " + why(r) + "."})
		}
	}
	return out, nil
}
