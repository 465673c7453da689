package broker

import (
	"context"
	"io"
	"time"

	"jitney/access"
)

// EventAuditExported is the kind of the record that an export leaves.
const EventAuditExported = "audit.exported"

// An Audit is what auditors and administrators read: every record, the proof
// that none was touched, and an export that can be verified elsewhere.
type Audit struct {
	records Records
	proof   Proof
	log     Log
	names   *names
}

// A RecordRow is an audit record with the names of what it is about.
type RecordRow struct {
	access.Record
	ActorName    string
	CustomerName string
}

// A RecordList is one page of records, newest first.
type RecordList struct {
	Rows []RecordRow
	Next string // Before of the next page; empty if this is the last
}

// List reads the records that q selects, 100 a page unless q says otherwise, 500 at most.
func (a *Audit) List(ctx context.Context, who access.Person, q access.RecordQuery) (RecordList, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return RecordList{}, err
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	limit := min(q.Limit, 500)
	q.Limit = limit + 1
	records, err := a.records.Records(ctx, q)
	if err != nil {
		return RecordList{}, err
	}
	b, err := a.names.read(ctx)
	if err != nil {
		return RecordList{}, err
	}
	var list RecordList
	for i, r := range records {
		if i == limit {
			list.Next = records[i-1].ID
			break
		}
		list.Rows = append(list.Rows, RecordRow{Record: r, ActorName: b.person(r.Actor), CustomerName: b.customer(r.Customer)})
	}
	return list, nil
}

// Twice lists the records of the last 30 days of notes that are on their
// tickets more than once, of one connection, newest first, 20 at most.
func (a *Audit) Twice(ctx context.Context, who access.Person, connection string) ([]access.Record, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return nil, err
	}
	return a.records.Records(ctx, access.RecordQuery{Kind: access.EventNoteTwice, Subject: connection, From: time.Now().AddDate(0, 0, -30), Limit: 20})
}

// Verify reads the whole log and proves it, or names the first bad record.
func (a *Audit) Verify(ctx context.Context, who access.Person) (AuditReport, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return AuditReport{}, err
	}
	if a.proof == nil {
		return AuditReport{}, &access.Error{Kind: access.Unavailable, Text: "This program cannot verify the audit log.", Hint: "Run jitney audit verify."}
	}
	return a.proof.Verify(ctx)
}

// Export writes the log out, after it recorded who took it.
func (a *Audit) Export(ctx context.Context, who access.Person, w io.Writer) error {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return err
	}
	if a.proof == nil {
		return &access.Error{Kind: access.Unavailable, Text: "This program cannot export the audit log.", Hint: "Run jitney audit export."}
	}
	if err := a.log.Write(ctx, by(who, EventAuditExported, "", "", "", "Exported the audit log.")); err != nil {
		return err
	}
	return a.proof.Export(ctx, w)
}
