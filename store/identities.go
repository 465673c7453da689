package store

import (
	"context"

	"jitney/access"
	"jitney/store/db"
)

func identityOf(r db.Identity) access.Identity {
	return access.Identity{Issuer: r.Issuer, Subject: r.Subject, Person: r.Person, Name: r.Name, LinkedAt: instant(r.LinkedAt)}
}

// Identity reads whose account at an issuer this is; access.NotFound if it is
// linked to nobody.
func (p *People) Identity(ctx context.Context, issuer, subject string) (access.Identity, error) {
	row, err := p.core.q().Identity(ctx, db.IdentityParams{Issuer: issuer, Subject: subject})
	if err != nil {
		return access.Identity{}, fail("read an identity", err)
	}
	return identityOf(row), nil
}

// IdentitiesOf lists the linked accounts of a person, by issuer.
func (p *People) IdentitiesOf(ctx context.Context, person string) ([]access.Identity, error) {
	rows, err := p.core.q().IdentitiesOf(ctx, person)
	all, err := each(rows, err, sure(identityOf))
	return all, fail("list identities", err)
}

// Link stores whose an account is; access.Conflict if it is linked already, or
// the person to another account of that issuer.
func (p *People) Link(ctx context.Context, n access.Identity, events ...access.Event) error {
	const tried = "link an identity"
	return exists(tried, p.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		if _, err := t.Queries.Person(ctx, n.Person); err != nil {
			return err
		}
		err := t.InsertIdentity(ctx, db.InsertIdentityParams{Issuer: n.Issuer, Subject: n.Subject, Person: n.Person, Name: n.Name, LinkedAt: micros(n.LinkedAt)})
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	}))
}

// Unlink forgets the linked accounts of a person and ends their sign-ins; a
// person without any is no error, and not recorded.
func (p *People) Unlink(ctx context.Context, person string, events ...access.Event) error {
	return p.core.write(ctx, "unlink the identities of person "+person, func(ctx context.Context, t *tx) error {
		n, err := t.DropIdentities(ctx, person)
		if err != nil || n == 0 {
			return err
		}
		if err := endSignIns(ctx, t, person, ""); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}
