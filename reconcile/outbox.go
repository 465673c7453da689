package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"jitney/access"
	"jitney/crashpoint"
	"jitney/schedule"
	"jitney/ticket"
)

// The kinds of side work.
const (
	WorkNote    = "note"
	WorkHistory = "history"
	WorkMail    = "mail"
	WorkSweep   = "sweep"
	WorkRecount = "recount"
)

// EventNoteParked is the kind of the record that a parked note leaves.
const EventNoteParked = "note.parked"

// Work does one row of side work. It is the handler of the loop over the work
// table.
func (r *Reconciler) Work(ctx context.Context, item schedule.Item[access.Work]) (schedule.Result, error) {
	switch item.Value.Kind {
	case WorkNote, WorkTime, WorkStatus:
		return r.write(ctx, item)
	case WorkMail:
		return r.post(ctx, item)
	case WorkHistory:
		return historian{r}.history(ctx, item)
	case WorkRecount:
		return counter{r}.recount(ctx, item)
	case WorkWatch:
		return watcher{r}.row(ctx, item)
	case WorkSweep:
		return r.sweepRow(ctx)
	default: // of a newer version, in a rolling upgrade
		return schedule.In(time.Minute), nil
	}
}

// write brings one note to its ticket so that it is there exactly once. Before
// it is written it is looked for; what may have been written by a call whose
// answer was lost is looked for until that call can have no effect any more.
func (r *Reconciler) write(ctx context.Context, item schedule.Item[access.Work]) (schedule.Result, error) {
	var n access.Note
	if err := json.Unmarshal(item.Value.Payload, &n); err != nil || n.Key == "" || n.Ticket.None() {
		return r.park(ctx, item, n, "The stored note cannot be read.")
	}
	if n.Ticket.ID == "" && r.Grants != nil {
		g, err := r.Grants.Grant(ctx, n.Grant)
		if err != nil {
			return schedule.Result{}, fmt.Errorf("read the ticket of grant %s: %w", n.Grant, err)
		}
		n.Ticket = g.Ticket // it may be known by now
	}
	switch {
	case n.Ticket.ID == "" && n.Ticket.Unverified: // whoever finds it wakes this row
		return schedule.In(time.Minute), nil
	case n.Ticket.ID == "":
		return r.park(ctx, item, n, "There is no ticket "+clean(n.Ticket.Number, 100)+" of this customer, so the note has nowhere to go.")
	}
	sys, err := r.Tickets(ctx, n.Ticket.System)
	if err != nil {
		return schedule.Result{}, fmt.Errorf("open ticket system %s: %w", n.Ticket.System, err)
	}
	switch item.Value.Kind {
	case WorkStatus:
		return settler{r}.move(ctx, item, sys, n)
	case WorkTime:
		timer, ok := ticket.As[ticket.Timer](sys)
		if !ok {
			return settler{r}.quietly(ctx, item, "This ticket system takes no time.")
		}
		sys = timesheet{sys, timer, n}
	}
	crashpoint.At("note.begun")
	began := time.Now() // what lands while the system is being asked, the answer may not show
	refs, err := sys.Notes(ctx, n.Ticket.ID, n.Key)
	if err != nil {
		return r.noteTrouble(ctx, item, n, err, false)
	}
	if len(refs) > 0 {
		return r.written(ctx, item, n, refs)
	}
	limits := sys.Limits()
	if tried := item.Value.TriedAt; !tried.IsZero() {
		if left := tried.Add(limits.Grace).Sub(began); left > 0 {
			return schedule.In(min(left, readAgain(item.Attempts))), nil
		}
	}
	if result, ours, err := r.ours(ctx, item, sys, n); !ours {
		return result, err
	}
	if result, on, err := r.together(ctx, item, sys, &n); !on {
		return result, err
	}
	crashpoint.At("note.looked")
	if err := r.Outbox.Tried(ctx, item.Lease); err != nil {
		return schedule.Result{}, fmt.Errorf("record that a note is about to be written: %w", err)
	}
	crashpoint.At("note.tried")
	ref, err := sys.AddNote(ctx, n.Ticket.ID, ticket.Note{Key: n.Key, Subject: n.Subject, Body: ticket.Fit(n.Body, limits.Body)})
	if err != nil && n.Alone != "" && ticket.TroubleOf(err) == ticket.Rejected {
		return r.alone(ctx, item, n)
	}
	if err != nil {
		return r.noteTrouble(ctx, item, n, err, true)
	}
	crashpoint.At("note.added")
	return r.written(ctx, item, n, []ticket.NoteRef{ref})
}

// lookedFor is how often a ticket is looked for in vain before it is gone: what
// a system finds by searching may be missing for a moment.
const lookedFor = 3

// ours reports whether the ticket of n is there and the customer's still. If it
// is not, what is to become of the row is said: nothing of one customer is
// written where another one may read it.
func (r *Reconciler) ours(ctx context.Context, item schedule.Item[access.Work], sys ticket.System, n access.Note) (result schedule.Result, ours bool, err error) {
	found, err := sys.Find(ctx, n.Ticket.ID)
	if err != nil {
		result, err = r.noteTrouble(ctx, item, n, err, false)
		return result, false, err
	}
	t, ok := found[n.Ticket.ID]
	if !ok && item.Attempts+1 < lookedFor {
		return result, false, fmt.Errorf("find the ticket of %s: %w", n.Key, &access.Error{Kind: access.Conflict, Text: "The ticket is not there."})
	}
	why := "The ticket is not there any more"
	if ok {
		if why, err = (settler{r}).foreign(ctx, n, t); err != nil || why == "" {
			return result, err == nil, err
		}
	}
	result, err = r.park(ctx, item, n, why+".")
	return result, false, err
}

// readAgain is how soon a note whose fate is not known is looked for again.
func readAgain(attempts int) time.Duration {
	return min(time.Duration(attempts+1)*5*time.Second, 30*time.Second)
}

func (r *Reconciler) written(ctx context.Context, item schedule.Item[access.Work], n access.Note, refs []ticket.NoteRef) (schedule.Result, error) {
	kctx, cancel := r.keep(ctx)
	defer cancel()
	if err := (counter{r}).later(kctx, item, n); err != nil {
		return schedule.Result{}, err
	}
	if err := r.Outbox.Finish(kctx, item.Lease, clean(refs[0].ID, 200), false, twice(n, refs)...); err != nil {
		return schedule.Result{}, fmt.Errorf("record that note %s was written: %w", n.Key, err)
	}
	crashpoint.At("note.done")
	r.cfg.Count(CountNote, time.Since(item.Value.CreatedAt))
	return schedule.Recorded(), nil
}

// writePatience is for how long something is tried of which the ticket system
// only ever says that it failed. While it cannot even be asked, that is no
// reason to give up.
const writePatience = 24 * time.Hour

// noteTrouble parks what will never work and lets the rest come again.
func (r *Reconciler) noteTrouble(ctx context.Context, item schedule.Item[access.Work], n access.Note, err error, writing bool) (schedule.Result, error) {
	doing := "look for what was written as"
	if writing {
		doing = "write"
	}
	t, ok := errors.AsType[*ticket.Trouble](err)
	if !ok {
		t = &ticket.Trouble{Kind: ticket.Doubtful, Text: "The ticket system gave no clear answer."}
	}
	text := clean(t.Text, 400)
	wrap := func(kind access.Kind) error {
		return fmt.Errorf("%s %s: %w", doing, n.Key, &access.Error{Kind: kind, Text: text, Err: err})
	}
	switch t.Kind {
	case ticket.Gone, ticket.Closed, ticket.Forbidden, ticket.Rejected:
		return r.park(ctx, item, n, text)
	case ticket.Doubtful:
		if ok && writing && ctx.Err() == nil && !item.Value.CreatedAt.IsZero() && time.Since(item.Value.CreatedAt) > writePatience {
			return r.park(ctx, item, n, text+" It was tried for a day.")
		}
		return schedule.Result{}, wrap(access.Conflict)
	case ticket.Throttled:
		return schedule.Result{}, &schedule.Later{After: max(t.After, time.Second), Err: wrap(access.Unavailable)}
	case ticket.Down:
		return schedule.Result{}, wrap(access.Unavailable)
	default:
		return schedule.Result{}, wrap(access.Conflict)
	}
}

func (r *Reconciler) park(ctx context.Context, item schedule.Item[access.Work], n access.Note, reason string) (schedule.Result, error) {
	kctx, cancel := r.keep(ctx)
	defer cancel()
	e := access.Event{At: time.Now().UTC(), Kind: EventNoteParked, Actor: "jitney", Grant: item.Value.Grant, Subject: n.Ticket.ID,
		Text: "The note " + n.Key + " is not written to the ticket: " + reason}
	if err := r.Outbox.Finish(kctx, item.Lease, reason, true, e); err != nil {
		return schedule.Result{}, fmt.Errorf("park note %s: %w", n.Key, err)
	}
	r.cfg.Count(CountNoteParked, 0)
	return schedule.Recorded(), nil
}
