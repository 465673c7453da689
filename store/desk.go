package store

import (
	"context"
	"database/sql"
	"time"

	"jitney/access"
	"jitney/store/db"
)

// Desk keeps the tickets of the built-in desk.
type Desk struct {
	core *core
}

// DeskTickets lists the tickets of a customer, of all if it is empty, newest
// first; closed ones only if asked for.
func (d *Desk) DeskTickets(ctx context.Context, customer string, closed bool) ([]access.DeskTicket, error) {
	rows, err := d.core.q().DeskTickets(ctx, db.DeskTicketsParams{Customer: customer, Closed: closed})
	tickets, err := each(rows, err, sure(deskTicketOf))
	return tickets, fail("list tickets of the desk", err)
}

// DeskTicket reads one ticket.
func (d *Desk) DeskTicket(ctx context.Context, id string) (access.DeskTicket, error) {
	row, err := d.core.q().DeskTicket(ctx, id)
	if err != nil {
		return access.DeskTicket{}, fail("read ticket "+id, err)
	}
	return deskTicketOf(row), nil
}

// DeskNotes lists the notes of a ticket, oldest first.
func (d *Desk) DeskNotes(ctx context.Context, ticketID string) ([]access.DeskNote, error) {
	rows, err := d.core.q().DeskNotes(ctx, ticketID)
	notes, err := each(rows, err, sure(deskNoteOf))
	return notes, fail("read the notes of ticket "+ticketID, err)
}

// SaveDeskTicket stores n; Version 0 opens it and gives it the next number,
// from 1001. The customer of a ticket never changes.
func (d *Desk) SaveDeskTicket(ctx context.Context, n access.DeskTicket, events ...access.Event) (access.DeskTicket, error) {
	for try := 0; ; try++ {
		saved, err := d.saveDeskTicket(ctx, n, events)
		if n.Version > 0 || try == 9 || !isUnique(err) { // two replicas gave the same number
			return saved, exists("save ticket "+n.ID, err)
		}
	}
}

func (d *Desk) saveDeskTicket(ctx context.Context, n access.DeskTicket, events []access.Event) (access.DeskTicket, error) {
	tried := "save ticket " + n.ID
	if n.UpdatedAt.IsZero() {
		n.UpdatedAt = time.Now().UTC().Truncate(time.Microsecond)
	}
	var number int64
	err := d.core.write(ctx, tried, func(ctx context.Context, t *tx) (err error) {
		if n.Version == 0 {
			number, err = t.InsertDeskTicket(ctx, db.InsertDeskTicketParams{
				ID: n.ID, Customer: n.Customer, Title: n.Title, OpenedBy: n.OpenedBy,
				OpenedAt: micros(n.OpenedAt), ClosedAt: micros(n.ClosedAt), UpdatedAt: micros(n.UpdatedAt),
			})
		} else {
			var changed int64
			changed, err = t.UpdateDeskTicket(ctx, db.UpdateDeskTicketParams{
				ID: n.ID, Version: n.Version, Title: n.Title, ClosedAt: micros(n.ClosedAt), UpdatedAt: micros(n.UpdatedAt),
			})
			err = stale(tried, changed, err)
		}
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	})
	if err != nil {
		return access.DeskTicket{}, err
	}
	if n.Version == 0 {
		n.Number = deskTicketOf(db.DeskTicket{Number: number}).Number
	}
	n.Version++
	return n, nil
}

// AddDeskNote stores n with an ID and the time of the store. If its ticket
// already has a note with that Key, nothing is stored and that one is answered.
func (d *Desk) AddDeskNote(ctx context.Context, n access.DeskNote) (access.DeskNote, error) {
	stored := n
	err := d.core.write(ctx, "add a note to ticket "+n.Ticket, func(ctx context.Context, t *tx) error {
		at := t.core.stamps.next()
		row := db.InsertDeskNoteParams{
			ID: t.core.stamps.id(), Ticket: n.Ticket, NoteKey: sql.NullString{String: n.Key, Valid: n.Key != ""},
			Subject: clean(n.Subject), Body: clean(n.Body), At: at,
		}
		added, err := t.InsertDeskNote(ctx, row)
		if err != nil {
			return err
		}
		if added == 0 {
			there, err := t.DeskNotesByKey(ctx, db.DeskNotesByKeyParams{Ticket: n.Ticket, NoteKey: row.NoteKey})
			if err != nil || len(there) == 0 {
				return err
			}
			stored = deskNoteOf(there[0])
			return nil
		}
		stored = deskNoteOf(db.DeskNote{ID: row.ID, Ticket: row.Ticket, NoteKey: row.NoteKey, Subject: row.Subject, Body: row.Body, At: at})
		touched, err := t.TouchDeskTicket(ctx, db.TouchDeskTicketParams{ID: n.Ticket, UpdatedAt: at})
		if err == nil && touched == 0 {
			return notFound("add a note to ticket " + n.Ticket)
		}
		return err
	})
	if err != nil {
		return access.DeskNote{}, err
	}
	return stored, nil
}
