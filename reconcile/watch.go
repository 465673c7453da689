package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/ticket"
)

// WorkWatch is the kind of the rows that watch tickets: one that finds out
// which ticket systems have tickets of live grants, and one for each of those,
// as access.WatchWork makes them. A hint that
// something changed there only makes one due.
const WorkWatch = "watch"

// Watch is the part of the store that knows the tickets of live grants.
type Watch interface {
	WatchedConnections(ctx context.Context) ([]string, error)
	// Watched lists the grants with tickets of a connection that have not ended
	// and were not stopped, those that are over too if the ticket is still to be
	// verified, and what was noticed about tickets of it before.
	Watched(ctx context.Context, connection string) ([]access.Watched, []access.TicketSign, error)
	// Notice stores what was noticed about a ticket; nothing takes it away.
	Notice(ctx context.Context, n access.TicketSign, events ...access.Event) error
	// SetTicket says which ticket a grant is tied to, moves the notes there
	// that wait for it, and queues notes.
	SetTicket(ctx context.Context, grant string, ref access.TicketRef, notes []access.Note, events ...access.Event) error
	// Rest queues w unless a row with its key is due some time.
	Rest(ctx context.Context, w access.Work) error
}

// Grants is the part of the store that keeps what people decide about grants.
type Grants interface {
	Grant(ctx context.Context, id string) (access.Grant, error)
	// Update changes a grant by fn and wakes its account.
	Update(ctx context.Context, id string, fn func(*access.Grant) ([]access.Event, error)) (access.Grant, error)
}

const (
	watchEvery   = time.Minute
	watchSoon    = 15 * time.Second // after a ticket was not there for the first time
	watchLong    = 20 * time.Second // for asking a ticket system
	missedEnough = 2                // times in a row that a ticket is not there before it counts as gone
	goneGrace    = 2 * time.Minute  // for which access goes on at least after that: rights may be missing for a moment
	watchFails   = 6                // calls of one look that may fail before it is given up
)

// A watcher sees to it that access does not outlive its ticket, where the
// policy says so, and that tickets which could not be verified are. What a
// ticket system says can only end access sooner; no end ever waits for it.
type watcher struct{ *Reconciler }

// row is the handler of both sorts of row.
func (w watcher) row(ctx context.Context, item schedule.Item[access.Work]) (schedule.Result, error) {
	if w.Watch == nil {
		return schedule.Never(), nil
	}
	if connection, ok := strings.CutPrefix(item.Value.Key, WorkWatch+":"); ok {
		return w.connection(ctx, connection)
	}
	all, err := w.Watch.WatchedConnections(ctx)
	if err != nil {
		return schedule.Result{}, err
	}
	for _, connection := range all {
		if err := w.Watch.Rest(ctx, access.WatchWork(connection)); err != nil {
			return schedule.Result{}, err
		}
	}
	return schedule.In(spread(watchEvery)), nil
}

func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}

// A round is one look at the tickets of one connection.
type round struct {
	watcher
	connection string
	now        time.Time
	grants     []access.Watched             // that are to be watched
	policies   map[string]access.Policy     // by name
	signs      map[string]access.TicketSign // by held or doubted, as stored
	companies  map[string]string            // by customer; those of which it is not known are missing
	asked      map[string]bool              // the tickets that are in turn, by name; see subject
	unknown    map[string]bool              // ids of tickets of which the system did not tell
	next       time.Duration                // until the next one
}

// held names what is noticed about the ticket of g: whether a ticket is where
// it belongs is another question for each customer.
func held(g access.Watched) string { return g.Ticket.ID + "@" + g.Customer }

// subject is what is looked for because of g: its ticket, or what may be it.
func subject(g access.Watched) string { return cmp.Or(g.Ticket.ID, doubted(g)) }

// connection looks at the tickets of one connection, with as few calls as its
// system can. Where that is a call for each, and many, they take turns.
func (w watcher) connection(ctx context.Context, connection string) (schedule.Result, error) {
	r := round{watcher: w, connection: connection, now: time.Now().UTC(), policies: map[string]access.Policy{}, signs: map[string]access.TicketSign{},
		companies: map[string]string{}, unknown: map[string]bool{}, next: spread(watchEvery)}
	if err := r.read(ctx); err != nil {
		return schedule.Result{}, err
	}
	if len(r.grants) == 0 {
		return schedule.Never(), nil // the other row starts it again
	}
	found, sys, asked := r.ask(ctx)
	if ctx.Err() != nil {
		return schedule.Result{}, context.Cause(ctx)
	}
	if asked == nil {
		if err := r.notice(ctx, found); err != nil {
			return schedule.Result{}, err
		}
		r.verify(ctx, sys, found)
	}
	if err := r.close(ctx); err != nil { // also what was noticed before, if the system does not answer now
		return schedule.Result{}, err
	}
	return r.again(asked)
}

// again is when to look next. A system that asks for a pause gets it, but no
// end that was foreseen waits for that.
func (r *round) again(asked error) (schedule.Result, error) {
	until := r.closing()
	if asked == nil || until > 0 {
		next := r.next
		if until > 0 {
			next = min(next, until)
		}
		return schedule.In(max(next, time.Second)), nil
	}
	failed := &access.Error{Kind: access.Unavailable, Text: "The ticket system does not tell what became of its tickets.", Err: asked}
	if t, ok := errors.AsType[*ticket.Trouble](asked); ok && t.Kind == ticket.Throttled {
		return schedule.Result{}, &schedule.Later{After: max(t.After, time.Second), Err: failed}
	}
	return schedule.Result{}, failed
}

// closing is how long until the first grant is to be ended; 0 for none.
func (r *round) closing() (first time.Duration) {
	for _, g := range r.grants {
		if at := r.endOf(g); !at.IsZero() {
			if left := max(time.Until(at), time.Second); first == 0 || left < first {
				first = left
			}
		}
	}
	return first
}

// endOf is when g is to be ended because of its ticket; zero if it is not.
func (r *round) endOf(g access.Watched) time.Time {
	sign, rules := r.signs[held(g)], r.policies[g.Policy].Tickets
	if sign.ClosedAt.IsZero() || !rules.EndOnClose || g.Ticket.ID == "" || g.Ticket.Unverified {
		return time.Time{}
	}
	return sign.ClosedAt.Add(graceOf(rules, sign))
}

// graceOf is how long access goes on after what was noticed.
func graceOf(rules access.TicketRules, sign access.TicketSign) time.Duration {
	if sign.Missed >= missedEnough {
		return max(rules.CloseGrace, goneGrace)
	}
	return rules.CloseGrace
}

// read reads the grants to be watched, and drops what was noticed about
// tickets that no grant hangs on any more.
func (r *round) read(ctx context.Context) error {
	all, signs, err := r.Watch.Watched(ctx, r.connection)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, g := range all {
		policy, ok := r.policies[g.Policy]
		if !ok {
			if policy, err = r.Rules.Policy(ctx, g.Policy); err != nil && access.KindOf(err) != access.NotFound {
				return err
			}
			r.policies[g.Policy] = policy
		}
		if g.Ticket.Unverified || policy.Tickets.EndOnClose && g.Ticket.ID != "" {
			r.grants = append(r.grants, g)
			used[held(g)], used[doubted(g)] = true, true
		}
	}
	for _, s := range signs {
		if used[s.Ticket] {
			r.signs[s.Ticket] = s
		} else if err := r.Watch.Notice(ctx, access.TicketSign{Connection: r.connection, Ticket: s.Ticket}); err != nil {
			return err
		}
	}
	return nil
}

// ask asks for all tickets in turn at once, and for fewer at a time where that fails:
// one that its system cannot tell of, or too many for one call, must not hide
// what became of the others. It fails if it was told nothing.
func (r *round) ask(ctx context.Context) (map[string]ticket.Ticket, ticket.System, error) {
	sys, err := r.Tickets(ctx, r.connection)
	if err != nil {
		return nil, nil, err
	}
	var names, ids []string
	urgent := map[string]bool{}
	for _, g := range r.grants {
		names = append(names, subject(g))
		urgent[subject(g)] = urgent[subject(g)] || r.signs[held(g)] != access.TicketSign{} || r.signs[doubted(g)] != access.TicketSign{}
	}
	r.asked = r.turns.take(r.connection, names, func(name string) bool { return urgent[name] }, sys.Limits().Finds, r.now)
	for _, g := range r.grants {
		if g.Ticket.ID != "" && r.asked[g.Ticket.ID] && !slices.Contains(ids, g.Ticket.ID) {
			ids = append(ids, g.Ticket.ID)
		}
		if _, ok := r.companies[g.Customer]; !ok {
			if _, connection, company, err := r.Desks(ctx, g.Customer); err == nil && connection == r.connection {
				r.companies[g.Customer] = company
			}
		}
	}
	if len(ids) == 0 {
		return nil, sys, nil
	}
	found, fails := map[string]ticket.Ticket{}, 0
	if err = r.find(ctx, sys, ids, found, &fails); err != nil && len(r.unknown) < len(ids) {
		r.cfg.Log.Warn("a ticket system does not tell of some tickets", "connection", r.connection, "tickets", len(r.unknown), "err", err)
		err = nil
	}
	return found, sys, err
}

// find adds the tickets with ids to found. Of which it cannot is noted.
func (r *round) find(ctx context.Context, sys ticket.System, ids []string, found map[string]ticket.Ticket, fails *int) error {
	within, cancel := context.WithTimeout(ctx, watchLong)
	some, err := sys.Find(within, ids...)
	cancel()
	if err == nil {
		maps.Copy(found, some)
		return nil
	}
	*fails++
	kind := ticket.TroubleOf(err)
	if len(ids) == 1 || *fails >= watchFails || ctx.Err() != nil || kind == ticket.Throttled || kind == ticket.Misconfigured {
		for _, id := range ids {
			r.unknown[id] = true
		}
		return err
	}
	half := len(ids) / 2
	return errors.Join(r.find(ctx, sys, ids[:half], found, fails), r.find(ctx, sys, ids[half:], found, fails))
}

// notice compares each ticket with what was noticed before.
func (r *round) notice(ctx context.Context, found map[string]ticket.Ticket) error {
	done := map[string]bool{}
	for _, g := range r.grants {
		id, key := g.Ticket.ID, held(g)
		if id == "" || done[key] || g.Ticket.Unverified || !r.asked[id] || r.unknown[id] {
			continue
		}
		done[key] = true
		t, ok := found[id]
		before := r.signs[key]
		after := r.sign(before, g, t, ok && t.ID == id)
		if after == before {
			continue
		}
		stored := after
		stored.Connection, stored.Ticket = r.connection, key
		if err := r.Watch.Notice(ctx, stored, r.tell(before, after)...); err != nil {
			return err
		}
		if r.signs[key] = after; after.Missed > 0 && after.ClosedAt.IsZero() {
			r.next = min(r.next, watchSoon)
		}
	}
	return nil
}

// sign is what is to be noticed about the ticket of g.
func (r *round) sign(before access.TicketSign, g access.Watched, t ticket.Ticket, there bool) access.TicketSign {
	s := access.TicketSign{Connection: r.connection, Ticket: held(g), ClosedAt: before.ClosedAt}
	company, known := r.companies[g.Customer]
	switch {
	case !there:
		s.Missed, s.Why = before.Missed+1, "is not there any more"
		if s.Missed < missedEnough {
			s.Why = before.Why
			return s
		}
	case known && t.Company != company:
		s.Why = "belongs to another company now"
	case !t.Open && t.MergedInto != "":
		s.Why = "was merged into one that is closed"
	case !t.Open:
		s.Why = "was closed"
	default:
		s.ClosedAt = time.Time{}
		if t.MergedInto != "" {
			s.Why = "was merged into another that is open"
		}
		if s.Why == "" {
			return access.TicketSign{} // as if nothing ever was
		}
		return s
	}
	if s.ClosedAt.IsZero() {
		s.ClosedAt = r.now
	}
	s.Missed = min(s.Missed, missedEnough)
	return s
}

// tell says on the timelines of the grants what was noticed about their ticket.
func (r *round) tell(before, after access.TicketSign) (events []access.Event) {
	key := cmp.Or(after.Ticket, before.Ticket)
	for _, g := range r.grants {
		rules := r.policies[g.Policy].Tickets
		if held(g) != key || g.Ticket.Unverified || !rules.EndOnClose {
			continue
		}
		name, grace := "Ticket "+clean(g.Ticket.Number, 100)+" ", graceOf(rules, after)
		switch {
		case before.ClosedAt.IsZero() && !after.ClosedAt.IsZero() && grace == 0:
			events = append(events, r.event(g, name+after.Why+". The access ends."))
		case before.ClosedAt.IsZero() && !after.ClosedAt.IsZero():
			events = append(events, r.event(g, fmt.Sprintf("%s%s. The access ends in %s, unless that changes.", name, after.Why, access.Length(grace))))
		case !before.ClosedAt.IsZero() && after.ClosedAt.IsZero():
			events = append(events, r.event(g, name+"is open again. The access goes on."))
		case after.Why != "" && after.Why != before.Why && after.ClosedAt.IsZero():
			events = append(events, r.event(g, name+after.Why+". The access goes on."))
		}
	}
	return events
}

func (r *round) event(g access.Watched, text string) access.Event {
	return access.Event{At: time.Now().UTC(), Kind: access.EventTicket, Actor: "jitney", Customer: g.Customer, Grant: g.Grant, Subject: cmp.Or(g.Ticket.ID, g.Ticket.Number), Text: text}
}

// close ends the grants whose tickets have been closed for as long as their
// policy lets them go on.
func (r *round) close(ctx context.Context) error {
	var failed error
	r.grants = slices.DeleteFunc(r.grants, func(g access.Watched) bool {
		at := r.endOf(g)
		if at.IsZero() || time.Now().Before(at) {
			return false
		}
		err := r.stop(ctx, g, "ticket "+clean(g.Ticket.Number, 100)+" "+r.signs[held(g)].Why)
		failed = errors.Join(failed, err)
		return err == nil
	})
	return failed
}

// stop ends a grant because of its ticket, unless it is over already.
func (r *round) stop(ctx context.Context, w access.Watched, why string) error {
	_, err := r.Grants.Update(ctx, w.Grant, func(g *access.Grant) ([]access.Event, error) {
		now := time.Now().UTC()
		if !g.StoppedAt.IsZero() || !g.EndedAt.IsZero() || !g.ApprovedAt.IsZero() && !g.Wanted(now) {
			return nil, errOver
		}
		g.StoppedAt, g.StoppedBy, g.StopCause, g.StopReason = now, "jitney", access.ByTicket, why
		return []access.Event{{At: now, Kind: access.EventStopped, Actor: "jitney", Customer: g.Customer, Grant: g.ID, Subject: g.Target,
			Text: "The access ends: " + why + ".", Data: map[string]string{"cause": string(access.ByTicket)}}}, nil
	})
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

var errOver = errors.New("it is over already")
