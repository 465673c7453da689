package store

import (
	"context"
	"time"

	"jitney/access"
	"jitney/store/db"
)

// Issued keeps what was issued from grants, and how long sessions may last.
type Issued struct {
	core *core
}

// Issue stores a session with its events, if its grant is still approved and
// neither stopped nor ended; else it is access.Conflict, and nobody may be
// given what was issued. Whatever was decided about the grant before this, and
// is not stored yet, is decided anew.
func (s *Issued) Issue(ctx context.Context, n access.Session, events ...access.Event) error {
	tried, records := "store session of grant "+n.Grant, recordRows(events)
	return s.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		changed, err := t.TouchGrant(ctx, n.Grant)
		if err := stale(tried, changed, err); err != nil {
			return err
		}
		err = t.InsertIssued(ctx, db.InsertIssuedParams{
			ID: n.ID, GrantID: n.Grant, Account: n.Account, Customer: n.Customer, Target: n.Target, Entitlement: n.Entitlement, Person: n.Person,
			MadeFor: n.For, Via: n.Via, Token: n.Token, Application: n.Application, Machine: n.Machine, Address: n.Address, Name: n.Name, KeyID: n.KeyID,
			IssuedAt: micros(n.IssuedAt), EndsAt: micros(n.EndsAt), ExpiresAt: micros(n.ExpiresAt),
		})
		if err != nil {
			return err
		}
		return t.insertRecords(ctx, records)
	})
}

// SessionsOf lists what was issued from a grant, the newest first.
func (s *Issued) SessionsOf(ctx context.Context, grant string) ([]access.Session, error) {
	rows, err := s.core.q().SessionsFrom(ctx, grant)
	all, err := each(rows, err, sure(issuedSession))
	return all, fail("list sessions of grant "+grant, err)
}

// SessionsBy lists what a person was given since then, the newest first.
func (s *Issued) SessionsBy(ctx context.Context, person string, since time.Time) ([]access.Session, error) {
	rows, err := s.core.q().SessionsBy(ctx, db.SessionsByParams{Person: person, Since: micros(since)})
	all, err := each(rows, err, sure(issuedSession))
	return all, fail("list sessions of person "+person, err)
}

// Limits lists every setting of how long sessions last.
func (s *Issued) Limits(ctx context.Context) ([]access.Limit, error) {
	rows, err := s.core.q().SessionLimits(ctx)
	all, err := each(rows, err, sure(func(r db.SessionLimit) access.Limit {
		return access.Limit{Setting: r.Setting, Place: r.Place, Length: span(r.Length), SetBy: r.SetBy, SetAt: instant(r.SetAt)}
	}))
	return all, fail("list how long sessions last", err)
}

// SetLimit stores l; a zero Length removes it.
func (s *Issued) SetLimit(ctx context.Context, l access.Limit, events ...access.Event) error {
	return s.core.write(ctx, "set how long sessions last", func(ctx context.Context, t *tx) (err error) {
		if l.Length == 0 {
			_, err = t.DropSessionLimit(ctx, db.DropSessionLimitParams{Setting: l.Setting, Place: l.Place})
		} else {
			err = t.PutSessionLimit(ctx, db.PutSessionLimitParams{Setting: l.Setting, Place: l.Place, Length: l.Length.Microseconds(), SetBy: l.SetBy, SetAt: micros(l.SetAt)})
		}
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

func issuedSession(r db.Issued) access.Session {
	return access.Session{
		ID: r.ID, Grant: r.GrantID, Account: r.Account, Customer: r.Customer, Target: r.Target, Entitlement: r.Entitlement, Person: r.Person,
		For: r.MadeFor, Via: r.Via, Token: r.Token, Application: r.Application, Machine: r.Machine, Address: r.Address, Name: r.Name, KeyID: r.KeyID,
		IssuedAt: instant(r.IssuedAt), EndsAt: instant(r.EndsAt), ExpiresAt: instant(r.ExpiresAt),
	}
}

func issuedOf(entitlement string, sessions, ends, expires int64) access.Issued {
	return access.Issued{Entitlement: entitlement, Count: int(sessions), EndsAt: instant(ends), ExpiresAt: instant(expires)}
}
