package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/schedule"
)

// patience is how many times in a row a target may not show a step yet before
// that is told as trouble. Directories and clouds often need a moment.
const patience = 3

// failed records what a look learned although it must come again, and what it
// ran into, once for each thing that went wrong.
func (l *look) failed(ctx context.Context, err error) (schedule.Result, error) {
	l.r.cfg.Count(CountTrouble, 0)
	now := time.Now().UTC()
	for _, g := range slices.Clone(l.c.Grants) {
		if g.ApprovedAt.IsZero() && !g.StoppedAt.IsZero() && g.EndedAt.IsZero() {
			g.EndedAt = now // nothing was ever done for it, so no target has to say so
			l.replace(g)
		}
	}
	text := troubleText(err)
	tell := alarm{l}
	tell.blocked(now, access.CodeOf(err), text)
	tell.overdue(now, text)
	if !errors.Is(err, errNotYet) || l.lease.Attempts >= patience {
		tell.trouble(now, text)
	}
	if rerr := l.record(ctx); rerr != nil {
		if errors.Is(rerr, schedule.ErrLost) {
			return schedule.Result{}, rerr
		}
		if errors.Is(rerr, errChanged) {
			return schedule.In(shortly), nil
		}
		return schedule.Result{}, errors.Join(err, rerr)
	}
	return schedule.Result{}, pause(l.c.Grants, l.lease.Attempts, now, err)
}

// An alarm tells people what keeps a look's account from being as it should.
type alarm struct{ *look }

// trouble records what went wrong, unless the last look said the same in the
// same state.
func (l alarm) trouble(now time.Time, text string) {
	var states []string
	for _, g := range l.c.Grants {
		if s := string(g.State(now)); g.EndedAt.IsZero() && !slices.Contains(states, s) {
			states = append(states, s)
		}
	}
	slices.Sort(states)
	full := strings.Join(append(states, text), ": ")
	if l.c.Account.Trouble == full {
		return
	}
	l.c.Account.Trouble = full
	for _, g := range l.c.Grants {
		if g.EndedAt.IsZero() && !g.ApprovedAt.IsZero() {
			l.event(g, access.EventTrouble, text+" Jitney tries again by itself.")
		}
	}
}

// settled tells what a look that needs no step shows of ends that take their
// time: they can be overdue, and nothing keeps them back any more.
func (l alarm) settled(now time.Time) {
	l.unblocked(now)
	l.overdue(now, clean(strings.Join(l.c.Account.Seen.Left, "; "), 1000))
}

// blocked tells, once for each grant that should end and each code, that only
// a person can help. A failure that has no code says nothing about that.
func (l alarm) blocked(now time.Time, code, text string) {
	for _, g := range slices.Clone(l.c.Grants) {
		if code == "" || g.Blocked == code || g.ApprovedAt.IsZero() || !g.EndedAt.IsZero() || g.Wanted(now) {
			continue
		}
		g.Blocked = clean(code, 60)
		l.replace(g)
		l.event(g, access.EventBlocked, "The end needs a person ("+g.Blocked+"). "+text)
		l.blockedText = text
	}
}

// unblocked tells that an end goes on without help.
func (l alarm) unblocked(now time.Time) {
	for _, g := range slices.Clone(l.c.Grants) {
		if g.Blocked == "" {
			continue
		}
		if g.EndedAt.IsZero() {
			l.event(g, access.EventUnblocked, "What kept the end back is solved ("+g.Blocked+").")
		}
		g.Blocked = ""
		l.replace(g)
	}
}

// overdue tells, once for each grant, that it should be gone and is not, or
// that nobody can say.
func (l alarm) overdue(now time.Time, text string) {
	for _, g := range slices.Clone(l.c.Grants) {
		if !g.Late(now) || !g.OverdueAt.IsZero() {
			continue
		}
		g.OverdueAt = now
		l.replace(g)
		l.event(g, access.EventOverdue, "The access should have ended at "+g.EndsAt().UTC().Format(time.RFC3339)+" and was not read back as gone. "+text)
	}
}

// troubleText says what went wrong, for people.
func troubleText(err error) string {
	e, ok := errors.AsType[*access.Error](err)
	switch {
	case !ok && errors.Is(err, context.DeadlineExceeded):
		return "The target did not answer in time."
	case !ok || e.Text == "":
		return "Something inside Jitney failed; the server's log says more."
	default:
		return clean(strings.TrimSpace(e.Text+" "+e.Hint), 1000)
	}
}

// pause makes err come back in time for the next end of a grant, however long
// the pause between two tries has become. A target that does not answer is
// left to the circuit breaker, which comes back as soon as it does.
func pause(grants []access.Grant, attempts int, now time.Time, err error) error {
	if _, told := errors.AsType[*access.Error](err); access.KindOf(err) == access.Unavailable || !told && errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	d := schedule.Backoff(attempts + 1)
	var asks interface{ RetryAfter() time.Duration }
	if errors.As(err, &asks) && asks.RetryAfter() > 0 {
		d = asks.RetryAfter()
	}
	sooner := false
	for _, g := range grants {
		if left := g.EndsAt().Sub(now); g.Wanted(now) && left < d {
			d, sooner = max(left, 100*time.Millisecond), true
		}
	}
	if !sooner {
		return err
	}
	return &schedule.Later{After: d, Err: err}
}

// count counts what changed in a grant.
func (r *Reconciler) count(before, g access.Grant) {
	count := r.cfg.Count
	now := time.Now()
	if before.VerifiedAt.IsZero() && !g.VerifiedAt.IsZero() {
		count(CountVerified, g.VerifiedAt.Sub(g.ApprovedAt))
	}
	if before.RemovingAt.IsZero() && !g.RemovingAt.IsZero() {
		count(CountRemoving, g.RemovingAt.Sub(g.EndsAt()))
	}
	if before.OverdueAt.IsZero() && !g.OverdueAt.IsZero() {
		count(CountOverdue, now.Sub(g.EndsAt()))
	}
	if before.EndedAt.IsZero() && !g.EndedAt.IsZero() && !g.ApprovedAt.IsZero() && g.ContinuedBy == "" {
		count(CountEnded, g.EndedAt.Sub(g.EndsAt()))
	}
	if before.StoppedAt.IsZero() && g.StopCause == access.ByRefusal {
		count(CountRefused, 0)
	}
	for range g.Findings[min(len(before.Findings), len(g.Findings)):] {
		count(CountFinding, 0)
	}
}
