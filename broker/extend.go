package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jitney/access"
)

// Extend lets active access last some minutes longer, within the newest
// version of its policy. Only the holder can, who must still work there.
func (a *Access) Extend(ctx context.Context, who access.Person, grantID string, minutes int64) (access.Grant, error) {
	who, err := a.gate.fresh(ctx, who)
	if err != nil {
		return access.Grant{}, err
	}
	g, err := a.visible(ctx, who, grantID)
	switch {
	case err != nil:
		return access.Grant{}, err
	case g.Requester != who.ID:
		return access.Grant{}, denied("Only the person who holds this access can extend it.", "")
	case !asks(who, g.Customer):
		return access.Grant{}, denied("You do not work for this customer any more, so this access cannot be extended.", "Ask an administrator.")
	}
	more, err := access.Minutes(minutes)
	if err != nil {
		e, _ := errors.AsType[*access.Error](err)
		return access.Grant{}, invalid("minutes", e.Text)
	}
	policy, err := a.Rules.Policy(ctx, g.Policy)
	if err != nil {
		return access.Grant{}, err
	}
	g, err = a.Grants.Update(ctx, grantID, func(g *access.Grant) ([]access.Event, error) {
		if err := policy.CheckExtension(*g, more, time.Now().UTC()); err != nil {
			return nil, err
		}
		g.Extension += more
		e := by(who, access.EventExtended, g.Customer, g.ID, g.Target, fmt.Sprintf("Extended by %s, to %s in all.", access.Length(more), access.Length(g.Duration+g.Extension)))
		e.Data = map[string]string{"policy": fmt.Sprintf("%s v%d", policy.Name, policy.Version), "minutes": fmt.Sprint(minutes)}
		return []access.Event{e}, nil
	})
	return g, hide(err)
}
