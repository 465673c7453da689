package entra

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
)

// Apply gives the account the wanted roles and takes every other one away. In
// password mode it makes the account, too, and sets its password.
func (s *system) Apply(ctx context.Context, a access.Account, want access.Want, password secret.Text) error {
	wanted, err := s.wanted(want)
	if err != nil {
		return err
	}
	if s.tap {
		password = secret.Text{}
	}
	m := maker{s}
	u, fresh, err := m.present(ctx, a, password)
	if err != nil {
		return explain(err, "make the account")
	}
	if !fresh && !password.IsZero() && !s.made(u.ID, password) {
		if err := m.reset(ctx, u.ID, password); err != nil {
			return explainReset(err)
		}
	}
	g := granter{system: s, a: a, id: u.ID, wanted: wanted, until: want.Until}
	if !fresh && !g.untouched(a) {
		if err := g.clear(ctx); err != nil {
			return explain(err, "take away roles that are not wanted")
		}
	}
	if err := s.punctual(); err != nil && !g.complete() { // what is over was taken away
		return err
	}
	if !fresh && a.Seen.Exists && !a.Seen.Enabled {
		if err := g.enable(ctx); err != nil {
			return explain(err, "enable the account")
		}
	}
	return g.give(ctx)
}

// present finds the account. Only where the target makes no credentials, this
// makes it; else Issue has.
func (s maker) present(ctx context.Context, a access.Account, password secret.Text) (u user, fresh bool, err error) {
	if !s.tap {
		if password.IsZero() {
			password = secret.Password(32)
		}
		return s.bring(ctx, a, password)
	}
	upn, err := s.upn(ctx, a)
	if err != nil {
		return user{}, false, err
	}
	if id := strings.ToLower(a.ObjectID); validGUID(id) {
		return user{ID: id, UserPrincipalName: upn}, false, nil
	}
	return s.adopt(ctx, a, upn)
}

// reset sets the password, alone: a refusal must not take other changes along.
func (s maker) reset(ctx context.Context, id string, password secret.Text) error {
	return s.eventually(ctx, func() error {
		_, err := s.do(ctx, call{method: http.MethodPatch, path: "/users/" + id, needs: mayReset, hide: []string{password.Reveal()},
			body: map[string]any{"passwordProfile": map[string]any{"password": password.Reveal(), "forceChangePasswordNextSignIn": false}}})
		if err == nil {
			s.madeWith(id, password)
		}
		return err
	})
}

func explainReset(err error) error {
	e, ok := errors.AsType[*access.Error](explain(err, "set the password"))
	if ok && is(err, http.StatusForbidden) && e.Code != codeConsent {
		e.Text = "The app may not set the password of the account."
		e.Hint = "That takes the permission User-PasswordProfile.ReadWrite.All and a directory role of the app: User Administrator, or Privileged Authentication Administrator for an account that holds Global Administrator. A Temporary Access Pass needs neither."
	}
	return e
}

// A granter gives roles to one account.
type granter struct {
	*system
	a      access.Account
	id     string
	wanted []role
	until  time.Time
	held   []assignment // as far as it was read
	ends   []scheduled
}

// untouched reports whether nobody can have given the account anything yet:
// it did not exist when this look began.
func (g *granter) untouched(a access.Account) bool {
	return !a.Seen.At.IsZero() && !a.Seen.Exists && a.ObjectID != ""
}

// holds reports whether a role was read as held.
func (g *granter) holds(r role) bool {
	return slices.ContainsFunc(g.held, func(h assignment) bool { return h.Scope == "/" && strings.ToLower(h.Role) == r.id })
}

// complete reports whether every wanted role was.
func (g *granter) complete() bool {
	return !slices.ContainsFunc(g.wanted, func(r role) bool { return !g.holds(r) })
}

// clear reads what the account holds and takes away what is not wanted.
func (g *granter) clear(ctx context.Context) (err error) {
	if g.held, _, err = g.assignments(ctx, g.id); err != nil {
		return err
	}
	if g.usesPIM() || !g.a.Seen.Until.IsZero() {
		if g.ends, _, err = g.instances(ctx, g.id); err != nil && !g.pimRefused(err) {
			return err
		}
	}
	var kept []assignment
	for _, h := range g.held {
		if h.Scope == "/" && offers(g.wanted, strings.ToLower(h.Role)) {
			kept = append(kept, h)
			continue
		}
		if err := (pim{g.system}).takeAway(ctx, g.id, h, g.ends); err != nil {
			return err
		}
	}
	g.held = kept
	groups, _, err := g.groupsIfAllowed(ctx)
	if err != nil || len(groups) == 0 {
		return err
	}
	return &access.Error{Kind: access.Denied, Text: "Somebody put the account into the group " + clip(groups[0].Name, 80) + ", which can carry roles; the app may not take it out.",
		Hint: "Take it out in the Entra admin center, or end the grant: the membership ends with the account."}
}

func (g *granter) groupsIfAllowed(ctx context.Context) ([]group, reply, error) {
	if len(g.a.Seen.Extra) == 0 || !g.may(mayGroups) {
		return nil, reply{}, nil
	}
	return g.groups(ctx, g.id)
}

// enable lets the account sign in again. While it holds a role, the app may
// not do that without a directory role of its own: then the role goes first.
func (g *granter) enable(ctx context.Context) error {
	err := g.graph.enable(ctx, g.id, true)
	if !is(err, http.StatusForbidden) || len(g.held) == 0 {
		return err
	}
	for _, h := range g.held {
		if err := (pim{g.system}).takeAway(ctx, g.id, h, g.ends); err != nil {
			return err
		}
	}
	g.held, g.ends = nil, nil
	return g.graph.enable(ctx, g.id, true)
}

// give gives the roles that are missing, and moves the ends of those that have
// one.
func (g *granter) give(ctx context.Context) error {
	for _, r := range g.wanted {
		if err := g.giveOne(ctx, r, g.holds(r)); err != nil {
			return explain(err, "give the role "+r.title)
		}
	}
	return nil
}

// giveOne gives one role: with an end where that is wanted and possible.
func (g *granter) giveOne(ctx context.Context, r role, held bool) error {
	end, scheduled := g.endOf(r)
	switch {
	case held && (!scheduled || within(end, g.until, 30*time.Second)):
		return nil
	case held && scheduled, g.usesPIM() && !held:
		err := pim{g.system}.schedule(ctx, g.a, g.id, r, g.until, held)
		if err == nil || !g.pimRefused(err) || held {
			return err
		}
	case held:
		return nil
	}
	err := g.eventually(ctx, func() error { return g.assign(ctx, g.id, r.id) })
	if alreadyThere(err) {
		return nil // only reading decides
	}
	return err
}

func within(a, b time.Time, d time.Duration) bool { return a.Sub(b).Abs() <= d }
