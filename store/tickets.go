package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"jitney/access"
	"jitney/store/db"
)

// Tickets keeps what ticket systems told last, and what was noticed about the
// tickets of live grants.
type Tickets struct {
	core   *core
	grants *Grants
}

// TicketList reads what a system told of the open tickets of a company; one
// that was never asked has no ReadAt.
func (s *Tickets) TicketList(ctx context.Context, connection, company string) (access.TicketList, error) {
	l := access.TicketList{Connection: connection, Company: company}
	row, err := s.core.q().TicketList(ctx, db.TicketListParams{Connection: connection, Company: company})
	if errors.Is(err, sql.ErrNoRows) {
		return l, nil
	}
	if err != nil {
		return l, fail("read the tickets of company "+company, err)
	}
	l.More, l.ReadAt = row.More, instant(row.ReadAt)
	l.Tickets, err = decode[[]access.OpenTicket](row.Tickets)
	return l, fail("read the tickets of company "+company, err)
}

// SetTicketList stores what a system told, unless a later answer is stored or
// the connection is not the one any more that was asked, if that is known.
func (s *Tickets) SetTicketList(ctx context.Context, l access.TicketList) error {
	tickets := encodeAny(l.Tickets)
	return s.core.write(ctx, "store the tickets of company "+l.Company, func(ctx context.Context, t *tx) error {
		if l.Edition > 0 { // held, so that who changes it forgets this list as well
			if n, err := t.HoldConnection(ctx, db.HoldConnectionParams{ID: l.Connection, Version: l.Edition}); err != nil || n == 0 {
				return err
			}
		}
		return t.PutTicketList(ctx, db.PutTicketListParams{Connection: l.Connection, Company: l.Company, Tickets: tickets, More: l.More, ReadAt: micros(l.ReadAt)})
	})
}

// DropTicketLists forgets what a system told, of its tickets and of what can be
// chosen, such as when it is another one from now on.
func (s *Tickets) DropTicketLists(ctx context.Context, connection string) error {
	return s.core.write(ctx, "forget the tickets of connection "+connection, func(ctx context.Context, t *tx) error {
		if err := t.DropTicketLists(ctx, connection); err != nil {
			return err
		}
		return t.DropTicketChoices(ctx, connection)
	})
}

// Choices reads what a system told that can be chosen for its settings.
func (s *Tickets) Choices(ctx context.Context, connection string) ([]access.Choices, error) {
	rows, err := s.core.q().TicketChoices(ctx, connection)
	all, err := each(rows, err, func(r db.TicketChoice) (access.Choices, error) {
		choices, err := decode[[]access.Choice](r.Choices)
		return access.Choices{Connection: r.Connection, Field: r.Field, All: choices, ReadAt: instant(r.ReadAt)}, err
	})
	return all, fail("read the choices of connection "+connection, err)
}

// SetChoices stores them.
func (s *Tickets) SetChoices(ctx context.Context, all ...access.Choices) error {
	return s.core.write(ctx, "store choices", func(ctx context.Context, t *tx) error {
		for _, c := range all {
			if err := t.PutTicketChoices(ctx, db.PutTicketChoicesParams{Connection: c.Connection, Field: c.Field, Choices: encodeAny(c.All), ReadAt: micros(c.ReadAt)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// WatchedConnections lists the connections with tickets of grants that have
// not ended, or are still to be verified.
func (s *Tickets) WatchedConnections(ctx context.Context) ([]string, error) {
	all, err := s.core.q().WatchedConnections(ctx)
	return all, fail("list the connections with live grants", err)
}

// Watched lists the grants with tickets of a connection that have not ended
// and were not stopped, or whose ticket is still to be verified, and what was
// noticed about tickets of it before.
func (s *Tickets) Watched(ctx context.Context, connection string) ([]access.Watched, []access.TicketSign, error) {
	rows, err := s.core.q().WatchedGrants(ctx, connection)
	grants, err := each(rows, err, sure(func(r db.WatchedGrantsRow) access.Watched {
		return access.Watched{Grant: r.ID, Customer: r.Customer, Policy: r.Policy, Person: r.Requester,
			Ticket: access.TicketRef{System: r.TicketSystem, ID: r.TicketID, Number: r.TicketNumber, Title: r.TicketTitle, URL: r.TicketUrl, Unverified: r.TicketUnverified}}
	}))
	if err != nil {
		return nil, nil, fail("list the live grants of connection "+connection, err)
	}
	signs, err := s.core.q().TicketSigns(ctx, connection)
	seen, err := each(signs, err, sure(func(r db.TicketSign) access.TicketSign {
		return access.TicketSign{Connection: r.Connection, Ticket: r.Ticket, ClosedAt: instant(r.ClosedAt), Missed: r.Missed, Why: r.Why}
	}))
	return grants, seen, fail("read what was noticed about tickets of connection "+connection, err)
}

// Notice stores what was noticed about a ticket; nothing at all takes it away.
func (s *Tickets) Notice(ctx context.Context, n access.TicketSign, events ...access.Event) error {
	return s.core.write(ctx, "note what became of ticket "+n.Ticket, func(ctx context.Context, t *tx) error {
		var err error
		if n.ClosedAt.IsZero() && n.Missed == 0 && n.Why == "" {
			err = t.DropTicketSign(ctx, db.DropTicketSignParams{Connection: n.Connection, Ticket: n.Ticket})
		} else {
			err = t.PutTicketSign(ctx, db.PutTicketSignParams{Connection: n.Connection, Ticket: n.Ticket, ClosedAt: micros(n.ClosedAt), Missed: n.Missed, Why: n.Why})
		}
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// SetTicket says which ticket a grant is tied to, now that it is known, and
// moves the notes there that wait for it. ref without ID says that there is
// none.
func (s *Tickets) SetTicket(ctx context.Context, grant string, ref access.TicketRef, notes []access.Note, events ...access.Event) error {
	for {
		g, err := s.grants.Grant(ctx, grant)
		if err != nil {
			return err
		}
		err = s.core.write(ctx, "set the ticket of grant "+grant, func(ctx context.Context, t *tx) error {
			n, err := t.SetTicket(ctx, db.SetTicketParams{ID: grant, Version: g.Version, TicketID: ref.ID, TicketNumber: ref.Number, TicketTitle: ref.Title,
				TicketUrl: ref.URL, TicketUnverified: ref.Unverified})
			if err := stale("set the ticket of grant "+grant, n, err); err != nil {
				return err
			}
			if err := moveNotes(ctx, t, g, ref); err != nil {
				return err
			}
			for _, note := range notes {
				if err := addWork(ctx, t, noteWork(note)); err != nil {
					return err
				}
			}
			t.woke.work = true
			return t.record(ctx, events)
		})
		if access.KindOf(err) != access.Conflict {
			return err
		}
	}
}

func moveNotes(ctx context.Context, t *tx, g access.Grant, ref access.TicketRef) error {
	rows, err := t.WaitingNotes(ctx, db.WaitingNotesParams{GrantID: g.ID, Lane: noteLane(g.Ticket)})
	if err != nil {
		return err
	}
	now := t.core.stamps.next()
	for _, r := range rows {
		var n access.Note
		if json.Unmarshal(r.Payload, &n) != nil {
			continue // the worker says what is wrong with it
		}
		n.Ticket = ref
		if err := t.MoveWork(ctx, db.MoveWorkParams{ID: r.ID, Lane: noteLane(ref), Payload: []byte(encodeAny(n)), NextAt: now}); err != nil {
			return fmt.Errorf("move note %s: %w", n.Key, err)
		}
	}
	return nil
}

// Rest stores w, due now. If there is one with its Key that nothing is going
// to wake, that one is made due now instead; one that is due some time is left
// alone.
func (s *Tickets) Rest(ctx context.Context, w access.Work) error {
	return s.core.write(ctx, "have work done: "+w.Key, func(ctx context.Context, t *tx) error {
		t.woke.work = true
		return t.RestWork(ctx, db.RestWorkParams(t.workRow(w)))
	})
}

// Parked lists what was given up of a group, oldest first, at most limit.
func (o *Outbox) Parked(ctx context.Context, group string, limit int) ([]access.Work, error) {
	rows, err := o.core.q().ParkedWork(ctx, db.ParkedWorkParams{GroupName: group, Part: int32(limit)})
	work, err := each(rows, err, sure(workOf))
	return work, fail("list what was given up of "+group, err)
}
