package store

import (
	"context"
	"strings"
	"time"

	"jitney/access"
)

// Counts are how many of what there is, for the metrics.
type Counts struct {
	Grants      map[access.State]int // that have not ended
	Overdue     time.Duration        // how long the longest overdue grant has been ending; 0 if none is
	Jobs        map[string]map[string]int
	Unsealed    int           // audit records that wait for their place
	UnsealedFor time.Duration // age of the oldest of those
}

// grantStates computes the state of every open grant as access.Grant.State
// does. $1 is now, $2 the time after which an end is overdue, in microseconds.
const grantStates = `
SELECT state, COUNT(*), COALESCE(MIN(ends), 0) FROM (
    SELECT ends, CASE
        WHEN approved_at = 0 AND stopped_at = 0 THEN 'pending'
        WHEN blocked <> '' AND ends > 0 AND ends <= $1 THEN 'blocked'
        WHEN approved_at > 0 AND ends > 0 AND $1 - ends > CASE WHEN patience > 0 THEN patience ELSE $2 END THEN 'overdue'
        WHEN ends > 0 AND ends <= $1 THEN 'ending'
        WHEN verified_at = 0 THEN 'starting'
        WHEN (ends - $1) * 2 < whole AND (ends - $1 < 600000000 OR (ends - $1) * 6 < whole) THEN 'expiring'
        ELSE 'active' END AS state
    FROM (
        SELECT approved_at, stopped_at, verified_at, blocked, patience, whole, CASE
            WHEN stopped_at > 0 AND (planned = 0 OR stopped_at < planned) THEN stopped_at
            WHEN approved_at = 0 THEN 0 ELSE planned END AS ends
        FROM (
            SELECT approved_at, stopped_at, verified_at, blocked, patience, duration + extension AS whole,
                CASE WHEN verified_at > 0 THEN verified_at + duration + extension ELSE start_by END AS planned
            FROM grants WHERE ended_at = 0
        ) AS planned_ends
    ) AS real_ends
) AS states GROUP BY state`

// jobStates counts the rows of a table that carries its schedule.
const jobStates = `
SELECT state, COUNT(*) FROM (
    SELECT CASE
        WHEN lease_owner <> '' THEN 'running'
        WHEN attempts > 0 THEN 'failing'
        WHEN next_at <= $1 THEN 'due'
        ELSE 'waiting' END AS state
    FROM {table} WHERE next_at > 0
) AS states GROUP BY state`

// Counts counts. It reads every open grant: with a million of them that takes
// a second or two, so ask no more than every quarter of a minute.
func (s *Store) Counts(ctx context.Context, now time.Time) (Counts, error) {
	c := Counts{Grants: map[access.State]int{}, Jobs: map[string]map[string]int{}}
	rows, err := s.core.reads.QueryContext(ctx, grantStates, micros(now), access.OverdueAfter.Microseconds())
	if err != nil {
		return c, fail("count grants", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state access.State
		var n int
		var first int64
		if err := rows.Scan(&state, &n, &first); err != nil {
			return c, fail("count grants", err)
		}
		if c.Grants[state] = n; state == access.Overdue || state == access.Blocked {
			c.Overdue = max(c.Overdue, now.Sub(instant(first)))
		}
	}
	if err := rows.Err(); err != nil {
		return c, fail("count grants", err)
	}
	for _, queue := range []string{"accounts", "work"} {
		if c.Jobs[queue], err = s.countJobs(ctx, queue, now); err != nil {
			return c, fail("count the rows of "+queue, err)
		}
	}
	n, oldest, err := s.Log.Unsealed(ctx)
	if c.Unsealed = int(n); n > 0 {
		c.UnsealedFor = now.Sub(oldest)
	}
	return c, err
}

func (s *Store) countJobs(ctx context.Context, table string, now time.Time) (map[string]int, error) {
	rows, err := s.core.reads.QueryContext(ctx, strings.ReplaceAll(jobStates, "{table}", table), micros(now))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int{"due": 0, "running": 0, "failing": 0, "waiting": 0}
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, err
		}
		counts[state] = n
	}
	return counts, rows.Err()
}
