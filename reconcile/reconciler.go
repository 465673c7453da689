// Package reconcile is what the program does by itself: it looks at accounts,
// makes them what the grants want, notices what others changed, finds access
// that nobody asked for, and writes the notes to the tickets.
//
// A look is: observe, decide with the pure access.Next, take at most one step,
// observe again, and record everything in one fenced transaction. Nothing is
// remembered between two looks, so that a look may be cut off anywhere and the
// next one, on any replica, goes on from what the target shows.
//
// The package never says that a grant ended because a call succeeded; only
// what was read back afterwards, judged by access.Next, ends one. It never
// gives up on a removal, and a ticket system that does not answer never holds
// one up.
//
// The bound it keeps: once a target answers, access outlives its grant by at
// most the longest pause between two tries (Backoff, 72 s) plus the calls of
// one look. While the target answers all the time, it is the calls alone.
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/secret"
	"jitney/target"
)

// Ports are what the reconciler needs from the rest of the program.
type Ports struct {
	Cases    Cases
	Orphans  Orphans
	Targets  Targets
	Rules    Rules
	Outbox   Outbox
	Log      Log
	Sealer   Sealer
	Open     Opener
	Desks    Desks
	Tickets  Tickets
	Watch    Watch  // nil if nobody watches tickets
	Grants   Grants // needed with Watch, and for notes
	Kinds    []target.Kind
	Password func() secret.Text // makes a password that was never made before
	Mailer   Mailer             // nil if no mail can be sent
	Staff    Staff              // needed with Mailer
}

// A Config are the times and texts that a Reconciler goes by. A zero field
// means the default.
type Config struct {
	Rules access.Rules // default: DefaultRules

	// Keep is how much of the time of one look is left for recording it, when
	// the target does not answer. Default 3 s; less than the loop's margin.
	Keep time.Duration
	// Witness bounds one snapshot of a target's privileged places. Default 10 s.
	Witness time.Duration
	// Ticket bounds what one look asks the ticket system. Default 5 s.
	Ticket time.Duration

	// History is how long after an end the target is asked what the account
	// did, once for each. Default 15 min and 4 h.
	History []time.Duration

	SweepEvery  time.Duration // default 5 min, spread by a tenth
	WakeWithin  time.Duration // over how long a sweep spreads the looks; default 30 s
	SweepTarget time.Duration // for listing the accounts of one target; default 15 s

	Address string                                      // https://jitney.example, for links in notes; empty for none
	Zone    func(ctx context.Context) *time.Location    // in which notes tell times; default UTC
	Person  func(ctx context.Context, id string) string // name of a person for notes; default from Rules

	Log   *slog.Logger
	Count func(what Measure, d time.Duration) // called for each; it must not block
}

// DefaultRules are the times that looks go by.
func DefaultRules() access.Rules {
	return access.Rules{Every: 5 * time.Minute, Confirm: 10 * time.Second, Slack: 5 * time.Minute, Late: mayArrive}
}

// A Measure is one thing that is counted.
type Measure string

const (
	CountVerified   Measure = "verified"    // with the time since approval
	CountEnded      Measure = "ended"       // with the time since it should have ended
	CountRemoving   Measure = "removing"    // with the time since it should have ended
	CountOverdue    Measure = "overdue"     // once for each grant
	CountTrouble    Measure = "trouble"     // every failed look
	CountFinding    Measure = "finding"     // rights that nobody asked for
	CountOrphan     Measure = "orphan"      // accounts with our mark and no live grant
	CountRefused    Measure = "refused"     // not granted after all
	CountNote       Measure = "note"        // ticket notes written
	CountNoteParked Measure = "note_parked" // ticket notes given up for now
)

// A Reconciler looks at accounts, works through the outbox, and sweeps. Its
// methods may be called by many goroutines and on many replicas.
type Reconciler struct {
	Ports
	cfg   Config
	sweep sweeper
	turns turns

	policies *recent[access.Policy] // for what follows an end, never for what is given
}

// New makes a Reconciler.
func New(p Ports, cfg Config) *Reconciler {
	def := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	if cfg.Rules == (access.Rules{}) {
		cfg.Rules = DefaultRules()
	}
	def(&cfg.Keep, 3*time.Second)
	def(&cfg.Witness, 10*time.Second)
	def(&cfg.Ticket, 5*time.Second)
	def(&cfg.SweepEvery, 5*time.Minute)
	def(&cfg.WakeWithin, 30*time.Second)
	def(&cfg.SweepTarget, 15*time.Second)
	if len(cfg.History) == 0 {
		cfg.History = []time.Duration{15 * time.Minute, 4 * time.Hour}
	}
	if cfg.Zone == nil {
		cfg.Zone = func(context.Context) *time.Location { return time.UTC }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Count == nil {
		cfg.Count = func(Measure, time.Duration) {}
	}
	r := &Reconciler{Ports: p, cfg: cfg}
	if p.Rules != nil {
		r.policies = remember(p.Rules.Policy, time.Second)
	}
	if r.cfg.Person == nil {
		r.cfg.Person = r.personName
	}
	return r
}

func (r *Reconciler) personName(ctx context.Context, id string) string {
	p, err := r.Rules.Person(ctx, id)
	if err != nil || p.Name == "" {
		return ""
	}
	return p.Name
}

func (r *Reconciler) kind(name string) (target.Kind, bool) {
	for _, k := range r.Kinds {
		if k.Name == name {
			return k, true
		}
	}
	return target.Kind{}, false
}

// keep gives a context for recording what became of a look: for the rest of
// its time, because many may be waiting for the database, and for a while also
// when that is over, unless the look is not ours any more.
func (r *Reconciler) keep(ctx context.Context) (context.Context, context.CancelFunc) {
	if errors.Is(context.Cause(ctx), schedule.ErrLost) {
		return ctx, func() {}
	}
	until := time.Now().Add(r.cfg.Keep)
	if own, ok := ctx.Deadline(); ok && ctx.Err() == nil && own.After(until) {
		until = own
	}
	return context.WithDeadline(context.WithoutCancel(ctx), until)
}
