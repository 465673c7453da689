package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// targets is over how many targets the loaded accounts are spread.
const targets = 500

// A batch is a number of accounts to load, each with one live grant.
type batch struct {
	prefix string // of IDs, one letter
	n      int
	first  time.Time     // end of the first grant
	step   time.Duration // between the ends of two
	places int           // over how many targets they are spread; 0 for all
}

// end is when the grant of the account with this ID ends.
func (b batch) end(id string) time.Time {
	n := 0
	_, _ = fmt.Sscanf(id[1:], "%d", &n)
	return b.first.Add(time.Duration(n) * b.step)
}

const seen = `{"at":"2026-01-01T00:00:00Z","exists":true,"enabled":true,"username":"user-msp","object_id":"o","entitlements":["admin"],"until":"2030-01-01T00:00:00Z","facts":[{"name":"Domain Admins","found":"member","clean":false},{"name":"Account","found":"enabled","clean":false}]}`

// The clock of a loaded grant started duration before its end.
const duration = 4 * time.Hour

// load fills a database with places, and with live grants as if they had been
// given long ago. It goes around the store, which would take minutes.
func (e *engine) load(ctx context.Context, db *sql.DB, batches ...batch) error {
	if err := e.places(ctx, db); err != nil {
		return fmt.Errorf("load targets: %w", err)
	}
	for _, b := range batches {
		if err := e.loadBatch(ctx, db, b); err != nil {
			return fmt.Errorf("load %d grants: %w", b.n, err)
		}
	}
	analyze := "ANALYZE"
	if !e.postgres {
		analyze = "PRAGMA optimize"
	}
	_, err := db.ExecContext(ctx, analyze)
	return err
}

func (e *engine) places(ctx context.Context, db *sql.DB) error {
	return e.inserts(ctx, db, 0, targets, map[string]string{
		"customers": `id, name, note, created_at, archived_at, version) SELECT 'c' || i, 'Customer ' || i, '', 1, 0, 1`,
		"targets": `id, customer, kind, name, policy, settings, created_at, disabled_at, checked_at, findings, version)
SELECT 't' || i, 'c' || i, '` + kindName + `', 'Target', 'default', '', 1, 0, 0, '', 1`,
		"desk_tickets": `id, number, customer, title, opened_by, opened_at, closed_at, updated_at, version)
SELECT 'k' || i, i + 1, 'c' || i, 'Printer', 'p1', 1, 0, 1, 1`,
	})
}

func (e *engine) loadBatch(ctx context.Context, db *sql.DB, b batch) error {
	place := fmt.Sprintf("(i %% %d)", cmp.Or(b.places, targets))
	words := strings.NewReplacer(
		"{account}", "'"+b.prefix+"' || "+e.padded(), "{grant}", "'"+b.prefix+"g' || "+e.padded(),
		"{target}", "'t' || "+place, "{customer}", "'c' || "+place, "{ticket}", "'k' || "+place,
		"{end}", fmt.Sprintf("(%d + i * %d)", b.first.UnixMicro(), b.step.Microseconds()),
		"{duration}", fmt.Sprint(duration.Microseconds()))
	accounts := words.Replace(`id, customer, target, holds_key, holder, holder_login, holder_name, username, object_id, seen, next_at)
SELECT {account}, {customer}, {target}, {account}, 'p1', 'user@msp.example', 'A User', 'user-msp', 'o', '` + seen + `', {end}`)
	grants := words.Replace(`id, requester, customer, target, entitlement, ticket_system, ticket_id, ticket_number, ticket_title, reason, duration, policy, policy_version,
account, submitted_at, approved_at, approved_by, start_by, extension, stopped_at, stopped_by, stop_cause, stop_reason, verified_at, lost_at{removing}, overdue_at, ended_at, continued_by, findings, version)
SELECT {grant}, 'p1', {customer}, {target}, 'admin', 'desk', {ticket}, '1', 'Printer', 'Replace the print driver on all servers', {duration}, 'default', 1,
{account}, {end} - {duration} - 2, {end} - {duration} - 1, 'policy', {end} - {duration} + 3600000000, 0, 0, '', '', '', {end} - {duration}, 0{zero}, 0, 0, '', '', 2`)
	if has, err := e.has(ctx, db, "grants", "removing_at"); err != nil {
		return err
	} else if has {
		grants = strings.NewReplacer("{removing}", ", removing_at", "{zero}", ", 0").Replace(grants)
	} else {
		grants = strings.NewReplacer("{removing}", "", "{zero}", "").Replace(grants)
	}
	const part = 20_000
	for from := 0; from < b.n; from += part {
		if err := e.inserts(ctx, db, from, min(from+part, b.n), map[string]string{"accounts": accounts, "grants": grants}); err != nil {
			return err
		}
	}
	return nil
}

// postpone moves the ends of a batch to soon after now.
func (e *engine) postpone(ctx context.Context, db *sql.DB, b *batch) error {
	shift := time.Until(b.first) * -1
	shift += 3*time.Second + time.Duration(b.n)*50*time.Microsecond
	for table, column := range map[string]string{"accounts": "next_at", "grants": "verified_at"} {
		statement := fmt.Sprintf("UPDATE %s SET %s = %s + %d WHERE id >= '%s' AND id < '%c'", table, column, column, shift.Microseconds(), b.prefix, b.prefix[0]+1)
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	b.first = b.first.Add(shift)
	if time.Until(b.first) < 500*time.Millisecond {
		return fmt.Errorf("loading %d grants took too long for their ends", b.n)
	}
	return nil
}

func (e *engine) has(ctx context.Context, db *sql.DB, table, column string) (bool, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table+" LIMIT 0")
	if err != nil {
		return false, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	for _, c := range columns {
		if c == column {
			return true, err
		}
	}
	return false, err
}

func (e *engine) padded() string {
	if e.postgres {
		return "lpad(i::text, 7, '0')"
	}
	return "printf('%07d', i)"
}

// inserts runs an INSERT for each table with i going from from to below to.
func (e *engine) inserts(ctx context.Context, db *sql.DB, from, to int, tables map[string]string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for table, rest := range tables {
		series := fmt.Sprintf(" FROM generate_series(%d, %d) AS i", from, to-1)
		head := "INSERT INTO " + table + " ("
		if !e.postgres {
			head = fmt.Sprintf("WITH RECURSIVE s(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM s WHERE i < %d) ", from, to-1) + head
			series = " FROM s"
		}
		if _, err := tx.ExecContext(ctx, head+rest+series); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// open counts the grants with this prefix that are not recorded as ended.
func (e *engine) open(ctx context.Context, db *sql.DB, prefix string) (n int, err error) {
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM grants WHERE ended_at = 0 AND id >= '"+prefix+"g' AND id < '"+prefix+"h'").Scan(&n)
	return n, err
}
