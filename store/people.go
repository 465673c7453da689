package store

import (
	"context"
	"errors"
	"time"

	"jitney/access"
	"jitney/store/db"
)

// People keeps who signs in.
type People struct {
	core *core
}

// Person reads one person.
func (p *People) Person(ctx context.Context, id string) (access.Person, error) {
	row, err := p.core.q().Person(ctx, id)
	if err != nil {
		return access.Person{}, fail("read person "+id, err)
	}
	return personOf(row)
}

// PersonByLogin reads the person with a login, without regard to case.
func (p *People) PersonByLogin(ctx context.Context, login string) (access.Person, error) {
	row, err := p.core.q().PersonByLogin(ctx, loginKey(login))
	if err != nil {
		return access.Person{}, fail("read a person by login", err)
	}
	return personOf(row)
}

// People lists everybody, by name.
func (p *People) People(ctx context.Context) ([]access.Person, error) {
	rows, err := p.core.q().People(ctx)
	people, err := each(rows, err, personOf)
	return people, fail("list people", err)
}

// SavePerson stores n; Version 0 creates. A login that somebody else has is
// access.Invalid.
func (p *People) SavePerson(ctx context.Context, n access.Person, events ...access.Event) (access.Person, error) {
	return p.SavePersonIf(ctx, n, nil, events...)
}

// SavePersonIf is SavePerson for changes that count on what other people are:
// allowed is given everybody as stored, n as it is to be, and nothing is stored
// if it reports an error. No other such change comes in between, on any replica.
func (p *People) SavePersonIf(ctx context.Context, n access.Person, allowed func([]access.Person) error, events ...access.Event) (access.Person, error) {
	err := p.core.write(ctx, "save person "+n.ID, func(ctx context.Context, t *tx) error {
		if allowed != nil {
			if err := t.alone(ctx, "people"); err != nil {
				return err
			}
		}
		if err := savePerson(ctx, t, n); err != nil {
			return err
		}
		if allowed != nil {
			rows, err := t.People(ctx)
			all, err := each(rows, err, personOf)
			if err == nil {
				err = allowed(all)
			}
			if err != nil {
				return err
			}
		}
		return t.record(ctx, events)
	})
	if isUnique(err) {
		return access.Person{}, &access.Error{Kind: access.Invalid, Text: "Somebody with this sign-in name exists already.",
			Hint: "Choose another one, or change that person.", Err: err}
	}
	if err != nil {
		return access.Person{}, err
	}
	n.Version++
	return n, nil
}

func savePerson(ctx context.Context, t *tx, n access.Person) error {
	row := db.InsertPersonParams{
		ID: n.ID, Login: n.Login, LoginKey: loginKey(n.Login), Name: n.Name, Roles: encode(n.Roles), Customers: encode(n.Customers),
		AllCustomers: n.AllCustomers, TimeZone: n.TimeZone, CreatedAt: micros(n.CreatedAt), DisabledAt: micros(n.DisabledAt),
	}
	if n.Version == 0 {
		return t.InsertPerson(ctx, row)
	}
	changed, err := t.UpdatePerson(ctx, db.UpdatePersonParams{
		ID: row.ID, Version: n.Version, Login: row.Login, LoginKey: row.LoginKey, Name: row.Name, Roles: row.Roles, Customers: row.Customers,
		AllCustomers: row.AllCustomers, TimeZone: row.TimeZone, DisabledAt: row.DisabledAt,
	})
	if err := stale("save person "+n.ID, changed, err); err != nil || n.DisabledAt.IsZero() {
		return err
	}
	return endSignIns(ctx, t, n.ID, "") // or they would be back with the person
}

// endSignIns ends every session of a person but the one with the key keep, the
// sign-ins of their command lines, and those that nobody fetched yet.
func endSignIns(ctx context.Context, t *tx, person, keep string) error {
	if err := t.EndOtherSessions(ctx, db.EndOtherSessionsParams{Person: person, Keep: keep}); err != nil {
		return err
	}
	now := time.Now().UnixMicro()
	if err := t.RevokeSignIns(ctx, db.RevokeSignInsParams{Person: person, RevokedAt: now, RevokedBy: person}); err != nil {
		return err
	}
	return t.VoidPairings(ctx, db.VoidPairingsParams{Person: person, CancelledAt: now})
}

// stale is conflict if an update by version found no row.
func stale(tried string, changed int64, err error) error {
	if err == nil && changed == 0 {
		return conflict(tried)
	}
	return err
}

// exists turns a second row with one ID into access.Conflict.
func exists(tried string, err error) error {
	if isUnique(err) {
		return &access.Error{Kind: access.Conflict, Text: "This exists already.", Err: errors.Join(errors.New(tried), err)}
	}
	return err
}
