package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store"
)

// No statement that runs often may read a whole table that grows.
func TestStatementsUseTheirIndexes(t *testing.T) {
	s := open(t, sqliteFile(t))
	db := side(t, s)
	text, err := os.ReadFile("queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	param := regexp.MustCompile(`@\w+`)
	for part := range strings.SplitSeq(string(text), "-- name: ") {
		name, query, ok := strings.Cut(part, "\n")
		if !ok || strings.HasPrefix(part, "-- Both engines") {
			continue
		}
		checkPlan(t, db, name, param.ReplaceAllString(query, "1"))
	}
	number := regexp.MustCompile(`\$\d+`)
	for name, query := range s.Statements() {
		checkPlan(t, db, name, number.ReplaceAllString(query, "1"))
	}
}

// grows matches what reads all of a table that grows without bound.
var grows = regexp.MustCompile(`SCAN (accounts|a|r|grants|g|audit_records|work|e)$`)

func checkPlan(t *testing.T, db *sql.DB, name, query string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		if grows.MatchString(detail) {
			t.Errorf("%s: %s", name, detail)
		}
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// PostgreSQL must look up the head of a lane for each row: as a join of all
// rows with all, a claim takes seconds while thousands of notes wait.
func TestAClaimOfNotesLooksUpTheirLanes(t *testing.T) {
	s := open(t, postgresSchema(t))
	db := side(t, s)
	number := regexp.MustCompile(`\$\d+`)
	for name, query := range s.Statements() {
		if !strings.HasPrefix(name, "claim") && !strings.HasPrefix(name, "probe") && !strings.HasPrefix(name, "next") {
			continue
		}
		rows, err := db.QueryContext(t.Context(), "EXPLAIN "+number.ReplaceAllString(query, "'1'"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var plan strings.Builder
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(line + "\n")
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plan.String(), "Anti Join") {
			t.Errorf("%s:\n%s", name, plan.String())
		}
	}
}

func TestWhatIsSkippedIsFoundAgain(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		rows := tableRows{s, side(t, s), "accounts"}
		for i := range 20 {
			rows.Add(t, fmt.Sprint("busy", i), "busy", -time.Hour)
		}
		rows.Add(t, "a", "free", -time.Minute)
		want := func(n int, skip ...string) {
			t.Helper()
			items, err := s.Accounts.Claim(t.Context(), schedule.Claim{Owner: "me", For: time.Hour, Limit: 50, Skip: skip})
			if err != nil || len(items) != n {
				t.Errorf("claimed %d, %v; want %d", len(items), err, n)
			}
		}
		want(1, "busy")
		want(0, "busy", "other")
		rows.Add(t, "b", "free", 0)
		want(1, "busy", "other")
		if n, err := s.Accounts.Free(t.Context(), "me"); err != nil || n != 2 {
			t.Errorf("freed %d, %v", n, err)
		}
		want(2, "other", "busy") // due long before what was read last
		if d, ok, err := s.Accounts.Next(t.Context(), []string{"busy"}); err != nil || !ok || d < 30*time.Minute {
			t.Errorf("next in %v %v, %v; want when the leases run out", d, ok, err)
		}
		want(20)
	})
}

func TestNotesThatAreThereTwiceAreFoundByTheirIndex(t *testing.T) {
	s := open(t, sqliteFile(t))
	text, args := store.RecordSearch(access.RecordQuery{Kind: access.EventNoteTwice, Subject: "rt1", From: t0, Limit: 20})
	var id, parent, unused int
	var detail string
	if err := side(t, s).QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...).Scan(&id, &parent, &unused, &detail); err != nil || !strings.Contains(detail, "audit_records_twice") {
		t.Errorf("%s, %v", detail, err)
	}
}
