package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"jitney/access"
	"jitney/store/db"
)

// Credentials keeps sealed passwords of accounts, and those that forms have
// offered.
type Credentials struct {
	core     *core
	accounts *Accounts
}

// Credential reads the newest credential of an account. Its Sealed is nil once
// it was erased.
func (c *Credentials) Credential(ctx context.Context, accountID string) (access.Credential, error) {
	row, err := c.core.q().Credential(ctx, accountID)
	if err != nil {
		return access.Credential{}, fail("read the credential of account "+accountID, err)
	}
	return credentialOf(row), nil
}

// Replace stores n as the account's next credential, sets its Seq, and wakes
// the account. The one before is gone.
func (c *Credentials) Replace(ctx context.Context, n access.Credential, events ...access.Event) (access.Credential, error) {
	err := c.core.write(ctx, "replace the credential of account "+n.Account, func(ctx context.Context, t *tx) error {
		seq, err := putCredential(ctx, t, n.Account, n)
		if err != nil {
			return err
		}
		n.Seq, n.SetAt = seq, time.Time{}
		if err := t.record(ctx, events); err != nil {
			return err
		}
		t.woke.accounts = true
		return c.accounts.wake(ctx, t, n.Account)
	})
	if err != nil {
		return access.Credential{}, err
	}
	return n, nil
}

func putCredential(ctx context.Context, t *tx, account string, c access.Credential) (seq int64, err error) {
	return t.PutCredential(ctx, db.PutCredentialParams{
		Account: account, Place: c.Place, Sealed: c.Sealed, Recipient: c.Recipient, Retain: c.Retain,
		CreatedAt: micros(c.CreatedAt), RevealedAt: micros(c.RevealedAt),
	})
}

// Take stores events, marks credential seq as revealed, erases it unless it is
// retained, and only then, when all of that is durable, reports what it held.
// A credential that is gone or replaced is access.Conflict, so the second Take
// of one that is not retained is.
func (c *Credentials) Take(ctx context.Context, accountID string, seq int64, events ...access.Event) ([]byte, error) {
	var sealed []byte
	tried := "take the credential of account " + accountID
	err := c.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		row, err := t.Queries.Credential(ctx, accountID)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound(tried)
		}
		if err != nil {
			return err
		}
		n, err := t.TakeCredential(ctx, db.TakeCredentialParams{Account: accountID, Seq: seq, RevealedAt: time.Now().UnixMicro()})
		if err != nil {
			return err
		}
		if n == 0 || row.Seq != seq || row.Sealed == nil {
			return gone(tried)
		}
		sealed = row.Sealed
		return t.record(ctx, events)
	})
	if err != nil {
		return nil, err
	}
	return sealed, nil
}

func gone(tried string) error {
	return &access.Error{Kind: access.Conflict, Text: "This password was already shown, or a newer one has replaced it.",
		Hint: "Ask for a new password.", Err: errors.New(tried + ": not there any more")}
}

// PutOffer stores an offered password, and forgets those that ran out.
func (c *Credentials) PutOffer(ctx context.Context, o access.Offer) error {
	return c.core.write(ctx, "store an offered password", func(ctx context.Context, t *tx) error {
		if err := t.DropOffers(ctx, time.Now().UnixMicro()); err != nil {
			return err
		}
		return t.PutOffer(ctx, db.PutOfferParams{ID: o.ID, Person: o.Person, Customer: o.Customer, Sealed: o.Sealed, ExpiresAt: micros(o.ExpiresAt)})
	})
}
