package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store/db"
)

// Accounts keeps temporary accounts, each with its own schedule. It is the
// [schedule.Table] of accounts, with the case of each as the content.
type Accounts struct {
	rows[access.Case]
	crowd *crowd // nil on SQLite, where every write shares a transaction
}

func newAccounts(c *core) *Accounts {
	a := &Accounts{rows: newRows[access.Case](c, "accounts", "target", "", &c.accounts)}
	a.load = a.claimedCases
	if c.engine.postgres {
		a.crowd = &crowd{core: c, alone: a.recordOne}
	}
	return a
}

// Case reads an account, its grants that have not ended, oldest first, and its
// credential, which is zero if there never was one.
func (a *Accounts) Case(ctx context.Context, accountID string) (access.Case, error) {
	tried := "read account " + accountID
	row, err := a.core.q().Account(ctx, accountID)
	if err != nil {
		return access.Case{}, fail(tried, err)
	}
	var c access.Case
	if c.Account, err = accountOf(row); err != nil {
		return access.Case{}, err
	}
	grants, err := a.core.q().OpenGrants(ctx, accountID)
	if c.Grants, err = each(grants, err, grantOf); err != nil {
		return access.Case{}, fail(tried, err)
	}
	switch row, err := a.core.q().Credential(ctx, accountID); {
	case err == nil:
		c.Credential = credentialOf(row)
	case !errors.Is(err, sql.ErrNoRows):
		return access.Case{}, fail(tried, err)
	}
	issued, err := a.core.q().IssuedOf(ctx, accountID)
	for _, r := range issued {
		c.Account.Issued = append(c.Account.Issued, issuedOf(r.Entitlement, r.Sessions, r.EndsAt, r.ExpiresAt))
	}
	return c, fail(tried, err)
}

// claimedCases reads what one claim leased, with a query for each table.
func (a *Accounts) claimedCases(ctx context.Context, owner string, claim int64) (map[string]access.Case, error) {
	q := a.core.q()
	accounts, err := q.ClaimedAccounts(ctx, db.ClaimedAccountsParams{LeaseOwner: owner, Claim: claim})
	if err != nil {
		return nil, err
	}
	grants, err := q.ClaimedGrants(ctx, db.ClaimedGrantsParams{LeaseOwner: owner, Claim: claim})
	if err != nil {
		return nil, err
	}
	credentials, err := q.ClaimedCredentials(ctx, db.ClaimedCredentialsParams{LeaseOwner: owner, Claim: claim})
	if err != nil {
		return nil, err
	}
	issued, err := q.ClaimedIssued(ctx, db.ClaimedIssuedParams{LeaseOwner: owner, Claim: claim})
	if err != nil {
		return nil, err
	}
	cases := make(map[string]access.Case, len(accounts))
	bad := map[string]bool{} // rows that cannot be read hold up only themselves
	for _, r := range grants {
		g, err := grantOf(r)
		bad[r.Account] = bad[r.Account] || err != nil
		c := cases[r.Account]
		c.Grants = append(c.Grants, g)
		cases[r.Account] = c
	}
	for _, r := range credentials {
		c := cases[r.Account]
		c.Credential = credentialOf(r)
		cases[r.Account] = c
	}
	for _, r := range accounts {
		account, err := accountOf(r)
		bad[r.ID] = bad[r.ID] || err != nil
		c := cases[r.ID]
		c.Account = account
		cases[r.ID] = c
	}
	for _, r := range issued {
		c := cases[r.Account]
		c.Account.Issued = append(c.Account.Issued, issuedOf(r.Entitlement, r.Sessions, r.EndsAt, r.ExpiresAt))
		cases[r.Account] = c
	}
	for id := range cases {
		if bad[id] || cases[id].Account.ID == "" {
			delete(cases, id)
		}
	}
	return cases, nil
}

// Record stores c in one transaction if lease still holds, and gives the
// account back if c.Done. A lease that was lost is schedule.ErrLost. A grant
// that somebody changed meanwhile is access.Conflict, and so is a c.Credential
// whose Seq is not the next one. After an error nothing is stored.
func (a *Accounts) Record(ctx context.Context, lease schedule.Lease, c access.Change) error {
	l := a.core.readyLook(lease, c)
	if a.crowd != nil && l.joins() {
		if err := ctx.Err(); err != nil {
			return err
		}
		return a.crowd.store(ctx, l)
	}
	return a.recordOne(ctx, l)
}

func (a *Accounts) recordOne(ctx context.Context, l look) error {
	return a.core.write(ctx, "record a look at account "+l.lease.ID, func(ctx context.Context, t *tx) error {
		if err := recordAccount(ctx, t, l); err != nil {
			return err
		}
		for _, g := range l.grants {
			if err := updateGrant(ctx, t, g); err != nil {
				return err
			}
		}
		if err := recordCredential(ctx, t, l.lease.ID, l.change); err != nil {
			return err
		}
		for _, n := range l.notes {
			if err := addWork(ctx, t, n); err != nil {
				return err
			}
		}
		return t.insertRecords(ctx, l.records)
	})
}

func recordAccount(ctx context.Context, t *tx, l look) error {
	row := l.account
	var n int64
	var err error
	if l.change.Done {
		row.Earliest = t.core.engine.clock()
		n, err = t.FinishAccount(ctx, row)
	} else {
		n, err = t.RecordAccount(ctx, db.RecordAccountParams{
			ID: row.ID, LeaseOwner: row.LeaseOwner, LeaseEpoch: row.LeaseEpoch,
			Username: row.Username, ObjectID: row.ObjectID, TriedAt: row.TriedAt, Seen: row.Seen, Baseline: row.Baseline, Trouble: row.Trouble,
		})
	}
	return lost(n, err)
}

func recordCredential(ctx context.Context, t *tx, account string, c access.Change) error {
	if c.Credential != nil {
		seq, err := putCredential(ctx, t, account, *c.Credential)
		if err != nil {
			return err
		}
		if c.Credential.Seq != 0 && c.Credential.Seq != seq {
			return conflict("store a password of account " + account)
		}
	}
	if c.SetSeq > 0 {
		at := micros(c.Account.Seen.At)
		if at == 0 {
			at = time.Now().UnixMicro()
		}
		if _, err := t.SetCredential(ctx, db.SetCredentialParams{Account: account, Seq: c.SetSeq, SetAt: at}); err != nil {
			return err
		}
	}
	if c.DropSeq > 0 {
		if _, err := t.DropCredentials(ctx, db.DropCredentialsParams{Account: account, Seq: c.DropSeq}); err != nil {
			return err
		}
	}
	return nil
}

// WakeOpen makes every account with a grant that has not ended due at latest
// in within, spread evenly, and reports how many such accounts there are.
// Those that are due earlier, or being looked at, stay as they are. It does the
// same, uncounted, for accounts of which sessions still exist.
func (a *Accounts) WakeOpen(ctx context.Context, within time.Duration) (int, error) {
	const part = 500
	bring := a.core.engine.sql(`UPDATE accounts SET next_at = {now} + ($2 * {random}) / 1000
WHERE id >= $3 AND id <= $4 AND lease_owner = '' AND (next_at = 0 OR next_at > {now} + $2)
AND EXISTS (SELECT 1 FROM grants g WHERE g.account = accounts.id AND g.ended_at = 0)`)
	some := a.core.engine.sql(`SELECT count(*) FROM accounts
WHERE id >= $3 AND id <= $4 AND lease_owner = '' AND (next_at = 0 OR next_at > {now} + $2)`)
	count, after := 0, ""
	for {
		ids, err := a.core.q().NextOpenAccounts(ctx, db.NextOpenAccountsParams{After: after, Part: part})
		if err != nil {
			return count, fail("list accounts with open grants", err)
		}
		if len(ids) == 0 {
			return count, a.wakeIssued(ctx, within)
		}
		count, after = count+len(ids), ids[len(ids)-1]
		args := func() []any { return []any{a.core.engine.clock(), within.Microseconds(), ids[0], after} }
		var late int64
		if err := a.core.read.QueryRowContext(ctx, some, args()...).Scan(&late); err != nil {
			return count, fail("look for accounts that nothing wakes", err)
		}
		if late == 0 {
			continue
		}
		err = a.core.write(ctx, "wake accounts with open grants", func(ctx context.Context, t *tx) error {
			_, err := t.exec(ctx, bring, args()...)
			t.woke.accounts = true
			return err
		})
		if err != nil {
			return count, err
		}
	}
}

// wakeIssued does the same for accounts from which something was issued that
// still exists, though all of their grants have ended.
func (a *Accounts) wakeIssued(ctx context.Context, within time.Duration) error {
	const which = `lease_owner = '' AND (next_at = 0 OR next_at > {now} + $2) AND id IN (SELECT account FROM issued WHERE expires_at > {now})`
	some, bring := a.core.engine.sql("SELECT count(*) FROM accounts WHERE "+which), a.core.engine.sql("UPDATE accounts SET next_at = {now} + ($2 * {random}) / 1000 WHERE "+which)
	args := func() []any { return []any{a.core.engine.clock(), within.Microseconds()} }
	var late int64
	if err := a.core.read.QueryRowContext(ctx, some, args()...).Scan(&late); err != nil {
		return fail("look for accounts of which sessions exist", err)
	}
	if late == 0 {
		return nil
	}
	return a.core.write(ctx, "wake accounts of which sessions exist", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, bring, args()...)
		t.woke.accounts = true
		return err
	})
}

// Accounts lists the accounts of a target that have a grant that was approved
// and has not ended.
func (a *Accounts) Accounts(ctx context.Context, targetID string) ([]access.Account, error) {
	rows, err := a.core.q().OpenAccountsOf(ctx, targetID)
	accounts, err := each(rows, err, accountOf)
	return accounts, fail(fmt.Sprintf("list accounts of target %s", targetID), err)
}
