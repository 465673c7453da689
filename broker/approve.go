package broker

import (
	"context"
	"fmt"
	"time"

	"jitney/access"
)

// Approve lets a request that waits for approval be granted. Nobody approves
// what they asked for themselves, and the newest policy must still allow it.
func (a *Access) Approve(ctx context.Context, who access.Person, grantID, comment string) (access.Grant, error) {
	who, err := a.decider(ctx, who, grantID)
	if err != nil {
		return access.Grant{}, err
	}
	g, err := a.Grants.Grant(ctx, grantID)
	if err != nil {
		return access.Grant{}, hide(err)
	}
	policy, err := a.Rules.Policy(ctx, g.Policy)
	if err != nil {
		return access.Grant{}, err
	}
	if wrong := policy.Check(g.Request); len(wrong) > 0 {
		return access.Grant{}, &access.Error{Kind: access.Denied, Text: "The policy does not allow this request any more: " + wrong[0].Text,
			Hint: "Deny it, and let the requester ask again."}
	}
	g, err = a.Grants.Update(ctx, grantID, func(g *access.Grant) ([]access.Event, error) {
		if err := undecided(*g); err != nil {
			return nil, err
		}
		now := time.Now().UTC()
		g.ApprovedAt, g.ApprovedBy, g.StartBy = now, who.ID, now.Add(policy.StartWithin)
		e := by(who, access.EventApproved, g.Customer, g.ID, g.Target, withComment("Approved.", comment))
		e.Data = map[string]string{"policy": fmt.Sprintf("%s v%d", policy.Name, policy.Version)}
		return []access.Event{e}, nil
	})
	return g, hide(err)
}

// Deny refuses a request that waits for approval. It demands a comment, which
// the requester reads.
func (a *Access) Deny(ctx context.Context, who access.Person, grantID, comment string) (access.Grant, error) {
	who, err := a.decider(ctx, who, grantID)
	if err != nil {
		return access.Grant{}, err
	}
	comment, err = demand("comment", comment, "Say why, so that the requester knows what to change.")
	if err != nil {
		return access.Grant{}, err
	}
	g, err := a.Grants.Update(ctx, grantID, func(g *access.Grant) ([]access.Event, error) {
		if err := undecided(*g); err != nil {
			return nil, err
		}
		return stop(g, who, access.ByDenial, comment, withComment("Denied.", comment)), nil
	})
	return g, hide(err)
}

// decider reads who again and demands that they may decide about the grant.
func (a *Access) decider(ctx context.Context, who access.Person, grantID string) (access.Person, error) {
	who, err := a.gate.fresh(ctx, who)
	if err != nil {
		return who, err
	}
	g, err := a.visible(ctx, who, grantID)
	switch {
	case err != nil:
		return who, err
	case g.Requester == who.ID:
		return who, denied("Nobody can approve or deny their own request.", "Ask another approver; you can withdraw the request.")
	case !who.Is(access.Approver) || !who.WorksFor(g.Customer):
		return who, denied("Only an approver who works for this customer can decide.", "Ask one of them.")
	}
	return who, nil
}

func undecided(g access.Grant) error {
	if !g.ApprovedAt.IsZero() || !g.StoppedAt.IsZero() || !g.EndedAt.IsZero() {
		return &access.Error{Kind: access.Conflict, Text: "This request was decided already.", Hint: "Load the page again to see how."}
	}
	return nil
}

func withComment(text, comment string) string {
	if comment = clip(comment, access.MaxReason); comment == "" {
		return text
	}
	return text + " " + comment
}
