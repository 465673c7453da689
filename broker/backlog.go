package broker

import (
	"context"
	"encoding/json"
	"fmt"

	"jitney/access"
)

// Backlog is the part of the store that keeps what is to be written to ticket
// systems.
type Backlog interface {
	// Parked lists what was given up of a connection, oldest first.
	Parked(ctx context.Context, connection string, limit int) ([]access.Work, error)
	Retry(ctx context.Context, workID string, events ...access.Event) error // a parked row starts again
	// Ensure makes the row with w's Key due now, and stores it if there is none.
	Ensure(ctx context.Context, w access.Work) error
}

// MostParked is how many parked notes are shown, and started again, at once.
const MostParked = 200

// A ParkedNote is one note that a ticket system does not take.
type ParkedNote struct {
	NoteView
	Grant  string // ID
	Number string // of the ticket
}

// Parked lists the notes of a connection that were given up until somebody
// starts them again, oldest first, MostParked at most.
func (c *Connections) Parked(ctx context.Context, who access.Person, id string) ([]ParkedNote, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil || c.ports.Backlog == nil {
		return nil, err
	}
	works, err := c.ports.Backlog.Parked(ctx, id, MostParked)
	if err != nil {
		return nil, err
	}
	var all []ParkedNote
	for _, w := range works {
		var n access.Note
		if noteKind(w.Key) == "" || json.Unmarshal(w.Payload, &n) != nil {
			continue
		}
		all = append(all, ParkedNote{NoteView: noteView(w), Grant: w.Grant, Number: clip(n.Ticket.Number, 100)})
	}
	return all, nil
}

// RetryParked starts the parked notes of a connection again, and reports how
// many.
func (c *Connections) RetryParked(ctx context.Context, who access.Person, id string) (int, error) {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return 0, err
	}
	all, err := c.Parked(ctx, who, id)
	done := 0
	for _, n := range all {
		err := c.ports.Backlog.Retry(ctx, n.WorkID, by(who, EventNoteRetried, "", n.Grant, n.WorkID, "Sent a ticket note again."))
		switch {
		case access.KindOf(err) == access.Conflict && err != nil: // somebody was first
		case err != nil:
			return done, fmt.Errorf("retry note %s: %w", n.WorkID, err)
		default:
			done++
		}
	}
	return done, err
}
