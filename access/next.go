package access

import (
	"fmt"
	"slices"
	"time"
)

// A Step is the one thing to do next on a target.
type Step string

const (
	StepNone   Step = "none"
	StepApply  Step = "apply"  // make the account look like the plan's Want
	StepRemove Step = "remove" // end every access of the account and clean up
)

// A Case is everything that is known about one account when it is looked at.
type Case struct {
	Account Account
	Grants  []Grant // those that have not ended, oldest first
	// Credential is the account's password as far as jitney has it. One that
	// waits was not taken by the target yet; access without it is of no use.
	Credential Credential
	// Issued means that the target makes the credential, when it is asked to.
	Issued bool
}

// Rules are the times that Next goes by.
type Rules struct {
	Every   time.Duration // longest time between two looks at an account with live grants
	Confirm time.Duration // how long access must be missing, over two looks at least, to count as taken away
	Slack   time.Duration // how far the end that the target enforces may lie behind the wanted one
	Late    time.Duration // how long after a change without an answer it can still take effect
}

// A Plan is what one look at an account decided.
type Plan struct {
	Step   Step
	Want   Want      // what the account should look like; empty for StepRemove
	Fresh  bool      // StepApply would enable an account for which no password waits: make one first
	Grants []Grant   // those whose facts changed, to be stored
	Events []Event   // what happened, to be stored with them; Actor is "jitney"
	Again  time.Time // when to look again if no step is due and nobody wakes us; zero means never
}

// Next decides about the account of c, given what its target shows now. It
// never says that a grant ended unless seen shows that its access is gone, or
// that another live grant of the same account still wants it.
func Next(c Case, seen Observation, now time.Time, r Rules) Plan {
	p := planner{now: now, seen: seen, rules: r, before: c.Account.Seen, tried: c.Account.TriedAt, issued: c.Account.Issued, waits: c.Credential.Waits() || c.Issued && c.Credential.Missing()}
	grants := slices.Clone(c.Grants)
	for i := range grants { // first what was seen of those that are wanted: it can make one unwanted
		p.see(&grants[i])
	}
	p.want = union(grants, now, func(Grant) bool { return true })
	for i := range grants {
		p.end(&grants[i], grants)
	}
	p.findings(grants)
	for i, g := range grants {
		if changed(g, c.Grants[i]) {
			p.plan.Grants = append(p.plan.Grants, g)
		}
	}
	p.step(grants)
	return p.plan
}

type planner struct {
	now    time.Time
	seen   Observation
	before Observation // the previous look
	tried  time.Time   // see Account.TriedAt
	issued []Issued
	rules  Rules
	waits  bool
	want   Want
	plan   Plan
}

func (p *planner) event(g Grant, kind, text string) {
	p.plan.Events = append(p.plan.Events, Event{At: p.now, Kind: kind, Actor: "jitney", Customer: g.Customer, Grant: g.ID, Subject: g.Target, Text: text})
}

// see records what the target shows for a grant that is wanted.
func (p *planner) see(g *Grant) {
	if !g.Wanted(p.now) {
		return
	}
	shown := p.seen.Shows(g.Entitlement)
	switch {
	case g.VerifiedAt.IsZero() && shown && !p.waits:
		g.VerifiedAt = p.now
		p.event(*g, EventVerified, fmt.Sprintf("Read back as usable: %s. It ends in %s.", p.seen.Username, Length(g.Duration+g.Extension)))
	case g.VerifiedAt.IsZero(): // keep granting
	case shown || p.fired(*g): // what the target's own clock ended too early is given again
		g.LostAt = time.Time{}
	case g.LostAt.IsZero():
		g.LostAt = p.now
		p.event(*g, EventLost, "The access is missing on the target; looking again to be sure.")
	case p.now.Sub(g.LostAt) >= p.rules.Confirm:
		g.StoppedAt, g.StoppedBy, g.StopCause = p.now, "jitney", ByDrift
		p.event(*g, EventStopped, "Somebody took the access away on the target. The grant is over: what is left of it is cleaned up, and nothing is given again.")
	}
}

// fired reports whether the target's own clock has ended g, which was usable,
// before its time: it was extended, and the target could not be told in time.
func (p *planner) fired(g Grant) bool {
	fuse := p.seen.Until
	return g.Wanted(p.now) && !g.VerifiedAt.IsZero() && !fuse.IsZero() && !fuse.After(p.now)
}

// end records that a grant which is not wanted has ended, if that is so.
func (p *planner) end(g *Grant, all []Grant) {
	switch {
	case g.Wanted(p.now), !g.EndedAt.IsZero(), g.ApprovedAt.IsZero() && g.StoppedAt.IsZero():
		return
	case g.ApprovedAt.IsZero(): // never approved, so nothing was ever done for it
		g.EndedAt = p.now
		return
	}
	if other := covering(*g, all, p.now); other != "" {
		g.EndedAt, g.ContinuedBy = p.now, other
		p.event(*g, EventContinued, "This grant is over ("+string(g.Cause(p.now))+"). The same access goes on under another grant.")
		return
	}
	gone := p.seen.Clean()
	if !p.want.Empty() { // the account itself lives on for other entitlements
		gone = !p.seen.At.IsZero() && !slices.Contains(p.seen.Entitlements, g.Entitlement) && !slices.Contains(p.seen.Parts, g.Entitlement) && !p.pending()
	}
	if !gone {
		return
	}
	p.used(g)
	cause := g.Cause(p.now)
	g.EndedAt = p.now
	p.event(*g, EventEnded, "Read back as gone ("+string(cause)+").")
}

// pending reports whether a change without an answer can still take effect. It
// may be the one that gives what is not there.
func (p *planner) pending() bool { return !p.tried.IsZero() && p.now.Sub(p.tried) < p.rules.Late }

// used notes, of a grant that is over before any look at it, that sessions were
// issued from it: then access was given, and nobody may be told otherwise.
func (p *planner) used(g *Grant) {
	if !g.VerifiedAt.IsZero() || !slices.ContainsFunc(p.issued, func(i Issued) bool { return i.Entitlement == g.Entitlement }) {
		return
	}
	if g.StoppedAt.IsZero() {
		g.StoppedAt, g.StoppedBy, g.StopCause = g.EndsAt(), "jitney", ByLapse
	}
	g.VerifiedAt = g.ApprovedAt
	if begun := g.StoppedAt.Add(-g.Duration - g.Extension); begun.After(g.VerifiedAt) { // so that it ends when it was stopped
		g.VerifiedAt = begun
	}
}

// findings notes, once, each right that nobody asked for.
func (p *planner) findings(grants []Grant) {
	for _, extra := range p.seen.Extra {
		if slices.Contains(p.before.Extra, extra) {
			continue
		}
		for i := range grants {
			if !slices.Contains(grants[i].Findings, extra) {
				grants[i].Findings = append(slices.Clone(grants[i].Findings), extra)
				p.event(grants[i], EventFinding, "Found on the account, not part of any grant: "+extra+". It is being removed.")
			}
		}
	}
}

// step decides what to do on the target, and when to look again.
func (p *planner) step(grants []Grant) {
	// What is missing although it was verified is not given again: see waits to
	// be sure that somebody took it away, and then ends the grant.
	p.plan.Want = union(grants, p.now, func(g Grant) bool { return g.LostAt.IsZero() })
	open := slices.ContainsFunc(grants, func(g Grant) bool {
		return g.EndedAt.IsZero() && (!g.ApprovedAt.IsZero() || !g.StoppedAt.IsZero())
	})
	switch {
	case p.want.Empty() && p.settling():
		p.plan.Step, p.plan.Again = StepNone, p.now.Add(p.seen.Settling)
	case p.want.Empty() && (open || p.seen.Exists && !p.seen.Clean()):
		p.plan.Step = StepRemove
	case p.want.Empty():
		p.plan.Step = StepNone
	case !p.plan.Want.Empty() && p.differs(grants):
		p.plan.Step, p.plan.Fresh = StepApply, !p.seen.Enabled && !p.waits && !slices.ContainsFunc(grants, p.fired)
	default:
		p.plan.Step, p.plan.Again = StepNone, p.nextLook(grants)
	}
}

// settling reports whether only another look can show the rest of the end. An
// observation that shows any power is never believed to be that.
func (p *planner) settling() bool {
	return p.seen.Settling > 0 && !p.seen.Enabled && len(p.seen.Entitlements) == 0 && len(p.seen.Parts) == 0 && len(p.seen.Extra) == 0
}

// differs reports whether the account must be changed to look as wanted.
func (p *planner) differs(grants []Grant) bool {
	if p.waits || len(p.seen.Extra) > 0 || slices.ContainsFunc(grants, p.fired) {
		return true
	}
	verified := true
	for _, g := range grants {
		if !g.Wanted(p.now) {
			continue
		}
		verified = verified && !g.VerifiedAt.IsZero()
		if g.VerifiedAt.IsZero() && !p.seen.Shows(g.Entitlement) {
			return true
		}
	}
	names := p.want.Names()
	if slices.ContainsFunc(slices.Concat(p.seen.Entitlements, p.seen.Parts), func(e string) bool { return !slices.Contains(names, e) }) {
		return true
	}
	fuse := p.seen.Until
	return verified && p.seen.Enabled && !fuse.IsZero() && (fuse.Before(p.want.Until) || fuse.After(p.want.Until.Add(p.rules.Slack)))
}

func (p *planner) nextLook(grants []Grant) time.Time {
	again := p.now.Add(p.rules.Every)
	for _, g := range grants {
		if g.Wanted(p.now) {
			again = earlier(again, g.EndsAt())
		}
		if g.Wanted(p.now) && !g.LostAt.IsZero() {
			again = earlier(again, g.LostAt.Add(p.rules.Confirm))
		}
	}
	if p.pending() {
		again = earlier(again, p.tried.Add(p.rules.Late))
	}
	return again
}

// union is what all grants that are wanted at now, and that count, want
// together. The clock of one that was not verified yet has not started, so it
// wants its whole length.
func union(grants []Grant, now time.Time, counts func(Grant) bool) (w Want) {
	for _, g := range grants {
		if !g.Wanted(now) || !counts(g) {
			continue
		}
		until := g.EndsAt()
		if g.VerifiedAt.IsZero() {
			until = now.Add(g.Duration + g.Extension)
		}
		if until.After(w.Until) {
			w.Until = until
		}
		i := slices.IndexFunc(w.Entitlements, func(e Entitled) bool { return e.Name == g.Entitlement })
		switch {
		case i < 0:
			w.Entitlements = append(w.Entitlements, Entitled{g.Entitlement, until})
		case until.After(w.Entitlements[i].Until):
			w.Entitlements[i].Until = until
		}
	}
	return w
}

// covering finds the grant, the latest to end, that still wants what g wanted.
// One that was never usable covers nothing: it may never be.
func covering(g Grant, all []Grant, now time.Time) (id string) {
	var until time.Time
	for _, o := range all {
		if o.ID != g.ID && o.Entitlement == g.Entitlement && o.Wanted(now) && !o.VerifiedAt.IsZero() && (id == "" || o.EndsAt().After(until)) {
			id, until = o.ID, o.EndsAt()
		}
	}
	return id
}

func changed(a, b Grant) bool {
	return !a.VerifiedAt.Equal(b.VerifiedAt) || !a.LostAt.Equal(b.LostAt) || !a.StoppedAt.Equal(b.StoppedAt) ||
		!a.EndedAt.Equal(b.EndedAt) || len(a.Findings) != len(b.Findings)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
