package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"jitney/access"
)

// A Scope says what is revoked: exactly one field is set.
type Scope struct {
	Grant      string // ID
	Person     string // everything that this person holds or waits for
	Customer   string // everything on the targets of this customer
	Everything bool
}

// Revoke ends grants from outside, also those that wait for approval, and
// reports how many were not over yet. Only an administrator can. One grant
// that cannot be written does not keep it from the others.
func (a *Access) Revoke(ctx context.Context, who access.Person, s Scope, reason string) (int, error) {
	who, err := a.gate.fresh(ctx, who)
	if err != nil {
		return 0, err
	}
	if s.Grant != "" {
		if _, err := a.visible(ctx, who, s.Grant); err != nil {
			return 0, err
		}
	}
	if err := allow(who, access.Administrator); err != nil {
		if s.Grant != "" { // they see the grant, so its existence is no secret
			return 0, denied("Only an administrator can revoke access.", "The holder can end it early.")
		}
		return 0, err
	}
	r := revoker{a}
	if err := r.scope(ctx, s); err != nil {
		return 0, err
	}
	if reason, err = demand("reason", reason, "Reason is required."); err != nil {
		return 0, err
	}
	if s.Grant != "" {
		return r.revokeOne(ctx, who, s.Grant, reason)
	}
	return r.revokeMany(ctx, who, access.GrantQuery{Requester: s.Person, Customer: s.Customer}, reason)
}

// A revoker carries out what was decided.
type revoker struct{ *Access }

// scope checks that s names one thing that exists.
func (a revoker) scope(ctx context.Context, s Scope) error {
	set := 0
	for _, is := range []bool{s.Grant != "", s.Person != "", s.Customer != "", s.Everything} {
		if is {
			set++
		}
	}
	if set != 1 {
		return &access.Error{Kind: access.Invalid, Text: "Say what to revoke: one grant, one person, one customer, or everything."}
	}
	var err error
	switch {
	case s.Person != "":
		_, err = a.People.Person(ctx, s.Person)
	case s.Customer != "":
		_, err = a.Customers.Customer(ctx, s.Customer)
	}
	return hide(err)
}

func (a revoker) revokeOne(ctx context.Context, who access.Person, id, reason string) (int, error) {
	n := 0
	_, err := a.Grants.Update(ctx, id, func(g *access.Grant) ([]access.Event, error) {
		n = 0
		events := stop(g, who, access.ByRevoking, reason, "Revoked: "+reason)
		if len(events) > 0 {
			n = 1
		}
		return events, nil
	})
	if err != nil {
		return 0, hide(err)
	}
	return n, nil
}

// revokeMany goes through all open grants oldest first, so that one that is
// made meanwhile is met as well.
func (a revoker) revokeMany(ctx context.Context, who access.Person, q access.GrantQuery, reason string) (count int, err error) {
	q.Open, q.Oldest, q.Limit, q.Now = true, true, 200, time.Now().UTC()
	var failed []error
	for {
		page, err := a.Grants.Find(ctx, q)
		if err != nil {
			return count, errors.Join(append(failed, err)...)
		}
		for _, g := range page {
			n, err := a.revokeOne(ctx, who, g.ID, reason)
			if err != nil {
				failed = append(failed, fmt.Errorf("revoke grant %s: %w", g.ID, err))
			}
			count += n
		}
		if len(page) < q.Limit {
			break
		}
		q.After = page[len(page)-1].ID
	}
	if len(failed) > 0 {
		return count, &access.Error{Kind: access.Unavailable, Text: fmt.Sprintf("%d grants were revoked, %d could not be.", count, len(failed)),
			Hint: "Revoke again at once.", Err: errors.Join(failed...)}
	}
	return count, nil
}

// demand trims and bounds a text that somebody must give.
func demand(field, text, missing string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", invalid(field, missing)
	case utf8.RuneCountInString(text) > access.MaxReason:
		return "", invalid(field, fmt.Sprintf("This may have up to %d characters.", access.MaxReason))
	}
	return text, nil
}
