package broker

import (
	"cmp"
	"context"
	"slices"

	"jitney/access"
	"jitney/target"
)

// A SessionReach says in short where somebody may have sessions, for menus
// that stand on every page.
type SessionReach struct {
	Exists   bool   // a target with sessions that the person may know of is connected
	Tenant   string // name of the customer of Target
	Target   string // ID of the one that the menus are about; empty if the person can have sessions nowhere
	Endpoint string // of a simulation that stands in for AWS there; empty: AWS's own
	NonAdmin bool   // whether sessions that are no administrator's can be had there
	Admin    bool   // likewise, those that are

	SwitchedOff bool // a switch forbids some that the person could have there
}

// Reach reads that. chosen is the ID of the target that the person used last;
// if it is not theirs any more, the first one by customer counts.
func (s *Sessions) Reach(ctx context.Context, who access.Person, chosen string) (r SessionReach, err error) {
	if !slices.ContainsFunc(s.access.Kinds, func(k target.Kind) bool { return k.Sessions }) {
		return r, nil
	}
	customers, err := s.access.Customers.Customers(ctx)
	if err != nil {
		return r, err
	}
	targets, err := s.access.Targets.Targets(ctx, "")
	if err != nil {
		return r, err
	}
	var found wanted
	for _, c := range customers {
		if !c.ArchivedAt.IsZero() || !sees(who, c.ID) {
			continue
		}
		for _, t := range targets {
			kind, ok := findKind(s.access.Kinds, t.Kind)
			if t.Customer != c.ID || !t.DisabledAt.IsZero() || !ok || !kind.Sessions {
				continue
			}
			r.Exists = true
			if asks(who, c.ID) && (found.target.ID == "" || t.ID == chosen) {
				found = wanted{customer: c, target: t, kind: kind}
			}
		}
	}
	if found.target.ID == "" {
		return r, nil
	}
	r.Tenant, r.Target, r.Endpoint = found.customer.Name, found.target.ID, found.target.Settings["endpoint"]
	for _, right := range found.kind.Entitlements(settingsOf(found.target)) {
		if right.Admin && !who.Is(access.Administrator) {
			continue
		}
		off := switched(ctx, s.access.Rules, right)
		if off != nil && access.KindOf(off) != access.Denied {
			return r, off
		}
		r.SwitchedOff = r.SwitchedOff || off != nil
		if right.Admin {
			r.Admin = off == nil
		} else {
			r.NonAdmin = off == nil
		}
	}
	return r, nil
}

// Roles reads from the targets what each role allows, for administrators and
// auditors.
func (s *Sessions) Roles(ctx context.Context, who access.Person) ([]RoleLimit, error) {
	if _, err := s.gate.fresh(ctx, who, access.Administrator, access.Auditor); err != nil {
		return nil, err
	}
	limits, err := s.issued.Limits(ctx)
	if err != nil {
		return nil, err
	}
	places, err := s.everyPlace(ctx)
	if err != nil {
		return nil, err
	}
	return s.each(ctx, places, func(p wanted) access.Limit {
		return access.Limit{Setting: access.SessionLength, Length: p.at().Length(limits)}
	}), nil
}

// inOrder compares by what people call things.
func (r RoleLimit) inOrder(o RoleLimit) int {
	return cmp.Or(cmp.Compare(r.Customer, o.Customer), cmp.Compare(r.Target, o.Target), cmp.Compare(r.Right, o.Right))
}
