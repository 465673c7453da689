package broker

import (
	"context"
	"slices"
	"time"

	"jitney/access"
)

// End ends early what who has or waits for at one place: every grant of the
// scope that ask names by customer, name or target, or the one grant that it
// names. Words that name a place for Issue name the same here, and a token
// reaches no further; but no switch, role or disabled target keeps anybody from
// giving back what is theirs. It is access.NotFound if there is nothing, and
// access.Conflict with the code [Ended] if all of it is over already.
func (s *Sessions) End(ctx context.Context, who access.Person, ask SessionAsk) ([]access.Grant, error) {
	who, err := s.gate.fresh(ctx, who)
	if err != nil {
		return nil, err
	}
	if ask.Admin && ask.From.NoAdmin {
		return nil, denied("You are signed in without admin access here.", "Sign in again with \"jitney login --admin\", or end it on its page.")
	}
	found, err := s.held(ctx, who, ask)
	if err != nil {
		return nil, err
	}
	for _, g := range found {
		if g.Target != found[0].Target {
			return nil, &access.Error{Kind: access.Invalid, Text: "Say which tenant: you have access to several.", Hint: "Give --tenant NAME, or --grant with the ID on the page of the access."}
		}
	}
	if len(found) == 0 {
		return nil, &access.Error{Kind: access.NotFound, Text: "You have no AWS access there that could be ended.", Hint: "Tenant and admin access are ended apart; the AWS page lists what you have."}
	}
	now := time.Now().UTC()
	if found = slices.DeleteFunc(found, func(g access.Grant) bool { return over(g, now) }); len(found) == 0 {
		return nil, ended()
	}
	for i, g := range found {
		if found[i], err = endFrom(ctx, s.access, who, g.ID, ask.From); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// held lists the grants of who that ask names and that have not ended, and one
// that it names by ID even then.
func (s *Sessions) held(ctx context.Context, who access.Person, ask SessionAsk) (found []access.Grant, err error) {
	var all []access.Grant
	if ask.Grant != "" {
		g, err := s.access.visible(ctx, who, ask.Grant)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	} else if all, err = s.access.Grants.Find(ctx, access.GrantQuery{Requester: who.ID, Open: true, Limit: 500, Now: time.Now().UTC()}); err != nil {
		return nil, err
	}
	named, err := s.named(ctx, ask)
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		isNamed := slices.ContainsFunc(named, func(c access.Customer) bool { return c.ID == g.Customer })
		if g.Requester != who.ID || !isNamed || !ask.From.reaches(g.Customer) || ask.Target != "" && g.Target != ask.Target {
			continue
		}
		t, err := s.access.Targets.Target(ctx, g.Target)
		if err != nil {
			return nil, err
		}
		kind, ok := findKind(s.access.Kinds, t.Kind)
		if !ok || !kind.Sessions {
			continue
		}
		right, offered := kind.Find(settingsOf(t), g.Entitlement)
		if admin := right.Admin || !offered; admin == ask.Admin { // what is not offered any more may have been an administrator's
			found = append(found, g)
		}
	}
	return found, nil
}
