package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/ticket"
)

// recountAfter is when a note whose writing was in doubt is counted again:
// longer than any request lingers, also those that outlived their grace.
const recountAfter = 24 * time.Hour

// A recount is the payload of work that counts one note, or entry of time.
type recount struct {
	Kind string      `json:"kind"` // of the work that wrote it
	Note access.Note `json:"note"`
	Due  time.Time   `json:"due"`
}

// A counter counts what was in doubt when it was written.
type counter struct{ *Reconciler }

// later has n counted once more if an attempt to write it was in doubt.
func (r counter) later(ctx context.Context, item schedule.Item[access.Work], n access.Note) error {
	if item.Value.TriedAt.IsZero() {
		return nil
	}
	n.Body, n.Alone = "", ""
	payload, err := json.Marshal(recount{Kind: item.Value.Kind, Note: n, Due: time.Now().UTC().Add(recountAfter)})
	if err != nil {
		return fmt.Errorf("write down what to count of note %s: %w", n.Key, err)
	}
	return r.Outbox.Add(ctx, access.Work{Kind: WorkRecount, Key: "count:" + n.Key, Group: "count/" + n.Ticket.System, Lane: "count/" + n.Key, Grant: n.Grant, Payload: payload})
}

// recount counts a note that was in doubt, and tells if it is there more than
// once. It writes nothing to the ticket, and gives up after a day.
func (r counter) recount(ctx context.Context, item schedule.Item[access.Work]) (schedule.Result, error) {
	var c recount
	if err := json.Unmarshal(item.Value.Payload, &c); err != nil {
		return r.answered(ctx, item, "What to count cannot be read.")
	}
	if left := time.Until(c.Due); left > 0 {
		return schedule.In(left), nil
	}
	refs, err := r.there(ctx, c)
	switch {
	case err != nil && time.Since(c.Due) < writePatience:
		return schedule.Result{}, fmt.Errorf("count note %s: %w", c.Note.Key, err)
	case err != nil:
		return r.answered(ctx, item, "not counted")
	}
	return r.answered(ctx, item, fmt.Sprintf("there %d times", len(refs)), twice(c.Note, refs)...)
}

func (r counter) there(ctx context.Context, c recount) ([]ticket.NoteRef, error) {
	sys, err := r.Tickets(ctx, c.Note.Ticket.System)
	if err != nil {
		return nil, err
	}
	if timer, ok := ticket.As[ticket.Timer](sys); ok && c.Kind == WorkTime {
		return timer.Times(ctx, c.Note.Ticket.ID, c.Note.Key)
	}
	return sys.Notes(ctx, c.Note.Ticket.ID, c.Note.Key)
}

// twice tells that a note is on its ticket more than once, if it is.
func twice(n access.Note, refs []ticket.NoteRef) []access.Event {
	if len(refs) < 2 {
		return nil
	}
	return []access.Event{{At: time.Now().UTC(), Kind: access.EventNoteTwice, Actor: "jitney", Grant: n.Grant, Subject: n.Ticket.System,
		Text: fmt.Sprintf("The note %s is on ticket %s %d times.", n.Key, clean(n.Ticket.Number, 100), len(refs))}}
}
