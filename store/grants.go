package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"jitney/access"
	"jitney/store/db"
)

// Grants keeps grants.
type Grants struct {
	core     *core
	accounts *Accounts
}

// Create stores a request with its account, uses up its offer, and wakes the
// account. It reports the grant with the account that it got. An offer that is
// not there, not for this person and customer, or run out is access.NotFound.
func (g *Grants) Create(ctx context.Context, n access.NewGrant) (access.Grant, error) {
	made, records := n.Grant, recordRows(n.Events)
	err := g.core.write(ctx, "store grant "+n.Grant.ID, func(ctx context.Context, t *tx) error {
		if err := t.among(ctx, onTarget(made.Target), onConnection(made.Ticket.System)); err != nil {
			return err
		}
		id, err := t.UpsertAccount(ctx, db.UpsertAccountParams{
			ID: n.Account.ID, Customer: n.Account.Customer, Target: n.Account.Target, HoldsKey: n.Account.Key,
			Holder: n.Account.Holder.Person, HolderLogin: n.Account.Holder.Login, HolderName: n.Account.Holder.Name,
		})
		if err != nil {
			return err
		}
		made.Account = id
		if n.Offer != "" {
			if err := useOffer(ctx, t, n.Offer, made); err != nil {
				return err
			}
		}
		if err := t.InsertGrant(ctx, grantRow(made)); err != nil {
			return err
		}
		if ref := made.Ticket; ref.URL != "" || ref.Unverified {
			if err := t.TicketOfNew(ctx, db.TicketOfNewParams{ID: made.ID, TicketUrl: ref.URL, TicketUnverified: ref.Unverified}); err != nil {
				return err
			}
		}
		if err := t.insertRecords(ctx, records); err != nil {
			return err
		}
		t.woke.accounts = true
		return g.accounts.wake(ctx, t, id)
	})
	if err != nil {
		return access.Grant{}, err
	}
	made.Version = 1
	return made, nil
}

// useOffer makes an offered password the next credential of g's account. Its
// bytes stay as they are, so they open only at the place of the offer.
func useOffer(ctx context.Context, t *tx, id string, g access.Grant) error {
	now := micros(g.SubmittedAt)
	sealed, err := t.TakeOffer(ctx, db.TakeOfferParams{ID: id, Person: g.Requester, Customer: g.Customer, Now: now})
	if errors.Is(err, sql.ErrNoRows) {
		return notFound("use offer " + id)
	}
	if err != nil {
		return err
	}
	_, err = t.PutCredential(ctx, db.PutCredentialParams{
		Account: g.Account, Place: "offer:" + g.Requester + ":" + id, Sealed: sealed, Recipient: g.Requester, Retain: true,
		CreatedAt: now, RevealedAt: now, // the form has shown it
	})
	return err
}

// Grant reads one grant.
func (g *Grants) Grant(ctx context.Context, id string) (access.Grant, error) {
	row, err := g.core.q().Grant(ctx, id)
	if err != nil {
		return access.Grant{}, fail("read grant "+id, err)
	}
	return grantOf(row)
}

// Case reads the account of a grant, its open grants and its credential.
func (g *Grants) Case(ctx context.Context, accountID string) (access.Case, error) {
	return g.accounts.Case(ctx, accountID)
}

const pulse = `
SELECT g.version, a.version, a.attempts, a.last_error, a.next_at, a.lease_owner <> '', COALESCE(c.seq, 0), COALESCE(c.set_at, 0), COALESCE(c.revealed_at, 0),
    (SELECT COUNT(*) FROM audit_records r WHERE r.grant_id = g.id AND r.grant_id <> ''),
    (SELECT CAST(COALESCE(SUM(w.version), 0) AS BIGINT) FROM work w WHERE w.grant_id = g.id)
FROM grants g JOIN accounts a ON a.id = g.account LEFT JOIN credentials c ON c.account = g.account WHERE g.id = $1`

// Pulse reads, in one statement, whether a grant changed, and its schedule.
func (g *Grants) Pulse(ctx context.Context, id string) (access.Pulse, error) {
	var grant, account, next, seq, set, revealed, records, works int64
	var leased bool
	var p access.Pulse
	err := g.core.reads.QueryRowContext(ctx, pulse, id).Scan(&grant, &account, &p.Attempts, &p.LastError, &next, &leased, &seq, &set, &revealed, &records, &works)
	if err != nil {
		return access.Pulse{}, fail("read pulse of grant "+id, err)
	}
	p.Mark = fmt.Sprint(grant, ".", account, ".", p.Attempts, ".", seq, ".", set, ".", revealed, ".", records, ".", works)
	if !leased { // else it is when the lease runs out
		p.NextTry = instant(next)
	}
	return p, nil
}

// Update changes a grant by fn, stores the events that fn reports, and wakes
// the account. If somebody else was first, fn runs again on the newer grant,
// so fn must not do anything else.
func (g *Grants) Update(ctx context.Context, id string, fn func(*access.Grant) ([]access.Event, error)) (access.Grant, error) {
	for {
		grant, err := g.Grant(ctx, id)
		if err != nil {
			return access.Grant{}, err
		}
		events, err := fn(&grant)
		if err != nil {
			return access.Grant{}, err
		}
		err = g.core.write(ctx, "change grant "+id, func(ctx context.Context, t *tx) error {
			if err := updateGrant(ctx, t, grantUpdate(grant)); err != nil {
				return err
			}
			if err := t.record(ctx, events); err != nil {
				return err
			}
			t.woke.accounts = true
			return g.accounts.wake(ctx, t, grant.Account)
		})
		switch {
		case err == nil:
			grant.Version++
			return grant, nil
		case access.KindOf(err) != access.Conflict:
			return access.Grant{}, err
		}
	}
}

// updateGrant stores g if its version is still the newest.
func updateGrant(ctx context.Context, t *tx, g db.UpdateGrantParams) error {
	n, err := t.UpdateGrant(ctx, g)
	if err == nil && n == 0 {
		return conflict("change grant " + g.ID)
	}
	return err
}
