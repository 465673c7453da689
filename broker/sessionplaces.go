package broker

import (
	"context"
	"slices"
	"time"

	"jitney/access"
	"jitney/target"
)

// A SessionPlace is one target of which sessions are issued, as one person may
// use it.
type SessionPlace struct {
	Customer access.Customer
	Target   access.Target // without settings but those that its kind shows
	Account  string        // as people know it
	Region   string
	Endpoint string // of a simulation that stands in for AWS; empty: AWS's own
	Levels   []SessionLevel
}

// A SessionLevel is one scope of a SessionPlace.
type SessionLevel struct {
	Right   target.Entitlement
	Refused string // why the person cannot have it, and who can change that; empty if they can
	Policy  access.Policy
	Length  time.Duration // how long a session lasts by the settings
	Wins    access.Limit  // the setting that says so; zero if none is set
	Grant   access.Grant  // a live or waiting one of the person; zero if there is none
}

// Places lists, by customer, the targets that who may have sessions of. A scope
// that who can never have is left out; one that a switch forbids is there with
// the reason, for administrators.
func (s *Sessions) Places(ctx context.Context, who access.Person, from Caller) ([]SessionPlace, error) {
	who, err := s.gate.fresh(ctx, who)
	if err != nil {
		return nil, err
	}
	customers, err := s.access.Customers.Customers(ctx)
	if err != nil {
		return nil, err
	}
	targets, err := s.access.Targets.Targets(ctx, "")
	if err != nil {
		return nil, err
	}
	limits, err := s.issued.Limits(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	open, err := s.access.Grants.Find(ctx, access.GrantQuery{Requester: who.ID, Open: true, Limit: 500, Now: now})
	if err != nil {
		return nil, err
	}
	var places []SessionPlace
	for _, c := range customers {
		if !c.ArchivedAt.IsZero() || !asks(who, c.ID) || !from.reaches(c.ID) {
			continue
		}
		for _, t := range targets {
			kind, ok := findKind(s.access.Kinds, t.Kind)
			if t.Customer != c.ID || !t.DisabledAt.IsZero() || !ok || !kind.Sessions {
				continue
			}
			p := SessionPlace{Customer: c, Account: t.Settings["account"], Region: t.Settings["region"], Endpoint: t.Settings["endpoint"]}
			for _, right := range kind.Entitlements(settingsOf(t)) {
				if right.Admin && (!who.Is(access.Administrator) || from.NoAdmin) {
					continue
				}
				level, err := s.level(ctx, t, right, limits)
				if err != nil {
					return nil, err
				}
				level.Grant = best(open, t.ID, right.Name, now)
				p.Levels = append(p.Levels, level)
			}
			t.Settings, t.Findings = nil, nil
			p.Target = t
			places = append(places, p)
		}
	}
	return places, nil
}

func (s *Sessions) level(ctx context.Context, t access.Target, right target.Entitlement, limits []access.Limit) (l SessionLevel, err error) {
	at := access.SessionPlace{Target: t.ID, Customer: t.Customer, Admin: right.Admin}
	l = SessionLevel{Right: right, Length: at.Length(limits)}
	l.Wins, _ = access.Winning(limits, access.SessionLength, at)
	if l.Policy, err = policyFor(ctx, s.access.Rules, t, right); err != nil {
		return l, err
	}
	l.Length = min(l.Length, l.Policy.Max)
	if off := switched(ctx, s.access.Rules, right); off != nil {
		e, ok := off.(*access.Error)
		if !ok {
			return l, off
		}
		l.Refused = e.Text + " " + e.Hint
	}
	return l, nil
}

// best is the grant of right on a target that lasts longest, or that waits for
// approval; zero if there is none.
func best(open []access.Grant, targetID, right string, now time.Time) (found access.Grant) {
	for _, g := range open {
		waits := g.ApprovedAt.IsZero() && g.StoppedAt.IsZero()
		if g.Target != targetID || g.Entitlement != right || !waits && !g.Wanted(now) {
			continue
		}
		if found.ID == "" || until(g, now).After(until(found, now)) {
			found = g
		}
	}
	return found
}

// A SessionRow is a session, or a grant that waits for one, as a list shows it.
type SessionRow struct {
	Session  access.Session // zero ID: nothing was issued from the grant yet
	Grant    access.Grant
	Customer string       // name
	Target   string       // name
	Right    string       // title
	State    access.State // of the grant
	Over     bool         // the session itself is of no use any more
}

// Since lists what who was given since then, the newest first, and the grants
// of sessions that were asked for and gave nothing yet.
func (s *Sessions) Since(ctx context.Context, who access.Person, since time.Time) ([]SessionRow, error) {
	who, err := s.gate.fresh(ctx, who)
	if err != nil {
		return nil, err
	}
	all, err := s.issued.SessionsBy(ctx, who.ID, since)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	grants, err := s.access.Grants.Find(ctx, access.GrantQuery{Requester: who.ID, From: since.Add(-access.Ceiling), Limit: 500, Now: now})
	if err != nil {
		return nil, err
	}
	names, err := s.access.names.read(ctx)
	if err != nil {
		return nil, err
	}
	byID := map[string]access.Grant{}
	for _, g := range grants {
		byID[g.ID] = g
	}
	row := func(n access.Session, g access.Grant) SessionRow {
		return SessionRow{Session: n, Grant: g, Customer: names.customer(g.Customer), Target: names.target(g.Target),
			Right: names.entitlement(g.Target, g.Entitlement), State: g.State(now), Over: n.ID != "" && !now.Before(n.EndsAt)}
	}
	var rows []SessionRow
	for _, g := range grants {
		if names.kind(g.Target).Sessions && g.EndedAt.IsZero() && !slices.ContainsFunc(all, func(n access.Session) bool { return n.Grant == g.ID }) {
			rows = append(rows, row(access.Session{}, g))
		}
	}
	for _, n := range all {
		g, ok := byID[n.Grant]
		if !ok {
			if g, err = s.access.Grants.Grant(ctx, n.Grant); err != nil {
				return nil, err
			}
		}
		rows = append(rows, row(n, g))
	}
	return rows, nil
}

// Of lists what was issued from a grant that who may see, the newest first.
func (s *Sessions) Of(ctx context.Context, who access.Person, grantID string) ([]access.Session, error) {
	if _, err := s.access.visible(ctx, who, grantID); err != nil {
		return nil, err
	}
	return s.issued.SessionsOf(ctx, grantID)
}
