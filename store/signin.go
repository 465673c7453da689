package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"jitney/access"
	"jitney/store/db"
)

// ByLogin finds a person, without regard to case, and the hash of their
// password, empty if none was set.
func (p *People) ByLogin(ctx context.Context, login string) (access.Person, string, error) {
	person, err := p.PersonByLogin(ctx, login)
	if err != nil {
		return access.Person{}, "", err
	}
	hash, err := p.core.q().PasswordByLogin(ctx, loginKey(login))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return access.Person{}, "", fail("read the password of a person", err)
	}
	return person, hash, nil
}

// SetPassword stores the hash of a new password and ends every session of the
// person but the one with the key keep, and the sign-ins of their command lines,
// also those that they authorized and nobody fetched yet.
func (p *People) SetPassword(ctx context.Context, personID, hash, keep string, events ...access.Event) error {
	return p.core.write(ctx, "set the password of person "+personID, func(ctx context.Context, t *tx) error {
		if _, err := t.Queries.Person(ctx, personID); err != nil {
			return err
		}
		if err := t.PutPassword(ctx, db.PutPasswordParams{Person: personID, Hash: hash}); err != nil {
			return err
		}
		if err := endSignIns(ctx, t, personID, keep); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// Nobody reports whether there is nobody yet.
func (p *People) Nobody(ctx context.Context) (bool, error) {
	n, err := p.core.q().CountPeople(ctx)
	return err == nil && n == 0, fail("count people", err)
}

// AddFirst stores the first person with the hash of their password;
// access.Conflict if there is anybody already.
func (p *People) AddFirst(ctx context.Context, first access.Person, hash string, events ...access.Event) error {
	const tried = "store the first person"
	first.Version = 0
	return p.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		if err := t.alone(ctx, "first person"); err != nil {
			return err
		}
		switch n, err := t.CountPeople(ctx); {
		case err != nil:
			return err
		case n > 0:
			return conflict(tried)
		}
		if err := savePerson(ctx, t, first); err != nil {
			return err
		}
		if err := t.PutPassword(ctx, db.PutPasswordParams{Person: first.ID, Hash: hash}); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// alone keeps other replicas out of the same errand until the transaction
// ends. On SQLite a transaction is alone anyway.
func (t *tx) alone(ctx context.Context, errand string) error {
	if !t.core.engine.postgres {
		return nil
	}
	_, err := t.exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('jitney ' || $1::text || ' ' || current_schema(), 7717))`, errand)
	return err
}

// among lets in others that are among the same, and keeps out who is alone there,
// until the transaction ends. Names are sorted, so that no two wait for each
// other in a circle.
func (t *tx) among(ctx context.Context, errands ...string) error {
	if !t.core.engine.postgres {
		return nil
	}
	slices.Sort(errands)
	_, err := t.exec(ctx, `SELECT pg_advisory_xact_lock_shared(hashtextextended('jitney ' || e || ' ' || current_schema(), 7717)) FROM unnest($1::text[]) AS e`, errands)
	return err
}

// Sessions keeps the sessions of people who signed in.
type Sessions struct {
	core *core
}

func sessionOf(r db.Session) access.Visit {
	return access.Visit{
		Key: r.SessionKey, Person: r.Person, Data: r.Data, Address: r.Address, Browser: r.Browser,
		BegunAt: instant(r.BegunAt), SeenAt: instant(r.SeenAt), ExpiresAt: instant(r.ExpiresAt),
	}
}

// Session reads a session; access.NotFound if there is none with that key.
func (s *Sessions) Session(ctx context.Context, key string) (access.Visit, error) {
	row, err := s.core.q().Session(ctx, key)
	if err != nil {
		return access.Visit{}, fail("read a session", err)
	}
	return sessionOf(row), nil
}

// AddSession stores a new session, and forgets those that ran out.
func (s *Sessions) AddSession(ctx context.Context, n access.Visit, events ...access.Event) error {
	return s.core.write(ctx, "store a session", func(ctx context.Context, t *tx) error {
		if err := t.DropSessions(ctx, time.Now().UnixMicro()); err != nil {
			return err
		}
		err := t.InsertSession(ctx, db.InsertSessionParams{
			SessionKey: n.Key, Person: n.Person, Data: n.Data, Address: n.Address, Browser: n.Browser,
			BegunAt: micros(n.BegunAt), SeenAt: micros(n.SeenAt), ExpiresAt: micros(n.ExpiresAt),
		})
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// KeepSession stores Data, SeenAt and ExpiresAt of a session that is still
// there. It never brings back one that was ended; that is no error.
func (s *Sessions) KeepSession(ctx context.Context, n access.Visit) error {
	return s.core.write(ctx, "keep a session", func(ctx context.Context, t *tx) error {
		return t.KeepSession(ctx, db.KeepSessionParams{SessionKey: n.Key, Data: n.Data, SeenAt: micros(n.SeenAt), ExpiresAt: micros(n.ExpiresAt)})
	})
}

// EndSession deletes a session, if there is one with that key.
func (s *Sessions) EndSession(ctx context.Context, key string, events ...access.Event) error {
	return s.core.write(ctx, "end a session", func(ctx context.Context, t *tx) error {
		if err := t.EndSession(ctx, key); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// SessionsOf lists the sessions of a person, the latest seen first.
func (s *Sessions) SessionsOf(ctx context.Context, personID string) ([]access.Visit, error) {
	rows, err := s.core.q().SessionsOf(ctx, personID)
	sessions, err := each(rows, err, sure(sessionOf))
	return sessions, fail("list sessions", err)
}
