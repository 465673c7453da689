package store_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"jitney/access"
	"jitney/schedule/scheduletest"
	"jitney/store"
)

func TestAccountsKeepTheirSchedule(t *testing.T) {
	names(t, func(t *testing.T, empty maker) {
		scheduletest.Run(t, func(t *testing.T) scheduletest.Subject[access.Case] {
			s := open(t, empty(t))
			return scheduletest.Subject[access.Case]{
				Table: s.Accounts, Recovery: s.Accounts, Beacon: s.Beacon(),
				Rows: tableRows{s, side(t, s), "accounts"}, ID: func(c access.Case) string { return c.Account.ID },
			}
		})
	})
}

func TestWorkKeepsItsSchedule(t *testing.T) {
	names(t, func(t *testing.T, empty maker) {
		scheduletest.Run(t, func(t *testing.T) scheduletest.Subject[access.Work] {
			s := open(t, empty(t))
			return scheduletest.Subject[access.Work]{
				Table: s.Outbox, Recovery: s.Outbox, Beacon: s.Beacon(),
				Rows: tableRows{s, side(t, s), "work"}, ID: func(w access.Work) string { return w.ID },
			}
		})
	})
}

// tableRows puts rows into a table as no other program would.
type tableRows struct {
	*store.Store
	db    *sql.DB
	table string
}

func (r tableRows) Add(t testing.TB, id, group string, in time.Duration) {
	t.Helper()
	at := time.Now().Add(in).UnixMicro()
	var err error
	if r.table == "accounts" {
		_, err = r.db.ExecContext(t.Context(), `INSERT INTO accounts (id, customer, target, holds_key, holder, holder_login, holder_name, next_at)
VALUES ($1, 'c', $2, $1, 'p', 'p@msp.example', 'P', $3)`, id, group, at)
	} else {
		_, err = r.db.ExecContext(t.Context(), `INSERT INTO work (id, kind, work_key, group_name, lane, place, grant_id, payload, created_at, next_at)
VALUES ($1, 'note', $1, $2, $1, 1, '', '', 1, $3)`, id, group, at)
	}
	if err != nil {
		t.Fatalf("add: %v", err)
	}
}

func (r tableRows) Wake(t testing.TB, id string) {
	t.Helper()
	var err error
	if r.table == "accounts" {
		err = r.Accounts.Wake(t.Context(), id)
	} else {
		err = r.Outbox.Wake(t.Context(), id)
	}
	if err != nil {
		t.Errorf("wake: %v", err)
	}
}

func (r tableRows) Peek(t testing.TB, id string) scheduletest.Row {
	t.Helper()
	var row scheduletest.Row
	var next int64
	err := r.db.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT next_at, lease_owner, lease_epoch, attempts, last_error FROM %s WHERE id = $1`, r.table), id).
		Scan(&next, &row.Owner, &row.Epoch, &row.Attempts, &row.Error)
	if err != nil {
		t.Fatalf("peek: %v", err)
	}
	row.Never, row.Next = next == 0, time.Until(time.UnixMicro(next))
	return row
}
