package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"jitney/access"
	"jitney/store/db"
)

// A search builds one SELECT whose conditions depend on what is asked for.
type search struct {
	where []string
	args  []any
}

// and adds a condition; each %s in it stands for the next value.
func (s *search) and(condition string, values ...any) {
	names := make([]any, 0, len(values))
	for _, v := range values {
		s.args = append(s.args, v)
		names = append(names, fmt.Sprintf("$%d", len(s.args)))
	}
	s.where = append(s.where, fmt.Sprintf(condition, names...))
}

func (s *search) equal(column, value string) {
	if value != "" {
		s.and(column+" = %s", value)
	}
}

func (s *search) oneOf(column string, values []string) {
	names := make([]string, 0, len(values))
	all := make([]any, 0, len(values))
	for _, v := range values {
		names, all = append(names, "%s"), append(all, v)
	}
	s.and(column+" IN ("+strings.Join(names, ", ")+")", all...)
}

func (s *search) sql(from, order string, limit int) string {
	text := "SELECT * FROM " + from
	if len(s.where) > 0 {
		text += " WHERE " + strings.Join(s.where, " AND ")
	}
	return fmt.Sprintf("%s ORDER BY %s LIMIT %d", text, order, limit)
}

// contains is a pattern for LIKE … ESCAPE '\' that finds text anywhere.
func contains(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

const (
	defaultPage = 100
	scanPart    = 1000 // rows that are read at a time when only some may match
)

// Find lists the grants that match q, a page at a time.
func (g *Grants) Find(ctx context.Context, q access.GrantQuery) ([]access.Grant, error) {
	if q.Customers != nil && len(q.Customers) == 0 {
		return nil, nil
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	part := limit
	if len(q.States) > 0 { // the engine knows states only roughly
		part = max(limit, scanPart)
	}
	var found []access.Grant
	for {
		rows, err := g.page(ctx, q, part)
		if err != nil {
			return nil, fail("search grants", err)
		}
		for _, grant := range rows {
			if len(q.States) > 0 && !slices.Contains(q.States, grant.State(q.Now)) {
				continue
			}
			if found = append(found, grant); len(found) == limit {
				return found, nil
			}
		}
		if len(rows) < part {
			return found, nil
		}
		q.After = rows[len(rows)-1].ID
	}
}

func (g *Grants) page(ctx context.Context, q access.GrantQuery, limit int) ([]access.Grant, error) {
	s := grantSearch(q)
	order, past := "submitted_at DESC, id DESC", "<"
	if q.Oldest {
		order, past = "submitted_at, id", ">"
	}
	if q.After != "" {
		after, err := g.Grant(ctx, q.After)
		if err != nil {
			return nil, err
		}
		s.and("(submitted_at, id) "+past+" (%s, %s)", micros(after.SubmittedAt), after.ID)
	}
	rows, err := g.core.reads.QueryContext(ctx, s.sql("grants", order, limit), s.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []access.Grant
	for rows.Next() {
		row, err := scanGrant(rows)
		if err != nil {
			return nil, err
		}
		grant, err := grantOf(row)
		if err != nil {
			return nil, err
		}
		found = append(found, grant)
	}
	return found, rows.Err()
}

func grantSearch(q access.GrantQuery) *search {
	s := &search{}
	s.equal("customer", q.Customer)
	s.equal("target", q.Target)
	s.equal("requester", q.Requester)
	s.equal("policy", q.Policy)
	s.equal("account", q.Account)
	if q.Customers != nil {
		s.oneOf("customer", q.Customers)
	}
	if q.Ticket != "" {
		s.and("(ticket_id = %s OR ticket_number = %s)", q.Ticket, q.Ticket)
	}
	if q.Text != "" {
		p := contains(strings.ToLower(q.Text))
		s.and(`(lower(reason) LIKE %s ESCAPE '\' OR lower(ticket_number) LIKE %s ESCAPE '\' OR lower(ticket_title) LIKE %s ESCAPE '\')`, p, p, p)
	}
	if !q.From.IsZero() {
		s.and("submitted_at >= %s", micros(q.From))
	}
	if !q.To.IsZero() {
		s.and("submitted_at <= %s", micros(q.To))
	}
	if q.Open {
		s.where = append(s.where, "ended_at = 0")
	}
	if len(q.States) > 0 {
		s.states(q)
	}
	return s
}

// states narrows a search to grants that may be in one of the wanted states.
func (s *search) states(q access.GrantQuery) {
	const end = "(CASE WHEN verified_at > 0 THEN verified_at + duration + extension ELSE start_by END)"
	now := micros(q.Now)
	var anyOf []string
	var values []any
	seen := map[string]bool{}
	add := func(condition string, v ...any) {
		if !seen[condition] {
			seen[condition] = true
			anyOf, values = append(anyOf, "("+condition+")"), append(values, v...)
		}
	}
	for _, state := range q.States {
		switch state {
		case access.Pending:
			add("ended_at = 0 AND approved_at = 0 AND stopped_at = 0")
		case access.Starting:
			add("ended_at = 0 AND approved_at > 0 AND stopped_at = 0 AND verified_at = 0")
		case access.Active, access.Expiring:
			add("ended_at = 0 AND approved_at > 0 AND stopped_at = 0 AND verified_at > 0 AND "+end+" > %s", now)
		case access.Ending, access.Overdue, access.Blocked:
			add("ended_at = 0 AND (stopped_at > 0 OR approved_at > 0 AND "+end+" <= %s)", now)
		case access.Ended:
			add("ended_at > 0 AND continued_by = '' AND verified_at > 0")
		case access.Continued:
			add("ended_at > 0 AND continued_by <> ''")
		case access.NotGiven:
			add("ended_at > 0 AND continued_by = '' AND verified_at = 0")
		}
	}
	if len(anyOf) > 0 {
		s.and("("+strings.Join(anyOf, " OR ")+")", values...)
	}
}

// recordSearch is the SELECT of Records.
func recordSearch(q access.RecordQuery) (string, []any) {
	s := &search{}
	s.equal("customer", q.Customer)
	s.equal("grant_id", q.Grant)
	s.equal("actor", q.Actor)
	s.equal("subject", q.Subject)
	switch {
	case strings.HasSuffix(q.Kind, "."):
		s.and(`kind LIKE %s ESCAPE '\'`, strings.TrimPrefix(contains(q.Kind), "%"))
	case q.Kind == access.EventNoteTwice:
		s.and("kind = '" + access.EventNoteTwice + "'") // as it stands in the condition of its index
	default:
		s.equal("kind", q.Kind)
	}
	if !q.From.IsZero() {
		s.and("at >= %s", micros(q.From))
	}
	if !q.To.IsZero() {
		s.and("at <= %s", micros(q.To))
	}
	if q.Before != "" {
		s.and("id < %s", q.Before)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	return s.sql("audit_records", "id DESC", limit), s.args
}

// Records lists audit records that match q, newest first.
func (l *Log) Records(ctx context.Context, q access.RecordQuery) ([]access.Record, error) {
	text, args := recordSearch(q)
	rows, err := l.core.reads.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fail("search audit records", err)
	}
	defer rows.Close()
	var found []access.Record
	for rows.Next() {
		record, err := scanRecord(rows)
		if err != nil {
			return nil, fail("search audit records", err)
		}
		found = append(found, record)
	}
	return found, fail("search audit records", rows.Err())
}

func scanRecord(rows *sql.Rows) (access.Record, error) {
	var r db.AuditRecord
	err := rows.Scan(&r.ID, &r.At, &r.Kind, &r.Actor, &r.Customer, &r.GrantID, &r.Subject, &r.Text, &r.Data, &r.Salt, &r.Personal, &r.Erased, &r.Seq)
	if err != nil {
		return access.Record{}, err
	}
	return recordOf(r)
}

func scanGrant(rows *sql.Rows) (r db.Grant, err error) {
	err = rows.Scan(&r.ID, &r.Requester, &r.Customer, &r.Target, &r.Entitlement, &r.TicketSystem, &r.TicketID, &r.TicketNumber, &r.TicketTitle,
		&r.Reason, &r.Duration, &r.Policy, &r.PolicyVersion, &r.Account, &r.SubmittedAt,
		&r.ApprovedAt, &r.ApprovedBy, &r.StartBy, &r.Extension, &r.StoppedAt, &r.StoppedBy, &r.StopCause, &r.StopReason,
		&r.VerifiedAt, &r.LostAt, &r.RemovingAt, &r.OverdueAt, &r.EndedAt, &r.ContinuedBy, &r.Findings, &r.Version, &r.Blocked, &r.Patience, &r.TicketUrl, &r.TicketUnverified)
	return r, err
}
