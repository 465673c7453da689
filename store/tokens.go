package store

import (
	"context"
	"fmt"
	"time"

	"jitney/access"
	"jitney/store/db"
)

// Tokens keeps the tokens of programs.
type Tokens struct {
	core *core
}

func tokenOf(r db.Token) (access.Token, error) {
	customers, err := decode[[]string](r.Customers)
	if err != nil {
		return access.Token{}, fmt.Errorf("read customers of token %s: %w", r.ID, err)
	}
	return access.Token{
		ID: r.ID, Kind: r.Kind, Name: r.Name, Person: r.Person, Admin: r.Admin, Customers: customers,
		CreatedAt: instant(r.CreatedAt), CreatedBy: r.CreatedBy, ExpiresAt: instant(r.ExpiresAt), UsedAt: instant(r.UsedAt), UsedFrom: r.UsedFrom,
		RevokedAt: instant(r.RevokedAt), RevokedBy: r.RevokedBy, Machine: r.Machine, Application: r.Application,
	}, nil
}

// TokenByHash finds a token, also one that is of no use any more.
func (s *Tokens) TokenByHash(ctx context.Context, hash string) (access.Token, error) {
	row, err := s.core.q().TokenByHash(ctx, hash)
	if err != nil {
		return access.Token{}, fail("find a token", err)
	}
	return tokenOf(row)
}

// Tokens lists the tokens of a person, of everybody if that is empty, the
// newest first.
func (s *Tokens) Tokens(ctx context.Context, person string) ([]access.Token, error) {
	var rows []db.Token
	var err error
	if person == "" {
		rows, err = s.core.q().Tokens(ctx)
	} else {
		rows, err = s.core.q().TokensOf(ctx, person)
	}
	all, err := each(rows, err, tokenOf)
	return all, fail("list tokens", err)
}

// Sign-ins that ran out are kept for this long, API tokens for longer.
const (
	keepSignIns   = 7 * 24 * time.Hour
	keepAPITokens = 400 * 24 * time.Hour
)

// AddToken stores a new token under the hash of its text, and forgets those
// that ran out long ago. The letter is sent access.TokenWarning before the token
// ends; never if it has no subject, or if the token does not last that long.
func (s *Tokens) AddToken(ctx context.Context, n access.Token, hash string, letter access.Letter, events ...access.Event) error {
	const tried = "store a token"
	return exists(tried, s.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		if err := addToken(ctx, t, n, hash); err != nil {
			return err
		}
		if at := n.ExpiresAt.Add(-access.TokenWarning); letter.Subject != "" && at.After(n.CreatedAt) {
			w := t.workRow(access.Work{Kind: "mail", Key: letterKey(n.ID), Group: "mail", Lane: "mail/" + letterKey(n.ID), Payload: []byte(encodeAny(letter))})
			w.NextAt = micros(at)
			t.woke.work = true
			if _, err := t.InsertWork(ctx, w); err != nil {
				return err
			}
		}
		return t.record(ctx, events)
	}))
}

// letterKey names the work of warning people that a token ends.
func letterKey(token string) string { return "mail:token:" + token }

func addToken(ctx context.Context, t *tx, n access.Token, hash string) error {
	for kind, keep := range map[string]time.Duration{access.TokenCLI: keepSignIns, access.TokenAPI: keepAPITokens} {
		if err := t.DropTokens(ctx, db.DropTokensParams{Kind: kind, Before: time.Now().Add(-keep).UnixMicro()}); err != nil {
			return err
		}
	}
	customers := ""
	if n.Customers != nil { // an empty list is for none, and must not read as all
		customers = encodeAny(n.Customers)
	}
	return t.InsertToken(ctx, db.InsertTokenParams{
		ID: n.ID, Hash: hash, Kind: n.Kind, Name: n.Name, Person: n.Person, Admin: n.Admin, Customers: customers,
		CreatedAt: micros(n.CreatedAt), CreatedBy: n.CreatedBy, ExpiresAt: micros(n.ExpiresAt), Machine: n.Machine, Application: n.Application,
	})
}

// UseToken stores when and from where a token was used last.
func (s *Tokens) UseToken(ctx context.Context, id string, at time.Time, from string) error {
	return s.core.write(ctx, "store the use of token "+id, func(ctx context.Context, t *tx) error {
		return t.UseToken(ctx, db.UseTokenParams{ID: id, UsedAt: micros(at), UsedFrom: from})
	})
}

// RevokeToken makes a token useless from at on. One that was revoked before
// stays as it is, and nothing is recorded.
func (s *Tokens) RevokeToken(ctx context.Context, id string, at time.Time, by string, events ...access.Event) error {
	return s.core.write(ctx, "revoke token "+id, func(ctx context.Context, t *tx) error {
		n, err := t.RevokeToken(ctx, db.RevokeTokenParams{ID: id, RevokedAt: micros(at), RevokedBy: by})
		if err != nil || n == 0 {
			return err
		}
		if err := t.ForgoWork(ctx, db.ForgoWorkParams{WorkKey: letterKey(id), DoneAt: micros(at)}); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// Pairings keeps the command lines that ask to sign in.
type Pairings struct {
	core *core
}

func pairingOf(r db.Pairing) access.Pairing {
	return access.Pairing{
		ID: r.ID, Application: r.Application, Machine: r.Machine, User: r.OsUser, Tenant: r.Tenant, Admin: r.Admin,
		Challenge: r.Challenge, State: r.State, Port: int(r.Port), Code: r.Code, Address: r.Address,
		CreatedAt: instant(r.CreatedAt), ExpiresAt: instant(r.ExpiresAt), Person: r.Person, Login: r.Login, OneTime: r.OneTime,
		DecidedAt: instant(r.DecidedAt), DeliveredAt: instant(r.DeliveredAt), CancelledAt: instant(r.CancelledAt), Version: r.Version,
	}
}

// Pairing reads one pairing.
func (s *Pairings) Pairing(ctx context.Context, id string) (access.Pairing, error) {
	row, err := s.core.q().Pairing(ctx, id)
	if err != nil {
		return access.Pairing{}, fail("read a pairing", err)
	}
	return pairingOf(row), nil
}

// PairingByCode finds the pairing with a match code.
func (s *Pairings) PairingByCode(ctx context.Context, code string) (access.Pairing, error) {
	row, err := s.core.q().PairingByCode(ctx, code)
	if err != nil {
		return access.Pairing{}, fail("find a pairing", err)
	}
	return pairingOf(row), nil
}

// AddPairing stores a new pairing, and forgets those that ended an hour ago. A
// match code that is taken is access.Conflict.
func (s *Pairings) AddPairing(ctx context.Context, n access.Pairing) error {
	const tried = "store a pairing"
	return exists(tried, s.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		if err := t.DropPairings(ctx, time.Now().Add(-time.Hour).UnixMicro()); err != nil {
			return err
		}
		return t.InsertPairing(ctx, db.InsertPairingParams{
			ID: n.ID, Application: n.Application, Machine: n.Machine, OsUser: n.User, Tenant: n.Tenant, Admin: n.Admin,
			Challenge: n.Challenge, State: n.State, Port: int64(n.Port), Code: n.Code, Address: n.Address,
			CreatedAt: micros(n.CreatedAt), ExpiresAt: micros(n.ExpiresAt),
		})
	}))
}

// UpdatePairing stores what was decided about a pairing.
func (s *Pairings) UpdatePairing(ctx context.Context, n access.Pairing, events ...access.Event) error {
	return s.core.write(ctx, "change pairing "+n.ID, func(ctx context.Context, t *tx) error {
		if err := updatePairing(ctx, t, n); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// DeliverPairing stores a pairing together with the token that came of it.
func (s *Pairings) DeliverPairing(ctx context.Context, n access.Pairing, token access.Token, hash string, events ...access.Event) error {
	return s.core.write(ctx, "deliver pairing "+n.ID, func(ctx context.Context, t *tx) error {
		if err := updatePairing(ctx, t, n); err != nil {
			return err
		}
		if err := addToken(ctx, t, token, hash); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// VoidPairings cancels what a person authorized and no command line fetched yet.
func (s *Pairings) VoidPairings(ctx context.Context, person string, at time.Time) error {
	return s.core.write(ctx, "void the pairings of person "+person, func(ctx context.Context, t *tx) error {
		return t.VoidPairings(ctx, db.VoidPairingsParams{Person: person, CancelledAt: micros(at)})
	})
}

func updatePairing(ctx context.Context, t *tx, n access.Pairing) error {
	changed, err := t.UpdatePairing(ctx, db.UpdatePairingParams{
		ID: n.ID, Version: n.Version, Person: n.Person, Login: n.Login, OneTime: n.OneTime,
		DecidedAt: micros(n.DecidedAt), DeliveredAt: micros(n.DeliveredAt), CancelledAt: micros(n.CancelledAt),
	})
	return stale("change pairing "+n.ID, changed, err)
}
