package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/ticket"
)

// closes reports whether key is that of a note that says that access is over.
func closes(key string) bool {
	part := strings.Split(key, ":")
	return len(part) == 4 && (part[2] == "ended" || part[2] == "continued")
}

// together has the note of an end bring along those notes of its grant that
// are parked before it, so that no ticket tells of an end before the beginning,
// nor of trouble after the end. They become one note with all keys, in the
// outbox first: from then on nothing else can write them. Unless on, it is not
// to be written now, such as while an earlier attempt may still land.
func (r *Reconciler) together(ctx context.Context, item schedule.Item[access.Work], sys ticket.System, n *access.Note) (result schedule.Result, on bool, err error) {
	if item.Value.Kind != WorkNote || !closes(n.Key) {
		return result, true, nil
	}
	before, err := r.parkedBefore(ctx, n.Grant, n.Key)
	if err != nil || len(before) == 0 {
		return result, err == nil, err
	}
	var wait time.Duration
	var rows []access.Work
	var texts, keys []string
	for _, w := range before {
		var old access.Note
		if json.Unmarshal(w.Payload, &old) != nil || old.Key != w.Key {
			continue // parked for that
		}
		began := time.Now()
		refs, err := sys.Notes(ctx, n.Ticket.ID, w.Key)
		if err != nil {
			result, err = r.noteTrouble(ctx, item, *n, err, false)
			return result, false, err
		}
		if len(refs) > 0 { // it landed after all; who sends it again will see
			continue
		}
		if left := w.TriedAt.Add(sys.Limits().Grace).Sub(began); !w.TriedAt.IsZero() && left > 0 {
			wait = max(wait, left)
		}
		rows, texts, keys = append(rows, w), append(texts, textOf(old.Body)), append(keys, "["+w.Key+"]")
	}
	if wait > 0 || len(rows) == 0 {
		return schedule.In(wait), wait == 0, nil
	}
	joined, last := *n, "\n"+strings.Join(append(keys, "["+n.Key+"]"), " ")
	own := strings.TrimSuffix(n.Body, "\n["+n.Key+"]")
	joined.Body, joined.Alone = strings.Join(append(texts, own), "\n\n")+last, own+last
	if err := r.Outbox.Join(ctx, item.Lease, joined, rows...); err != nil {
		return result, false, fmt.Errorf("have note %s bring others along: %w", n.Key, err)
	}
	*n = joined
	return result, true, nil
}

// parkedBefore lists the notes of a grant that were queued before that with
// key and are parked. One that was just started again goes first.
func (r *Reconciler) parkedBefore(ctx context.Context, grant, key string) (before []access.Work, err error) {
	all, err := r.Outbox.WorkOf(ctx, grant)
	if err != nil {
		return nil, fmt.Errorf("read the notes of grant %s: %w", grant, err)
	}
	lane := ""
	for _, w := range all {
		if w.Key == key {
			lane = w.Lane
		}
	}
	for _, w := range all {
		switch {
		case w.Key == key:
			return before, nil
		case w.Kind != WorkNote || w.Lane != lane || !w.DoneAt.IsZero():
		case w.ParkedAt.IsZero():
			return nil, &access.Error{Kind: access.Conflict, Text: "An earlier note was started again and goes first."}
		default:
			before = append(before, w)
		}
	}
	return before, nil
}

// textOf is the body of a note without the lines at its end that the note that
// it goes with has too: the link to the grant, and the key.
func textOf(body string) string {
	lines := strings.Split(body, "\n")
	for i := len(lines) - 1; i > 0 && (strings.HasPrefix(lines[i], "[jitney:") || strings.HasPrefix(lines[i], "Grant: ")); i-- {
		lines = lines[:i]
	}
	return strings.Join(lines, "\n")
}

// alone has a note leave out the texts that it brought along, of which one may
// be why it is refused. It goes on standing for them.
func (r *Reconciler) alone(ctx context.Context, item schedule.Item[access.Work], n access.Note) (schedule.Result, error) {
	n.Body, n.Alone = n.Alone, ""
	if err := r.Outbox.Join(ctx, item.Lease, n); err != nil {
		return schedule.Result{}, fmt.Errorf("have note %s go alone: %w", n.Key, err)
	}
	return schedule.In(0), nil
}
